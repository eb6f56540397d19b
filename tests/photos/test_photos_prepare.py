"""`prepare`: every photo is a crop or a row with a reason, and nothing is ever lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos_world import encoded, everything, grey, paste, put, reasons, sources, table
from PIL import Image
from test_photos_decode import bomb_tiff, cmyk, png16, without_adobe

from edge_facenet.errors import InputError, OutputError
from edge_facenet.photos.cropset import CropSet, Layout
from edge_facenet.photos.examine import Rules
from edge_facenet.photos.face import Face
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.photos.growing import CropSetWriter
from edge_facenet.photos.prepare import MOST_DEATHS, Report, prepare

Pixels = np.ndarray
SYNTHETIC = pytest.mark.xdist_group("synthetic-faces")  # made once, by one worker


class OneFace:
    """A finder that sees one face in the middle of every photo that is not plain: quick, and needs no models."""

    finds_small = False

    def find(self, photo: Pixels, most: int | None = None) -> tuple[list[Face], int]:
        if photo.std() < 1:
            return [], 0
        height, width = photo.shape[:2]
        points = np.array([(0.35, 0.4), (0.65, 0.4), (0.5, 0.55), (0.4, 0.7), (0.6, 0.7)]) * (width, height)
        return [Face(0.9, (0, 0, width, height), points, 1.0)], 1


def picture(number: int, size: int = 64) -> Pixels:
    """A small colour picture; another number is another picture."""
    rough = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(rough, (size, size), interpolation=cv2.INTER_CUBIC)


def jpeg(number: int) -> bytes:
    return encoded(picture(number))


def run(photos: Path | list[Path], out: Path, rules: Rules = Rules()) -> Report:
    return prepare(photos if isinstance(photos, list) else [photos], out, rules, OneFace())  # type: ignore[arg-type]


def people(folder: Path, names: str = "ann bob", each: int = 3) -> Path:
    return put(folder, {f"{n}/{i}.jpg": jpeg(100 * k + i) for k, n in enumerate(names.split()) for i in range(each)})


# -- what a photo becomes ---------------------------------------------------------------------------------------------


def test_totals_add_up_and_tables_read_back(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")
    put(photos, {"bob/plain.png": encoded(grey(50, 50), "PNG"), "notes.txt": b"hello", "flat.jpg": jpeg(7)})
    report = run(photos, tmp_path / "out")
    crops = report.crops
    assert report.photos == 9 and len(crops) == 7 and crops.seal.rejected == 2 and report.looked_at == 9
    assert crops.identities == ("ann", "bob") and (crops.labels < 0).sum() == 1
    assert [r["source"] for r in table(tmp_path / "out" / "index.csv")] == sources(crops)
    assert reasons(tmp_path / "out") == {
        "bob/plain.png": "No face found (mean luminance 128.0 of 255).",
        "notes.txt": "This is text, not a picture.",
    }
    assert CropSet.open(tmp_path / "out").rows == crops.rows
    assert sorted(everything(tmp_path / "out")) == [
        "crops-00000.npy",
        "duplicates.csv",
        "index.csv",
        "prepare.json",
        "rejected.csv",
    ]


@SYNTHETIC
def test_c003_a_turned_face_is_stored_upright_or_not_at_all(tmp_path: Path, synthetic, finder: FaceFinder) -> None:  # type: ignore[no-untyped-def]
    files = {
        f"{seed}/{turns}.png": encoded(np.ascontiguousarray(np.rot90(synthetic.canvas(seed), turns)), "PNG")
        for seed in range(1, 11)
        for turns in range(4)
    }
    crops = prepare([put(tmp_path / "in", files)], tmp_path / "out", finder=finder).crops
    assert len(crops) + crops.seal.rejected == 40 and len(crops) >= 38
    upright = {row.source[:-6]: crops.crops([row.row])[0] for row in crops.rows if row.source.endswith("/0.png")}
    for row in crops.rows:
        turns = int(row.source[-5])
        assert row.turned == -90 * turns % 360
        reference, found = upright[row.source[:-6]].astype(int), crops.crops([row.row])[0].astype(int)
        wrong = min(np.abs(np.rot90(found, k) - reference).mean() for k in (1, 2, 3))
        assert np.abs(found - reference).mean() < 10 < wrong


@SYNTHETIC
def test_c004_c005_colour_spaces_and_depths(tmp_path: Path, synthetic, finder: FaceFinder) -> None:  # type: ignore[no-untyped-def]
    face = synthetic.canvas(1)
    grey_face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    files = {
        "a8.png": encoded(face, "PNG"),
        "b16.png": png16(face),
        "c16low.png": png16(face, factor=1),
        "d8grey.png": encoded(grey_face, "PNG"),
        "e16grey.png": encoded(Image.fromarray(grey_face.astype(np.uint16) * 257), "PNG"),
        "f.jpg": cmyk(face),
        "g.jpg": without_adobe(cmyk(face)),
    }
    crops = prepare([put(tmp_path / "in", files)], tmp_path / "out", finder=finder).crops
    assert sources(crops) == ["a8.png", "b16.png", "d8grey.png", "e16grey.png", "f.jpg"]
    pixels = crops.crops(range(5)).astype(int)
    assert np.abs(pixels[0] - pixels[1]).max() <= 1 and np.abs(pixels[2] - pixels[3]).max() <= 1
    assert np.abs(pixels[4] - pixels[0]).mean() < 12
    why = reasons(tmp_path / "out")
    assert "nearly black" in why["c16low.png"] and "mean luminance" in why["c16low.png"]
    assert "CMYK" in why["g.jpg"]


def test_c007_heic_is_a_row_and_is_looked_at_again(tmp_path: Path) -> None:
    heic = (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic").ljust(1024, b"\x00")
    photos = put(people(tmp_path / "in"), {"a.heic": heic, "b.jpg": heic})
    report = run(photos, tmp_path / "out")
    rows = {r["photo"]: r for r in table(tmp_path / "out" / "rejected.csv")}
    assert set(rows) == {"a.heic", "b.jpg"} and report.photos == 8
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        assert all("pip install 'edge-facenet[heic]'" in r["reason"] and not r["sha256"] for r in rows.values())
        again = run(photos, tmp_path / "out")
        assert again.unchanged and again.looked_at == 2
    else:
        assert all("Cannot decode" in r["reason"] for r in rows.values())


def test_what_pillow_learns_to_read_becomes_a_crop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another installation may read is looked at again at every run; what is wrong for good is not."""
    photos = put(people(tmp_path / "in"), {"ann/a.webp": encoded(picture(5), "WEBP"), "notes.txt": b"hello"})
    Image.init()
    with monkeypatch.context() as patch:
        patch.delitem(Image.OPEN, "WEBP")
        run(photos, tmp_path / "out")
        rows = {r["photo"]: r for r in table(tmp_path / "out" / "rejected.csv")}
        assert "Pillow cannot read WEBP" in rows["ann/a.webp"]["reason"] and not rows["ann/a.webp"]["sha256"]
        again = run(photos, tmp_path / "out")
        assert again.unchanged and again.looked_at == 1
    report = run(photos, tmp_path / "out")
    assert "ann/a.webp" in sources(report.crops) and set(reasons(tmp_path / "out")) == {"notes.txt"}


def test_c010_a_bomb_is_refused_unread_and_not_tried_again(tmp_path: Path) -> None:
    photos = put(people(tmp_path / "in", each=5), {"ann/bomb.tif": bomb_tiff()})
    limited = [
        "bash",
        "-c",
        'ulimit -v 3000000; exec "$@"',
        "-",
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv[3]); from pathlib import Path; from test_photos_prepare import run\n"
        "print(run(Path(sys.argv[1]), Path(sys.argv[2])).looked_at)",
        str(photos),
        str(tmp_path / "out"),
        str(Path(__file__).parent),
    ]
    assert subprocess.check_output(limited, text=True) == "11\n"
    assert "3,600.0 megapixels, the limit is 128" in reasons(tmp_path / "out")["ann/bomb.tif"]
    before = everything(tmp_path / "out")
    assert subprocess.check_output(limited, text=True) == "0\n"
    assert everything(tmp_path / "out") == before
    (photos / "ann" / "bomb.tif").write_bytes(jpeg(999))
    report = run(photos, tmp_path / "out")
    assert report.looked_at == 1 and len(report.crops) == 11


def test_c010_a_photo_that_kills_the_process_is_found_out(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")

    class Dies(OneFace):
        def find(self, photo: Pixels, most: int | None = None) -> tuple[list[Face], int]:
            if np.array_equal(photo, killer):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().find(photo, most)

    (photos / "ann" / "1.jpg").unlink()
    put(photos, {"ann/1.png": encoded(picture(5), "PNG")})
    killer = picture(5)
    for _ in range(MOST_DEATHS):
        if (child := os.fork()) == 0:
            prepare([photos], tmp_path / "out", finder=Dies())  # type: ignore[arg-type]
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    report = prepare([photos], tmp_path / "out", finder=Dies())  # type: ignore[arg-type]
    assert len(report.crops) == 5
    assert reasons(tmp_path / "out")["ann/1.png"].startswith("The process was killed 3 times while it held this file")
    assert prepare([photos], tmp_path / "out", finder=Dies()).unchanged  # type: ignore[arg-type]


def test_an_interruption_is_not_held_against_a_photo(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")

    class Interrupts(OneFace):
        def find(self, photo: Pixels, most: int | None = None) -> tuple[list[Face], int]:
            raise KeyboardInterrupt

    for _ in range(MOST_DEATHS + 1):
        with pytest.raises(KeyboardInterrupt):
            prepare([photos], tmp_path / "out", finder=Interrupts())  # type: ignore[arg-type]
    assert len(run(photos, tmp_path / "out").crops) == 6


def test_c012_names_come_back_byte_by_byte(tmp_path: Path) -> None:
    korean = [unicodedata.normalize(f, n) for n in ("홍길동.jpg", "é.jpg") for f in ("NFC", "NFD")]
    given = [n.encode() for n in (*korean, "😀.jpg", "a\nb.jpg", 'q",\r.jpg', "=1+1.jpg")] + [b"\xff.jpg"]
    home = os.path.join(os.fsencode(tmp_path), b"in", "Łukasz Ś".encode())
    os.makedirs(home)
    for number, name in enumerate(given):
        with open(os.path.join(home, name), "wb") as stream:
            stream.write(jpeg(number))
    report = run(tmp_path / "in", tmp_path / "out")
    read = [r["source"].encode("utf-8", "surrogateescape") for r in table(tmp_path / "out" / "index.csv")]
    assert read == sorted("Łukasz Ś/".encode() + name for name in given)
    assert report.crops.identities == ("Łukasz Ś",)
    assert run(tmp_path / "in", tmp_path / "out").unchanged
    assert max(len(name) for name in os.listdir(tmp_path / "out")) < 30  # nothing is named after a photo or a person


def test_c014_c015_c016_content_decides_not_the_name(tmp_path: Path) -> None:
    html = b"<!DOCTYPE html><html><body>404</body></html>"
    files = {
        "A.JPG": jpeg(1),
        "B.JpEg": jpeg(2),
        "c.PNG": encoded(picture(3), "PNG"),
        "d.jfif": jpeg(4),
        "e": jpeg(5),
        "f.txt": b"text",
        "g.jpg": encoded(picture(6), "WEBP"),
        "h.jpeg": encoded(picture(7), "PNG"),
        "i.jpg": html,
        "j.jpg": b"",
        "a" * 200 + "/" + "b" * 240 + ".jpg": jpeg(8),
    }
    report = run(put(tmp_path / "in", files), tmp_path / "out")
    assert sorted(reasons(tmp_path / "out")) == ["f.txt", "i.jpg", "j.jpg"]
    assert reasons(tmp_path / "out")["i.jpg"] == "This is a web page (HTML), not a picture."
    assert report.photos == 11 and len(report.crops) == 8


def test_c016_no_crop_at_all_leaves_nothing_behind(tmp_path: Path) -> None:
    photos = put(tmp_path / "in", {"c.jpg": b"<html></html>", "d.jpg": encoded(grey(50, 50))})
    with pytest.raises(InputError, match=r"None of 2 files gave a crop: 'c\.jpg': This is a web page"):
        run(photos, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="no files"):
        run(put(tmp_path / "empty", {}) if (tmp_path / "empty").mkdir() is None else tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_c020_broken_links_are_rows_and_rules_are_notes(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")
    (photos / "bob" / "broken.jpg").symlink_to("nowhere")
    (photos / "bob" / "again.jpg").symlink_to(photos / "ann" / "0.jpg")
    (photos / "loop").symlink_to(photos)
    report = run(photos, tmp_path / "out")
    assert report.photos == 7 and list(reasons(tmp_path / "out")) == ["bob/broken.jpg"]
    assert any("each real file is taken once" in note for note in report.crops.seal.notes)
    assert run(photos, tmp_path / "out").unchanged


def test_c022_labels_belong_to_names_and_adding_a_person_changes_none(tmp_path: Path) -> None:
    photos = people(tmp_path / "in", "zeta alpha Beta 10 9", each=2)
    first = run(photos, tmp_path / "out").crops
    assert first.identities == ("9", "10", "Beta", "alpha", "zeta")
    assert [first.identities[k] for k in first.labels] == [r.source.split("/")[0] for r in first.rows]
    before = {r.source: (r.row, r.identity, first.crops([r.row]).tobytes()) for r in first.rows}
    put(photos, {"aaa/0.jpg": jpeg(801), "aaa/1.jpg": jpeg(802)})
    report = run(photos, tmp_path / "out")
    second = report.crops
    assert report.looked_at == 2 and len(second) == 12 and "aaa" in second.identities
    after = {r.source: (r.row, r.identity, second.crops([r.row]).tobytes()) for r in second.rows}
    assert {name: after[name] for name in before} == before


def test_c023_each_file_once_and_colliding_names_noted(tmp_path: Path) -> None:
    photos = put(tmp_path / "in", {"ann/img.jpg": jpeg(1), "ann/IMG.JPG": jpeg(2), "Ann/x.jpg": jpeg(3)})
    report = run([photos, photos / "ann"], tmp_path / "out")
    assert len(report.crops) == 3 and report.crops.identities == ("Ann", "ann")
    assert not np.array_equal(*report.crops.crops([1, 2]))
    assert sum("One name on Windows and macOS" in n for n in report.crops.seal.notes) == 2


def test_c024_subfolders_and_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = put(people(tmp_path / "in"), {"ann/old.jpg/1.jpg": jpeg(50), "ann/old.jpg/2.jpg": jpeg(51)})
    secret = os.fsencode(photos / "ann" / "1.jpg")
    real = os.open

    def guarded(path: object, *rest: object, **more: object) -> int:  # root may read a file of mode 000
        if path == secret:
            raise PermissionError(13, "Permission denied", path)
        return real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", guarded)
    report = run(photos, tmp_path / "out")
    assert reasons(tmp_path / "out") == {"ann/1.jpg": "The file cannot be read: Permission denied."}
    assert len(report.crops) == 7 and {r.identity for r in report.crops.rows} == {"ann", "bob"}
    monkeypatch.undo()
    assert len(run(photos, tmp_path / "out").crops) == 8  # readable again: looked at again


@SYNTHETIC
def test_c032_a_face_cut_by_the_edge(tmp_path: Path, synthetic, finder: FaceFinder) -> None:  # type: ignore[no-untyped-def]
    half = paste(grey(640, 480), synthetic.face(1, 200)[:, 90:], (0, 140))
    little = paste(grey(640, 480), synthetic.face(1, 200)[:, 30:], (0, 140))
    photos = put(tmp_path / "in", {"half.png": encoded(half, "PNG"), "little.png": encoded(little, "PNG")})
    crops = prepare([photos], tmp_path / "out", finder=finder).crops
    assert crops.seal.settings["outside the photo"] == "replicate"
    assert sources(crops) == ["little.png"] and crops.rows[0].outside > 0.05
    assert "lies outside the photo" in reasons(tmp_path / "out")["half.png"]


@SYNTHETIC
def test_c041_dark_faces_are_reported_with_their_luminance(tmp_path: Path, synthetic, finder: FaceFinder) -> None:  # type: ignore[no-untyped-def]
    dark = {f"{k}.png": encoded((synthetic.canvas(k) * 0.02).astype(np.uint8), "PNG") for k in (1, 2)}
    photos = put(tmp_path / "in", {**dark, "bright.png": encoded(synthetic.canvas(3), "PNG")})
    crops = prepare([photos], tmp_path / "out", finder=finder).crops
    assert crops.seal.settings["brightened"] is False
    for row in table(tmp_path / "out" / "rejected.csv"):
        assert float(row["luminance"]) < 10 and "nearly black" in row["reason"]


@SYNTHETIC
def test_c041_dark_and_back_lit_faces_are_found_step_by_step(tmp_path: Path, synthetic, finder: FaceFinder) -> None:  # type: ignore[no-untyped-def]
    """The floor is what C041 reports of YuNet on the dark photos; a background takes nothing from it."""
    floor = {1: 10, 0.5: 10, 0.25: 10, 0.1: 8, 0.05: 0}
    lit = np.broadcast_to(np.linspace(0, 255, 640).round().astype(np.uint8)[:, None], (480, 640, 3))
    photos = tmp_path / "in"
    for step in floor:
        for seed in range(1, 11):
            face = (synthetic.face(seed, 200) * step).round().astype(np.uint8)
            plain, back_lit = ((grey(640, 480) * step).astype(np.uint8), lit.copy())
            names = (f"plain {step}/{seed}.png", f"back-lit {step}/{seed}.png")
            pictures = (paste(canvas, face, (220, 140)) for canvas in (plain, back_lit))
            put(photos, {name: encoded(one, "PNG") for name, one in zip(names, pictures, strict=True)})
    crops = prepare([photos], tmp_path / "out", finder=finder).crops
    found = Counter(row.identity for row in crops.rows if np.abs(np.array(row.points) - (320, 240)).max() < 100)
    missed = table(tmp_path / "out" / "rejected.csv")
    assert len(crops) + len(missed) == 20 * len(floor) and all(row["luminance"] for row in missed)
    for step, least in floor.items():
        assert found[f"plain {step}"] >= least and found[f"back-lit {step}"] >= least, (step, found)


def test_points_are_those_of_the_photo_even_when_it_is_read_smaller(tmp_path: Path) -> None:
    from edge_facenet.photos.decode import Limits

    photos = put(tmp_path / "in", {"a.png": encoded(picture(1, 800), "PNG")})
    small = run(photos, tmp_path / "small", Rules(limits=Limits(work_side=256))).crops.rows[0]
    full = run(photos, tmp_path / "full").crops.rows[0]
    assert np.allclose(small.points, full.points, atol=1) and small.scale == pytest.approx(full.scale, rel=1e-3)


def test_other_sizes_keep_the_template_s_share(tmp_path: Path) -> None:
    crops = run(people(tmp_path / "in"), tmp_path / "out", Rules(Layout(160, 10))).crops
    assert crops.crops([0]).shape == (1, 160, 160, 3) and crops.cut([0, 1], 112).shape == (2, 112, 112, 3)
    plain = run(tmp_path / "in", tmp_path / "plain").crops
    assert np.abs(crops.cut(range(6), 112).astype(int) - plain.cut(range(6), 112)).mean() < 3


# -- running again ----------------------------------------------------------------------------------------------------


def test_the_same_photos_again_change_nothing(tmp_path: Path) -> None:
    photos, out = people(tmp_path / "in"), tmp_path / "out"
    run(photos, out)
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.iterdir()}
    report = run(photos, out)
    assert report.unchanged and report.looked_at == 0
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.iterdir()} == before


def test_changed_removed_and_renamed_photos(tmp_path: Path) -> None:
    photos, out = people(tmp_path / "in", "ann bob eve"), tmp_path / "out"
    run(photos, out)
    about = (photos / "ann" / "1.jpg").stat()
    (photos / "ann" / "1.jpg").write_bytes(jpeg(900))
    os.utime(photos / "ann" / "1.jpg", ns=(about.st_atime_ns, about.st_mtime_ns))  # noticed by content, not by date
    (photos / "bob" / "0.jpg").unlink()
    (photos / "eve").rename(photos / "eva")
    report = run(photos, out)
    assert report.looked_at == 4 and len(report.crops) == 8
    assert sources(report.crops)[:4] == ["ann/0.jpg", "ann/2.jpg", "bob/1.jpg", "bob/2.jpg"]
    assert sources(report.crops)[4:] == ["ann/1.jpg", "eva/0.jpg", "eva/1.jpg", "eva/2.jpg"]
    fresh = run(photos, tmp_path / "fresh").crops
    pixels = {r.source: fresh.crops([r.row]).tobytes() for r in fresh.rows}
    assert all(report.crops.crops([r.row]).tobytes() == pixels[r.source] for r in report.crops.rows)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    photos, out = people(tmp_path / "in"), tmp_path / "out"
    run(photos, out)
    before = everything(out)
    with pytest.raises(OutputError, match="other settings"):
        run(photos, out, Rules(Layout(160, 10)))
    assert everything(out) == before
    with pytest.raises(KeyboardInterrupt):
        prepare([photos], tmp_path / "half", finder=_Stops(3))  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="unfinished crop set of other settings"):
        run(photos, tmp_path / "half", Rules(Layout(160, 10)))
    assert len(run(photos, tmp_path / "half").crops) == 6


class _Stops(OneFace):
    def __init__(self, after: int) -> None:
        self.left = after

    def find(self, photo: Pixels, most: int | None = None) -> tuple[list[Face], int]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().find(photo, most)


@pytest.mark.parametrize("what", ["file", "folder", "crop set"])
def test_an_output_that_holds_something_else_is_refused(tmp_path: Path, what: str) -> None:
    photos, out = people(tmp_path / "in"), tmp_path / "out"
    if what == "file":
        out.write_bytes(b"mine")
    elif what == "folder":
        put(out, {"thesis.doc": b"mine"})
    else:
        put(out, {"prepare.json": b"{}"})
    before = everything(tmp_path)
    with pytest.raises(OutputError):
        run(photos, out)
    assert everything(tmp_path) == before


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    photos = put(people(tmp_path / "in", "ann bob eve"), {"ann/plain.png": encoded(grey(9, 9), "PNG")})
    expected = everything(run(photos, tmp_path / "whole").crops.path)
    for after in (0, 1, 4, 9):
        out = tmp_path / f"out{after}"
        with pytest.raises(KeyboardInterrupt):
            prepare([photos], out, finder=_Stops(after))  # type: ignore[arg-type]
        if after > 0:
            with pytest.raises(InputError, match="not finished"):
                CropSet.open(out)
        report = run(photos, out)
        assert report.looked_at == 10 - after
        assert everything(out) == expected


def test_a_crash_of_the_machine_loses_only_the_end(tmp_path: Path) -> None:
    """What was written last may be missing, torn or zero after a power cut."""
    photos = people(tmp_path / "in", "ann bob eve")
    expected = everything(run(photos, tmp_path / "whole").crops.path)
    for number, damage in enumerate(
        ("cut journal", "torn journal", "zero crop", "cut shard", "no shard", "extra shard")
    ):
        out = tmp_path / f"out{number}"
        with pytest.raises(KeyboardInterrupt):
            prepare([photos], out, finder=_Stops(7))  # type: ignore[arg-type]
        journal, shard = out / ".growing" / "journal.jsonl", out / ".growing" / "crops-00000.npy"
        match damage:
            case "cut journal":
                journal.write_bytes(journal.read_bytes()[:-1000])
            case "torn journal":
                journal.write_bytes(journal.read_bytes()[:-20] + bytes(20))
            case "zero crop":
                content = shard.read_bytes()
                shard.write_bytes(content[: 128 + 4 * 49152] + bytes(len(content) - 128 - 4 * 49152))
            case "cut shard":
                shard.write_bytes(shard.read_bytes()[: 128 + 3 * 49152 + 17])
            case "no shard":
                shard.unlink()
            case _:
                (out / ".growing" / "crops-00001.npy").write_bytes(b"left over")
        run(photos, out)
        assert everything(out) == expected


def test_photos_that_change_while_a_run_is_interrupted(tmp_path: Path) -> None:
    photos, out = people(tmp_path / "in"), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare([photos], out, finder=_Stops(4))  # type: ignore[arg-type]
    (photos / "ann" / "0.jpg").write_bytes(jpeg(77))
    put(photos, {"aaa/new.jpg": jpeg(78)})
    assert everything(run(photos, out).crops.path) == everything(run(photos, tmp_path / "fresh").crops.path)


def test_a_name_put_right_while_a_run_is_interrupted(tmp_path: Path) -> None:
    photos, out, listing = people(tmp_path / "in"), tmp_path / "out", tmp_path / "list.csv"
    names = sorted(str(path) for path in photos.rglob("*.jpg"))

    def write(first: str) -> None:
        listing.write_text("path,identity\n" + "".join(f"{n},{'bob' if k else first}\n" for k, n in enumerate(names)))

    write("ann")
    with pytest.raises(KeyboardInterrupt):
        prepare([listing], out, finder=_Stops(4))  # type: ignore[arg-type]
    write("eve")
    assert {row.identity for row in run(listing, out).crops.rows} == {"bob", "eve"}


@pytest.mark.parametrize("step", range(7))
def test_the_last_move_is_finished_by_the_next_run(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill between any two renames of sealing: the older crop set is replaced whole, later or now."""
    photos, out = people(tmp_path / "in"), tmp_path / "out"
    run(photos, out)
    put(photos, {"eve/0.jpg": jpeg(500)})
    expected = everything(run(photos, shutil.copytree(out, tmp_path / "twin")).crops.path)
    calls = 0
    real_replace, real_unlink = os.replace, Path.unlink

    class Killed(BaseException):
        pass

    def count() -> None:
        nonlocal calls
        if (tmp_path / "out" / ".growing" / "prepare.json").exists():
            calls += 1
            if calls > step:
                raise Killed

    def replace(source: object, target: object) -> None:
        count()
        real_replace(source, target)  # type: ignore[arg-type]

    def unlink(self: Path, missing_ok: bool = False) -> None:
        count()
        real_unlink(self, missing_ok)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(Killed):
        run(photos, out)
    monkeypatch.undo()
    assert run(photos, out).looked_at <= 1
    assert everything(out) == expected


def test_a_carriage_return_in_a_name_is_a_name(tmp_path: Path) -> None:
    """macOS keeps a folder's picture in a file "Icon\\r"."""
    photos = put(people(tmp_path / "in"), {"Icon\r": b"", "ann/b\rc.jpg": jpeg(50)})
    first = run(photos, tmp_path / "out")
    assert "ann/b\rc.jpg" in sources(first.crops) and list(reasons(tmp_path / "out")) == ["Icon\r"]
    assert run(photos, tmp_path / "out").unchanged
    assert CropSet.open(tmp_path / "out").rows == first.crops.rows


def test_two_runs_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    recipe = run(people(tmp_path / "in"), tmp_path / "first")
    assert recipe.crops
    from edge_facenet.photos.growing import Recipe

    with CropSetWriter(tmp_path / "out", Recipe()), pytest.raises(OutputError, match="Another edge-facenet prepare"):
        CropSetWriter(tmp_path / "out", Recipe())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs tmpfs")
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_elsewhere(tmp_path: Path) -> None:
    photos, disk = people(tmp_path / "in", "ann bob eve", each=4), tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        with pytest.raises(OutputError, match=r"No space left on device.*run the same command again"):
            run(photos, disk / "out")
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        report = run(photos, disk / "out")
        assert 0 < report.looked_at < 12
        assert everything(disk / "out") == everything(run(photos, tmp_path / "out").crops.path)
        # a full disk while a finished crop set grows: the finished one stays whole
        put(photos, {f"zoe/{i}.jpg": jpeg(i + 600) for i in range(80)})
        before = everything(disk / "out")
        with pytest.raises(OutputError, match="No space left"):
            run(photos, disk / "out")
        assert {k: v for k, v in everything(disk / "out").items() if not k.startswith(".growing")} == before
        assert len(CropSet.open(disk / "out")) == 12
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def test_an_output_that_cannot_be_made(tmp_path: Path) -> None:
    photos = people(tmp_path / "in")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Cannot write the crop set"):
        run(photos, tmp_path / "file" / "out")
    if Path("/proc/self").is_dir():  # a place where not even root may write
        with pytest.raises(OutputError, match="Cannot write the crop set"):
            run(photos, Path("/proc/out"))


def test_kill_minus_nine_then_the_same_command(tmp_path: Path, orl_folder: Path, finder: FaceFinder) -> None:
    """Two rounds of two kills; twenty are in tests/soak."""
    kill_rounds(tmp_path, orl_folder, rounds=2, people=3)


def kill_rounds(tmp_path: Path, orl_folder: Path, rounds: int, people: int) -> None:
    """The same command after kills at random moments ends with the bytes of an undisturbed run."""
    photos = tmp_path / "in"
    for number in range(1, people + 1):
        shutil.copytree(orl_folder / f"s{number}", photos / f"s{number}", ignore=shutil.ignore_patterns("*.jpg"))
    command = [sys.executable, "-m", "edge_facenet.cli.main", "prepare", str(photos)]
    started = time.monotonic()
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    whole_s = time.monotonic() - started
    rng = np.random.default_rng(11)
    for number in range(rounds):
        out = tmp_path / f"out{number}"
        for delay in rng.uniform(0.3, 1.0, 2) * whole_s:
            child = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                child.wait(delay)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        subprocess.run([*command, str(out)], check=True, capture_output=True)
        assert everything(out) == everything(tmp_path / "whole")
