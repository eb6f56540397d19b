"""Small faces: the full-range detector says where to look, the short-range one and the mesh say what is there.

On a whole photo the short-range detector finds faces from a tenth of the longer side upwards. Full range, on the whole
photo and on overlapping parts of it, finds them down to a twenty-fifth, four times as fast as short range on such parts.
Each place it names is cut out with room around it and looked at like a photo of its own: orientation, points and doubts
are settled there by the code that settles them for every photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from .align import Pixels
from .detect import Detection
from .face import Face
from .pieces import SAME, Placed, apart, moved, parts, shared

ROOM = 3.0
"""Side of what is cut out around a place, in box sides: a third is where the short-range detector misses nothing."""
LEAST_PART = 320
"""Parts smaller than this, px, show faces of less than 20 px, 9 between the eyes: too small to recognise."""
MOST_PLACES = 12
"""So many places of one look are examined, the likeliest first: a photo of textures must not take for ever."""

Look = Callable[[Pixels], list[Face]]


class Proposes(Protocol):
    """Anything that says where faces may be."""

    def propose(self, photo: Pixels, turns: int = 0) -> list[Detection]:
        """As `BlazeFace.propose`."""
        ...


def far_faces(photo: Pixels, detector: Proposes, look: Look) -> list[Face]:
    """Small faces of a photo: those of the first look that shows any.

    Looks, in this order: the whole photo; parts of 0.6 and of 0.36 of its longer side; the whole photo turned by 90, 270
    and 180 degrees. A photo without a face takes all of them: some 25 runs of a network of 4 ms.

    Args:
        photo: (h, w, 3) uint8 RGB.
        look: all faces of a part of the photo, those not to be trusted left out.
    """
    for places in _looks(photo, detector):
        best = sorted(places, key=lambda place: -place.score)[:MOST_PLACES]
        found = apart([face for place in best for face in closer(photo, place, look)])
        if found:
            return found
    return []


def _looks(photo: Pixels, detector: Proposes) -> Iterator[list[Detection]]:
    yield detector.propose(photo)
    pieces = list(parts(photo, LEAST_PART))
    for side in dict.fromkeys(piece.shape[:2] for _, _, piece in pieces):
        level = [(left, top, piece) for left, top, piece in pieces if piece.shape[:2] == side]
        yield [moved(place, left, top) for left, top, piece in level for place in detector.propose(piece)]
    for turns in (1, 3, 2):
        yield detector.propose(photo, turns)


def closer(photo: Pixels, place: Placed, look: Look) -> list[Face]:
    """Faces where a place was named, by a look at it alone with room around it."""
    size = np.array(photo.shape[1::-1])
    left, top, right, bottom = place.box
    longest = max(right - left, bottom - top)
    if not np.isfinite(longest) or longest <= 0:
        return []
    side = np.minimum(max(round(ROOM * longest), 8), size)
    start = np.clip(np.round(((left + right - side[0]) / 2, (top + bottom - side[1]) / 2)), 0, size - side)
    x, y, width, height = (int(v) for v in (*start, *side))
    part = np.ascontiguousarray(photo[y : y + height, x : x + width])
    found = (moved(face, x, y) for face in look(part))
    return [face for face in found if shared(face.box, place.box) >= SAME]
