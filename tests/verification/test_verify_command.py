"""`edge-facenet verify` from end to end, on people made of smooth noise and networks made of one matrix."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_facenet import manifest, schema
from edge_facenet.cli.main import main
from edge_facenet.manifest import Manifest, Threshold, Thresholds
from edge_facenet.photos.cropset import CropRow, CropSet, CropSetWriter, Recipe, Rejection
from edge_facenet.pixels import PixelSpec
from edge_facenet.verification import picture_index, read_pairs, split_identities, write_split

SIDE = 16
onnx = pytest.importorskip("onnx", reason="the test's networks are written with onnx, from the extra export")
pytest.importorskip("onnxruntime", reason="the test's networks run on ONNX Runtime, from the extra onnx")


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 people x 6 photos, named as LFW names them."""
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("crops")
    point = (0.0, 0.0)
    with CropSetWriter(folder, Recipe(settings={"source": "noise"})) as writer:
        for person in range(12):
            face = cv2.resize(rng.uniform(0, 255, (6, 6, 3)), (128, 128), interpolation=cv2.INTER_CUBIC)
            for photo in range(1, 7):
                name = f"P_{person}/P_{person}_{photo:04d}.png"
                row = CropRow(6 * person + photo - 1, f"P_{person}", name, 1.0, (point,) * 5)  # type: ignore[arg-type]
                writer.accept(row, np.clip(face + rng.normal(0, 60, face.shape), 0, 255).astype(np.uint8))
        writer.seal()
    return folder


def network(
    folder: Path,
    kind: str = "good",
    thresholds: Thresholds | None = None,
    template: str = "arcface-112",
    margin: int = 0,
) -> Path:
    """An artifact: pixels times a matrix. "zero" gives zeros, "constant" one vector, "nan" what it says."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3 * SIDE * SIDE, 32)).astype(np.float32) * (kind != "zero") * (kind != "constant")
    bias = np.full(32, {"constant": 1.0, "nan": np.nan}.get(kind, 0.0), np.float32)
    from onnx import TensorProto, helper, numpy_helper

    values = [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(bias, "bias")]
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "bias"], ["embedding"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, (1, 32))
    graph = helper.make_graph(nodes, "g", [image], [out], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    described = Manifest(
        file="model.onnx",
        pixels=PixelSpec(size=SIDE, layout="NCHW"),
        template=template,
        margin=margin,
        dimension=32,
        name=kind,
        family="matrix",
        recipe="fp32",
        thresholds=thresholds,
    )
    return manifest.write(folder, kind, model.SerializeToString(), described)


def run(
    capsys: pytest.CaptureFixture[str], words: Sequence[object], code: int = 0, command: str = "verify"
) -> tuple[str, str]:
    with pytest.raises(SystemExit) as left:
        main([command, *map(str, words)])
    out, err = capsys.readouterr()
    assert left.value.code == code, (out, err)
    return out, err


def test_a_split_is_measured_and_told(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = Thresholds(
        "other people",
        9,
        100,
        1000,
        (Threshold(0.1, 0.2, (0.1, 0.3), 0.9), Threshold(1e-4, note="not measurable (1,000 impostors)")),
    )
    artifact = network(tmp_path, thresholds=own)
    split = split_identities([f"P_{k}" for k in range(12)], 1, 5, 3)
    write_split(tmp_path / "split.json", split)
    out, err = run(capsys, [artifact, crops, "--split", tmp_path / "split.json", "--plots", tmp_path / "figures"])
    assert err == ""
    assert "435 pairs: 75 of one person, 360 of two; 5 people" in out
    assert "balanced accuracy" in out and "standard error over 10 folds" in out and "onnxruntime" in out
    assert (
        "not measurable (360 impostors; 3,000 are needed)" in out
        and "The smallest FAR that 360 impostor pairs support is 0.0083" in out
    )
    assert "derived on other people" in out and "not measurable (1,000 impostors)" in out and "Raw pixels reach" in out
    assert (tmp_path / "figures/roc.svg").exists() and (tmp_path / "figures/scores.svg").exists()
    told, _ = run(
        capsys, [artifact, crops, "--split", tmp_path / "split.json", "--json", "--far", "0.1", "--far", "0.02"]
    )
    report = json.loads(told)
    assert report["people"] == list(split.test) and report["verification"]["valid"]
    assert [p["far"] for p in report["verification"]["val"]] == [0.1, 0.02]
    assert report["verification"]["accuracy"] > 90 and report["transfer"][0]["far"] >= 0
    assert report["transfer"][1] == {"nominal_far": 1e-4, "note": "not measurable (1,000 impostors)"}


def test_everybody_without_a_split_and_the_caution_that_goes_with_it(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = run(capsys, [network(tmp_path), crops])
    assert "12 people" in out and "without --split nobody has checked" in out and "holds no thresholds" in out


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("zero", "embeddings constant (variance 0)"),
        ("constant", "embeddings constant (variance 0)"),
        ("nan", "embeddings not finite (more than half: 72 of 72)"),
    ],
)
def test_c052_a_broken_network_is_marked_invalid(
    kind: str, words: str, crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = run(capsys, [network(tmp_path, kind), crops], code=5)
    assert "INVALID" in out and words in out and "50.00 %" in out
    told, _ = run(capsys, [network(tmp_path, kind), crops, "--json"], code=5)
    assert json.loads(told)["verification"]["valid"] is False


def pair_file(folder: Path, suffix: str = "") -> Path:
    lines = ["10\t3"]
    for fold in range(10):
        lines += [f"P_{fold}{suffix}\t{k}\t{k + 1}" for k in range(1, 4)]
        lines += [f"P_{fold}{suffix}\t{k}\tP_{fold + 1}\t{k}" for k in range(1, 4)]
    file = folder / "pairs.txt"
    file.write_text("\n".join(lines))
    return file


def test_c107_pair_files_are_scored_whole_or_not_at_all(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = network(tmp_path)
    out, _ = run(capsys, [artifact, crops, "--pairs", pair_file(tmp_path)])
    assert "60 pairs: 30 of one person, 30 of two" in out and "\naccuracy " in out
    none = tmp_path / "pairs.txt"
    none.write_text(none.read_text().replace("P_", "Q_"))
    out, err = run(capsys, [artifact, crops, "--pairs", none], code=3)
    assert out == "" and "0 of 60 pairs found, first missing: Q_0_0001" in err
    lines = pair_file(tmp_path).read_text().splitlines()
    half = [line.replace("P_", "Q_") if k % 2 else line for k, line in enumerate(lines)]
    none.write_text("\n".join(half))
    out, err = run(capsys, [artifact, crops, "--pairs", none], code=3)
    assert "30 of 60 pairs found" in err and "withheld" in err and out == ""
    out, _ = run(capsys, [artifact, crops, "--pairs", none, "--allow-missing"])
    assert "30 of 60 pairs found" in out and "30 pairs: 10 of one person, 20 of two" in out and "INVALID" not in out


def renamed(crops: Path, folder: Path, rename: Callable[[str], str], left_out: str = "") -> Path:
    """The same crops under other names; photos of a person whose name is `left_out` are rejected, with a reason."""
    whole = CropSet.open(crops)
    with CropSetWriter(folder, Recipe(settings={"source": "noise"})) as writer:
        for row in whole.rows:
            if row.identity == left_out:
                writer.reject(Rejection(row.source, "No face found (mean luminance 3.0 of 255: nearly black)."))
                continue
            writer.accept(dataclasses.replace(row, source=rename(row.source)), whole.crops([row.row])[0])
        writer.seal()
    return folder


def test_c107_an_aligner_that_appends_to_names_and_a_photo_it_rejected(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact, pairs = network(tmp_path), pair_file(tmp_path)
    appended = renamed(crops, tmp_path / "appended", lambda name: name.replace(".png", "_0.png"))
    for more in ([], ["--allow-missing"]):
        out, err = run(capsys, [artifact, appended, "--pairs", pairs, *more], code=3)
        assert out == "" and '0 of 60 pairs found, first missing: P_0_0001 (the crops hold "P_0_0001_0")' in err
    short = renamed(crops, tmp_path / "short", str, left_out="P_3")
    out, err = run(capsys, [artifact, short, "--pairs", pairs], code=3)
    assert out == "" and "withheld" in err
    assert "first missing: P_3_0001 (prepare left it out: No face found (mean luminance 3.0" in err
    told, _ = run(capsys, [artifact, short, "--pairs", pairs, "--allow-missing", "--json"])
    report = json.loads(told)
    found = report["verification"]["genuine"] + report["verification"]["impostor"]
    assert (report["pairs_listed"], found, report["pictures_missing"]) == (60, 51, 4)
    twice = renamed(crops, tmp_path / "twice", lambda name: name.replace("P_3/P_3_0002.png", "P_3/P_3_0001.jpg"))
    _, err = run(capsys, [artifact, twice, "--pairs", pairs], code=3)
    assert "P_3_0001 (the crops hold more than one of that name: P_3/P_3_0001.jpg, P_3/P_3_0001.png)" in err


def test_lfw_folds_stay_as_the_file_has_them(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten folds of 3 + 3 in the file's order, whatever the seed; the pair count stands in the result."""
    artifact, told = network(tmp_path), []
    for seed in (0, 1):
        out, _ = run(capsys, [artifact, crops, "--pairs", pair_file(tmp_path), "--seed", seed, "--json"])
        told.append(json.loads(out))
    a, b = (t["verification"] for t in told)
    assert (a["accuracy"], a["accuracy_se"], a["threshold"]) == (b["accuracy"], b["accuracy_se"], b["threshold"])
    assert (a["folds"], told[0]["pairs_listed"], told[0]["pictures_missing"]) == (10, 60, 0)
    listed = read_pairs(pair_file(tmp_path), picture_index(r.source for r in CropSet.open(crops).rows))
    assert listed.pairs.fold is not None and listed.pairs.fold.tolist() == np.repeat(np.arange(10), 6).tolist()


def test_c114_open_set_from_the_command_line(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = Thresholds("others", 99, 100, 1000, (Threshold(0.1, 0.2), Threshold(0.01, 0.35)))
    artifact = network(tmp_path, thresholds=own)
    words = [artifact, crops, "--open-set", "--enrolled", 4, "--draws", 3]
    out, _ = run(capsys, words)
    assert "Open set: 4 people enrolled with 3 photos each, 8 strangers; 3 draws with seed 0" in out
    assert "36 probes of enrolled people, 144 of strangers" in out and "gallery, FPIR 0.01 asked" in out
    assert "not measurable (72 photos of 12 strangers)" in out
    report = json.loads(run(capsys, [*words, "--json"])[0])["open_set"]
    assert report["at"][0]["rule"] == "FPIR 0.1" and report["at"][0]["fpir"] <= 0.1
    assert report["at"][0]["fpir_interval"][0] <= report["at"][0]["fpir"] <= report["at"][0]["fpir_interval"][1]
    _, err = run(capsys, [artifact, crops, "--open-set", "--enrolled", 12], code=3)
    assert "keep strangers" in err


def test_hard_probes_from_the_command_line(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [network(tmp_path), crops, "--probes", "--per-person", 4]
    out, _ = run(capsys, words)
    assert "Hard probes: 72 + 1,056 pairs of 12 people" in out and "at most 4 photos per person" in out
    for kind in ("clean", "24 px", "masked", "JPEG q20"):
        assert f"\n  {kind:>11}" in out
    assert run(capsys, [*words, "--json"])[0] == run(capsys, [*words, "--json"])[0]


def test_hard_probes_of_few_pairs_take_the_folds_of_the_result(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genuine = [f"P_{k}_0001,P_{k}_0002,1" for k in range(9)]
    impostor = [f"P_{a}_0003,P_{b}_0003,0" for a in range(10) for b in range(a)]
    (tmp_path / "few.csv").write_text("\n".join(genuine + impostor))
    out, _ = run(capsys, [network(tmp_path), crops, "--pairs", tmp_path / "few.csv", "--probes"])
    assert "9 folds instead of 10" in out and "Hard probes: 9 + 45 pairs of 10 people" in out


def test_thresholds_are_carried_to_another_source(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A foreign network has none: those of the first crop set are used, and may be written for its manifest."""
    other = renamed(crops, tmp_path / "other", lambda name: f"again/{name}")
    bare, file = network(tmp_path), tmp_path / "thresholds.json"
    out, _ = run(capsys, [bare, crops, "--transfer", other, "--thresholds", file])
    assert "Thresholds derived on all pairs of everybody in the crop set of" in out and "(12 people)" in out
    assert "other: 12 people, 180 genuine and 2,376 impostor pairs" in out and f"Written: {file}" in out
    derived = json.loads(file.read_text())["thresholds"]
    assert derived["identities"] == 12 and derived["at"][0]["far"] == 0.1 and "cosine" in derived["at"][0]
    own = Thresholds("others", 99, 100, 1000, (Threshold(0.1, -0.9, None, 0.9), Threshold(1e-4, note="not measurable")))
    with_own = network(tmp_path, thresholds=own)
    out, _ = run(capsys, [with_own, crops, "--transfer", other])
    assert "Thresholds derived on others (99 people)" in out
    assert "On other strangers pass 10.0 times as often as promised" in out  # -0.9 accepts everybody
    report = json.loads(run(capsys, [with_own, crops, "--transfer", other, "--json"])[0])
    (there,) = report["elsewhere"]
    assert there["source"] == "other" and there["points"][0]["far"] == 1.0 and there["points"][1]["note"]


def test_an_extra_that_fails_costs_no_measurement(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, taken = network(tmp_path), tmp_path / "file"
    taken.write_text("in the way")
    words = [bare, crops, "--far", "0.05", "--far", "0.02"]
    for option in ("--thresholds", "--worst", "--plots"):
        out, err = run(capsys, [*words, option, taken / "there", "--json"], code=8)
        assert json.loads(out)["verification"]["accuracy"] > 90 and "Cannot write" in err, option
    run(capsys, [*words, "--thresholds", tmp_path / "t.json"])
    assert [one["far"] for one in json.loads((tmp_path / "t.json").read_text())["thresholds"]["at"]] == [0.05, 0.02]


def test_few_people_are_said_first_and_have_no_thresholds(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = split_identities([f"P_{k}" for k in range(12)], 1, 2, 3)
    write_split(tmp_path / "split.json", split)
    words = [network(tmp_path), crops, "--split", tmp_path / "split.json"]
    out, _ = run(capsys, words)
    assert "WARNING: too few people: 2, where 10 are needed." in out
    assert out.index("WARNING") < out.index("accuracy") and "There is no interval" in out
    assert out.count("not measurable (2 people, 10 are needed)") == 1  # at 0.1; 36 impostor pairs support no lower rate
    report = json.loads(run(capsys, [*words, "--json"])[0])
    assert report["warnings"] and all("val" not in p for p in report["verification"]["val"])
    _, err = run(capsys, [*words, "--thresholds", tmp_path / "t.json"], code=5)
    assert "No thresholds can be derived here: too few people" in err and not (tmp_path / "t.json").exists()


def test_pictures_that_occur_twice_are_told(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, folder = CropSet.open(crops), tmp_path / "twice"
    with CropSetWriter(folder, Recipe(settings={"source": "noise"})) as writer:
        for row in whole.rows:
            twin = {7: 6, 20: 1}.get(row.row, row.row)  # one picture twice under one name, one under two
            writer.accept(row, whole.crops([twin])[0])
        writer.seal()
    out, _ = run(capsys, [network(tmp_path), folder])
    assert "pairs of equal pictures under one name: 1" in out and "pairs of equal pictures under two names: 1" in out
    assert "not scored" in out
    clean = json.loads(run(capsys, [network(tmp_path), crops, "--json"])[0])
    assert clean["duplicates"]["exact"] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--per-person", "3", "--pairs", "pairs.txt"], "--per-person draws photos of people"),
        (["--allow-missing"], "--allow-missing is about the pictures of a pair file"),
        (["--part", "calibrate"], "--part calibrate names people of a split"),
    ],
)
def test_options_without_effect_are_refused(
    words: list[str], told: str, crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = run(capsys, [network(tmp_path), crops, *words], code=3)
    assert told in err


def test_worst_pairs_as_pictures(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "worst.html"
    out, _ = run(capsys, [network(tmp_path), crops, "--pairs", pair_file(tmp_path), "--worst", file])
    assert f"Written: {file}" in out
    page = file.read_text()
    assert page.count("<img") == 2 * (30 + 30) and "<script" not in page and "http" not in page
    genuine, impostor = (
        [float(part.split("<")[0]) for part in half.split("cosine ")[1:]]
        for half in page.split("Two people, most alike")
    )
    assert genuine == sorted(genuine) and impostor == sorted(impostor, reverse=True)


def test_noise_from_the_command_line(crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, folder, out = CropSet.open(crops), tmp_path / "mislabelled", tmp_path / "found"
    with CropSetWriter(folder, Recipe(settings={"source": "noise"})) as writer:
        for row in whole.rows:
            name = "P_1 <b>" if row.row == 3 else "Q_7" if row.row in (42, 43, 44) else row.identity
            name = "P_1 <b>" if name == "P_1" else name  # markup in a name stays text
            source = row.source.replace("P_0_0004", "P_0\r0004")
            writer.accept(dataclasses.replace(row, identity=name, source=source), whole.crops([row.row])[0])
        writer.seal()
    words = ["--model", network(tmp_path), "--out", out]
    told, _ = run(capsys, [folder, *words], command="noise")
    assert "72 pictures of 13 people" in told and "P_0/P_0\ufffd0004.png (P_1 <b>)" in told and "P_7 = Q_7" in told
    with (out / "noise.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert len(lines) == 73 and lines[0][:6] == ["rank", "row", "source", "identity", "own", "other"]
    assert lines[1][:3] == ["1", "3", "P_0/P_0\r0004.png"]
    page = (out / "noise.html").read_text()
    assert "P_1 &lt;b&gt;" in page and "<b>" not in page and "<script" not in page and "http" not in page
    assert "The first 60 of 72; all of them stand in noise.csv" in page and "Likeness 1:" in page
    report = json.loads(run(capsys, [folder, *words, "--json"], command="noise")[0])
    assert report["rows"][0]["source"] == "P_0/P_0\r0004.png" and report["two_names"][0] == {
        "a": "P_7",
        "b": "Q_7",
        "likeness": report["two_names"][0]["likeness"],
    }
    _, err = run(capsys, [crops, "--model", network(tmp_path, "zero"), "--out", out], code=5, command="noise")
    assert "does not embed a known face" in err


def test_c116_a_contradiction_is_refused_and_repeats_are_told(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact, file = network(tmp_path), tmp_path / "pairs.csv"
    good = [f"P_{p}_000{k},P_{q}_000{k + 1},{int(p == q)}" for p in range(6) for q in (p, p + 1) for k in range(1, 5)]
    file.write_text("\n".join([*good, good[0], "P_0_0001,P_0_0001,1"]))
    out, _ = run(capsys, [artifact, crops, "--pairs", file])
    assert (
        "repeated pairs (scored as listed): 1" in out
        and "pairs of a picture with itself (not scored): 1" in out
        and "49 pairs:" in out
    )
    file.write_text("\n".join([*good, "P_0_0001,P_0_0003,0"]))
    _, err = run(capsys, [artifact, crops, "--pairs", file], code=3)
    assert "contradict" in err


def test_c054_people_trained_on_make_the_result_invalid(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = split_identities([f"P_{k}" for k in range(12)], 1, 5, 3)
    leaked = dataclasses.replace(split, train=(*split.train, split.test[0].replace("_", " ").lower()))
    write_split(tmp_path / "split.json", leaked)
    out, _ = run(capsys, [network(tmp_path), crops, "--split", tmp_path / "split.json"], code=5)
    assert "INVALID" in out and f'"{split.test[0]}" is trained on as "{leaked.train[-1]}" (name)' in out
    taken = tmp_path / "thresholds.json"
    told = [network(tmp_path), crops, "--split", tmp_path / "split.json", "--thresholds", taken]
    assert "No thresholds can be derived from an INVALID result" in run(capsys, told, code=5)[1] and not taken.exists()
    out, _ = run(
        capsys, [network(tmp_path), crops, "--split", tmp_path / "split.json", "--pairs", pair_file(tmp_path)], code=5
    )
    assert "INVALID" in out  # the pair file names people the run was trained on


def test_an_artifact_whose_file_is_another_is_refused_thresholds_and_all(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Thresholds("other people", 9, 100, 1000, (Threshold(0.1, 0.2),))
    artifact = network(tmp_path, thresholds=own)
    described = manifest.read(artifact)
    (tmp_path / described.file).write_bytes((tmp_path / manifest.read(network(tmp_path, "constant")).file).read_bytes())
    _, err = run(capsys, [artifact, crops], code=4)
    assert "is not the file that" in err
    assert schema.to_json(described)["thresholds"]["at"][0]["cosine"] == 0.2


def test_crops_of_another_template_and_a_split_of_others_are_refused(
    crops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(tmp_path / "split.json", split_identities([f"X_{k}" for k in range(12)], 1, 5, 3))
    _, err = run(capsys, [network(tmp_path), crops, "--split", tmp_path / "split.json"], code=3)
    assert "has no identity" in err
    write_split(tmp_path / "split.json", split_identities([f"P_{k}" for k in range(12)], 1, 0, 3))
    _, err = run(capsys, [network(tmp_path), crops, "--split", tmp_path / "split.json"], code=3)
    assert "no test people" in err
    run(capsys, [network(tmp_path), tmp_path / "nowhere"], code=3)
    _, err = run(capsys, [network(tmp_path, template="other-96"), crops], code=3)
    assert "template other-96" in err
    assert "with a margin of 8 px" in run(capsys, [network(tmp_path, margin=8), crops], code=3)[1]
