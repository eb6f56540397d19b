"""Crop sets: what others read."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_facenet import files
from edge_facenet.errors import InputError, OutputError
from edge_facenet.photos import growing, shards
from edge_facenet.photos.cropset import CropRow, CropSet, CropSetWriter, Layout, Recipe, natural_key, write
from edge_facenet.photos.likeness import Twin, table
from edge_facenet.photos.place import finish_move, lock
from edge_facenet.photos.rows import Rejection, read_index, read_rejected, write_index, write_rejected
from edge_facenet.photos.sealed import HEADER_BYTES, Seal, npy_header
from edge_facenet.schema import from_json, to_json

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, (25, 128, 128, 3), np.uint8)
NAMES = [f"s{k}" for k in (10, 2, 1, 33, 2)] * 5


@pytest.fixture
def crops(tmp_path: Path) -> CropSet:
    return write(tmp_path / "set", CROPS, NAMES)


def test_identities_are_in_natural_order_and_labels_follow(crops: CropSet) -> None:
    assert crops.identities == ("s1", "s2", "s10", "s33")
    assert [crops.identities[k] for k in crops.labels] == NAMES and crops.labels.dtype == np.int32
    assert sorted(["a10", "a9", "B", "a", "10", "9", "é", "a09"], key=natural_key) == [
        "9",
        "10",
        "B",
        "a",
        "a09",
        "a9",
        "a10",
        "é",
    ]


def test_crops_come_back_in_any_order(crops: CropSet) -> None:
    rows = [24, 0, 7, 7]
    assert np.array_equal(crops.crops(rows), CROPS[rows])
    assert crops.crops([]).shape == (0, 128, 128, 3)
    assert crops.crops(np.array([3])).flags.writeable
    assert np.array_equal(np.load(crops.path / "crops-00000.npy"), CROPS)
    for wrong in ([25], [-1]):
        with pytest.raises(InputError, match=r"rows 0\.\.24"):
            crops.crops(wrong)


def test_cut_is_the_template_without_margin(crops: CropSet) -> None:
    assert np.array_equal(crops.cut([1, 2], 112), CROPS[[1, 2], 8:120, 8:120])
    half = crops.cut([1], 56).astype(float)
    mean = CROPS[1, 8:120, 8:120].reshape(56, 2, 56, 2, 3).mean((1, 3))
    assert np.abs(half[0] - mean).max() <= 0.5
    assert crops.cut([0], 160).shape == (1, 160, 160, 3)


def test_rows_of_people(crops: CropSet) -> None:
    assert crops.rows_of(["s2", "s1"]).tolist() == [i for i, n in enumerate(NAMES) if n in ("s1", "s2")]
    assert crops.rows_of([]).tolist() == []
    with pytest.raises(InputError, match="'nobody'"):
        crops.rows_of(["s1", "nobody"])


def test_the_digest_binds_everything(crops: CropSet, tmp_path: Path) -> None:
    assert CropSet.open(crops.path).sha256 == crops.sha256 == write(tmp_path / "twin", CROPS, NAMES).sha256
    other = CROPS.copy()
    other[3, 0, 0, 0] ^= 1
    assert write(tmp_path / "other", other, NAMES).sha256 != crops.sha256


@pytest.mark.parametrize("file", ["prepare.json", "index.csv", "crops-00000.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_damage_is_noticed(crops: CropSet, file: str, damage: str) -> None:
    path = crops.path / file
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        CropSet.open(crops.path)
    assert "\n" not in str(caught.value) and str(crops.path) in str(caught.value)


def test_what_is_no_crop_set_is_named(tmp_path: Path, crops: CropSet) -> None:
    with pytest.raises(InputError, match="is not a crop set"):
        CropSet.open(tmp_path / "nothing")
    value = json.loads((crops.path / "prepare.json").read_text())
    (crops.path / "prepare.json").write_text(json.dumps({**value, "schema": 99}))
    with pytest.raises(InputError, match="schema 99"):
        CropSet.open(crops.path)
    (crops.path / "prepare.json").write_text(json.dumps({**value, "sealed": False}))
    with pytest.raises(InputError, match="not finished"):
        CropSet.open(crops.path)


def test_a_crop_set_names_no_file_outside_itself(crops: CropSet) -> None:
    value = json.loads((crops.path / "prepare.json").read_text())
    value["shards"][0]["file"] = "../secret.npy"
    seal = from_json(Seal, value, "test").signed()  # whoever forges the name can forge the digest too
    files.write_json(crops.path / "prepare.json", to_json(seal))
    with pytest.raises(InputError, match="damaged"):
        CropSet.open(crops.path)


def test_many_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 7)
    crops = write(tmp_path / "set", CROPS, NAMES)
    assert [s.rows for s in crops.seal.shards] == [7, 7, 7, 4]
    order = RNG.permutation(25)
    assert np.array_equal(crops.crops(order), CROPS[order])
    with CropSetWriter(tmp_path / "half", Recipe(settings={"source": "aligned faces"})) as writer:
        for row in crops.rows[:16]:
            writer.accept(row, CROPS[row.row])
    with CropSetWriter(tmp_path / "half", Recipe(settings={"source": "aligned faces"})) as writer:
        assert len(writer.rows) == 16
        for row in crops.rows[16:]:
            writer.accept(row, CROPS[row.row])
        assert writer.seal().sha256 == crops.sha256


def test_the_writer_refuses_other_crops(tmp_path: Path) -> None:
    row = CropRow(0, "a", "a/1", 1.0, ((0.0, 0.0),) * 5)
    with CropSetWriter(tmp_path / "set", Recipe(Layout(64, 4))) as writer:
        with pytest.raises(InputError, match=r"\(64, 64, 3\) uint8"):
            writer.accept(row, CROPS[0])
        with pytest.raises(InputError, match="No crop"):
            writer.seal()
        writer.discard()
    assert not (tmp_path / "set").exists()


def test_sizes_have_limits() -> None:
    for size, margin in ((16, 0), (2048, 0), (64, 32), (64, -1)):
        with pytest.raises(ValueError):
            Layout(size, margin)


def test_tables_survive_any_name() -> None:
    points = tuple((float(i), i + 0.125) for i in range(5))
    rows = tuple(
        CropRow(i, n, f"{n}/x\r\ny", 0.5, points, sha256="ab") for i, n in enumerate(['a",', "\udcff", "\n", "Ł"])
    )  # type: ignore[arg-type]
    assert read_index(write_index(rows), "index.csv") == rows
    rejected = tuple(Rejection(n, f"why, {n!r}", light, "s") for n, light in (("a", None), ("b\n", 3.5)))
    assert read_rejected(write_rejected(reversed(rejected)), "rejected.csv") == rejected


def test_a_lone_carriage_return_in_a_name_survives() -> None:
    names = ("Icon\r", "b\rc.pgm", "\r", "plain")
    rows = tuple(CropRow(i, n, n, 1.0, ((0.0, 0.5),) * 5) for i, n in enumerate(names))  # type: ignore[arg-type]
    assert read_index(write_index(rows), "index.csv") == rows
    assert write_index(rows[3:]).splitlines()[-1].startswith(b"3,plain,plain,1.0,0.0,")  # other rows keep their bytes
    rejected = tuple(Rejection(n, f"why, {n}", 1.5) for n in sorted(names))
    assert read_rejected(write_rejected(rejected), "rejected.csv") == rejected
    twins = table([Twin(True, 1, 0)], rows).decode()
    assert list(csv.reader(io.StringIO(twins, newline="")))[1] == [
        *("exact", "1", "b\rc.pgm", "b\rc.pgm"),
        *("0", "Icon\r", "Icon\r", "1.0000"),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"row,identity\n0,a\n", b"\x00\x01", write_index([])[:-10], write_index([]) + b"1,a,b\n"]
)
def test_other_tables_are_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"index\.csv"):
        read_index(content, "index.csv")


def test_the_header_is_numpy_s_and_always_as_long() -> None:
    import io

    for rows in (0, 1, 2048, 10**9):
        header = npy_header(rows, 1024)
        assert len(header) == HEADER_BYTES
        stream = io.BytesIO(header)
        assert np.lib.format.read_magic(stream) == (1, 0)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        assert (shape, fortran, dtype) == ((rows, 1024, 1024, 3), False, np.uint8)


def test_a_folder_with_something_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds something else \('mine.txt'"):
        write(tmp_path, CROPS, NAMES)


def test_a_crop_set_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    first = write(tmp_path, CROPS, NAMES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for recipe in (Recipe(settings={"source": "others"}), Recipe(Layout(128, 4), {"source": "aligned faces"})):
        with pytest.raises(OutputError, match="holds a crop set made with other settings \\(128 px\\)"):
            write(tmp_path, CROPS[:3], NAMES[:3], recipe)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(write(tmp_path, CROPS[:3], NAMES[:3])) == 3 < len(first)  # one made alike may go


def test_the_table_of_duplicates_goes_with_its_crop_set(tmp_path: Path) -> None:
    for duplicates in (b"of the first", None):
        with CropSetWriter(tmp_path / "set", Recipe()) as writer:
            writer.accept(CropRow(0, "a", "a/1", 1.0, ((0.0, 0.0),) * 5), CROPS[0])  # type: ignore[arg-type]
            writer.seal(duplicates=duplicates)
        assert (tmp_path / "set" / "duplicates.csv").exists() is (duplicates is not None)


def test_damage_to_the_table_of_rejections_is_noticed(tmp_path: Path) -> None:
    with CropSetWriter(tmp_path / "set", Recipe()) as writer:
        writer.accept(CropRow(0, "a", "a/1", 1.0, ((0.0, 0.0),) * 5), CROPS[0])  # type: ignore[arg-type]
        writer.reject(Rejection("a/2", "No face found."))
        crops = writer.seal()
    assert crops.rejections() == (Rejection("a/2", "No face found."),)
    file = tmp_path / "set" / "rejected.csv"
    file.write_bytes(file.read_bytes().replace(b"a/2", b"a/3"))
    with pytest.raises(InputError, match=r"is damaged: rejected\.csv is not what prepare\.json says"):
        crops.rejections()


def test_the_folder_is_held_until_everything_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl")
    refused = []

    def moving(folder: Path) -> None:
        with pytest.raises(OutputError, match="Another edge-facenet prepare"):
            lock(folder)
        refused.append(folder)
        finish_move(folder)

    with CropSetWriter(tmp_path / "set", Recipe()) as writer:
        writer.accept(CropRow(0, "a", "a/1", 1.0, ((0.0, 0.0),) * 5), CROPS[0])  # type: ignore[arg-type]
        monkeypatch.setattr(growing, "finish_move", moving)
        writer.seal()
        assert refused == [tmp_path / "set"]
        handle = lock(tmp_path / "set")  # and then it is free
        os.close(handle)


@pytest.mark.parametrize("act", ["restart", "discard"])
def test_the_folder_is_held_while_what_has_grown_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    pytest.importorskip("fcntl")
    refused, remove = [], shutil.rmtree

    def removing(work: Path, ignore_errors: bool = False) -> None:
        with pytest.raises(OutputError, match="Another edge-facenet prepare"):
            lock(work.parent)
        refused.append(work)
        remove(work, ignore_errors)

    with CropSetWriter(tmp_path / "set", Recipe()) as writer:
        monkeypatch.setattr(growing.shutil, "rmtree", removing)
        getattr(writer, act)()
    assert refused == [tmp_path / "set" / ".growing"]
