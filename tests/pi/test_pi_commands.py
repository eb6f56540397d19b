"""The command line and the device tests on an emulated Raspberry Pi 4, where the wheel is installed and no checkout is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edge_facenet_bench import record, report
from pi_world import Pi


@pytest.fixture(scope="module")
def enrolled(pi: Pi) -> Pi:
    done = pi.python("-m", "edge_facenet.cli", "enroll", "--from", "/exchange/few", "--json")
    assert done.code == 0, done.all
    assert [json.loads(line)["name"] for line in done.out.splitlines()] == ["s1", "s2"]
    return pi


@pytest.fixture(scope="module", autouse=True)
def few(exchange: Path) -> None:
    """Two people with three pictures each, because each takes the emulator a second or two."""
    for person in ("s1", "s2"):
        folder = exchange / "few" / person
        folder.mkdir(parents=True)
        for number in (1, 2, 3):
            (folder / f"{number}.jpg").write_bytes((exchange / "people" / person / f"{number}.jpg").read_bytes())


def test_the_device_tests_pass(pi: Pi) -> None:
    done = pi.python("-m", "pytest", "/tests/device", "-q", "-p", "no:cacheprovider", "-c", "/dev/null")
    assert done.code == 0, done.all
    assert " passed" in done.out and "failed" not in done.out


def test_people_are_enrolled_and_identified(enrolled: Pi) -> None:
    done = enrolled.python(
        "-m", "edge_facenet.cli", "identify", "/exchange/people/s1/4.jpg", "/exchange/photos/two.jpg", "--json"
    )
    assert done.code == 0, done.all
    faces = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    assert len(faces) == 3
    assert faces[0]["name"] == "s1" and faces[0]["similarity"] > faces[0]["threshold"]
    assert not any(face.get("name") for face in faces[1:]), "strangers stay unknown"


def test_two_faces_are_compared_with_the_folder_that_pi_sh_makes(pi: Pi) -> None:
    sums = pi.run("/bin/sh", "-c", "cd /exchange/handed && sha256sum -c SHA256SUMS")
    assert sums.code == 0 and sums.out.count(": OK") == 10, sums.all
    faces = [f"/exchange/people/s1/{number}.jpg" for number in (4, 5)]
    done = pi.python("-m", "edge_facenet.cli", "compare", *faces, "--model", "/exchange/handed", "--json")
    assert done.code == 0, done.all
    assert json.loads(done.out)["same"] is True


def test_a_pi_4_is_refused_the_gpu_by_a_sentence(pi: Pi) -> None:
    done = pi.python(
        "-m",
        "edge_facenet.cli",
        "compare",
        "/exchange/people/s1/4.jpg",
        "/exchange/people/s1/5.jpg",
        "--engine",
        "litert-gpu",
    )
    assert done.code == 6, done.all
    assert "instructions that Cortex-A72 does not have" in done.err and "Traceback" not in done.err


def test_a_bench_here_is_marked_and_keeps_no_time(pi: Pi, exchange: Path) -> None:
    script = "from edge_facenet_models import path; print(path('mobile'))"
    manifest = pi.python("-c", script).out.strip()
    done = pi.python(
        "-m", "edge_facenet.cli", "bench", manifest, "--quick", "--lanes", "litert-cpu-1t", "--out", "/exchange/bench"
    )
    assert done.code == 0, done.all
    (one,), _ = report.load(exchange / "bench")
    assert one.machine.architecture == "aarch64" and one.machine.emulated
    assert one.machine.cpu == "Raspberry Pi 4 Model B Rev 1.4 (emulated)"
    assert (one.valid, one.status, one.burst, one.paced, one.cold) == (False, "parity", (), (), None)
    assert one.reasons[0].startswith("emulated: a program for aarch64")
    assert one.ran is not None and one.ran.nodes == one.ran.nodes_total, "XNNPACK takes the whole network on a Pi, too"
    page = (exchange / "bench" / "report.html").read_text()
    assert "emulated" in page and "No lane gave a figure that can be trusted" in page
    text = record.write(exchange, one).read_text()
    assert "samples_ns" not in text
