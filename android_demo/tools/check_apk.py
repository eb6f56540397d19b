"""What an APK of this app must be: libraries for 16 KB pages, the very assets of assets.json, the expected manifest.

    python tools/check_apk.py APK [--aapt2 AAPT2]

Prints what it found. Exit code 1, with one line for each fault, when something is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

PAGE = 16 * 1024
"""Page size that 64-bit libraries must be ready for: Google Play asks for it of apps with target SDK 35 and above."""
ABIS = ("arm64-v8a", "x86_64")
LIBRARIES = ("libjnijavacpp.so", "libjnitensorflowlite.so")
MIN_SDK, TARGET_SDK = 26, 35
PERMISSIONS = {"android.permission.CAMERA"}
_LOAD = 1


@dataclass(frozen=True)
class Segment:
    """A loadable part of an ELF file."""

    offset: int
    address: int
    align: int

    def fits(self, page: int) -> bool:
        """Whether a loader with this page size can map it."""
        return self.align >= page and self.align % page == 0 and (self.address - self.offset) % page == 0


def load_segments(library: bytes) -> list[Segment]:
    """The LOAD segments of a 32- or 64-bit little-endian ELF file.

    Raises:
        ValueError: not such a file, or it ends too early.
    """
    if library[:4] != b"\x7fELF" or len(library) < 64 or library[5] != 1:
        raise ValueError("not a little-endian ELF file")
    wide = library[4] == 2
    start, size, count = (
        (struct.unpack_from("<Q", library, 32)[0], *struct.unpack_from("<HH", library, 54))
        if wide
        else (struct.unpack_from("<I", library, 28)[0], *struct.unpack_from("<HH", library, 42))
    )
    found = []
    for k in range(count):
        place = start + k * size
        if place + size > len(library):
            raise ValueError("its program headers lie beyond its end")
        if wide:
            kind, _, offset, address, _, _, _, align = struct.unpack_from("<IIQQQQQQ", library, place)
        else:
            kind, offset, address, _, _, _, _, align = struct.unpack_from("<8I", library, place)
        if kind == _LOAD:
            found.append(Segment(offset, address, align))
    return found


def library_faults(name: str, library: bytes) -> list[str]:
    """Why a library cannot be loaded on a device with 16 KB pages; nothing when it can."""
    try:
        segments = load_segments(library)
    except ValueError as error:
        return [f"{name}: {error}."]
    if not segments:
        return [f"{name}: it has no LOAD segment."]
    bad = [segment for segment in segments if not segment.fits(PAGE)]
    if not bad:
        return []
    found = min(segment.align for segment in bad)
    return [
        f"{name}: p_align of {len(bad)} of {len(segments)} LOAD segments is {found:#x}, at least {PAGE:#x} is needed."
    ]


def stored_faults(apk: Path, archive: zipfile.ZipFile) -> list[str]:
    """Libraries that Android could not map out of the APK: they must be stored, and begin at a page."""
    faults = []
    content = apk.read_bytes()
    for entry in archive.infolist():
        if not entry.filename.endswith((".so", "resources.arsc", ".tflite")):
            continue
        if entry.compress_type != zipfile.ZIP_STORED:
            faults.append(f"{entry.filename} is compressed; it must be stored.")
            continue
        name, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
        begin, step = entry.header_offset + 30 + name + extra, PAGE if entry.filename.endswith(".so") else 4
        if begin % step:
            faults.append(f"{entry.filename} begins at {begin}, no multiple of {step}.")
    return faults


def asset_faults(archive: zipfile.ZipFile) -> list[str]:
    """Differences between assets/ and what assets.json says of it."""
    there = {name.removeprefix("assets/") for name in archive.namelist() if name.startswith("assets/")}
    if "assets.json" not in there:
        return ["assets/assets.json is missing."]
    said = json.loads(archive.read("assets/assets.json"))["files"]
    faults = [f"assets/{name} is missing." for name in sorted(set(said) - there)]
    faults += [f"assets/{name} is not in assets.json." for name in sorted(there - set(said) - {"assets.json"})]
    for name in sorted(set(said) & there):
        if (found := hashlib.sha256(archive.read(f"assets/{name}")).hexdigest()) != said[name]["sha256"]:
            faults.append(f"assets/{name}: sha256 {found[:12]}…, assets.json says {said[name]['sha256'][:12]}….")
    if not any(re.fullmatch(r"models/.*\.tflite", name) for name in said):
        faults.append("assets.json names no model.")
    return faults


def native_faults(archive: zipfile.ZipFile) -> list[str]:
    """Libraries that are missing, or not ready for 16 KB pages."""
    there = [name for name in archive.namelist() if name.endswith(".so")]
    wanted = [f"lib/{abi}/{library}" for abi in ABIS for library in LIBRARIES]
    faults = [f"{name} is missing." for name in wanted if name not in there]
    for name in there:
        faults += library_faults(name, archive.read(name))
    return faults


def badging_faults(badging: str) -> list[str]:
    """Differences between the compiled manifest and what this app promises; `badging` as aapt2 prints it."""

    def value(pattern: str) -> str:
        found = re.search(pattern, badging, re.MULTILINE)
        return found[1] if found else "nothing"

    faults = []
    for what, pattern, wanted in (
        ("package", r"^package: name='([^']*)'", "org.edgefacenet.app"),
        ("minSdkVersion", r"^(?:sdkVersion|minSdkVersion):'(\d+)'", str(MIN_SDK)),
        ("targetSdkVersion", r"^targetSdkVersion:'(\d+)'", str(TARGET_SDK)),
        ("launcher", r"^launchable-activity: name='([^']*)'", "org.edgefacenet.app.MainActivity"),
    ):
        if (found := value(pattern)) != wanted:
            faults.append(f"{what} is {found}, expected {wanted}.")
    asked = set(re.findall(r"^uses-permission: name='([^']*)'", badging, re.MULTILINE))
    if asked - PERMISSIONS:
        faults.append(
            f"it asks for {', '.join(sorted(asked - PERMISSIONS))}; only {', '.join(PERMISSIONS)} is expected."
        )
    if re.search(r"^\s*uses-feature: name='android.hardware.camera", badging, re.MULTILINE):
        faults.append("it requires a camera; devices without one can compare pictures.")
    return faults


def check(apk: Path, badging: str | None = None) -> list[str]:
    """All faults of an APK."""
    with zipfile.ZipFile(apk) as archive:
        if damaged := archive.testzip():
            return [f"{damaged} is damaged."]
        faults = native_faults(archive) + stored_faults(apk, archive) + asset_faults(archive)
        if "classes.dex" not in archive.namelist():
            faults.append("classes.dex is missing.")
    return faults + (badging_faults(badging) if badging is not None else [])


def badging_of(apk: Path, aapt2: Path) -> str:
    """The manifest in aapt2's words."""
    return subprocess.run([aapt2, "dump", "badging", apk], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apk", type=Path)
    parser.add_argument("--aapt2", type=Path, help="to look at the manifest, too")
    asked = parser.parse_args()
    faults = check(asked.apk, badging_of(asked.apk, asked.aapt2) if asked.aapt2 else None)
    for fault in faults:
        sys.stderr.write(f"{asked.apk.name}: {fault}\n")
    if not faults:
        sys.stdout.write(
            f"{asked.apk}: {asked.apk.stat().st_size:,} bytes, libraries for pages of {PAGE // 1024} KB, assets as listed\n"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
