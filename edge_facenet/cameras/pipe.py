"""Frames out of bytes: pictures one after another (an MJPEG stream), or a whole video put aside first.

So any capture tool can pipe in: `rpicam-vid -t 0 --codec mjpeg -o - | edge-facenet identify -`.
"""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

from edge_facenet.errors import InputError, OutputError, PhotoError, SetupError
from edge_facenet.photos.decode import decode
from edge_facenet.photos.sniff import HEAD_BYTES, sniff

from .frames import Base, CameraOptions, Event, Frame, Source, owned
from .split import BLOCK, Piece, Read, pieces
from .stored import VideoSource, may_be_video

MOST_PICTURE = 32 * 1024 * 1024
"""Largest picture in a stream, bytes: a 50-megapixel JPEG has about 20."""
MOST_TOLD = 20
"""Events about pictures that cannot be read; a stream of noise must not fill the log."""
LARGE_GAP = 64 * 1024
"""Bytes between two pictures that are worth an event; the headers of an HTTP stream are smaller."""
_LOOK_S = 0.05
"""Seconds after which a reader that waits looks whether it is closed."""


class Closable:
    """A file that another thread may close while it is read: the reader is given its end.

    A read that waits for a silent pipe cannot be ended from outside, so it is begun only when there is something to read.
    Where `select` cannot tell (Windows knows sockets alone) `close` waits for the next bytes.

    Args:
        file: unbuffered; from here on this one's alone.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._closed = file, False
        self._lock = threading.RLock()  # while a read is under way the number of the file must not become another's

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, as soon as there are any; b"" at the end, and once closed."""
        while True:
            with self._lock:
                if self._closed:
                    return b""
                if self._is_ready():
                    return self._file.read(size)

    def close(self) -> None:
        """Let go of the file."""
        self._closed = True
        with self._lock:
            self._file.close()

    def _is_ready(self) -> bool:
        try:
            return bool(select.select([self._file], [], [], _LOOK_S)[0])
        except (OSError, ValueError):  # not to be had here, or a file number above 1023
            return True


class PipeSource(Base):
    """Pictures of a byte stream, in order.

    Args:
        split: the stream's pictures.
        clock: seconds, never backwards.
        on_close: called when the stream is not needed any more.
    """

    def __init__(
        self,
        split: Iterable[Piece],
        name: str,
        options: CameraOptions,
        clock: Callable[[], float] = time.monotonic,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._pieces, self._options, self._clock = split, options, clock
        self._started, self._on_close = clock(), on_close
        self._closed = False
        self._faults = 0

    def frames(self) -> Iterator[Frame]:
        """One frame a picture that can be read.

        Raises:
            InputError: there was none.
        """
        number, given, split = 0, 0, iter(self._pieces)
        while (piece := self._next(split)) is not None:
            if piece.skipped > LARGE_GAP:
                self._tell("note", f"{piece.skipped:,} bytes of {self.name} belong to no picture and were skipped.")
            if (frame := self._frame(piece.data, piece.fault, number)) is not None:
                yield frame
                given += 1
            number += 1
        if self._closed:
            return
        if self._faults > MOST_TOLD:
            self._tell("note", f"{self._faults} pictures of {self.name} could not be read.")
        if not given:
            raise InputError(f"There was no picture that can be read in {self.name} ({number} damaged).")

    def close(self) -> None:
        """No further picture is given."""
        self._closed = True
        self._on_close()

    def _next(self, split: Iterator[Piece]) -> Piece | None:
        """None at the end, and once closed, even where the stream was closed in the middle of a read."""
        try:
            piece = None if self._closed else next(split, None)
        except (OSError, ValueError):
            if self._closed:
                return None
            raise
        return None if self._closed else piece

    def _frame(self, data: bytes, fault: str, number: int) -> Frame | None:
        seconds = self._clock() - self._started
        try:
            if fault:
                raise PhotoError(fault)
            pixels = decode(data, self._options.limits).pixels
        except PhotoError as error:
            self._faults += 1
            if self._faults <= MOST_TOLD:
                self._tell("unreadable", f"Picture {number} of {self.name} is skipped: {error}")
            return None
        return Frame(owned(pixels, self._options), number, seconds, self.name)

    def _tell(self, kind: Any, message: str) -> None:
        self._options.on_event(Event(kind, message, self.name))


def open_pipe(
    stream: IO[bytes] | Closable,
    name: str,
    options: CameraOptions,
    clock: Callable[[], float] = time.monotonic,
    capture: Callable[..., Any] | None = None,
    on_close: Callable[[], None] = lambda: None,
) -> Source:
    """A source by what the first bytes say.

    Args:
        stream: from here on the source's alone.
        on_close: called when the stream is not needed any more, also when this raises.
    Raises:
        InputError: nothing comes, or neither pictures nor a video.
        SetupError, OutputError: a video cannot be put aside.
    """
    with contextlib.ExitStack() as unless_opened:
        unless_opened.callback(on_close)
        head, read = _peeked(stream)
        split = _pieces(head, read, options)
        if split is None:
            return _spooled(read, name, options, capture) if may_be_video(head) else _refuse(head, name)
        unless_opened.pop_all()
        return PipeSource(split, name, options, clock, on_close)


def _pieces(head: bytes, read: Read, options: CameraOptions) -> Iterable[Piece] | None:
    kind, _ = sniff(head)
    if kind in ("JPEG", "PNG") or _multipart(head):
        return pieces(read, min(MOST_PICTURE, options.limits.bytes))
    return [_whole(read, options.limits.bytes)] if kind is not None else None


def _refuse(head: bytes, name: str) -> NoReturn:
    if not head:
        raise InputError(f"Nothing came from {name}. Pipe pictures or a video into it.")
    raise InputError(f"{name} brings {sniff(head)[1]}. Pipe JPEG or PNG pictures, or a video.")


def _peeked(stream: IO[bytes] | Closable) -> tuple[bytes, Read]:
    """The first bytes, and a reader that begins with them."""
    take: Read = getattr(stream, "read1", stream.read)  # read1 does not wait until the block is full
    head = bytearray()
    while len(head) < HEAD_BYTES and (block := take(HEAD_BYTES - len(head))):
        head += block
    kept = [bytes(head)]

    def read(size: int) -> bytes:
        return kept.pop() if kept else take(size)

    return bytes(head), read


def _whole(read: Read, most: int) -> Piece:
    """One picture of a kind that does not say where it ends."""
    data = bytearray()
    while (block := read(BLOCK)) and len(data) <= most:
        data += block
    return Piece(bytes(data))  # `decode` refuses what is above the limit


def _multipart(head: bytes) -> bool:
    """An HTTP stream of pictures: a boundary, headers, a picture, a boundary …"""
    return head.lstrip().startswith(b"--") and b"content-type: image/" in head.lower()


def _spooled(read: Read, name: str, options: CameraOptions, capture: Callable[..., Any] | None) -> Source:
    message = f"{name} brings a video: it is read to its end first. Pipe MJPEG to see pictures as they come."
    options.on_event(Event("note", message, name))
    file = _Spool()
    try:
        _copy(read, file.stream, name, options.spool_bytes)
    except BaseException:
        file.close()
        raise
    return VideoSource(file.path, name, options, capture, on_close=file.close)


def _copy(read: Read, file: IO[bytes], name: str, most: int) -> None:
    count = 0
    while block := read(BLOCK):
        count += len(block)
        if count > most:
            raise InputError(
                f"The video from {name} has more than {most:,} bytes, the limit. Give it as a file, or pipe MJPEG."
            )
        try:
            file.write(block)
        except OSError as error:
            raise OutputError(
                f"The video from {name} cannot be put aside in {tempfile.gettempdir()}: {error.strerror}. "
                "Free some space, or set TMPDIR to a folder with more."
            ) from error
    try:
        file.flush()
    except OSError as error:
        raise OutputError(f"The video from {name} cannot be put aside: {error.strerror}.") from error


class _Spool:
    """A temporary file and a path to it. On Linux it has no name, so that even a kill leaves nothing behind."""

    def __init__(self) -> None:
        self._named = not Path("/proc/self/fd").is_dir()
        try:
            if self._named:
                handle, self.path = tempfile.mkstemp(prefix="edge-facenet-")
                self.stream: IO[bytes] = os.fdopen(handle, "wb")
            else:
                self.stream = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the source
                self.path = f"/proc/self/fd/{self.stream.fileno()}"
        except OSError as error:
            raise SetupError(
                f"There is no folder for temporary files: {error.strerror}. Set TMPDIR to one that can be written to."
            ) from error

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the disk was full: what could not be written is not wanted any more
            self.stream.close()
        if self._named:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
