"""What a JPEG's markers say, where the decoder would guess: how many colours, which of the two four-colour spaces."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge_facenet.errors import PhotoError

MAX_SCANS = 100
"""A progressive photo has about ten scans; each costs a pass over all pixels, so thousands are an attack on time."""
MAX_SEGMENTS = 10_000
"""Colour profiles and notes come in pieces of 64 kB: a few hundred are a large photo."""
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")
"""The next marker with a length, or the end. In compressed data FF 00 is a byte, FF D0..D7 a restart, FF FF filling; what else is
below FF C0 no photo has, and a decoder skips without a length."""
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_PICTURE, _ADOBE = 0xDA, 0xD9, 0xEE
_CMYK, _YCCK = 0, 2


@dataclass(frozen=True)
class Markers:
    """Header of the main picture."""

    components: tuple[int, ...] = ()
    """Identifier of each colour component."""
    adobe: int | None = None
    """Transform flag of the Adobe segment (APP14): 0 = none, 1 = YCbCr, 2 = YCCK."""


def read_markers(data: bytes) -> Markers:
    """Walk the segments up to the first scan; what is damaged or missing stays empty."""
    position, components, adobe = 2, (), None  # type: int, tuple[int, ...], int | None
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        if marker == _START_OF_SCAN:
            break
        if marker in _FRAMES:
            components = tuple(segment[6::3])
        if marker == _ADOBE and segment.startswith(b"Adobe") and len(segment) >= 12:
            adobe = segment[11]
        position += 2 + max(length, 2)
    return Markers(components, adobe)


def check_colours(data: bytes) -> None:
    """Refuse four-colour JPEGs whose colours can only be guessed, and files made to take for ever.

    Four colours are stored inverted by Adobe's convention, which the Adobe segment announces, together with whether they
    are CMYK or YCCK. Without it either polarity is possible; and components named C, M, Y, K cannot be YCCK.

    Raises:
        PhotoError: names the colour space.
    """
    _check_scans(data)
    markers = read_markers(data)
    if len(markers.components) != 4:
        return
    advice = "Convert it to RGB and save it again."
    if markers.adobe is None:
        raise PhotoError(f"CMYK JPEG without an Adobe segment: whether its colours are inverted is unknown. {advice}")
    if markers.adobe not in (_CMYK, _YCCK):
        raise PhotoError(f"Four-colour JPEG with colour transform {markers.adobe}, neither CMYK nor YCCK. {advice}")
    if markers.adobe == _YCCK and markers.components == tuple(b"CMYK"):
        raise PhotoError(f"CMYK JPEG whose Adobe segment says YCCK: its colours cannot be trusted. {advice}")


def _check_scans(data: bytes) -> None:
    """Of the main picture alone: behind its end cameras append films and other pictures, whose bytes mean nothing here."""
    position, scans = 2, 0
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or data[found.start() + 1] == _END_OF_PICTURE:
            return
        scans += data[found.start() + 1] == _START_OF_SCAN
        if scans > MAX_SCANS:
            raise PhotoError(
                f"This JPEG has {scans} or more scans, the limit is {MAX_SCANS}: it is made to take for ever."
            )
        position = found.end() + max(int.from_bytes(data[found.end() : found.end() + 2], "big"), 2)
    raise PhotoError(f"This JPEG has {MAX_SEGMENTS} or more segments, the limit: it is made to take for ever.")
