"""Splits, pairs, pair files and their faults."""

from __future__ import annotations

import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_facenet.errors import InputError
from edge_facenet.verification import (
    MAX_PAIRS,
    Pairs,
    Split,
    all_pairs,
    clean,
    cosines,
    picture_index,
    read_pairs,
    read_split,
    sampled_pairs,
    split_identities,
    write_split,
)

LABELS = st.lists(st.integers(-1, 5), min_size=0, max_size=30)
ORL = tuple(f"s{k}" for k in range(1, 41))


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))


def test_the_demo_split_is_the_published_one() -> None:
    split = split_identities(ORL, calibrate=4, test=10, seed=1234)
    assert split.test == ("s10", "s11", "s12", "s13", "s16", "s20", "s26", "s31", "s39", "s40")
    assert (len(split.calibrate), len(split.train)) == (4, 26)


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 80), st.integers(0, 2**31), st.floats(0, 0.4), st.integers(0, 20))
def test_a_split_is_a_partition_in_the_given_order(count: int, seed: int, share: float, test: int) -> None:
    people = [f"p{k}" for k in range(count)]
    try:
        split = split_identities(people, share, test, seed)
    except InputError:
        assert count - test - max(1, round(share * count)) < 2
        return
    assert sorted([*split.train, *split.calibrate, *split.test]) == sorted(people)
    for part in (split.train, split.calibrate, split.test):
        assert list(part) == sorted(part, key=people.index)
    assert len(split.test) == test and (len(split.calibrate) == 0) == (share == 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.05, 0.3), st.floats(0.05, 0.3))
def test_a_person_of_two_sources_is_in_one_part_whatever_the_source(seed: int, calibrate: float, test: float) -> None:
    people = [*(f"a/p{k}" for k in range(40)), *(f"b/p{k}" for k in range(20, 60))]
    split = split_identities(people, calibrate, test, seed)
    tested, calibrated, trained = ({name[2:] for name in part} for part in (split.test, split.calibrate, split.train))
    assert not tested & calibrated and not tested & trained and not calibrated & trained
    assert len(split.test) == len(tested) and len(split.calibrate) == len(calibrated), (
        "nobody is two people of one part"
    )
    assert trained | calibrated | tested == {f"p{k}" for k in range(60)}


def test_names_left_over_are_not_enough_to_train_on() -> None:
    with pytest.raises(InputError, match="held out under another name"):
        split_identities(["a/p1", "b/p1", "a/p2", "b/p2"], 0, 2, 0)


def test_splits_are_refused_and_read_back(tmp_path: Path) -> None:
    for calibrate, test, words in (
        (30, 10, "training needs at least 2"),
        (1.5, 1, "share lies in"),
        (-1, 1, "cannot take -1"),
    ):
        with pytest.raises(InputError, match=words):
            split_identities(ORL, calibrate, test, 0)
    with pytest.raises(InputError, match="a name occurs twice"):
        split_identities(["a", "b", "b", "c"], 0, 1, 0)
    split = split_identities(["Ann Lee", "Zoë", "李", "d"], 1, 1, 5)
    write_split(tmp_path / "split.json", split)
    assert read_split(tmp_path / "split.json") == split
    (tmp_path / "bad.json").write_text(json.dumps({"seed": 1, "train": ["a"], "calibrate": [], "test": ["a"]}))
    with pytest.raises(InputError, match="two parts of the split, or twice in one: a"):
        read_split(tmp_path / "bad.json")
    with pytest.raises(InputError, match="Cannot read split"):
        read_split(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        read_split(tmp_path / "text.json")
    assert isinstance(split, Split)


@settings(max_examples=100, deadline=None)
@given(LABELS)
def test_all_pairs_are_all_and_labelled(labels: list[int]) -> None:
    pairs = all_pairs(np.array(labels, int))
    known = [k for k, label in enumerate(labels) if label >= 0]
    assert list(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)) == list(itertools.combinations(known, 2))
    assert pairs.same.tolist() == [labels[a] == labels[b] for a, b in zip(pairs.a, pairs.b, strict=True)]
    assert pairs.identity_a.tolist() == [labels[a] for a in pairs.a]


@settings(max_examples=200, deadline=None)
@given(LABELS, st.integers(0, 60), st.integers(0, 400), st.integers(0, 9))
def test_sampled_pairs_are_distinct_of_the_right_kind_and_repeatable(
    labels: list[int], genuine: int, impostor: int, seed: int
) -> None:
    every, some = all_pairs(np.array(labels, int)), sampled_pairs(labels, genuine, impostor, seed)
    assert len(as_set(some)) == len(some) and as_set(some) <= as_set(every)
    assert (some.genuine, some.impostor) == (min(genuine, every.genuine), min(impostor, every.impostor))
    assert some.same.tolist() == [labels[a] == labels[b] for a, b in zip(some.a, some.b, strict=True)]
    assert as_set(sampled_pairs(labels, genuine, impostor, seed)) == as_set(some)


def test_sampled_pairs_are_drawn_evenly_from_a_million() -> None:
    labels = np.arange(1500) // 3
    pairs = sampled_pairs(labels, 1000, 20_000, seed=1)
    # share of impostor pairs whose first row lies in the first half: 3/4, standard deviation 0.0031 for 20,000 draws
    assert (pairs.a[~pairs.same] < 750).mean() == pytest.approx(0.75, abs=4 * 0.0031)
    assert pairs.genuine == 1000


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="Sample them instead"):
        all_pairs(np.zeros(4000, int))
    with pytest.raises(InputError, match="at most 5,000,000"):
        sampled_pairs(np.zeros(4000, int), MAX_PAIRS, 1, 0)


def test_cosines_are_those_of_any_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 8)).astype(np.float32)
    rows[3] = 0
    pairs = all_pairs(np.arange(20))
    found = cosines(rows, pairs)
    for a, b, cosine in zip(pairs.a, pairs.b, found, strict=True):
        x, y = rows[a].astype(float), rows[b].astype(float)
        expected = 0.0 if 3 in (a, b) else float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))
        assert cosine == pytest.approx(expected, abs=1e-14)  # sums of 8 doubles
    with pytest.raises(InputError, match="name row 19 of 5"):
        cosines(rows[:5], pairs)


def lfw(folder: Path, per_kind: int = 3, header: str | None = "10\t{}", separator: str = "\t") -> Path:
    """A pair file of 10 sets: Ann_n against herself, Ann_n against Bob_n."""
    lines = [] if header is None else [header.format(per_kind)]
    for fold in range(10):
        lines += [f"Ann_{fold}{separator}{k}{separator}{k + 1}" for k in range(1, per_kind + 1)]
        lines += [f"Ann_{fold}{separator}{k}{separator}Bob_{fold}{separator}{k}" for k in range(1, per_kind + 1)]
    file = folder / "pairs.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def sources(suffix: str = "", people: tuple[str, ...] = ("Ann", "Bob")) -> list[str]:
    return [f"{who}_{n}/{who}_{n}_{k:04d}{suffix}.png" for who in people for n in range(10) for k in range(1, 5)]


@pytest.mark.parametrize("separator", ["\t", " ", "   "])
@pytest.mark.parametrize("header", ["10\t{}", "10 {}", None])
def test_lfw_pair_files_with_tabs_or_spaces(tmp_path: Path, separator: str, header: str | None) -> None:
    names = sources()
    listed = read_pairs(lfw(tmp_path, header=header, separator=separator), picture_index(names))
    assert (len(listed.pairs), listed.listed, listed.missing) == (60, 60, ())
    assert (listed.pairs.genuine, listed.pairs.impostor) == (30, 30)
    assert names[listed.pairs.a[3]] == "Ann_0/Ann_0_0001.png" and names[listed.pairs.b[3]] == "Bob_0/Bob_0_0001.png"
    if header is None:
        assert listed.pairs.fold is None
    else:
        assert listed.pairs.fold is not None and listed.pairs.fold.tolist() == [k // 6 for k in range(60)]
    assert ((listed.pairs.identity_a == listed.pairs.identity_b) == listed.pairs.same).all()


def test_lfw_numbers_name_files_in_a_persons_folder(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("s1\t1\t10\ns1\t2\ts2\t3\n")
    names = [f"s{p}/{n}.pgm" for p in (1, 2) for n in range(1, 11)]
    pairs = read_pairs(file, picture_index(names)).pairs
    assert [names[k] for k in (*pairs.a, *pairs.b)] == ["s1/1.pgm", "s1/2.pgm", "s1/10.pgm", "s2/3.pgm"]


def test_c107_names_the_aligner_changed_are_not_skipped_silently(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r'0 of 60 pairs found, first missing: Ann_0_0001 \(the crops hold "Ann_0_0001_0"\)'
    ):
        read_pairs(lfw(tmp_path), picture_index(sources(suffix="_0")))
    with pytest.raises(InputError, match="0 of 60 pairs found"):  # no permission helps where there is nothing
        read_pairs(lfw(tmp_path), picture_index(sources(suffix="_0")), allow_missing=True)


def test_c107_half_of_the_people_absent_withholds_the_result(tmp_path: Path) -> None:
    index = picture_index(sources(people=("Ann",)))
    with pytest.raises(
        InputError, match=r"30 of 60 pairs found, first missing: Bob_0_0001.* 30 pictures .*withheld.*--allow-missing"
    ):
        read_pairs(lfw(tmp_path), index)
    listed = read_pairs(lfw(tmp_path), index, allow_missing=True)
    assert (len(listed.pairs), listed.listed, len(listed.missing)) == (30, 60, 30)
    with pytest.raises(InputError, match=r"59 of 60|58 of 60"):  # one picture is enough
        gone = [s for s in sources() if s != "Bob_3/Bob_3_0002.png"]
        read_pairs(lfw(tmp_path), picture_index(gone))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("10\t300\n", "announces .* holds 0"),
        ("1\t1\nAnn\t1\t2\n", "announces 1 x 2 x 1 = 2 pairs and holds 1"),
        ("Ann\t1\t2\nAnn\t1\n", "line 2: expected NAME N N"),
        ("Ann\tx\t2\n", "line 1: expected NAME N N"),
        ("Ann Lee 1 2 3\n", "Names with spaces need tabs"),
        ("a,b,same\nx,y,maybe\n", "line 2: expected PICTURE,PICTURE,SAME"),
        ("x,y\n", "line 1: expected PICTURE,PICTURE,SAME"),
        ("a,b,same\n", "header and no pairs"),
        (
            'a,b,same\nx,y,1\n"x,y,1\n' + "z" * 140_000,
            r"pairs\.txt, line \d: field larger than field limit.*quotation mark",
        ),
    ],
)
def test_pair_files_that_are_none_are_refused_with_the_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        read_pairs(file, {"Ann_0001": 0, "Ann_0002": 1})


def test_pair_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read pair file"):
        read_pairs(tmp_path / "none.txt", {})
    (tmp_path / "latin.txt").write_bytes("Zoë\t1\t2\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_pairs(tmp_path / "latin.txt", {})


def test_csv_pair_files_by_path_or_stem_and_names_in_any_unicode_form(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(
        "\ufeffa,b,same\ns1/1.pgm,s1/2,1\r\n\ns1\\1.pgm,s2/1.pgm,different\nZoe\u0308 1.jpg,'x',0\n", encoding="utf-8"
    )
    names = ["s1/1.pgm", "s1/2.pgm", "s2/1.pgm", "Zo\u00eb 1.jpg", "'x'.png"]
    listed = read_pairs(file, picture_index(names))
    assert listed.pairs.a.tolist() == [0, 0, 3] and listed.pairs.b.tolist() == [1, 2, 4]
    assert listed.pairs.same.tolist() == [True, False, False] and listed.pairs.fold is None
    assert listed.pairs.identity_a[0] == listed.pairs.identity_b[0] != listed.pairs.identity_b[1]
    labelled = read_pairs(file, picture_index(names), labels=[7, 7, 8, 9, 10])
    assert labelled.pairs.identity_a.tolist() == [7, 7, 9]


def test_csv_pair_files_with_the_line_ends_of_old_macs(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_bytes(b"a,b,1\rc,d,0\r")
    listed = read_pairs(file, picture_index(["a.jpg", "b.jpg", "c.jpg", "d.jpg"]))
    assert (listed.pairs.a.tolist(), listed.pairs.same.tolist()) == ([0, 2], [True, False])


def test_stems_that_two_pictures_share_name_neither() -> None:
    index = picture_index(["s1/1.pgm", "s2/1.pgm", "s2/2.pgm"])
    assert "1" not in index and index["2"] == 2 and index["s1/1"] == 0


def faulty() -> tuple[Pairs, list[str]]:
    """C116: 600 pairs, among them 5 repeated, 1 the other way round, 1 self-pair; 3 byte-equal pictures under two names."""
    base = all_pairs(np.repeat(np.arange(100), 4))
    keep = np.concatenate([np.flatnonzero(base.same)[:300], np.flatnonzero(~base.same)[:290]])
    a, b, same = base.a[keep], base.b[keep], base.same[keep]
    extra_a = [*a[:5], b[0], 7, *a[10:13]]
    extra_b = [*b[:5], a[0], 7, 397, 398, 399]
    a, b = np.concatenate([a, extra_a]), np.concatenate([b, extra_b])
    digests = [f"picture {k}" for k in range(400)]
    for twin, original in zip((397, 398, 399), extra_a[7:], strict=True):
        digests[twin] = digests[int(original)]
    person = np.arange(400) // 4
    person[397:] = person[[int(k) for k in extra_a[7:]]]
    same = person[a] == person[b]
    return Pairs(a, b, same, person[a], person[b]), digests


def test_c116_every_kind_of_repeat_is_counted_and_what_proves_nothing_is_not_scored() -> None:
    pairs, digests = faulty()
    assert len(pairs) == 600
    kept, counts = clean(pairs, digests)
    assert (counts.repeated, counts.reversed_repeats, counts.self_pairs) == (5, 1, 1)
    assert (counts.byte_equal_same, counts.byte_equal_different, counts.byte_equal_pictures) == (3, 0, 3)
    assert counts.contradictions == 0 and counts.scored == len(kept) == 596
    assert not (kept.a == kept.b).any()
    assert len(counts.notes()) == 5
    assert clean(pairs)[1].byte_equal_pictures == 0  # without hashes nothing is claimed about bytes
    assert clean(kept, digests)[0] is not None


def test_c116_a_pair_marked_same_and_different_is_refused() -> None:
    pairs, digests = faulty()
    other_way = Pairs(
        np.append(pairs.a, pairs.b[20]),
        np.append(pairs.b, pairs.a[20]),
        np.append(pairs.same, not pairs.same[20]),
        np.append(pairs.identity_a, pairs.identity_b[20]),
        np.append(pairs.identity_b, pairs.identity_a[20]),
    )
    with pytest.raises(InputError, match="contradict themselves 1 times: pair 601"):
        clean(other_way, digests)


def test_c116_a_mark_against_the_peoples_names_or_across_three_pairs_is_a_contradiction(tmp_path: Path) -> None:
    names = ["x.png", "y.png", "z.png"]
    file = tmp_path / "pairs.csv"
    file.write_text("x,y,1\ny,z,1\nx,z,0\n")
    with pytest.raises(InputError, match="contradict"):
        clean(read_pairs(file, picture_index(names)).pairs)
    file.write_text("x,y,1\nx,z,0\n")
    with pytest.raises(InputError, match="contradict"):
        clean(read_pairs(file, picture_index(names), labels=[0, 1, 2]).pairs)
    clean(read_pairs(file, picture_index(names)).pairs)


def test_c116_byte_equal_pictures_marked_different_are_not_scored_either() -> None:
    pairs = all_pairs([0, 0, 1, 1])
    kept, counts = clean(pairs, ["p", "q", "p", "r"])
    assert (counts.byte_equal_different, counts.byte_equal_same, len(kept)) == (1, 0, 5)
    with pytest.raises(InputError, match="None of 1 pairs can be scored"):
        clean(pairs.take([0]), ["p", "p", "p", "r"])


def test_lfw_view_2_is_read_whole(shared: Path) -> None:
    """The published list against the published pictures: 6,000 pairs in ten folds of 300 and 300, nothing missing."""
    folder = shared / "data" / "lfw"
    with zipfile.ZipFile(folder / "lfw.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
    listed = read_pairs(folder / "pairs.txt", picture_index(names))
    pairs = listed.pairs
    assert (len(names), listed.listed, len(pairs), listed.missing) == (7701, 6000, 6000, ())
    assert pairs.fold is not None and (pairs.genuine, pairs.identities) == (3000, 4281)
    assert (pairs.fold == np.arange(6000) // 600).all()
    assert pairs.same.reshape(10, 2, 300).all(axis=2).tolist() == [[True, False]] * 10
    assert clean(pairs)[1].notes() == ()
    for gone in (names[0], names[-1]):  # one picture is enough to withhold the result
        with pytest.raises(InputError, match="of 6,000 pairs found, first missing"):
            read_pairs(folder / "pairs.txt", picture_index(n for n in names if n != gone))


def test_of_a_photo_with_several_faces_the_first_is_its_subject() -> None:
    index = picture_index(["g/a.jpg", "g/a.jpg", "g/b.jpg"])
    assert index == {"g/a.jpg": 0, "g/a": 0, "a": 0, "g/b.jpg": 2, "g/b": 2, "b": 2}
    assert picture_index(["g/a.jpg", "g/a.jpg", "h/a.jpg"]) == {"g/a.jpg": 0, "g/a": 0, "h/a.jpg": 2, "h/a": 2}
