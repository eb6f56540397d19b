"""One training of a study, and its verdict, in a process of its own; `studies.py` starts it.

    python benchmarks/studies_child.py JOB.json

JOB.json holds a `Job`; the answer is written to its `answer`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from studies_people import View

from edge_facenet import files
from edge_facenet.photos.cropset import CropSet
from edge_facenet.schema import from_json
from edge_facenet.train.config import TrainConfig
from edge_facenet.verification import Split, all_pairs, evaluate_embeddings

WARM_STEPS = 10
"""The first steps trace the graph and fill caches: calibration leaves them out."""
BLOCKS, RARE = 4, 5.0
PHOTOS_EACH = 30
"""Of each test person at most so many photos judge, the first by row, so that nobody is most of the genuine pairs."""


@dataclass(frozen=True)
class Job:
    """What one process is to do."""

    crops: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    config: dict[str, Any]
    run: str  # folder of the run, new; empty = judge the network `config.backbone.start_from` as it is
    answer: str
    judge: bool = True  # false: only the cost of a step is asked
    unnamed: bool = False  # faces without a name teach too: the configuration's own split holds people out


class Clock:
    """CPU seconds of this process after each step, all its threads together."""

    def __init__(self) -> None:
        self.begun, self.after = time.process_time(), [0.0]

    def __call__(self, done: int, total: int) -> None:
        self.after.append(time.process_time() - self.begun)

    def per_step(self) -> float:
        """CPU seconds of an undisturbed step: neighbours on the machine only ever add, so the cheapest block counts.

        What is rare (a mining) is put on all steps alike. The first steps are left out.
        """
        spent = np.diff(self.after)[WARM_STEPS:]
        usual = float(np.median(spent))
        rare = spent > RARE * usual
        blocks = np.array_split(spent[~rare], BLOCKS)
        return min(float(block.mean()) for block in blocks) + float((spent[rare] - usual).sum()) / len(spent)


def main() -> None:
    """Do the job that the file describes."""
    job = from_json(Job, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), sys.argv[1])
    crops = CropSet.open(Path(job.crops), verify=False)
    config = from_json(TrainConfig, job.config, "configuration")
    answer = _trained(job, config, crops) if job.run else {}
    if job.judge:
        answer |= verdict(_network(job, config), crops, job.test)
    files.write_json(Path(job.answer), answer)


def _trained(job: Job, config: TrainConfig, crops: CropSet) -> dict[str, Any]:
    from edge_facenet.cli.progress import bar
    from edge_facenet.train.trainer import Listeners, train

    clock, starter = Clock(), os.getppid()
    with bar("  training", unit="steps") as on_progress:

        def progress(done: int, total: int) -> None:
            clock(done, total)
            on_progress(done, total)
            if os.getppid() != starter:  # the study was killed: nobody waits for this answer, and another may begin
                raise KeyboardInterrupt

        given = crops if job.unnamed else View(crops, job.train)
        result = train(given, Path(job.run), config, Listeners(progress))
    return {
        "steps": config.steps,
        "cpu_seconds": round(clock.after[-1] - clock.after[1], 2),
        "startup_cpu_seconds": round(clock.after[1], 2),
        "cpu_seconds_per_step": round(clock.per_step(), 6),
        "images_per_second": round(result.images_per_second, 1),
        "last": {name: round(value, 4) for name, value in result.figures.items()},
    }


def _network(job: Job, config: TrainConfig) -> Any:
    from edge_facenet.train import checkpoint, warm

    if job.run:
        return checkpoint.load_embedder(Path(job.run)).model
    network = checkpoint.plain_network(config)
    warm.begin_with(network, config, Split(config.split.seed, (), (), job.test))
    return network


def verdict(network: Any, crops: CropSet, people: tuple[str, ...]) -> dict[str, Any]:
    """All pairs of these people by the project's own protocol: ten folds, balanced accuracy, TAR at two FARs."""
    from edge_facenet.train.embedding import embed

    rows = [crops.rows_of([name])[:PHOTOS_EACH] for name in people]
    labels = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    faces = crops.cut(np.concatenate(rows), int(network.input_shape[1]))
    found = evaluate_embeddings(embed(network, faces), all_pairs(labels), balanced=True)
    tar = {point.far: point.val for point in found.val}
    return {
        "accuracy": round(found.accuracy, 3),
        "tar_at_1e-2": _per_cent(tar[1e-2]),
        "tar_at_1e-3": _per_cent(tar[1e-3]),
        "valid": found.valid,
        "genuine": found.genuine,
        "impostor": found.impostor,
    }


def _per_cent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 3)


if __name__ == "__main__":
    main()
