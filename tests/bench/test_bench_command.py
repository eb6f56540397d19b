"""`edge-facenet bench` from end to end: real engines in real processes, on tiny networks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny as networks
from bench_world import QUICK, FakeClock, StubChild, StubEmbedder, artifact, children, entry, people, split, vulkan
from edge_facenet_bench import baselines
from edge_facenet_bench.artifacts import entries, find
from edge_facenet_bench.campaign import Campaign
from edge_facenet_bench.cli import _plan
from edge_facenet_bench.faces import Faces
from edge_facenet_bench.lanes import Lane, cores, lanes_of
from edge_facenet_bench.publish import publish
from edge_facenet_bench.record import Record
from edge_facenet_bench.report import load

from edge_facenet import files, schema
from edge_facenet.cli.main import main
from edge_facenet.errors import ConfigError, InputError, LaneUnavailable, ManifestError, OutputError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.verification import Split, write_split


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    return int(left.value.code or 0)


def records(out: Path) -> list[Record]:
    return load(out)[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crops, split.json and the models tiny-fp32, tiny-int8 (TFLite) and tiny-onnx, measured once into out/."""
    folder = tmp_path_factory.mktemp("bench")
    crops = people(folder / "crops")
    write_split(folder / "split.json", split(crops))
    artifact(folder / "models", "fp32")
    artifact(folder / "models", "int8")
    networks.onnx_artifact(folder / "models")
    found = entries([folder / "models"], ("litert-cpu-1t", "onnxruntime-cpu-1t"))
    Campaign(folder / "out", folder / "crops", folder / "split.json").run(found, QUICK)
    publish(folder / "out")
    return folder


def test_every_lane_has_a_whole_record(world: Path) -> None:
    found = {one.artifact.name: one for one in records(world / "out")}
    assert sorted(found) == ["tiny-fp32", "tiny-int8", "tiny-onnx"]
    for one in found.values():
        assert one.status == "timed" and len(one.burst) >= QUICK.rounds
        assert one.ran is not None and one.ran.processor == "CPU"
        assert one.cold is not None and min(one.cold.import_ns, one.cold.load_ns, one.cold.first_ns) > 0
        assert one.memory is not None and one.memory.peak_bytes > one.memory.before_bytes > 10_000_000
        assert one.accuracy is not None and (one.accuracy.genuine, one.accuracy.impostor) == (24, 96)
        assert one.artifact.bytes > 1000
    assert found["tiny-fp32"].ran is not None and found["tiny-fp32"].ran.nodes == found["tiny-fp32"].ran.nodes_total
    assert found["tiny-fp32"].artifact.muladds == 678_400
    assert found["tiny-fp32"].artifact.sha256 == files.sha256(next((world / "models").glob("tiny-fp32-*.tflite")))


def test_accuracy_and_baselines_are_on_the_test_people_alone(world: Path) -> None:
    report = json.loads((world / "out" / "report.json").read_text())
    assert report["data"]["test"] == ["s5", "s6", "s7", "s8"]
    assert set(report["data"]["train"]).isdisjoint(report["data"]["test"])
    assert [b["name"] for b in report["baselines"]] == ["raw pixels", "untrained network", "Fisherfaces"]
    assert report["baselines"][0]["accuracy"]["impostor"] == 96
    assert "config.json" in report["baselines"][1]["note"]
    assert [(g["artifact"], g["reference"]) for g in report["gaps"]] == [("tiny-int8", "tiny-fp32")]


def test_the_command_prints_the_table_and_where_it_wrote(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_facenet_bench.cli._plan", lambda seconds, quick: QUICK)
    model = world / "models" / "tiny-int8.json"
    assert run("bench", model, "--out", tmp_path, "--lanes", "litert-cpu-1t", "--quick") == 0
    said = capsys.readouterr().out
    assert "tiny-int8" in said and "LiteRT CPU, 1 thread" in said and str(tmp_path / "report.html") in said
    assert (tmp_path / "report.md").exists() and len(list((tmp_path / "records").glob("*/run.json"))) == 1
    assert run("bench", "report", tmp_path, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["out"] == str(tmp_path) and printed["rows"][0]["burst"]["calls"] >= QUICK.min_calls
    assert "accuracy" not in printed["rows"][0] and printed["baselines"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["models", "--lanes", "litert-cpuu"], 7, 'No lane is called "litert-cpuu" (did you mean "litert-cpu"?)'),
        (["models", "--split", "split.json"], 7, "needs --crops"),
        (["models", "--crops", "models"], 3, "is not a crop set"),
        (["crops"], 4, "holds no artifact"),
        (["nothing.json"], 4, "Cannot read"),
        (["models/tiny-onnx.json", "--lanes", "litert-cpu"], 6, "None of the lanes asked for exists"),
        (["models", "--crops", "crops", "--split", "missing.json"], 3, "Cannot read split"),
        (["report", "models"], 3, "holds no records"),
        (["report"], 2, "takes one folder"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    world: Path,
    arguments: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world)
    before = sorted(world.rglob("*"))
    assert run("bench", *arguments, "--out", "new") == code
    said = capsys.readouterr()
    assert words in " ".join(said.err.replace("│", " ").split()) and "Traceback" not in said.err and said.out == ""
    assert sorted(world.rglob("*")) == before


def test_a_split_with_people_that_the_crops_lack_is_named(world: Path, tmp_path: Path) -> None:
    write_split(tmp_path / "split.json", type(split(people(tmp_path / "c")))(1, ("s1",), (), ("nobody",)))
    with pytest.raises(InputError, match="nobody"):
        Campaign(tmp_path / "out", world / "crops", tmp_path / "split.json").run(
            entries([world / "models"], ("litert-cpu-1t",)), QUICK
        )


@pytest.mark.parametrize(("photos", "words"), [(1, "0 pairs of one person"), (2, "10 folds need genuine")])
def test_people_that_make_too_few_pairs_are_found_out_before_measuring(tmp_path: Path, photos: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Faces(people(tmp_path, count=3, photos=photos))


def test_a_split_that_tests_nobody_does_not_fall_back_to_everybody(world: Path) -> None:
    with pytest.raises(InputError, match="no test identities"):
        Faces(CropSet.open(world / "crops"), Split(1, ("s1", "s2"), ("s3",), ()))


def test_very_many_pairs_are_sampled(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_facenet_bench.faces.SAMPLED", (20, 60))
    data = Faces(CropSet.open(world / "crops")).data()
    assert data is not None and (data.genuine, data.impostor) == (20, 60)


def test_a_place_that_is_a_file_is_found_out_before_measuring(world: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.write_text("mine")
    started: list[object] = []
    with pytest.raises(OSError, match="out"):
        Campaign(place).run(entries([world / "models"], ("litert-cpu-1t",)), QUICK, spawn=lambda: started.append(1))  # type: ignore[arg-type, func-returns-value]
    assert not started and place.read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_found_out_before_measuring(tmp_path: Path) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that not even root may write to")
    (tmp_path / "records").symlink_to("/proc/self")
    started: list[object] = []
    with pytest.raises(OutputError, match="Cannot write"):
        Campaign(tmp_path).run([entry()], QUICK, spawn=lambda: started.append(1))  # type: ignore[arg-type, func-returns-value]
    assert not started


def test_the_place_is_left_as_the_measuring_makes_it(tmp_path: Path) -> None:
    clock = FakeClock()
    Campaign(tmp_path).run([entry()], QUICK, spawn=children(StubChild(StubEmbedder(clock), clock)))
    (folder,) = (tmp_path / "records").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "stub-fp32.litert-cpu-1t.json"]


def test_a_gpu_that_is_not_there_is_a_row_that_says_so(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "no-drivers.json"
    monkeypatch.setenv("VK_DRIVER_FILES", str(empty))
    monkeypatch.setenv("VK_ICD_FILENAMES", str(empty))
    model = world / "models" / "tiny-fp32.json"
    Campaign(tmp_path / "out").run(entries([model], ("litert-gpu",)), QUICK)
    (found,) = records(tmp_path / "out")
    assert found.status == "not run" and not found.valid and found.burst == ()
    assert "No GPU" in found.reasons[0]
    publish(tmp_path / "out")
    assert "unavailable" in (tmp_path / "out" / "report.html").read_text()


def test_a_software_adapter_is_compared_with_the_cpu_and_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = vulkan()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    monkeypatch.setenv("VK_DRIVER_FILES", str(folder / "vk_swiftshader_icd.json"))
    model = world / "models" / "tiny-fp32.json"
    Campaign(tmp_path / "out").run(entries([model], ("litert-cpu-1t", "litert-gpu")), QUICK)
    found = {one.asked.delegate: one for one in records(tmp_path / "out")}["gpu"]
    assert found.status == "parity" and found.valid and found.burst == () and found.cold is None
    assert found.ran is not None and found.ran.processor == "software" and "SwiftShader" in found.label
    assert "GPU" not in found.label
    # SwiftShader computes in float32, as the CPU does: what differs is the order of sums, about 1e-7 a value.
    assert found.agreement is not None and found.agreement.cosine_min > 1 - 1e-5


def test_lanes_of_a_file() -> None:
    names = [lane.key for lane in lanes_of(Path("m.tflite"))]
    assert names[0] == "litert-cpu-1t" and names[-1] == "litert-gpu"
    assert (f"litert-cpu-{cores()}t" in names) and not any("tflite-runtime" in name for name in names)
    assert next(lane.key for lane in lanes_of(Path("m.onnx"))) == "onnxruntime-cpu-1t"
    assert lanes_of(Path("m.tflite"), ("tflite-runtime-cpu-1t",)) == (Lane("tflite-runtime", "cpu", 1),)
    assert [lane.engine for lane in lanes_of(Path("m.tflite"), ("litert-gpu",))] == ["litert-gpu"]
    with pytest.raises(ConfigError, match="did you mean"):
        lanes_of(Path("m.tflite"), ("litert-gpuu",))


def test_a_folder_stands_for_its_manifests_and_nothing_else(world: Path, tmp_path: Path) -> None:
    assert [path.name for path in find(world / "models")] == ["tiny-fp32.json", "tiny-int8.json", "tiny-onnx.json"]
    with pytest.raises(ManifestError, match="holds no artifact"):
        find(tmp_path)


def test_two_files_of_one_name_are_refused_before_the_time_is_spent(world: Path, tmp_path: Path) -> None:
    """Their records would be one file, and the second would take the first one's place."""
    shutil.copytree(world / "models", tmp_path / "new")
    with pytest.raises(ConfigError, match="have one name, and records go by name"):
        entries([world / "models" / "tiny-int8.json", tmp_path / "new"])
    assert len({entry.path for entry in entries([world / "models", world / "models" / "tiny-int8.json"])}) == 3


def test_a_quick_look_may_be_long() -> None:
    assert _plan(400.0, quick=True).patience == 160.0


def test_no_lane_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaneUnavailable):
        Campaign(tmp_path).run([], QUICK)


def test_the_untrained_network_is_the_one_of_the_run(world: Path, tmp_path: Path) -> None:
    backbone: dict[str, Any] = {"name": "mobilenetv2", "size": 64, "width": 0.5, "dimension": 128}
    files.write_json(tmp_path / "config.json", {"backbone": backbone, "steps": 1})
    assert baselines.network_of(tmp_path / "split.json") == baselines.Network("mobilenetv2", 64, 0.5, 128)
    assert baselines.network_of(world / "split.json") is None
    files.write_json(tmp_path / "config.json", {"backbone": 7})
    assert baselines.network_of(tmp_path / "split.json") is None


def test_runs_are_read_back(world: Path) -> None:
    from edge_facenet_bench import run as runs

    (path,) = (world / "out" / "records").glob("*/run.json")
    found = runs.read(path)
    assert schema.to_json(found) == json.loads(path.read_text())
    assert found.data is not None and found.data.seed == 1234
