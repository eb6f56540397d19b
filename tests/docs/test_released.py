"""A release's pages say what was measured, its files are those that were measured, and no run on LFW goes uncounted."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from edge_facenet_bench.timing import Block

from edge_facenet.errors import InputError
from edge_facenet.verification import all_pairs

Record = dict[str, Any]


@pytest.fixture(scope="module")
def scripts(repo: Path) -> Iterator[SimpleNamespace]:
    """The scripts' modules."""
    sys.path.insert(0, str(repo / "benchmarks"))
    names = ("lfw", "record", "report", "steps", "tables", "export")
    yield SimpleNamespace(
        run=__import__("released"),
        pareto=__import__("pareto"),
        watch=__import__("watch_int8"),
        **{name: __import__(f"released_{name}") for name in names},
    )
    sys.path.remove(str(repo / "benchmarks"))


@pytest.fixture
def measured(repo: Path) -> Record:
    """The committed record."""
    return dict(json.loads((repo / "benchmarks/results/released.json").read_text(encoding="utf-8")))


@pytest.fixture
def record(repo: Path) -> Record:
    """A record of the released files and two peers, of the shape that `released.py run` writes."""
    released = sorted(
        (repo / "models/edge_facenet_models").glob("*/*-*.json"), key=lambda p: ("onnx" in p.stem, p.stem)
    )
    released = [p for p in released if "int8" in p.stem] + [p for p in released if "int8" not in p.stem]
    rows = [_row(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in released]
    rows += [
        _row(name, {"sha256": name * 9, "pixels": {"batch": 1 + (name == "expo")}}) for name in ("expo", "foamliu")
    ]
    return {
        "date": "2026-11-30",
        "machine": {"cpu": "a processor"},
        "held_out": {"per_person": None},
        "second": {"per_person": 15},
        "networks": rows,
    }


def _row(name: str, held: dict[str, Any]) -> dict[str, Any]:
    peer, batch = "file" not in held, held["pixels"]["batch"]
    tar = [
        {"far": far, "val": 0.9 - k / 10, "interval": [0.8 - k / 10, 0.95]} for k, far in enumerate((0.1, 0.01, 0.001))
    ]
    judged = {
        **{
            "people": 105,
            "genuine": 10_000,
            "impostor": 1_000_000,
            "accuracy": 94.0,
            "accuracy_interval": [92.0, 95.0],
        },
        "tar": [*tar, {"far": 1e-4, "note": "not measurable"}],
        "open_set": {
            **{"enrolled": 40, "strangers": 60, "photos": 3, "draws": 10, "rank_one": 0.95},
            "at": [{"rule": "FPIR 0.01", "fpir": 0.01, "fnir": 0.2}, {"rule": "FPIR 0.001", "note": "not measurable"}],
        },
        "probes": [{"kind": kind, "tar": 0.5} for kind in ("clean", "dark")],
    }
    points = [{"far": far, "points": -0.2, "bound": -0.6} for far in (0.1, 0.01)] + [{"far": 0.001, "note": "too few"}]
    against = {"cosine_mean": 0.996, "cosine_min": 0.98, "points": -0.1, "tar": points}
    return {
        **{"name": name, "network": name if peer else held["name"], "peer": peer, "sha256": held["sha256"]},
        **{"format": "tflite", "bytes": 1_800_000, "muladds": 117_000_000, "faces_per_call": batch, "lfw": None},
        **{"held_out": judged, "second": judged, "against_float": None if peer or "fp32" in name else against},
        "transfer": {"points": [{"nominal_far": 0.01, "threshold": 0.27, "far": 0.07, "times": 7.0, "tar": 0.84}]},
        "latency": {
            **{"lane": "LiteRT CPU, 1 thread", "ms": 12.5 / batch, "call_ms": 12.5, "paced_ms": 14.0, "valid": True},
            "over_peer": {} if peer else {"expo": [0.1, 0.09, 0.11], "foamliu": [0.2, 0.19, 0.21]},
        },
    }


@pytest.fixture
def copied(repo: Path, tmp_path: Path, record: Record) -> SimpleNamespace:
    """Results, released files' manifests and cards, and README, to be written anew."""
    (tmp_path / "results").mkdir()
    shutil.copy(repo / "benchmarks/results/lfw-runs.json", tmp_path / "results")
    (tmp_path / "results/released.json").write_text(json.dumps(record), encoding="utf-8")
    kept = shutil.ignore_patterns("*.tflite", "*.onnx", "*.npz", "__pycache__")
    shutil.copytree(repo / "models/edge_facenet_models", tmp_path / "models", ignore=kept)
    shutil.copy(repo / "README.md", tmp_path)
    return SimpleNamespace(results=tmp_path / "results", released=tmp_path / "models", readme=tmp_path / "README.md")


@pytest.mark.usefixtures("measured")
def test_card_readme_and_plot_say_what_was_measured(scripts: Any, copied: Any, repo: Path) -> None:
    shutil.copy(repo / "benchmarks/results/released.json", copied.results)
    scripts.report.write(copied.results, copied.released, copied.readme)
    pairs = [(copied.readme, repo / "README.md"), (copied.results / "released-pareto.svg", repo / "benchmarks/results")]
    pairs += [
        (card, repo / "models/edge_facenet_models" / card.parent.name) for card in copied.released.glob("*/CARD.md")
    ]
    for written, committed in pairs:
        there = committed / written.name if committed.is_dir() else committed
        assert written.read_text(encoding="utf-8") == there.read_text(encoding="utf-8"), (
            "run: python benchmarks/released.py report"
        )


def test_another_figure_is_another_page(scripts: Any, copied: Any, record: Record) -> None:
    record["networks"][0]["latency"]["ms"] = 77.0
    (copied.results / "released.json").write_text(json.dumps(record), encoding="utf-8")
    scripts.report.write(copied.results, copied.released, copied.readme)
    assert "77" in copied.readme.read_text(encoding="utf-8")
    assert "77" in (copied.released / "mobile" / "CARD.md").read_text(encoding="utf-8")


def test_a_released_file_that_was_not_measured_is_refused(scripts: Any, copied: Any) -> None:
    manifest = copied.released / "mobile" / "mobile-int8.json"
    held = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**held, "sha256": "0" * 64}), encoding="utf-8")
    with pytest.raises(InputError, match=r"Not what was measured: mobile-int8\."):
        scripts.report.write(copied.results, copied.released, copied.readme)


def test_a_page_without_marks_is_refused(scripts: Any, tmp_path: Path) -> None:
    page = tmp_path / "CARD.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="lacks the marks of files"):
        scripts.report.into(page, {"files": "a table"})


def test_every_file_of_the_release_is_drawn_in_each_panel(scripts: Any, record: Record) -> None:
    text = scripts.pareto.draw(record["networks"])
    assert len(text.encode()) < 200_000 and "prefers-color-scheme:dark" in text
    circles = ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}circle")
    assert len(list(circles)) == 2 * len(record["networks"])
    assert "doubt" not in text.partition("</style>")[2] and "not valid" not in text
    record["networks"][0]["latency"]["valid"] = False
    assert scripts.pareto.draw(record["networks"]).count('doubt" cx') == 2
    for one in record["networks"]:
        one["lfw"] = {"accuracy": 98.0, "standard_error": 0.2}
    assert "LFW accuracy" in scripts.pareto.draw(record["networks"])
    assert "LFW accuracy" not in text or all(one["lfw"] for one in record["networks"])


class Fake:
    """A network by its sha alone."""

    def __init__(self, sha256: str, peer: bool = False) -> None:
        self.path, self.peer = Path(f"{sha256}.json"), peer
        self.artifact = SimpleNamespace(name=sha256, sha256=sha256)


@pytest.fixture
def lfw(scripts: Any, tmp_path: Path, monkeypatch: Any) -> SimpleNamespace:
    """LFW's runs with a `verify` that counts instead of measuring."""
    calls: list[str] = []

    def verify(network: str, *_: str) -> Record:
        calls.append(network)
        if network == "dies.json":
            raise KeyboardInterrupt
        found = {"genuine": 3000, "impostor": 3000, "accuracy": 98.0, "accuracy_se": 0.2, "valid": True}
        return {"verification": {**found, "val": [{"far": 0.001, "val": 0.92}, {"far": 1e-4}]}}

    crops = SimpleNamespace(sha256="one")
    monkeypatch.setattr(scripts.lfw, "verify", verify)
    monkeypatch.setattr(scripts.lfw, "_crops", lambda *_: tmp_path)
    monkeypatch.setattr(scripts.lfw, "CropSet", SimpleNamespace(open=lambda *_, **__: crops))
    ledger = tmp_path / "ledger.json"
    run = lambda *networks: scripts.lfw.measure(networks, tmp_path, tmp_path, ledger)  # noqa: E731
    return SimpleNamespace(calls=calls, crops=crops, ledger=ledger, run=run)


def test_a_file_is_run_on_lfw_once(scripts: Any, lfw: Any) -> None:
    lfw.run(Fake("a"), Fake("b", peer=True))
    lfw.run(Fake("a"), Fake("b", peer=True))
    assert lfw.calls == ["a.json", "b.json"]
    found = scripts.lfw.result_of(lfw.ledger, "a")
    assert (found["accuracy"], found["val"], found["runs"]) == (98.0, {"0.001": 92.0, "0.0001": None}, 1)
    assert scripts.lfw.result_of(lfw.ledger, "c") is None


def test_a_released_file_is_not_run_again_on_other_crops_and_a_peer_is_and_counted(scripts: Any, lfw: Any) -> None:
    lfw.run(Fake("a"), Fake("b", peer=True))
    lfw.crops.sha256 = "two"
    with pytest.raises(InputError, match="on other crops"):
        lfw.run(Fake("a"))
    lfw.run(Fake("b", peer=True))
    assert scripts.lfw.result_of(lfw.ledger, "b")["runs"] == 2


def test_a_run_that_dies_is_counted(scripts: Any, lfw: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        lfw.run(Fake("dies"))
    assert [(run["file"], run["result"]) for run in scripts.lfw.runs(lfw.ledger)] == [("dies", None)]
    assert "run 1 times" in scripts.tables.lfw_runs(scripts.lfw.runs(lfw.ledger))


def test_what_int8_loses_is_bounded_and_nothing_is_lost_by_the_same_network(scripts: Any) -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 4)
    wanted = rng.normal(size=(30, 32))[people] + rng.normal(0, 1.2, (120, 32))
    worse = wanted + rng.normal(0, 1.0, wanted.shape)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (wanted, worse)]
    pairs = all_pairs(people)
    lost, same = (scripts.steps.difference(found, unit[0], pairs, "float") for found in (unit[1], unit[0]))
    assert same["cosine_min"] == 1.0 and same["tar"][1]["bound"] == 0.0
    assert lost["cosine_mean"] < 0.95 and lost["tar"][1]["bound"] < lost["tar"][1]["points"] < 0
    one = {"network": "n", "name": "n-int8", "peer": False, "against_float": lost}
    assert f"({lost['tar'][1]['bound']:+.2f})" in scripts.tables.against_float([one])
    assert scripts.tables.against_float([one | {"against_float": None}]).startswith("No float file is released")


def test_the_time_of_a_call_is_shared_by_its_faces(scripts: Any, monkeypatch: Any) -> None:
    """Ours takes 2 ms; a call of the peer 10 ms for two faces: 0.4 of its time a face."""
    batches = {"ours": 1, "peer": 2}
    of = lambda path: SimpleNamespace(pixels=SimpleNamespace(batch=batches[path.stem]))  # noqa: E731
    monkeypatch.setattr(scripts.record, "manifest", SimpleNamespace(read=of))
    ours, peer = (
        SimpleNamespace(
            burst=[Block((milliseconds * 10**6,) * 4, 0)] * 8,
            paced=[],
            **{"asked": SimpleNamespace(title="CPU"), "run": "r", "memory": None, "valid": True, "reasons": ()},
        )
        for milliseconds in (2, 10)
    )
    rows = scripts.record.latency([Fake("ours"), Fake("peer", peer=True)], [ours, peer])
    assert [(row["ms"], row["call_ms"]) for row in rows] == [(2.0, 2.0), (5.0, 10.0)]
    assert rows[0]["over_peer"] == {"peer": [0.4, 0.4, 0.4]} and rows[1]["over_peer"] == {}


def test_the_raw_samples_of_the_record_are_kept(repo: Path, measured: Record) -> None:
    folder = repo / "benchmarks/results/released-latency"
    for one in measured["networks"]:
        (path,) = folder.glob(f"{one['name']}.*.json")
        held = json.loads(path.read_text(encoding="utf-8"))
        assert held["artifact"]["sha256"] == one["sha256"] and held["run"] == one["latency"]["run"]
        assert sum(len(block["samples_ns"]) for block in held["burst"]) == one["latency"]["calls"]


def test_a_network_is_held_against_its_own_float_file(scripts: Any) -> None:
    networks = scripts.run.chosen(None, [])
    floats = {n.path.stem: f and f.path.stem for n in networks if (f := scripts.run.float_of(n, networks)) or True}
    assert floats["mobile-int8"] == floats["mobile-fp16"] == "mobile-fp32-onnx" and floats["mobile-fp32-onnx"] is None
    assert next(iter(floats)) == "mobile-int8"


def test_provenance_is_put_into_a_released_manifest_and_the_old_file_goes(
    scripts: Any, repo: Path, tmp_path: Path
) -> None:
    source = tmp_path / "made"
    shutil.copytree(
        repo / "models/edge_facenet_models/mobile", source, ignore=shutil.ignore_patterns("*.npz", "*.onnx")
    )
    out = tmp_path / "out"
    out.mkdir()
    (out / "mobile-int8.json").write_text(json.dumps({"file": "old.tflite"}), encoding="utf-8")
    (out / "old.tflite").write_bytes(b"old")
    told = {"licence": "none", "preset": "long; {run}", "teachers": ["somebody"]}
    target = scripts.export.place(source / "mobile-int8.json", out, told)
    made = json.loads(target.read_text(encoding="utf-8"))["provenance"]
    assert made["preset"].startswith("long; mobile-distil") and made["teachers"] == ["somebody"]
    assert not (out / "old.tflite").exists()
    with pytest.raises(SystemExit, match="at most 1,000 are released"):
        scripts.export.check_size(target, 1000)


def test_a_watched_run_is_only_read_and_each_step_is_written_once(scripts: Any, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "run-int8.csv"
    run.mkdir()
    assert scripts.watch.newest_step(run) is None and scripts.watch.copy_newest(run, tmp_path) is None
    with pytest.raises(InputError, match="not a training run"):
        scripts.watch.last_step(run)
    for name in ("step-0000200", "step-0000312", ".writing-step-0000400"):
        (run / name).mkdir()
    assert scripts.watch.newest_step(run) == 312
    for step in (200, 312):
        row = dict.fromkeys(scripts.watch.COLUMNS, 0.5) | {"step": step, "faces": 400, "bound_1e-3": None}
        scripts.watch.append(out, row)
    assert scripts.watch.seen(out) == {200, 312}
    assert out.read_text(encoding="utf-8").splitlines()[2].startswith("312,400,0.50000,")
    assert sorted(path.name for path in run.iterdir()) == [".writing-step-0000400", "step-0000200", "step-0000312"]


def test_a_run_without_a_checkpoint_is_waited_for(scripts: Any, tmp_path: Path, capsys: Any) -> None:
    scripts.watch.once(tmp_path, tmp_path, tmp_path / "out.csv", 10)
    assert "no complete checkpoint yet" in capsys.readouterr().out and not (tmp_path / "out.csv").exists()
