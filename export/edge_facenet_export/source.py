"""What is exported: the float network with everything that the gates hold an artifact against."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_facenet.budget import LayerCost
from edge_facenet.errors import InputError
from edge_facenet.photos.cropset import CropSet
from edge_facenet.pixels import Pixels, PixelSpec
from edge_facenet.train.checkpoint import Restored
from edge_facenet.train.costs import layer_costs
from edge_facenet.verification import Pairs, Split, all_pairs

from .calibrate import representative

PROOF_FACES = 1000
"""Most faces that parity and thresholds are measured on: half a million pairs, enough for a FAR of 1e-5."""


@dataclass(frozen=True, eq=False)
class Source:
    """A float network and its faces."""

    model: Any  # keras.Model with the unit norm behind it
    size: int
    dimension: int
    costs: tuple[LayerCost, ...]
    parameters: int
    calibration: Pixels  # (c, size, size, 3), people trained on
    faces: Pixels  # (n, size, size, 3), people never trained on
    pairs: Pairs  # of `faces`
    embeddings: npt.NDArray[np.float32]  # (n, d) unit rows of `faces` by the float network
    lessons: Pixels  # (k, size, size, 3), people trained on: what int8 is tuned on; none where nothing is tuned

    @cached_property
    def equalized(self) -> Any:
        """The network that int8 is made of: the same answers, channels of like range."""
        from .equalize import equalized

        return equalized(self.model, PixelSpec(self.size).tensor(self.calibration))

    @cached_property
    def float_tflite(self) -> bytes:
        """The fp32 TFLite file; fp16 is made of it."""
        from .to_tflite import fp32

        return fp32(self.model, self.size)

    @cached_property
    def float_onnx(self) -> bytes:
        """The fp32 ONNX file."""
        from .to_onnx import fp32

        return fp32(self.model, self.size)


def gather(
    restored: Restored,
    crops: CropSet,
    calibration_faces: int,
    proof_faces: int = PROOF_FACES,
    tuning_faces: int = 0,
) -> Source:
    """The network of a checkpoint, its costs, and faces of a crop set by the run's split. The test people stay unseen.

    Args:
        calibration_faces: faces of people trained on, for the ranges of int8.
        proof_faces: most faces of calibrate people, for parity and thresholds.
        tuning_faces: of people trained on; what int8 is tuned on.
    Raises:
        InputError: the crop set lacks the split's people, or too few of them; embeddings that are not finite.
    """
    from .graph import answers, with_unit_norm

    rows = proof_rows(crops, restored.split, proof_faces)
    calibration = representative(crops, restored.split, restored.size, calibration_faces)
    faces = crops.cut(rows, restored.size)
    raw = answers(restored.model, faces)
    lengths = np.linalg.norm(raw.astype(np.float64), axis=1, keepdims=True)
    model = with_unit_norm(restored.model, answers(restored.model, calibration))
    return Source(
        model=model,
        size=restored.size,
        dimension=int(raw.shape[1]),
        costs=tuple(layer_costs(restored.model)),
        parameters=int(restored.model.count_params()),
        calibration=calibration,
        faces=faces,
        pairs=all_pairs(crops.labels[rows]),
        embeddings=(raw / lengths).astype(np.float32),
        lessons=representative(crops, restored.split, restored.size, tuning_faces) if tuning_faces else faces[:0],
    )


def proof_rows(crops: CropSet, split: Split, faces: int = PROOF_FACES, seed: int = 0) -> npt.NDArray[np.int64]:
    """Rows of the split's calibrate people, at most `faces`, drawn evenly over the people.

    Of many people a quarter as many as faces are drawn, who have two photos if possible: of one photo each there would be no
    pair of one person.

    Raises:
        InputError: not a pair of one person and a pair of two among them.
    """
    rows = crops.rows_of(split.calibrate)
    labels = crops.labels[rows]
    people, counts = np.unique(labels, return_counts=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    if len(people) > (most := max(2, faces // 4)):
        drawn = rng.permutation(len(people))
        kept = people[drawn[np.argsort(counts[drawn] < 2, kind="stable")][:most]]
        order = order[np.isin(labels[order], kept)]
    turn = np.empty(len(rows), np.int64)  # which of this person's faces it is, in the drawn order
    for person in np.unique(labels[order]):
        mine = order[labels[order] == person]
        turn[mine] = np.arange(len(mine))
    first = order[np.argsort(turn[order], kind="stable")][:faces]
    _, shown = np.unique(labels[first], return_counts=True)
    if len(shown) < 2 or shown.max() < 2:
        able = int(np.count_nonzero(counts >= 2))
        more = "people of whom there are more photos, or draw more faces" if len(people) > 1 else "more people"
        raise InputError(
            f"Parity and thresholds need 2 people, 1 of them with 2 photos, among the split's calibrate people; {crops.path} has "
            f"{len(people)} there, {able} with 2 photos or more, of whom at most {faces} faces are drawn. Hold out {more} "
            "(split.calibrate)."
        )
    return np.sort(rows[first])
