"""What `gallery reject` and `gallery migrate` need of the rest: a network, an aligner, and one face out of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_facenet.embedder import Embedder, load
from edge_facenet.gallery import Maker, Sample
from edge_facenet.photos.align import TEMPLATE_SIDE
from edge_facenet.photos.aligner import LIMITS, aligner_fingerprint, open_aligner
from edge_facenet.photos.shots import open_shot
from edge_facenet.pixels import Pixels
from edge_facenet.recognise import Which, check_template, pick


@dataclass(frozen=True)
class Tools:
    """A network and what it is known by."""

    embedder: Embedder
    maker: Maker
    side: int = TEMPLATE_SIDE
    """Of the crops that the network takes, px, margin included."""

    def embed(self, crops: Pixels) -> npt.NDArray[np.float32]:
        """(n, s, s, 3) uint8 RGB -> (n, d) unit rows."""
        return self.embedder.embed(crops)

    def sample(self, photo: Path, which: Which, *, keep_crop: bool = False) -> Sample:
        """One face of a photo; its crop only where it shall be kept.

        Raises:
            PhotoError: unreadable. NoFaceFound: no face. InputError: several faces and none chosen, or no such face.
        """
        shot = open_shot(photo, LIMITS)
        crop = pick(shot, open_aligner().faces(shot.photo, self.embedder.manifest.margin), which).crop
        return Sample(self.embedder.embed(crop[None])[0], shot.sha256, shot.source, crop if keep_crop else None)


def open_tools(model: str) -> Tools:
    """The network by name or path, and the project's own aligner's fingerprint."""
    embedder = load(model)
    check_template(embedder.manifest)
    maker = Maker(embedder.fingerprint, aligner_fingerprint(), embedder.manifest.dimension)
    return Tools(embedder, maker, TEMPLATE_SIDE + 2 * embedder.manifest.margin)
