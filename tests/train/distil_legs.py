"""Distillations that die: distil_legs.py CROPS TEACHER STEPS, then lines "RUN WHERE COUNT" on stdin; one answer each.

TensorFlow is imported once; every leg is a fork that begins TensorFlow's runtime for itself, trains, and dies as told:
"bank" = with half of a record written, at the COUNTth call of the teacher; "checkpoint" = while the COUNTth one is being
written; "never". The answer is the exit status, negative for a signal.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import train_faces
from distil_settings import distil

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import backend, bank, checkpoint, trainer


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(where: str, count: int) -> None:
    calls = [0]

    def counted() -> bool:
        calls[0] += 1
        return calls[0] == count

    if where == "bank":
        append = bank.Bank.append

        def torn(self: Any, rows: Any) -> None:
            if counted():
                self._stream.write(rows[0].astype("f2").tobytes()[:50])
                self._stream.flush()
                _die()
            append(self, rows)

        bank.Bank.append = torn  # type: ignore[method-assign]
    if where == "checkpoint":
        synchronise = checkpoint._synchronise
        checkpoint._synchronise = lambda folder: _die() if counted() else synchronise(folder)


def leg(crops: Path, run: Path, teacher: Path, steps: int, where: str, count: int) -> int:
    """Fork, train, die; the exit status."""
    child = os.fork()
    if not child:
        try:
            _die_at(where, count)
            trainer.train(CropSet.open(crops), run, distil(teacher, steps))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked child must never return into its parent
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    backend.keras()
    train_faces.register_tiny()
    for line in sys.stdin:
        name, place, number = line.split()
        crops_at, teacher_at, all_steps = sys.argv[1:]
        print(leg(Path(crops_at), Path(name), Path(teacher_at), int(all_steps), place, int(number)), flush=True)
