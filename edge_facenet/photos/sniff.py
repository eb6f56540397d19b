"""What a file is, by its first bytes, never by its name."""

from __future__ import annotations

import codecs
import re

PICTURES = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
HEAD_BYTES = 1024

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", "a JPEG XL picture, which is not read; convert it to JPEG or PNG"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, which is not read; convert it to JPEG or PNG"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture, which is not read; convert it to JPEG or PNG"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture, which is not read; convert it to JPEG or PNG"),
    (b"8BPS", "a Photoshop document, which is not read; convert it to JPEG or PNG"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file, which is not read; convert it to JPEG or PNG"),
    (b"IIRO", "a camera's raw file, which is not read; convert it to JPEG or PNG"),
    (b"\x00\x00\x01\x00", "an icon, not a photo"),
    (b"%!PS", "a PostScript document, not a picture"),
    (b"%PDF", "a PDF document, not a picture"),
    (b"PK\x03\x04", "a zip archive, not a picture; unpack it first"),
    (b"\x1f\x8b", "a gzip archive, not a picture; unpack it first"),
    (b"Rar!", "a rar archive, not a picture; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, not a picture; unpack it first"),
    (b"\x00\x05\x16\x07", "macOS metadata (AppleDouble), not a picture"),
    (b"\x1aE\xdf\xa3", "a video, not a picture"),
    (b"SQLite format 3", "a database, not a picture"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def sniff(head: bytes) -> tuple[str | None, str]:
    """Recognise a file by its first `HEAD_BYTES` bytes.

    Returns:
        one of `PICTURES` and its name, or None and what the file is instead ("a web page (HTML), not a picture").
    """
    if not head:
        return None, "an empty file"
    if kind := _picture(head):
        return kind, kind
    for prefix, what in _OTHERS:
        if head.startswith(prefix):
            return None, what
    if head[4:8] == b"ftyp" or head[:4] == b"RIFF":
        return None, "a video or sound, not a picture"
    return None, _text(head)


def _picture(head: bytes) -> str | None:
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), 256), 4))]
        if any(b in (b"avif", b"avis") for b in brands):
            return "AVIF"
        if any(b in _HEIF_BRANDS for b in brands):
            return "HEIF"
    return None


def has_ppm_header(start: bytes) -> bool:
    """Whether the header of a PPM ends within its first bytes: comments of megabytes are read one byte at a time."""
    numbers = 2 if start[1:2] in b"14" else 3
    return re.match(rb"P[1-6](?:(?:\s|#[^\n]*\n)+\d+){%d}\s" % numbers, start) is not None


def _text(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the picture itself; type: git lfs pull"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return "a web page (HTML), not a picture"
    if b"<svg" in start:
        return "a drawing (SVG), which is not read; convert it to PNG"
    if start.startswith(b"<?xml"):
        return "an XML file, not a picture"
    if b"\x00" in head:
        return "not a picture"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # forgives a character cut at the end
    except UnicodeDecodeError:
        return "not a picture"
    return "text, not a picture"
