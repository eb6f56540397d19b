"""Every exception this project raises on purpose, and the exit code the command line leaves with.

    EdgeFacenetError               1
    ├── InputError                 3   photos, crops, pair files: what was given cannot be used
    │   ├── PhotoError                 one photo cannot be read, or must not be
    │   ├── NoFaceFound                a photo without a face where one is needed
    │   ├── UnusableEmbedding          a network gave faces zeros, or values that are not finite
    │   ├── GalleryDamaged             a gallery file is cut short, altered, or not a gallery
    │   └── WrongKey                   a key does not open this gallery, or one is missing or not wanted
    ├── ManifestError              4   an artifact and its manifest do not belong together, or one of them is damaged
    │   └── GalleryMismatch            a gallery was made by another network or aligner
    ├── GateError                  5   a gate refused; nothing was written
    │   ├── BudgetExceeded             MUL-ADDs or bytes above the limit
    │   ├── ParityFailed               the converted network no longer says what the float one says
    │   ├── SelfTestFailed             an artifact does not give its own golden embeddings on this engine
    │   └── ThresholdError             no threshold of this artifact supports the decision asked for
    ├── SetupError                 6   this machine lacks something
    │   ├── MissingExtra               an optional dependency is not installed
    │   ├── ModelsMissing              the face detector and mesh have not been set up
    │   ├── LaneUnavailable            an engine, delegate or adapter is not here, or refuses this file
    │   └── CameraLost             9   a camera is not there, or has given no picture for longer than allowed
    ├── ConfigError                7   an unknown key, a wrong type, a value outside its range
    └── OutputError                8   the place to write to is not writable, full, or already holds something else

Each message says what, where, the limit against what was found, and the next step, in one or two sentences.
Exit code 2 is the command line's own (unknown option), 130 an interruption by the user.
"""

from __future__ import annotations

__all__ = [
    "BudgetExceeded",
    "CameraLost",
    "ConfigError",
    "EdgeFacenetError",
    "GalleryDamaged",
    "GalleryMismatch",
    "GateError",
    "InputError",
    "LaneUnavailable",
    "ManifestError",
    "MissingExtra",
    "ModelsMissing",
    "NoFaceFound",
    "OutputError",
    "ParityFailed",
    "PhotoError",
    "SelfTestFailed",
    "SetupError",
    "ThresholdError",
    "UnusableEmbedding",
    "WrongKey",
]


class EdgeFacenetError(Exception):
    """Root of the tree; `exit_code` is what the command line leaves with."""

    exit_code = 1


class InputError(EdgeFacenetError):
    """Photos, crops or pair files that cannot be used."""

    exit_code = 3


class PhotoError(InputError):
    """One photo cannot be read, or must not be.

    Attributes:
        again: whether another machine, or this one with more installed or more memory, may read it.
    """

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


class NoFaceFound(InputError):
    """A photo without a face where one is needed."""


class UnusableEmbedding(InputError):
    """A network gave faces vectors that say nothing: zeros, or values that are not finite.

    Attributes:
        zero, not_finite: rows of the crops given, ascending.
    """

    def __init__(self, message: str, zero: tuple[int, ...] = (), not_finite: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.zero = zero
        self.not_finite = not_finite


class GalleryDamaged(InputError):
    """A gallery file is cut short, altered, or not a gallery."""


class WrongKey(InputError):
    """A key does not open this gallery, or one is missing or not wanted."""


class ManifestError(EdgeFacenetError):
    """An artifact and its manifest do not belong together, or one of them is damaged."""

    exit_code = 4


class GalleryMismatch(ManifestError):
    """A gallery was made by another network or aligner; its embeddings may not be compared with this one's."""


class GateError(EdgeFacenetError):
    """A gate refused; nothing was written."""

    exit_code = 5


class BudgetExceeded(GateError):
    """MUL-ADDs or bytes above the limit."""


class ParityFailed(GateError):
    """The converted network no longer says what the float one says."""


class SelfTestFailed(GateError):
    """An artifact does not give its own golden embeddings on this engine."""


class ThresholdError(GateError):
    """No threshold of this artifact supports the decision asked for."""


class SetupError(EdgeFacenetError):
    """This machine lacks something."""

    exit_code = 6


class MissingExtra(SetupError):
    """An optional dependency is not installed; the message holds the pip line that cures it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed. Type: pip install 'edge-facenet[{extra}]'"
        )


class ModelsMissing(SetupError):
    """The face detector and mesh have not been set up."""


class LaneUnavailable(SetupError):
    """An engine, delegate or adapter is not here, or refuses this file."""


class CameraLost(SetupError):
    """A camera is not there, or has given no picture for longer than allowed.

    It has a code of its own: a service may start again in the hope that somebody plugs the camera in.
    """

    exit_code = 9


class ConfigError(EdgeFacenetError):
    """An unknown key, a wrong type, a value outside its range."""

    exit_code = 7


class OutputError(EdgeFacenetError):
    """The place to write to is not writable, full, or already holds something else."""

    exit_code = 8
