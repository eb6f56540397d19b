"""Two proofs that need no phone, beyond what `make test-android` does on every run. Build first.

    python tools/rehearse.py [api|engine]

api     nothing in the APK's code refers to a class, method or field that Android 8 (API 26) does not have; downloads its
        framework (100 MB). References under a check of the version are reported, too: look at them.
engine  the engine works after R8 has shrunk it by the app's rules, loading its libraries as it does on Android: by
        System.loadLibrary, without JavaCPP's own files. x86_64 Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
APP = HERE.parent / "app"
TARGET = APP / "target"
R8 = TARGET / "package/tools/r8.jar"
FRAMEWORK = "8.0.0_r4-robolectric-r1"
MAVEN = Path.home() / ".m2/repository"
OPTIONAL = ("org.slf4j.",)
"""JavaCPP's logger uses it where it is there."""


def java_home() -> Path:
    """Of the java on the path."""
    said = subprocess.run(["java", "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True)
    return Path(next(line.split("=")[1].strip() for line in said.stderr.splitlines() if "java.home =" in line))


def java8(folder: Path) -> Path:
    """Java 8's interface as a jar, out of the signatures that javac --release reads."""
    jar = folder / "java8.jar"
    with zipfile.ZipFile(java_home() / "lib/ct.sym") as symbols, zipfile.ZipFile(jar, "w") as out:
        seen = set()
        for name in symbols.namelist():
            releases, *path = name.split("/")
            if "8" not in releases or not name.endswith(".sig"):
                continue
            place = "/".join(path[1:] if "." in path[0] else path).removesuffix(".sig") + ".class"
            if place not in seen and path[-1] != "module-info.sig":
                seen.add(place)
                out.writestr(place, symbols.read(name))
    return jar


def api(folder: Path) -> list[str]:
    """References that Android 8 cannot follow."""
    artifact = f"org.robolectric:android-all:{FRAMEWORK}"
    get = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
    subprocess.run(["mvn", "-q", "-B", "-ntp", get, f"-Dartifact={artifact}", "-Dtransitive=false"], check=True)
    framework = MAVEN / f"org/robolectric/android-all/{FRAMEWORK}/android-all-{FRAMEWORK}.jar"
    dex = [word for path in sorted((TARGET / "package/dex").glob("*.dex")) for word in ("--source", path)]
    libraries = ("--lib", java8(folder), "--lib", framework)
    command = ["java", "-Xmx2g", "-cp", R8, "com.android.tools.r8.tracereferences.TraceReferences", "--check"]
    done = subprocess.run([*command, *libraries, *dex], capture_output=True, text=True, check=False)
    lines = [line.removeprefix("Error: ") for line in (done.stdout + done.stderr).splitlines()]
    found = [line for line in dict.fromkeys(lines) if line.startswith("Missing ")]
    return [line for line in found if not any(name in line.split("(referenced from")[0] for name in OPTIONAL)]


def engine(folder: Path) -> str:
    """What the shrunk engine says of the released artifact."""
    jars = [jar for jar in sorted((TARGET / "package/jars").glob("*.jar")) if jar.name != "app.jar"]
    classes = folder / "classes"
    subprocess.run(
        ["javac", "-cp", os.pathsep.join(map(str, jars)), "-d", classes, HERE / "Rehearsal.java"], check=True
    )
    main, shrunk, rules = folder / "main.jar", folder / "shrunk.jar", folder / "rules.pro"
    with zipfile.ZipFile(main, "w") as archive:
        for path in classes.rglob("*.class"):
            archive.write(path, path.relative_to(classes))
    keep = "-keep class Rehearsal { public static void main(java.lang.String[]); }\n"
    rules.write_text((APP / "proguard-rules.pro").read_text() + keep)
    command = ["java", "-Xmx2g", "-cp", R8, "com.android.tools.r8.R8", "--release", "--classfile", "--lib", java_home()]
    subprocess.run([*command, "--pg-conf", rules, "--output", shrunk, main, *jars], check=True, capture_output=True)
    _only_classes(shrunk)
    libraries = _libraries(folder / "libraries")
    settings = ("-Dorg.bytedeco.javacpp.platform=android-x86_64", f"-Djava.library.path={libraries}")
    run = ["java", *settings, "-cp", shrunk, "Rehearsal", TARGET / "assets", "mobile-int8"]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def _only_classes(jar: Path) -> None:
    """Drop what the APK does not have."""
    with zipfile.ZipFile(jar) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if name.endswith(".class")}
    with zipfile.ZipFile(jar, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def _libraries(folder: Path) -> Path:
    """The libraries of this machine, in one folder."""
    folder.mkdir()
    for jar in (MAVEN / "org/bytedeco").glob("*/*/*-linux-x86_64.jar"):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.endswith(("/libjnijavacpp.so", "/libjnitensorflowlite.so")):
                    (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


def main() -> int:
    """The command line."""
    asked = sys.argv[1:] or ["api", "engine"]
    code = 0
    with tempfile.TemporaryDirectory() as name:
        if "api" in asked:
            missing = api(Path(name))
            code = 1 if missing else 0
            sys.stdout.write("\n".join([*missing, f"{len(missing)} references that Android 8 does not have"]) + "\n")
        if "engine" in asked:
            sys.stdout.write(f"after R8, {engine(Path(name))}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
