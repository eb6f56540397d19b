"""Trainings with label losses that are killed: label_legs.py CROPS STEPS key=value ..., then lines "RUN MILLISECONDS" on stdin.

TensorFlow is imported once; every line is a fork that trains, and is killed from outside after so many milliseconds (0 =
never). The answer is its exit status (negative for a signal) and the seconds it took.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import train_faces

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import backend, trainer
from edge_facenet.train.config import TrainConfig


def leg(crops: Path, run: Path, settings: TrainConfig, milliseconds: int) -> int:
    """Fork, train, die; the exit status."""
    child = os.fork()
    if not child:
        try:
            trainer.train(CropSet.open(crops), run, settings)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked child must never return into its parent
            traceback.print_exc()
            os._exit(1)
    if milliseconds:
        time.sleep(milliseconds / 1000)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    backend.keras()
    train_faces.register_tiny()
    crops_at, steps, *assignments = sys.argv[1:]
    for line in sys.stdin:
        name, number = line.split()
        began = time.monotonic()
        status = leg(Path(crops_at), Path(name), train_faces.tiny(int(steps), *assignments), int(number))
        print(status, time.monotonic() - began, flush=True)
