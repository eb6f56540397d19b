"""Files are written beside and renamed: whatever happens, the previous one stays whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from edge_facenet import files
from edge_facenet.errors import OutputError


def test_sha256_of_bytes_and_of_a_file_agree(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 17)  # more than one block
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(content) == files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_equal_values_give_equal_bytes() -> None:
    assert files.canonical_json({"b": "é", "a": [1]}) == files.canonical_json({"a": [1], "b": "é"})
    with pytest.raises(ValueError):
        files.canonical_json(float("nan"))


def test_an_error_inside_leaves_the_previous_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    files.write_bytes(target, b"before")
    with pytest.raises(KeyError), files.atomic_writer(target) as stream:
        stream.write(b"half")
        raise KeyError
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_a_folder_in_the_way_or_a_file_as_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    for target in (tmp_path / "taken", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"Cannot write .* untouched"):
            files.write_bytes(target, b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    files.write_bytes(target, b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        files.write_bytes(target, b"new")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_an_oserror_of_the_callers_own_is_not_called_a_writing_error(tmp_path: Path) -> None:
    """Reading a photo inside the block may fail too; that is not the output's fault."""
    with pytest.raises(FileNotFoundError), files.atomic_writer(tmp_path / "a") as stream:
        stream.write((tmp_path / "missing").read_bytes())
    assert list(tmp_path.iterdir()) == []


def test_the_users_data_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path))
    assert files.user_data_folder() == tmp_path
    monkeypatch.delenv("EDGE_FACENET_HOME")
    monkeypatch.setattr(files.sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert files.user_data_folder() == tmp_path / "x" / "edge-facenet"


def test_no_home_at_all_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """C144's kind: a service without HOME and without an entry in the password file."""
    for name in ("EDGE_FACENET_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(files.sys, "platform", "linux")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(files.Path, "home", homeless)
    with pytest.raises(files.SetupError, match="EDGE_FACENET_HOME"):
        files.user_data_folder()


def test_the_umask_is_respected_and_left_alone(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "a", b"")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights and links")
def test_a_rewritten_file_keeps_its_rights_and_a_link_stays_one(tmp_path: Path) -> None:
    private, link = tmp_path / "deep" / "private", tmp_path / "link"
    files.write_bytes(private, b"before")
    private.chmod(0o600)
    link.symlink_to(private)
    files.write_bytes(link, b"after")
    assert private.read_bytes() == b"after" and stat.S_IMODE(private.stat().st_mode) == 0o600
    assert link.is_symlink() and link.readlink() == private
    assert sorted(p.name for p in private.parent.iterdir()) == ["private"]


def test_a_name_that_is_no_text_reads_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"Andr\xe9")
    files.write_json(tmp_path / "split.json", {"train": [name, "Zoë"]})
    assert json.loads((tmp_path / "split.json").read_text("utf-8")) == {"train": [name, "Zoë"]}


# -- locks: two handles of one process are strangers to each other ------------------------------------------------------


def test_a_file_is_held_by_one_until_it_is_closed(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with (tmp_path / "a").open("a+") as first, (tmp_path / "a").open("a+") as second:
        assert files.try_lock(first) is True
        assert files.try_lock(second) is False
        first.close()
        assert files.try_lock(second.fileno()) is True


def test_a_folder_is_held_by_one_until_it_is_closed(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    handle = files.lock_folder(tmp_path)
    with pytest.raises(BlockingIOError):
        files.lock_folder(tmp_path)
    os.close(handle)
    os.close(files.lock_folder(tmp_path))
    with pytest.raises(FileNotFoundError):
        files.lock_folder(tmp_path / "missing")


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_without_locks_says_neither_held_nor_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """EBADF: NFS asks that the file be open for writing, which no folder can be."""
    fcntl, close, closed = pytest.importorskip("fcntl"), os.close, []

    def refuses(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    def closing(handle: int) -> None:
        closed.append(handle)
        close(handle)

    monkeypatch.setattr(fcntl, "flock", refuses)
    with (tmp_path / "a").open("a+") as stream:
        assert files.try_lock(stream) is None
    monkeypatch.setattr(files.os, "close", closing)
    assert files.lock_folder(tmp_path) == -1 and len(closed) == 1


def test_a_system_without_locks_opens_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows, where `os.open` of a folder is refused."""
    monkeypatch.setattr(files, "fcntl", None)
    with (tmp_path / "a").open("a+") as stream:
        assert files.try_lock(stream) is None
    monkeypatch.setattr(files.os, "open", lambda *_: pytest.fail("opened"))
    assert files.lock_folder(tmp_path) == -1
