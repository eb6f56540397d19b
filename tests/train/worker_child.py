"""One of several processes that train together: worker_child.py CROPS, then lines "RUN STEPS key=value ..." on stdin.

JAX is imported once and joins the others once; each line is one training and gets one line of answer: the step it ended
with, or the sentence it was refused with. The line of a training that is to die ends with "die=N": kill -9 at step N.
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
from edge_facenet.train import trainer  # noqa: E402


def _listeners(words: list[str]) -> trainer.Listeners:
    last = int(words.pop().partition("=")[2]) if words[-1].startswith("die=") else -1

    def die(done: int, total: int) -> None:
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return trainer.Listeners(on_progress=die)


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
