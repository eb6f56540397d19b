"""What holds the house together: who imports whom, what is loaded when, what is public, what is shipped."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import edge_facenet
from edge_facenet import errors

FRAMEWORKS = ("tensorflow", "keras", "jax", "jaxlib", "torch")
NATIVE = ("cv2", "ai_edge_litert", "tflite_runtime", "onnxruntime")
PACKAGES = {
    "edge_facenet": "edge_facenet",
    "edge_facenet_export": "export/edge_facenet_export",
    "edge_facenet_bench": "benchmarks/edge_facenet_bench",
}
ASSETS = (
    "edge_facenet/selftest_faces.png",
    "edge_facenet/cli/doctor.tflite",
    "edge_facenet/cli/doctor.onnx",
    "edge_facenet/train/presets/orl-demo.json",
    "edge_facenet_bench/style.css",
)
VERSIONS = {
    "models/pyproject.toml": r'^version = "(.+)"$',
    "android_demo/app/build.gradle.kts": r'^ +versionName = "(.+)"$',
    "android_demo/app/pom.xml": r"<argument>--version-name</argument><argument>(.+)</argument>",
}
"""Files beside `pyproject.toml` that state the version, and how."""


def loaded_after(code: str) -> set[str]:
    """Top-level modules in `sys.modules` of a fresh interpreter after `code`."""
    script = f"{code}\nimport sys; print(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_edge_facenet_loads_no_framework_no_opencv_and_no_interpreter() -> None:
    assert loaded_after("import edge_facenet").isdisjoint((*FRAMEWORKS, *NATIVE, "numpy", "PIL", "typer"))


@pytest.mark.parametrize(
    "module",
    ["embedder", "manifest", "engines", "selftest", "verification", "photos.prepare", "photos.models", "cli.main"],
)
def test_the_device_side_loads_no_framework_and_no_interpreter(module: str) -> None:
    allowed = () if module.startswith("photos") else ("cv2",)  # photos cannot do without OpenCV
    unwanted = (*FRAMEWORKS, *allowed, *(name for name in NATIVE if name != "cv2"))
    assert loaded_after(f"import edge_facenet.{module}").isdisjoint(unwanted)


def test_embedding_a_face_loads_no_framework(repo: Path) -> None:
    code = (
        "from edge_facenet.engines import open_engine; from pathlib import Path;"
        f"open_engine(Path({str(repo)!r}) / 'tests/golden/tiny-fp32.tflite')"
    )
    found = loaded_after(code)
    assert "ai_edge_litert" in found
    assert found.isdisjoint((*FRAMEWORKS, "onnxruntime"))


def test_the_package_lists_its_commands_without_loading_them(repo: Path) -> None:
    found = loaded_after("from edge_facenet.cli import main; main._entry_points()")
    assert found.isdisjoint((*FRAMEWORKS, *NATIVE))


def test_import_order(repo: Path) -> None:
    pytest.importorskip("importlinter", reason="needs import-linter, a development tool")
    script = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", script], cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def sources(repo: Path) -> list[Path]:
    return [path for folder in PACKAGES.values() for path in sorted((repo / folder).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Top-level names of everything a file imports, also inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.split(".")[0] for name in names}


def test_frameworks_are_imported_in_train_and_export_alone(repo: Path) -> None:
    strangers = [
        str(path.relative_to(repo))
        for path in sources(repo)
        if imports(path) & set(FRAMEWORKS)
        and not path.is_relative_to(repo / "edge_facenet" / "train")
        and not path.is_relative_to(repo / "export")
        and path.parent != repo / "edge_facenet" / "cli"
    ]
    assert strangers == []


def test_names_listed_in_all_exist(repo: Path) -> None:
    wrong = []
    for path in sources(repo):
        known, listed = names_of(path)
        wrong += [f"{path.relative_to(repo)}: {name}" for name in listed if name not in known and known]
        assert len(listed) == len(set(listed)), path
    assert [line for line in wrong if "edge_facenet/__init__" not in line] == []  # resolved when first used


def names_of(path: Path) -> tuple[set[str], list[str]]:
    """Names a module binds at its top level, and those it lists in `__all__`."""
    known, listed = set[str](), list[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            known |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            known.add(node.target.id)
        elif isinstance(node, ast.Assign):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            known |= targets
            if "__all__" in targets:
                listed = list(ast.literal_eval(node.value))
    return known, listed


def test_the_public_names_of_the_main_package() -> None:
    assert set(edge_facenet.__all__) == {"Embedder", "FaceRecognizer", "Manifest", "PixelSpec", "__version__", "load"}
    assert dir(edge_facenet) == edge_facenet.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Embeder'"):
        _ = edge_facenet.Embeder
    public = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert public == set(errors.__all__)


def test_one_version(repo: Path) -> None:
    project = tomllib.loads((repo / "pyproject.toml").read_text())["project"]
    assert project["version"] == edge_facenet.__version__


@pytest.mark.parametrize("file", sorted(VERSIONS))
def test_what_is_released_with_the_package_has_its_version(repo: Path, file: str) -> None:
    stated = re.findall(VERSIONS[file], (repo / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert stated == [edge_facenet.__version__]


@pytest.fixture(scope="module")
def wheel(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names in the wheel."""
    return built(repo, tmp_path_factory.mktemp("wheel"))


def built(project: Path, out: Path) -> set[str]:
    """Names in a project's wheel, built as `python -m build` builds it."""
    builder = pytest.importorskip("hatchling.builders.wheel", reason="needs hatchling, a development tool")
    (wheel,) = builder.WheelBuilder(str(project)).build(directory=str(out), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: set[str], repo: Path) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    shipped = {name for name in wheel if name.endswith(".py")}
    written = {
        f"{package}/{path.relative_to(repo / folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in (repo / folder).rglob("*.py")
    }
    assert shipped == written
    assert not {name for name in wheel if re.search(r"\.(npy|h5|keras)$|__pycache__|/test_", name)}


def test_the_wheel_is_typed_and_holds_what_the_code_reads(wheel: set[str]) -> None:
    for name in (*ASSETS, *(f"{package}/py.typed" for package in PACKAGES)):
        assert name in wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)


def tracked(repo: Path) -> list[Path]:
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=repo, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout")
    return [repo / name for name in done.stdout.split("\0") if name and (repo / name).is_file()]


def data_files(repo: Path, package: str, folder: str) -> set[str]:
    """What a package holds beside its code, as a wheel names it."""
    inside = [path for path in tracked(repo) if path.is_relative_to(repo / folder) and path.suffix != ".py"]
    return {f"{package}/{path.relative_to(repo / folder).as_posix()}" for path in inside}


def test_the_wheel_holds_every_file_of_its_packages(wheel: set[str], repo: Path) -> None:
    kept = {name for package, folder in PACKAGES.items() for name in data_files(repo, package, folder)}
    assert kept >= {*ASSETS, *(f"{package}/py.typed" for package in PACKAGES)}
    assert kept - wheel == set()


def test_the_wheel_of_the_networks_holds_every_file_of_theirs(repo: Path, tmp_path: Path) -> None:
    kept = data_files(repo, "edge_facenet_models", "models/edge_facenet_models")
    assert any(name.endswith(".tflite") for name in kept) and any(name.endswith("CARD.md") for name in kept)
    shipped = built(repo / "models", tmp_path)
    assert kept - shipped == set()
    assert any(name.endswith("licenses/LICENCE.md") for name in shipped)


def test_no_file_holds_a_path_of_the_machine_it_was_written_on(repo: Path) -> None:
    home = "|".join(
        ["/" + "work/", "/home/" + "[a-z]+/", "/root/" + r"[.\w]", "/tmp/" + r"\w+/\w+", r"file:///" + "[a-z]"]
    )
    named = []
    for path in tracked(repo):
        content = path.read_bytes()
        if b"\0" in content[:8000]:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
            if re.search(home, line):
                named.append(f"{path.relative_to(repo)}:{number}: {line.strip()[:100]}")
    assert named == []


def test_nothing_in_the_product_reaches_outside_the_repository(repo: Path) -> None:
    outside = [str(path.relative_to(repo)) for path in sources(repo) if "../shared" in path.read_text(encoding="utf-8")]
    assert outside == []


def test_files_and_functions_stay_readable(repo: Path) -> None:
    """At most 350 lines a file and 60 a function."""
    long = []
    for path in sources(repo):
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > 350:
            long.append(f"{path.relative_to(repo)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                body = node.end_lineno - node.lineno + 1 - (ast.get_docstring(node) or "").count("\n")
                if body > 60:
                    long.append(f"{path.relative_to(repo)}: {node.name} has {body} lines")
    assert long == []


def test_rooms_never_print(repo: Path) -> None:
    """Only the command line writes to stdout and stderr."""
    printing = []
    for path in sources(repo):
        if "cli" in path.parts or path.name in ("cli.py", "child.py", "worker.py"):
            continue
        calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
        if any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls):
            printing.append(str(path.relative_to(repo)))
    assert printing == []
