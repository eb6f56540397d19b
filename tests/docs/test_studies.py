"""docs/studies.md says what benchmarks/results/study-*.json hold, and a study's trainer never sees who judges it."""

from __future__ import annotations

import json
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
    yield SimpleNamespace(run=__import__("studies"), **{name: __import__(f"studies_{name}") for name in names})
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


def test_the_recipes_own_split_holds_out_whoever_judges(studies: Any) -> None:
    """Where nameless faces teach, no view hides the judges: the configuration's quotas must draw the same people."""
    for row in studies.rows.RECIPES.rows:
        split = studies.rows.RECIPES.config(row, 1, 100).split
        assert split.quotas == studies.people.QUOTAS
        assert (split.seed, split.test, split.calibrate) == (studies.people.QUOTA_SEED, 0.0, 0.0)
    photos = {f"celeba_matush/p{n}": 9 for n in range(70)} | {f"celeba_small/p{n}": 4 for n in range(60, 160)}
    crops = _crops(photos, unnamed=3)
    crops.path = Path("faces")
    made = studies.run.Conductor.__new__(studies.run.Conductor)
    made.faces, made.options = crops, SimpleNamespace(work="work", teachers=[Path("t1.json"), Path("t2.json")])
    job = made._job(studies.rows.RECIPES, studies.rows.RECIPES.rows[0], 0, steps=9)
    assert job.unnamed and len(job.test) == 105 and job.config["distil"]["teachers"] == [str(Path("t1.json").resolve())]


def test_a_row_without_its_photos_or_teachers_is_left_out(studies: Any) -> None:
    one, two = (next(row for row in studies.rows.RECIPES.rows if row.teachers == count) for count in (1, 2))
    made = studies.run.Conductor.__new__(studies.run.Conductor)
    made.jai, made.faces, made.options = None, object(), SimpleNamespace(teachers=[Path("t1.json")])
    assert made._possible(one) and not made._possible(two)
    made.faces = None
    assert not made._possible(one)


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


class Trainings:
    """In place of the trainings: the answers, and when the study is killed."""

    def __init__(self, most: int) -> None:
        self.jobs: list[Any] = []
        self._most = most

    def answer(self, job: Any) -> dict[str, Any]:
        if len(self.jobs) == self._most:
            raise KeyboardInterrupt
        self.jobs.append(job)
        cost = {"steps": job.config["steps"], "cpu_seconds": 90.0, "cpu_seconds_per_step": 0.05 + 0.01 * len(self.jobs)}
        return cost | ({"accuracy": 70.0, "tar_at_1e-2": 20.0, "tar_at_1e-3": 5.0} if job.judge else {})


@pytest.fixture
def conduct(studies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the studies named, with so many trainings before the process dies; gives their jobs."""
    photos = {f"celeba_matush/p{n}": 9 for n in range(90)} | {f"celeba_small/p{n}": 4 for n in range(100, 160)}
    crops = _crops(photos)
    crops.path = tmp_path / "crops"
    monkeypatch.setattr(studies.run.CropSet, "open", lambda path: crops)
    (tmp_path / "results").mkdir()

    def run(*only: str, most: int = 1000, minutes: float = 1.5) -> list[Any]:
        trainings = Trainings(most)
        monkeypatch.setattr(studies.run.Conductor, "_child", lambda _, job: trainings.answer(job))
        options = {
            "crops": tmp_path / "crops",
            "work": tmp_path,
            "jai": None,
            "faces": None,
            "only": only,
            "minutes": minutes,
        }
        named = SimpleNamespace(**options, teachers=[], seeds=[0, 1, 2], results=tmp_path / "results")
        try:
            studies.run.Conductor(named).run()
        except KeyboardInterrupt:
            assert len(trainings.jobs) == most
        return trainings.jobs

    return run


def test_a_killed_study_goes_on_and_ends_with_the_same_file(conduct: Any, tmp_path: Path) -> None:
    done = [job for most in (3, 2, 4, 1000) for job in conduct("mining", most=most)]
    record = json.loads((tmp_path / "results" / "study-mining.json").read_text())
    assert len([job for job in done if not job.judge]) == 4 * 2  # calibration: four rows, two rounds, none twice
    assert len([job for job in done if job.judge]) == len(record["results"]) == 4 * 3
    assert len({(r["row"], r["seed"]) for r in record["results"]}) == 4 * 3
    for kind in record["calibration"].values():  # the cheaper round counts, and the cap is CPU time
        assert kind["steps"] == int(90 / min(kind["cpu_seconds_per_step"]))
    assert conduct("mining") == []


def test_the_same_training_is_not_done_for_two_studies(conduct: Any) -> None:
    conduct("mining")
    trained = [job.config["objective"] for job in conduct("losses") if job.judge]
    assert trained.count("triplet") == 0
    assert len(trained) == 5 * 3


def test_results_of_another_cap_are_not_mixed(conduct: Any) -> None:
    conduct("auxiliary")
    with pytest.raises(SystemExit, match=r"cap_cpu_minutes 1\.5, this run 2"):
        conduct("auxiliary", minutes=2)


def test_nobody_judges_whom_the_same_row_trains_on(conduct: Any) -> None:
    for job in conduct("own-people"):
        assert set(job.train).isdisjoint(job.test)
        assert job.run or not job.train


def _crops(photos: dict[str, int], unnamed: int = 0) -> Any:
    labels = np.repeat(np.arange(len(photos)), list(photos.values()))
    crops = SimpleNamespace(identities=tuple(photos), margin=8, template="arcface-112", sha256="0" * 64)
    crops.labels = np.concatenate([labels, np.full(unnamed, -1)]).astype(np.int32)
    return crops
