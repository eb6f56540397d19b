"""Progress: quiet where nobody looks, a line every ten seconds in a log, a bar on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from edge_facenet.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_short_work_into_a_file_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("Aligning", unit="photos") as on_progress:
        for done in range(5):
            on_progress(done, 5)
    assert capsys.readouterr() == ("", "")


def test_long_work_into_a_file_gives_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 11.0, 11.0, 12.0, 22.0, 22.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.bar("Aligning", unit="photos") as on_progress:
        for done in (10, 22, 23, 44):
            on_progress(done, 100)
    assert capsys.readouterr().err.splitlines() == [
        "Aligning: 22 of 100, 2 photos/s, 0:39 left",
        "Aligning: 44 of 100, 2 photos/s, 0:28 left",
    ]


def test_nothing_done_yet_divides_by_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.bar("Aligning") as on_progress:
        on_progress(0, 100)
    assert "0 of 100" in capsys.readouterr().err


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar("Aligning", unit="photos") as on_progress:
        on_progress(3, 7)
        on_progress(7, 7)
    assert "Aligning" in terminal.getvalue() and "7/7" in terminal.getvalue()


def test_a_name_with_brackets_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar("Enrolling [bold]Ann[/x]", unit="[/y]") as on_progress:
        on_progress(7, 7)
    assert "Enrolling [bold]Ann[/x]" in terminal.getvalue() and "[/y]/s" in terminal.getvalue()


def test_hours_are_shown() -> None:
    assert progress._clock(3725) == "1:02:05" and progress._clock(65) == "1:05"
