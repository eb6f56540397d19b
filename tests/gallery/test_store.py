"""The store: names, ids, samples, forgetting, several users at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_world import MAKER, closed, filled, on_disk, raw, sample, unit

from edge_facenet.errors import ConfigError, GalleryMismatch, InputError, OutputError
from edge_facenet.gallery import Gallery, Maker, OpenSetThreshold, Sample, default_path
from edge_facenet.gallery.decide import decide
from edge_facenet.gallery.migrate import migrate

LIMIT = OpenSetThreshold(0.5, 0.01, 0.01, 20, False, "the threshold 0.500")


def names(gallery: Gallery) -> list[str]:
    return [person.name for person in gallery.people()]


def test_c119_names_in_any_script_are_kept_and_ids_come_from_no_letter(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    people = ["Олена", "Борис", "Alex", "Alex!", "李"]
    ids = [gallery.enroll(name, [sample(k)]).person for k, name in enumerate(people)]
    assert ids == [1, 2, 3, 4, 5]
    assert names(Gallery.open(tmp_path / "g.db")) == people
    for k, name in enumerate(people):
        match = decide(unit(k), gallery.templates(), LIMIT)
        assert (match.person, match.name) == (k + 1, name)


ODD = [
    "?",
    "a/b",
    "../x",
    "-rf",
    "O'Brien",
    "x'); DROP TABLE people;--",
    "👩‍👩‍👧",
    "🦊 / 🐻",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f ❤\ufe0f\u200d🔥",
    "می\u200cخواهم",
    "葛\U000e0100城",
    "%s {0} \\n",
    "7",
    "#7",
    "NULL",
    "x" * 200,
]


@pytest.mark.parametrize("name", ODD)
def test_c121_odd_names_are_stored_and_deletable(tmp_path: Path, name: str) -> None:
    gallery = Gallery.open(tmp_path / "in" / "g.db", MAKER)
    gallery.enroll("Other", [sample(1)])
    gallery.enroll(name, [sample(2)])
    assert names(gallery) == ["Other", name]
    assert gallery.forget([gallery.find(name).id]) == 1
    assert names(gallery) == ["Other"]
    assert [file.name for file in tmp_path.iterdir()] == ["in"]
    assert {file.name for file in (tmp_path / "in").iterdir()} <= {"g.db", "g.db-wal", "g.db-shm"}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Ada\u200b",
            "\u200dAda",
            "Ad\u200ca",
            "Ada\u200f",
            "\ufeffAda",
            "A\u00adda",
            "\u3164",
            "Ada\u2800",
            "Ada\ufe0f",
        ),
        *("A\U000e0041da", "\u0301" * 200, "x" * 300, "", "   ", "a\nb", "a\x00b", "\x7f", "a\u2028b", "\u202egnp.exe"),
        *("\u200b", "\u0301", "\ud800", "\t\n"),
    ],
)
def test_c121_names_that_are_refused_are_refused_with_the_rule(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"A name has 1 to 200 characters.*Give another name"):
        Gallery.open(tmp_path / "g.db", MAKER).enroll(name, [sample(1)])
    assert list(tmp_path.iterdir()) == []


def test_one_name_written_in_two_ways_is_one_name(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    gallery.enroll("Jose\u0301 ", [sample(1)])
    assert gallery.enroll("Jos\u00e9", [sample(2)]).person == 1
    assert names(gallery) == ["Jos\u00e9"]


def test_names_may_repeat_and_then_the_id_is_asked_for(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    first = gallery.enroll("Anna", [sample(1)])
    assert gallery.enroll("Anna", [sample(2)]).person == first.person  # one such name: she is meant
    second = gallery.enroll("Anna", [sample(3)], new=True)
    assert second.created
    with pytest.raises(InputError, match="2 people are called Anna: ids 1, 2"):
        gallery.enroll("Anna", [sample(4)])
    assert gallery.enroll("Anna", [sample(4)], person=2).embeddings == 2
    with pytest.raises(InputError, match="is called Anna, not Bert"):
        gallery.enroll("Bert", [sample(5)], person=2)
    with pytest.raises(InputError, match="nobody with id 9"):
        gallery.enroll("Anna", [sample(5)], person=9)
    with pytest.raises(InputError, match=r"2 people .* can be meant by Anna: #1 \(Anna\), #2 \(Anna\)"):
        gallery.find("Anna")
    assert gallery.find(2).id == gallery.find("#2").id == gallery.find("2").id == 2


def test_a_name_that_is_a_number(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=3)
    gallery.enroll("2", [sample(77)])
    with pytest.raises(InputError, match="can be meant by 2"):
        gallery.find("2")
    assert gallery.find(2).name == "P1"
    assert gallery.find("#4").name == "2"


def test_c122_nobody_is_enrolled(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "g.db"
    fresh = Gallery.open(path, MAKER)
    emptied = filled(tmp_path / "other.db", people=1)
    emptied.forget([1])
    for gallery in (fresh, emptied, Gallery.open(emptied.path), Gallery.open(emptied.path, readonly=True)):
        assert len(gallery) == 0
        assert gallery.people() == ()
        assert len(gallery.templates()) == 0
        with pytest.raises(InputError, match=r"is empty: there is nobody called x"):
            gallery.find("x")
        with pytest.raises(InputError, match=r"is empty, it has nobody with id 1"):
            gallery.forget([1])
        assert gallery.forget([]) == 0
        assert not gallery.lingering
    assert decide(unit(1), fresh.templates(), LIMIT).why == "the gallery is empty"
    assert not path.parent.exists()  # looking makes nothing


def test_c123_after_a_removal_names_stay_with_their_people(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=20, photos=1)
    gallery.forget([1, 7])
    for opened in (gallery, Gallery.open(gallery.path, MAKER)):
        found = [decide(unit(1000 * k), opened.templates(), LIMIT).name for k in range(20)]
        assert found == [None if k in (0, 6) else f"P{k}" for k in range(20)]
    assert gallery.enroll("New", [sample(5)]).person == 21


def test_ids_are_never_used_again_also_not_the_last(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2)
    gallery.forget([1, 2])
    closed(gallery)
    again = Gallery.open(gallery.path, MAKER)
    assert again.enroll("P0", [sample(0)]).person == 3
    assert again.samples(3)[0].id == 5


def test_c124_one_photo_84_times_is_one_row_and_forgetting_takes_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    gallery = filled(path, people=2)
    done = [gallery.enroll("Zsófia the forgotten", [sample(42, crop=True)]) for _ in range(84)]
    assert [d.added for d in done] == [1] + [0] * 83
    assert (done[-1].known, done[-1].embeddings) == (1, 1)
    assert gallery.enroll("Zsófia the forgotten", [sample(42)] * 5).known == 5
    needles = [unit(42).tobytes(), "Zsófia the forgotten".encode(), f"{42:064x}".encode(), b"IHDR"]
    assert all(needle in on_disk(path) for needle in needles)
    assert gallery.forget([3]) == 1
    assert not gallery.lingering
    assert decide(unit(42), gallery.templates(), LIMIT).name is None
    for _ in range(2):
        assert not any(needle in on_disk(path) for needle in needles)
        assert unit(0).tobytes() in on_disk(path)
        closed(gallery)


def test_forgetting_many_among_many_leaves_no_bytes_of_them(tmp_path: Path) -> None:
    """SQLite zeroes what is deleted; the file is written anew as well, whatever became of cells that moved."""
    gallery = filled(tmp_path / "g.db", people=60, photos=3)
    gone = [k for k in range(60) if k % 3]
    for k in gone:
        gallery.forget([k + 1])
    left = on_disk(gallery.path)
    assert [k for k in range(60) if unit(1000 * k + 1).tobytes() in left] == [k for k in range(60) if k % 3 == 0]


def test_while_somebody_reads_the_bytes_linger_and_the_next_act_sweeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = filled(tmp_path / "g.db")
    monkeypatch.setattr("edge_facenet.gallery.database.BUSY_S", 0.1)
    hasty = Gallery.open(gallery.path, MAKER)
    with Gallery.open(gallery.path).reading():
        assert hasty.forget([1]) == 1
        assert hasty.lingering
    assert unit(0).tobytes() in on_disk(gallery.path)
    hasty.enroll("P1", [sample(99)])
    assert not hasty.lingering
    assert unit(0).tobytes() not in on_disk(gallery.path)


def test_forgetting_somebody_who_is_not_there_forgets_nobody(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    with pytest.raises(InputError, match=r"nobody with id 9\. Nothing was changed"):
        gallery.forget([1, 9])
    assert len(gallery) == 3


def test_c125_a_photo_replaced_under_its_name_replaces_its_row(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1, photos=0 + 2)
    old, new = sample(0), Sample(unit(7), f"{7:064x}", "0.jpg")
    done = gallery.enroll("P0", [new])
    assert (done.added, done.replaced, done.known, done.embeddings) == (1, 1, 0, 2)
    assert [row.photo_sha256 for row in gallery.samples(1)] == [sample(1).photo_sha256, new.photo_sha256]
    assert old.embedding.tobytes() not in on_disk(gallery.path)
    again = gallery.enroll("P0", [new, sample(1)])
    assert (again.added, again.replaced, again.known) == (0, 0, 2)


def test_frames_of_one_video_stand_together_and_are_replaced_together(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    assert gallery.enroll("A", [sample(k, source="a.mp4") for k in (1, 2, 3)]).added == 3
    done = gallery.enroll("A", [sample(k, source="a.mp4") for k in (3, 4)])
    assert (done.added, done.known, done.replaced, done.embeddings) == (1, 1, 2, 2)
    assert gallery.enroll("A", [sample(5, source=""), sample(6, source="")]).replaced == 0


def near(vector: np.ndarray, seed: int, step: float) -> Sample:
    moved = vector + unit(seed) * np.float32(step)
    return Sample((moved / np.linalg.norm(moved)).astype(np.float32), f"{seed:064x}", f"{seed}.jpg")


def test_c126_not_this_person_is_kept(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=2, photos=1)
    face = near(unit(0), 500, 0.33)
    assert decide(face.embedding, gallery.templates(), LIMIT).name == "P0"
    done = gallery.reject(1, face)
    assert (done.known, done.withdrawn) == (False, 0)
    assert gallery.reject(1, face).known
    for _ in range(2):
        assert decide(face.embedding, gallery.templates(), LIMIT).name is None
        assert decide(unit(0), gallery.templates(), LIMIT).name == "P0"  # others of hers are still hers
        gallery.enroll("P0", [near(unit(0), 700 + k, 0.2) for k in range(10)])
        refused = gallery.enroll("P0", [face])
        assert (refused.added, refused.refused) == (0, 1)
        gallery = Gallery.open(gallery.path, MAKER)
    assert gallery.find("P0").rejected == 1
    assert [row.source for row in gallery.samples(1) if row.rejected] == ["500.jpg"]
    assert gallery.accept(1) == 1
    assert gallery.enroll("P0", [face]).added == 1


def test_a_photo_enrolled_before_is_given_its_picture_later(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1)
    before = [row.id for row in gallery.samples(1)]
    done = gallery.enroll("P0", [sample(0, crop=True), sample(7, crop=True)])
    assert (done.added, done.known, done.replaced, done.pictures) == (1, 1, 0, 1)
    assert gallery.people()[0].crops == 2 and [row.id for row in gallery.samples(1)][:2] == before
    assert gallery.enroll("P0", [sample(0, crop=True)]).pictures == 0


def test_rejecting_an_enrolled_face_withdraws_it(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1)
    assert gallery.reject(1, sample(0)).withdrawn == 1
    person = gallery.find(1)
    assert (person.embeddings, person.rejected) == (1, 1)
    with pytest.raises(InputError, match="nobody with id 5"):
        gallery.reject(5, sample(1))


def test_c131_another_aligner_network_or_dimension_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "g.db").path
    others = {
        "aligner": Maker("e" * 64, "b" * 64, 128),
        "network": Maker("f" * 64, "a" * 64, 128),
        "dimension": Maker("e" * 64, "a" * 64, 512),
    }
    for word, other in others.items():
        with pytest.raises(GalleryMismatch, match=rf"of another {word}") as caught:
            Gallery.open(path, other)
        text = str(caught.value)
        assert str(MAKER) in text
        assert str(other) in text
        assert f"edge-facenet gallery migrate --gallery {path}" in text
        assert "edge-facenet enroll NAME PHOTOS" in text
    assert len(Gallery.open(path)) == 3
    assert Gallery.open(path, MAKER).enroll("P0", [sample(0)]).known == 1


def test_c131_also_when_another_process_changed_the_maker_meanwhile(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1)
    gallery.forget([1])
    other = Maker("f" * 64, "a" * 64, 128)
    Gallery.open(gallery.path, other).enroll("Else", [sample(5)])  # an empty gallery may begin anew
    with pytest.raises(GalleryMismatch):
        gallery.templates()
    with pytest.raises(GalleryMismatch):
        gallery.enroll("P0", [sample(0)])
    assert names(Gallery.open(gallery.path)) == ["Else"]


@pytest.mark.parametrize(
    "bad",
    [
        Sample(np.zeros(128, np.float32), "0" * 64),
        Sample(np.full(128, np.nan, np.float32), "0" * 64),
        Sample(unit(1) * np.float32(0.2), "0" * 64),
        Sample(unit(1, 512), "0" * 64),
        Sample(unit(1)[None], "0" * 64),
        Sample(unit(1), ""),
        Sample(unit(1), "0" * 64, "", np.zeros((112, 112), np.uint8)),
        Sample(unit(1), "0" * 64, "", np.zeros((112, 112, 3), np.float32)),  # type: ignore[arg-type]
    ],
)
def test_a_sample_that_is_no_face_stores_nothing(tmp_path: Path, bad: Sample) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    with pytest.raises(InputError, match=r"[sS]ample 1"):
        gallery.enroll("A", [sample(3), bad])
    assert not gallery.path.exists()
    with pytest.raises(InputError, match="no face to enroll"):
        gallery.enroll("A", [])


def test_enrolling_needs_a_maker_and_a_writable_gallery(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="what made it"):
        Gallery.open(tmp_path / "g.db").enroll("A", [sample(1)])
    filled(tmp_path / "h.db")
    readonly = Gallery.open(tmp_path / "h.db", MAKER, readonly=True)
    assert len(readonly.templates()) == 3
    with pytest.raises(OutputError, match="reading only"):
        readonly.enroll("A", [sample(1)])
    with pytest.raises(OutputError, match="reading only"):
        readonly.forget([1])


def test_an_enrolment_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = filled(tmp_path / "g.db", people=1)
    real, calls = gallery_add(), []

    def failing(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError("no")
        real(*arguments)

    monkeypatch.setattr("edge_facenet.gallery.rows.add_face", failing)
    with pytest.raises(OSError, match="no"):
        gallery.enroll("Half", [sample(k) for k in range(50, 55)])
    monkeypatch.undo()
    assert names(gallery) == ["P0"]
    assert gallery.enroll("Next", [sample(60)]).person == 2


def gallery_add() -> Any:
    from edge_facenet.gallery import rows

    return rows.add_face


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        gallery = filled(tmp_path / "g.db")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"g.db": 0o600, "g.db-wal": 0o600, "g.db-shm": 0o600}
    closed(gallery)
    gallery.path.chmod(0o644)  # somebody copied it carelessly
    Gallery.open(gallery.path)
    assert stat.S_IMODE(gallery.path.stat().st_mode) == 0o600


def test_templates_are_read_once_until_somebody_writes(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    first = gallery.templates()
    assert gallery.templates() is first
    assert not first.matrix.flags.writeable
    gallery.enroll("P0", [sample(9)])
    assert gallery.templates() is not first
    other = Gallery.open(gallery.path, MAKER)
    second = gallery.templates()
    other.forget([2])
    assert list(gallery.templates().ids) == [1, 3]
    assert list(second.ids) == [1, 2, 3]


def test_a_gallery_that_comes_goes_or_is_exchanged_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    watching = Gallery.open(path, MAKER)
    assert len(watching.templates()) == 0
    closed(filled(path, people=2))
    assert len(watching.templates()) == 2
    watching.close()
    closed(filled(tmp_path / "new.db", people=5))
    assert len(watching.templates()) == 2
    os.replace(tmp_path / "new.db", path)
    assert len(watching.templates()) == 5
    watching.close()
    path.unlink()
    assert len(watching.templates()) == 0
    watching.enroll("A", [sample(1)])
    assert names(Gallery.open(path)) == ["A"]


def test_twenty_thousand_embeddings_are_searched_in_one_product(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path / "g.db", MAKER)
    table = np.random.default_rng(5).standard_normal((20_000, 128))
    table = (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)
    for k in range(4):  # 4 people of 5,000 rows, so that enrolling is quick
        rows = range(5000 * k, 5000 * (k + 1))
        gallery.enroll(f"P{k}", [Sample(table[j], f"{j:064x}") for j in rows])
    started = time.perf_counter()
    templates = gallery.templates()
    read_s = time.perf_counter() - started
    assert len(templates.embeddings) == 20_000
    assert np.array_equal(np.sort(templates.embeddings[:, 0]), np.sort(table[:, 0]))
    started = time.perf_counter()
    for _ in range(20):
        decide(table[0], gallery.templates(), LIMIT)
    # 0.2 s and 30 us on two cores at work; a search that went through rows in Python would take ten times the limits.
    assert read_s < 5
    assert (time.perf_counter() - started) / 20 < 0.02


def test_several_threads(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=1)
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for k in range(5):
                gallery.enroll(f"T{number}", [sample(100 * number + k)])
                assert len(gallery.templates()) >= 1
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {p.name: p.embeddings for p in gallery.people()} == {"P0": 2, "T1": 5, "T2": 5, "T3": 5, "T4": 5}


def enroll_many(path: Path, number: int) -> None:
    for k in range(8):
        Gallery.open(path, MAKER).enroll(f"W{number}", [sample(1000 * number + k)])


def test_several_processes_that_also_make_the_gallery(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=enroll_many, args=(tmp_path / "g.db", n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    people = Gallery.open(tmp_path / "g.db").people()
    assert sorted((p.name, p.embeddings) for p in people) == [("W0", 8), ("W1", 8), ("W2", 8)]


def test_a_busy_gallery_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = filled(tmp_path / "g.db")
    monkeypatch.setattr("edge_facenet.gallery.database.BUSY_S", 0.1)
    hasty = Gallery.open(gallery.path, MAKER)
    with (
        gallery.writing(),
        pytest.raises(OutputError, match=r"Another process has been writing .* Nothing was changed; try again"),
    ):
        hasty.enroll("A", [sample(1)])
    assert len(hasty) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_it_survives_a_fork(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db")
    gallery.templates()
    child = os.fork()
    if child == 0:
        done = gallery.enroll("Child", [sample(50)]).person == 4 and len(gallery.templates()) == 4
        os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gallery.templates().names[-1] == "Child"
    gallery.enroll("Parent", [sample(51)])
    assert names(gallery)[-2:] == ["Child", "Parent"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_what_a_fork_remembers_of_a_search_is_read_anew(tmp_path: Path) -> None:
    """Somebody else forgets a person between the fork and the child's first look."""
    gallery = filled(tmp_path / "g.db")
    gallery.templates()
    forgotten, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(forgotten, 1)
        os._exit(0 if list(gallery.templates().ids) == [1, 3] else 1)
    Gallery.open(gallery.path, MAKER).forget([2])
    os.write(told, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(forgotten)
    os.close(told)


def test_a_search_that_reads_while_another_thread_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is before or after the forgetting; what it remembers is not older than that."""
    gallery = filled(tmp_path / "g.db")
    reading, forgets = gallery.reading, threading.Thread(target=lambda: gallery.forget([2]))

    @contextlib.contextmanager
    def slowly() -> Iterator[Any]:
        with reading() as session:
            yield session
        if threading.current_thread() is not forgets:  # what was read is not remembered yet
            forgets.start()
            forgets.join(0.3)

    monkeypatch.setattr(gallery, "reading", slowly)
    gallery.templates()
    monkeypatch.undo()
    forgets.join()
    assert list(gallery.templates().ids) == [1, 3]


def test_faces_of_an_older_network_stay_until_a_new_one_counts(tmp_path: Path) -> None:
    old = filled(tmp_path / "g.db", people=1, photos=3)
    new = Maker("f" * 64, "a" * 64, 128)
    migrate(Gallery.open(old.path), new, lambda crops: crops)
    gallery = Gallery.open(old.path, new)
    gallery.reject(1, sample(50))
    none = gallery.enroll("P0", [sample(50)])  # a face that is not this person's adds nothing
    assert (none.added, none.refused, none.replaced) == (0, 1, 0)
    assert gallery.find("P0").outdated == 3
    one = gallery.enroll("P0", [sample(51)])
    assert (one.added, one.replaced, one.embeddings, gallery.find("P0").outdated) == (1, 3, 1, 0)


def test_c136_rows_that_are_no_embedding_are_never_matched(tmp_path: Path) -> None:
    gallery = filled(tmp_path / "g.db", people=4, photos=1)
    junk = [
        np.zeros(128, "<f4"),
        np.full(128, np.nan, "<f4"),
        (unit(1) * 0.2).astype("<f4"),
        np.full(128, np.inf, "<f4"),
    ]
    odd: list[Any] = [vector.tobytes() for vector in junk]
    odd += [b"", unit(1)[:100].tobytes(), unit(1).tobytes() + b"x", "text", 5, np.full(128, 3e38, "<f4").tobytes()]
    with raw(gallery.path) as connection:
        for vector in odd:
            connection.execute(
                "INSERT INTO embeddings (person, rejected, embedder, aligner, dimension, vector, photo, source, added)"
                " VALUES (1, 0, ?, ?, 128, ?, 'x', 'x', 'now')",
                (MAKER.embedder, MAKER.aligner, vector),
            )
    templates = gallery.templates()
    assert np.isfinite(templates.matrix).all()
    assert len(templates.embeddings) == 4
    assert np.array_equal(templates.matrix[0], unit(0))
    match = decide(unit(1), templates, LIMIT)
    assert match.person is None
    assert match.similarity is not None
    assert np.isfinite(match.similarity)


def test_the_default_place_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path))
    assert default_path() == tmp_path / "gallery.db"
