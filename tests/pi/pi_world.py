"""The emulated Raspberry Pi, as tests see it: a root folder that `build.sh` made, and a way to run something inside."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PI4, PI5 = "cortex-a72", "cortex-a76"
PEOPLE, STRANGERS = 6, 4
FACES_EACH, PROBES = 3, 2
"""Pictures of each person that are enrolled, and that are kept back to be recognised."""
PHOTOS = ("one.png", "two.jpg", "orl.jpg")
INSIDE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Both streams, for messages."""
        return f"{self.out}\n{self.err}"


@dataclass(frozen=True)
class Pi:
    """A computer that runs commands. `binds`: folders of this machine by the name they have inside."""

    root: Path
    cpu: str = PI4
    binds: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, timeout: float = 1500) -> Done:
        """Run a command inside and wait for its end."""
        binds = [word for inside, folder in self.binds.items() for word in ("--bind", str(folder), inside)]
        given = {"HOME": "/home/pi", "LANG": "C.UTF-8", "PATH": INSIDE}
        given |= {"QEMU_CPU": self.cpu, **self.environment}
        words = [f"{name}={value}" for name, value in given.items()]
        done = subprocess.run(
            [str(HERE / "enter.sh"), str(self.root), *binds, "--", "/usr/bin/env", "-i", *words, *command],
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "QEMU_CPU": self.cpu},
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def python(self, *arguments: str, timeout: float = 1500) -> Done:
        """Bookworm's Python with the wheels of `build.sh`."""
        return self.run(
            "/usr/bin/env", "PYTHONPATH=/opt/ours:/opt/site", "/usr/bin/python3", *arguments, timeout=timeout
        )


@dataclass(frozen=True)
class Answers:
    """What one machine said to `both.py`."""

    arrays: dict[str, Any]
    facts: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arrays[name]
