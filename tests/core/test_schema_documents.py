"""docs/schemas is generated from the dataclasses: one truth."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import tiny

from edge_facenet import files, manifest, trailer

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("name", manifest.schema_documents())
def test_the_json_schemas_are_the_ones_that_the_code_says(name: str) -> None:
    """After a change of a dataclass: PYTHONPATH=tests python tests/core/test_schema_documents.py"""
    assert (SCHEMAS / name).read_text() == files.canonical_json(manifest.schema_documents()[name])


@pytest.mark.parametrize("write", [tiny.artifact, tiny.onnx_artifact])
def test_what_is_written_obeys_them(write, tmp_path: Path) -> None:
    documents = manifest.schema_documents()
    path = write(tmp_path)
    jsonschema.validate(json.loads(path.read_text()), documents["manifest.json"])
    _, sealed = trailer.split((tmp_path / manifest.read(path).file).read_bytes())
    assert sealed is not None
    facts = json.loads(sealed)
    jsonschema.validate(facts, documents["facts.json"])
    for broken in ({**facts, "more": 1}, {k: v for k, v in facts.items() if k != "seal"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, documents["facts.json"])


def test_the_first_schemas_file_obeys_them() -> None:
    old = json.loads((Path(__file__).parent / "manifest-v1.json").read_text())
    jsonschema.validate(old, manifest.schema_documents()["manifest.json"])


if __name__ == "__main__":
    for document, content in manifest.schema_documents().items():
        files.write_json(SCHEMAS / document, content)
