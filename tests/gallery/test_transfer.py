"""Backups, migration, check."""

from __future__ import annotations

import dataclasses
import io
import shutil
import stat
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_world import KEY, MAKER, closed, filled, on_disk, raw, sample, unit

from edge_facenet.errors import GalleryDamaged, GalleryMismatch, InputError, OutputError, WrongKey
from edge_facenet.gallery import Gallery, Maker, OpenSetThreshold, Sample
from edge_facenet.gallery.check import check
from edge_facenet.gallery.decide import decide
from edge_facenet.gallery.migrate import migrate
from edge_facenet.gallery.transfer import _new_file, export_gallery, import_gallery

LIMIT = OpenSetThreshold(0.5, 0.01, 0.01, 20, False, "the threshold 0.500")
NEW = Maker("f" * 64, "a" * 64, 64)


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    if request.param is not None:
        pytest.importorskip("cryptography", reason="needs the extra [secure]")
    return request.param  # type: ignore[no-any-return]


def answers(gallery: Gallery) -> list[tuple[int | None, str | None, float | None]]:
    found = [decide(unit(1000 * k + k % 2), gallery.templates(), LIMIT) for k in range(20)]
    return [(match.person, match.name, match.similarity) for match in found]


def test_c133_a_backup_gives_the_same_answers_elsewhere(tmp_path: Path, key: bytes | None) -> None:
    gallery = filled(tmp_path / "g.db", people=12, crop=True)
    gallery.reject(4, sample(3000 + 77))
    gallery.forget([2, 12])
    done = export_gallery(gallery, tmp_path / "people.backup", key=key)
    assert (done.people, done.embeddings, done.crops, done.encrypted) == (10, 21, 20, key is not None)
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.db", "g.db-shm", "g.db-wal", "people.backup"]
    assert (unit(3000).tobytes() in done.path.read_bytes()) == (key is None)
    other = Gallery.open(tmp_path / "elsewhere" / "g.db", MAKER)
    came = import_gallery(other, done.path, key=key)
    assert (came.people, came.merged, came.added, came.known) == (10, 0, 21, 0)
    assert answers(other) == answers(gallery)
    assert other.people() == gallery.people()  # ids, names, dates, counts
    assert [row.rejected for row in other.samples(4)] == [False, False, True]
    assert other.enroll("Next", [sample(5)]).person == 13  # the id of who was forgotten before is not given again
    assert check(other).faults == ()


def test_importing_twice_adds_nobody_twice(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=3)
    backup = export_gallery(gallery, tmp_path / "b").path
    gallery.enroll("P0", [sample(7)])
    gallery.forget([3])
    came = import_gallery(gallery, backup)
    assert (came.people, came.merged, came.added, came.known) == (1, 2, 2, 4)
    assert [(p.id, p.name, p.embeddings) for p in gallery.people()] == [(1, "P0", 3), (2, "P1", 2), (4, "P2", 2)]


def test_not_this_person_outlives_an_older_backup_and_comes_with_a_newer_one(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2)
    old = export_gallery(gallery, tmp_path / "old").path
    gallery.reject(1, sample(1))
    came = import_gallery(gallery, old)
    assert (came.added, came.known) == (0, 4)
    assert [row.rejected for row in gallery.samples(1)] == [False, True]
    other = Gallery.open(tmp_path / "other.db", MAKER)
    import_gallery(other, old)
    came = import_gallery(other, export_gallery(gallery, tmp_path / "new").path)
    assert (came.added, came.known) == (1, 3)
    assert [row.rejected for row in other.samples(1)] == [False, True]


def test_people_of_one_name_from_two_galleries_stay_two(tmp_path: Path) -> None:
    one, two = filled(tmp_path / "a.db", people=2), Gallery.open(tmp_path / "b.db", MAKER)
    two.enroll("P0", [sample(9)])
    came = import_gallery(two, export_gallery(one, tmp_path / "x").path)
    assert came.people == 2
    assert [(p.id, p.name) for p in two.people()] == [(1, "P0"), (2, "P0"), (3, "P1")]


def untouched(gallery: Gallery, before: bytes) -> None:
    assert on_disk(gallery.path) == before
    assert len(gallery) == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_c133_a_cut_backup_is_refused_and_the_gallery_untouched(
    tmp_path: Path, share: float, key: bytes | None
) -> None:
    backup = export_gallery(filled(tmp_path / "g.db", people=9), tmp_path / "b", key=key).path
    backup.write_bytes(backup.read_bytes()[: int(backup.stat().st_size * share)])
    mine = filled(tmp_path / "mine.db", people=2)
    before = on_disk(mine.path)
    with pytest.raises(GalleryDamaged, match=r"cut short|damaged"):
        import_gallery(mine, backup, key=key)
    untouched(mine, before)


def test_c133_a_wrong_key_is_refused_and_the_gallery_untouched(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra [secure]")
    backup = export_gallery(filled(tmp_path / "g.db", key=KEY), tmp_path / "b", key=KEY).path
    mine = filled(tmp_path / "mine.db", people=2)
    before = on_disk(mine.path)
    for wrong, said in ((bytes(32), "does not open"), (None, "is encrypted")):
        with pytest.raises(WrongKey, match=said):
            import_gallery(mine, backup, key=wrong)
    untouched(mine, before)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET vector = (SELECT vector FROM embeddings WHERE id = 3) WHERE id = 1",
        "UPDATE embeddings SET person = 2 WHERE id = 1",
        "UPDATE people SET name = 'Mallory' WHERE id = 1",
        "DELETE FROM embeddings WHERE id = 1",
        "UPDATE embeddings SET crop = NULL WHERE id = 1",
    ],
)
def test_an_altered_backup_is_refused(tmp_path: Path, statement: str) -> None:
    backup = export_gallery(filled(tmp_path / "g.db", crop=True), tmp_path / "b").path
    with raw(backup) as connection:
        connection.execute(statement)
    mine = filled(tmp_path / "mine.db", people=2)
    before = on_disk(mine.path)
    with pytest.raises(GalleryDamaged, match="was altered after it was written"):
        import_gallery(mine, backup)
    untouched(mine, before)


def test_an_altered_encrypted_backup_is_refused_also_when_a_row_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra [secure]")
    backup = export_gallery(filled(tmp_path / "g.db"), tmp_path / "b", key=KEY).path
    with raw(backup) as connection:
        connection.execute("DELETE FROM embeddings WHERE id = 1")
    with pytest.raises(GalleryDamaged, match="was altered after it was written"):
        import_gallery(Gallery.open(tmp_path / "n.db", MAKER), backup, key=KEY)
    assert not (tmp_path / "n.db").exists() or len(Gallery.open(tmp_path / "n.db")) == 0


def test_a_plain_gallery_becomes_encrypted_by_export_and_import(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="needs the extra [secure]")
    backup = export_gallery(filled(tmp_path / "g.db"), tmp_path / "b").path
    sealed = Gallery.open(tmp_path / "s.db", MAKER, key=KEY)
    import_gallery(sealed, backup)
    assert unit(0).tobytes() not in on_disk(sealed.path)
    assert answers(sealed) == answers(Gallery.open(tmp_path / "g.db", MAKER))


def test_a_backup_is_a_gallery_and_stops_being_a_backup_when_it_is_changed(tmp_path: Path) -> None:
    backup = export_gallery(filled(tmp_path / "g.db"), tmp_path / "b").path
    used = Gallery.open(backup, MAKER)
    used.enroll("More", [sample(5)])
    used.forget([1])
    assert unit(0).tobytes() not in on_disk(backup)
    closed(used)
    other = Gallery.open(tmp_path / "n.db", MAKER)
    assert import_gallery(other, backup).people == 3


def test_what_cannot_be_exported_or_imported(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(OutputError, match="exists; a backup is never written over"):
        export_gallery(gallery, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(OutputError, match=r"Cannot make gallery|Cannot write"):
        export_gallery(gallery, tmp_path / "there" / "b")
    with pytest.raises(InputError, match="is empty: there is nothing to export"):
        export_gallery(Gallery.open(tmp_path / "none.db"), tmp_path / "b")
    with pytest.raises(InputError, match="There is no backup"):
        import_gallery(gallery, tmp_path / "absent")
    with pytest.raises(InputError, match="is this very gallery"):
        import_gallery(gallery, gallery.path)
    with pytest.raises(GalleryDamaged, match="another kind of file"):
        import_gallery(gallery, tmp_path / "there")
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="There is nobody in"):
        import_gallery(gallery, tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "g.db", "g.db-shm", "g.db-wal", "there"]


def test_a_backup_of_another_maker_is_refused(tmp_path: Path) -> None:
    other = Gallery.open(tmp_path / "o.db", NEW)
    other.enroll("A", [sample(1, dimension=64)])
    backup = export_gallery(other, tmp_path / "b").path
    mine = filled(tmp_path / "g.db", people=2)
    for maker in (None, MAKER):
        with pytest.raises(GalleryMismatch):
            import_gallery(Gallery.open(mine.path, maker), backup)
    assert len(mine) == 2
    with pytest.raises(GalleryMismatch):
        import_gallery(Gallery.open(tmp_path / "fresh.db", MAKER), backup)


def embed(crops: np.ndarray) -> np.ndarray:
    """Another network: 64 numbers that depend on the pixels alone."""
    return np.stack([unit(int(crop.sum()), 64) for crop in crops])


def test_migration_embeds_kept_crops_again_and_names_the_others(tmp_path: Path, key: bytes | None) -> None:
    gallery = filled(tmp_path / "g.db", people=2, photos=2, key=key, crop=True)
    gallery.enroll("Without", [sample(50)])
    gallery.enroll("Half", [sample(60, crop=True), sample(61)])
    gallery.reject(1, sample(70, crop=True))
    seen: list[tuple[int, int]] = []
    done = migrate(Gallery.open(gallery.path, key=key), NEW, embed, lambda a, b: seen.append((a, b)))
    assert (done.embedded, done.outdated) == (6, 2)
    assert [p.name for p in done.ready] == ["P0", "P1", "Half"]
    assert [p.name for p in done.again] == ["Without"]
    assert seen[-1][1] == 8
    with pytest.raises(GalleryMismatch):
        gallery.templates()
    migrated = Gallery.open(gallery.path, NEW, key=key)
    assert migrated.templates().names == ("P0", "P1", "Half")
    wanted = embed(sample(60, crop=True).crop[None])[0]  # type: ignore[index]
    assert decide(wanted, migrated.templates(), LIMIT).name == "Half"
    assert len(migrated.templates().rejected) == 1
    assert migrated.find("Half").outdated == 1
    assert unit(60).tobytes() not in on_disk(gallery.path)
    again = migrated.enroll("Without", [sample(50, dimension=64)])
    assert (again.added, again.replaced, again.embeddings) == (1, 1, 1)
    assert migrated.find("Without").outdated == 0


def test_marks_that_no_longer_count_are_counted(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1, crop=True)
    gallery.reject(1, sample(70, crop=True))
    gallery.reject(1, sample(71))
    done = migrate(Gallery.open(gallery.path), NEW, embed)
    assert (done.embedded, done.outdated, done.unrejected) == (3, 1, 1)
    faults = {fault.what for fault in check(Gallery.open(gallery.path)).faults}
    assert any("never compared; reject this photo again" in what for what in faults), faults


def test_migrating_back_makes_the_old_rows_count_again(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2)
    assert len(migrate(Gallery.open(gallery.path), NEW, embed).again) == 2
    back = migrate(Gallery.open(gallery.path), MAKER, embed)
    assert (back.embedded, back.outdated, len(back.ready)) == (0, 0, 2)
    assert answers(Gallery.open(gallery.path, MAKER)) == answers(filled(tmp_path / "h.db", people=2))


def test_crops_of_another_aligner_do_not_count(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2, crop=True)
    done = migrate(Gallery.open(gallery.path), Maker("f" * 64, "b" * 64, 64), embed)
    assert (done.embedded, len(done.again)) == (0, 2)


def test_crops_that_show_less_than_the_network_wants_do_not_count(tmp_path: Path) -> None:
    path = filled(tmp_path / "g.db", people=1, crop=True).path
    assert migrate(Gallery.open(path), NEW, embed, side=20).embedded == 0
    assert migrate(Gallery.open(path), NEW, embed, side=16).embedded == 2


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", crop=True)
    with _new_file(tmp_path / "b", None) as target:
        target.add_person("half")
        for side in ("", "-wal", "-shm"):
            shutil.copy(tmp_path / f".b.writing{side}", tmp_path / f"left{side}")
        with pytest.raises(OutputError, match="Another export is writing"):
            export_gallery(gallery, tmp_path / "b")
    (tmp_path / "b").unlink()
    for side in ("", "-wal", "-shm"):
        (tmp_path / f"left{side}").rename(tmp_path / f".b.writing{side}")
    assert export_gallery(gallery, tmp_path / "b").people == 3
    (tmp_path / ".c.writing").write_bytes(b"no database")
    (tmp_path / ".d.writing").symlink_to("elsewhere")
    for name in ("c", "d"):
        assert export_gallery(gallery, tmp_path / name).people == 3
    (tmp_path / ".e.writing").mkdir()
    with pytest.raises(OutputError, match="Cannot write"):
        export_gallery(gallery, tmp_path / "e")
    gallery.close()
    assert {path.name for path in tmp_path.iterdir()} == {"g.db", "b", "c", "d", ".e.writing"}


def test_a_migration_that_fails_half_way_changes_nothing(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=3, crop=True)
    calls = []

    def failing(crops: np.ndarray) -> np.ndarray:
        calls.append(1)
        return embed(crops) if len(calls) < 4 else np.zeros((1, 64), np.float32)

    with pytest.raises(InputError, match=r"The new embedding 4 of person 2 is all zeros"):
        migrate(Gallery.open(gallery.path), NEW, failing)
    assert len(gallery.templates()) == 3
    assert check(gallery).faults == ()
    with pytest.raises(InputError, match="is empty: there is nothing to migrate"):
        migrate(Gallery.open(tmp_path / "none.db"), NEW, embed)


def test_c136_check_lists_what_is_no_embedding(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=3, photos=1)
    junk = [np.zeros(128, "<f4"), np.full(128, np.nan, "<f4"), (unit(1) * 0.2).astype("<f4"), unit(1)[:100]]
    with raw(gallery.path) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for person, maker, vector in [(1, MAKER, v) for v in junk] + [(99, MAKER, unit(1)), (1, NEW, unit(1, 64))]:
            connection.execute(
                "INSERT INTO embeddings (person, rejected, embedder, aligner, dimension, vector, photo, source, added)"
                " VALUES (?, 0, ?, ?, ?, ?, 'x', 'x', 'now')",
                (person, maker.embedder, maker.aligner, maker.dimension, vector.tobytes()),
            )
        connection.execute("DELETE FROM embeddings WHERE id = 2")
    found = check(gallery)
    said = {fault.embedding: fault.what for fault in found.faults}
    for number, words in {
        4: "all zeros",
        5: "not finite",
        6: "length 0.2000",
        7: "shape (100,)",
        8: "to nobody",
        9: "of another",
    }.items():
        assert words in said[number]
    assert "no usable embedding" in said[None]
    assert (found.people, found.embeddings) == (3, 8)
    assert list(gallery.templates().ids) == [1, 3]


def test_c135_check_shows_the_widest_pair_of_each_person(tmp_path: Path) -> None:
    """Somebody chained a hundred faces, each like the one before, into one person."""
    step, vector, samples = np.deg2rad(20), np.eye(128)[0], []
    for k in range(100):
        vector = vector if k == 0 else np.cos(step) * vector + np.sin(step) * np.eye(128)[k]
        samples.append(Sample(vector.astype(np.float32), f"{k:064x}", f"v{k}"))
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    gallery.enroll("Chain", samples)
    gallery.enroll("Same", [sample(1), Sample(unit(1), "0" * 64, "copy")])
    widest = check(gallery).widest
    assert [pair.name for pair in widest] == ["Chain", "Same"]
    assert widest[0].sources == ("v0", "v99")
    assert abs(widest[0].similarity) < 0.01
    assert widest[1].similarity == pytest.approx(1)


@pytest.mark.parametrize("side", [1025, 20_000])
def test_a_picture_in_a_backup_does_not_fill_the_memory(tmp_path: Path, side: int) -> None:
    gallery = filled(tmp_path / "g.db", people=2, photos=1, crop=True)
    stream = io.BytesIO()
    PIL.Image.new("1", (side, side)).save(stream, "PNG")
    with raw(gallery.path) as connection:
        connection.execute("UPDATE embeddings SET crop = ? WHERE id = 1", (stream.getvalue(),))
    assert [(f.embedding, f.what) for f in check(gallery).faults] == [(1, "its kept picture is damaged or was altered")]
    with pytest.raises(GalleryDamaged, match="The kept picture of embedding 1"):
        migrate(Gallery.open(gallery.path), NEW, embed)
    with pytest.raises(InputError, match="at most 1024 are kept"):
        gallery.enroll("Anna", [dataclasses.replace(sample(5), crop=np.zeros((1025, 1025, 3), np.uint8))])


def test_check_looks_at_pictures(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1, photos=2, crop=True)
    with raw(gallery.path) as connection:
        connection.execute("UPDATE embeddings SET crop = x'89504e47' WHERE id = 2")
    (found,) = check(gallery).faults
    assert (found.embedding, found.what) == (2, "its kept picture is damaged or was altered")
    assert check(Gallery.open(tmp_path / "none.db")).people == 0
