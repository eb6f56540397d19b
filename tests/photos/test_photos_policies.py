"""Several faces in one photo, quality limits, listings in a CSV, duplicates."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos_world import encoded, everything, grey, paste, put, reasons, sources, table
from PIL import Image
from test_photos_prepare import OneFace, Pixels, jpeg, people, picture

from edge_facenet.errors import InputError
from edge_facenet.photos import choose, likeness
from edge_facenet.photos.choose import Policy, chosen, real
from edge_facenet.photos.cropset import CropSet, CropSetWriter, Recipe
from edge_facenet.photos.decode import decode
from edge_facenet.photos.examine import Rules, cut_all
from edge_facenet.photos.face import Face
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.photos.listed import read_listing
from edge_facenet.photos.prepare import Report, prepare
from edge_facenet.photos.quality import QualityRules, judge, only
from edge_facenet.photos.rows import CropRow, read_index, write_index

FIVE = np.array([(40.0, 50), (70, 50), (55, 70), (42, 90), (68, 90)])


def face(score: float, box: tuple[float, float, float, float], presence: float = 1.0) -> Face:
    left, top, right, bottom = box
    points = FIVE / 110 * (right - left, bottom - top) + (left, top)
    return Face(score, box, points, presence)


LARGE, MIDDLE, CORNER = face(0.9, (20, 20, 220, 220)), face(0.95, (280, 190, 360, 270)), face(0.8, (560, 400, 620, 460))


class Several:
    """A finder that sees three faces, two, or one, by the first pixel; no small ones."""

    finds_small = False

    def find(self, photo: Pixels, most: int | None = None, *, turned: bool = True) -> tuple[list[Face], int]:
        if photo.shape[:2] != (480, 640):
            return [], 0
        faces = [LARGE, MIDDLE, CORNER][: int(photo[0, 0, 0])]
        return faces[:most], len(faces)


def crowd(folder: Path) -> Path:
    """Photos of one, two and three faces, of ann and of nobody."""
    shots = {}
    for count in (1, 2, 3):
        photo = np.random.default_rng(count).integers(0, 256, (480, 640, 3), np.uint8)
        photo[0, 0] = count
        shots[f"ann/{count}.png"] = encoded(photo, "PNG")
    return put(folder, shots)


def run(photos: Path, out: Path, rules: Rules) -> Report:
    return prepare([photos], out, rules, Several())  # type: ignore[arg-type]


def test_c026_each_policy_takes_the_face_it_says() -> None:
    shape = (480, 640, 3)
    for policy, expected in {
        "subject": [LARGE],
        "nearest": [MIDDLE],
        "largest": [LARGE],
        "all": [LARGE, MIDDLE, CORNER],
        "reject": [],
    }.items():
        assert chosen([LARGE, MIDDLE, CORNER], shape, policy) == expected  # type: ignore[arg-type]
    assert all(chosen([CORNER], shape, policy) == [CORNER] for policy in choose.MEANING)
    assert all(chosen([], shape, policy) == [] for policy in choose.MEANING)
    phantom, eye = face(0.55, (400, 20, 440, 60), presence=0.1), face(0.6, (60, 60, 100, 100))
    assert real([LARGE, phantom, eye, MIDDLE]) == [LARGE, MIDDLE]


@pytest.mark.parametrize("policy", choose.MEANING)
def test_c026_the_crop_set_says_what_was_taken(tmp_path: Path, policy: Policy) -> None:
    photos = crowd(tmp_path / "in")
    crops = run(photos, tmp_path / "out", Rules(faces=policy)).crops
    assert crops.seal.settings["face"] == choose.MEANING[policy]
    taken = [(row.source[4], row.face, row.faces, row.identity) for row in crops.rows]
    if policy == "all":
        assert taken == [
            ("1", 1, 1, "ann"),
            *[("2", k, 2, "") for k in (1, 2)],
            *[("3", k, 3, "") for k in (1, 2, 3)],
        ]
    elif policy == "reject":
        assert taken == [("1", 1, 1, "ann")]
        why = reasons(tmp_path / "out")["ann/2.png"]
        assert why == "2 faces: 20,20–220,220; 280,190–360,270. One is allowed (--faces reject)."
    else:
        number = 2 if policy == "nearest" else 1
        assert taken == [("1", 1, 1, "ann"), ("2", number, 2, "ann"), ("3", number, 3, "ann")]
    assert run(photos, tmp_path / "out", Rules(faces=policy)).unchanged
    put(photos, {"bob/1.png": (photos / "ann" / "1.png").read_bytes()})
    again = run(photos, tmp_path / "out", Rules(faces=policy))
    assert again.looked_at == 1 and len(again.crops) == len(crops) + 1


def test_c026_the_faces_of_a_photo_are_written_all_or_none(tmp_path: Path) -> None:
    """A kill after the second of three faces: the photo is looked at again, and nothing stands twice."""
    photos = crowd(tmp_path / "in")
    expected = everything(run(photos, tmp_path / "whole", Rules(faces="all")).crops.path)
    rows = CropSet.open(tmp_path / "whole").rows
    for kept in range(len(rows)):
        out = tmp_path / f"out{kept}"
        with CropSetWriter(out, Recipe(Rules().layout, Rules(faces="all").settings(small=False))) as writer:
            whole = CropSet.open(tmp_path / "whole")
            for source in ("ann/1.png", "ann/2.png", "ann/3.png"):
                group = [row for row in rows if row.source == source]
                if group[-1].row < kept:
                    writer.accept_all([(row, whole.crops([row.row])[0]) for row in group])
                elif group[0].row < kept:  # its crops reached the disk, its line did not
                    for row in group[: kept - group[0].row]:
                        writer._shards.append(row.row, whole.crops([row.row])[0].tobytes())
        run(photos, out, Rules(faces="all"))
        assert everything(out) == expected


def test_two_people_of_one_photo_through_the_real_networks(finder: FaceFinder, orl_folder: Path) -> None:
    from edge_facenet.photos.decode import Photo

    photo = grey(640, 480)
    for name, scale, at in (("s1", 2, (250, 150)), ("s2", 1, (20, 20))):
        one = np.asarray(Image.open(orl_folder / name / "1.pgm").convert("RGB"))
        paste(photo, np.repeat(np.repeat(one, scale, 0), scale, 1), at)
    found = {policy: cut_all(Photo(photo), finder, Rules(faces=policy)) for policy in choose.MEANING}
    assert isinstance(found["reject"], str) and found["reject"].startswith("2 faces: ")
    assert {policy: len(crops) for policy, crops in found.items() if not isinstance(crops, str)} == {
        "subject": 1,
        "nearest": 1,
        "largest": 1,
        "all": 2,
    }


# -- quality ----------------------------------------------------------------------------------------------------------


def test_the_figures_of_every_crop_stand_in_the_index(tmp_path: Path, finder: FaceFinder, orl_folder: Path) -> None:
    photos = tmp_path / "in"
    shutil.copytree(orl_folder / "s1", photos / "s1", ignore=shutil.ignore_patterns("*.jpg"))
    crops = prepare([photos], tmp_path / "out", finder=finder).crops
    rows = table(tmp_path / "out" / "index.csv")
    for name in ("score", "presence", "face_px", "blur", "luminance", "roll", "yaw", "pitch", "cut_off"):
        assert all(np.isfinite(float(row[name])) for row in rows), name
    assert len({row["yaw"] for row in rows}) > 5 and crops.seal.settings["quality"] == "everything is kept"
    turned = [row.source for row in crops.rows if abs(row.yaw or 0) > 20]
    strict = prepare([photos], tmp_path / "strict", Rules(quality=only({"yaw": 20})), finder).crops
    assert turned and sorted(reasons(tmp_path / "strict")) == turned
    assert strict.seal.settings["quality"]["yaw"] == 20
    assert all("Not good enough: turned away" in why for why in reasons(tmp_path / "strict").values())


def test_a_crop_set_counts_the_pixels_that_were_read(tmp_path: Path, finder: FaceFinder, orl_folder: Path) -> None:
    """A photo of 4,104 px is read at 2,052: its face has the figures of the same picture saved at that size."""
    face = np.asarray(Image.open(orl_folder / "s1" / "1.pgm").convert("RGB"))
    small = paste(grey(2052, 1539), face, (900, 700))
    large = small.repeat(2, 0).repeat(2, 1)
    photos = put(tmp_path / "in", {name: encoded(p, "PNG") for name, p in (("1.png", small), ("2.png", large))})
    saved, taken = prepare([photos], tmp_path / "out", finder=finder).crops.rows
    assert np.allclose(taken.points, 2 * np.array(saved.points), atol=0.01)  # of the photo as taken
    assert taken.face_px == saved.face_px and 30 < saved.face_px < 40
    for photo in (small, large):
        refused = cut_all(decode(encoded(photo, "PNG")), finder, Rules(quality=only({"face_px": 40})))
        assert refused == f"Not good enough: too small: {saved.face_px:g} px between the eyes, at least 40 needed."


def test_limits_that_are_not_given_refuse_nothing() -> None:
    from edge_facenet.photos.quality import Quality

    worst = Quality(0.0, 0.0, 255.0, 180.0, -180.0, 180.0, 0.0, 0.0, 1.0)
    assert judge(worst, only({})) == () and len(judge(worst, QualityRules())) > 5
    assert judge(worst, only({"face_px": 1})) == ("too small: 0 px between the eyes, at least 1 needed",)


def test_crop_sets_of_before_the_figures_are_read(tmp_path: Path) -> None:
    points = tuple((float(i), i + 0.5) for i in range(5))
    row = CropRow(0, "a", "a/1", 0.9, points, face=2, roll=1.0, yaw=-3.5, pitch=None)  # type: ignore[arg-type]
    content = write_index([row])
    assert read_index(content, "index.csv") == (row,)
    old = b"\n".join(b",".join(line.split(b",")[:-4]) for line in content.splitlines()) + b"\n"
    (read,) = read_index(old, "index.csv")
    assert read == replace(row, face=1, roll=None, yaw=None)
    for columns in (1, 3, 5):
        cut = b"\n".join(b",".join(line.split(b",")[:-columns]) for line in content.splitlines()) + b"\n"
        with pytest.raises(InputError, match="expected the columns"):
            read_index(cut, "index.csv")


# -- a CSV that lists photos ------------------------------------------------------------------------------------------


def listing(folder: Path, rows: list[tuple[str, str]]) -> Path:
    with (folder / "photos.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        csv.writer(stream).writerows([("path", "identity"), *rows])
    return folder / "photos.csv"


def test_a_csv_names_photos_and_people(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")
    (photos / "b\nb.jpg").write_bytes(jpeg(70))
    (photos / "hard.jpg").hardlink_to(photos / "ann" / "0.jpg")
    rows = [
        ("bob/0.jpg", "Zoë"),
        ("ann/1.jpg", ""),
        ("hard.jpg", "Eve"),
        ("ann/0.jpg", "Ann"),
        ("b\nb.jpg", "B"),
        ("no.jpg", "N"),
    ]
    for order in (rows, rows[::-1], rows + rows[:2]):
        out = tmp_path / f"out{len(order)}{order[0][1]}"
        crops = prepare([listing(photos, order)], out, finder=OneFace()).crops  # type: ignore[arg-type]
        assert {row.source: row.identity for row in crops.rows} == dict(rows[:-1])
        assert sources(crops) == ["ann/0.jpg", "ann/1.jpg", "b\nb.jpg", "bob/0.jpg", "hard.jpg"]
        assert reasons(out) == {"no.jpg": "The file cannot be read: No such file or directory."}
    absolute = listing(tmp_path, [(str(photos / "ann" / "2.jpg"), "x")])
    assert len(prepare([absolute], tmp_path / "abs", finder=OneFace()).crops) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no column path"),
        (b"file,who\na,b\n", "no column path"),
        (b"path,identity\na.jpg,x\na.jpg,y\n", "line 3: 'a.jpg' is 'y' here and 'x' above"),
        (b"path,identity\n,x\n", "line 2: there is no path"),
        (b'path,identity\n"a.jpg,x\n', "is not a CSV"),
        (b"path,identity\na\x00.jpg,x\n", "is not a CSV|there is no path"),
    ],
)
def test_a_csv_that_lists_nothing_is_refused_with_its_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "photos.csv").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_listing(tmp_path / "photos.csv")


def test_a_csv_stands_alone_and_folders_with_one_are_folders(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")
    table = listing(photos, [("ann/0.jpg", "x")])
    with pytest.raises(InputError, match="stands alone"):
        prepare([table, photos], tmp_path / "out", finder=OneFace())  # type: ignore[arg-type]
    assert len(prepare([photos], tmp_path / "out", finder=OneFace()).crops) == 6  # type: ignore[arg-type]
    assert "text" in reasons(tmp_path / "out")["photos.csv"]


# -- duplicates -------------------------------------------------------------------------------------------------------


def test_exact_and_near_duplicates_are_reported_and_kept(tmp_path: Path) -> None:
    photos = people(tmp_path / "in", "ann bob", each=2)
    put(
        photos,
        {"bob/copy.jpg": (photos / "ann" / "0.jpg").read_bytes(), "ann/again.jpg": encoded(picture(1), quality=60)},
    )
    crops = prepare([photos], tmp_path / "out", finder=OneFace()).crops  # type: ignore[arg-type]
    assert len(crops) == 6
    found = {row["source"]: (row["kind"], row["of_source"]) for row in table(tmp_path / "out" / "duplicates.csv")}
    assert found == {"bob/copy.jpg": ("exact", "ann/0.jpg"), "ann/again.jpg": ("near", "ann/1.jpg")}
    (note,) = [n for n in crops.seal.notes if n.startswith("Duplicates")]
    assert note == (
        "Duplicates: 1 photos have the bytes of an earlier one, 1 look like one; 1 of them stand under another name "
        "(duplicates.csv)."
    )
    (photos / "bob" / "copy.jpg").unlink()
    (photos / "ann" / "again.jpg").unlink()
    prepare([photos], tmp_path / "out", finder=OneFace())  # type: ignore[arg-type]
    assert table(tmp_path / "out" / "duplicates.csv") == []


def test_a_copy_of_a_photo_of_several_people_repeats_each_of_its_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = crowd(tmp_path / "in")
    put(photos, {"ann/copy.png": (photos / "ann" / "2.png").read_bytes()})
    crops = run(photos, tmp_path / "out", Rules(faces="all")).crops
    face_of = {str(row.row): row.face for row in crops.rows}
    twins = table(tmp_path / "out" / "duplicates.csv")
    assert [(t["kind"], t["source"], t["of_source"]) for t in twins] == [("exact", "ann/copy.png", "ann/2.png")] * 2
    assert [(face_of[t["row"]], face_of[t["of_row"]]) for t in twins] == [(1, 1), (2, 2)]
    (note,) = [n for n in crops.seal.notes if n.startswith("Duplicates")]
    assert note.startswith("Duplicates: 1 photos have the bytes of an earlier one, 0 look like one; 0 of them")
    for most, said in ((len(crops) - 2, False), (len(crops) - 3, True)):  # exact ones are not compared
        monkeypatch.setattr(likeness, "MOST", most)
        found = likeness.twins(crops.rows, lambda k: crops.crops([k]).tobytes(), 128, 8)
        notes = likeness.summary(found, crops.rows, "duplicates.csv")
        assert any("were not looked for" in n for n in notes) is said


def test_near_duplicates_equal_a_slow_search() -> None:
    rng = np.random.default_rng(5)
    crops = rng.integers(0, 256, (60, 32, 32, 3), np.uint8)
    for k in range(30):
        crops[30 + k] = np.clip(crops[rng.integers(30)].astype(int) + rng.integers(-4, 5, (32, 32, 3)), 0, 255)
    points = ((0.0, 0.0),) * 5
    rows = [CropRow(k, "", f"{k}.jpg", 1.0, points, sha256=f"{k}") for k in range(60)]  # type: ignore[arg-type]
    rows[59] = replace(rows[59], source="58.jpg")
    likeness._CHUNK, before = 16, likeness._CHUNK
    try:
        found = likeness.twins(rows, lambda k: crops[k].tobytes(), 32, 0)
    finally:
        likeness._CHUNK = before
    marks = np.stack([likeness.signature(c.tobytes(), 32, 0) for c in crops]).astype(np.float64)
    expected = {}
    for k in range(1, 60):
        scores = marks[:k] @ marks[k]
        if scores.max() >= likeness.NEAR and rows[int(scores.argmax())].source != rows[k].source:
            expected[k] = int(scores.argmax())
    assert {twin.row: twin.of for twin in found} == expected and len(expected) >= 29
