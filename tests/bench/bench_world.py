"""A small world for the bench's tests: people made of smooth noise, tiny artifacts, stub engines, a clock moved by hand."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny as networks
from edge_facenet_bench.faces import Data, Faces
from edge_facenet_bench.lanes import Lane
from edge_facenet_bench.measure import Bench, Entry
from edge_facenet_bench.record import Accuracy, Artifact, Record
from edge_facenet_bench.run import Baseline, Gap, Run
from edge_facenet_bench.timing import Plan
from edge_facenet_bench.worker import Session, answer

from edge_facenet.manifest import Cost
from edge_facenet.photos.cropset import CropSet, write
from edge_facenet.verification import Split

MS = 1_000_000
QUICK = Plan(seconds=0.02, paced_seconds=0.0, rounds=4, warmup=1, min_calls=8, max_calls=400)


def people(folder: Path, count: int = 8, photos: int = 4) -> CropSet:
    """A crop set of `count` people, each a smooth pattern with a little noise per photo."""
    rng = np.random.default_rng(5)
    crops, names = [], []
    for person in range(1, count + 1):
        pattern = cv2.resize(rng.uniform(0, 255, (6, 6, 3)), (128, 128), interpolation=cv2.INTER_CUBIC)
        for _ in range(photos):
            crops.append(np.clip(pattern + rng.normal(0, 12, (128, 128, 3)), 0, 255).astype(np.uint8))
            names.append(f"s{person}")
    return write(folder, np.stack(crops), names)


def split(crops: CropSet, test: int = 4) -> Split:
    """The last people are tested on."""
    names = crops.identities
    return Split(seed=1234, train=names[: -test - 1], calibrate=names[-test - 1 : -test], test=names[-test:])


def artifact(folder: Path, recipe: str = "fp32") -> Path:
    """The tiny TFLite network as an artifact with a cost; returns its manifest."""
    return networks.artifact(folder, recipe, cost=Cost(muladds=678_400, parameters=1_376, bytes=0))


def vulkan() -> Path:
    """A folder with libvulkan.so.1 and SwiftShader's driver; skips when there is none.

    Debian's package chromium-common brings them: installed, or unpacked anywhere and named by EDGE_FACENET_SWIFTSHADER.
    """
    for folder in (os.environ.get("EDGE_FACENET_SWIFTSHADER", ""), "/usr/lib/chromium"):
        if folder and all((Path(folder) / name).exists() for name in ("libvulkan.so.1", "vk_swiftshader_icd.json")):
            return Path(folder)
    pytest.skip(
        "needs SwiftShader (Debian's chromium-common); unpack it and name its folder by EDGE_FACENET_SWIFTSHADER"
    )


@dataclass
class FakeClock:
    """Time that moves when it is told to."""

    moment: int = 0

    def now(self) -> int:
        return self.moment

    def cpu(self) -> int:
        return self.moment

    def sleep_until(self, moment: int) -> None:
        self.moment = max(self.moment, moment)

    def pass_ms(self, milliseconds: float) -> None:
        self.moment += round(milliseconds * MS)


class Lazy:
    """An asynchronous result: computed, and paid for, when it is read."""

    def __init__(self, clock: FakeClock, milliseconds: float) -> None:
        self._clock, self._milliseconds = clock, milliseconds

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self._clock.pass_ms(self._milliseconds)
        return np.ones((1, 4), np.float32)


@dataclass
class StubEngine:
    """What the bench asks of an engine."""

    name: str = "litert"
    ran_on: str = "CPU, XNNPACK 4 of 4 nodes, 1 partition"


@dataclass
class StubEmbedder:
    """Each call takes what `cost` says (ms, by number of the call), on the stub's clock."""

    clock: FakeClock
    cost: Callable[[int], float] = lambda number: 1.0
    engine: StubEngine = field(default_factory=StubEngine)
    calls: int = 0

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.clock.pass_ms(self.cost(self.calls))
        self.calls += 1
        return np.asarray(crops.reshape(len(crops), -1)[:, :8], np.float32) + 1


class StubChild:
    """A lane without a process: the worker's own session on a stub embedder."""

    def __init__(self, embedder: Any, clock: FakeClock, refuse: str = "") -> None:
        self._session = Session(lambda path, **options: embedder, clock)
        self._refuse = refuse
        self.log: list[str] = []
        self.closed = False

    def ask(self, command: dict[str, Any], timeout: float) -> dict[str, Any]:
        import json

        from edge_facenet_bench.child import LaneFailed, understand

        self.log.append(command["do"])
        if self._refuse == command["do"]:
            raise LaneFailed(f"stub refuses {command['do']}")
        return understand(json.dumps(answer(self._session, json.dumps(command))))

    def close(self) -> None:
        self.closed = True


def children(*ready: StubChild) -> Callable[[], StubChild]:
    """`spawn` for a Bench: these, in order."""
    queue: Iterator[StubChild] = iter(ready)
    return lambda: next(queue)


def entry(lane: Lane | None = None, **changes: Any) -> Entry:
    """A lane of an artifact that exists on paper alone."""
    values: dict[str, Any] = {
        "name": "stub-fp32",
        "network": "stub",
        "format": "tflite",
        "recipe": "fp32",
        "sha256": "0" * 64,
        "bytes": 1000,
        "size": 8,
        "dimension": 8,
    }
    return Entry(Path("stub.json"), Artifact(**{**values, **changes}), lane or Lane("litert", "cpu", 1))


def accuracy(value: float) -> Accuracy:
    return Accuracy(
        "crops, test", "ab" * 32, 10, 100, 450, 4500, 10, True, value, 0.9, 86.1, 20.4, {"0.01": 36.8}, 6.7e-4
    )


def records() -> list[Record]:
    """fp32 and int8 on two lanes each; one of them drifts, and the GPU lane did not run."""
    made = []
    for recipe, cost in (("fp32", 2.0), ("int8", 1.0)):
        for threads in (1, 2):
            clock = FakeClock()
            spoilt = recipe == "int8" and threads == 2
            embedder = StubEmbedder(clock, lambda n, c=cost, s=spoilt: c * (1 + s * n / 20))
            lane = Lane("litert", "cpu", threads)
            stub = entry(lane, name=f"orl-{recipe}", network="orl", recipe=recipe, bytes=2_000_000, muladds=7_640_000)
            made.append(Bench([stub], Faces(), QUICK, children(StubChild(embedder, clock))).measure().records[0])
    clock = FakeClock()
    child = StubChild(StubEmbedder(clock, engine=StubEngine("litert-gpu", "CPU")), clock)
    gpu = entry(Lane("litert-gpu", "gpu", 1), name="orl-fp32", network="orl")
    made.append(Bench([gpu], Faces(), QUICK, children(child)).measure().records[0])
    return [dataclasses.replace(one, run="R1", accuracy=accuracy(81.1) if one.burst else None) for one in made]


def facts() -> Run:
    data = Data(
        "crops",
        "ab" * 32,
        "test identities of the split",
        10,
        100,
        450,
        4500,
        10,
        1234,
        ("s1", "s2"),
        ("s3",),
        ("s4", "s<5>"),
    )
    baselines = (
        Baseline("raw pixels", "nothing learned", accuracy(74.7)),
        Baseline("untrained network", "random weights", note="needs Keras"),
    )
    return Run(
        1,
        "R1",
        "2026-11-25T13:00:00+00:00",
        "0.1.0",
        data,
        baselines,
        (Gap("orl-int8", "0" * 64, "orl-fp32", 0.13, (-0.6, 0.7)),),
    )
