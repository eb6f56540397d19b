"""Test people among the training people: by name, by the photo's bytes, by what the crop looks like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..schema import doc

_SIDE = 16  # blocks per side of a signature
_CHUNK = 4096
# Measured. The same photo again: ORL re-encoded at JPEG q 70 and aligned anew, 400 of 400 above 0.981; larger photos moved
# by up to 1 px, 2 % and 1 degree besides, 600 of 600 above 0.975. Photos of different people: ORL 0.960 at most; of
# 7 million comparisons of web photos the three highest (0.988, 0.978, 0.962) were looked at: the same photo each time.
# Another photo of the same person reaches 0.998 (ORL); found under another name, that is a leak as well.
NEAR_DUPLICATE = 0.975
_ACCENTED = ("LATIN", "GREEK", "CYRILLIC")
"""Scripts in which a mark on a letter is an accent; in others it is a letter itself, the vowel of राम or the voice of が."""


class Row(Protocol):
    """What is read of a crop set's row (`CropRow` has it)."""

    @property
    def identity(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Leak:
    """One test person or picture that training has seen, and the evidence."""

    evidence: Literal["name", "hash", "near-duplicate"] = doc("what gives it away, the strongest first")
    test_identity: str = doc("person in the test set")
    train_identity: str = doc("person in the training set")
    test_source: str = doc("picture in the test set; empty for evidence by name", "")
    train_source: str = doc("picture in the training set; empty for evidence by name", "")
    likeness: float | None = doc("correlation of the two signatures, for near-duplicates", None)

    def sentence(self) -> str:
        """The leak in words."""
        if self.evidence == "name":
            return f'"{self.test_identity}" is trained on as "{self.train_identity}" (name)'
        return f"{self.test_source} is trained on as {self.train_source} ({self.evidence})"


def leaks(
    train: Sequence[Row],
    test: Sequence[Row],
    train_signatures: NDArray[np.float32] | None = None,
    test_signatures: NDArray[np.float32] | None = None,
) -> tuple[Leak, ...]:
    """Every test person whose name, and every test picture whose bytes or looks, are in the training set.

    Names are compared without case, accents and separators ("Ann_Lee" = "ann lee"). Each test picture is listed once, by
    its strongest evidence; a person known by name is not listed again picture by picture.

    Args:
        train, test: rows of crop sets; empty identity or hash = unknown.
        train_signatures, test_signatures: `signatures` of their crops; without them near-duplicates are not looked for.
    """
    by_name = {plain_name(row.identity): row.identity for row in reversed(train) if row.identity}
    found = {
        row.identity: Leak("name", row.identity, by_name[plain_name(row.identity)])
        for row in test
        if row.identity and plain_name(row.identity) in by_name
    }
    by_hash = {row.sha256: row for row in reversed(train) if row.sha256}
    pictures: list[Leak] = []
    for place, row in enumerate(test):
        if row.identity in found:
            continue
        if (twin := by_hash.get(row.sha256)) is not None:
            pictures.append(Leak("hash", row.identity, twin.identity, row.source, twin.source))
        elif train_signatures is not None and test_signatures is not None:
            nearest, likeness = _nearest(train_signatures, test_signatures[place])
            if likeness >= NEAR_DUPLICATE:
                twin = train[nearest]
                pictures.append(Leak("near-duplicate", row.identity, twin.identity, row.source, twin.source, likeness))
    return (*found.values(), *pictures)


def plain_name(name: str) -> str:
    """A name without case, accents and separators; one of separators alone stays as it is.

    >>> plain_name("Ann_Lee") == plain_name("ann lee") == plain_name("AnnLee"), plain_name("José-Ángel")
    (True, 'jose angel')
    """
    spaced = re.sub(r"(?<=[^\W\d_])(?<![A-Z])(?=[A-Z])", " ", name)
    kept, base = "", ""
    for c in unicodedata.normalize("NFKD", spaced):
        if not unicodedata.category(c).startswith("M"):
            base = c
            kept += c if c.isalnum() else " "
        elif base.isalnum() and not unicodedata.name(base, "").startswith(_ACCENTED):
            kept += c
    return " ".join(kept.casefold().split()) or name.casefold()


def signatures(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a crop looks like, coarsely: grey means of 16 x 16 blocks, centred, of unit length.

    Args:
        crops: (n, s, s, 3) uint8, s >= 16.
    Returns:
        (n, 256) float32; the product of two rows is their correlation. A picture of one grey gives zeros.
    """
    count, side = len(crops), crops.shape[1] // _SIDE * _SIDE
    if crops.ndim != 4 or side == 0:
        raise InputError(f"Signatures need crops of at least {_SIDE} px; found an array of shape {crops.shape}.")
    first = (crops.shape[1] - side) // 2
    rows = np.empty((count, _SIDE * _SIDE), np.float32)
    for start in range(0, count, _CHUNK):
        part = crops[start : start + _CHUNK, first : first + side, first : first + side].astype(np.float32)
        blocks = part.reshape(len(part), _SIDE, side // _SIDE, _SIDE, side // _SIDE, 3).mean(axis=(2, 4, 5))
        rows[start : start + _CHUNK] = blocks.reshape(len(part), -1)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def _nearest(train: NDArray[np.float32], signature: NDArray[np.float32]) -> tuple[int, float]:
    if not len(train):
        return 0, 0.0
    likeness = train @ signature
    nearest = int(np.argmax(likeness))
    return nearest, float(likeness[nearest])
