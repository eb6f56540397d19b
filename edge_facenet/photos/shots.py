"""What a caller hands over as a photo (a path, bytes, pixels), opened: pixels, hash and name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edge_facenet import files
from edge_facenet.errors import InputError, PhotoError
from edge_facenet.schema import doc

from .align import Pixels
from .decode import Limits, Photo, decode
from .examine import read, unread

Image: TypeAlias = str | Path | bytes | Pixels
"""A photo: a path, an encoded picture (JPEG, PNG, …), or (h, w, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo in hand."""

    photo: Photo = doc("its pixels")
    sha256: str = doc("of the file's bytes, or of shape and pixels")
    source: str = doc('absolute path; "" for bytes and pixels')
    label: str = doc("what messages call it")


def open_shot(image: Image, limits: Limits, label: str = "the photo") -> Shot:
    """Read and decode.

    Args:
        label: what to call a photo that is no file.
    Raises:
        PhotoError: it cannot be read, is no photo, is damaged or above a limit; the message begins with its name.
        InputError: pixels of another shape or type.
    """
    called = label_of(image, label)
    if isinstance(image, np.ndarray):
        return Shot(Photo(_checked(image, called)), _pixels_sha256(image), "", called)
    try:
        if isinstance(image, bytes):
            return Shot(decode(image, limits), files.sha256(image), "", called)
        data, digest = read(os.fsencode(image), limits)
        if data is None:
            raise PhotoError(unread(digest, limits))
        return Shot(decode(data, limits), digest, source_of(image), called)
    except PhotoError as error:
        raise PhotoError(f"{called}: {error}", again=error.again) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise PhotoError(f"{called}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def label_of(image: Image, label: str) -> str:
    """What messages call a photo."""
    return os.fsdecode(image) if isinstance(image, str | Path) else label


def source_of(path: str | Path) -> str:
    """The path under which a gallery remembers a photo: absolute, links not followed, as valid text."""
    return as_source(os.path.abspath(path))


def as_source(path: str) -> str:
    """A path, or a part of one, as valid text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def several(images: Image | Iterable[Image]) -> Iterable[Image]:
    """One photo, or many, as many. What is neither counts as one, so that opening it says what is wrong."""
    if isinstance(images, str | Path | bytes) or not isinstance(images, Iterable):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim != 4:
        return [images]
    return images


def _checked(pixels: Pixels, label: str) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise InputError(f"{label}: pixels must be (h, w, 3) uint8 RGB, found {pixels.shape} {pixels.dtype}.")
    return np.ascontiguousarray(pixels)


def _pixels_sha256(pixels: Pixels) -> str:
    return files.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())
