"""People: enroll, find, forget, migrate. One SQLite file; what it holds stays in it and leaves it for good."""

from .decide import Candidate, Match, OpenSetThreshold
from .people import Enrolled, Maker, Person, Sample, Templates

__all__ = [
    "Candidate",
    "Enrolled",
    "Maker",
    "Match",
    "OpenSetThreshold",
    "Person",
    "Sample",
    "Templates",
]
