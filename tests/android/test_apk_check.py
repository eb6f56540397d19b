"""The check of the APK refuses what a phone would refuse: each gate is shown refusing, on files made here."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import struct
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

BADGING = """package: name='org.edgefacenet.app' versionCode='1'
minSdkVersion:'26'
targetSdkVersion:'35'
uses-permission: name='android.permission.CAMERA'
launchable-activity: name='org.edgefacenet.app.MainActivity'  label=''
  uses-feature-not-required: name='android.hardware.camera'
"""


@pytest.fixture(scope="module")
def tool(repo: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_apk", repo / "android_demo/tools/check_apk.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_apk"] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def elf(align: int, *, wide: bool = True, address: int = 0, kind: int = 1) -> bytes:
    """A library of one segment."""
    header = bytearray(64)
    header[:7] = b"\x7fELF" + bytes((2 if wide else 1, 1, 1))
    if wide:
        struct.pack_into("<Q", header, 32, 64)
        struct.pack_into("<HH", header, 54, 56, 1)
        return bytes(header) + struct.pack("<IIQQQQQQ", kind, 5, 0, address, 0, 0, 0, align)
    struct.pack_into("<I", header, 28, 64)
    struct.pack_into("<HH", header, 42, 32, 1)
    return bytes(header) + struct.pack("<8I", kind, 0, address, 0, 0, 0, 5, align)


@pytest.mark.parametrize("wide", [True, False])
def test_libraries_with_4_kb_pages_are_refused(tool: ModuleType, wide: bool) -> None:
    assert tool.library_faults("x.so", elf(0x4000, wide=wide)) == []
    assert tool.library_faults("x.so", elf(0x10000, wide=wide)) == []
    (fault,) = tool.library_faults("x.so", elf(0x1000, wide=wide))
    assert "0x1000" in fault and "0x4000" in fault


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (elf(0x4000, address=0x1000), "p_align"),
        (elf(0x4000, kind=6), "no LOAD"),
        (elf(0x4000)[:100], "beyond its end"),
        (b"#!/bin/sh", "not a little-endian ELF"),
        (b"", "not a little-endian ELF"),
    ],
)
def test_other_files_are_refused_with_the_reason(tool: ModuleType, library: bytes, words: str) -> None:
    (fault,) = tool.library_faults("x.so", library)
    assert words in fault


def test_the_gpu_library_of_tensorflow_2_16_is_refused(tool: ModuleType, repo: Path) -> None:
    """It is why the APK carries org.bytedeco's: all of the AAR's libraries have 4 KB pages."""
    found = sorted((repo / "android_demo/aar-tensorflow/target/aar").glob("*/jni/*/*.so"))
    if not found:
        pytest.skip("the AARs are not here: make test-android fetches them")
    assert all(tool.library_faults(path.name, path.read_bytes()) for path in found)


def apk(tool: ModuleType, folder: Path, changes: dict[str, bytes | None] | None = None, stored: bool = True) -> Path:
    """An APK that passes, but for `changes`: other content by name, or None to leave out."""
    model = b"TFL3 or so"
    said = {"models/a.tflite": {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}}
    content: dict[str, bytes | None] = {
        "classes.dex": b"dex",
        "assets/assets.json": json.dumps({"files": said}).encode(),
        "assets/models/a.tflite": model,
        **{f"lib/{abi}/{name}": elf(0x4000) for abi in tool.ABIS for name in tool.LIBRARIES},
        **(changes or {}),
    }
    path = folder / "app.apk"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            if data is None:
                continue
            entry = zipfile.ZipInfo(name)
            step = tool.PAGE if name.endswith(".so") else 4
            entry.extra = bytes(-(archive.fp.tell() + 30 + len(name)) % step)  # type: ignore[union-attr]
            archive.writestr(entry, data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return path


def test_a_right_apk_passes(tool: ModuleType, tmp_path: Path) -> None:
    assert tool.check(apk(tool, tmp_path), BADGING) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lib/arm64-v8a/libjnitensorflowlite.so": elf(0x1000)}, "p_align"),
        ({"lib/arm64-v8a/libjnitensorflowlite.so": None}, "is missing"),
        ({"lib/x86_64/libother.so": elf(0x1000)}, "p_align"),
        ({"assets/models/a.tflite": b"another"}, "sha256"),
        ({"assets/models/a.tflite": None}, "is missing"),
        ({"assets/models/b.tflite": b"stray"}, "not in assets.json"),
        ({"assets/assets.json": None}, "is missing"),
        ({"assets/assets.json": b'{"files": {}}', "assets/models/a.tflite": None}, "names no model"),
        ({"classes.dex": None}, "is missing"),
    ],
)
def test_what_is_wrong_with_an_apk_is_said(
    tool: ModuleType, tmp_path: Path, changes: dict[str, bytes | None], words: str
) -> None:
    (fault,) = tool.check(apk(tool, tmp_path, changes), BADGING)
    assert words in fault


def test_compressed_or_unaligned_libraries_are_refused(tool: ModuleType, tmp_path: Path) -> None:
    faults = tool.check(apk(tool, tmp_path, stored=False))
    assert sum("is compressed" in fault for fault in faults) == 5  # four libraries and a model
    path = apk(tool, tmp_path, {"classes.dex": None})
    path.write_bytes(b"12" + path.read_bytes())  # readers find the directory from the end: all moves by two
    assert sum("no multiple of 16384" in fault for fault in tool.check(path)) == 4


@pytest.mark.parametrize(
    ("said", "instead", "words"),
    [
        ("'26'", "'21'", "minSdkVersion is 21"),
        ("targetSdkVersion:'35'", "", "targetSdkVersion is nothing"),
        ("name='org.edgefacenet.app' ", "name='demo' ", "package is demo"),
        (".MainActivity", ".Other", "launcher"),
        ("android.permission.CAMERA", "android.permission.INTERNET", "INTERNET"),
        ("uses-feature-not-required", "uses-feature", "requires a camera"),
    ],
)
def test_another_manifest_is_refused(tool: ModuleType, said: str, instead: str, words: str) -> None:
    (fault,) = tool.badging_faults(BADGING.replace(said, instead))
    assert words in fault


def test_maven_and_gradle_name_the_same_versions(repo: Path) -> None:
    pom = (repo / "android_demo/pom.xml").read_text()
    toml = (repo / "android_demo/gradle/libs.versions.toml").read_text()
    app = (repo / "android_demo/app/build.gradle.kts").read_text()
    maven = dict(re.findall(r"<([\w.]+)\.version>([^<]+)</", pom))
    gradle = dict(re.findall(r'^([\w-]+) = "([^"]+)"$', toml, re.MULTILINE))
    names = {name: name.replace(".", "-") for name in maven}
    shared = {name for name in maven if names[name] in gradle}
    assert shared >= {
        "kotlin",
        "tflite",
        "javacpp",
        "tensorflow",
        "tensorflow.gpu.api",
        "junit",
        "robolectric",
        "monitor",
    }
    assert {name: maven[name] for name in shared} == {name: gradle[names[name]] for name in shared}
    for which, gradle_word in (("min", "minSdk"), ("target", "targetSdk")):
        sdk = re.search(rf"<sdk.{which}>(\d+)<", pom)
        assert sdk and f"{gradle_word} = {sdk[1]}" in app
