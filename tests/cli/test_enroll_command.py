"""`edge-facenet enroll` as a person types it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tiny
from faces_world import Done, face, needs_models, photo, save, scene

from edge_facenet.cli import pruning
from edge_facenet.errors import CameraLost

Call = Callable[..., Done]


@pytest.fixture(autouse=True)
def ready() -> None:
    needs_models()


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return tmp_path / "people é.db"


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """Two people, two photos each; a text, a file that belongs to nobody."""
    folder = tmp_path / "family"
    for name, person in (("Zoë Ś", 1), ("Bob 😀", 2)):
        (folder / name / "old").mkdir(parents=True)
        shutil.copy(photo(person, 1), folder / name / "1.pgm")
        shutil.copy(photo(person, 2), folder / name / "old" / "2.pgm")
    (folder / "Zoë Ś" / "notes.txt").write_text("hello")
    (folder / "me.txt").write_text("hello")
    return folder


def test_photos_and_folders_of_one_person(call: Call, gallery: Path, family: Path) -> None:
    done = call("enroll", "O'Brien", photo(1, 3), family / "Zoë Ś", "--gallery", gallery)
    assert done.code == 0, done.err
    assert "O'Brien (id 1, new): 3 added; 3 photos in all" in done.out
    assert "not pictures: " in done.out and "notes.txt" in done.out
    assert f"Gallery: {gallery} (1 person)" in done.out
    again = call("enroll", "O'Brien", photo(1, 3), "--gallery", gallery, "--json").lines[0]
    assert (again["added"], again["unchanged"], again["embeddings"], again["created"]) == (0, 1, 3, False)
    named = call("identify", photo(1, 7), "--gallery", gallery, "--json").lines
    assert [line["name"] for line in named] == ["O'Brien"]


def test_c026_asks_which_face(call: Call, gallery: Path, synthetic, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = save(scene((synthetic.face(1, 200), 60, 140), (synthetic.face(2, 120), 420, 180)), tmp_path / "two.png")
    done = call("enroll", "Anna", path, "--gallery", gallery)
    assert done.code == 3 and done.out == "" and done.err.count("\n") == 1
    assert "2 faces: 1 at " in done.err and "; 2 at " in done.err and "--face N" in done.err and "--largest" in done.err
    assert not gallery.exists()
    assert len(call("identify", path, "--gallery", gallery, "--json").lines) == 2
    assert call("enroll", "Small", path, "--face", 2, "--gallery", gallery).code == 0
    assert call("enroll", "Large", path, "--largest", "--gallery", gallery).code == 0
    assert [line["name"] for line in call("identify", path, "--gallery", gallery, "--json").lines] == ["Large", "Small"]


def test_a_folder_of_people_and_again(call: Call, gallery: Path, family: Path) -> None:
    first = call("enroll", "--from", family, "--gallery", gallery, "--json")
    assert first.code == 0 and "me.txt" in first.err
    assert [(line["name"], line["added"]) for line in first.lines] == [("Bob 😀", 2), ("Zoë Ś", 2)]
    assert [len(line["left_out"]) for line in first.lines] == [0, 1]
    again = call("enroll", "--from", family, "--gallery", gallery, "--json")
    assert [(line["unchanged"], line["added"], line["created"]) for line in again.lines] == [(2, 0, False)] * 2


def test_who_could_not_be_taken_from_a_folder_is_named(call: Call, gallery: Path, family: Path) -> None:
    (family / "Eva").symlink_to(family.parent / "unplugged")
    (family / "Carl").mkdir()
    (family / "Carl" / "1.pgm").hardlink_to(family / "Bob 😀" / "1.pgm")
    os.mkfifo(family / "Zoë Ś" / "pipe.jpg")
    done = call("enroll", "--from", family, "--gallery", gallery, "--json")
    assert done.code == 3
    refused = {line["name"]: line["error"] for line in done.lines if line["error"]}
    assert sorted(refused) == ["Carl", "Eva", "Zoë Ś"]
    assert refused["Eva"].startswith("Left out: Eva: A broken link")
    assert refused["Zoë Ś"].startswith("Left out: Zoë Ś/pipe.jpg: Not a regular file")
    assert "taken under another name: Carl/1.pgm. Give copies" in refused["Carl"]
    assert [line["name"] for line in done.lines if line["added"] == 2] == ["Bob 😀", "Zoë Ś"]
    alone = call("enroll", "Zoë", family / "Zoë Ś", "--gallery", gallery)
    assert alone.code == 0 and "Left out: pipe.jpg: Not a regular file" in alone.err


def test_one_person_under_two_names_is_remarked_upon(call: Call, gallery: Path, family: Path) -> None:
    first = call("enroll", "--from", family, "--gallery", gallery)
    assert first.err.count("look alike") == 0
    again = call("enroll", "zoe", family / "Zoë Ś", "--gallery", gallery)
    assert again.code == 0 and "zoe (id 3) and Zoë Ś (id 2) look alike (1.000)" in again.err
    assert f"gallery forget --gallery '{gallery}' --id 3" in again.err
    known = call("enroll", "zoe", photo(1, 3), "--gallery", gallery)
    assert known.code == 0 and "look alike" not in known.err


def test_a_model_without_thresholds_is_remarked_upon(call: Call, gallery: Path, tmp_path: Path) -> None:
    done = call("enroll", "Anna", photo(1, 1), "--gallery", gallery, "--model", tiny.artifact(tmp_path / "models"))
    assert done.code == 0 and "this model cannot say who somebody is" in done.err


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_a_key_that_others_can_read_is_remarked_upon(call: Call, gallery: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra [secure]")
    key = tmp_path / "gallery.key"
    assert call("gallery", "key", key).code == 0
    assert call("enroll", "Anna", photo(1, 1), "--gallery", gallery, "--key-file", key).err == ""
    key.chmod(0o644)
    for words in (("identify", photo(1, 2)), ("gallery", "list")):
        done = call(*words, "--gallery", gallery, "--key-file", key)
        assert done.code == 0 and f"chmod 600 {key}" in done.err and "Anna" in done.out


def test_c125_a_photo_replaced_under_the_same_name(call: Call, gallery: Path, synthetic, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first, second = (scene((synthetic.face(k, 200), 220, 140)) for k in (1, 2))
    path = save(first, tmp_path / "album" / "Anna" / "p1.bmp")  # BMP: equal sizes
    about = path.stat()
    call("enroll", "--from", tmp_path / "album", "--gallery", gallery)
    save(second, path)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    (again,) = call("enroll", "--from", tmp_path / "album", "--gallery", gallery, "--json").lines
    assert (again["added"], again["replaced"], again["unchanged"], again["embeddings"]) == (1, 1, 0, 1)
    (seen,) = call("identify", path, "--gallery", gallery, "--json").lines
    assert seen["name"] == "Anna" and seen["similarity"] == pytest.approx(1.0, abs=1e-5)
    save(first, tmp_path / "first.bmp")
    (other,) = call("identify", tmp_path / "first.bmp", "--gallery", gallery, "--json").lines
    assert other["similarity"] < 0.99  # what was there before is gone


def test_two_photos_that_change_places_and_one_that_goes(call: Call, gallery: Path, family: Path) -> None:
    a, b = family / "Bob 😀" / "1.pgm", family / "Bob 😀" / "old" / "2.pgm"
    call("enroll", "--from", family, "--gallery", gallery)
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)
    swapped = call("enroll", "--from", family, "--gallery", gallery, "--json").lines[0]
    assert swapped["embeddings"] == 2 and swapped["error"] is None
    a.unlink()
    b.rename(a)  # of the two, the one that goes is known under the other's name
    call("enroll", "--from", family, "--gallery", gallery)
    renamed = call("enroll", "--from", family, "--prune", "--gallery", gallery, "--json").lines[0]
    assert renamed["embeddings"] == 1 and renamed["unchanged"] == 1
    shutil.copy(photo(2, 5), b)
    call("enroll", "--from", family, "--gallery", gallery)
    b.unlink()
    gone = call("enroll", "--from", family, "--gallery", gallery)
    assert "no longer in the folder (--prune forgets them)" in gone.out
    pruned = call("enroll", "--from", family, "--prune", "--gallery", gallery, "--json").lines[0]
    assert (pruned["pruned"], pruned["gone"], pruned["embeddings"]) == (1, [], 1)
    assert "1 unchanged; 1 photo in all" in call("enroll", "--from", family, "--gallery", gallery).out


def test_pruning_forgets_who_is_no_longer_in_the_folder(call: Call, gallery: Path, family: Path) -> None:
    call("enroll", "--from", family, "--gallery", gallery)
    before = call("gallery", "list", "--gallery", gallery).out
    shutil.rmtree(family / "Zoë Ś")
    for path in sorted((family / "Bob 😀").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (family / "Bob 😀" / "note.txt").write_text("gone to Rome")
    told = call("enroll", "--from", family, "--gallery", gallery)
    assert told.out.count("no longer in the folder (--prune forgets them)") == 2
    assert call("gallery", "list", "--gallery", gallery).out == before
    done = call("enroll", "--from", family, "--prune", "--gallery", gallery, "--json")
    assert done.code == 0 and {row["name"]: row["forgotten"] for row in done.lines} == {"Bob 😀": True, "Zoë Ś": True}
    assert "Zoë" not in call("gallery", "list", "--gallery", gallery).out
    assert "Zoë Ś".encode() not in gallery.read_bytes()


def test_pruning_goes_on_beside_a_photo_that_is_refused(call: Call, gallery: Path, family: Path) -> None:
    call("enroll", "--from", family, "--gallery", gallery)
    (family / "Bob 😀" / "1.pgm").unlink()
    save(scene(), family / "Bob 😀" / "grey.png")
    done = call("enroll", "--from", family, "--prune", "--gallery", gallery, "--json")
    bob = next(row for row in done.lines if row["name"] == "Bob 😀")
    assert done.code == 3 and "no face found" in bob["error"]
    assert (bob["pruned"], bob["forgotten"], bob["embeddings"]) == (1, False, 1)


class Knows:
    """A recogniser and its gallery: one person, enrolled from one photo."""

    def __init__(self, source: Path) -> None:
        self.gallery, self.source = self, source

    def people(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=1)]

    def photos_of(self, person: int) -> set[tuple[str, str]]:
        return {(str(self.source), "hash")}


def test_what_is_only_out_of_reach_is_no_reason_to_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def departed(source: str) -> list[int]:
        found = pruning.departed(Knows(tmp_path / source), tmp_path, {"Bob"})  # type: ignore[arg-type]
        assert bool(found) == bool(pruning.gone(Knows(tmp_path / source), 1, tmp_path, []))  # type: ignore[arg-type]
        return found

    (tmp_path / "Bob").mkdir()
    (tmp_path / "Eve").mkdir()
    (tmp_path / "Eve" / "1.jpg").touch()
    (tmp_path / "alone.jpg").touch()
    (tmp_path / "Ada").symlink_to(tmp_path / "Eve")
    (tmp_path / "Eve" / "card").symlink_to(tmp_path / "unplugged")
    assert departed("Ann/1.jpg") == departed("Eve/2.jpg") == departed("alone.jpg/1.jpg") == [1]
    for still in ("Eve/1.jpg", "alone.jpg", "Ada/1.jpg", "Eve/card/1.jpg", "Ada/card/old/1.jpg"):
        assert departed(still) == []
    assert pruning.departed(Knows(tmp_path / "Bob/9.jpg"), tmp_path, {"Bob"}) == []  # type: ignore[arg-type]

    def locked(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "lstat", locked)
    assert pruning.departed(Knows(tmp_path / "Ann/1.jpg"), tmp_path, {"Bob"}) == []  # type: ignore[arg-type]


def test_crops_are_kept_of_photos_that_were_enrolled_without(call: Call, gallery: Path, family: Path) -> None:
    call("enroll", "--from", family, "--gallery", gallery)
    again = call("enroll", "--from", family, "--keep-crops", "--gallery", gallery)
    assert "2 unchanged, 2 given a picture; 2 photos in all" in again.out
    third = call("enroll", "--from", family, "--keep-crops", "--gallery", gallery)
    assert "given a picture" not in third.out
    two = save(scene((face(5, 1, 3), 40, 60), (face(6, 1, 2), 400, 160)), family / "Zoë Ś" / "two.png")
    assert call("enroll", "Zoë Ś", two, "--largest", "--gallery", gallery).code == 0
    fourth = call(
        "enroll", "--from", family, "--keep-crops", "--gallery", gallery
    )  # two faces, known: not refused anew
    assert fourth.code == 0 and "3 unchanged; 3 photos in all" in fourth.out


def test_one_bad_photo_of_one_person(call: Call, gallery: Path, family: Path) -> None:
    save(scene(), family / "Bob 😀" / "grey.png")
    done = call("enroll", "--from", family, "--gallery", gallery)
    assert done.code == 3
    assert "Nothing was enrolled for Bob 😀: " in done.out and "no face found" in done.out
    assert "Zoë Ś (id 1, new): 2 added" in done.out and "(1 person)" in done.out
    for added in ("2 added", "2 unchanged"):
        skipped = call("enroll", "--from", family, "--gallery", gallery, "--skip-bad")
        assert skipped.code == 0 and f"): {added}; 2 photos in all" in skipped.out and "left out: " in skipped.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("enroll", "Anna"), 7, "Give NAME and PHOTOS, or NAME and --camera SOURCE, or --from FOLDER alone."),
        (("enroll",), 7, "Give NAME and PHOTOS"),
        (("enroll", "Anna", "a.jpg", "--from", "x"), 7, "Give NAME and PHOTOS"),
        (("enroll", "--from", "x", "--largest"), 7, "do not go with --from"),
        (("enroll", "Anna", "a.jpg", "--prune"), 7, "it needs --from"),
        (("enroll", "Anna", "a.jpg", "--new", "--person", "1"), 7, "contradict each other"),
        (("enroll", "Anna", "a.jpg", "--largest", "--face", "1"), 7, "contradict each other"),
        (("enroll", "Anna", "gone.jpg"), 3, "gone.jpg: cannot be read: No such file or directory"),
        (("enroll", "--from", "gone"), 3, "There is no folder"),
        (("enroll", "Anna", "letter.jpg"), 3, "letter.jpg: This is text, not a picture"),
        (("enroll", "Anna", "empty"), 3, "There is no photo in the folder empty"),
        (("enroll", "--from", "empty"), 3, "has no sub-folder"),
        (("enroll", "Anna", "grey.png"), 3, "grey.png: no face found"),
        (("enroll", "a\nb", "face.png"), 3, "A name has 1 to"),
        (("enroll", "Anna", "face.png", "--rule", "face=9"), 7, 'there is no rule "face"'),
        (("enroll", "Anna", "face.png", "--rule", "yaw=x"), 7, "--rule takes KEY=NUMBER"),
        (("enroll", "Anna", "face.png", "--rule", "face_px=999"), 3, "at least 999 needed"),
        (("enroll", "Anna", "face.png", "--model", "nothing"), 4, "nothing"),
        (("enroll", "Anna", "face.png", "--size", "big", "--camera", "camera:0"), 7, "--size takes"),
        (("enroll", "Anna", "--camera", "camera:0", "--face", "2"), 7, "--face chooses in a photo"),
        (("enroll", "a\nb", "--camera", "camera:0"), 3, "A name has 1 to"),
    ],
)
def test_faults_end_as_one_sentence(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("letter.jpg").write_text("Dear Bob")
    Path("empty").mkdir()
    save(scene(), Path("grey.png"))
    save(face(1, 1), Path("face.png"))
    done = call(*words, "--gallery", "g.db")
    assert done.code == code
    assert says in done.err and done.out == "" and not Path("g.db").exists()
    assert done.err.startswith("edge-facenet: ") and done.err.count("\n") == 1


def test_a_camera_that_is_not_there(call: Call, gallery: Path) -> None:
    done = call("enroll", "Anna", "--camera", "/dev/video999", "--gallery", gallery)
    assert done.code == CameraLost.exit_code and "there is no /dev/video999" in done.err and not gallery.exists()


def test_a_gallery_of_another_model(call: Call, gallery: Path, tmp_path: Path) -> None:
    call("enroll", "Anna", photo(1, 1), "--gallery", gallery)
    other = tiny.artifact(tmp_path / "models")
    done = call("enroll", "Anna", photo(1, 1), "--gallery", gallery, "--model", other)
    assert done.code == 4 and "another network" in done.err and "gallery migrate" in done.err


def video(path: Path, frames: list[np.ndarray], rate: float = 10.0) -> Path:
    """A Motion-JPEG file."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def test_from_a_camera(call: Call, gallery: Path, tmp_path: Path) -> None:
    """A video stands for the camera: nobody, two people, then one person for two seconds."""
    two = scene((face(1, 1, 2), 20, 100), (face(2, 1, 2), 400, 100))
    alone = [scene((face(1, 1 + k // 7, 2), 220 + k, 100)) for k in range(20)]
    path = video(tmp_path / "door.avi", [scene()] * 3 + [two] * 3 + alone)
    done = call("enroll", "Anna", "--camera", path, "--count", 2, "--gallery", gallery)
    assert done.code == 0, done.err
    hints = done.err.splitlines()
    assert hints[0] == "no face in the picture" and hints[1].startswith("2 faces in the picture")
    assert hints[-1].startswith("picture 2 of 2") and "2 added" in done.out
    assert call("identify", photo(1, 8), "--gallery", gallery, "--json").lines[0]["name"] == "Anna"
    nobody = call("enroll", "Bob", "--camera", video(tmp_path / "empty.avi", [scene()] * 5), "--gallery", gallery)
    assert nobody.code == 3 and "no picture of" in nobody.err and "last: no face in the picture" in nobody.err


def test_help_says_that_there_is_no_liveness(call: Call) -> None:
    for name in ("enroll", "identify", "compare"):
        text = " ".join(call(name, "--help").out.replace("│", " ").split())
        assert "no liveness detection" in text and "Example" in text
