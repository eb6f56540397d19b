"""Files written beside and renamed, so that a crash leaves the previous one whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import OutputError


def sha256(source: bytes | Path) -> str:
    """Hex digest of bytes or of a file's content."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    with source.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, UTF-8 as it is and a final line break: equal values give equal bytes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """A binary stream beside `path` that becomes `path` when the block ends without an error.

    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full; `path` is as it was.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. What was there before is untouched."
        ) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step."""
    with atomic_writer(path) as stream:
        stream.write(content)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as canonical JSON in one step."""
    write_bytes(path, canonical_json(value).encode())


def user_data_folder() -> Path:
    """Where the face models live: $EDGE_FACENET_HOME, or the platform's folder for a user's data."""
    if home := os.environ.get("EDGE_FACENET_HOME"):
        return Path(home)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "edge-facenet"


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
