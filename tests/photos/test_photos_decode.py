"""Any bytes in: a right picture, or a sentence."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from photos_world import encoded
from PIL import Image, WebPImagePlugin

from edge_facenet.errors import PhotoError
from edge_facenet.photos import decode as decoding
from edge_facenet.photos.decode import Limits, decode
from edge_facenet.photos.shots import open_shot
from edge_facenet.photos.sniff import sniff

RNG = np.random.default_rng(1)


def scene(height: int = 60, width: int = 80) -> np.ndarray:
    """A smooth colour picture without symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + 2 * y) * 255 // (width + 2 * height)], -1).astype(
        np.uint8
    )


UNDO = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(UNDO[orientation](scene()))
    found = decode(encoded(stored, kind, exif=exif)).pixels
    assert found.shape == scene().shape
    assert np.abs(found.astype(int) - scene()).mean() < 4  # lossy formats lose about 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    picture = Image.fromarray(scene()).convert(mode)
    found = decode(encoded(picture, "PNG")).pixels
    assert found.shape == (60, 80, 3) and found.dtype == np.uint8 and found.flags.c_contiguous
    assert np.array_equal(found, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_what_is_transparent_becomes_white(kind: str) -> None:
    rgba = Image.new("RGBA", (20, 10), (10, 20, 30, 255))
    rgba.paste((200, 0, 0, 0), (10, 0, 20, 10))
    found = decode(encoded(rgba, kind, **({"lossless": True} if kind == "WEBP" else {}))).pixels
    assert found[5, 15].tolist() == [255, 255, 255]
    assert np.abs(found[5, 5].astype(int) - (10, 20, 30)).max() <= 8  # GIF's palette


def test_palette_with_transparent_entries() -> None:
    picture = Image.fromarray(scene()).convert("P")
    picture.info["transparency"] = 0
    assert decode(encoded(picture, "PNG")).pixels.shape == (60, 80, 3)


def cmyk(picture: np.ndarray) -> bytes:
    return encoded(Image.fromarray(picture).convert("CMYK"), "JPEG")


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee\x00\x0e")
    return data[:at] + data[at + 16 :]


def test_c004_cmyk_is_never_stored_as_a_negative() -> None:
    picture = scene(240, 320)
    data = cmyk(picture)
    assert np.abs(decode(data).pixels.astype(int) - picture).mean() < 12
    with pytest.raises(PhotoError, match="CMYK JPEG without an Adobe segment"):
        decode(without_adobe(data))
    at = data.index(b"\xff\xee\x00\x0e")
    with pytest.raises(PhotoError, match="YCCK"):
        decode(data[: at + 15] + b"\x02" + data[at + 16 :])
    with pytest.raises(PhotoError, match="colour transform 7"):
        decode(data[: at + 15] + b"\x07" + data[at + 16 :])


def test_c005_sixteen_bits_are_reduced_to_their_upper_eight() -> None:
    grey = scene()[..., 0]
    for wide in (grey.astype(np.uint16) * 257,):
        found = decode(encoded(Image.fromarray(wide), "PNG")).pixels
        assert np.array_equal(found, np.repeat(grey[..., None], 3, 2))
        assert np.array_equal(decode(encoded(Image.fromarray(wide), "TIFF")).pixels, found)
        white_is_zero = encoded(Image.fromarray(65535 - wide), "TIFF", tiffinfo={262: 0})
        assert np.array_equal(decode(white_is_zero).pixels, found)
    assert np.array_equal(decode(png16(scene())).pixels, scene())
    low = decode(png16(scene(), factor=1))
    assert low.luminance < 1


def png16(picture: np.ndarray, factor: int = 257) -> bytes:
    """A 16-bit RGB PNG, which Pillow does not write."""
    wide = (picture.astype(np.uint16) * factor).astype(">u2")
    rows = b"".join(b"\x00" + row.tobytes() for row in wide)
    height, width = picture.shape[:2]
    return png(struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0), zlib.compress(rows))


def png(header: bytes, content: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_sixteen_bit_ppm_and_thirty_two_bit_tiff() -> None:
    wide = (scene().astype(np.uint16) * 257).astype(">u2")
    assert np.array_equal(decode(b"P6 80 60 65535\n" + wide.tobytes()).pixels, scene())
    grey = (scene()[..., 0].astype(np.uint16) * 257).astype(">u2")
    assert np.array_equal(decode(b"P5 80 60 65535\n" + grey.tobytes()).pixels[..., 0], scene()[..., 0])
    with pytest.raises(PhotoError, match=r"colour space is F|32-bit"):
        decode(encoded(Image.fromarray(scene()[..., 0].astype(np.float32)), "TIFF"))
    with pytest.raises(PhotoError, match="32-bit"):
        decode(encoded(Image.fromarray(scene()[..., 0].astype(np.int32) * 10_000_000), "TIFF"))


HEIC = (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic").ljust(1024, b"\x00")


def test_c007_heic_without_the_extra_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sniff(HEIC)[0] == "HEIF"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    with pytest.raises(PhotoError, match=r"pip install 'edge-facenet\[heic\]'") as caught:
        decode(HEIC)
    assert caught.value.again


@pytest.mark.parametrize("lacks", ["plugin", "codec"])
def test_what_this_pillow_cannot_read_another_may(monkeypatch: pytest.MonkeyPatch, lacks: str) -> None:
    photo = encoded(scene(), "WEBP")
    Image.init()
    with monkeypatch.context() as patch:
        if lacks == "plugin":
            patch.delitem(Image.OPEN, "WEBP")
        else:
            patch.setattr(WebPImagePlugin, "SUPPORTED", False)
        for act in (lambda: decode(photo), lambda: open_shot(photo, Limits())):
            with pytest.raises(PhotoError, match="This installation of Pillow cannot read WEBP") as caught:
                act()
            assert caught.value.again
    assert decode(photo).kind == "WEBP"


def test_what_takes_too_much_memory_here_may_be_read_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoding, "_rgb", full)
    with pytest.raises(PhotoError, match="Not enough memory to decode this PNG") as caught:
        decode(encoded(scene(), "PNG"))
    assert caught.value.again


def test_what_is_wrong_with_the_file_itself_stays_wrong() -> None:
    photo = encoded(scene(), "PNG")
    for content in (b"hello", photo[:60], photo[: len(photo) // 2]):
        with pytest.raises(PhotoError) as caught:
            decode(content)
        assert not caught.value.again


def test_c007_heic_with_the_extra_is_read_upright() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra heic")
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    heif.from_pillow(Image.fromarray(np.ascontiguousarray(np.rot90(scene(), 1)))).save(
        stream, exif=exif.tobytes(), quality=95
    )
    found = decode(stream.getvalue())
    assert found.kind == "HEIF" and found.pixels.shape == scene().shape
    assert np.abs(found.pixels.astype(int) - scene()).mean() < 4
    with pytest.raises(PhotoError, match="Cannot decode this HEIF"):
        decode(HEIC)


def bomb_tiff() -> bytes:
    """200 bytes that claim 60000 x 60000 RGB."""
    tags = [
        (256, 4, 60000),
        (257, 4, 60000),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 2),
        (273, 4, 8),
        (277, 3, 3),
        (278, 4, 60000),
    ]
    tags.append((279, 4, 60000 * 60000 * 3 % 2**32))
    body = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
    body += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return (body + b"\x00\x00\x00\x00").ljust(200, b"\x00")


def test_c010_declared_size_is_judged_before_decoding() -> None:
    with pytest.raises(PhotoError, match=r"60,000 x 60,000 = 3,600.0 megapixels, the limit is 128"):
        decode(bomb_tiff())
    huge = png(struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0), zlib.compress(bytes(1000)))
    with pytest.raises(PhotoError, match=r"30,000 x 30,000 = 900.0 megapixels, the limit is 128"):
        decode(huge)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM"):
        with pytest.raises(PhotoError, match=r"megapixels, the limit is 0\.001"):
            decode(encoded(scene(), kind), Limits(megapixels=0.001))
    with pytest.raises(PhotoError, match="bytes, the limit is 100"):
        decode(encoded(scene(), "PNG"), Limits(bytes=100))
    with pytest.raises(PhotoError):
        decode(png(struct.pack(">IIBBBBB", 0, 10, 8, 2, 0, 0, 0), zlib.compress(b"")))


def test_compressed_metadata_does_not_unpack_into_memory() -> None:
    text = zlib.compress(bytes(20_000_000), 9)
    data = encoded(scene(), "PNG")
    chunk = b"zTXt" + b"a\x00\x00" + text
    bomb = data[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    with pytest.raises(PhotoError, match="Cannot decode this PNG"):
        decode(bomb)


def test_a_ppm_whose_header_takes_for_ever_is_refused() -> None:
    """Found by the fuzzer: Pillow reads a comment byte by byte, a minute for a file at the limit of size."""
    with pytest.raises(PhotoError, match="its header does not end within 65,536 bytes"):
        decode(b"P6\n#" + b"x" * 10_000_000 + b"\n1 1 255\n123")
    for start in (b"P6\n# a comment\n1 # another\n1\n255\n", b"P6 1 1 255\n", b"P6\r\n1 1\r\n255\n"):
        assert decode(start + b"abc").pixels.tolist() == [[[97, 98, 99]]]
    assert decode(b"P4 8 1\n\x0f").pixels.shape == (1, 8, 3)
    assert decode(b"P2 2 1 255\n7 9 ").pixels[0, :, 0].tolist() == [7, 9]


def progressive() -> tuple[bytes, int, bytes]:
    """A progressive JPEG, where its first scan begins, and that scan."""
    data = encoded(scene(), "JPEG", progressive=True)
    at = data.index(b"\xff\xda")
    return data, at, data[at : data.index(b"\xff", at + 20)]


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data, at, scan = progressive()
    with pytest.raises(PhotoError, match="scans, the limit is 100"):
        decode(data[:at] + scan * 1000 + data[at:])


@pytest.mark.parametrize("in_scans", [False, True])
def test_what_cameras_append_to_a_jpeg_is_no_scan(in_scans: bool) -> None:
    """Motion photos carry a film behind the picture's end, in which two bytes look like a scan now and then."""
    data = encoded(scene(), "JPEG", progressive=in_scans)
    assert np.array_equal(decode(data + b"\xff\xda" * 5000).pixels, decode(data).pixels)


def test_an_end_inside_a_segment_hides_no_scans() -> None:
    data, at, scan = progressive()
    note = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    with pytest.raises(PhotoError, match="scans, the limit is 100"):
        decode(data[:2] + note + data[2:at] + scan * 1000 + data[at:])


def test_a_marker_that_decoders_skip_hides_no_scans() -> None:
    data, at, scan = progressive()
    with pytest.raises(PhotoError, match="scans, the limit is 100"):
        decode(data[:at] + scan + b"\xff\x02\xff\xff" + scan * 1000 + data[at:])


def test_a_jpeg_of_nothing_but_segments_is_refused() -> None:
    data = encoded(scene(), "JPEG")
    with pytest.raises(PhotoError, match="10000 or more segments"):
        decode(data[:2] + b"\xff\xfe\x00\x02" * 10_000 + data[2:])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.fromarray(np.full((20, 20, 3), v, np.uint8)) for v in (200, 10, 100)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    assert abs(int(decode(stream.getvalue()).pixels[10, 10, 0]) - 200) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated_files_are_named(kind: str, share: float) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {kind}")
    data = encoded(RNG.integers(0, 256, (90, 70, 3), np.uint8), kind)
    with pytest.raises(PhotoError) as caught:
        decode(data[: int(len(data) * share)])
    assert 10 < len(str(caught.value)) < 250 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html><body>404", "a web page"),
        (b"\xef\xbb\xbf  <HTML>", "a web page"),
        (b"just some words\n", "text, not a picture"),
        ("Żółć, 홍길동\n".encode() * 200, "text, not a picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", "git lfs pull"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2", "a video"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x00\x05\x16\x07" + bytes(100), "AppleDouble"),
        (b"%!PS-Adobe-3.0 EPSF", "PostScript"),
        (bytes(50), "not a picture"),
        (bytes(range(128, 256)), "not a picture"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, what: str) -> None:
    with pytest.raises(PhotoError, match=what):
        decode(content)


def test_a_large_photo_is_read_smaller_and_says_by_how_much() -> None:
    picture = scene(600, 801)
    for kind in ("JPEG", "PNG"):
        photo = decode(encoded(picture, kind), Limits(work_side=256))
        assert photo.shrunk == 4
        assert photo.pixels.shape == (150, 201, 3)
        assert np.abs(photo.pixels[:, :200].astype(int) - picture[2::4, 2::4][:, :200]).mean() < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "TIFF deflated", "BMP"])
def test_damaged_bytes_never_crash_and_never_talk(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """40 seeded mutations per format: flips, cuts, repeats, and spliced pieces of another format."""
    rng = np.random.default_rng(len(kind))
    options = {"JPEG": {"progressive": True}, "TIFF deflated": {"compression": "tiff_adobe_deflate"}}.get(kind, {})
    whole = encoded(scene(), kind.split(maxsplit=1)[0], **options)
    for _ in range(40):
        damaged = mutate(whole, rng)
        try:
            photo = decode(damaged, Limits(megapixels=4))
        except PhotoError as error:
            assert "Traceback" not in str(error) and len(str(error)) < 300
        else:
            assert photo.pixels.dtype == np.uint8 and photo.pixels.ndim == 3 and photo.pixels.shape[2] == 3
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(content)))
        match int(rng.integers(0, 5)):
            case 0:
                content[at] ^= 1 << int(rng.integers(0, 8))
            case 1:
                content[at : at + 4] = rng.integers(0, 256, 4, np.uint8).tobytes()
            case 2:
                content[at : at + 4] = b"\xff\xff\xff\x7f"
            case 3:
                content[at:at] = content[at : at + int(rng.integers(1, 64))]
            case _:
                del content[max(at, 12) : max(at, 12) + int(rng.integers(1, 64))]
    return bytes(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_strip_of_a_few_px_is_read_smaller_too(kind: str) -> None:
    for width, height in ((9000, 3), (3, 9000), (9000, 1)):
        photo = decode(encoded(np.full((height, width, 3), 90, np.uint8), kind))
        assert photo.shrunk == 4 and max(photo.pixels.shape) == 2250 and np.abs(photo.pixels.astype(int) - 90).max() < 4


def test_pillow_s_own_limit_is_not_touched() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None and "PIL" in sys.modules
