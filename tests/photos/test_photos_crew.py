"""Several processes, a Dask cluster: the same crop set as one process, whatever dies on the way."""

from __future__ import annotations

import builtins
import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from photos_world import encoded, everything, grey, put, reasons
from PIL import Image

from edge_facenet.errors import MissingExtra, SetupError
from edge_facenet.photos import crew
from edge_facenet.photos.crew import Crew
from edge_facenet.photos.examine import Rules
from edge_facenet.photos.faces import FaceFinder
from edge_facenet.photos.prepare import prepare

pytest.importorskip("joblib", reason="needs the extra scale")


@pytest.fixture
def photos(tmp_path: Path, orl_folder: Path, finder: FaceFinder) -> Path:
    """18 photos of four people, one without a face, one that is none."""
    files = {
        f"s{person}/{number}.png": encoded(Image.open(orl_folder / f"s{person}" / f"{number}.pgm"), "PNG")
        for person in range(1, 5)
        for number in range(1, 5)
    }
    return put(tmp_path / "in", {**files, "s1/plain.png": encoded(grey(90, 90), "PNG"), "s2/letter.jpg": b"Dear Bob"})


def test_the_crop_set_does_not_depend_on_the_number_of_processes(tmp_path: Path, photos: Path) -> None:
    expected = everything(prepare([photos], tmp_path / "one").crops.path)
    report = prepare([photos], tmp_path / "two", crew=Crew(2))
    assert everything(tmp_path / "two") == expected and report.looked_at == 18
    assert prepare([photos], tmp_path / "two", crew=Crew(2)).unchanged
    (photos / "s3" / "1.png").unlink()
    put(photos, {"s3/new.png": (photos / "s1" / "1.png").read_bytes()})
    one, two = (prepare([photos], tmp_path / n, crew=Crew(k)) for n, k in (("one", 1), ("two", 2)))
    assert one.looked_at == two.looked_at == 1 and everything(tmp_path / "one") == everything(tmp_path / "two")


def test_an_interrupted_run_may_go_on_with_others(tmp_path: Path, photos: Path) -> None:
    expected = everything(prepare([photos], tmp_path / "whole").crops.path)
    for number, (first, second) in enumerate(((1, 2), (2, 1))):
        out = tmp_path / f"out{number}"
        with pytest.raises(KeyboardInterrupt):
            prepare([photos], out, crew=Crew(first), on_progress=stop_at(13))
        report = prepare([photos], out, crew=Crew(second))
        assert everything(out) == expected and report.looked_at == 18 - 13


def stop_at(count: int):  # type: ignore[no-untyped-def]
    def on_progress(done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return on_progress


def test_c010_a_photo_that_kills_its_worker_is_found_out_and_costs_no_other(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that holds it dies three times; everything else stands in the crop set."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(crew, "_examined", _deadly)
    report = prepare([photos], tmp_path / "out", crew=Crew(2))
    assert reasons(tmp_path / "out")["s2/3.png"].startswith("The process was killed 3 times while it held this file")
    assert len(report.crops) == 15 and report.photos == 18
    assert prepare([photos], tmp_path / "out", crew=Crew(2)).unchanged


def _deadly(part, rules):  # type: ignore[no-untyped-def]
    """Runs in a worker: one photo is its death."""
    from edge_facenet.photos import crew as fresh

    if any(entry.name == "s2/3.png" for entry in part):
        os.kill(os.getpid(), signal.SIGKILL)
    return fresh._examined(part, rules)


@pytest.mark.parametrize(
    ("missing", "asked", "reason"),
    [
        ("joblib", Crew(2), r"Several processes \(--jobs\) needs joblib.*pip install 'edge-facenet\[scale\]'"),
        ("joblib", Crew(0, "tcp://127.0.0.1:9"), r"A cluster \(--dask\) needs joblib"),
        ("distributed", Crew(0, "tcp://127.0.0.1:9"), r"A cluster \(--dask\) needs distributed.*\[scale\]"),
    ],
)
def test_without_the_extra_the_pip_line_is_named(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, missing: str, asked: Crew, reason: str
) -> None:
    hide(monkeypatch, missing)
    with pytest.raises(MissingExtra, match=reason):
        prepare([photos], tmp_path / "out", crew=asked)
    assert not (tmp_path / "out").exists()
    if missing == "joblib":
        assert Crew().size(10_000) == 1  # nothing was asked for: one process


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def guarded(name: str, *rest: object, **more: object) -> object:
        if name.split(".", 1)[0] == package:
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type]

    for module in [m for m in sys.modules if m.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(builtins, "__import__", guarded)


def test_processes_are_started_where_they_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "cores", lambda: 4)
    assert [Crew().size(n) for n in (0, 10, 399, 400, 10**6)] == [1, 1, 1, 2, 4]
    assert Crew(3).size(1) == 3


def test_memory_is_bounded_by_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many photos and however large the crops: so many are out at a time."""
    for size, jobs, most in ((128, 2, 512), (1024, 2, 21), (1024, 16, 128), (128, 64, 1365)):
        seen: list[int] = []

        def window(photos, rules, jobs, died, seen=seen):  # type: ignore[no-untyped-def]
            seen.append(len(photos))
            return iter(())

        monkeypatch.setattr(crew, "_window", window)
        monkeypatch.setattr(crew, "_backend", lambda asked, count, jobs=jobs: contextlib.nullcontext(jobs))
        from edge_facenet.photos.cropset import Layout

        list(crew.look([None] * 5000, Rules(Layout(size, size // 16)), Crew(jobs), lambda entry: None))  # type: ignore[list-item]
        assert max(seen) == most and sum(seen) == 5000


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """A scheduler and its workers on loopback."""
    address, children = f"tcp://127.0.0.1:{20000 + os.getpid() % 20000}", []
    port = address.rsplit(":", 1)[1]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = [
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--local-directory",
        str(folder),
    ]
    try:
        for command in [scheduler, *[worker] * workers]:
            children.append(
                subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        yield address
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(15)
            child.kill()


def test_two_dask_workers_give_the_crop_set_of_one_process(tmp_path: Path, photos: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra scale")
    expected = everything(prepare([photos], tmp_path / "one").crops.path)
    with cluster(tmp_path / "work", 2) as address:
        prepare([photos], tmp_path / "two", crew=Crew(dask=address))
    assert everything(tmp_path / "two") == expected


def test_a_scheduler_that_is_not_there_is_one_sentence(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra scale")
    monkeypatch.setattr(crew, "_REACH_S", 2)
    with pytest.raises(SetupError, match=r"No Dask scheduler with workers answers at tcp://127\.0\.0\.1:9"):
        prepare([photos], tmp_path / "out", crew=Crew(dask="tcp://127.0.0.1:9"))
    assert not (tmp_path / "out").exists()


def test_thousands_of_paths_killed_now_and_then(tmp_path: Path, orl_folder: Path, finder: FaceFinder) -> None:
    """60 paths, one kill; 10,000 and five in tests/soak."""
    assert many_paths(tmp_path, orl_folder, 60, 1)["crops"] == 60


def many_paths(tmp_path: Path, orl_folder: Path, count: int, kills: int, jobs: int = 2) -> dict[str, float]:
    """`prepare` of hard links of a few photos, killed at random; equal to an undisturbed run. Its peak of private memory."""
    import psutil

    photos = tmp_path / "in"
    originals = sorted((orl_folder / "s1").glob("*.pgm"), key=lambda p: int(p.stem))
    put(photos, {f"{k}.pgm": path.read_bytes() for k, path in enumerate(originals)})
    with (photos / "photos.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("path", "identity"))
        for number in range(count):
            (photos / f"p{number % 100}").mkdir(exist_ok=True)
            name = f"p{number % 100}/{number:06}.pgm"
            (photos / name).hardlink_to(photos / f"{number % len(originals)}.pgm")
            table.writerow((name, f"p{number % 100}"))
    command = [sys.executable, "-m", "edge_facenet.cli", "prepare", str(photos / "photos.csv")]
    peak, started = 0, time.monotonic()
    whole = subprocess.Popen([*command, str(tmp_path / "whole"), "--jobs", str(jobs)], stdout=subprocess.DEVNULL)
    while whole.poll() is None:
        peak = max(peak, private_bytes(psutil.Process(whole.pid)))
        time.sleep(0.25)
    assert whole.returncode == 0
    seconds = time.monotonic() - started
    rng, out = np.random.default_rng(7), tmp_path / "out"
    for share in rng.uniform(0.1, 0.5, kills):
        child = subprocess.Popen(
            [*command, str(out), "--jobs", str(jobs)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(share * seconds, 1.5))
        child.kill()
        child.wait()
    last = subprocess.run([*command, str(out), "--jobs", str(jobs)], capture_output=True, check=True)
    assert last.returncode == 0 and everything(out) == everything(tmp_path / "whole")
    crops = sum(1 for _ in (tmp_path / "whole" / "index.csv").open()) - 1
    return {"crops": crops, "peak_private_mb": peak / 2**20, "seconds": seconds}


def private_bytes(process) -> int:  # type: ignore[no-untyped-def]
    """Private memory of a process and its children (USS)."""
    import psutil

    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += one.memory_full_info().uss
    return total
