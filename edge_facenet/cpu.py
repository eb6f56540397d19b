"""What the processor can do, and whether it is one: asked of the kernel before a library that might need it is loaded."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import re
import sys
from pathlib import Path

MARK = "EDGE_FACENET_EMULATED"
"""Environment variable with which whoever starts an emulator says so; it can set the mark and never take it away."""

# Source: Linux, arch/arm64/include/uapi/asm/hwcap.h (auxiliary vector AT_HWCAP and AT_HWCAP2).
_AT_HWCAP, _AT_HWCAP2 = 16, 26
_ARM64 = {
    "fp": 0, "asimd": 1, "aes": 3, "sha2": 6, "crc32": 7, "atomics": 8, "fphp": 9, "asimdhp": 10, "asimdrdm": 12,
    "lrcpc": 15, "asimddp": 20, "sve": 22,
}  # fmt: skip
_ARM64_2 = {"i8mm": 13, "bf16": 14}
_PEEK = 1  # PTRACE_PEEKTEXT of process 0, which nobody may: it changes nothing
_PARTS = {0xD03: "Cortex-A53", 0xD08: "Cortex-A72", 0xD0B: "Cortex-A76"}  # Raspberry Pi 3, 4, 5


def features() -> frozenset[str]:
    """Instruction sets by the kernel's names ("asimddp", "avx2"); empty when nobody tells.

    On arm64 from the auxiliary vector, which holds for this process even where /proc shows another machine.
    """
    if sys.platform == "linux" and platform.machine() == "aarch64" and (words := _auxiliary()):
        first, second = words
        named = {name for name, bit in _ARM64.items() if first >> bit & 1}
        return frozenset(named | {name for name, bit in _ARM64_2.items() if second >> bit & 1})
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return frozenset(found[1].split()) if found else frozenset()


def lacks(*wanted: str) -> tuple[str, ...]:
    """Those of `wanted` that the processor is known not to have; none where nobody tells."""
    known = features()
    return tuple(feature for feature in wanted if known and feature not in known)


def name() -> str:
    """What to call the processor in a sentence ("Cortex-A72")."""
    found = re.search(r"^CPU part\s*:\s*(0x[0-9a-f]+)", _read("/proc/cpuinfo"), re.MULTILINE)
    return _PARTS.get(int(found[1], 16) if found else 0, "this processor")


@functools.cache
def emulated() -> str | None:
    """What imitates this processor, in words; None on a processor, in virtual machines too, where one does the work.

    Two signs, neither of which the emulator hides: the kernel is another architecture's, and system calls that
    qemu-user leaves out. A whole emulated computer (qemu-system without KVM) looks like one from inside, and is not seen.
    """
    machine = platform.machine()
    if told := os.environ.get(MARK):
        return f"{told} plays a {machine} processor"
    kernel = _read("/proc/sys/kernel/arch").strip()  # since Linux 6.1
    if kernel and _family(kernel) != _family(machine):
        return f"a program for {machine} on a kernel of {kernel}"
    if sys.platform == "linux" and _no_ptrace():
        return f"a program for {machine} in an emulator: the kernel's ptrace is not there"
    if "VirtualApple" in _read("/proc/cpuinfo"):
        return f"Rosetta plays a {machine} processor"
    return None


def _family(machine: str) -> str:
    arm = machine.startswith(("arm", "aarch"))
    return "arm" if arm else "x86" if re.fullmatch(r"x86_64|amd64|i\d86", machine, re.IGNORECASE) else machine


def _no_ptrace() -> bool:
    """qemu-user knows no ptrace (ENOSYS); Linux answers "no such process", a sandbox "not permitted"."""
    ctypes.set_errno(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "ptrace"):
        return False
    libc.ptrace(_PEEK, 0, None, None)
    return ctypes.get_errno() == errno.ENOSYS


def _auxiliary() -> tuple[int, int] | None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "getauxval"):
        return None
    libc.getauxval.restype, libc.getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    first, second = int(libc.getauxval(_AT_HWCAP)), int(libc.getauxval(_AT_HWCAP2))
    return (first, second) if first else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
