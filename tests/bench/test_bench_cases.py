"""The bench's cases of public threads, on stub engines: what was asked, what ran, whether to believe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bench_world import MS, QUICK, FakeClock, StubChild, StubEmbedder, StubEngine, children, entry
from edge_facenet_bench.child import LaneSilent
from edge_facenet_bench.faces import Faces
from edge_facenet_bench.lanes import Lane
from edge_facenet_bench.measure import Bench
from edge_facenet_bench.record import Record
from edge_facenet_bench.report import build
from edge_facenet_bench.timing import Plan

GPU = Lane("litert-gpu", "gpu", 1)
CPU = Lane("litert", "cpu", 1)


def measured(
    engine: StubEngine, lane: Lane = GPU, plan: Plan = QUICK, cost: Callable[[int], float] | None = None
) -> Record:
    clock = FakeClock()
    child = StubChild(StubEmbedder(clock, cost or (lambda number: 1.0), engine), clock)
    return Bench([entry(lane)], Faces(), plan, children(child)).measure().records[0]


def test_c094_a_delegate_that_took_nothing_is_not_a_gpu() -> None:
    found = measured(StubEngine("litert-gpu", "CPU, fake delegate 0 of 165 nodes"))
    assert found.asked.delegate == "gpu"
    assert found.ran is not None
    assert (found.ran.processor, found.ran.nodes, found.ran.nodes_total) == ("CPU", 0, 165)
    assert not found.valid
    assert "asked for the GPU, ran on CPU" in found.reasons[0] and "0 of 165" in found.reasons[0]
    assert found.burst == () and build([found], []).rows[0].burst is None


def test_c094_an_adapter_that_is_there_but_got_no_operator() -> None:
    found = measured(StubEngine("litert-gpu", "Mali-G78, integrated GPU, 0 of 165 nodes"))
    assert found.status == "not run" and not found.valid and found.burst == ()


def test_c095_the_operator_left_behind_is_named() -> None:
    found = measured(StubEngine("litert-gpu", "Adreno 740, integrated GPU, 164 of 165 nodes; left: DEQUANTIZE"))
    assert found.ran is not None and found.ran.partial
    assert (found.ran.nodes, found.ran.nodes_total, found.ran.left) == (164, 165, ("DEQUANTIZE",))
    assert any("partial: 164 of 165 operators delegated, left behind: DEQUANTIZE" in note for note in found.notes)
    assert found.status == "timed" and found.burst


def test_c095_a_delegate_that_raises_is_not_run_with_its_words() -> None:
    clock = FakeClock()

    class Raising(StubEmbedder):
        def embed(self, crops: np.ndarray) -> np.ndarray:
            raise RuntimeError("TfLiteGpuDelegate Prepare: op DEQUANTIZE\nnot supported")

    child = StubChild(Raising(clock), clock)
    found = Bench([entry(GPU)], Faces(), QUICK, children(child)).measure().records[0]
    assert found.status == "not run" and not found.valid
    assert "RuntimeError: TfLiteGpuDelegate Prepare: op DEQUANTIZE not supported" in found.reasons[0]
    assert child.closed


@pytest.mark.parametrize(
    "words",
    [
        "LiteRT WebGPU accelerator, llvmpipe (LLVM 19.1.7, 256 bits), software",
        "llvmpipe, CPU",
        "SwiftShader Device (Subzero), software",
        "Microsoft Basic Render Driver, Integrated GPU",
    ],
)
def test_c096_a_software_adapter_is_never_called_gpu_and_never_timed(words: str) -> None:
    found = measured(StubEngine("litert-gpu", words))
    assert found.ran is not None and found.ran.processor == "software"
    assert found.status == "parity" and found.burst == () and found.cold is None
    assert "software" in found.label and "GPU" not in found.label.replace("Integrated GPU", "")
    row = build([found], []).rows[0]
    assert row.burst is None and row.paced is None


def test_an_adapter_without_a_name_is_compared_alone() -> None:
    found = measured(StubEngine("litert-gpu", "LiteRT WebGPU accelerator, adapter not named"))
    assert found.status == "parity" and found.burst == ()


def test_a_real_adapter_is_timed_and_named() -> None:
    found = measured(StubEngine("litert-gpu", "LiteRT WebGPU accelerator, NVIDIA H100 80GB HBM3, Discrete GPU"))
    assert found.status == "timed" and found.valid and found.burst
    assert found.label == "LiteRT WebGPU accelerator (NVIDIA H100 80GB HBM3, Discrete GPU)"


def test_c101_a_lane_is_charged_for_the_whole_work() -> None:
    found = measured(StubEngine(), CPU, cost=lambda number: 20.0)
    assert min(sample for block in found.burst for sample in block.samples_ns) >= 20 * MS


def test_c102_both_figures_are_in_the_record_and_in_the_report() -> None:
    clock, ends = FakeClock(), [-(10**12)]

    class Dozing(StubEmbedder):
        def embed(self, crops: np.ndarray) -> np.ndarray:
            """1 ms after a pause of less than 5 ms, 4 ms otherwise."""
            self.cost = lambda number: 1.0 if clock.now() - ends[0] < 5 * MS else 4.0
            result = super().embed(crops)
            ends[0] = clock.now()
            return result

    plan = Plan(seconds=0.1, paced_seconds=1.0, rounds=4, min_calls=10)
    found = Bench([entry(CPU)], Faces(), plan, children(StubChild(Dozing(clock), clock))).measure().records[0]
    row = build([found], []).rows[0]
    assert row.burst is not None and row.paced is not None
    assert (row.burst.p50_ms, row.paced.p50_ms) == (1.0, 4.0)


def test_c104_a_lane_that_slows_down_is_not_valid_and_gives_its_steady_state() -> None:
    def heat(number: int) -> float:
        return 20.0 if number < 300 else 20 + 14 * min(number - 300, 300) / 300

    plan = Plan(seconds=12, paced_seconds=0, rounds=4, warmup=0, max_calls=600)
    found = measured(StubEngine(), CPU, plan, heat)
    assert not found.valid
    assert (
        "drift" in found.reasons[0]
        and "limit 15%" in found.reasons[0]
        and "steady state" in found.reasons[0]
        and "cool" in found.reasons[0]
    )


def test_c104_a_lane_that_was_slow_in_the_middle_is_not_valid_either() -> None:
    plan = Plan(seconds=4, paced_seconds=0, rounds=4, warmup=0, max_calls=400)
    found = measured(StubEngine(), CPU, plan, lambda number: 16.0 if 100 <= number < 200 else 10.0)
    assert not found.valid and "unsteady" in found.reasons[0]


def paced(cost: Callable[[int], float]) -> Record:
    """A lane whose bursts are steady; `cost` is that of the paced calls, 64 in number, in ms."""
    clock, made = FakeClock(), [0]

    class Camera(StubChild):
        def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
            embedder.cost = lambda number: 1.0
            if command["do"] == "paced":
                begin, made[0] = embedder.calls, made[0] + command["calls"]
                embedder.cost = lambda number: cost(made[0] - command["calls"] + number - begin)
            return super().ask(command, timeout)

    embedder = StubEmbedder(clock)
    plan = Plan(seconds=0.4, paced_seconds=64 * 0.033, rounds=8, warmup=0, min_calls=50)
    found = Bench([entry(CPU)], Faces(), plan, children(Camera(embedder, clock))).measure().records[0]
    assert sum(len(block.samples_ns) for block in found.paced) == 64
    return found


def test_a_lane_whose_paced_calls_slow_down_is_not_valid() -> None:
    found = paced(lambda number: 1 + 2 * number / 63)
    assert not found.valid and len(found.reasons) == 1
    assert found.reasons[0].startswith("paced calls: drift +") and "limit 15%" in found.reasons[0]


def test_a_lane_whose_paced_calls_are_unsteady_is_not_valid() -> None:
    found = paced(lambda number: 2.0 if 16 <= number < 32 else 1.0)
    assert not found.valid and found.reasons[0].startswith("paced calls: unsteady")


def test_a_core_that_wakes_slowly_does_not_spoil_the_paced_calls() -> None:
    """As in results/released-latency: the first quarter of mobilenetv2-int8 took a quarter longer than the last."""
    found = paced(lambda number: 1.25 if number < 16 else 1.0)
    assert found.valid and found.reasons == ()


def test_a_steady_lane_is_valid() -> None:
    found = measured(StubEngine(), CPU)
    assert found.valid and found.reasons == ()


def test_a_lane_that_never_gets_enough_calls_says_so() -> None:
    plan = Plan(seconds=1, paced_seconds=0, rounds=4, min_calls=50, patience=20)
    found = measured(StubEngine(), CPU, plan, lambda number: 2000.0)
    assert not found.valid and "only 10 of 50 calls within 20 s" in found.reasons[0]


def test_lanes_take_turns_and_one_that_fails_leaves_the_others_running() -> None:
    order: list[str] = []

    class Logged(StubChild):
        def ask(self, command: dict[str, object], timeout: float) -> dict[str, object]:
            if command["do"] == "burst":
                order.append(self.tag)  # type: ignore[attr-defined]
            return super().ask(command, timeout)

    made = []
    for tag in "ABC":
        clock = FakeClock()
        child = Logged(StubEmbedder(clock), clock, refuse="paced" if tag == "B" else "")
        child.tag = tag  # type: ignore[attr-defined]
        made.append(child)
    plan = Plan(seconds=0.1, paced_seconds=0.4, rounds=4, min_calls=10)
    entries = [entry(name=f"stub-{tag}") for tag in "ABC"]
    records = Bench(entries, Faces(), plan, children(*made)).measure().records
    assert "".join(order) == "ABC" + "AC" * 3
    assert [one.status for one in records] == ["timed", "not run", "timed"]
    assert "stub refuses paced" in records[1].reasons[0]
    assert all(child.closed for child in made)


def test_an_engine_that_says_something_else_than_the_reference_is_not_valid() -> None:
    clock = FakeClock()

    class Other(StubEmbedder):
        def embed(self, crops: np.ndarray) -> np.ndarray:
            return -super().embed(crops)

    one = StubChild(StubEmbedder(clock), clock)
    two = StubChild(Other(clock), clock)
    entries = [entry(CPU), entry(Lane("litert", "cpu", 2))]
    records = Bench(entries, Faces(), QUICK, children(one, two)).measure().records
    assert records[0].valid and records[0].agreement is None
    assert not records[1].valid and "disagrees with stub-fp32, LiteRT CPU, 1 thread" in records[1].reasons[0]


def test_an_engine_that_gives_every_face_the_same_vector_is_not_valid() -> None:
    clock = FakeClock()

    class Constant(StubEmbedder):
        def embed(self, crops: np.ndarray) -> np.ndarray:
            return 0 * super().embed(crops) + 1

    found = Bench([entry(CPU)], Faces(), QUICK, children(StubChild(Constant(clock), clock))).measure().records[0]
    assert not found.valid and "same vector" in found.reasons[0]


class Silent(StubChild):
    """Gives no embeddings in time; remembers how long it was given."""

    patience = 0.0

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        if command["do"] == "embed":
            self.patience = timeout
            raise LaneSilent("no answer within 1 s in step 'embed'; its process was ended")
        return super().ask(command, timeout)


def test_embedding_that_takes_too_long_costs_the_accuracy_alone() -> None:
    clock = FakeClock()
    child = Silent(StubEmbedder(clock), clock)
    found = Bench([entry(CPU)], Faces(), QUICK, children(child)).measure().records[0]
    assert found.status == "timed" and found.valid and found.burst and found.cold is not None
    assert found.accuracy is None and found.reasons == () and child.closed
    assert "no answer within 1 s in step 'embed'" in found.notes[-1] and "accuracy" in found.notes[-1]


def test_many_faces_on_a_slow_lane_are_given_their_time() -> None:
    clock = FakeClock()
    child = Silent(StubEmbedder(clock, lambda number: 70.0), clock)
    faces = Faces()
    faces.cut = lambda size: np.zeros((13_233, 2, 2, 3), np.uint8)  # type: ignore[method-assign]
    Bench([entry(CPU)], faces, QUICK, children(child)).measure()
    assert child.patience == pytest.approx(900 + 2 * 13_233 * 0.07)


def test_a_self_test_that_refuses_marks_the_lane() -> None:
    clock = FakeClock()
    child = StubChild(StubEmbedder(clock), clock, refuse="check")
    found = Bench([entry(CPU)], Faces(), QUICK, children(child)).measure().records[0]
    assert found.status == "timed" and not found.valid and found.burst
    assert found.reasons == ("stub refuses check",)
