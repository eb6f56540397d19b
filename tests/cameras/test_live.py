"""Cameras: the newest frame, copies, unplugging, colours."""

from __future__ import annotations

import doctest
import itertools
import os
import re
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from camera_world import BLUE, RED, Capture, FakePicamera2, Told, numbered, plain

from edge_facenet.cameras import CameraOptions, Frame, Parts, frames, open_source, stored
from edge_facenet.cameras.live import FIRST_WAIT_S, LONGEST_WAIT_S, REOPEN_AFTER, Backoff, LiveSource
from edge_facenet.cameras.pi import ORDERS, PiCamera, load
from edge_facenet.errors import CameraLost, ConfigError, InputError, SetupError


def take(source: LiveSource, count: int) -> list[Frame]:
    return list(itertools.islice(source.frames(), count))


def test_c138_red_is_red_in_every_format() -> None:
    for pixel_format in ORDERS:
        camera = PiCamera(0, "picamera:0", CameraOptions(), FakePicamera2(RED), pixel_format)
        with LiveSource(camera, CameraOptions()) as source:
            (frame,) = take(source, 1)
        assert frame.pixels.shape == (480, 640, 3)
        assert frame.pixels.dtype == np.uint8
        assert (frame.pixels == RED).all(), pixel_format


@pytest.mark.parametrize("pixel_format", ["RGB888", "BGR888"])
def test_c138_a_swap_of_the_channels_is_seen(pixel_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, pixel_format, ORDERS[pixel_format][::-1])  # the fault itself
    camera = PiCamera(0, "picamera:0", CameraOptions(), FakePicamera2(RED), pixel_format)
    with LiveSource(camera, CameraOptions()) as source:
        assert (take(source, 1)[0].pixels == BLUE).all()


def test_c138_the_format_that_the_driver_chose_counts() -> None:
    with open_source("picamera", parts=Parts(picamera2=FakePicamera2(RED, given="XBGR8888"))) as source:
        assert (next(iter(source)).pixels == RED).all()
    with pytest.raises(CameraLost, match="it gives YUV420, known are RGB888"):
        open_source("picamera:0", parts=Parts(picamera2=FakePicamera2(RED, given="YUV420")))
    with pytest.raises(ConfigError, match="found RGB565"):
        PiCamera(0, "picamera:0", CameraOptions(), FakePicamera2(), "RGB565")


def test_c138_opencv_cameras_give_blue_first() -> None:
    bgr = plain((0, 0, 255))
    for picture in (bgr, np.dstack([bgr, bgr[..., :1]])):
        with open_source("camera:0", parts=Parts(capture=Capture(lambda since, reads, p=picture: p))) as source:
            assert (next(iter(source)).pixels == RED).all()


def test_c141_a_reused_buffer_and_drawings_never_mix() -> None:
    buffer = numbered(0)

    def script(since: float, reads: int) -> object:
        buffer[:] = reads % 250
        return buffer

    with open_source("camera:0", parts=Parts(capture=Capture(script, pace=0.002))) as source:
        kept = []
        for frame in itertools.islice(source, 12):
            assert (frame.pixels == frame.number % 250).all()
            assert frame.pixels.flags.owndata
            assert frame.pixels.flags.writeable
            assert frame.pixels.flags.c_contiguous
            assert not np.shares_memory(frame.pixels, buffer)
            frame.pixels[:4] = 251  # a drawing
            kept.append(frame)
        time.sleep(0.02)
        for frame in kept:
            assert (frame.pixels[:4] == 251).all()
            assert (frame.pixels[4:] == frame.number % 250).all()
    assert not any((a.pixels is b.pixels) or np.shares_memory(a.pixels, b.pixels) for a, b in itertools.pairwise(kept))


def test_c141_picamera2_may_hand_out_its_own_memory_too() -> None:
    world = FakePicamera2()
    one = np.zeros((480, 640, 3), np.uint8)

    def module() -> object:
        made = world()
        made.Picamera2.capture_array = lambda self, name="main": (time.sleep(0.002), one)[1]
        return made

    with open_source("picamera:0", parts=Parts(picamera2=module)) as source:
        first = next(iter(source))
        one[:] = 9
        assert not first.pixels.any()


def test_the_newest_frame_is_given_and_skipped_ones_are_counted() -> None:
    capture = Capture(lambda since, reads: numbered(reads % 250), pace=0.005)
    with open_source("camera:0", parts=Parts(capture=capture)) as source:
        first = next(iter(source))
        time.sleep(0.3)
        second = next(iter(source))
        behind = capture.reads - 1 - second.number
    assert second.number > first.number + 10  # what came in the meantime was dropped
    assert behind <= 10  # of about 60; a queue would be at its end
    assert second.seconds >= first.seconds + 0.25
    assert second.name == "camera:0"


def test_c142_back_after_five_seconds() -> None:
    """read() is false after 10 frames and true again 5 s later: one message, no work meanwhile, and on it goes."""
    told, gone = Told(), [0.0]

    def script(since: float, reads: int) -> object:
        if reads == 10:
            gone[0] = since
        return None if reads >= 10 and since < gone[0] + 5 else numbered(min(reads, 200))

    capture = Capture(script)
    with open_source("camera:0", told.options(give_up=60), Parts(capture=capture)) as source:
        frames = source.frames()
        while next(frames).number < 9:
            pass
        before, begun = time.process_time(), time.monotonic()
        frame = next(frames)
        busy, waited = time.process_time() - before, time.monotonic() - begun
    assert frame.number == 10
    assert 4.5 < waited < 5 + LONGEST_WAIT_S + 1
    assert busy / waited < 0.05
    (message,) = told.of("lost")
    assert re.fullmatch(r"camera:0 gives no picture: .+\. Trying again for up to 60 s\.", message)
    assert len(told.events) == 1
    assert len([at for at in capture.read_at if at > gone[0] and at < gone[0] + 5]) < 20
    assert capture.made >= 2  # the device was let go of and opened again


def test_c142_never_back() -> None:
    told = Told()
    capture = Capture(lambda since, reads: numbered(1) if reads < 10 else None)
    begun = time.monotonic()
    with (
        open_source("camera:0", told.options(give_up=1.5), Parts(capture=capture)) as source,
        pytest.raises(CameraLost, match=r"no picture for [12] s, the limit is 1\.5 s: .+Check cable") as caught,
    ):
        for _ in source:
            pass
    assert 1.4 < time.monotonic() - begun < 4
    assert caught.value.exit_code == 9
    assert len(told.events) == 1
    assert capture.released >= 1


@pytest.mark.parametrize("empty", [np.empty((0, 0, 3), np.uint8), np.zeros(7, np.uint8), np.zeros((9, 9, 2), np.uint8)])
def test_c142_endless_empty_frames_are_no_frames(empty: np.ndarray) -> None:
    told = Told()
    capture = Capture(lambda since, reads: empty, pace=0.0)
    with (
        open_source("camera:0", told.options(give_up=0.6), Parts(capture=capture)) as source,
        pytest.raises(CameraLost),
    ):
        next(iter(source))
    assert capture.reads < 12
    assert len(told.events) == 1


def test_c142_a_driver_that_raises_or_hangs_is_a_camera_without_pictures() -> None:
    told = Told()
    world = FakePicamera2()
    world.fails = lambda: True
    with (
        open_source("picamera:0", told.options(give_up=0.6), Parts(picamera2=world)) as source,
        pytest.raises(CameraLost, match="RuntimeError: Camera frontend has timed out!"),
    ):
        next(iter(source))
    assert world.log.count("made") == world.log.count("closed")

    free = threading.Event()
    capture = Capture(lambda since, reads: numbered(1) if not reads else free.wait(30) or None)
    source = open_source("camera:0", told.options(give_up=0.6), Parts(capture=capture))
    frames = source.frames()
    next(frames)
    with pytest.raises(CameraLost, match="gives no pictures"):
        next(frames)
    free.set()


def test_c142_unplugged_devices_are_opened_again_and_may_need_a_few_reads() -> None:
    there = [True]
    since_opened = [0]

    class Cold(Capture):
        def __call__(self, where: object, *backend: object) -> Capture:
            since_opened[0] = 0
            return super().__call__(where, *backend)

    def script(since: float, reads: int) -> object:
        since_opened[0] += 1
        return numbered(7) if there[0] and since_opened[0] > 2 else None

    capture = Cold(script, opens=lambda: there[0])
    with open_source("camera:0", parts=Parts(capture=capture)) as source:
        frames = source.frames()
        next(frames)
        there[0] = False
        time.sleep(1.0)
        there[0] = True
        made = capture.made
        time.sleep(0.05)
        begun = time.monotonic()
        while next(frames).seconds < 1.0:
            pass
        assert time.monotonic() - begun < 8
        assert capture.made > made


def test_backoff_doubles_up_to_its_limit_and_starts_again() -> None:
    backoff = Backoff()
    waits = [backoff.failed() for _ in range(2000)]
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert max(waits) == waits[-1] == LONGEST_WAIT_S
    assert backoff.reopen
    backoff.opened()
    assert not backoff.reopen
    assert [backoff.failed() for _ in range(REOPEN_AFTER)] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, LONGEST_WAIT_S]
    backoff.worked()
    assert backoff.failed() == FIRST_WAIT_S


def test_a_camera_that_was_never_there_is_said_at_once() -> None:
    capture = Capture(lambda since, reads: None, opens=lambda: False)
    for what in ("camera:7", "/dev/video97", "camera:/dev/v4l/by-id/usb-gone"):
        begun = time.monotonic()
        with pytest.raises(CameraLost, match=r"cannot be opened: there is no /dev/v.+cameras here: ") as caught:
            open_source(what, parts=Parts(capture=capture))
        assert time.monotonic() - begun < 1
        assert str(caught.value).count(". ") <= 2
    with pytest.raises(CameraLost, match="picamera:3 cannot be opened: IndexError"):
        open_source("picamera:3", parts=Parts(picamera2=FakePicamera2()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's")
def test_opencv_itself_says_nothing_and_the_sentence_comes() -> None:
    """The real OpenCV, without a camera: the message is ours alone."""
    if os.path.exists("/dev/video93"):
        pytest.skip("there is a camera with this number")
    code = (
        "from edge_facenet.cameras import open_source\n"
        "from edge_facenet.errors import CameraLost\n"
        "try:\n    open_source('camera:93')\n"
        "except CameraLost as error:\n    print(error)\n"
    )
    env = {**os.environ, "OPENCV_LOG_LEVEL": "ERROR"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert "there is no /dev/video93" in done.stdout
    assert done.stderr == ""


def test_what_is_asked_of_a_camera() -> None:
    capture = Capture(lambda since, reads: numbered(1))
    options = CameraOptions(width=800, height=600, fps=15)
    with open_source("/dev/video0", options, Parts(capture=capture)) as source:
        assert source.live
        assert source.name == "/dev/video0"
    assert capture.where == "/dev/video0"
    assert capture.asked[cv2.CAP_PROP_FRAME_WIDTH] == 800
    assert capture.asked[cv2.CAP_PROP_FRAME_HEIGHT] == 600
    assert capture.asked[cv2.CAP_PROP_FPS] == 15
    assert capture.asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert capture.released == 1


def test_a_driver_that_does_not_wait_does_not_take_a_core() -> None:
    capture = Capture(lambda since, reads: numbered(1), pace=0.0)
    with open_source("camera:0", parts=Parts(capture=capture)) as source:
        next(iter(source))
        time.sleep(0.5)
        assert capture.reads < 0.7 * 250


def test_closing_ends_the_frames_and_the_thread_from_anywhere() -> None:
    capture = Capture(lambda since, reads: numbered(1) if reads < 3 else None)
    source = open_source("camera:0", parts=Parts(capture=capture))
    frames = source.frames()
    next(frames)
    threading.Timer(0.2, source.close).start()
    list(frames)
    source.close()
    assert capture.released >= 1
    assert not any("frames of camera:0" in thread.name for thread in threading.enumerate())


def test_a_clock_of_our_own() -> None:
    now = [100.0]
    told = Told()
    capture = Capture(lambda since, reads: numbered(1) if not reads else None)
    with open_source("camera:0", told.options(give_up=3600), Parts(capture=capture, clock=lambda: now[0])) as source:
        frames = source.frames()
        assert next(frames).seconds == 0
        now[0] += 3601
        with pytest.raises(CameraLost, match="3601 s, the limit is 3600 s"):
            next(frames)


def test_without_picamera2_the_sentence_holds_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SetupError, match="which is not installed for this Python") as caught:
        open_source("picamera:0")
    assert "sudo apt install python3-picamera2" in str(caught.value)
    assert "--system-site-packages" in str(caught.value)
    assert caught.value.exit_code == 6


def test_picamera2_built_for_another_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed, may indicate')\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(SetupError, match="numpy<2"):
        load()
    (tmp_path / "picamera2.py").write_text("import libcamera\n")  # type: ignore[operator]
    sys.modules.pop("picamera2", None)
    with pytest.raises(SetupError, match="which lacks libcamera"):
        load()


@pytest.mark.parametrize("what", ["camera:x", "camera:-1", "camera:٣", "picamera:/dev/video0", "camera:99999"])
def test_names_of_cameras_that_cannot_be(what: str) -> None:
    with pytest.raises(InputError, match="There is no camera"):
        open_source(what)


@pytest.mark.parametrize(
    "values",
    [
        {"rotate": 45},
        {"width": 0},
        {"height": 10**6},
        {"give_up": 0.0},
        {"give_up": float("nan")},
        {"fps": float("inf")},
        {"spool_bytes": -1},
    ],
)
def test_options_outside_their_range(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="found"):
        CameraOptions(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_rotation_is_clockwise_and_mirroring_comes_after(rotate: int, mirror: bool) -> None:
    scene = np.zeros((4, 6, 3), np.uint8)
    scene[0, 0] = 255  # top left
    capture = Capture(lambda since, reads: scene)
    with open_source("camera:0", CameraOptions(rotate=rotate, mirror=mirror), Parts(capture=capture)) as source:
        pixels = next(iter(source)).pixels
    expected = {0: scene, 90: cv2.rotate(scene, cv2.ROTATE_90_CLOCKWISE), 180: cv2.rotate(scene, cv2.ROTATE_180)}
    expected[270] = cv2.rotate(scene, cv2.ROTATE_90_COUNTERCLOCKWISE)
    assert np.array_equal(pixels, cv2.flip(expected[rotate], 1) if mirror else expected[rotate])
    assert pixels.flags.owndata
    assert pixels.flags.c_contiguous


def test_examples_in_docstrings_are_true() -> None:
    for module in (frames, stored):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed
