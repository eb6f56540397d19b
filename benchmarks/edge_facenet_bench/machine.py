"""The machine and its state before and after: who it is, how busy, how hot, throttled or not.

Everything is read from files and small tools that may be missing; what cannot be read is "unknown", never "fine".
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edge_facenet import cpu
from edge_facenet.schema import doc

PACKAGES = ("edge-facenet", "ai-edge-litert", "onnxruntime", "tflite-runtime", "numpy", "opencv-python-headless")
TOOL_TIMEOUT = 3.0  # seconds; vcgencmd answers in milliseconds or hangs
_X86_INT8 = (("avx512_vnni", "AVX-512 VNNI"), ("avx_vnni", "AVX2 VNNI"), ("avx512f", "AVX-512"), ("avx2", "AVX2"))
# Source: Raspberry Pi documentation, "vcgencmd get_throttled"; bits 16 to 19 repeat them "since boot".
_THROTTLE_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


@dataclass(frozen=True)
class State:
    """What changes while one measures."""

    load_average: float | None = doc("mean number of runnable processes over the last minute", None)
    temperature: float | None = doc("hottest sensor, degrees Celsius", None)
    megahertz: float | None = doc("mean clock of the processors", None)
    throttled: str = doc("'0x50005' as vcgencmd says it (Raspberry Pi), or 'unknown'", "unknown")
    throttle_events: int | None = doc("thermal throttling events since boot, as the x86 kernel counts them", None)


@dataclass(frozen=True)
class Machine:
    """Where a lane was measured."""

    cpu: str = doc("model of the processor; ends with '(emulated)' where another one plays it")
    architecture: str = doc("x86_64, aarch64 …")
    cores: int = doc("processors this process may use")
    system: str = doc("operating system and kernel")
    python: str = doc("version of Python")
    packages: dict[str, str] = doc("versions of the packages that matter")
    governor: str = doc("frequency governor, or 'unknown'", "unknown")
    memory_bytes: int | None = doc("installed memory", None)
    commit: str | None = doc("git commit of the checkout measured from; '+dirty' with uncommitted changes", None)
    before: State = doc("state before the first call", State())
    after: State = doc("state after the last call", State())
    reasons: tuple[str, ...] = doc("why no figure of this run can be trusted", ())
    notes: tuple[str, ...] = doc("what a reader should know", ())
    emulated: str | None = doc("what imitates this machine; its results are compared, and no time of it is kept", None)


def describe() -> Machine:
    """This machine, in its state now."""
    from .lanes import cores

    return Machine(
        cpu=_cpu(),
        architecture=platform.machine(),
        cores=cores(),
        system=_system(),
        python=platform.python_version(),
        packages=_packages(),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        memory_bytes=_memory(),
        commit=_commit(Path(__file__).parent),
        before=observe(),
        emulated=cpu.emulated(),
    )


def emulation(found: Machine) -> tuple[str, ...]:
    """The reason against every figure of a machine that is imitated; none on a real one."""
    if found.emulated is None:
        return ()
    return (
        f"emulated: {found.emulated}; what it computes is compared, how long it takes says nothing about any machine",
    )


def observe() -> State:
    """The state of this machine now."""
    clocks = [
        int(text) for path in _all("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq") if (text := _text(path))
    ]
    events = [
        int(t) for p in _all("devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count") if (t := _text(p))
    ]
    return State(
        load_average=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        temperature=_temperature(),
        megahertz=round(sum(clocks) / len(clocks) / 1000) if clocks else None,
        throttled=_throttled(),
        throttle_events=sum(events) if events else None,
    )


def judge(states: list[State], cores: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Reasons against every figure of a run, and notes.

    Args:
        states: of one run, in order of time; the first was taken before it.
        cores: processors this process may use.
    """
    reasons, notes = [], []
    flags = [int(state.throttled, 16) for state in states if state.throttled != "unknown"]
    now = 0
    for flag in flags:
        now |= flag & 0xF
    since = flags[-1] >> 16 & 0xF if flags else 0
    during = since & ~(flags[0] >> 16) & ~now if flags else 0
    if now:
        reasons.append(f"{_flags(now)} now: mend the power supply or the cooling and measure again")
    if during:
        reasons.append(f"{_flags(during)} during the run: mend the power supply or the cooling and measure again")
    if past := since & ~now & ~during:
        notes.append(f"{_flags(past)} since boot, not during this run")
    counts = [state.throttle_events for state in states if state.throttle_events is not None]
    if not flags and not counts:
        notes.append("throttling unknown: no vcgencmd that answers, and no counter in the kernel")
    if counts and counts[-1] > counts[0]:
        reasons.append(
            f"the processor throttled {counts[-1] - counts[0]} times because of heat: cool it and measure again"
        )
    busy = states[0].load_average
    if busy is not None and busy > cores / 2:
        notes.append(f"other work ran beside: load average {busy:g} before the first call on {cores} cores")
    return tuple(reasons), tuple(notes)


def _flags(bits: int) -> str:
    names = [name for bit, name in _THROTTLE_BITS.items() if bits >> bit & 1]
    return " and ".join(names)


def _throttled() -> str:
    tool = shutil.which("vcgencmd")
    if tool is None:
        return "unknown"
    answer = _run(tool, "get_throttled")
    found = re.search(r"throttled=(0x[0-9a-fA-F]+)", answer or "")
    return found[1].lower() if found else "unknown"


def _run(*command: str) -> str | None:
    """Standard output of a small tool; None when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _commit(folder: Path) -> str | None:
    head = _run("git", "-C", str(folder), "rev-parse", "--short=12", "HEAD")
    # Installed from a wheel inside someone else's checkout: that commit is not ours.
    if head is None or "site-packages" in folder.parts:
        return None
    dirty = _run("git", "--no-optional-locks", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    return head.strip() + ("+dirty" if dirty is None or dirty.strip() else "")


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    """The processor's name, which says so where it is not one."""
    return f"{_model()} (emulated)" if cpu.emulated() else _model()


def _model() -> str:
    board = (_text("/proc/device-tree/model") or "").strip("\0 \n")
    text = _text("/proc/cpuinfo") or ""
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    model = found[1].strip() if found else platform.processor() or platform.machine()
    named = f"{board} ({model})" if board and board != model else board or model
    return f"{named}, {wide}" if (wide := _widest()) else named


def _widest() -> str:
    """What of an x86 processor decides how fast int8 is: two machines may bear one name and differ threefold."""
    known = cpu.features()
    return next((name for feature, name in _X86_INT8 if feature in known), "")


def _system() -> str:
    try:
        pretty = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError, AttributeError):
        pretty = platform.system()
    # Major and minor version of the kernel: what follows names a build, often a provider's own.
    release = ".".join(re.findall(r"\d+", platform.release())[:2])
    return f"{pretty}, {platform.system()} {release}"


def _memory() -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB", _text("/proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _temperature() -> float | None:
    values = [int(text) / 1000 for path in _all("class/thermal/thermal_zone*/temp") if (text := _text(path))]
    return round(max(values), 1) if values else None


def _all(pattern: str) -> list[Path]:
    return sorted(Path("/sys").glob(pattern))


def _text(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip() or None
    except OSError:
        return None
