"""docs/studies.md says what benchmarks/results/study-*.json hold, and a study's trainer never sees who judges it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def studies(repo: Path) -> Iterator[SimpleNamespace]:
    """The scripts' modules."""
    sys.path.insert(0, str(repo / "benchmarks"))
    names = ("people", "report", "rows")
    yield SimpleNamespace(**{name: __import__(f"studies_{name}") for name in names})
    sys.path.remove(str(repo / "benchmarks"))


def test_the_page_says_what_the_results_say(studies: Any, repo: Path, tmp_path: Path, monkeypatch: Any) -> None:
    committed = (repo / "docs" / "studies.md").read_text(encoding="utf-8")
    page = tmp_path / "studies.md"
    page.write_text(committed, encoding="utf-8")
    monkeypatch.setattr(studies.report, "plot", lambda *_: None)
    studies.report.write(repo / "benchmarks" / "results", page)
    assert page.read_text(encoding="utf-8") == committed, "run: python benchmarks/studies.py report"


def test_a_page_without_a_studys_place_is_refused(studies: Any, tmp_path: Path) -> None:
    from edge_facenet.errors import InputError

    page = tmp_path / "studies.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="markers of the study mining"):
        studies.report.write(tmp_path, page)


def test_what_was_not_run_is_said_to_be_missing(studies: Any) -> None:
    study = studies.rows.MINING
    result = {"row": study.rows[0].name, "source": "celeba", "seed": 0, "people": 9, "photos": 40, "steps": 7}
    result |= {"cpu_seconds": 1.0, "accuracy": 70.0, "tar_at_1e-2": 20.0, "tar_at_1e-3": None}
    text = studies.report.table(list(study.rows), [result])
    assert "**1 of 3**" in text
    assert text.count("**not run yet**") == len(study.rows) - 1


def test_every_row_is_a_configuration(studies: Any) -> None:
    for study in studies.rows.STUDIES.values():
        for row in study.rows:
            assert study.config(row, 2, 100).seed == 2


def test_whoever_judges_has_no_name_for_the_trainer(studies: Any) -> None:
    crops = _crops({"s/a": 3, "s/b": 2, "s/c": 2}, unnamed=2)
    view = studies.people.View(crops, ["s/c", "s/a"])
    assert view.identities == ("s/a", "s/c")
    assert view.labels.tolist() == [0, 0, 0, -1, -1, 1, 1, -1, -1]
    assert view.rows_of(["s/c"]).tolist() == [5, 6]
    with pytest.raises(KeyError, match="s/b"):
        view.rows_of(["s/b"])
    assert view.sha256 != studies.people.View(crops, ["s/a"]).sha256


def test_held_out_people_train_under_no_name_of_theirs(studies: Any) -> None:
    photos = {f"celeba_matush/p{n}": 9 for n in range(70)} | {f"celeba_small/p{n}": 4 for n in range(60, 160)}
    cast = studies.people.held_out(_crops(photos | {"celeba_small/lone": 1}))
    persons = [name.partition("/")[2] for name in cast.train]
    assert len(cast.test) == 105
    assert len(set(persons)) == len(persons)
    assert set(persons).isdisjoint(name.partition("/")[2] for name in cast.test)
    assert "lone" not in persons


def test_a_smaller_draw_is_part_of_a_larger_one(studies: Any) -> None:
    everybody = [str(n) for n in range(50)]
    small, large = (set(studies.people.some(everybody, count, 3)) for count in (5, 20))
    assert len(small) == 5
    assert small < large
    assert small != set(studies.people.some(everybody, 5, 4))


def _crops(photos: dict[str, int], unnamed: int = 0) -> Any:
    labels = np.repeat(np.arange(len(photos)), list(photos.values()))
    crops = SimpleNamespace(identities=tuple(photos), margin=8, template="arcface-112", sha256="0" * 64)
    crops.labels = np.concatenate([labels, np.full(unnamed, -1)]).astype(np.int32)
    return crops
