"""Soups: the mean of runs that began with the same weights, and what cannot be one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import train_faces
from train_faces import h5_arrays, tiny
from typer.testing import CliRunner

from edge_facenet.cli.train import command
from edge_facenet.errors import ConfigError, InputError, OutputError
from edge_facenet.photos.cropset import CropSet

pytest.importorskip("keras")

from edge_facenet.train import checkpoint, packed, soup, trainer

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def runs(eight_people: CropSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """One training, and two that went on from it with averaged weights, seeds of their own."""
    train_faces.register_tiny()
    folder = tmp_path_factory.mktemp("runs")
    trainer.train(eight_people, folder / "one", tiny(2))
    for seed in (1, 2):
        settings = (f"seed={seed}", f"backbone.start_from={folder / 'one'}", "average=0.5")
        trainer.train(eight_people, folder / f"seed{seed}", tiny(3, *settings))
    return folder / "one", folder / "seed1", folder / "seed2"


def _weights(run: Path) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in checkpoint.load_embedder(run).model.weights]


def test_every_weight_is_the_mean_of_the_averaged_ones(runs: tuple[Path, ...], tmp_path: Path) -> None:
    made = soup.mix(runs[1:], tmp_path / "soup")
    assert [(one.run, one.seed, one.step) for one in made.ingredients] == [("seed1", 1, 3), ("seed2", 2, 3)]
    assert made.ingredients[0].cosine == 1.0 and soup.LEAST_COSINE < made.ingredients[1].cosine < 1.0
    assert json.loads((tmp_path / "soup" / soup.SOUP).read_text())["ingredients"][1]["start_from"] == str(runs[0])
    for found, a, b in zip(_weights(tmp_path / "soup"), _weights(runs[1]), _weights(runs[2]), strict=True):
        np.testing.assert_allclose(found, (a.astype(np.float64) + b) / 2, rtol=1e-7, atol=1e-12)
    assert not np.array_equal(_weights(runs[1])[0], _weights(runs[2])[0])
    split = (tmp_path / "soup" / "split.json").read_bytes()
    assert split == (runs[1] / "split.json").read_bytes(), "the same people are held out"


def test_it_is_packed_and_begun_with(runs: tuple[Path, ...], run: Path, eight_people: CropSet, tmp_path: Path) -> None:
    made = tmp_path / "soup"
    soup.mix(runs[1:], made)
    assert packed.pack(made, tmp_path / "soup.npz").step == 3
    still = ("optimizer.learning_rate=1e-12", "schedule.floor=0", "optimizer.weight_decay=0")
    trainer.train(eight_people, run, tiny(1, f"backbone.start_from={made}", *still))
    begun, mixed = (h5_arrays(folder / checkpoint.WEIGHTS) for folder in (run / "step-0000001", made / "step-0000003"))
    assert np.allclose(begun["layers/conv2d/vars/0"], mixed["layers/conv2d/vars/0"], atol=1e-6)


def test_going_on_says_what_to_do_instead(runs: tuple[Path, ...], eight_people: CropSet, tmp_path: Path) -> None:
    made = tmp_path / "soup"
    soup.mix(runs[1:], made)
    before = (made / "step-0000003" / checkpoint.WEIGHTS).read_bytes()
    with pytest.raises(InputError, match=r"holds weights alone .*--init-from"):
        trainer.train(eight_people, made, tiny(3, "seed=2", f"backbone.start_from={runs[0]}"))
    assert (made / "step-0000003" / checkpoint.WEIGHTS).read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        (("backbone.dimension=9",), ConfigError, "a soup is of one network"),
        (("split.seed=5",), InputError, "hold out other people"),
        (("seed=9", "backbone.start_from="), InputError, "nothing in common"),
    ],
)
def test_what_cannot_be_mixed(
    runs: tuple[Path, ...],
    run: Path,
    eight_people: CropSet,
    settings: tuple[str, ...],
    error: type[Exception],
    says: str,
) -> None:
    trainer.train(eight_people, run, tiny(1, *settings))
    with pytest.raises(error, match=says):
        soup.mix((runs[1], run), run.with_name("soup"))
    assert not run.with_name("soup").exists()


def test_one_run_or_a_folder_in_use(runs: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        soup.mix(runs[:1], tmp_path / "soup")
    with pytest.raises(OutputError, match="is there already"):
        soup.mix(runs[1:], runs[0])
    with pytest.raises(InputError, match="not a training run"):
        soup.mix((runs[1], tmp_path), tmp_path / "soup")


def test_as_one_types_it(runs: tuple[Path, ...], tmp_path: Path) -> None:
    words = ["soup", str(runs[1]), str(runs[2]), "--out", str(tmp_path / "soup")]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0 and "the mean of seed1, step 3 (seed 1, cosine 1.000)" in done.stdout, done.output
    again = CliRunner().invoke(command, [*words[:-1], str(tmp_path / "other"), "--json"])
    assert json.loads(again.stdout)["ingredients"][0]["run"] == "seed1"
