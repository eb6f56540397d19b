"""Records: written, read, refused; the old file of schema 1 must always load."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bench_world import QUICK, FakeClock, StubChild, StubEmbedder, children, entry
from edge_facenet_bench import record, report, run
from edge_facenet_bench.faces import Faces
from edge_facenet_bench.measure import Bench
from edge_facenet_bench.record import Record

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import to_json

HERE = Path(__file__).parent
SCHEMAS = HERE.parents[1] / "docs" / "schemas"


def sample() -> Record:
    clock = FakeClock()
    return Bench([entry()], Faces(), QUICK, children(StubChild(StubEmbedder(clock), clock))).measure().records[0]


def test_a_record_survives_the_round_trip(tmp_path: Path) -> None:
    made = sample()
    path = record.write(tmp_path, made)
    assert record.read(path) == made
    assert path.name == "stub-fp32.litert-cpu-1t.json"


def test_raw_samples_stand_on_one_line(tmp_path: Path) -> None:
    text = record.write(tmp_path, sample()).read_text()
    assert '"samples_ns": [1000000,1000000' in text
    assert text == record._compact(files.canonical_json(json.loads(text)))


def test_the_old_record_still_loads() -> None:
    old = record.read(HERE / "record-v1.json")
    assert old.schema == 1 and old.burst[0].samples_ns and old.paced and old.ran is not None
    assert old.accuracy is not None and old.agreement is not None and old.cold is not None and old.memory is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": record.SCHEMA_VERSION + 1}, "Upgrade edge-facenet"),
        ({"validd": True}, 'unknown key "validd"'),
        ({"valid": "yes"}, "expected a boolean"),
        ({"status": "fine"}, "expected one of timed, parity, not run"),
        ({"burst": [{"samples_ns": [1.5], "cpu_ns": 0}]}, r"burst\[0\]\.samples_ns\[0\]"),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({**to_json(sample()), **change}))
    with pytest.raises(InputError, match=words):
        record.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_record_or_run_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    for module in (record, run):
        with pytest.raises(InputError):
            module.read(path)


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.json"):
        record.read(tmp_path / "nothing.json")


def documents() -> dict[str, Any]:
    return {**record.schema_documents(), **report.schema_documents()}


def test_the_json_schemas_are_the_ones_that_the_code_says() -> None:
    """After a change of a dataclass: PYTHONPATH=tests python tests/bench/test_bench_record.py"""
    for name, schema in documents().items():
        assert (SCHEMAS / name).read_text() == files.canonical_json(schema)


def test_a_record_obeys_its_json_schema() -> None:
    schema = record.schema_documents()["record.json"]
    jsonschema.validate(to_json(sample()), schema)
    wrong = {**to_json(dataclasses.replace(sample(), reasons=("x",))), "reasons": [1]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


if __name__ == "__main__":
    for document, content in documents().items():
        files.write_json(SCHEMAS / document, content)
