"""From a photo to all its faces, cut for a network: what enrolment and identification share.

`aligner_fingerprint` stands on every row of a gallery beside the network's: embeddings of crops cut otherwise are not
comparable, though the network is the same.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.schema import doc

from . import examine, models
from .align import BORDER, TEMPLATE, TEMPLATE_NAME, TEMPLATE_SIDE, Pixels, similarity, target, warp
from .choose import real
from .decode import Limits, Photo
from .face import Face
from .faces import FaceFinder
from .quality import Quality, measure
from .tiles import Finder, small_faces

LIMITS = Limits(work_side=2048)
"""On the whole photo the detector finds faces from about a tenth of its longer side upwards. In a photo read at 1,024 to
2,048 px such a face has 45 px and more between the eyes, above the template's 35: reading it at reduced size loses nothing.
The smaller ones that parts and the full-range detector show do lose by it; `Quality` judges the pixels that are left."""
_CPU_ENGINES = ("litert", "tflite-runtime")

Box = tuple[float, float, float, float]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face of a photo."""

    crop: Pixels = doc("(s, s, 3) uint8 RGB, upright, cut to the template")
    box: Box = doc("left, top, right, bottom, px of the photo after EXIF rotation; may reach over its edge")
    points: tuple[Point, ...] = doc(
        "eye, eye, nose tip, mouth corner, mouth corner, each from the picture's left, px like the box"
    )
    quality: Quality = doc("what was measured on it")


@dataclass(frozen=True)
class Aligner:
    """A finder, and what tells its crops from another's."""

    finder: Finder
    fingerprint: str

    def faces(self, photo: Photo, margin: int = 0, *, turned: bool = True) -> tuple[FoundFace, ...]:
        """Every face of a photo, the subject (largest and most central) first.

        Args:
            margin: px kept around the template on each side, at its own 112 px.
            turned: whether the photo is also looked at turned, and in parts for small faces; a camera's frames, which
                stand upright and come by the dozen, need not be.
        """
        found = real(self.finder.find(photo.pixels, turned=turned)[0])
        if turned and all(face.turns == 0 for face in found):
            found += small_faces(photo.pixels, self.finder, found)
        cut = (_cut(photo, face, margin) for face in found)
        return tuple(face for face in cut if face is not None)


def open_aligner(engine: str | None = None, threads: int = 1) -> Aligner:
    """The project's own detector and mesh.

    Args:
        engine: the embedder's; the face models run on it when it runs TFLite on the CPU, else on LiteRT.
    Raises:
        ModelsMissing, ManifestError, SelfTestFailed, LaneUnavailable: as `models.open_finder`.
    """
    finder: FaceFinder = models.open_finder(engine=engine if engine in _CPU_ENGINES else None, threads=threads)
    return Aligner(finder, aligner_fingerprint())


def aligner_fingerprint() -> str:
    """Hex sha256 of what decides how a face is cut: face models, template, border, revision of the code.

    The engine and the number of threads are not in it: they move points by less than a thousandth of a pixel.
    """
    makes = {
        "face models": {model.name: [model.sha256, dataclasses.asdict(model.pixels)] for model in models.CATALOGUE},
        "template": [TEMPLATE_NAME, TEMPLATE.tolist()],
        "border": BORDER,
        "revision": examine.REVISION,
    }
    return files.sha256(files.canonical_json(makes).encode())


def _cut(photo: Photo, face: Face, margin: int) -> FoundFace | None:
    size = TEMPLATE_SIDE + 2 * margin
    try:
        matrix = similarity(face.points, target(size, margin))
    except InputError:
        return None  # five points in one place are no face
    crop = warp(photo.pixels, matrix, size)
    k = photo.shrunk
    left, top, right, bottom = (round(v * k, 1) for v in face.box)
    inner = slice(margin, size - margin)
    plain = similarity(face.points, target(TEMPLATE_SIDE))
    quality = measure(face, crop[inner, inner], plain, photo.pixels.shape)
    points = tuple((round(float(x) * k, 1), round(float(y) * k, 1)) for x, y in face.points)
    return FoundFace(crop, (left, top, right, bottom), points, quality)
