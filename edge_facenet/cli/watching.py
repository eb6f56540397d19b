"""People in a stream of frames: a line when somebody comes or goes, and a summary at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .people import UNKNOWN, Names

if TYPE_CHECKING:
    from edge_facenet.recognise import Seen

LINGER_S = 1.0
"""Somebody who was not seen for so long has gone: a blink or a turn of the head is no leaving."""
STRANGER_LOOKS = 2
"""An unknown face is reported when it was there in so many frames one after another: one bad frame makes no stranger."""


@dataclass
class Presence:
    """One person in the stream."""

    name: str
    person: int | None
    frames: int = 0
    first: float = 0.0
    last: float = 0.0
    shown: float = float("-inf")
    """Last time that counts for who is on the screen."""


@dataclass
class Watch:
    """What was seen so far.

    Args:
        say: takes each line.
        linger: seconds after which somebody has gone; at least one interval between frames that are looked at.
    """

    say: Callable[[str], None]
    linger: float = LINGER_S
    frames: int = 0
    people: dict[str, Presence] = field(default_factory=dict)
    _shown: tuple[str, ...] = ()
    _strange: int = 0

    def see(self, seconds: float, faces: tuple[Seen, ...], names: Names) -> None:
        """One frame."""
        self.frames += 1
        here = {names.who(face): face for face in faces}
        self._strange = self._strange + 1 if UNKNOWN in here else 0
        for name, face in here.items():
            known = self.people.setdefault(name, Presence(name, face.person, 0, seconds))
            known.frames += 1
            known.last = seconds
            if name != UNKNOWN or self._strange >= STRANGER_LOOKS:
                known.shown = seconds
        self._report(seconds)

    def _report(self, seconds: float) -> None:
        present = tuple(sorted(p.name for p in self.people.values() if seconds - p.shown < self.linger))
        if present != self._shown:
            self.say(f"{clock(seconds)}  {', '.join(present) or 'nobody'}")
            self._shown = present

    def summary(self) -> list[Presence]:
        """Everybody who was seen, those known first, by first appearance."""
        return sorted(self.people.values(), key=lambda p: (p.name == UNKNOWN, p.first))


def clock(seconds: float) -> str:
    """Time of a stream.

    >>> clock(75.25)
    '1:15.2'
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    rest = int(rest * 10) / 10  # 59.99 is not 60.0
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
