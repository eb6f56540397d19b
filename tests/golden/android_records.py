"""Vectors of files and figures: artifacts, numbers as JSON has them, statistics, the record."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from android_pictures import noise
from edge_facenet_bench import judge, record, timing
from edge_facenet_bench.artifacts import describe
from edge_facenet_bench.lanes import Lane, Ran
from edge_facenet_bench.machine import Machine, State

from edge_facenet import files, manifest
from edge_facenet.manifest import Cost, Manifest, Provenance, SelfTest, Threshold, Thresholds
from edge_facenet.pixels import PixelSpec
from edge_facenet.schema import to_json
from edge_facenet.selftest import faces_sha256

GRAPH = b"\x1c\0\0\0TFL3" + bytes(56)
"""Enough of a TFLite file for what reads no further."""


def _manifest(**changes: Any) -> Manifest:
    points = (
        Threshold(0.1, 0.15, (0.14, 0.16), 0.95),
        Threshold(0.001, 0.36, None, 0.72),
        Threshold(1e-5, note="too few"),
    )
    base = Manifest(
        file="x.tflite",
        pixels=PixelSpec(80, dtype="int8", quantization=(1 / 128, 0)),
        template="arcface-112",
        dimension=4,
        name="tiny",
        family="tiny",
        recipe="int8",
        unit_output=True,
        cost=Cost(117_420_624, 1_755_904, 64),
        thresholds=Thresholds("105 people", 105, 5388, 494_112, points),
        self_test=SelfTest(faces_sha256(), ((1.0, 0.0, 0.0, 0.0), (0.6, 0.8, 0.0, 0.0)), {"tflite-runtime": 1e-5}),
        targets=("litert CPU",),
        provenance=Provenance(("faces, “free”",), "research", "random, seed 1", uses="for tests"),
    )
    return dataclasses.replace(base, **changes)


def artifacts() -> list[dict[str, Any]]:
    kinds = {
        "int8": _manifest(),
        "float, odd numbers": _manifest(
            pixels=PixelSpec(112, mean=(1e-7, 123.675, 1e16), scale=(58.395, 1 / 3, 57.0)), recipe="fp32", margin=8
        ),
        "name beyond ASCII": _manifest(template="gesicht-ä-😀"),
    }
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, described in kinds.items():
            path = manifest.write(Path(folder), "tiny", GRAPH, described)
            read, model = manifest.open_artifact(path)
            found.append(_artifact(name, path.read_text(encoding="utf-8"), model, read.fingerprint))
            if name == "int8":
                found.append(
                    _artifact(
                        "deflated, with a comment", _renamed(path, _packed(model)), _packed(model), read.fingerprint
                    )
                )
    return found


def _artifact(name: str, text: str, model: bytes, fingerprint: str | None) -> dict[str, Any]:
    return {"name": name, "json": text, "model": base64.b64encode(model).decode(), "fingerprint": fingerprint}


def _packed(model: bytes) -> bytes:
    """The same facts in a compressed archive with a comment: another writer's, as right as ours."""
    from edge_facenet import trailer

    graph, text = trailer.split(model)
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(trailer.ENTRY, (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, text or b"")
        archive.writestr(zipfile.ZipInfo("labels.txt", (1980, 1, 1, 0, 0, 0)), b"face\n")
        archive.comment = b"a comment"
    return stream.getvalue()


def _renamed(path: Path, model: bytes) -> str:
    """The manifest of `path` with the hashes of another file; Python decides whether it is sound."""
    value = json.loads(path.read_text(encoding="utf-8"))
    value["sha256"] = files.sha256(model)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / value["file"]).write_bytes(model)
        value.pop("fingerprint")
        (Path(folder) / "tiny.json").write_text(json.dumps(value), encoding="utf-8")
        value["fingerprint"] = manifest.fingerprint(model, manifest.open_artifact(Path(folder) / "tiny.json")[0])
    return json.dumps(value)


def numbers() -> list[dict[str, Any]]:
    values = (
        0.1,
        1.0,
        128.0,
        1 / 3,
        1e-5,
        0.0001,
        123456789012345680.0,
        1e16,
        9999999999999998.0,
        5e-324,
        1.7976931348623157e308,
    )
    values += (0.0078125, -2.5, 1e22, 2.0**-24, 0.12345678806304932, -0.0, 100.0)
    return [{"value": value.hex(), "text": json.dumps(value)} for value in values]


def statistics() -> list[dict[str, Any]]:
    plan = timing.Plan()
    found = []
    for name, count, slope in (
        ("steady", 160, 0.0),
        ("drifts", 120, 0.4),
        ("few", 30, 0.0),
        ("one", 1, 0.0),
        ("unsteady", 80, -1.0),
    ):
        raw = noise(count, count).astype(int)
        samples = [1_000_000 + 1000 * int(v) for v in raw]
        if slope > 0:
            samples = [int(s * (1 + slope * i / count)) for i, s in enumerate(samples)]
        if slope < 0:
            samples = [2 * s if 20 <= i < 60 else s for i, s in enumerate(samples)]
        cut = count // 3
        blocks = [timing.Block(tuple(samples[:cut]), 7_000_000), timing.Block(tuple(samples[cut:]), 5_000_000)]
        summary = timing.summarise(blocks)
        assert summary is not None
        faults = len(judge.timing_faults(summary, plan))
        blocks_json = [to_json(block) for block in blocks]
        found.append(
            {
                "name": name,
                "blocks": blocks_json,
                "summary": to_json(summary),
                "faults": faults,
                "done": judge.done(blocks, plan),
            }
        )
    return found


def records() -> dict[str, Any]:
    """A record with every block that the app fills, as this package writes it: neither cold nor memory, for all lanes share
    one process with the rest of the app."""
    described = _manifest()
    with tempfile.TemporaryDirectory() as folder:
        path = manifest.write(Path(folder), "tiny-int8", GRAPH, described)
        model = manifest.open_artifact(path)[1]
        text = path.read_text(encoding="utf-8")
        made = record.Record(
            schema=record.SCHEMA_VERSION,
            run="20261125T160000123000Z",
            date="2026-11-25T16:00:00+00:00",
            artifact=describe(path)[0],
            asked=Lane("tflite-runtime", "cpu", 2),
            status="timed",
            valid=False,
            machine=_machine(),
            plan=timing.Plan(min_calls=8),
            ran=Ran("tflite-runtime", "CPU", "CPU, XNNPACK 26 of 27 nodes; left: MEAN", 26, 27, ("MEAN",)),
            burst=(timing.Block((2_000_000, 2_100_000), 4_000_000),),
            paced=(timing.Block((2_500_000,), 2_400_000),),
            reasons=("only 2 of 8 calls", "the phone throttled"),
            notes=("partial: 26 of 27 operators delegated, left behind: MEAN",),
        )
        written = record.write(Path(folder), made)
        assert record.read(written) == made
        return {
            "json": text,
            "model": base64.b64encode(model).decode(),
            "name": written.name,
            "record": written.read_text(encoding="utf-8"),
        }


def _machine() -> Machine:
    return Machine(
        cpu="Maker Phone (chip)",
        architecture="arm64-v8a",
        cores=8,
        system="Android 15, API 35",
        python="none: Kotlin on ART",
        packages={"edge-facenet-demo": "1", "tensorflow-lite": "2.21.0"},
        governor="unknown",
        memory_bytes=None,
        before=State(load_average=5.5, temperature=31.5),
        after=State(megahertz=1800.0),
        reasons=("the phone throttled",),
        notes=(
            "throttling unknown: no counter that an app may read",
            "other work ran beside: load average 5.5 before the first call on 8 cores",
            "on battery",
        ),
    )


VECTORS = {"artifact": artifacts, "numbers": numbers, "statistics": statistics, "record": records}
