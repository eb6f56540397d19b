"""The blocks of docs/pi.md, and what its marks say about them.

A mark is a comment in the line before a block: `<!-- test-pi: MODE -->` or `<!-- test-pi: MODE: TEXT -->`. Modes: "run" (on
the emulated Pi), "refused" (there, and it must fail with TEXT), "computer" (in the checkout), "not run" (TEXT says why).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "pi.md"
MODES = ("run", "refused", "computer", "not run")
_BLOCK = re.compile(r"^(?:<!-- test-pi: ([^:\n]+?)(?:: (.+?))? -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    mode: str | None
    text: str | None
    language: str
    content: str

    @property
    def shell(self) -> str:
        """Its lines for a shell; Python goes to the Python that the shell finds."""
        return self.content if self.language == "sh" else f"python - <<'PYTHON'\n{self.content}PYTHON\n"


def blocks(page: str | None = None) -> list[Block]:
    """All of a page, docs/pi.md's when none is given, in order."""
    return [Block(*found) for found in _BLOCK.findall(page or PAGE.read_text())]


def script(every: list[Block]) -> str:
    """One shell script of all that runs inside; each block's output stands behind its number."""
    parts = ["set -eu"]
    for number, block in enumerate(every):
        if block.mode in ("run", "refused"):
            parts.append(f"echo '::block {number}'")
            body = block.shell
            parts.append(f"if (\n{body}); then echo ran; exit 99; fi" if block.mode == "refused" else body)
    return "\n".join([*parts, "echo '::end'"]) + "\n"


def outputs(text: str) -> dict[int, str]:
    """What each block wrote, by number."""
    parts = re.split(r"^::(?:block (\d+)|end)\n", text, flags=re.MULTILINE)
    return {int(number): said for number, said in zip(parts[1::2], parts[2::2], strict=True) if number is not None}
