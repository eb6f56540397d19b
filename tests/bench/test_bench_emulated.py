"""A machine that another one plays: its results are compared, its time is nobody's and reaches no page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from bench_world import QUICK, FakeClock, StubChild, StubEmbedder, children, entry
from edge_facenet_bench import markdown, page, record, words
from edge_facenet_bench.faces import Faces
from edge_facenet_bench.measure import Bench
from edge_facenet_bench.record import Record
from edge_facenet_bench.report import build

from edge_facenet import cpu


def measured() -> Record:
    clock = FakeClock()
    return Bench([entry()], Faces(), QUICK, children(StubChild(StubEmbedder(clock), clock))).measure().records[0]


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "emulated", lambda: "a program for aarch64 on a kernel of x86_64")


@pytest.mark.usefixtures("emulated")
def test_an_emulated_run_keeps_no_time(tmp_path: Path) -> None:
    found = measured()
    assert not found.valid
    assert found.status == "parity"
    assert found.reasons[0].startswith("emulated: a program for aarch64 on a kernel of x86_64;")
    assert found.machine.emulated and found.machine.cpu.endswith("(emulated)")
    written = json.loads(record.write(tmp_path, found).read_text())
    assert (written["burst"], written["paced"], written.get("cold")) == ([], [], None)


def test_a_real_machine_is_not_marked() -> None:
    found = measured()
    assert found.valid and found.machine.emulated is None
    assert "emulated" not in found.machine.cpu


def test_no_page_shows_the_time_of_an_emulated_machine_whoever_wrote_the_record() -> None:
    real = measured()
    assert real.burst
    told = dataclasses.replace(real, machine=dataclasses.replace(real.machine, emulated="Android's emulator"))
    shown = build([told], [])
    (row,) = shown.rows
    assert (row.valid, row.status, row.burst, row.paced, row.load_ms) == (False, "parity", None, None, None)
    time = words.ms(build([real], []).rows[0].burst.p50_ms)  # type: ignore[union-attr]
    for text in (page.render(shown), markdown.render(shown), "\n".join(words.plain(shown))):
        assert "emulated: Android&#x27;s emulator" in text or "emulated: Android's emulator" in text
        assert f">{time}<" not in text and f"| {time} |" not in text
    assert words.headline(shown).startswith("No lane gave a figure that can be trusted")
    assert not shown.ratios
