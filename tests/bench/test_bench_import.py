"""`edge-facenet bench import`: what the Android app shares becomes rows of the report, believed as far as its samples allow.

`phone-records.json` was written by the app's own benchmark code (BenchPresenterTest, on a desktop's JVM); where the Android
build has run, its newest file is taken as well.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_facenet_bench import record
from edge_facenet_bench.report import load
from edge_facenet_bench.taking import take

from edge_facenet.cli.main import main
from edge_facenet.errors import ConfigError, InputError, OutputError

SHARED = Path(__file__).parent / "phone-records.json"
Change = Callable[[list[dict[str, Any]]], None]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    return int(left.value.code or 0)


def changed(folder: Path, change: Change) -> Path:
    """The shared file with something else in it."""
    value = json.loads(SHARED.read_text())
    change(value)
    path = folder / "shared.json"
    path.write_text(json.dumps(value))
    return path


def test_the_app_s_file_stands_in_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", "import", SHARED, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "4 records of 1 run imported (a phone of the tests (its chip)), 0 known already." in said
    assert "tflite-runtime CPU, 2 threads" in said and str(tmp_path / "out/report.html") in said
    for page in ("report.html", "report.md"):
        text = (tmp_path / "out" / page).read_text()
        assert "a phone of the tests" in text and "Android 15" in text and "golden self-test passed" in text
        assert "no engine for the GPU" in text
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [row["key"] for row in report["rows"]][:3] == [f"tflite-runtime-cpu-{n}t" for n in (1, 2, 4)]
    samples = json.loads(SHARED.read_text())[0]["burst"]
    assert report["rows"][0]["burst"]["calls"] == sum(len(block["samples_ns"]) for block in samples)


def test_again_is_nothing_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(SHARED, tmp_path / "again.json")
    assert run("bench", "import", SHARED, tmp_path / "again.json", "--out", tmp_path / "out", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["imported"]["records"] == 4 and printed["imported"]["known"] == 4 and len(printed["rows"]) == 4
    before = {path: path.read_bytes() for path in (tmp_path / "out/records").rglob("*.json")}
    assert run("bench", "import", SHARED, "--out", tmp_path / "out") == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out/records").rglob("*.json")} == before


def test_one_record_and_a_folder_of_files(tmp_path: Path) -> None:
    for number, one in enumerate(json.loads(SHARED.read_text())):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    assert take([tmp_path / "0.json"], tmp_path / "out").records == 1
    done = take([tmp_path], tmp_path / "out")
    assert (done.records, done.known, done.doubted) == (3, 1, 0)


def test_the_folder_that_bench_wrote_on_another_machine(tmp_path: Path) -> None:
    made = json.loads(SHARED.read_text())
    there = tmp_path / "there" / made[0]["run"]
    there.mkdir(parents=True)
    for number, one in enumerate(made):
        (there / f"{number}.json").write_text(json.dumps(one))
    about = {
        "schema": 1,
        "run": made[0]["run"],
        "date": made[0]["date"],
        "version": "0.1.0",
        "notes": ["measured there"],
    }
    (there / "run.json").write_text(json.dumps(about))
    assert take([there], tmp_path / "out").records == len(made)
    records, runs = load(tmp_path / "out")
    assert len(records) == len(made) and [run.notes for run in runs] == [("measured there",)]
    assert take(sorted(there.glob("*.json")), tmp_path / "out").known == len(made)
    with pytest.raises(InputError, match="There is no record in"):
        take([there / "run.json"], tmp_path / "out")


def test_the_newest_file_of_the_android_build(repo: Path, tmp_path: Path) -> None:
    found = sorted((repo / "android_demo/app/target/records").glob("*.json"))
    if not found:
        pytest.skip("the Android build has not run here: make test-android")
    assert take(found[-1:], tmp_path / "out").records == 4
    assert {one.asked.key for one in load(tmp_path / "out")[0]} >= {"tflite-runtime-cpu-1t", "litert-gpu"}


def slow(value: list[dict[str, Any]]) -> None:
    for number, block in enumerate(value[0]["burst"]):
        block["samples_ns"] = [sample * (1 + number) for sample in block["samples_ns"]]


def slow_at_a_camera_s_pace(value: list[dict[str, Any]]) -> None:
    for number, block in enumerate(value[0]["paced"]):
        block["samples_ns"] = [sample * (1 + number) for sample in block["samples_ns"]]


def few(value: list[dict[str, Any]]) -> None:
    value[0]["burst"] = [{**value[0]["burst"][0], "samples_ns": [400_000, 400_000]}]


def cpu_as_gpu(value: list[dict[str, Any]]) -> None:
    value[0]["asked"] = {"engine": "litert-gpu", "delegate": "gpu", "threads": 1}
    del value[3]


def software(value: list[dict[str, Any]]) -> None:
    cpu_as_gpu(value)
    value[0]["ran"] |= {"processor": "software", "adapter": "SwiftShader, software"}


def emulated(value: list[dict[str, Any]]) -> None:
    value[0]["machine"]["emulated"] = "qemu plays it"


def reasoned(value: list[dict[str, Any]]) -> None:
    value[0]["reasons"] = ["the phone was hot"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (slow, "drift"),
        (slow_at_a_camera_s_pace, "paced calls: drift"),
        (few, "only 2 of 8 calls"),
        (cpu_as_gpu, "asked for the GPU, ran on CPU"),
        (software, "whose time is never given"),
        (emulated, "qemu plays it"),
        (reasoned, "the phone was hot"),
    ],
)
def test_a_record_that_praises_itself_is_not_believed(
    tmp_path: Path, change: Change, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("bench", "import", changed(tmp_path, change), "--out", tmp_path / "out") == 0
    assert "1 called themselves valid and are not" in capsys.readouterr().out
    (doubted,) = [one for one in load(tmp_path / "out")[0] if not one.valid and one.status != "not run"]
    assert words in " ".join(doubted.reasons)


def test_the_released_records_are_believed(repo: Path, tmp_path: Path) -> None:
    done = take([repo / "benchmarks/results/released-latency"], tmp_path / "out")
    assert done.records >= 7 and done.doubted == 0 and all(one.valid for one in load(tmp_path / "out")[0])


def test_a_record_that_doubts_itself_stays_as_it_is(tmp_path: Path) -> None:
    def doubtful(value: list[dict[str, Any]]) -> None:
        value[0] |= {"valid": False, "reasons": ["battery saver was on"]}

    assert take([changed(tmp_path, doubtful)], tmp_path / "out").doubted == 0
    found = {one.asked.threads: one for one in load(tmp_path / "out")[0] if one.asked.delegate == "cpu"}
    assert found[1].reasons == ("battery saver was on",)


NO_NAMES = ("", ".hidden", "a\\b", "a:b", 'a"b', "a*", "a\nb", "a\x00", "a\x85", "a\ud800")


def set_key(path: str, value: object) -> Change:
    def change(records: list[dict[str, Any]]) -> None:
        *places, last = path.split(".")
        target: Any = records[1]
        for place in places:
            target = target[place]
        target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_key("schema", 99), "Upgrade edge-facenet"),
        (set_key("run", "../../evil"), "cannot be part of a file's name"),
        (set_key("artifact.name", "a/b"), "cannot be part of a file's name"),
        (set_key("asked.engine", ".."), "cannot be part of a file's name"),
        *((set_key("artifact.name", name), "cannot be part of a file's name") for name in NO_NAMES),
        (set_key("burst", "fast"), r"record 2 of shared.json"),
        (set_key("extra", 1), 'unknown key "extra"'),
        (set_key("burst", [{"samples_ns": [0, 0], "cpu_ns": 0}]), "a call of 0 ns"),
        (set_key("paced", [{"samples_ns": [5, -1], "cpu_ns": 0}]), "a call of -1 ns"),
        (set_key("plan.rounds", 0), "rounds"),
        (lambda value: value.clear(), "holds no record"),
        (lambda value: value.insert(1, copy.deepcopy(value[0]) | {"notes": ["another"]}), "holds another record"),
    ],
)
def test_what_is_no_record_is_refused_and_nothing_is_written(tmp_path: Path, change: Change, words: str) -> None:
    with pytest.raises((InputError, OutputError, ConfigError), match=words):
        take([SHARED, changed(tmp_path, change)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["my model", "modèle", "面部 (2)", "_x", "a'b", "Andr\udce9"])
def test_every_name_that_bench_writes_is_taken(tmp_path: Path, name: str) -> None:
    """`bench` calls a record like its manifest, whatever that is called."""
    assert take([changed(tmp_path, set_key("artifact.name", name))], tmp_path / "out").records == 4
    assert name in {one.artifact.name for one in load(tmp_path / "out")[0]}


def test_what_is_printed_is_json_for_a_pipe_of_any_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = changed(tmp_path, set_key("machine.cpu", "Zoë – 手机"))
    assert run("bench", "import", shared, "--out", tmp_path / "out", "--json") == 0
    said = capsys.readouterr().out
    assert said.isascii() and "Zoë – 手机" in {row["machine"] for row in json.loads(said)["rows"]}


@pytest.mark.parametrize("content", [b"", b"[", b"\xff\xfe", b"not json", b"17", b'["a"]'])
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shared.json").write_bytes(content)
    with pytest.raises(InputError, match=r"shared\.json"):
        take([tmp_path / "shared.json"], tmp_path / "out")


def test_a_missing_file_an_empty_folder_a_giant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="Cannot read record"):
        take([tmp_path / "none.json"], tmp_path / "out")
    with pytest.raises(InputError, match=r"holds no \.json file"):
        take([tmp_path], tmp_path / "out")
    monkeypatch.setattr("edge_facenet_bench.taking.LARGEST", 1000)
    with pytest.raises(InputError, match="the limit is 1,000"):
        take([SHARED], tmp_path / "out")


def test_another_record_of_the_same_run_and_lane_is_not_overwritten(tmp_path: Path) -> None:
    take([SHARED], tmp_path / "out")
    (place,) = (tmp_path / "out").rglob("*cpu-2t.json")
    before = place.read_bytes()
    with pytest.raises(OutputError, match="holds another record"):
        take([changed(tmp_path, set_key("notes", ["edited"]))], tmp_path / "out")
    assert place.read_bytes() == before


def test_import_without_a_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("bench", "import") == 2
    assert "takes files" in " ".join(capsys.readouterr().err.split())


def test_a_record_read_alone_and_out_of_a_list_is_the_same(tmp_path: Path) -> None:
    one = json.loads(SHARED.read_text())[0]
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one))
    assert record.read(path) == record.parse(one, "it", path)
