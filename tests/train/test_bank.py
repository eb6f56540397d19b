"""The bank of teachers' answers: rows survive torn writes, and a stale bank is refused by name."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_facenet.errors import InputError, OutputError
from edge_facenet.train.bank import Bank, Key
from edge_facenet.train.ring import Ring

KEY = Key(teacher="t" * 8, crops="c" * 8, views="1:v", order="seed 0, mix 0", dimension=16)
RECORD = 2 * 16 + 4


def rows(n: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, 16))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def filled(folder: Path, n: int = 10) -> np.ndarray:
    written = rows(n)
    bank = Bank(folder, KEY)
    bank.append(written)
    bank.close()
    return written


def test_rows_come_back_in_half_precision_and_unit_length(tmp_path: Path) -> None:
    written = filled(tmp_path / "bank")
    bank = Bank(tmp_path / "bank", KEY)
    assert len(bank) == 10
    back = bank.rows(np.array([9, 0, 3]))
    # NumPy oracle: float16, then unit length. Half precision keeps 11 bits: 2^-11 of values up to 1.
    half = written[[9, 0, 3]].astype(np.float16).astype(np.float32)
    assert np.array_equal(back, half / np.linalg.norm(half, axis=1, keepdims=True))
    assert np.abs(back - written[[9, 0, 3]]).max() < 2**-10
    assert back.dtype == np.float32


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("teacher", "other", "another teacher"),
        ("crops", "other", "other crops"),
        ("views", "2:v", "another version of the views"),
        ("order", "seed 1, mix 0", "another seed or mixing of the views"),
        ("dimension", 32, "another embedding length"),
    ],
)
def test_a_stale_bank_is_refused_by_name(tmp_path: Path, field: str, value: object, name: str) -> None:
    filled(tmp_path / "bank")
    before = (tmp_path / "bank/rows.bin").read_bytes()
    with pytest.raises(InputError, match=name):
        Bank(tmp_path / "bank", replace(KEY, **{field: value}))
    assert (tmp_path / "bank/rows.bin").read_bytes() == before, "a refusal must not touch the rows"


@pytest.mark.parametrize("cut", [1, RECORD - 1, RECORD, RECORD + 7])
def test_a_torn_end_is_cut_off(tmp_path: Path, cut: int) -> None:
    written = filled(tmp_path / "bank")
    file = tmp_path / "bank/rows.bin"
    file.write_bytes(file.read_bytes()[:-cut])
    bank = Bank(tmp_path / "bank", KEY)
    kept = 10 - -(-cut // RECORD)
    assert len(bank) == kept
    bank.append(written[kept:])
    bank.close()
    filled(tmp_path / "whole")
    assert file.read_bytes() == (tmp_path / "whole/rows.bin").read_bytes()


def test_a_hole_of_zeros_is_made_again(tmp_path: Path) -> None:
    """After a power cut a file may have its length but not its content."""
    filled(tmp_path / "bank")
    file = tmp_path / "bank/rows.bin"
    content = bytearray(file.read_bytes())
    content[6 * RECORD : 8 * RECORD] = bytes(2 * RECORD)
    file.write_bytes(content)
    assert len(Bank(tmp_path / "bank", KEY)) == 6


def test_a_row_damaged_while_in_use_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "bank")
    bank = Bank(tmp_path / "bank", KEY)
    with (tmp_path / "bank/rows.bin").open("r+b") as stream:
        stream.seek(4 * RECORD)
        turned = bytes([stream.read(1)[0] ^ 1])
        stream.seek(4 * RECORD)
        stream.write(turned)
    with pytest.raises(InputError, match="Row 4"):
        bank.rows(np.array([4]))


def test_a_row_in_another_place_is_no_row(tmp_path: Path) -> None:
    """The checksum covers the number: two records swapped are two bad ones."""
    filled(tmp_path / "bank")
    file = tmp_path / "bank/rows.bin"
    content = file.read_bytes()
    file.write_bytes(content[RECORD : 2 * RECORD] + content[:RECORD] + content[2 * RECORD :])
    assert len(Bank(tmp_path / "bank", KEY)) == 0


def test_a_damaged_header_is_said(tmp_path: Path) -> None:
    filled(tmp_path / "bank")
    (tmp_path / "bank/bank.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        Bank(tmp_path / "bank", KEY)


def test_the_header_names_all_keys(tmp_path: Path) -> None:
    filled(tmp_path / "bank")
    assert set(json.loads((tmp_path / "bank/bank.json").read_text())) == {
        "teacher",
        "crops",
        "views",
        "order",
        "dimension",
    }


def test_a_full_disk_is_told_once_and_for_good(tmp_path: Path) -> None:
    """What closing says of the same rows does not take the place of the sentence."""
    resource = pytest.importorskip("resource")
    filled(tmp_path / "bank")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    bank = Bank(tmp_path / "bank", KEY)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12 * RECORD, before[1]))
        with pytest.raises(OutputError, match=r"Cannot write .*rows\.bin: .*Make room"), contextlib.closing(bank):
            bank.append(rows(10, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    again = Bank(tmp_path / "bank", KEY)
    assert len(again) >= 10
    again.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first = Bank(tmp_path / "bank", KEY)
    with pytest.raises(OutputError, match="Another process"):
        Bank(tmp_path / "bank", KEY)
    first.close()
    Bank(tmp_path / "bank", KEY).close()


def test_a_file_system_without_locks_is_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refuses)
    filled(tmp_path / "bank")
    assert len(Bank(tmp_path / "bank", KEY)) == 10


def picture(view: int) -> np.ndarray:
    return np.random.default_rng(view).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def test_the_ring_is_a_pure_cache(tmp_path: Path) -> None:
    asked: list[int] = []

    def make(view: int) -> np.ndarray:
        asked.append(view)
        return picture(view)

    ring = Ring(tmp_path / "ring.bin", 4, 8, make)
    for view in (0, 1, 5, 1, 5, 0):  # 1 and 5 share a slot
        assert np.array_equal(ring.get(view), picture(view))
    assert asked == [0, 1, 5, 1, 5]
    again = Ring(tmp_path / "ring.bin", 4, 8, make)
    assert np.array_equal(again.get(5), picture(5))
    assert asked == [0, 1, 5, 1, 5], "kept in the file"


def test_a_torn_slot_of_the_ring_is_made_again(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "ring.bin", 4, 8, picture)
    for view in range(4):
        ring.get(view)
    del ring
    file = tmp_path / "ring.bin"
    content = bytearray(file.read_bytes())
    for place in range(0, len(content), 40):
        content[place] ^= 0x55
    file.write_bytes(content)
    torn = Ring(file, 4, 8, picture)
    for view in range(4):
        assert np.array_equal(torn.get(view), picture(view))


def test_a_ring_of_another_length_begins_anew(tmp_path: Path) -> None:
    Ring(tmp_path / "ring.bin", 4, 8, picture).get(3)
    assert np.array_equal(Ring(tmp_path / "ring.bin", 6, 8, picture).get(3), picture(3))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve blocks ahead")
def test_a_disk_too_full_for_the_ring_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match=r"No space left.*distil\.ring"):
        Ring(tmp_path / "ring.bin", 4, 8, picture)
    assert not (tmp_path / "ring.bin").exists()
