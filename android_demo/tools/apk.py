"""From jars, resources and libraries to a signed APK, without an Android SDK. `mvn package` runs it.

    python tools/apk.py app/target JAVA_HOME

Below the target folder it expects, from Maven: package/jars/*.jar, package/lib/ABI/*.so, package/tools/{r8,apksig}.jar,
framework/android-all.jar, resources/resources.apk, aapt2/prebuilt/*/aapt2. It writes package/dex/, package/unsigned.apk,
debug.keystore (a key of this build alone) and edge-facenet.apk.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import check_apk

HERE = Path(__file__).parent
RULES = HERE.parent / "app/proguard-rules.pro"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BuildFailed(Exception):
    """A step failed; the message is what to show."""


def run(what: str, *command: str | Path) -> str:
    """Run a program quietly.

    Raises:
        BuildFailed: with what it wrote.
    """
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{what} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def shrink(target: Path, java: Path) -> list[Path]:
    """All jars into dex files with R8; skipped when neither they nor the rules changed."""
    package, jars = target / "package", sorted((target / "package/jars").glob("*.jar"))
    stamp = hashlib.sha256(b"".join(p.read_bytes() for p in (*jars, RULES, package / "tools/r8.jar"))).hexdigest()
    dex, mark = package / "dex", package / "dex.sha256"
    if not (mark.exists() and mark.read_text() == stamp):
        mark.unlink(missing_ok=True)
        shutil.rmtree(dex, ignore_errors=True)
        dex.mkdir(parents=True)
        libraries = ("--lib", java, "--lib", target / "framework/android-all.jar")
        outputs = ("--pg-conf", RULES, "--pg-map-output", package / "mapping.txt", "--output", dex)
        r8 = (java / "bin/java", "-Xmx2g", "-cp", package / "tools/r8.jar", "com.android.tools.r8.R8")
        run("R8", *r8, "--release", "--min-api", str(check_apk.MIN_SDK), *libraries, *outputs, *jars)
        mark.write_text(stamp)
    return sorted(dex.glob("*.dex"))


def assemble(target: Path, dex: list[Path], out: Path) -> None:
    """Resources, dex files and libraries in one zip; equal inputs give equal bytes."""
    lib = target / "package/lib"
    with (
        zipfile.ZipFile(target / "resources/resources.apk") as base,
        zipfile.ZipFile(out, "w") as archive,
    ):
        for entry in base.infolist():
            _add(archive, entry.filename, base.read(entry), stored=entry.compress_type == zipfile.ZIP_STORED)
        for path in dex:
            _add(archive, path.name, path.read_bytes(), stored=False)
        for path in sorted(lib.glob("*/*.so")):
            _add(archive, f"lib/{path.relative_to(lib).as_posix()}", path.read_bytes(), stored=True)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, stored: bool) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED, 9)


def sign(target: Path, java: Path, unsigned: Path, apk: Path) -> str:
    """Sign with a key that is made when there is none, and verify."""
    keys = target / "debug.keystore"
    if not keys.exists():
        words = "-genkeypair -alias androiddebugkey -storepass android -keypass android -keyalg RSA -keysize 2048"
        name = ("-validity", "10000", "-dname", "CN=Android Debug,O=edge-facenet", "-storetype", "PKCS12")
        run("keytool", java / "bin/keytool", *words.split(), *name, "-keystore", keys)
    signer = (java / "bin/java", "-cp", target / "package/tools/apksig.jar", HERE / "Sign.java")
    return run("Signing", *signer, unsigned, apk, keys, str(check_apk.MIN_SDK))


def build(target: Path, java: Path) -> str:
    """Make and check the APK; what to tell.

    Raises:
        BuildFailed: a step failed, or the APK is not what it must be. No APK is left then.
    """
    apk, unsigned = target / "edge-facenet.apk", target / "package/unsigned.apk"
    apk.unlink(missing_ok=True)
    assemble(target, shrink(target, java), unsigned)
    verified = sign(target, java, unsigned, apk)
    aapt2 = next((target / "aapt2/prebuilt").glob("*/aapt2*"))
    if faults := check_apk.check(apk, check_apk.badging_of(apk, aapt2)):
        apk.unlink()
        raise BuildFailed("The APK is refused:\n" + "\n".join(faults))
    return f"{verified}{apk}: {apk.stat().st_size / 1e6:.1f} MB, libraries for 16 KB pages, assets as listed"


def main() -> int:
    """The command line."""
    target, java = map(Path, sys.argv[1:])
    try:
        sys.stdout.write(f"{build(target, java)}\n")
    except BuildFailed as error:
        sys.stderr.write(f"apk.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
