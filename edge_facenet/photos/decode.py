"""Bytes of any picture to RGB pixels, upright by EXIF. Damaged, lying or oversized files end as `PhotoError`."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_facenet.engines.native_output import caught
from edge_facenet.errors import ConfigError, PhotoError
from edge_facenet.schema import doc

from .jpeg import check_colours
from .sniff import HEAD_BYTES, has_ppm_header, sniff

Pixels = npt.NDArray[np.uint8]
_ORIENTATION = 0x0112
_PHOTOMETRIC = 262
_PPM_BYTES = 1 << 16
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")
# Pillow reports oddities of a file through its logger; without this, Python prints them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Limits:
    """What a photo may be. Judged from its header, before anything is decoded."""

    megapixels: float = doc("largest declared size; a phone's 108-megapixel photo passes", 128.0)
    bytes: int = doc("largest file", 256 * 1024 * 1024)
    work_side: int = doc("photos longer than this are shrunk by 2, 4 or 8 while they are read, px", 4096)

    def __post_init__(self) -> None:
        if not math.isfinite(self.megapixels) or self.megapixels <= 0:
            raise ConfigError(f"The limit of megapixels must be a finite number above 0, found {self.megapixels:g}.")


@dataclass(frozen=True)
class Photo:
    """A decoded photo."""

    pixels: Pixels
    """(h, w, 3) uint8 RGB, upright by EXIF; what was transparent is white."""
    shrunk: int = 1
    """Photo px per pixel here: 1, 2, 4 or 8."""
    kind: str = ""
    """Format by content ("JPEG")."""

    @property
    def luminance(self) -> float:
        """Mean luminance (Rec. 601), 0..255."""
        return float(self.pixels[:: self._step, :: self._step].reshape(-1, 3).mean(0) @ (0.299, 0.587, 0.114))

    @property
    def _step(self) -> int:
        return int(max(1, min(self.pixels.shape[:2]) // 256))  # a sample is enough for a mean


def decode(data: bytes, limits: Limits = Limits()) -> Photo:
    """Decode a picture: JPEG, PNG, GIF, WebP, BMP, TIFF, PNM, AVIF; HEIC with the extra `heic`.

    EXIF orientation is applied, the first frame of an animation taken, grey and palettes made RGB, transparency put on
    white, 16 bits reduced to their upper 8, CMYK and YCCK converted without a colour profile.

    Raises:
        PhotoError: not a picture, damaged, above a limit, or in a colour space that would have to be guessed.
    """
    if len(data) > limits.bytes:
        raise PhotoError(too_large(len(data), limits))
    kind, what = sniff(data[:HEAD_BYTES])
    if kind is None:
        raise PhotoError(f"This is {what}.")
    if kind == "JPEG":
        check_colours(data)
    if kind == "PPM" and not has_ppm_header(data[:_PPM_BYTES]):
        raise PhotoError(f"Cannot decode this PPM: its header does not end within {_PPM_BYTES:,} bytes, or is damaged.")
    try:
        # libtiff writes to the process's stderr by itself
        with warnings.catch_warnings(), caught(2) if kind == "TIFF" else contextlib.nullcontext():
            warnings.simplefilter("ignore")
            return _decode(data, kind, limits)
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(
            f"Not enough memory to decode this {kind}. Make it smaller, or free some memory.", again=True
        ) from error
    except Exception as error:  # a decoder meets hostile bytes: whatever it raises, the file is damaged
        raise PhotoError(f"Cannot decode this {kind}: {_cause(error)}.") from error


def too_large(size: int, limits: Limits) -> str:
    """What is said of a file of `size` bytes, which are more than it may have."""
    return f"The file has {size:,} bytes, the limit is {limits.bytes:,}."


def _decode(data: bytes, kind: str, limits: Limits) -> Photo:
    picture = _open(data, kind)
    width, height = picture.size
    _check_size(width, height, limits)
    factor = _shrink_factor(max(width, height), limits)
    if factor > 1 and kind == "JPEG":
        # libjpeg decodes at a reduced scale
        picture.draft(None, (max(1, width // factor), max(1, height // factor)))
    picture.load()
    drafted = round(max(width, height) / max(picture.size))
    pixels = np.ascontiguousarray(_rgb(_upright(picture)))
    if (rest := factor // drafted) > 1:  # all of it, or what the few px of a narrow strip left over
        import cv2

        size = (-(-pixels.shape[1] // rest), -(-pixels.shape[0] // rest))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        drafted = factor
    return Photo(pixels, drafted, kind)


def _open(data: bytes, kind: str) -> Any:
    """Read the header with the plugin of this format alone (`Image.open` would judge the size by a limit of its own)."""
    Image.init()
    if kind == "HEIF":
        _register_heif()
    plugin, accepts = Image.OPEN.get(kind, (None, None))
    # a plugin that was built without its codec answers with a text
    if plugin is None or (accepts is not None and isinstance(accepts(data[:16]), str)):
        raise PhotoError(
            f"This installation of Pillow cannot read {kind}. Convert the picture to JPEG or PNG.", again=True
        )
    return plugin(io.BytesIO(data), "")


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise PhotoError(
            "HEIC picture: reading it needs pillow-heif. Type: pip install 'edge-facenet[heic]'", again=True
        ) from error
    pillow_heif.register_heif_opener()


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"The picture says it has {width} x {height} pixels.")
    if width * height > limits.megapixels * 1e6:
        raise PhotoError(
            f"The picture says it has {width:,} x {height:,} = {width * height / 1e6:,.1f} megapixels, the limit is "
            f"{limits.megapixels:g}. Make it smaller."
        )


def _shrink_factor(side: int, limits: Limits) -> int:
    factor = 1
    while side / factor > limits.work_side and factor < 8:
        factor *= 2
    return factor


def _upright(picture: Any) -> Any:
    """Apply EXIF orientation. Some plugins have done so while loading; they have also removed the tag."""
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF is no reason to lose a sound picture
        return picture
    if orientation not in range(2, 9):
        return picture
    return picture.transpose(_TRANSPOSE[orientation])


_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _rgb(picture: Any) -> Pixels:
    mode = picture.mode
    if mode in _SIXTEEN_BIT:
        return _sixteen_bit(picture)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGB", rgba.size, (255, 255, 255))
        white.paste(rgba, mask=rgba.getchannel("A"))
        return np.asarray(white)
    if mode == "RGB":
        return np.asarray(picture)  # `convert` would copy a large photo once more
    if mode in ("1", "L", "P", "RGBX", "CMYK", "YCbCr"):
        return np.asarray(picture.convert("RGB"))
    raise PhotoError(f"The picture's colour space is {mode}, which is not read. Convert it to RGB and save it again.")


def _sixteen_bit(picture: Any) -> Pixels:
    values = np.asarray(picture)
    if getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == 0:  # TIFF, white is zero: Pillow inverts 8 bits, not 16
        values = 65535 - values
    if values.min() < 0 or values.max() > 65535:
        raise PhotoError("The picture has 32-bit pixels, which are not read. Convert it to 8 or 16 bits.")
    grey = (values >> 8).astype(np.uint8)  # the upper byte: 257 x the 8-bit value gives that value back
    return np.repeat(grey[..., None], 3, axis=2)


def _cause(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if "truncated" in text.lower() or "Truncated" in text:
        return "it is truncated"
    if "bytes-like" in text or "object at 0x" in text or not text:
        return "it is damaged"
    return text[:160]
