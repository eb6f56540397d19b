"""What an artifact is: written in one step, read strictly, and never believed when something does not fit."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny

from edge_facenet import files, manifest, trailer
from edge_facenet.engines import open_engine
from edge_facenet.errors import ManifestError, OutputError, ThresholdError
from edge_facenet.manifest import Manifest, SelfTest, Threshold, Thresholds
from edge_facenet.schema import to_json

V1 = Path(__file__).parent / "manifest-v1.json"
WRITERS = {"tflite": tiny.artifact, "onnx": tiny.onnx_artifact}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sealed artifact, TFLite and ONNX."""
    path: Path = WRITERS[request.param](tmp_path)
    return path


def edited(path: Path, **changes: Any) -> Path:
    """The manifest with some keys set (None = removed)."""
    value = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not None}))
    return path


def lone(written: Path) -> Path:
    return written.parent / manifest.read(written).file


def test_round_trip(written: Path) -> None:
    said, model = manifest.open_artifact(written)
    assert said.file == f"{written.stem}-{files.sha256(model)[:8]}{Path(said.file).suffix}"
    assert said.sha256 == files.sha256(model)
    assert said.fingerprint == manifest.fingerprint(model, said)
    assert manifest.read(written) == said
    assert written.read_text() == files.canonical_json(to_json(said))


def test_a_lone_file_says_what_can_never_change_and_nothing_that_was_measured(written: Path) -> None:
    said, model = manifest.open_artifact(written)
    alone, same = manifest.open_artifact(lone(written))
    assert (alone.facts(), alone.fingerprint, same) == (said.facts(), said.fingerprint, model)
    assert alone.thresholds is None
    assert alone.self_test is None


def test_manifest_of_the_first_schema_still_loads() -> None:
    said = manifest.read(V1)
    assert (said.schema, said.dimension, said.pixels.dtype) == (1, 128, "int8")
    assert said.thresholds is not None
    assert said.thresholds.cosine(1e-3) == 0.4375
    with pytest.raises(ThresholdError, match=r"No threshold at FAR 0\.0001: 4,500 impostors"):
        said.thresholds.cosine(1e-4)
    with pytest.raises(ThresholdError, match=r"No threshold at FAR 0\.05 was derived for this artifact; it has"):
        said.thresholds.cosine(0.05)
    assert {f.name for f in dataclasses.fields(Manifest) if getattr(said, f.name) is None} == {"output"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"thresold": 1}, r'unknown key "thresold" \(did you mean "thresholds"\?\)'),
        ({"dimension": "128"}, r"manifest tiny-.*\.json\.dimension: expected an integer, found str '128'"),
        ({"dimension": 0}, "dimension is at least 1"),
        ({"template": None}, "missing template"),
        ({"schema": 2}, r"schema 2, this version reads 1 to 1\. Upgrade"),
        ({"schema": 0}, "schema 0"),
        ({"recipe": "int9"}, r'"int9" is no recipe \(did you mean "int8"\?\)'),
        ({"file": "../x.tflite"}, "must be a name in the manifest's own folder"),
        ({"file": "missing.tflite"}, r"Cannot read model file .*missing\.tflite: No such file"),
        ({"file": ""}, "Cannot read model file"),
        ({"file": "a\0b"}, "Cannot read model file"),
        ({"sha256": "0" * 64}, r"is not the file that tiny-.*\.json describes: sha256 .* manifest says 000000000000"),
        ({"margin": 8, "sha256": None}, "contradicts what is sealed inside .*: margin, fingerprint. Do not edit"),
        ({"unit_output": True, "fingerprint": None}, "contradicts what is sealed inside .*: unit_output. Do not edit"),
        ({"family": "other"}, "contradicts what is sealed inside .*: family"),
        ({"fingerprint": "0" * 64}, "contradicts what is sealed inside .*: fingerprint"),
    ],
)
def test_whatever_does_not_fit_is_refused(written: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ManifestError, match=sentence):
        manifest.open_artifact(edited(written, **changes))


def test_other_pixels_than_the_sealed_ones_are_refused(written: Path) -> None:
    """C039's kind: mean and scale edited in the manifest."""
    pixels = {**json.loads(written.read_text())["pixels"], "mean": [0, 0, 0], "scale": [255, 255, 255]}
    with pytest.raises(ManifestError, match=r"contradicts .*: pixels"):
        manifest.open_artifact(edited(written, pixels=pixels))


def test_model_of_another_manifest(tmp_path: Path) -> None:
    first, second = tiny.onnx_artifact(tmp_path / "1", seed=1), tiny.onnx_artifact(tmp_path / "2", seed=2)
    lone(first).write_bytes(lone(second).read_bytes())
    with pytest.raises(ManifestError, match="belongs to another manifest"):
        manifest.open_artifact(first)


def test_model_truncated_anywhere(written: Path) -> None:
    path = lone(written)
    whole = path.read_bytes()
    graph = len(manifest.unseal(whole)[0])
    for length in [*range(0, graph, 101), *range(graph, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        for given in (written, path):
            with pytest.raises(ManifestError):
                manifest.open_artifact(given)


def test_model_with_one_byte_changed_anywhere(written: Path) -> None:
    """With its manifest the hash refuses it; alone, the hash of the graph that is sealed inside, or it is the same."""
    path = lone(written)
    whole = path.read_bytes()
    graph, facts = manifest.unseal(whole)
    refused = 0
    for place in [*range(0, len(graph), 101), *range(len(graph), len(whole))]:
        changed = bytearray(whole)
        changed[place] ^= 0x41
        try:
            found = manifest.unseal(bytes(changed))
        except ManifestError:
            refused += 1
        else:  # no seal any more, or bytes of a zip archive that mean nothing: time stamps, attributes
            assert found in ((changed, None), (graph, facts))
            refused += found[1] is None
    assert refused > len(graph) // 101 + 200  # graph and facts
    path.write_bytes(changed)
    with pytest.raises(ManifestError):
        manifest.open_artifact(written)


def test_manifest_truncated_anywhere_is_refused_or_says_the_same(written: Path) -> None:
    whole = written.read_bytes()
    said = manifest.read(written)
    for length in range(0, len(whole), 5):
        written.write_bytes(whole[:length])
        try:
            assert manifest.read(written) == said  # the final line break
        except ManifestError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"file": NaN}', b"\0"])
def test_what_is_no_manifest_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ManifestError, match=r"a\.json"):
        manifest.open_artifact(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.tflite", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer.*git lfs pull"),
        ("m.onnx", b"\n<!DOCTYPE html><html>", "web page.*again"),
        ("m.tflite", b"PK\x03\x04", "no TFL3 mark"),
        ("m.onnx", b"", "carries no facts"),
        ("m.bin", b"anything", "carries no facts"),
    ],
)
def test_c073_what_is_no_model_is_named(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=sentence):
        manifest.open_artifact(tmp_path / name)


def test_an_interruption_between_model_and_manifest_keeps_the_previous_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.artifact(tmp_path)
    before = manifest.open_artifact(path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifest.files, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            tiny.artifact(tmp_path, margin=3)
    assert manifest.open_artifact(path) == before
    tiny.artifact(tmp_path, margin=3)
    said, _ = manifest.open_artifact(path)
    assert said.margin == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, said.file])


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    def content(path: Path) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in path.parent.iterdir()}

    first = content(tiny.artifact(tmp_path / "a"))
    assert content(tiny.artifact(tmp_path / "b")) == first
    assert content(tiny.artifact(tmp_path / "a")) == first


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "tiny-fp32.json").write_text('{"name": "package"}')
    with pytest.raises(OutputError, match="Move it away first"):
        tiny.artifact(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["tiny-fp32.json"]


@pytest.mark.parametrize("name", ["", "a/b", "../x"])
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="no slashes"):
        manifest.write(tmp_path, name, tiny.graph("fp32"), tiny.describe(tiny.FLOAT))


def test_a_foreign_network_is_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="foreign"):
        manifest.write(tmp_path, "x", tiny.graph("fp32"), tiny.describe(tiny.FLOAT, family=None))


def test_the_trailer_is_read_by_zipfile_and_the_interpreter_does_not_see_it(tmp_path: Path) -> None:
    path = lone(tiny.artifact(tmp_path))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        sealed = json.loads(archive.read("edge_facenet.json"))
    assert sealed["pixels"]["size"] == 112
    assert len(sealed["seal"]) == 64
    assert manifest.unseal(path.read_bytes())[0] == tiny.graph("fp32")
    same_output(tiny.graph("fp32"), path.read_bytes(), lambda x: x)


def test_the_onnx_trailer_is_read_by_onnx_and_the_runtime_does_not_see_it(tmp_path: Path) -> None:
    path = lone(tiny.onnx_artifact(tmp_path))
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    entry = model.metadata_props[-1]
    assert entry.key == "edge_facenet"
    assert json.loads(entry.value)["dimension"] == 128
    assert manifest.unseal(path.read_bytes())[0] == tiny.onnx_graph()
    same_output(tiny.onnx_graph(), path.read_bytes(), lambda x: x.transpose(0, 3, 1, 2))


def same_output(bare: bytes, sealed: bytes, turn: Callable[[np.ndarray], np.ndarray]) -> None:
    image = turn(tiny.FLOAT.tensor(tiny.crops(1)))
    a, b = (open_engine(model).run([np.ascontiguousarray(image)])[0] for model in (bare, sealed))
    assert np.array_equal(a, b)


def test_metadata_that_is_already_there_stays(tmp_path: Path) -> None:
    """ONNX: our entry beside theirs. TFLite: an archive with associated files gets one more."""
    model = onnx.load_from_string(tiny.onnx_graph())
    model.metadata_props.add(key="author", value="x")
    model.metadata_props.add(key="edge_facenet_too", value="y")
    sealed = onnx.load_from_string(trailer.append(model.SerializeToString(), b"z" * 300))
    assert [(e.key, e.value[:2]) for e in sealed.metadata_props] == [
        ("author", "x"),
        ("edge_facenet_too", "y"),
        ("edge_facenet", "zz"),
    ]
    stream = io.BytesIO(tiny.graph("fp32"))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", "a")
    twice = trailer.append(stream.getvalue(), b"text")
    assert zipfile.ZipFile(io.BytesIO(twice)).namelist() == ["labels.txt", "edge_facenet.json"]
    assert trailer.split(twice)[1] == b"text"


@pytest.mark.parametrize("graph", [tiny.graph("fp32"), tiny.onnx_graph()])
def test_a_graph_without_trailer_is_itself(graph: bytes) -> None:
    assert trailer.split(graph) == (graph, None)
    assert manifest.unseal(graph) == (graph, None)


def test_the_fingerprint_is_of_what_makes_embeddings_comparable(tmp_path: Path) -> None:
    said, model = manifest.open_artifact(tiny.artifact(tmp_path))
    source = "other pairs"
    other = dataclasses.replace(said, thresholds=Thresholds(source, 1, 1, 1, (Threshold(0.1, 0.2),)), name="renamed")
    assert manifest.fingerprint(model, other) == said.fingerprint
    assert manifest.fingerprint(tiny.graph("fp32"), said) == said.fingerprint  # the trailer does not count
    for changes in ({"margin": 1}, {"unit_output": True}, {"template": "x"}, {"pixels": tiny.INT8}):
        assert manifest.fingerprint(model, dataclasses.replace(said, **changes)) != said.fingerprint
    assert manifest.fingerprint(tiny.graph("two"), said) != said.fingerprint


def test_a_hand_written_manifest_needs_four_keys(tmp_path: Path) -> None:
    (tmp_path / "foreign.tflite").write_bytes(tiny.graph("fp32"))
    four = {"file": "foreign.tflite", "pixels": {"size": 112}, "template": "arcface-112", "dimension": 128}
    (tmp_path / "foreign.json").write_text(json.dumps(four))
    said, _ = manifest.open_artifact(tmp_path / "foreign.json")
    assert said.facts() is None
    for key in four:
        (tmp_path / "foreign.json").write_text(json.dumps({k: v for k, v in four.items() if k != key}))
        with pytest.raises(ManifestError, match=f"missing {key}"):
            manifest.open_artifact(tmp_path / "foreign.json")


def test_self_test_block_survives(tmp_path: Path) -> None:
    block = SelfTest("0" * 64, ((0.1, 0.2), (0.3, 1e-17)), {"litert": 1e-6})
    assert manifest.read(tiny.artifact(tmp_path, self_test=block)).self_test == block


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_model_is_one_sentence(written: Path) -> None:
    lone(written).chmod(0)
    with pytest.raises(ManifestError, match="Permission denied"):
        manifest.open_artifact(written)
