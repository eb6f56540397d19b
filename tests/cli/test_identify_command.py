"""`edge-facenet identify` as a person types it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny
from faces_world import Done, face, needs_models, photo, save, scene

from edge_facenet.cli.identifying import is_stream
from edge_facenet.cli.people import Names
from edge_facenet.cli.watching import Watch, clock
from edge_facenet.errors import CameraLost
from edge_facenet.photos.quality import Quality
from edge_facenet.recognise import Seen

Call = Callable[..., Done]
ENROLLED = {"Anna": 1, "Bob": 2, "Eva": 5, "Olena": 8}


@pytest.fixture(scope="module")
def gallery(opened, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    from faces_world import with_gallery

    path = tmp_path_factory.mktemp("identify") / "people.db"
    recognizer = with_gallery(opened, path)
    for name, person in ENROLLED.items():
        recognizer.enroll(name, [photo(person, number) for number in (1, 2, 3)])
    return path


@pytest.fixture
def party(tmp_path: Path) -> Path:
    """Anna, and a stranger."""
    return save(scene((face(1, 7, 2), 60, 100), (face(30, 7, 2), 400, 120)), tmp_path / "party.png")


def test_a_photo(call: Call, gallery: Path, party: Path) -> None:
    done = call("identify", party, "--gallery", gallery)
    assert done.code == 0 and done.err == ""
    head, *faces = done.out.splitlines()
    assert head == f"{party}: 2 faces" and len(faces) == 2
    anna, stranger = sorted(faces, key=lambda line: "unknown" in line)
    assert "Anna (0." in anna and ", threshold 0." in anna and ", at " in anna
    assert "unknown (nearest 0." in stranger
    lines = call("identify", party, "--gallery", gallery, "--json").lines
    assert sorted(str(line["name"]) for line in lines) == ["Anna", "None"]
    for number, line in enumerate(lines, 1):
        assert (line["source"], line["face"]) == (str(party), number)
        assert {"box", "points", "quality", "reasons", "person", "similarity", "threshold", "why", "ambiguous"} < set(
            line
        )
    why = call("identify", party, "--gallery", gallery, "--why").out
    assert "Anna: 0." in why and "is above the threshold" in why and "unknown: the nearest, " in why


def test_nobody_known_and_nobody_there_leave_with_0(call: Call, gallery: Path, tmp_path: Path) -> None:
    done = call("identify", photo(30, 1), "--gallery", gallery)
    assert done.code == 0 and "unknown" in done.out
    nobody = call("identify", save(scene(), tmp_path / "grey.png"), "--gallery", gallery)
    assert nobody.code == 0 and nobody.out.endswith("grey.png: no face found\n")
    assert call("identify", tmp_path / "grey.png", "--gallery", gallery, "--json").out == ""


def test_c122_an_empty_gallery(call: Call, tmp_path: Path) -> None:
    needs_models()
    path = tmp_path / "fresh.db"
    for _ in range(2):
        done = call("identify", photo(1, 1), "--gallery", path)
        assert done.code == 0 and "unknown (the gallery is empty: nobody is enrolled), at" in done.out
        assert done.err == f"Gallery {path} is empty: every face is unknown. Enroll people: edge-facenet enroll.\n"
        (line,) = call("identify", photo(1, 1), "--gallery", path, "--json").lines
        assert (line["name"], line["threshold"]) == (None, None)
        if not path.exists():
            call("enroll", "Anna", photo(1, 1), "--gallery", path)
            call("gallery", "forget", "Anna", "--gallery", path)


def test_folders_and_several_photos(call: Call, gallery: Path, party: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    save(face(2, 7), album / "2.png")
    save(face(5, 7), album / "deep" / "10.png")
    (album / "Thumbs.db").write_text("no picture")
    done = call("identify", album, party, "--gallery", gallery, "--json")
    assert done.code == 0
    assert [line["name"] for line in done.lines if str(album) in line["source"]] == ["Bob", "Eva"]
    assert "2 photos looked at, 1 other file left out" in done.err and "Thumbs.db" in done.err
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Bob")
    some = call("identify", text, party, "--gallery", gallery)
    assert some.code == 3 and "letter.jpg: This is text, not a picture" in some.err and "Anna" in some.out
    (tmp_path / "empty").mkdir()
    others = call("identify", tmp_path / "empty", party, "--gallery", gallery)
    assert others.code == 3 and "There is no photo in the folder" in others.err and "Anna" in others.out


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with what is no photo."""
    monkeypatch.chdir(tmp_path)
    Path("letter.jpg").write_text("Dear Bob")
    Path("empty").mkdir()
    save(face(1, 1), Path("face.png"))
    content = save(face(1, 1, 4), Path("whole.jpg")).read_bytes()
    Path("cut.jpg").write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 7, "Say what to look at"),
        (("letter.jpg",), 3, "letter.jpg: This is text, not a picture."),
        (("gone.jpg",), 3, "gone.jpg: cannot be read: No such file or directory."),
        (("empty",), 3, "There is no photo in the folder empty"),
        (("cut.jpg",), 3, "cut.jpg: Cannot decode this JPEG: it is truncated"),
        (("face.png", "--fpir", "2"), 7, "fpir is a share"),
        (("face.png", "--gallery", "letter.jpg"), 3, "letter.jpg"),
        (("face.png", "--key-file", "gone.key"), 3, "gone.key"),
        (("face.png", "--rotate", "45"), 7, "0, 90, 180 or 270"),
        (("--camera", "front door"), 3, "There is no camera 'front door': it is a number, camera:0"),
        (("--camera", "rtsp://door/1"), 3, "ffmpeg -i URL -f mjpeg - | edge-facenet identify -"),
    ],
)
def test_faults_end_as_one_sentence(
    call: Call, gallery: Path, faults: None, words: tuple[str, ...], code: int, says: str
) -> None:
    done = call("identify", "--gallery", gallery, *words)
    assert done.code == code and says in done.err and done.out == ""
    assert done.err.startswith("edge-facenet: ") and done.err.count("\n") == 1


def test_a_gallery_of_another_model_and_a_model_without_thresholds(call: Call, gallery: Path, tmp_path: Path) -> None:
    other = tiny.artifact(tmp_path / "models")
    done = call("identify", photo(1, 1), "--gallery", gallery, "--model", other)
    assert done.code == 4 and "another network" in done.err and "gallery migrate" in done.err
    own = tmp_path / "own.db"
    assert call("enroll", "Anna", photo(1, 1), "--gallery", own, "--model", other).code == 0
    bare = call("identify", photo(1, 1), "--gallery", own, "--model", other)
    assert bare.code == 5 and "at least two thresholds" in bare.err
    assert call("gallery", "migrate", "--gallery", own).code == 0
    outdated = call("identify", photo(1, 1), "--gallery", own)
    assert outdated.code == 0 and "enroll them again" in outdated.out
    assert "Nobody in gallery" in outdated.err and "gallery list" in outdated.err


def film(seconds: float, rate: float = 10.0) -> list[np.ndarray]:
    """Anna walks in from the left, Bob joins on the right, Anna leaves, nobody is there."""
    frames, count = [], int(seconds * rate)
    for k in range(count):
        share = k / count
        canvas = np.random.default_rng(k).integers(118, 139, (480, 640, 3), np.uint8)
        if share < 0.65:
            canvas[120:344, (x := 20 + int(250 * share)) : x + 184] = face(1, 4 + k // 5 % 6, 2)
        if 0.3 <= share < 0.85:
            canvas[100:324, (x := 430 - int(100 * (share - 0.3))) : x + 184] = face(2, 4 + k // 5 % 6, 2)
        frames.append(canvas)
    return frames


def written(frames: list[np.ndarray], path: Path, rate: float = 10.0) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def test_a_video(call: Call, gallery: Path, tmp_path: Path) -> None:
    path = written(film(6.0), tmp_path / "door.avi")
    done = call("identify", path, "--gallery", gallery)
    assert done.code == 0
    lines = done.out.splitlines()
    summary = lines[lines.index("60 frames looked at; seen:") :]
    changes = [line.split("  ")[1] for line in lines[: -len(summary)]]
    assert changes == ["Anna", "Anna, Bob", "Bob"]  # nobody for the last second is too short to be told
    anna, bob = (next(line for line in summary if name in line) for name in ("Anna", "Bob"))
    assert int(anna.split()[1]) >= 0.95 * 39 and int(bob.split()[1]) >= 0.95 * 33  # frames each is in
    assert anna.endswith(" frames, 0:00.0 to 0:03.8")
    shorter = call("identify", path, "--gallery", gallery, "--every", 1.0, "--seconds", 3.0, "--json")
    assert [line["seconds"] for line in shorter.lines if line["name"] == "Anna"] == [0.0, 1.0, 2.0, 3.0]
    assert {"source", "frame", "seconds", "face", "name"} < set(shorter.lines[0])
    assert "4 frames looked at" in shorter.err
    once = call("identify", path, "--gallery", gallery, "--every", 10.0, "--json")
    assert {(line["frame"], line["seconds"]) for line in once.lines} == {(0, 0.0)}, "one frame of a video, no picture"


def test_bytes_piped_in(gallery: Path, party: Path, tmp_path: Path) -> None:
    def piped(content: bytes, *words: str) -> str:
        command = [sys.executable, "-m", "edge_facenet.cli", "identify", "-", "--gallery", str(gallery), *words]
        done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    assert piped(party.read_bytes()).startswith("standard input: 2 faces\n")
    jpegs = io.BytesIO()
    for frame in film(3.0, 4.0):
        ok, content = cv2.imencode(".jpg", frame[..., ::-1])
        assert ok
        jpegs.write(content.tobytes())
    assert "12 frames looked at; seen:" in piped(jpegs.getvalue())
    assert '"name": "Bob"' in piped(written(film(2.0), tmp_path / "v.avi").read_bytes(), "--json")


def test_a_camera_that_is_not_there(call: Call, gallery: Path) -> None:
    done = call("identify", "--camera", "/dev/video999", "--gallery", gallery)
    assert done.code == CameraLost.exit_code and "/dev/video999" in done.err


@pytest.mark.parametrize("what", ["-", "camera:0", "picamera", "/dev/video0"])
def test_what_is_a_stream(what: str) -> None:
    assert is_stream(what)


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
def test_a_file_name_steers_no_terminal(call: Call, gallery: Path, tmp_path: Path) -> None:
    path = save(face(1, 7), tmp_path / "a.png").rename(tmp_path / "a\n\x1b[2J.png")
    done = call("identify", path, "--gallery", gallery)
    assert done.code == 0 and "\x1b" not in done.out and len(done.out.splitlines()) == 2
    path.write_text("hello")
    failed = call("identify", path, "--gallery", gallery)
    assert failed.code == 3 and "\x1b" not in failed.err and failed.err.count("\n") == 1


def test_what_is_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_text("hello")
    save(scene(), Path("camera.png"))
    for what in ("a.mp4", "camera.png", "gone", str(tmp_path)):
        assert not is_stream(what)
    save(scene(), Path("one.jpg"))
    Path("many.mjpg").write_bytes(Path("one.jpg").read_bytes() * 2)
    os.mkfifo("pipe")
    assert is_stream("many.mjpg") and is_stream("pipe")


QUALITY = Quality(60, 200, 120, 0, 0, 0, 0.9, 1.0, 0.0)


def someone(name: str | None, person: int | None = 1) -> Seen:
    return Seen((0, 0, 9, 9), (), QUALITY, (), name, person if name else None, 0.5, 0.4, "because")


def watched(*frames: tuple[float, list[Seen]], linger: float = 1.0) -> list[str]:
    said: list[str] = []
    watch = Watch(said.append, linger)
    for seconds, faces in frames:
        watch.see(seconds, tuple(faces), Names(frozenset({"Eva"})))
    return said


def test_a_line_when_somebody_comes_or_goes_not_at_every_frame() -> None:
    anna, blink = [someone("Anna")], list[Seen]()
    said = watched((0, anna), (0.1, anna), (0.2, blink), (0.9, anna), (1.8, blink), (1.95, blink), (2.5, anna))
    assert said == ["0:00.0  Anna", "0:01.9  nobody", "0:02.5  Anna"]


def test_one_bad_frame_makes_no_stranger_two_do() -> None:
    anna, stranger = [someone("Anna")], [someone(None)]
    assert watched((0, anna), (0.1, stranger), (0.2, anna)) == ["0:00.0  Anna"]
    assert watched((0, stranger), (0.1, stranger)) == ["0:00.1  unknown"]


def test_people_of_one_name_are_told_apart() -> None:
    assert watched((0, [someone("Eva", 3), someone("Eva", 7)])) == ["0:00.0  Eva (#3), Eva (#7)"]


def test_somebody_called_unknown_is_no_stranger() -> None:
    both = [someone("unknown", 3), someone(None)]
    assert watched((0, both), (0.1, both)) == ["0:00.0  unknown (#3)", "0:00.1  unknown, unknown (#3)"]


def test_times_of_a_stream() -> None:
    assert [clock(s) for s in (0, 59.99, 60, 3725.04)] == ["0:00.0", "0:59.9", "1:00.0", "1:02:05.0"]
