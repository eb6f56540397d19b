"""One of several processes that train together: worker_child.py CROPS, then lines "RUN STEPS key=value ..." on stdin.

JAX is imported once and joins the others once; each line is one training and gets one line of answer: the step it ended
with, or the sentence it was refused with. The line of a training that is to die ends with "die=N": kill -9 at step N; or with
"die-saving=N": with half of checkpoint N written.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.modules["tensorflow"] = None  # type: ignore[assignment]  # JAX needs none of it; Keras would import it to seed it

import train_faces  # noqa: E402

from edge_facenet.errors import EdgeFacenetError  # noqa: E402
from edge_facenet.photos.cropset import CropSet  # noqa: E402
from edge_facenet.train import checkpoint, trainer  # noqa: E402


def _listeners(words: list[str]) -> trainer.Listeners:
    """Takes the last word, if it says when to die."""
    where = words[-1].partition("=")[0]
    last = int(words.pop().partition("=")[2]) if where.startswith("die") else -1

    def die_at(step: int) -> None:
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    if where == "die-saving":
        checkpoint._synchronise = lambda folder: die_at(int(folder.name[-7:]))
        return trainer.Listeners()
    return trainer.Listeners(on_progress=lambda done, total: die_at(done))


if __name__ == "__main__":
    train_faces.register_tiny()
    crops = CropSet.open(Path(sys.argv[1]))
    for line in sys.stdin:
        run, steps, *words = line.split()
        listeners = _listeners(words)
        try:
            done = trainer.train(crops, Path(run), train_faces.tiny(int(steps), *words), listeners)
            print(done.step, done.started_at, flush=True)
        except EdgeFacenetError as error:
            print(type(error).__name__, error, flush=True)
    os._exit(0)  # what is left of a team that lost a worker would wait for it
