"""Pictures for the Android app's tests: ORL faces as framed portraits on a wall, as photos, and as bad input.

    python tests/android/pictures.py build/android/app
    mvn -f android_demo test -Dpictures=$PWD/build/android/app

Made at test time; nothing of it is committed but the screens in docs/images. ORL: AT&T Laboratories Cambridge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from edge_facenet.photos import orl

WALL, MAT, WOOD = (206, 198, 186), (244, 242, 236), (74, 58, 46)
Place = tuple[int, int, int]
"""Left, top and width of a portrait, px."""


def face(person: int, photo: int, width: int) -> Image.Image:
    """One of ORL's pictures, 92 x 112 px, enlarged to `width` and given a photo's warm grey."""
    picture = Image.open(orl.folder() / f"s{person}/{photo}.pgm")
    grey = np.asarray(picture.resize((width, width * 112 // 92), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray((grey[..., None] * np.array([1.0, 0.97, 0.92], np.float32)).astype(np.uint8))


def wall(width: int, height: int, portraits: dict[tuple[int, int], Place]) -> Image.Image:
    """A lit wall with framed portraits: (person, photo) at a place."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.06 - 0.28 * np.hypot(x / width - 0.45, y / height - 0.35)
    picture = Image.fromarray(np.clip(light[..., None] * np.array(WALL), 0, 255).astype(np.uint8))
    for (person, photo), (left, top, wide) in portraits.items():
        hang(picture, face(person, photo, wide), left, top)
    return picture


def hang(picture: Image.Image, portrait: Image.Image, left: int, top: int) -> None:
    """A portrait with mat, frame and shadow; (left, top) is the frame's corner."""
    mat, frame = portrait.width // 14, portrait.width // 24
    right, bottom = left + portrait.width + 2 * (mat + frame), top + portrait.height + 2 * (mat + frame)
    shade = Image.new("L", picture.size, 0)
    ImageDraw.Draw(shade).rectangle((left + 6, top + 10, right + 6, bottom + 10), fill=110)
    picture.paste((60, 52, 44), mask=shade.filter(ImageFilter.GaussianBlur(9)))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, right, bottom), fill=WOOD)
    draw.rectangle((left + frame, top + frame, right - frame, bottom - frame), fill=MAT)
    picture.paste(portrait, (left + frame + mat, top + frame + mat))


def scenes() -> dict[str, Image.Image]:
    """What a camera sees: two enrolled people and a stranger, upright and across; ten faces; none; one."""
    trio = {
        (1, 7): (40, 110, 240),
        (2, 6): (385, 60, 240),
        (9, 4): (215, 510, 240),
    }
    across = {(1, 7): (60, 150, 215), (2, 6): (370, 110, 215), (9, 4): (680, 150, 215)}
    people = (3, 4, 5, 7, 9, 11, 12, 13, 15, 17)
    ten = {(p, 5): (34 + 225 * (n % 3) + 112 * (n // 9), 16 + 236 * (n // 3), 160) for n, p in enumerate(people)}
    ten_across = {(p, 5): (14 + 190 * (n % 5), 70 + 320 * (n // 5), 148) for n, p in enumerate(people)}
    return {
        "trio": wall(720, 960, trio),
        "trio-across": wall(960, 720, across),
        "ten": wall(720, 960, ten),
        "ten-across": wall(960, 720, ten_across),
        "nobody": wall(720, 960, {}),
        "one": wall(720, 960, {(1, 8): (160, 220, 340)}),
        "other": wall(720, 960, {(2, 7): (160, 220, 340)}),
        "blurred": wall(720, 960, {(1, 8): (160, 220, 340)}).filter(ImageFilter.GaussianBlur(16)),
    }


def photos() -> dict[str, Image.Image]:
    """What lies in a phone's gallery: single people, and a group."""
    single = {f"{person}-{photo}": portrait(person, photo) for person in (1, 2, 3, 9) for photo in (1, 2, 3, 4, 5)}
    return {**single, "group": wall(900, 600, {(1, 9): (60, 120, 240), (2, 9): (500, 120, 240)})}


def portrait(person: int, photo: int) -> Image.Image:
    """A face with room around it, 600 x 720 px."""
    picture = wall(600, 720, {})
    hang(picture, face(person, photo, 380), 80, 100)
    return picture


def bad(folder: Path) -> None:
    """A file that is cut off, one that is no picture, and a photo of 108 megapixels."""
    whole = (folder / "photos/1-1.jpg").read_bytes()
    (folder / "photos/no-picture.jpg").write_bytes(b"this is not a picture, whatever its name says\n" * 40)
    (folder / "photos/cut.jpg").write_bytes(whole[:200])
    large = Image.new("RGB", (12000, 9000), WALL)
    large.paste(face(1, 2, 3000), (4500, 2600))
    large.save(folder / "photos/large.jpg", "JPEG", quality=70)


def turned(folder: Path) -> None:
    """C154: one photo stored in the eight ways of EXIF."""
    upright = wall(640, 480, {(1, 3): (220, 90, 180)})
    stored = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions from upright to stored
    for orientation, kind in stored.items():
        tag = Image.Exif()
        tag[0x0112] = orientation
        picture = upright if kind is None else upright.transpose(Image.Transpose(kind))
        picture.save(folder / f"photos/exif-{orientation}.jpg", "JPEG", quality=98, subsampling=0, exif=tag)


def write(folder: Path) -> None:
    """All pictures; the last file is a mark that they are complete."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for name, picture in scenes().items():
        picture.save(folder / f"{name}.png")
    for name, picture in photos().items():
        picture.save(folder / f"photos/{name}.jpg", "JPEG", quality=92)
    bad(folder)
    turned(folder)
    (folder / "complete").write_text("tests/android/pictures.py\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
