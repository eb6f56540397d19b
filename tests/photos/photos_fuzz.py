"""Fuzzing of pictures: `python photos_fuzz.py SECONDS SEED FOLDER` mutates picture files and decodes them.

It runs in a process of its own, so that a crash is the process's death: the file in hand lies in FOLDER/in-hand, and what
it found in FOLDER/counts.json. Whoever starts it judges that, what it wrote to stderr, and its memory (see
tests/soak/test_photos_fuzz.py).
"""

from __future__ import annotations

import io
import json
import resource
import signal
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, features

from edge_facenet.errors import PhotoError
from edge_facenet.photos import models
from edge_facenet.photos.decode import Limits, decode
from edge_facenet.photos.examine import Rules, cut_all
from edge_facenet.selftest import selftest_faces

LIMITS = Limits(megapixels=4.0, bytes=1 << 20)
HANG_S = 20.0
"""One file. The slowest sound one of 4 megapixels takes half a second on this kind of machine, alone."""
MOST_MB = 450
"""Peak of the process: 150 MB of libraries and networks, and what 4 megapixels may take at 64 bytes each: RGBA, its parts,
a turned copy, the white ground, the result, and the decoder's own frame."""
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> dict[str, list[bytes]]:
    """Sound pictures by kind, in every mode that its format has."""
    face = Image.fromarray(selftest_faces()[0])
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    found: dict[str, list[bytes]] = {"JPEG": [], "PNG": [], "WEBP": [], "TIFF": [], "GIF": [], "other": []}

    def add(kind: str, picture: Image.Image, **options: Any) -> None:
        stream = io.BytesIO()
        picture.save(stream, options.pop("as_", kind), **options)
        found[kind].append(stream.getvalue())

    for picture in (face, rough):
        frames = [picture.rotate(90), picture.rotate(180)]
        grey, palette, rgba = picture.convert("L"), picture.convert("P"), picture.convert("RGBA")
        rgba.putalpha(grey)
        for options in ({}, {"progressive": True}, {"exif": exif}, {"subsampling": 2, "restart_marker_rows": 1}):
            add("JPEG", picture, **options)
        for other in (grey, picture.convert("CMYK")):
            add("JPEG", other)
        wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        for other in (picture, grey, palette, rgba, picture.convert("LA"), picture.convert("1"), wide):
            add("PNG", other)
        add("PNG", picture, save_all=True, append_images=frames, exif=exif)
        for options in ({}, {"lossless": True}, {"save_all": True, "append_images": frames}, {"exif": exif}):
            add("WEBP", picture, **options)
        add("WEBP", rgba)
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
            add("TIFF", picture, compression=compression)
        for other in (palette, rgba, wide, picture.convert("1"), picture.convert("CMYK"), picture.convert("YCbCr")):
            add("TIFF", other)
        add("TIFF", picture.convert("1"), compression="group4")
        add("TIFF", picture, save_all=True, append_images=frames, big_tiff=True)
        add("GIF", palette)
        add("GIF", picture, save_all=True, append_images=frames, transparency=0)
        add("other", picture, as_="BMP")
        add("other", picture, as_="PPM")
        if features.check("avif"):
            add("other", picture, as_="AVIF")
    return found


def bombs() -> list[bytes]:
    """Small files that would be large, long or deep."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def png(width: int, height: int, *chunks: bytes) -> bytes:
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")

    nothing = zlib.compress(bytes(6_000_000), 9)
    text = chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(30_000_000), 9))
    icc = chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(30_000_000), 9))
    tiff = (
        struct.pack("<2sHI", b"II", 42, 8)
        + struct.pack("<H", 1)
        + struct.pack("<HHII", 256, 4, 1, 9)
        + struct.pack("<I", 8)
    )
    many = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 60000) + struct.pack("<HHII", 256, 4, 1, 9) * 60000
    huge_tag = struct.pack("<2sHIH", b"II", 42, 8, 1) + struct.pack("<HHII", 273, 4, 0x3FFFFFFF, 8) + bytes(4)
    gif = (
        b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0xF7, 0, 0)
        + bytes(768)
        + b","
        + struct.pack("<4HB", 0, 0, 1, 1, 0)
        + b"\x08\x01\x00\x00;"
    )
    lap = b"GIF89a" + struct.pack("<HHBBB", 2000, 2000, 0x80, 0, 0) + bytes(6)
    lap += (b"," + struct.pack("<4HB", 0, 0, 2000, 2000, 0) + b"\x08\x02\x00\x01\x00") * 400 + b";"
    return [
        png(60000, 60000, chunk(b"IDAT", nothing)),
        png(2000, 2000, chunk(b"IDAT", nothing)),
        png(1, 4_000_000, chunk(b"IDAT", nothing)),
        png(4_000_000, 1, chunk(b"IDAT", nothing)),
        png(10, 10, text),
        png(10, 10, icc, chunk(b"IDAT", zlib.compress(bytes(310)))),
        png(10, 10, chunk(b"IDAT", b"") * 20000),
        tiff,
        many,
        huge_tag,
        gif,
        lap,
        b"P6 4000000000 4000000000 255\n",
        b"P3 2000 2000 255\n" + b"1 " * 300_000,
        b"P6\n" + b"#" * 900_000 + b"\n1 1 255\n123",
        b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WEBPVP8L" + struct.pack("<I", 10) + b"\x2f" + b"\xff" * 40,
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2000, -2000, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(100),
        b"\xff\xd8" + b"\xff\xe1\xff\xff" + bytes(65533) + b"\xff\xd9",
    ]


class Mutator:
    """Makes one file out of sound ones."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seeds, self.bombs = seeds(), bombs()
        self.kinds = list(self.seeds)

    def next(self) -> tuple[str, bytes]:
        """Kind and bytes."""
        kind = self.kinds[int(self.rng.integers(len(self.kinds)))]
        roll = self.rng.random()
        if roll < 0.06:
            return "bomb", self.mutated(self.pick(self.bombs)) if roll < 0.04 else self.pick(self.bombs)
        if roll < 0.16:
            return "polyglot", self.polyglot()
        data = self.mutated(self.pick(self.seeds[kind]))
        return kind, self.sealed(data) if kind == "PNG" and self.rng.random() < 0.6 else data

    def pick(self, among: list[bytes]) -> bytes:
        return among[int(self.rng.integers(len(among)))]

    def mutated(self, data: bytes) -> bytes:
        content = bytearray(data)
        ways: list[Callable[[bytearray], None]] = [
            self.flip,
            self.number,
            self.number,
            self.cut,
            self.repeat,
            self.splice,
        ]
        for _ in range(int(self.rng.integers(1, 5))):
            if len(content) > 8:
                ways[int(self.rng.integers(len(ways)))](content)
        return bytes(content[: LIMITS.bytes])

    def place(self, content: bytearray) -> int:
        """Half of the time in the first 512 bytes, where headers are."""
        room = len(content) if self.rng.random() < 0.5 else min(len(content), 512)
        return int(self.rng.integers(room))

    def flip(self, content: bytearray) -> None:
        for _ in range(int(self.rng.integers(1, 9))):
            content[self.place(content)] ^= 1 << int(self.rng.integers(8))

    def number(self, content: bytearray) -> None:
        size = int(self.rng.choice((1, 2, 4)))
        value = EDGES[int(self.rng.integers(len(EDGES)))] & (256**size - 1)
        at = self.place(content)
        content[at : at + size] = value.to_bytes(size, "big" if self.rng.random() < 0.5 else "little")

    def cut(self, content: bytearray) -> None:
        at = self.place(content)
        length = int(self.rng.integers(1, 64)) if self.rng.random() < 0.7 else len(content)
        del content[at : at + length]

    def repeat(self, content: bytearray) -> None:
        at, length = self.place(content), int(self.rng.integers(1, 200))
        content[at:at] = content[at : at + length] * int(self.rng.integers(1, 20))

    def splice(self, content: bytearray) -> None:
        other = self.pick(self.seeds[self.kinds[int(self.rng.integers(len(self.kinds)))]])
        at, there = self.place(content), int(self.rng.integers(len(other)))
        content[at : at + 40] = other[there : there + 40]

    def polyglot(self) -> bytes:
        """Two files in one: behind each other, inside each other, or one's head on another's body."""
        a, b = (self.pick(self.seeds[self.kinds[int(self.rng.integers(len(self.kinds)))]]) for _ in range(2))
        extra = (b, b"PK\x03\x04" + b, b"<html><script>" + b, b"%PDF-1.4\n" + b, bytes(1000))
        tail = extra[int(self.rng.integers(len(extra)))]
        at = int(self.rng.integers(2, 64))
        return [a + tail, tail + a, a[: len(a) // 2] + tail + a[len(a) // 2 :], a[:at] + b[at:]][
            int(self.rng.integers(4))
        ]

    def sealed(self, data: bytes) -> bytes:
        """A PNG with right checksums, so that what was mutated is also read."""
        out, at = bytearray(data[:8]), 8
        while at + 12 <= len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            if at + 12 + length > len(data):
                break
            body = data[at + 4 : at + 8 + length]
            out += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
            at += 12 + length
        return bytes(out + data[at:])


class Hang(BaseException):
    """One file took too long."""


def hang(*_: object) -> None:
    raise Hang


def main(seconds: float, seed: int, folder: Path) -> None:
    cv2.setNumThreads(1)
    mutator, finder = Mutator(seed), models.open_finder()
    counts: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    slowest = (0.0, "")
    started, in_hand = time.monotonic(), folder / "in-hand"
    signal.signal(signal.SIGALRM, hang)
    while (now := time.monotonic()) - started < seconds:
        kind, data = mutator.next()
        in_hand.write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        outcome = look(data, finder, reasons)
        signal.setitimer(signal.ITIMER_REAL, 0)
        counts.setdefault(kind, Counter())[outcome] += 1
        slowest = max(slowest, (time.monotonic() - now, kind))
    in_hand.unlink()
    values = {
        "seconds": round(time.monotonic() - started),
        "seed": seed,
        "files": sum(sum(c.values()) for c in counts.values()),
        "by_kind": {kind: dict(sorted(c.items())) for kind, c in sorted(counts.items())},
        "distinct_reasons": len(reasons),
        "commonest_reasons": dict(reasons.most_common(12)),
        "slowest_ms": round(slowest[0] * 1e3),
        "slowest_kind": slowest[1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    (folder / "counts.json").write_text(json.dumps(values))


def look(data: bytes, finder: Any, reasons: Counter[str]) -> str:
    """What `prepare` does with a file's bytes; anything but a `PhotoError` ends the process with a traceback."""
    try:
        photo = decode(data, LIMITS)
    except PhotoError as error:
        text = str(error)
        assert text and "\n" not in text and len(text) < 400, text
        reasons["".join("0" if c.isdigit() else c for c in text)[:60]] += 1
        return "rejected"
    assert photo.pixels.dtype == np.uint8 and photo.pixels.ndim == 3 and photo.pixels.shape[2] == 3
    assert (
        photo.pixels.flags.c_contiguous and 0 < photo.pixels.shape[0] * photo.pixels.shape[1] <= LIMITS.megapixels * 1e6
    )
    if np.random.default_rng(len(data)).random() < 0.1:  # the detector costs more than the decoders
        result = cut_all(photo, finder, Rules())
        return "decoded, no face" if isinstance(result, str) else "decoded, face"
    return "decoded"


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
