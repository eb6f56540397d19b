"""Presets: trainings with a lab note each. One JSON file per preset; the next one is one more file.

`"based_on": "mobile-distil"` takes that preset's configuration; the file's own then says only what differs. A preset of one's
own may name another file, seen from its folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...schema import doc, from_json, nearest
from ..config import TrainConfig

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Expected:
    """What the preset reached."""

    what: str = doc("the figure: on whom, by which protocol")
    mean: float = doc("mean over the runs, per cent")
    spread: float = doc("standard deviation over the runs, percentage points")
    runs: int = doc("trainings, one seed each")


@dataclass(frozen=True)
class Note:
    """The lab note of a preset."""

    summary: str = doc("what it trains, on what, and why one would")
    command: str = doc("the exact command")
    hardware: str = doc("the machine the figures come from")
    time: str = doc("how long it takes there")
    expected: tuple[Expected, ...] = doc("measured accuracy; empty when it was not run to its end")
    remark: str = doc("what the reader must know; why nothing is expected, where that is so")
    date: str = doc("of the measurement, year-month-day")


@dataclass(frozen=True)
class Preset:
    """A training and what is known of it."""

    note: Note
    config: TrainConfig


def names() -> list[str]:
    """Names of all presets."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> Preset:
    """A preset by its name, or of a JSON file of one's own in the same form, by its path.

    Raises:
        ConfigError: unknown name (the nearest is named), not JSON, an unknown key, a wrong type, `based_on` in a circle.
    """
    value = _read(name, ())
    if isinstance(value, dict):
        value.pop("based_on", None)
    return from_json(Preset, value, f"preset {name}")


def _read(name: str, above: tuple[str, ...]) -> Any:
    """The file's value, its configuration completed by that of the preset it is based on."""
    if name in above:
        raise ConfigError(f"Presets are based on each other in a circle: {' -> '.join((*above, name))}.")
    path = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    if path.parent == FOLDER and name not in names():
        raise ConfigError(f'Unknown preset "{name}" ({nearest(name, names())})')
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read preset {path}: {error}.") from error
    if isinstance(value, dict) and "based_on" in value:
        below = str(value["based_on"])
        base = _read(str(path.parent / below) if below.endswith(".json") else below, (*above, name))
        value["config"] = _over(base.get("config") if isinstance(base, dict) else None, value.get("config", {}))
    return value


def _over(base: Any, changes: Any) -> Any:
    """`changes` laid over `base`, section by section."""
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return base | {key: _over(base.get(key), change) for key, change in changes.items()}
