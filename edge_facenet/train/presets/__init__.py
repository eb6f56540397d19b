"""Presets: trainings with a lab note each. One JSON file per preset; the next one is one more file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

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
        ConfigError: unknown name (the nearest is named), not JSON, an unknown key, a wrong type.
    """
    path = Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"
    if path.parent == FOLDER and name not in names():
        raise ConfigError(f'Unknown preset "{name}" ({nearest(name, names())})')
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read preset {path}: {error}.") from error
    return from_json(Preset, value, f"preset {name}")
