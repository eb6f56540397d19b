"""The output folder: fit to be written, and free of what a killed export left."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from edge_facenet import manifest
from edge_facenet.errors import OutputError


def check_place(out: Path) -> None:
    """Refuse early what would be refused after minutes of work.

    Raises:
        OutputError: `out` is a file, lies below one, or may not be written to.
    """
    existing = next(path for path in (out, *out.resolve().parents) if path.exists())
    if not existing.is_dir():
        raise OutputError(f"Cannot write artifacts into {out}: {existing} is a file. Give a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot write artifacts into {out}: {existing} may not be written to. Give another folder.")


def tidy(out: Path, written: Sequence[Path]) -> None:
    """Remove model files that no manifest names any more, and half-written ones; only under the names just written."""
    for path in written:
        kept = manifest.read(path).file
        ours = re.compile(re.escape(path.stem) + r"-[0-9a-f]{8}\.(tflite|onnx)")
        for file in out.iterdir():
            if (ours.fullmatch(file.name) and file.name != kept) or file.name.startswith(".writing-"):
                file.unlink(missing_ok=True)
