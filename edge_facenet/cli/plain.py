"""Text on its way to a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(line: str) -> str:
    """One line in which no file name or person's name can steer the terminal or pretend to be another line.

    >>> plain("a\\x1b[2J\\nb")
    'a\ufffd[2J\ufffdb'
    """
    return _CONTROL.sub("\ufffd", line)
