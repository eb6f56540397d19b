"""Vectors of pixels: tensors, resizing, warps, camera frames, EXIF, quality."""

from __future__ import annotations

import base64
import dataclasses
import io
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_facenet.photos import align, quality
from edge_facenet.photos.decode import decode
from edge_facenet.photos.detect import letterbox
from edge_facenet.photos.face import Face
from edge_facenet.pixels import PixelSpec, resize
from edge_facenet.selftest import selftest_faces

Bytes = npt.NDArray[np.uint8]


def noise(count: int, seed: int) -> Bytes:
    """The upper bytes of a linear congruential generator (Numerical Recipes): three lines in any language."""
    out, state = np.empty(count, np.uint8), seed
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state >> 24
    return out


def picture(width: int, height: int, seed: int) -> Bytes:
    return noise(3 * width * height, seed).reshape(height, width, 3)


def smooth(width: int, height: int, seed: int) -> Bytes:
    """A picture of large coloured blocks: what an area filter must not alias."""
    y, x = np.mgrid[0:height, 0:width]
    values = [(x * (3 + c) // 7 * 16 + y * (5 - c) // 9 * 24 + seed) & 0xFF for c in range(3)]
    return np.ascontiguousarray(np.stack(values, -1).astype(np.uint8))


def b64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def spec_json(spec: PixelSpec) -> dict[str, Any]:
    from edge_facenet.schema import to_json

    return dict(to_json(spec))


SPECS = (
    PixelSpec(5),
    PixelSpec(5, dtype="int8", quantization=(1 / 128, 0)),
    PixelSpec(5, layout="NCHW", colour_order="BGR", mean=(103.5, 116.3, 123.7), scale=(57.4, 57.1, 58.4)),
    PixelSpec(5, mean=(127.5,) * 3, scale=(127.5,) * 3),
    PixelSpec(5, mean=(0.0,) * 3, scale=(255.0,) * 3, dtype="uint8", quantization=(1 / 255, 0)),
    PixelSpec(5, mean=(127.5,) * 3, scale=(127.5,) * 3, dtype="int8", quantization=(0.0078, -1)),
)


def pixels() -> list[dict[str, Any]]:
    crop = picture(5, 5, 1)
    return [{"pixels": spec_json(spec), "tensor": b64(spec.tensor(crop[None]))} for spec in SPECS]


def sizes() -> list[dict[str, Any]]:
    pairs = ((28, 20), (28, 27), (16, 8), (21, 7), (24, 6), (10, 16), (14, 20), (5, 12), (9, 9))
    found = [
        {"from": a, "to": b, "seed": 10 + a, "bytes": b64(resize(picture(a, a, 10 + a)[None], b)[0])} for a, b in pairs
    ]
    found.append({"from": 112, "to": 80, "face": 0, "bytes": b64(resize(selftest_faces()[:1], 80)[0])})
    return found


def _matrix(scale: float, degrees: float, x: float, y: float) -> npt.NDArray[np.float64]:
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cos, -sin, x], [sin, cos, y]])


WARPS = (
    # width, height, seed, scale, degrees, x, y, size: enlarged, about 1:1, beyond every edge, shrunk by 2, 3 and 7
    (17, 13, 3, 2.3, 13.0, -4.2, 6.1, 32),
    (40, 30, 4, 0.93, -31.0, 3.3, 12.7, 32),
    (24, 24, 5, 0.71, 117.0, 30.0, 2.0, 32),
    (90, 70, 6, 0.47, 9.0, -3.0, -4.0, 32),
    (150, 120, 7, 0.31, -20.0, -8.5, 3.25, 32),
    (333, 207, 8, 0.13, 171.0, 40.0, 30.0, 32),
)


def warps() -> list[dict[str, Any]]:
    found = []
    for width, height, seed, scale, degrees, x, y, size in WARPS:
        matrix = _matrix(scale, degrees, x, y)
        kind = "smooth" if scale < 0.5 else "noise"
        photo = smooth(width, height, seed) if kind == "smooth" else picture(width, height, seed)
        common = {"kind": kind, "width": width, "height": height, "seed": seed, "matrix": matrix.reshape(-1).tolist()}
        for border, flag in (("replicate", cv2.BORDER_REPLICATE), ("black", cv2.BORDER_CONSTANT)):
            found.append(
                {**common, "size": size, "border": border, "bytes": b64(align.warp(photo, matrix, size, flag))}
            )
    return found


def letterboxes() -> list[dict[str, Any]]:
    found = []
    for width, height, size, padding in ((50, 37, 32, 0.0), (37, 50, 32, 1 / 3), (311, 200, 32, 0.0), (20, 9, 32, 0.0)):
        box = letterbox(smooth(width, height, 9), size, padding)
        where = {"scale": box.scale, "shift": list(box.shift), "bytes": b64(box.pixels)}
        found.append({"width": width, "height": height, "size": size, "padding": padding, **where})
    return found


def crops() -> list[dict[str, Any]]:
    """Faces cut out of a picture: the first synthetic face, enlarged and turned, on noise."""
    points = [(38.9, 51.2), (74.1, 52.6), (57.0, 72.3), (42.2, 93.0), (71.3, 91.8)]
    found = []
    for shift, size in (((0.0, 0.0), 80), ((-30.5, 11.25), 40)):
        moved = [(x + shift[0], y + shift[1]) for x, y in points]
        crop = align.align(selftest_faces()[0], moved, size)
        matrix = align.similarity(moved, align.target(size))
        found.append({"points": moved, "size": size, "matrix": matrix.reshape(-1).tolist(), "bytes": b64(crop)})
    return found


def qualities() -> list[dict[str, Any]]:
    found = []
    for number, shift in ((0, 0.0), (1, 45.0)):
        points = align.TEMPLATE + np.array([shift, 0.0])
        face = Face(0.876543, (20.0, 30.0, 90.0, 100.0), points, 0.98765, 0, 12.34, -5.67)
        photo = selftest_faces()[number]
        matrix = align.similarity(points, align.target())
        crop = align.warp(photo, matrix, 112)
        seen = quality.measure(face, crop, matrix, photo.shape)
        found.append({"face": number, "points": points.tolist(), "quality": vars(seen), "reasons": quality.judge(seen)})
    return found + limits()


SOUND = quality.Quality(60.0, 200.0, 120.0, 3.0, -2.0, 0.0, 0.9, 1.0, 0.0)
"""A face that every rule passes."""


def limits() -> list[dict[str, Any]]:
    """For each rule a face just beyond its limit and one at it."""
    rules = quality.QualityRules()
    least = {"face_px": rules.face_px, "blur": rules.blur, "luminance": rules.darkest}
    unsure = {"score": rules.score, "presence": rules.presence}
    most = {"luminance": rules.brightest, "yaw": rules.yaw, "pitch": rules.pitch, "roll": rules.roll}
    cases = [(f"least {key}", key, limit, limit - 0.1) for key, limit in least.items()]
    cases += [(f"least {key}", key, limit, limit - 0.001) for key, limit in unsure.items()]
    cases += [(f"most {key}", key, limit, limit + 0.1) for key, limit in most.items()]
    cases += [("least pitch", "pitch", -rules.pitch, -rules.pitch - 0.1)]
    cases += [("most cut_off", "cut_off", rules.cut_off, rules.cut_off + 0.001)]
    found = []
    for rule, key, limit, beyond in cases:
        for value in (limit, beyond):
            seen = dataclasses.replace(SOUND, **{key: round(value, 4)})
            reasons = quality.judge(seen)
            assert len(reasons) == (value != limit), rule
            found.append({"rule": rule, "quality": vars(seen), "reasons": reasons})
    return found


# Camera frames. The colours are BT.601 at full range (JFIF).
BARS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0))


def to_yuv(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    r, g, b = rgb
    y = 0.299 * r + 0.587 * g + 0.114 * b
    values = (y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402)
    return tuple(int(min(max(round(v), 0), 255)) for v in values)  # type: ignore[return-value]


def to_rgb(y: npt.NDArray[Any], u: npt.NDArray[Any], v: npt.NDArray[Any]) -> Bytes:
    """The reference: exact arithmetic, rounded once."""
    y, u, v = (np.asarray(plane, np.float64) for plane in (y, u - 128.0, v - 128.0))
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def plane_samples(data: Bytes, width: int, height: int, row_stride: int, pixel_stride: int) -> npt.NDArray[np.int64]:
    """Samples of one plane; where the last one is missing, the one before it stands in."""
    at = np.arange(height)[:, None] * row_stride + np.arange(width) * pixel_stride
    at = np.where(at < len(data), at, np.minimum(at - pixel_stride, len(data) - 1))
    return data[at].astype(np.int64)


def frame_rgb(frame: dict[str, Any], planes: list[Bytes]) -> Bytes:
    """A frame as Android describes it -> upright RGB: crop, turn clockwise, mirror."""
    width, height = frame["width"], frame["height"]
    half = ((width + 1) // 2, (height + 1) // 2)
    y = plane_samples(planes[0], width, height, *frame["y"])
    u, v = (plane_samples(p, *half, *frame[name]) for p, name in zip(planes[1:], "uv", strict=True))
    u, v = (p.repeat(2, 0).repeat(2, 1)[:height, :width] for p in (u, v))
    left, top, right, bottom = frame["crop"]
    rgb = to_rgb(*(p[top:bottom, left:right] for p in (y, u, v)))
    rgb = np.rot90(rgb, -frame["degrees"] // 90)
    return np.ascontiguousarray(rgb[:, ::-1] if frame["mirror"] else rgb)


def frame_planes(frame: dict[str, Any]) -> list[Bytes]:
    """Planes of noise; rows are padded with noise too, and chroma ends `short` bytes early."""
    height, half = frame["height"], (frame["height"] + 1) // 2
    widths = (frame["width"], (frame["width"] + 1) // 2, (frame["width"] + 1) // 2)
    planes = []
    for k, (name, rows, width) in enumerate(zip("yuv", (height, half, half), widths, strict=True)):
        row_stride, pixel_stride = frame[name]
        length = (rows - 1) * row_stride + (width - 1) * pixel_stride + 1 - (frame["short"] if k else 0)
        planes.append(noise(length, 100 * frame["seed"] + k))
    return planes


def frames() -> list[dict[str, Any]]:
    found = []
    shapes = (
        # width, height, (row stride, pixel stride) of y, u, v, bytes missing at the end of the chroma planes
        (22, 14, (24, 1), (24, 2), (24, 2), 0),
        (22, 14, (32, 1), (20, 1), (20, 1), 0),
        (21, 13, (21, 1), (24, 2), (24, 2), 1),
        (16, 8, (16, 1), (16, 2), (16, 2), 1),
        (16, 8, (16, 1), (16, 2), (16, 2), 2),
    )
    turns = ((0, False), (90, False), (180, True), (270, True), (90, True))
    for seed, ((width, height, *strides, short), (degrees, mirror)) in enumerate(zip(shapes, turns, strict=True)):
        crop = (2, 1, width - 3, height - 2) if seed == 1 else (0, 0, width, height)
        frame = {"width": width, "height": height, "short": short, "seed": seed, "degrees": degrees, "mirror": mirror}
        frame |= {"crop": crop, **dict(zip("yuv", strides, strict=True))}
        found.append({**frame, "bytes": b64(frame_rgb(frame, frame_planes(frame)))})
    return found


def bars() -> dict[str, Any]:
    """C147: eight bars of equal width; the frames are laid out by whoever tests."""
    yuv = [to_yuv(colour) for colour in BARS]
    rgb = to_rgb(*np.array(yuv).T).tolist()
    cases = ((1280, 720, 1536, 2), (864, 480, 896, 2), (1280, 720, 1280, 1))
    frames = [{"width": w, "height": h, "row_stride": s, "pixel_stride": p} for w, h, s, p in cases]
    return {"yuv": yuv, "rgb": rgb, "frames": frames}


def exif() -> list[dict[str, Any]]:
    """C154: one picture stored in eight ways; upright, all are the same."""
    upright = np.asarray(Image.fromarray(smooth(24, 16, 5)))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that take upright pixels to stored ones
    found = []
    for orientation in range(1, 9):
        kind = None if orientation == 1 else undo[orientation]
        stored = Image.fromarray(upright) if kind is None else Image.fromarray(upright).transpose(Image.Transpose(kind))
        tag = Image.Exif()
        tag[0x0112] = orientation
        stream = io.BytesIO()
        stored.save(stream, "JPEG", quality=95, exif=tag)
        lossless = np.asarray(stored)
        assert decode(stream.getvalue()).pixels.shape == upright.shape
        found.append(
            {
                "orientation": orientation,
                "jpeg": base64.b64encode(stream.getvalue()).decode(),
                "width": stored.width,
                "height": stored.height,
                "stored": b64(lossless),
                "upright": b64(upright),
            }
        )
    return found


VECTORS = {
    "pixels": pixels,
    "resize": sizes,
    "warp": warps,
    "letterbox": letterboxes,
    "crop": crops,
    "quality": qualities,
    "yuv": frames,
    "bars": bars,
    "exif": exif,
}
