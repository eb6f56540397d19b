"""`doctor`: what works is tried, what does not is named with its cure."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_facenet.cli import checks, doctor, probe
from edge_facenet.cli.checks import Check
from edge_facenet.cli.probe import Answer


def fake(folder: Path, name: str, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that shadows the installed one, in children too."""
    package = folder / name.split(".", maxsplit=1)[0]
    package.mkdir()
    (package / "__init__.py").touch()
    target = package / f"{name.split('.')[1]}.py" if "." in name else package / "__init__.py"
    target.write_text(content)
    monkeypatch.syspath_prepend(str(folder))
    for loaded in [m for m in sys.modules if m.split(".")[0] == package.name]:
        monkeypatch.delitem(sys.modules, loaded)


def test_the_extras_are_those_of_the_project() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    asked = {
        name: {re.split(r"[><=;]", one)[0].replace("-", "_") for one in packages} for name, packages in extras.items()
    }
    engines = {"onnx", "tflite-runtime"}  # tried by running them
    assert {name: set(modules) for name, modules in checks.EXTRAS.items()} == {
        name: packages for name, packages in asked.items() if name not in engines | {"demo"}
    }


def test_this_machine_runs_litert() -> None:
    check = checks.engine("litert")
    assert check == Check("litert", "ok", "runs; CPU, XNNPACK 1 of 1 nodes, 1 partition")


@pytest.mark.parametrize("engine", ["litert", "tflite-runtime"])
def test_c087_glibc_too_old(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}[engine]
    text = "/lib/aarch64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /x/_pywrap.so)"
    fake(tmp_path, module, f"raise ImportError({text!r})", monkeypatch)
    monkeypatch.setattr(checks.platform, "libc_ver", lambda: ("glibc", "2.31"))
    check = checks.engine(engine)
    assert check.status in ("warn", "fail")
    assert check.found == text
    assert check.cure.startswith("It needs glibc 2.34, this system has glibc 2.31. Ways out: a newer system")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("libstdc++.so.6: version `GLIBCXX_3.4.32' not found", "GLIBCXX_3.4.32 of libstdc++"),
        ("libGL.so.1: cannot open shared object file", "opencv-python-headless"),
        ("numpy.core.multiarray failed to import", "pip install 'numpy<2'"),
        ("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.4.6", "pip install 'numpy<2'"),
        ("kills its process (SIGILL)", "instructions this processor does not have"),
    ],
)
def test_known_failures_have_a_way_out(error: str, words: str) -> None:
    assert words in checks.explain(error)
    assert checks.explain("something new") == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import os; os.kill(os.getpid(), 4)", "kills its process (SIGILL)"),
        ("import os; os.kill(os.getpid(), 11)", "kills its process (SIGSEGV)"),
        ("import sys; sys.exit(5)", "kills its process (exit code 5)"),
        ("import time; time.sleep(60)", "could not be tried: "),
    ],
)
def test_a_library_that_kills_its_process_does_not_kill_doctor(
    content: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, "onnxruntime", content, monkeypatch)
    if "sleep" in content:
        monkeypatch.setattr(probe, "PROBE_SECONDS", 2)
    check = checks.engine("onnxruntime")
    assert words in check.found
    assert check.status == "warn"
    assert check.cure


def test_an_engine_that_computes_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = """
import numpy as np
class OpResolverType: BUILTIN_WITHOUT_DEFAULT_DELEGATES = 0
class Interpreter:
    def __init__(self, **_): ...
    def allocate_tensors(self): ...
    def invoke(self): ...
    def get_signature_list(self): return {}
    def _get_ops_details(self): return []
    def get_input_details(self): return self.get_output_details()
    def get_output_details(self):
        return [{"name": "x", "index": 0, "shape": [1, 8], "dtype": np.float32, "quantization": (0.0, 0)}]
    def set_tensor(self, index, value): ...
    def get_tensor(self, index): return np.zeros((1, 8), np.float32)
"""
    fake(tmp_path, "tflite_runtime.interpreter", content, monkeypatch)
    assert "it computes 1 + [[0.0" in checks.engine("tflite-runtime").found


def test_two_opencvs_and_the_cure() -> None:
    (check,) = checks.clashes({"opencv-python": "4.12", "opencv-python-headless": "4.12", "numpy": "2.0"})
    assert (check.status, check.name) == ("warn", "OpenCV twice")
    assert check.cure == ("pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless")


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"tflite-runtime": "2.14.0", "numpy": "2.4.6"}, "built for numpy 1, found 2.4.6"),
        ({"opencv-python-headless": "4.12.0.88", "numpy": "1.24.2"}, "needs numpy 2, found 1.24.2"),
        ({"opencv-python-headless": "5.0.0.93", "numpy": "1.26.4"}, "needs numpy 2"),
    ],
)
def test_numpy_clashes(versions: dict[str, str], words: str) -> None:
    (check,) = checks.clashes(versions)
    assert words in check.found
    assert "pip" in check.cure


def test_no_clash_is_invented() -> None:
    assert checks.clashes({"opencv-python-headless": "4.11.0.86", "numpy": "1.24.2", "tflite-runtime": "2.14.0"}) == []
    assert checks.clashes({"opencv-python-headless": "5.0.0.93", "numpy": "2.4.6", "ai-edge-litert": "2.3.0"}) == []
    assert checks.clashes({}) == []


def test_too_old_packages_by_the_projects_own_floors() -> None:
    floors = checks.floors()
    assert {"numpy", "opencv-python-headless", "pillow", "ai-edge-litert", "typer"} <= floors.keys()
    assert "tensorflow" not in floors  # an extra
    check = checks.packages({"numpy": "1.20.3", "Pillow": "10.1.0", "ai-edge-litert": "2.10.1"})
    assert check.status == "fail"
    assert check.cure == f"pip install --upgrade 'numpy>={floors['numpy']}'"


def test_the_gpu_is_named_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def answering(works: bool, text: str) -> None:
        monkeypatch.setattr(checks, "ask", lambda _: Answer(works, text))

    answering(True, "runs; LiteRT WebGPU accelerator, SwiftShader Device (Subzero), software")
    assert "a CPU that plays GPU" in checks.gpu().found
    answering(True, "runs; LiteRT WebGPU accelerator, V3D 7.1.7, Integrated GPU")
    assert checks.gpu().found.endswith("V3D 7.1.7, Integrated GPU")
    answering(False, "kills its process (SIGSEGV)")
    assert (checks.gpu().status, checks.gpu().found) == ("absent", "kills its process (SIGSEGV)")


def test_face_models_missing_or_without_their_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ask", lambda _: Answer(False, "blazeface-short missing in x"))
    assert checks.face_models().cure == "edge-facenet setup"
    monkeypatch.setattr(checks, "ask", lambda _: Answer(False, "No module named 'ai_edge_litert'"))
    assert "litert" in checks.face_models().cure


def test_an_emulated_processor_is_a_warning_that_hinders_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.cpu, "emulated", lambda: "a program for aarch64 on a kernel of x86_64")
    found = checks.processor()
    assert found.status == "warn" and "emulated: a program for aarch64" in found.found and found.cure
    assert checks.usable([found, checks.Check("litert", "ok", "")])


def test_the_processor_of_a_pi(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 asimddp\nModel\t\t: Raspberry Pi 5\n",
        "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    }
    monkeypatch.setattr(checks, "_read", lambda path: texts.get(path, ""))
    monkeypatch.setattr(checks.cpu, "features", lambda: frozenset({"fp", "asimd", "crc32", "asimddp"}))
    assert checks.processor().found.startswith("Raspberry Pi 5 Model B Rev 1.0, ")
    assert checks.processor().found.endswith("features: asimd asimddp")
    assert checks.governor().status == "warn"
    assert "performance" in checks.governor().cure


def test_a_32_bit_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.platform, "machine", lambda: "armv7l")
    assert "64-bit" in checks.system().cure


def test_a_data_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "file" / "below"))
    assert checks.data_folder().status == "warn"
    monkeypatch.setenv("EDGE_FACENET_HOME", str(tmp_path / "new"))
    assert checks.data_folder() == Check("data folder", "ok", str(tmp_path / "new"))


OK, FAIL, ABSENT = (Check("litert", status, "x", "y") for status in ("ok", "fail", "absent"))


@pytest.mark.parametrize(
    ("found", "usable"),
    [
        ([OK], True),
        ([OK, Check("onnxruntime", "warn", "broken")], True),
        ([FAIL, Check("onnxruntime", "ok", "runs")], True),
        ([FAIL], False),
        ([ABSENT, Check("onnxruntime", "absent", "")], False),
        ([ABSENT, Check("onnxruntime", "warn", "broken")], False),
        ([OK, Check("numpy", "fail", "broken")], False),
    ],
)
def test_usable_means_the_core_and_one_engine(found: list[Check], usable: bool) -> None:
    assert checks.usable(found) is usable


@pytest.mark.parametrize("works", [True, False])
def test_the_command(
    works: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run_cli: Callable[..., int]
) -> None:
    monkeypatch.setattr(checks, "run", lambda: [OK if works else FAIL])
    assert run_cli("doctor") == (0 if works else 6)
    text = capsys.readouterr().out
    assert ("This machine can embed faces, with litert." in text) is works
    assert ("-> y" in text) is not works
    assert run_cli("doctor", "--json") == (0 if works else 6)
    assert json.loads(capsys.readouterr().out)["usable"] is works


@pytest.fixture
def run_cli() -> Callable[..., int]:
    from edge_facenet.cli.main import main

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        return int(left.value.code or 0)

    return run


def test_the_whole_report_of_this_machine() -> None:
    found = checks.run()
    assert checks.usable(found)
    names = [check.name for check in found]
    for name in (
        "Python",
        "system",
        "processor",
        "packages",
        "numpy",
        "OpenCV",
        "litert",
        "GPU",
        "face models",
        "train",
    ):
        assert name in names
    assert doctor.as_text(found, True).count("\n") >= len(found)
    assert all("\n" not in check.found for check in found)
