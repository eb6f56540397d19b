"""`edge-facenet train` as one types it: refusals in a sentence with their exit codes, and one training to its end."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from train_faces import tiny

from edge_facenet import schema
from edge_facenet.cli import train_jobs
from edge_facenet.cli.main import main
from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import presets

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def _typed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of `edge-facenet train WORDS`."""
    with pytest.raises(SystemExit) as left:
        main(["train", *map(str, words)])
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    """A preset of one's own: four steps of the tiny network."""
    note = schema.to_json(presets.load("orl-demo").note)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"note": note, "config": schema.to_json(tiny(4))}))
    return path


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("nowhere", "RUN", "--preset", "orl-demo"), (3, "is not a crop set")),
        (("CROPS", "RUN", "--preset", "orl-dem"), (7, 'did you mean "orl-demo"')),
        (("CROPS", "RUN", "--preset", "orl-demo", "--set", "step=3"), (7, 'did you mean "steps"')),
        (("CROPS", "RUN", "--preset", "orl-demo", "--set", "steps=few"), (7, "a whole number")),
        (("CROPS", "RUN", "--preset", "orl-demo", "--set", "backbone.size=16"), (7, "at least 32 px")),
        (("CROPS", "RUN"), (7, "--preset")),
        (("CROPS", "RUN", "--preset", "PRESET", "--set", "budget_muladds=99"), (5, "above the budget")),
        (("CROPS", "RUN", "--preset", "PRESET", "--set", "split.test=7"), (3, "Cannot split 8 people")),
        (("CROPS", "PRESET", "--preset", "PRESET"), (8, "is a file")),
        (("CROPS",), (2, "RUN")),
    ],
)
def test_refusals(
    capsys: pytest.CaptureFixture[str],
    eight_people: CropSet,
    preset: Path,
    words: tuple[str, ...],
    wanted: tuple[int, str],
) -> None:
    run = preset.parent / "run"
    places = {"CROPS": eight_people.path, "RUN": run, "PRESET": preset}
    found, out, err = _typed(capsys, *(places.get(word, word) for word in words))
    assert found == wanted[0] and wanted[1] in err and "Traceback" not in err and out == ""
    assert not run.exists()  # nothing is left that `train status` would call a run


def test_crops_too_small_for_the_network_are_remarked_on(
    capsys: pytest.CaptureFixture[str], eight_people: CropSet, preset: Path, tmp_path: Path
) -> None:
    inner = eight_people.size - 2 * eight_people.margin
    for size, told in ((inner, False), (inner + 16, True)):
        words = ("--preset", preset, "--set", f"backbone.size={size}", "--set", "steps=1")
        code, _, err = _typed(capsys, eight_people.path, tmp_path / f"run-{size}", *words)
        assert code == 0 and (f"Crops of {inner} px are enlarged to the network's {size}" in err) == told
        side = math.ceil(size * eight_people.size / inner)
        assert (f"prepare the photos with --size {side}," in err) == told


def test_a_refused_training_leaves_a_user_s_files(
    capsys: pytest.CaptureFixture[str], eight_people: CropSet, preset: Path
) -> None:
    """The folder that was there stays, with what was in it, less what the training wrote."""
    run = preset.parent / "run"
    run.mkdir()
    (run / ".notes").write_text("mine")
    code, _, err = _typed(capsys, eight_people.path, run, "--preset", "orl-demo", "--set", "split.test=7")
    assert code == 3 and "Cannot split 8 people" in err
    assert [path.name for path in run.iterdir()] == [".notes"]


def test_a_refused_training_leaves_how_to_go_on_with_a_run(
    capsys: pytest.CaptureFixture[str], eight_people: CropSet, preset: Path
) -> None:
    run = preset.parent / "run"
    assert _typed(capsys, eight_people.path, run, "--preset", preset)[0] == 0
    job = (run / "job.json").read_bytes()
    (preset.parent / "other").mkdir()
    assert _typed(capsys, preset.parent / "other", run)[0] == 3
    assert (run / "job.json").read_bytes() == job
    former = train_jobs.remember(run, preset.parent / "other")
    (run / "log.csv").write_text("it went on with the other crops, and failed later")
    train_jobs.forget_refused(run, former)
    assert "other" in (run / "job.json").read_text()


def test_a_run_beside_the_answers_of_a_refused_one_knows_how_to_go_on(
    capsys: pytest.CaptureFixture[str], eight_people: CropSet, preset: Path
) -> None:
    run = preset.parent / "run"
    (run / "bank").mkdir(parents=True)
    assert _typed(capsys, eight_people.path, run, "--preset", preset)[0] == 0
    assert str(eight_people.path) in (run / "job.json").read_text()


def test_help_names_the_presets(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("--help",), ("run", "--help")):
        out = _typed(capsys, *words)[1]
        assert all(name in "".join(out.split()) for name in ("orl-demo", "mobile-distil", "googlenet-softmax")), out


def test_to_its_end_and_once_more(
    capsys: pytest.CaptureFixture[str], eight_people: CropSet, tmp_path: Path, preset: Path
) -> None:
    run = tmp_path / "my run ü 🙂"
    code, out, err = _typed(capsys, eight_people.path, run, "--preset", preset)
    assert code == 0 and "step 4" in out and "images/s" in out and "step-0000004" in out and "export" in out
    assert "loss" in err
    code, out, _ = _typed(capsys, eight_people.path, run, "--json")  # goes on with the run's own configuration
    told = json.loads(out)
    assert code == 0 and (told["step"], told["started_at"]) == (4, 4)
    assert told["people"] == {"train": 4, "calibrate": 2, "test": 2}
    code, _, err = _typed(capsys, eight_people.path, run, "--preset", preset, "--set", "seed=2")
    assert code == 7 and "seed was 0, now 2" in err
