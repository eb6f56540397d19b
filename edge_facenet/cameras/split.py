"""Where one JPEG or PNG ends in a stream of them: markers are walked, nothing is decoded, memory is bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_facenet.errors import InputError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"  # a PNG's last chunk is always the same
_START = re.compile(b"|".join(map(re.escape, (JPEG, PNG))))
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next real marker behind compressed data: there FF 00 is a byte, FF D0..D7 a restart, FF FF filling."""
_LONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_START_OF_PICTURE, _END_OF_PICTURE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
BLOCK = 64 * 1024
MOST_JUNK = 64 * 1024 * 1024
"""Bytes without a picture after which a stream is refused: somebody piped in something else."""

Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Piece:
    """One picture, or what stood in its place."""

    data: bytes
    """Empty when `fault` is not."""
    fault: str = ""
    """One sentence."""
    skipped: int = 0
    """Bytes before it that belong to no picture."""


class _Damaged(Exception):
    """This is not how a picture goes on."""


class _More(Exception):
    """The bytes so far do not say where the picture ends."""


def pieces(read: Read, most: int) -> Iterator[Piece]:
    """Split a stream into pictures.

    Args:
        read: gives at most so many bytes, b"" at the end, as soon as there are any.
        most: largest picture, bytes; at most this and one block is held.
    Raises:
        InputError: more than `MOST_JUNK` bytes without a picture.
    """
    splitter, ended = Splitter(most), False
    while not ended:
        block = read(BLOCK)
        ended = not block
        yield from splitter.feed(block, ended=ended)
        if splitter.skipped > MOST_JUNK:
            raise InputError(
                f"No picture in {MOST_JUNK:,} bytes of this stream, the limit. Pipe JPEG or PNG pictures, or a video."
            )


class Splitter:
    """Bytes in, pictures out.

    Args:
        most: largest picture, bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()
        self._walk: _Jpeg | _Png | None = None
        self._skipped = 0

    def feed(self, block: bytes, *, ended: bool = False) -> Iterator[Piece]:
        """Take bytes and give the pictures that are complete with them."""
        self._bytes += block
        while (walk := self._find()) is not None:
            try:
                end = walk.end(self._bytes)
            except _More:
                if len(self._bytes) <= self._most and not ended:
                    return
                fault = "It is cut short." if ended else f"It has more than {self._most:,} bytes, the limit."
                yield self._taken(walk.sound, fault)
            except _Damaged as error:
                yield self._taken(walk.sound, str(error))
            else:
                large = f"It has {end:,} bytes, the limit is {self._most:,}." if end > self._most else ""
                yield self._taken(end, large)

    @property
    def skipped(self) -> int:
        """Bytes since the last picture that belong to none."""
        return self._skipped

    def _find(self) -> _Jpeg | _Png | None:
        """Put the next picture's first byte at 0."""
        if self._walk is not None:
            return self._walk
        found = _START.search(self._bytes)
        if found is None:
            drop = max(0, len(self._bytes) - len(PNG) + 1)  # the start of a picture may be cut in two
            self._skipped += drop
            del self._bytes[:drop]
            return None
        self._skipped += found.start()
        del self._bytes[: found.start()]
        self._walk = _Jpeg() if self._bytes.startswith(JPEG) else _Png()
        return self._walk

    def _taken(self, end: int, fault: str) -> Piece:
        """Remove the first `end` bytes: as a picture, or for a fault."""
        piece = Piece(b"" if fault else bytes(self._bytes[:end]), fault, self._skipped)
        del self._bytes[:end]
        self._walk, self._skipped = None, 0
        return piece


class _Jpeg:
    """Walks the segments of a JPEG; a thumbnail inside one is passed over with it."""

    def __init__(self) -> None:
        self._at = self.sound = 2
        """`sound`: up to here the picture was certainly whole; if it is not, the next one may begin here."""
        self._scanning = False

    def end(self, data: bytearray) -> int:
        """Where the picture ends; raises _More or _Damaged."""
        while True:
            if self._scanning:
                self._pass_scan(data)
            if self._at + 2 > len(data):
                raise _More
            marker = data[self._at + 1]
            if data[self._at] != 0xFF or marker in (0x00, _START_OF_PICTURE):
                raise _Damaged("It is damaged: a marker is missing.")  # cut off, and the next picture has begun
            if marker == _END_OF_PICTURE:
                return self._at + 2
            if marker == 0xFF or marker in _LONE:
                self._at += 1 if marker == 0xFF else 2
                continue
            self._pass_segment(data, marker)

    def _pass_scan(self, data: bytearray) -> None:
        found = _AFTER_SCAN.search(data, self._at)
        if found is None:
            self._at = max(self._at, len(data) - 1)  # the last byte may be the first half of a marker
            raise _More
        self._at = self.sound = found.start()
        self._scanning = False

    def _pass_segment(self, data: bytearray, marker: int) -> None:
        if self._at + 4 > len(data):
            raise _More
        length = int.from_bytes(data[self._at + 2 : self._at + 4], "big")
        self.sound = self._at
        if length < 2:
            raise _Damaged("It is damaged: a segment has no length.")
        self._at += 2 + length
        self._scanning = marker == _START_OF_SCAN


class _Png:
    """Walks the chunks of a PNG."""

    def __init__(self) -> None:
        self._at = self.sound = len(PNG)

    def end(self, data: bytearray) -> int:
        """Where the picture ends; raises _More or _Damaged."""
        while True:
            if self._at + 8 > len(data):
                raise _More
            length, kind = int.from_bytes(data[self._at : self._at + 4], "big"), data[self._at + 4 : self._at + 8]
            if not kind.isalpha():
                raise _Damaged("It is damaged: a chunk has no name.")
            end = self._at + 12 + length
            if kind == b"IEND":
                if end > len(data):
                    raise _More
                self.sound = self._at
                if data[self._at : end] != _END:
                    raise _Damaged("It is damaged: its end is not right.")
                return end
            self._at, self.sound = end, self._at
