"""Compile, test, package, sign and check everything below android_demo/, without an Android SDK: `make test-android`.

    python android_demo/tools/build.py [MAVEN ARGUMENTS]

Needs a JDK from 17 on and Maven; as root on a Debian system they are installed when missing. Maven's output goes to
android_demo/target/build.log and is shown when something fails. The first run downloads about 0.8 GB into ~/.m2.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
LOG = HERE / "target/build.log"
MODULES = ("core", "engine", "engine-gpu", "app")
PACKAGES = ("openjdk-17-jdk-headless", "maven")
MINIMUM_JAVA = 17
ATTEMPTS = 3
SECONDS = 30 * 60
_TRANSFER = re.compile(
    r"Could not transfer artifact|Connection reset|Read timed out|checksum validation failed", re.IGNORECASE
)


class NotBuilt(Exception):
    """Why there is no APK; the message is what to show."""


def require_tools() -> None:
    """JDK and Maven.

    Raises:
        NotBuilt: missing, and cannot be installed here.
    """
    missing = [name for name in ("javac", "mvn") if not shutil.which(name)]
    if missing and shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        say(f"Installing {' and '.join(PACKAGES)} ({', '.join(missing)} missing) ...")
        for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, check=False)
        missing = [name for name in missing if not shutil.which(name)]
    if missing:
        raise NotBuilt(
            f"The Android build did not run: {' and '.join(missing)} not found. Install a JDK (17 or newer) and Maven; "
            f"on Debian: sudo apt-get install {' '.join(PACKAGES)}"
        )
    said = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r"javac (\d+)", said.stdout + said.stderr)
    if not version or int(version[1]) < MINIMUM_JAVA:
        raise NotBuilt(
            f"The Android build did not run: javac {version[1] if version else '?'}, {MINIMUM_JAVA} is needed."
        )


def maven(arguments: list[str]) -> None:
    """Run Maven; a broken download is taken up where it ended.

    Raises:
        NotBuilt: it failed; with what it said.
    """
    command = [
        "mvn",
        "-B",
        "-ntp",
        "-f",
        str(HERE / "pom.xml"),
        f"-Dpython={sys.executable}",
        *(arguments or ["package"]),
    ]
    LOG.parent.mkdir(exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        with LOG.open("wb") as stream:
            try:
                code = subprocess.run(
                    command, stdout=stream, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
                ).returncode
            except subprocess.TimeoutExpired as error:
                raise NotBuilt(f"Maven did not end within {SECONDS // 60} minutes; see {LOG}.") from error
        text = LOG.read_text(errors="replace")
        if code == 0:
            return
        if attempt == ATTEMPTS or not _TRANSFER.search(text):
            raise NotBuilt(f"{essence(text)}\nThe whole output: {LOG}")
        say(f"A download broke off; going on (attempt {attempt + 1} of {ATTEMPTS}) ...")
        time.sleep(5 * attempt)


def faces() -> list[str]:
    """What the tests look at, made anew: a hundred real faces as Python sees them, for the engine's ParityTest, and photos for
    the app's screens. The arguments that name their folders.

    Raises:
        NotBuilt: the face models are not set up, or the ORL faces are not here.
    """
    say("Taking 100 faces through Python's pipeline, and making photos for the screens ...")
    return [made("parity", "parity"), made("pictures", "app")]


def made(what: str, folder: str) -> str:
    """Run tests/android/WHAT.py; the argument that names its folder.

    Raises:
        NotBuilt: it failed.
    """
    root = HERE.parent
    script, place = root / f"tests/android/{what}.py", root / "build/android" / folder
    done = subprocess.run([sys.executable, str(script), str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotBuilt(f"The faces to test with could not be made:\n{done.stderr.strip()[-1500:]}")
    return f"-D{what}={place}"


def essence(text: str) -> str:
    """The lines of Maven's output that say what is wrong."""
    lines = [line for line in text.splitlines() if line.startswith("[ERROR]") and line.strip() != "[ERROR]"]
    told = [
        line for line in lines if "re-run Maven" not in line and "[Help 1]" not in line and "help/" not in line.lower()
    ]
    return "\n".join(told[:40]) or text[-3000:]


def tests(module: str) -> tuple[int, float]:
    """Number of tests that ran in a module, and their seconds.

    Raises:
        NotBuilt: none ran, or some were skipped: nothing here may be skipped.
    """
    reports = [ET.parse(path).getroot() for path in (HERE / module / "target/surefire-reports").glob("TEST-*.xml")]
    ran = sum(int(report.get("tests", "0")) for report in reports)
    skipped = sum(int(report.get("skipped", "0")) for report in reports)
    if not ran or skipped:
        raise NotBuilt(f"{module}: {ran} tests ran, {skipped} of them were skipped; all must run.")
    return ran, sum(float(report.get("time", "0").replace(",", "")) for report in reports)


def forget_reports() -> None:
    """Reports of earlier runs must not be counted, and tests that were moved or removed must not run."""
    for module in MODULES:
        for name in ("surefire-reports", "test-classes/org"):
            shutil.rmtree(HERE / module / "target" / name, ignore_errors=True)


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """The command line."""
    begin = time.monotonic()
    try:
        require_tools()
        forget_reports()
        maven(sys.argv[1:] or ["package", *faces()])
        if not sys.argv[1:]:
            for module in MODULES:
                number, seconds = tests(module)
                say(f"{module:<11} {number:>4} tests, {seconds:.0f} s")
            say(next(line for line in LOG.read_text().splitlines() if "edge-facenet.apk: " in line and " MB" in line))
    except NotBuilt as error:
        sys.stderr.write(f"{error}\n")
        return 1
    say(f"Android build: {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
