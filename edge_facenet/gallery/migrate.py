"""Another network: embed kept crops again, and say who must enroll again.

Rows without a crop stay as they are, under their old maker's fingerprint: they are never compared, an enrolment of the
person replaces them, and migrating back to the old network makes them count again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..pixels import Pixels
from ..schema import doc
from . import rows
from .people import Floats, Maker, Person, check_vector
from .rows import Face
from .store import Gallery

Embed = Callable[[Pixels], npt.NDArray[np.float32]]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Migrated:
    """What a migration did."""

    embedded: int = doc("rows embedded again from their crops")
    outdated: int = doc("rows that stay of another network or aligner")
    unrejected: int = doc('of these, marks "not this person": they no longer count')
    ready: tuple[Person, ...] = doc("people who can be recognised now")
    again: tuple[Person, ...] = doc("people who must enroll again: none of their rows counts now")


def migrate(
    gallery: Gallery,
    maker: Maker,
    embed: Embed,
    on_progress: OnProgress = lambda done, total: None,
    *,
    side: int | None = None,
) -> Migrated:
    """Make a gallery one of `maker`, in one transaction; killed half way, it is as it was.

    A crop counts only where the aligner that cut it is the maker's (another aligner cuts other pixels) and where it shows as
    much around the face as the new network wants.

    Args:
        gallery: opened without a maker.
        embed: (1, s, s, 3) uint8 RGB -> (1, d) unit rows, the new network's.
        side: of the crops that the new network takes, px, margin included; None = any.
    Raises:
        InputError: the gallery is empty, or `embed` gives no unit vectors of the maker's dimension.
        GalleryDamaged: a row or a crop was altered.
    """
    if not len(gallery):
        raise InputError(f"Gallery {gallery.path} is empty: there is nothing to migrate.")
    with gallery.writing() as session:
        old = [face for face in session.faces() if face.maker != maker]
        embedded = unrejected = 0
        for done, face in enumerate(old):
            on_progress(done, len(old))
            crop = (
                rows.crop_of(session.connection, session.vault, face) if face.maker.aligner == maker.aligner else None
            )
            pixels = None if crop is None else rows.from_png(crop, _what(face))
            if crop is None or pixels is None or side not in (None, len(pixels)):
                unrejected += face.rejected
                continue
            vector = _embedded(embed, pixels, face, maker)
            session.remove([face])
            new = dataclasses.replace(face, maker=maker, vector=vector)
            rows.add_face(session.connection, session.vault, new, crop)
            embedded += 1
        session.set_maker(maker)
        people = session.people()
        ready = tuple(person for person in people if person.embeddings)
        again = tuple(person for person in people if not person.embeddings)
        return Migrated(embedded, len(old) - embedded, unrejected, ready, again)


def _embedded(embed: Embed, crop: Pixels, face: Face, maker: Maker) -> Floats:
    found = np.asarray(embed(crop[None]))
    return check_vector(found[0] if found.shape[:1] == (1,) else found, maker.dimension, f"The new {_what(face)}")


def _what(face: Face) -> str:
    return f"embedding {face.id} of person {face.person}"
