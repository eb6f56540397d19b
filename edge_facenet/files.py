"""Files written beside and renamed, so that a crash leaves the previous one whole; files and folders held by one process."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .errors import OutputError, SetupError

try:
    import fcntl
except ImportError:  # Windows: two processes in one place are the user's to avoid
    fcntl = None  # type: ignore[assignment]


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
def atomic_writer(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A binary stream beside `path` that becomes `path` when the block ends without an error.

    Args:
        private: where `path` is new, only its owner may read it; the rights of one that is there stay.
    Raises:
        OutputError: the folder cannot be made or written to, or the disk is full; `path` is as it was. An OSError about
            another file, raised inside the block, passes as it is.
    """
    target = Path(os.path.realpath(path))  # of a link the file that it leads to
    temporary = target.parent / f".writing-{secrets.token_hex(6)}"
    try:
        with _reported(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            # in the target's folder: a rename does not cross file systems
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            stream = os.fdopen(os.open(temporary, flags, 0o600 if private else 0o666), "wb")
        with stream, _reported(path):
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))  # a private file stays private
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with _reported(path):
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """OSErrors of writing `path` as OutputError; those that name a file which is not on its way pass."""
    target = Path(os.path.realpath(path))
    ours = {str(p) for p in (path, *path.parents, target, *target.parents)}
    try:
        yield
    except OSError as error:
        named = error.filename
        if named is not None and str(named) not in ours and not Path(str(named)).name.startswith(".writing-"):
            raise
        reason = error.strerror or error
        raise OutputError(f"Cannot write {path}: {reason}. What was there before is untouched.") from error


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Replace `path` by `content` in one step; `private` as in `atomic_writer`."""
    with atomic_writer(path, private=private) as stream:
        stream.write(content)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as canonical JSON in one step. What is no text in a file's name is escaped: it reads back."""
    write_bytes(path, canonical_json(value).encode("utf-8", "backslashreplace"))


def try_lock(handle: int | IO[Any]) -> bool | None:
    """Hold an open file or folder against other processes until it is closed; does not wait.

    Returns:
        True: it is held. False: another process holds it. None: there are no locks here (Windows, some network file
        systems).
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def lock_folder(folder: Path) -> int:
    """Hold a folder against other processes until the returned handle is closed; -1 where there are no locks.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it cannot be opened.
    """
    if fcntl is None:
        return -1  # nor can Windows open a folder
    handle = os.open(folder, os.O_RDONLY)
    if held := try_lock(handle):
        return handle
    os.close(handle)
    if held is None:
        return -1
    raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), str(folder))


def user_data_folder() -> Path:
    """Where the face models live: $EDGE_FACENET_HOME, or the platform's folder for a user's data.

    Raises:
        SetupError: the user has no home folder (a service) and the environment names none.
    """
    if home := os.environ.get("EDGE_FACENET_HOME"):
        return Path(home)
    try:
        return _platform_folder() / "edge-facenet"
    except RuntimeError as error:  # what Path.home() raises
        raise SetupError(
            "This user has no home folder. Set EDGE_FACENET_HOME to a folder of this program's own."
        ) from error


def _platform_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
