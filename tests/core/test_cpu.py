"""What the processor can do is read from the kernel; an emulator is seen by what it cannot hide."""

from __future__ import annotations

import errno
import platform
from pathlib import Path

import pytest

from edge_facenet import cpu
from edge_facenet.engines import compiled, open_engine
from edge_facenet.errors import LaneUnavailable

GRAPH = Path(cpu.__file__).parent / "cli" / "doctor.tflite"
PI4 = 1 << 0 | 1 << 1 | 1 << 7  # fp asimd crc32
PI5 = PI4 | sum(1 << bit for bit in (3, 6, 8, 9, 10, 12, 15, 20))


@pytest.fixture(autouse=True)
def fresh() -> object:
    cpu.emulated.cache_clear()
    yield
    cpu.emulated.cache_clear()


def arm64(monkeypatch: pytest.MonkeyPatch, words: tuple[int, int] | None, part: str = "0xd08") -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(cpu, "_auxiliary", lambda: words)
    monkeypatch.setattr(cpu, "_read", lambda path: f"CPU part\t: {part}\n" if path == "/proc/cpuinfo" else "")


def test_features_of_arm64_come_from_the_auxiliary_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    arm64(monkeypatch, (PI4, 0))
    assert cpu.features() == {"fp", "asimd", "crc32"}
    assert cpu.lacks("asimddp", "crc32", "atomics") == ("asimddp", "atomics")
    arm64(monkeypatch, (PI5, 1 << 13))
    assert {"asimddp", "i8mm"} <= cpu.features() and cpu.lacks("asimddp") == ()


def test_what_nobody_tells_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    arm64(monkeypatch, None)
    assert cpu.features() == frozenset() and cpu.lacks("asimddp") == ()


def test_features_of_other_processors_come_from_cpuinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(cpu, "_read", lambda path: "model name\t: A\nflags\t\t: sse2 avx2\n")
    assert cpu.features() == {"sse2", "avx2"}


@pytest.mark.parametrize("missing", compiled._NEEDS)
def test_the_gpu_library_is_not_loaded_on_a_processor_that_lacks_one_of_its_instructions(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(cpu, "features", lambda: frozenset({"fp", "asimd", *compiled._NEEDS}) - {missing})
    monkeypatch.setattr(compiled, "_module", lambda: pytest.fail("the library was loaded"))
    with pytest.raises(LaneUnavailable, match=rf"\({missing}\).*Use the CPU: engine litert") as refused:
        open_engine(GRAPH, "litert-gpu")
    assert "runs on a Raspberry Pi 5, not on a 4 or older" in str(refused.value)


def test_the_sentence_names_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    arm64(monkeypatch, (PI4, 0))
    with pytest.raises(LaneUnavailable, match=r"Cortex-A72 does not have \(aes, sha2, atomics"):
        open_engine(GRAPH, "litert-gpu")


@pytest.mark.parametrize(("machine", "words"), [("aarch64", (PI5, 0)), ("aarch64", None), ("x86_64", None)])
def test_where_nothing_is_missing_the_library_is_asked(
    machine: str, words: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm64(monkeypatch, words)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    compiled._check_processor()


def test_this_machine_is_real_and_has_features() -> None:
    assert cpu.emulated() is None
    assert cpu.features()


@pytest.mark.parametrize(
    ("machine", "kernel", "seen"),
    [
        ("aarch64", "x86_64", True),
        ("x86_64", "aarch64", True),
        ("armv7l", "x86_64", True),
        ("riscv64", "x86_64", True),
        ("armv8l", "aarch64", False),  # 32-bit programs on a 64-bit Pi are no emulation
        ("i686", "x86_64", False),
        ("x86_64", "x86_64", False),
        ("aarch64", "", False),  # Linux before 6.1 does not tell
    ],
)
def test_an_emulator_is_seen_by_the_kernels_architecture(
    machine: str, kernel: str, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(cpu, "_read", lambda path: f"{kernel}\n" if path == "/proc/sys/kernel/arch" else "")
    found = cpu.emulated()
    assert (found is not None) == seen
    assert not seen or found == f"a program for {machine} on a kernel of {kernel}"


@pytest.mark.parametrize(("code", "seen"), [(errno.ENOSYS, True), (errno.ESRCH, False), (errno.EPERM, False)])
def test_an_emulator_is_seen_by_a_system_call_it_does_not_have(
    code: int, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_read", lambda path: "")
    monkeypatch.setattr(cpu.ctypes, "get_errno", lambda: code)
    assert (cpu.emulated() is not None) == seen


def test_the_variable_sets_the_mark_and_nothing_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cpu.MARK, "qemu")
    assert cpu.emulated() == f"qemu plays a {platform.machine()} processor"
    cpu.emulated.cache_clear()
    monkeypatch.setenv(cpu.MARK, "")
    monkeypatch.setattr(cpu, "_no_ptrace", lambda: True)
    assert "in an emulator" in str(cpu.emulated())


def test_rosetta_names_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_read", lambda path: "VirtualApple" if path == "/proc/cpuinfo" else "")
    monkeypatch.setattr(cpu, "_no_ptrace", lambda: False)
    assert str(cpu.emulated()).startswith("Rosetta plays")
