"""Folders, pictures, videos, pipes."""

from __future__ import annotations

import io
import itertools
import os
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from camera_world import RED, Pixels, Told, encoded, noise, numbered, plain, video
from PIL import Image

from edge_facenet.cameras import CameraOptions, Frame, Parts, Source, is_camera, open_source
from edge_facenet.cameras.pipe import MOST_TOLD
from edge_facenet.cameras.split import BLOCK, MOST_JUNK, PNG, Splitter, pieces
from edge_facenet.errors import EdgeFacenetError, InputError, OutputError, PhotoError, SetupError


def pipe(data: bytes | io.RawIOBase, options: CameraOptions = CameraOptions()) -> Source:
    stream = io.BufferedReader(data) if isinstance(data, io.RawIOBase) else io.BytesIO(data)
    return open_source("-", options, Parts(stdin=stream))


class Drip(io.RawIOBase):
    """Gives a stream in pieces of any size."""

    def __init__(self, data: bytes, sizes: Iterator[int]) -> None:
        self.data, self.sizes, self.at = data, sizes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        take = self.data[self.at : self.at + min(next(self.sizes), len(buffer))]
        buffer[: len(take)] = take
        self.at += len(take)
        return len(take)


def same(frames: list[Frame], pictures: list[Pixels]) -> bool:
    return len(frames) == len(pictures) and all(
        np.array_equal(f.pixels, p) for f, p in zip(frames, pictures, strict=True)
    )


# folders and pictures


def test_a_folder_in_natural_order_with_what_cannot_be_read_as_events(tmp_path: Path) -> None:
    for name in ("10.png", "9.png", "a/2.png", "a/11.png", "Z.png", "x 1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(plain(RED), "PNG"))
    (tmp_path / "9b.jpg").write_text("no picture at all")
    (tmp_path / "9c.jpg").write_bytes(encoded(noise(1))[:400])
    (tmp_path / "9d.png").write_bytes(b"")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo.png")
    told = Told()
    with open_source(str(tmp_path), told.options()) as source:
        assert source.total == 9
        assert not source.live
        frames = list(source)
    assert [f.name for f in frames] == ["9.png", "10.png", "a/2.png", "a/11.png", "x 1.png", "Z.png"]
    assert [f.number for f in frames] == [0, 4, 5, 6, 7, 8]
    messages = {event.name: event.message for event in told.events}
    assert set(messages) == {"9b.jpg", "9c.jpg", "9d.png", "broken", "fifo.png"}
    assert messages["9b.jpg"] == "9b.jpg is skipped: This is text, not a picture."
    assert all(f.pixels.flags.owndata and f.pixels.flags.writeable for f in frames)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file in the folder"):
        open_source(str(tmp_path))
    (tmp_path / "a.jpg").write_text("x")
    told = Told()
    with pytest.raises(InputError, match="None of the 1 files"):
        list(open_source(str(tmp_path), told.options()))
    assert len(told.events) == 1


def test_a_file_that_goes_away_or_may_not_be_read_is_an_event(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(encoded(plain(RED), "PNG"))
    told = Told()
    source = open_source(str(tmp_path), told.options())
    (tmp_path / "1.png").unlink()
    assert [f.name for f in source] == ["2.png"]
    assert "No such file" in told.events[0].message


def test_one_picture_turned_as_asked(tmp_path: Path) -> None:
    scene = noise(1)
    path = tmp_path / "été 😀 100%.png"
    path.write_bytes(encoded(scene, "PNG"))
    (frame,) = open_source(str(path), CameraOptions(rotate=90, mirror=True))
    assert np.array_equal(frame.pixels, np.rot90(scene, -1)[:, ::-1])
    assert frame.name == path.name


def test_one_picture_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(noise(1))[:300])
    with pytest.raises(PhotoError, match=r"a\.jpg: Cannot decode this JPEG: it is truncated"):
        list(open_source(str(path)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"just words\n", "is text, neither a picture nor a video"),
        (b"<html><body>", "is a web page"),
        (b"PK\x03\x04zip", "is a zip archive"),
        (b"", "is an empty file"),
        (b"SQLite format 3\x00", "is a database"),
        (bytes(range(256)) * 20, "not a video that can be read"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(500), "not a video that can be read"),
        (b"RIFF\x10\x00\x00\x00AVI " + bytes(500), "not a video that can be read"),
    ],
)
def test_a_file_that_is_no_source(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "thing.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        list(open_source(str(path)))


@pytest.mark.parametrize("what", ["nowhere/at all", "", "a\0b", "x" * 5000, "7", "rtsp://camera/stream", "/dev/null"])
def test_a_name_that_is_nothing(what: str) -> None:
    with pytest.raises(InputError) as caught:
        list(open_source(what))
    assert len(str(caught.value)) < 5400


# videos


@pytest.mark.parametrize(("name", "code"), [("v.avi", "MJPG"), ("v.mp4", "mp4v"), ("v%03d.avi", "MJPG")])
def test_every_frame_of_a_video_in_order(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / "plain.avi" if "%" in name else tmp_path / name
    path = path.with_suffix(Path(name).suffix)
    video(path, [plain((10 * k, 0, 255 - 10 * k), 64, 48) for k in range(20)], code)
    path = path.rename(tmp_path / name)
    with open_source(str(path)) as source:
        assert source.total == 20
        frames = list(source)
    assert [f.number for f in frames] == list(range(20))
    for k, frame in enumerate(frames):
        assert np.abs(frame.pixels.reshape(-1, 3).mean(0) - (10 * k, 0, 255 - 10 * k)).max() < 8  # lossy codecs
        assert frame.seconds == pytest.approx(k / 25, abs=0.021)
        assert frame.pixels.flags.owndata
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(frames))


def test_a_video_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = video(tmp_path / "v.avi", [noise(k) for k in range(20)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told = Told()
    with open_source(str(path), told.options()) as source:
        frames = list(source)
    assert 5 < len(frames) < 15
    assert told.of("unreadable") == [f"{path} ends after {len(frames)} of about 20 frames: it is damaged or cut short."]


def test_a_whole_video_tells_nothing_and_a_closed_one_ends(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", [noise(k) for k in range(20)], "mp4v")
    told = Told()
    source = open_source(str(path), told.options())
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
    assert told.events == []


CLOSED_ELSEWHERE = """
import sys, threading, time
from edge_facenet.cameras import open_source
for k in range(40):
    source = open_source(sys.argv[1])
    closer = threading.Thread(target=lambda: (time.sleep(0.0005 * k), source.close()))
    closer.start()
    for frame in source:
        assert frame.pixels.any()
    closer.join()
"""


def test_a_video_may_be_closed_from_another_thread(tmp_path: Path) -> None:
    """In a process of its own: OpenCV crashes where one thread releases what another one reads."""
    path = video(tmp_path / "v.mp4", [noise(k, 480, 640) for k in range(60)], "mp4v")
    done = subprocess.run([sys.executable, "-c", CLOSED_ELSEWHERE, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_frames_above_the_limit_are_refused(tmp_path: Path) -> None:
    from edge_facenet.photos.decode import Limits

    path = video(tmp_path / "v.avi", [noise(k, 480, 640) for k in range(2)])
    with pytest.raises(InputError, match=r"have 0\.3 megapixels, the limit is 0\.2"):
        open_source(str(path), CameraOptions(limits=Limits(megapixels=0.2)))


# pipes


PICTURES = [noise(k, 40 + k, 50) for k in range(6)]
PNGS = [encoded(p, "PNG") for p in PICTURES]


def sizes(seed: int) -> Iterator[int]:
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(1, 2000))


@pytest.mark.parametrize("seed", range(4))
def test_pngs_one_after_another_however_they_arrive(seed: int) -> None:
    with pipe(Drip(b"".join(PNGS), sizes(seed))) as source:
        frames = list(source)
    assert same(frames, PICTURES)
    assert [f.number for f in frames] == list(range(6))
    assert all(f.pixels.flags.owndata and f.pixels.flags.writeable for f in frames)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_jpegs_of_every_kind_one_after_another(options: dict[str, object]) -> None:
    files = [encoded(p, **options) for p in PICTURES]
    expected = [np.asarray(Image.open(io.BytesIO(f)).convert("RGB")) for f in files]
    assert same(list(pipe(Drip(b"".join(files), sizes(1)))), expected)
    assert same(list(pipe(Drip(files[0], iter(lambda: 1, 0)))), expected[:1])  # byte by byte


def with_thumbnail(picture: Pixels) -> bytes:
    """A JPEG whose Exif segment holds another whole JPEG."""
    data, thumbnail = encoded(picture), b"Exif\0\0" + encoded(noise(99, 16, 16))
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]


def test_a_thumbnail_is_no_frame() -> None:
    frames = list(pipe(b"".join(with_thumbnail(p) for p in PICTURES)))
    assert [f.pixels.shape for f in frames] == [p.shape for p in PICTURES]


def test_a_stream_over_http() -> None:
    def part(picture: Pixels) -> bytes:
        data = encoded(picture)
        return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"

    told = Told()
    frames = list(pipe(b"".join(map(part, PICTURES)), told.options()))
    assert [f.pixels.shape for f in frames] == [p.shape for p in PICTURES]
    assert told.events == []


def without_tables(data: bytes) -> bytes:
    """As webcams send it: the Huffman tables are left out."""
    out, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != 0xC4:
            out += data[at:end]
        at = end
    return bytes(out + data[at:])


def test_webcam_jpegs_without_huffman_tables() -> None:
    files = [without_tables(encoded(p, optimize=False)) for p in PICTURES]
    assert [f.pixels.shape for f in pipe(b"".join(files))] == [p.shape for p in PICTURES]


def test_a_picture_cut_off_in_the_middle_costs_only_itself() -> None:
    """At every place: in the header, in a table, in the data, one byte before the end."""
    files = [encoded(p) for p in PICTURES[:3]]
    shapes = [p.shape for p in PICTURES]
    for kind in (files, PNGS[:3]):
        for cut in [4, 10, 21, 100, 300, len(kind[1]) // 2, len(kind[1]) - 12, len(kind[1]) - 1]:
            told = Told()
            frames = list(pipe(kind[0] + kind[1][:cut] + kind[2] + kind[0], told.options()))
            found = [f.pixels.shape for f in frames if f.pixels.shape != shapes[1]]
            assert found == [shapes[0], shapes[2], shapes[0]], cut
            assert len(frames) == 4 or told.of("unreadable") or cut < len(PNG), cut  # less is no picture yet


def test_noise_between_pictures_is_passed_over() -> None:
    told = Told()
    junk = bytes(200_000)
    frames = list(pipe(PNGS[0] + junk + PNGS[1] + b"\xff\xd8" + PNGS[2], told.options()))
    assert same(frames, PICTURES[:3])
    assert told.of("note") == ["200,000 bytes of standard input belong to no picture and were skipped."]


def test_a_stream_of_damage_does_not_fill_the_log() -> None:
    told = Told()
    with pytest.raises(InputError, match="no picture that can be read in standard input \\(1000 damaged\\)"):
        list(pipe(b"\xff\xd8\xff\xd9" * 1000, told.options()))
    assert len(told.of("unreadable")) == MOST_TOLD
    assert told.of("note") == ["1000 pictures of standard input could not be read."]


def test_memory_of_a_stream_is_bounded() -> None:
    """Pictures that never end: a PNG chunk of 2 GB, a JPEG whose data go on, noise; each is dropped at the limit."""
    most = 1 << 20
    endless = {
        "png": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 0x7FFFFFFF) + b"IDAT",
        "jpeg": encoded(noise(1))[:-2],
        "noise": b"",
    }
    for name, start in endless.items():
        splitter = Splitter(most)
        held, faults = 0, 0
        for k in range(64):
            for piece in splitter.feed((start if not k else b"") + b"\x55" * 65536):
                faults += bool(piece.fault)
            held = max(held, len(splitter._bytes))
        assert held <= most + 65536 + len(start), name
        assert faults == (name != "noise"), name
    with pytest.raises(InputError, match="No picture in 67,108,864 bytes"):
        list(pieces(bytes, most))
    assert MOST_JUNK == 67_108_864


def test_a_picture_above_the_limit_costs_only_itself() -> None:
    large = encoded(noise(3, 300, 400), "PNG")
    found = list(pieces(io.BytesIO(PNGS[0] + large + PNGS[1]).read, len(PNGS[0]) + 5000))
    whole = [piece.data for piece in found if not piece.fault]
    assert whole == [PNGS[0], PNGS[1]]
    assert any("limit" in piece.fault for piece in found)


def test_splitting_takes_linear_time() -> None:
    """Ten megabytes in pieces of 4 kB: seconds if the buffer were looked through again each time."""
    data = (encoded(noise(1, 400, 600), quality=95) * 60)[:10_000_000]
    begun = time.process_time()
    splitter = Splitter(1 << 25)
    count = sum(len(list(splitter.feed(data[k : k + 4096]))) for k in range(0, len(data), 4096))
    assert count > 20
    assert time.process_time() - begun < 1.5


def test_any_bytes_end_as_frames_or_as_an_error_of_ours() -> None:
    generator = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(b"".join(encoded(p, kind) for p in PICTURES[:3] for kind in ("JPEG", "PNG")))
        for _ in range(int(generator.integers(1, 30))):
            data[int(generator.integers(8, len(data)))] = int(generator.integers(0, 256))
        end = int(generator.integers(9, len(data) + 1))
        try:
            frames = list(pipe(bytes(data[:end])))
        except EdgeFacenetError:
            continue
        assert len(frames) <= 12


def test_one_picture_of_another_kind() -> None:
    for kind in ("BMP", "GIF", "WEBP", "TIFF"):
        (frame,) = pipe(encoded(plain(RED, 40, 30), kind))
        assert frame.pixels.shape == (30, 40, 3)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Nothing came from standard input"),
        (b"hello\n", "brings text, not a picture"),
        (b"<!doctype html>", "brings a web page"),
        (b"%PDF-1.7", "brings a PDF document"),
        (b"\x1f\x8b\x08\x00", "brings a gzip archive"),
        (bytes(5000), "not a video that can be read"),
    ],
)
def test_a_pipe_with_something_else(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        list(pipe(data))


@pytest.mark.parametrize(("name", "code"), [("v.avi", "MJPG"), ("v.mp4", "mp4v")])
def test_a_whole_video_in_a_pipe(tmp_path: Path, name: str, code: str) -> None:
    data = video(tmp_path / name, [noise(k) for k in range(12)], code).read_bytes()
    told = Told()
    before = set(os.listdir(tempfile.gettempdir()))
    with pipe(data, told.options()) as source:
        frames = list(source)
    assert len(frames) == 12
    assert len(told.of("note")) == 1
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not {found for found in left if found.startswith("edge-facenet-")}


def test_a_video_in_a_pipe_has_a_limit(tmp_path: Path) -> None:
    data = video(tmp_path / "v.avi", [noise(k) for k in range(12)]).read_bytes()
    with pytest.raises(InputError, match=r"has more than 5,000 bytes, the limit. Give it as a file, or pipe MJPEG"):
        pipe(data, CameraOptions(spool_bytes=5000))


def test_no_place_for_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = video(tmp_path / "v.avi", [noise(k) for k in range(2)]).read_bytes()

    def nowhere() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", nowhere)
        with pytest.raises(SetupError, match="Set TMPDIR"):
            pipe(data)

    class Full(io.BytesIO):
        def write(self, block: object) -> int:
            raise OSError(28, "No space left on device")

        def fileno(self) -> int:
            return 0

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", Full)
        with pytest.raises(OutputError, match=r"No space left on device\. Free some space, or set TMPDIR"):
            pipe(data)


def test_a_spool_with_a_name_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems without /proc."""
    from edge_facenet.cameras import pipe as module

    data = video(tmp_path / "v.avi", [noise(k) for k in range(3)]).read_bytes()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "Path", lambda name: tmp_path / "absent")
    with pipe(data) as source:
        assert len(list(source)) == 3
        (spool,) = tmp_path.glob("edge-facenet-*")
        assert spool.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("edge-facenet-*"))


def test_a_named_pipe_and_an_mjpeg_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.write_bytes(b"".join(PNGS)), daemon=True).start()
    told = Told()
    with open_source(str(fifo), told.options()) as source:
        assert same(list(source), PICTURES)
    assert [event.message for event in told.events] == [f"Waiting for a program that writes pictures into {fifo}."]
    film = tmp_path / "film.MJPG"
    film.write_bytes(b"".join(encoded(p) for p in PICTURES))
    with open_source(str(film)) as source:
        assert len(list(source)) == 6


def test_a_stream_that_is_closed_while_it_is_read_ends(tmp_path: Path) -> None:
    film = tmp_path / "film.mjpeg"
    film.write_bytes(b"".join(encoded(noise(k, 400, 400), quality=100) for k in range(4)))
    assert film.stat().st_size > 4 * BLOCK  # more than one block is read at once
    seen = []
    with open_source(str(film)) as source:
        for frame in source:
            seen.append(frame.number)
            source.close()
    assert seen == [0]


def test_a_silent_named_pipe_may_be_closed_from_another_thread(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    idle = threading.Event()

    def write() -> None:
        with fifo.open("wb") as stream:
            stream.write(PNGS[0] + PNGS[1])
            stream.flush()
            idle.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    source, taken = open_source(str(fifo)), []
    reader = threading.Thread(target=lambda: taken.extend(source))
    reader.start()
    try:
        time.sleep(0.2)  # both pictures are taken: the reader waits for a third
        started = time.monotonic()
        source.close()
        reader.join(5)
        assert not reader.is_alive() and time.monotonic() - started < 2
        assert same(taken, PICTURES[:2])
    finally:
        idle.set()
        writer.join()
        reader.join()


def test_frames_come_while_the_stream_is_still_open() -> None:
    reader, writer = os.pipe()
    data = [encoded(p, "PNG") for p in PICTURES]
    os.write(writer, data[0])
    with open(reader, "rb") as stream, open_source("-", parts=Parts(stdin=stream)) as source:
        frames = source.frames()
        for k, one in enumerate(data):
            if k:
                os.write(writer, one)
            assert np.array_equal(next(frames).pixels, PICTURES[k])  # would block if it waited for more
        os.close(writer)
        assert list(frames) == []


def test_a_service_has_no_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="There is no standard input here"):
        open_source("-")


def test_a_terminal_is_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard())
    with pytest.raises(InputError, match="Standard input is a keyboard"):
        open_source("-")


def test_a_decompression_bomb_in_a_stream_costs_no_memory() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    told = Told()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    frames = list(pipe(bomb + PNGS[0], told.options()))
    assert same(frames, PICTURES[:1])
    assert "2,500.0 megapixels, the limit is 128" in told.events[0].message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_the_room_needs_no_interpreter_and_no_picamera2() -> None:
    code = (
        "import sys; import edge_facenet.cameras;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'picamera2', 'ai_edge_litert', 'tensorflow', 'typer'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_folder_or_file_named_like_a_camera_is_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("camera", "camera:0", "camera_photos"):
        Path(name).mkdir()
        (Path(name) / "1.png").write_bytes(PNGS[0])
        assert not is_camera(name)
        assert same(list(open_source(name)), PICTURES[:1])
    assert is_camera("picamera")
    assert is_camera("camera:7")
    assert is_camera("/dev/video0")
    assert not is_camera("cameras")


def test_grey_numbers_survive() -> None:
    frames = list(pipe(b"".join(encoded(numbered(k), "PNG") for k in range(5))))
    assert [int(f.pixels[0, 0, 0]) for f in frames] == list(range(5))
