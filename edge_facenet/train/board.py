"""TensorBoard: the log's figures as curves, and at each look the distances of people held out, as two histograms.

Written by tensorboardX, which needs neither TensorFlow nor TensorBoard: `tensorboard --logdir RUN/tensorboard` reads it
wherever TensorBoard is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtra
from .monitor import Figures

FOLDER = "tensorboard"


class Board:
    """One run's curves. A resumed run goes on in the same folder; rows beyond its checkpoint are taken back."""

    def __init__(self, run: Path, start: int) -> None:
        """
        Args:
            start: step this process begins with.
        Raises:
            MissingExtra: tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtra("tensorboardX", "train", "tensorboard=true") from error
        self._writer: Any = SummaryWriter(str(run / FOLDER), purge_step=start + 1 if start else None)

    def row(self, step: int, rate: float, figures: Figures) -> None:
        """A row of the log: losses, shares of active triplets, accuracy of looks."""
        for name, value in {"learning_rate": rate, **figures}.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def distances(self, step: int, cosines: npt.NDArray[np.float64], same: npt.NDArray[np.bool_]) -> None:
        """Squared L2 distances of pairs of people held out: of one person, of two."""
        squared = 2 - 2 * cosines
        for name, chosen in (("one person", same), ("two people", ~same)):
            self._writer.add_histogram(f"squared distance/{name}", squared[chosen], step, bins="auto")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
