"""The command line: one sentence, a documented exit code, no traceback."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from edge_facenet.cli import main as cli
from edge_facenet.errors import ConfigError, GateError, InputError, OutputError, SetupError

COMMAND = [sys.executable, "-m", "edge_facenet.cli.main"]


class Entry:
    """An entry point that gives what it is told."""

    def __init__(self, name: str, loads: Any) -> None:
        self.name, self._loads = name, loads

    def load(self) -> Any:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


def raising(error: BaseException) -> Any:
    def command() -> None:
        """Raise."""
        raise error

    return command


def leave(monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any], *words: str) -> int:
    monkeypatch.setattr(cli, "_entry_points", lambda: {name: Entry(name, loads) for name, loads in entries.items()})
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("No photos."), 3, "No photos."),
        (GateError("Refused."), 5, "Refused."),
        (SetupError("Lacking."), 6, "Lacking."),
        (ConfigError("Unknown."), 7, "Unknown."),
        (OutputError("Full."), 8, "Full."),
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), 8, "The disk is full: cannot write /a/b."),
        (OSError(errno.EACCES, "Permission denied", "/a/b"), 8, "Permission denied: /a/b."),
        (OSError(errno.EROFS, "Read-only file system", b"/a/\xff"), 8, "read-only: cannot write"),
        (OSError(errno.ENOENT, "No such file or directory", "x"), 8, "No such file or folder: x."),
        (OSError(errno.EIO, "Input/output error", "x"), 8, "Input/output error: x."),
        (OSError("odd"), 8, "odd."),
        (MemoryError(), 6, "Not enough memory"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (ZeroDivisionError("division by zero"), 1, "run again with --debug"),
        (ValueError(), 1, "Unexpected error, ValueError."),
    ],
)
def test_errors_become_a_sentence_and_a_code(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, {"go": raising(error)}, "go") == code
    captured = capsys.readouterr()
    assert words in captured.err and "Traceback" not in captured.err and captured.out == ""
    assert captured.err.count("\n") == 1 and captured.err.startswith("edge-facenet: ")


@pytest.mark.parametrize("words", [("--debug", "go"), ("go", "--debug")])
def test_debug_shows_the_traceback(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(monkeypatch, {"go": raising(InputError("No photos."))}, *words) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_command_that_cannot_be_loaded_takes_no_other_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {"prepare": ImportError("no module x"), "go": raising(InputError("here"))}
    assert leave(monkeypatch, entries, "go") == 3
    assert leave(monkeypatch, entries, "prepare", "a", "--size", "3", "--help") == 6
    assert "prepare cannot be loaded: ImportError: no module x" in capsys.readouterr().err
    assert leave(monkeypatch, entries, "--help") == 0
    listing = capsys.readouterr().out
    assert "go" in listing and "cannot be loaded" in listing


def test_functions_and_typer_groups_both_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    group = typer.Typer(help="People.")

    @group.command("add")
    def add(name: str) -> None:
        print(f"added {name}")

    @group.command("fail")
    def fail() -> None:
        raise InputError("not here")

    def hello(name: str, loud: bool = False) -> None:
        """Greet."""
        print(f"hello {name}{'!' if loud else ''}")

    entries = {"hello": hello, "gallery": group}
    assert leave(monkeypatch, entries, "hello", "Łucja", "--loud") == 0
    assert leave(monkeypatch, entries, "gallery", "add", "Ann") == 0
    assert leave(monkeypatch, entries, "gallery", "fail") == 3
    assert capsys.readouterr().out == "hello Łucja!\nadded Ann\n"
    assert leave(monkeypatch, entries, "hello") == 2
    assert leave(monkeypatch, entries, "helo") == 2
    assert leave(monkeypatch, entries, "hello", "x", "--lod") == 2


def test_a_command_may_leave_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leave(monkeypatch, {"go": raising(typer.Exit(9))}, "go") == 9
    assert leave(monkeypatch, {"go": raising(typer.BadParameter("no"))}, "go") == 2
    assert leave(monkeypatch, {"go": raising(typer.Exit(0))}, "go") == 0


def test_debug_behind_two_dashes_is_an_argument() -> None:
    assert cli._pull_debug(["go", "--", "--debug"]) == (["go", "--", "--debug"], False)
    assert cli._pull_debug(["go", "--debug", "--", "x"]) == (["go", "--", "x"], True)


@pytest.mark.parametrize("words", [("hello", ""), ("", "hello"), ("hello", "x", "--to", ""), ("hello", "--", "")])
def test_an_empty_argument_is_no_path_to_the_folder_one_is_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    def hello(folder: Path, to: Path | None = None) -> None:
        raise AssertionError(folder)

    assert leave(monkeypatch, {"hello": hello}, *words) == 7
    assert "is empty. Look whether a variable of the shell is unset." in capsys.readouterr().err


def test_names_that_are_not_text_can_be_printed() -> None:
    program = (
        "from edge_facenet.cli import main as m\n"
        "class E:\n"
        "    name = 'go'\n"
        "    def load(self):\n"
        "        def go() -> None:\n"
        "            print('\\udcff')\n"
        "            raise m.EdgeFacenetError('\\udcff')\n"
        "        return go\n"
        "m._entry_points = lambda: {'go': E()}\n"
        "m.main(['go'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"\\udcff\n", b"edge-facenet: \\udcff\n")


def test_version_help_and_no_words() -> None:
    assert subprocess.check_output([*COMMAND, "--version"], text=True).startswith("edge-facenet 0.")
    listing = subprocess.check_output([*COMMAND, "--help"], text=True)
    installed = {entry.name for entry in importlib.metadata.entry_points(group=cli.GROUP)}
    assert all(name in listing for name in installed) and "Exit codes" in listing
    assert subprocess.run(COMMAND, capture_output=True, check=False).returncode in (0, 2)


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_goes_away_is_no_error() -> None:
    program = (
        "from edge_facenet.cli import main as m\n"
        "class E:\n"
        "    name = 'go'\n"
        "    def load(self):\n"
        "        def go() -> None:\n"
        "            [print('x' * 1000, flush=True) for _ in range(10000)]\n"
        "        return go\n"
        "m._entry_points = lambda: {'go': E()}\n"
        "m.main(['go'])\n"
    )
    done = subprocess.run(["bash", "-c", '"$0" -c "$1" | head -1; exit ${PIPESTATUS[0]}', sys.executable, program], capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 141 and done.stderr == b""


def test_the_log_noise_of_libraries_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    seen: list[str | None] = []

    def go() -> None:
        seen.append(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))

    assert leave(monkeypatch, {"go": go}, "go") == 0
    assert seen == ["3"]
