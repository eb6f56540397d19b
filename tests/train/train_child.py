"""A training in a process of its own, for tests that kill it: train_child.py CROPS RUN STEPS [key=value …]."""

from __future__ import annotations

import sys
from pathlib import Path

import train_faces

from edge_facenet.photos.cropset import CropSet
from edge_facenet.train import trainer

if __name__ == "__main__":
    train_faces.register_tiny()
    crops, run, steps, *assignments = sys.argv[1:]
    trainer.train(CropSet.open(Path(crops)), Path(run), train_faces.tiny(int(steps), *assignments))
