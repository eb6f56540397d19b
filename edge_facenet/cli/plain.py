"""Text on its way to a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(line: str) -> str:
    """One line in which no file name or person's name can steer the terminal or pretend to be another line.

    >>> plain("a\\x1b[2J\\nb")
    'a\ufffd[2J\ufffdb'
    """
    return _CONTROL.sub("\ufffd", line)


def json_text(value: Any, indent: int | None = None) -> str:
    r"""JSON for standard output, in ASCII: a terminal or pipe of another encoding than UTF-8 would spoil it.

    >>> json_text({"name": "Zo\u00eb"})
    '{"name": "Zo\\u00eb"}'
    """
    return json.dumps(value, indent=indent, sort_keys=indent is not None, allow_nan=False)
