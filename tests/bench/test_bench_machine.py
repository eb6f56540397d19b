"""The machine's state: fake vcgencmd on PATH (C103), throttle counters, load, and what is unknown."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from bench_world import QUICK, FakeClock, StubChild, StubEmbedder, children, entry
from edge_facenet_bench import machine
from edge_facenet_bench.faces import Faces
from edge_facenet_bench.machine import State, judge
from edge_facenet_bench.measure import Bench
from edge_facenet_bench.record import Record


@pytest.fixture
def vcgencmd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake vcgencmd, first on PATH; the test writes what it does."""
    tool = tmp_path / "vcgencmd"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tool


def script(tool: Path, body: str) -> None:
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)


def measured() -> Record:
    clock = FakeClock()
    return Bench([entry()], Faces(), QUICK, children(StubChild(StubEmbedder(clock), clock))).measure().records[0]


def test_c103_throttled_now_makes_every_figure_invalid(vcgencmd: Path) -> None:
    script(vcgencmd, 'test "$1" = get_throttled && echo throttled=0x50005')
    found = measured()
    assert found.machine.before.throttled == "0x50005"
    assert not found.valid
    assert "under-voltage and throttled now" in found.reasons[0]


def test_c103_since_boot_is_a_note(vcgencmd: Path) -> None:
    script(vcgencmd, "echo throttled=0x50000")
    found = measured()
    assert found.valid
    assert any("under-voltage and throttled since boot" in note for note in found.machine.notes)


def test_c103_nothing_is_nothing(vcgencmd: Path) -> None:
    script(vcgencmd, "echo throttled=0x0")
    found = measured()
    assert found.valid and found.machine.after.throttled == "0x0"
    assert not any("throttl" in note for note in found.machine.notes)


@pytest.mark.parametrize(
    "body", ["exit 1", "echo VCHI initialization failed >&2; exit 255", "echo throttled=", "sleep 30"]
)
def test_c103_a_tool_that_fails_is_unknown_not_fine(vcgencmd: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "TOOL_TIMEOUT", 0.2)
    script(vcgencmd, body)
    assert machine.observe().throttled == "unknown"


def test_c103_a_missing_tool_is_unknown(vcgencmd: Path) -> None:
    assert machine.observe().throttled == "unknown"
    _, notes = judge([State(), State()], 4)
    assert any("throttling unknown" in note for note in notes)


def test_c103_what_happens_between_two_looks_is_seen_by_the_bits_since_boot() -> None:
    reasons, notes = judge([State(throttled="0x0"), State(throttled="0x40000")], 4)
    assert "throttled during the run" in reasons[0] and not notes


def test_c103_throttled_in_the_middle_alone() -> None:
    reasons, _ = judge([State(throttled="0x0"), State(throttled="0x80008"), State(throttled="0x80000")], 4)
    assert "soft temperature limit now" in reasons[0]


def test_c103_the_tool_that_falls_silent_does_not_hide_what_it_said() -> None:
    reasons, _ = judge([State(throttled="0x50005"), State(throttled="unknown")], 4)
    assert "under-voltage" in reasons[0]


def test_a_pc_that_throttles_by_heat() -> None:
    reasons, _ = judge([State(throttle_events=3), State(throttle_events=9)], 4)
    assert "throttled 6 times" in reasons[0]
    assert judge([State(throttle_events=9), State(throttle_events=9)], 4)[0] == ()


def test_other_work_beside_is_a_note() -> None:
    _, notes = judge([State(load_average=3.5, throttle_events=0), State(load_average=1.0, throttle_events=0)], 2)
    assert "load average 3.5" in notes[0]


def test_this_machine_describes_itself() -> None:
    found = machine.describe()
    assert found.cpu and found.cores >= 1 and found.packages["edge-facenet"]
    assert found.commit is None or len(found.commit.removesuffix("+dirty")) == 12


@pytest.mark.parametrize(
    ("features", "ends"),
    [
        ({"avx2", "avx512f", "avx512_vnni"}, ", AVX-512 VNNI"),
        ({"avx2", "avx_vnni"}, ", AVX2 VNNI"),
        ({"avx2", "fma"}, ", AVX2"),
        ({"asimd", "asimddp"}, ""),
        (set(), ""),
    ],
)
def test_machines_of_one_name_are_told_apart_by_what_int8_needs(
    features: set[str], ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.cpu, "features", lambda: frozenset(features))
    monkeypatch.setattr(machine, "_text", lambda path: "model name : EPYC\n" if path == "/proc/cpuinfo" else None)
    assert machine._model() == f"EPYC{ends}"
