"""What a training says of itself: collapse, a stuck loss, numbers that are none, and a log that survives kills."""

from __future__ import annotations

from pathlib import Path

import pytest
import train_faces

from edge_facenet.errors import GateError
from edge_facenet.train import monitor
from edge_facenet.train.config import TrainConfig
from edge_facenet.train.sections import TripletConfig

HEALTHY = {"loss": 1.0, "triplet": 0.1, "active_triplets": 0.5, "mean_cosine": 0.1}


def _monitor(run: Path, said: list[str], config: TrainConfig | None = None) -> monitor.Monitor:
    run.mkdir(exist_ok=True)
    one = monitor.Monitor(run, config or TrainConfig(100), list(HEALTHY)[1:], said.append)
    one.begin(0)
    return one


def _rows(one: monitor.Monitor, figures: dict[str, float], count: int) -> None:
    for step in range(1, count + 1):
        one.after(step, figures, images=8)
        one.row(step, 1e-3, {})


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ({"mean_cosine": 0.99}, "Embeddings collapse"),
        ({"triplet": 0.2001, "active_triplets": 1.0}, "stands at its margin"),
    ],
)
def test_collapse_warns_once(run: Path, figures: dict[str, float], word: str) -> None:
    said: list[str] = []
    one = _monitor(run, said)
    for _ in range(3):  # comes, goes and comes again
        _rows(one, {**HEALTHY, **figures}, 2 * monitor.PATIENCE)
        _rows(one, HEALTHY, 1)
    assert len(said) == 1 and word in said[0] and "learning_rate" in said[0]


@pytest.mark.parametrize(
    ("figures", "triplet", "warned"),
    [
        ({"mean_cosine": 0.951}, {}, "Embeddings collapse"),
        ({"mean_cosine": 0.949}, {}, None),
        ({"triplet": 0.2, "active_triplets": 0.985}, {}, "stands at its margin"),
        ({"triplet": 0.2, "active_triplets": 0.975}, {}, None),
        ({"triplet": 0.2, "active_triplets": 0.5}, {}, None),  # chance; the other half has learnt
        # a fiftieth of the margin, 0.004, to either side
        ({"triplet": 0.2038, "active_triplets": 1.0}, {}, "stands at its margin"),
        ({"triplet": 0.2042, "active_triplets": 1.0}, {}, None),
        ({"triplet": 0.1962, "active_triplets": 1.0}, {}, "stands at its margin"),
        ({"triplet": 0.1958, "active_triplets": 1.0}, {}, None),
        ({"triplet": 0.509, "active_triplets": 1.0}, {"margin": 0.5}, "margin 0.5"),
        ({"triplet": 0.511, "active_triplets": 1.0}, {"margin": 0.5}, None),
        # the log holds the weighted term, the margin belongs to the unweighted one
        ({"triplet": 0.6, "active_triplets": 1.0}, {"weight": 3.0}, r"margin (0.2000, margin 0.2)"),
        ({"triplet": 0.2, "active_triplets": 1.0}, {"weight": 3.0}, None),
        ({"triplet": 0.0, "active_triplets": 1.0}, {"weight": 0.0}, None),
    ],
)
def test_each_limit_of_a_warning_from_both_sides(
    run: Path, figures: dict[str, float], triplet: dict[str, float], warned: str | None
) -> None:
    said: list[str] = []
    one = _monitor(run, said, TrainConfig(100, triplet=TripletConfig(**triplet)))  # type: ignore[arg-type]
    _rows(one, {**HEALTHY, **figures}, monitor.PATIENCE)
    assert len(said) == (warned is not None) and all(warned in sentence for sentence in said if warned)


def test_healthy_training_is_not_warned_of(run: Path) -> None:
    said: list[str] = []
    one = _monitor(run, said)
    _rows(one, HEALTHY, 20)
    _rows(one, {**HEALTHY, "mean_cosine": 0.99}, monitor.PATIENCE - 1)  # as at the very start of a training
    _rows(one, HEALTHY, 1)
    assert said == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_no_number_stops_with_a_sentence(run: Path, value: float) -> None:
    one = _monitor(run, [])
    with pytest.raises(
        GateError, match=r"not finite at step 7 \(loss (nan|inf).*no checkpoint yet.*0.003.*same command"
    ):
        one.after(7, {**HEALTHY, "loss": value}, 8)
    (run / "step-0000005").mkdir()
    with pytest.raises(GateError, match=r"not finite at step 7 \(loss (nan|inf).*checkpoint before is kept.*0.003"):
        one.after(7, {**HEALTHY, "loss": value}, 8)


def test_log_holds_means_and_goes_on_where_the_checkpoint_is(run: Path) -> None:
    one = _monitor(run, [])
    for step, loss in enumerate((1.0, 3.0, 5.0, 7.0), start=1):
        one.after(step, {**HEALTHY, "loss": loss}, images=8)
        if step % 2 == 0:
            one.row(step, 1e-3, {"val_accuracy": 80.0} if step == 4 else {})
    with (run / "log.csv").open("a") as log:
        log.write("5,1.2,tor")  # a kill in the middle of a row
    rows = monitor.read_log(run / "log.csv")
    assert [(row["step"], float(row["loss"])) for row in rows] == [("2", 2.0), ("4", 6.0)]
    assert rows[1]["val_accuracy"] == "80"
    again = monitor.Monitor(run, TrainConfig(100), list(HEALTHY)[1:], lambda _: None)
    again.begin(2)  # the checkpoint is older than the log
    assert [row["step"] for row in monitor.read_log(run / "log.csv")] == ["2"]
    again.after(3, HEALTHY, 8)
    again.row(3, 1e-3, {})
    assert [row["step"] for row in monitor.read_log(run / "log.csv")] == ["2", "3"]


def test_status_tells_speed_and_time_left(run: Path) -> None:
    one = _monitor(run, [], train_faces.tiny(10))
    one.after(1, HEALTHY, 48)
    status = one.row(1, 1e-3, {})
    assert status.steps == 10 and status.images_per_second > 0
    assert status.seconds_left == pytest.approx(9 * 48 / status.images_per_second)
    assert status.figures["active_triplets"] == 0.5
