"""People: enroll, find, forget, migrate. One SQLite file; what it holds stays in it and leaves it for good.

`Gallery` is the file, `decide.threshold` and `decide.decide` say who a face is, `secure` encrypts, `transfer` backs up.
"""

from .decide import Candidate, Match, OpenSetThreshold
from .people import Enrolled, Maker, Person, Sample, Templates
from .rows import Face
from .session import Rejected
from .store import Gallery, default_path

__all__ = [
    "Candidate",
    "Enrolled",
    "Face",
    "Gallery",
    "Maker",
    "Match",
    "OpenSetThreshold",
    "Person",
    "Rejected",
    "Sample",
    "Templates",
    "default_path",
]
