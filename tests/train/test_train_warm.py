"""--init-from: what is taken of another network, what is not, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import edge_facenet_models
import numpy as np
import pytest
import train_faces
from train_faces import arrays, tiny
from typer.testing import CliRunner

from edge_facenet.cli.train import command
from edge_facenet.errors import ConfigError, InputError
from edge_facenet.photos.cropset import CropSet

pytest.importorskip("keras")

from edge_facenet.train import backbones, packed, trainer, warm

pytestmark = pytest.mark.usefixtures("tiny_backbone")
STILL = ("optimizer.learning_rate=1e-12", "schedule.floor=0", "optimizer.weight_decay=0")
"""One step moves no weight by more than 1e-9."""
FIRST, LAST = "layers/conv2d/vars/0", "layers/dense/vars/0"


@pytest.fixture(scope="module")
def source(eight_people: CropSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, with averaged weights, that holds other people out than the tests' runs do."""
    train_faces.register_tiny()
    run = tmp_path_factory.mktemp("source") / "run"
    trainer.train(eight_people, run, tiny(2, "average=0.5", "split.seed=5"))
    return run


def _begun(crops: CropSet, run: Path, *settings: str) -> tuple[dict[str, np.ndarray], dict[str, object], list[str]]:
    """Weights after a step that moves nothing, the table, and what was said."""
    said: list[str] = []
    trainer.train(crops, run, tiny(1, *STILL, *settings), trainer.Listeners(on_message=said.append))
    weights = {k.partition(":")[2]: v for k, v in arrays(run / "step-0000001").items() if k.startswith("weights")}
    return weights, json.loads((run / warm.TABLE).read_text()), said


def _partly(source: Path | str) -> tuple[str, str]:
    return f"backbone.start_from={source}", "backbone.start_partly=true"


def _how(table: dict[str, object]) -> dict[str, str]:
    return {row["layer"]: row["how"] for row in table["layers"]}  # type: ignore[attr-defined]


def test_all_of_a_run_is_taken(source: Path, run: Path, eight_people: CropSet) -> None:
    weights, table, said = _begun(eight_people, run, *_partly(source))
    there = arrays(source / "step-0000002")
    for name in (FIRST, LAST):
        assert np.abs(weights[name] - there[f"averaged.weights.h5:{name}"]).max() < 1e-6
    assert set(_how(table).values()) == {"taken"} and table["step"] == 2
    assert table["held_out_seen"] and any("were trained on there" in line for line in said)  # another split.seed
    assert any("taken" in line and "6 layers" in line for line in said)


def test_another_dimension_leaves_the_last_layers_random(source: Path, run: Path, eight_people: CropSet) -> None:
    weights, table, said = _begun(eight_people, run, *_partly(source), "backbone.dimension=9")
    there = arrays(source / "step-0000002")
    assert np.abs(weights[FIRST] - there[f"averaged.weights.h5:{FIRST}"]).max() < 1e-6
    assert weights[LAST].shape == (8, 9)
    how = list(_how(table).values())
    assert how == ["taken"] * 4 + ["random"] * 2
    assert any("8 x 8 there, 8 x 9 here" in line for line in said)


def test_a_packed_file_at_another_size(run: Path, eight_people: CropSet, tmp_path: Path) -> None:
    """`mobile`: its global depthwise kernel is resized, and nobody can say who was trained on."""
    mobile = ("backbone.name=mobile", "backbone.width=0.1", "backbone.size=32")
    trainer.train(eight_people, tmp_path / "small", tiny(1, *mobile))
    packed.pack(tmp_path / "small", tmp_path / "small.npz")
    grown = (*mobile, "backbone.size=64", *_partly(tmp_path / "small.npz"))
    _, table, said = _begun(eight_people, run, *grown)
    how = _how(table)
    assert how.pop("head_places") == "resized" and set(how.values()) == {"taken"}
    assert "held_out_seen" not in table
    assert any("2 x 2 x 21 x 1 there, 4 x 4 x 21 x 1 here" in line for line in said)


def test_what_is_refused_and_leaves_no_run(source: Path, run: Path, eight_people: CropSet) -> None:
    packed.pack(source, run.with_name("other.npz"))
    odd = backbones.BACKBONES["odd"] = backbones.BACKBONES["tiny"]
    try:
        for settings, error, says in (
            ((f"backbone.start_from={source}", "backbone.dimension=9"), ConfigError, "other shapes .*--init-from"),
            ((*_partly(source), "backbone.name=odd"), ConfigError, "is a tiny network, this training is of odd"),
            ((*_partly("mobbile"),), InputError, "No released weights of .mobbile."),
            ((*_partly(run.with_name("nowhere.npz")),), InputError, "no packed weights"),
            ((*_partly(run.parent),), InputError, "not a training run"),
            ((*_partly(source), "backbone.name=mobile", "backbone.size=32"), ConfigError, "is a tiny network"),
        ):
            with pytest.raises(error, match=says):
                trainer.train(eight_people, run, tiny(1, *settings))
            assert not run.exists(), says
    finally:
        assert odd is backbones.BACKBONES.pop("odd")


def test_nothing_fits(run: Path, eight_people: CropSet, tmp_path: Path) -> None:
    mobile = ("backbone.name=mobile", "backbone.size=32")
    trainer.train(eight_people, tmp_path / "small", tiny(1, *mobile, "backbone.width=0.1"))
    with pytest.raises(ConfigError, match=r"not one layer has the shape .*stage0_down_conv: 3 x 3 x 3 x 8 there"):
        trainer.train(eight_people, run, tiny(1, *mobile, "backbone.width=0.9", *_partly(tmp_path / "small")))


def test_as_one_types_it(source: Path, run: Path, eight_people: CropSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is kept whole, and the same command goes on with the run."""
    monkeypatch.chdir(source.parent)
    own = run.with_name("mine.json")
    from edge_facenet import schema
    from edge_facenet.train import presets

    own.write_text(
        json.dumps({"note": schema.to_json(presets.load("orl-demo").note), "config": schema.to_json(tiny(2))})
    )
    words = [str(eight_people.path), str(run), "--preset", str(own), "--init-from", source.name]
    first = CliRunner().invoke(command, ["run", *words])
    assert first.exit_code == 0 and "taken" in first.stderr, first.output
    assert json.loads((run / "config.json").read_text())["backbone"]["start_from"] == str(source)
    again = CliRunner().invoke(command, ["run", *words])
    assert again.exit_code == 0 and "finished already" in again.stdout


def test_a_released_networks_name_wins_over_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own folder may be called like the network it begins with; and a run that is gone keeps its path."""
    from edge_facenet.cli.train import _begun_with

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mobile").mkdir()
    assert packed.file_of("mobile") == Path(edge_facenet_models.weights("mobile"))
    assert packed.file_of("./mobile") is None, "a folder, meant by its path"
    assert _begun_with("mobile")[0] == "backbone.start_from=mobile"
    assert _begun_with("./mobile")[0] == f"backbone.start_from={tmp_path / 'mobile'}"
    assert _begun_with("gone")[0] == f"backbone.start_from={tmp_path / 'gone'}"
