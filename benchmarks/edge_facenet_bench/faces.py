"""The faces a run measures with: whose they are, which pairs they make, and what embeddings of them are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import InputError
from edge_facenet.files import sha256
from edge_facenet.schema import doc

from .record import Accuracy

if TYPE_CHECKING:
    from edge_facenet.photos.cropset import CropSet
    from edge_facenet.verification import Pairs, Split

Rows = npt.NDArray[np.float32]
FOLDS = 10
SAMPLED = (50_000, 150_000)
"""Pairs of one person and of two that are drawn where there are more pairs than these together; a resampling over identities of a million pairs takes minutes on a small board."""
TIMED = 16
"""Faces a lane goes through in turn while it is timed: enough that no branch predictor or cache learns one by heart."""


@dataclass(frozen=True)
class Data:
    """Whose faces, for the report."""

    source: str = doc("crop set")
    sha256: str = doc("of the crop set")
    part: str = doc("'test identities of the split', or 'all labelled identities'")
    people: int = doc("identities that accuracy is measured on")
    photos: int = doc("their crops")
    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    folds: int = doc("folds; each is decided by a threshold from the others")
    seed: int | None = doc("seed of the split", None)
    train: tuple[str, ...] = doc("identities the network was trained on", ())
    calibrate: tuple[str, ...] = doc("identities that thresholds and parity come from", ())
    test: tuple[str, ...] = doc("identities that results come from; nothing else ever saw them", ())


class Faces:
    """The test faces of a crop set, or noise when there is none (then nothing but time is measured)."""

    def __init__(self, crops: CropSet | None = None, split: Split | None = None) -> None:
        """Raises InputError when the split tests nobody, or these people make too few pairs."""
        self._crops, self.split = crops, split
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.pairs: Pairs | None = None
        self._judged: dict[str, tuple[Accuracy, tuple[str, ...]]] = {}
        if crops is not None:
            if split is not None and not split.test:
                raise InputError(
                    "The split has no test identities, so nothing could be measured on people never trained on."
                )
            people = split.test if split is not None else crops.identities
            self._rows = np.asarray(crops.rows_of(people), np.int64)
            self.pairs = _pairs(np.asarray(crops.labels)[self._rows])

    def cut(self, size: int) -> npt.NDArray[np.uint8]:
        """(n, size, size, 3) uint8 RGB: the test faces cut to a network's size, or seeded noise."""
        if self._crops is None:
            return np.random.default_rng(0).integers(0, 256, (TIMED, size, size, 3), np.uint8)
        return self._crops.cut(self._rows, size)

    def data(self) -> Data | None:
        """Counts and lists for the report."""
        if self._crops is None or self.pairs is None:
            return None
        split = self.split
        return Data(
            source=self._crops.path.name,
            sha256=self._crops.sha256,
            part="test identities of the split" if split else "all labelled identities",
            people=self.pairs.identities,
            photos=len(self._rows),
            genuine=self.pairs.genuine,
            impostor=self.pairs.impostor,
            folds=FOLDS,
            seed=split.seed if split else None,
            train=split.train if split else (),
            calibrate=split.calibrate if split else (),
            test=split.test if split else (),
        )

    def accuracy(self, embeddings: Rows) -> tuple[Accuracy | None, tuple[str, ...]]:
        """Accuracy of embeddings (n, dimension) of the test faces, and why it is none."""
        from edge_facenet.verification.protocol import embedding_faults

        data = self.data()
        if data is None or len(embeddings) != data.photos:
            return None, embedding_faults(embeddings)
        digest = sha256(np.ascontiguousarray(embeddings).tobytes())
        if digest not in self._judged:  # another number of threads mostly gives the same bits
            self._judged[digest] = self._judge(embeddings, data)
        return self._judged[digest]

    def _judge(self, embeddings: Rows, data: Data) -> tuple[Accuracy, tuple[str, ...]]:
        from edge_facenet.verification import cosines, evaluate_embeddings
        from edge_facenet.verification.intervals import with_intervals

        assert self.pairs is not None
        result = evaluate_embeddings(embeddings, self.pairs, folds=FOLDS, seed=0, balanced=True)
        if result.valid:
            result = with_intervals(result, cosines(embeddings, self.pairs), self.pairs, seed=0)
        span = result.accuracy_interval
        found = Accuracy(
            source=f"{data.source}, {data.part}",
            sha256=data.sha256,
            people=data.people,
            photos=data.photos,
            genuine=data.genuine,
            impostor=data.impostor,
            folds=FOLDS,
            balanced=True,
            accuracy=round(result.accuracy, 3),
            accuracy_se=round(result.accuracy_se, 3),
            auc=round(100 * result.auc, 3),
            eer=round(100 * result.eer, 3),
            tar={f"{p.far:g}": round(100 * p.val, 2) for p in result.val if p.val is not None},
            smallest_far=result.smallest_far,
            interval=(round(span[0], 3), round(span[1], 3)) if span else None,
        )
        return found, tuple(result.reasons)

    def difference(self, embeddings: Rows, reference: Rows) -> Any:
        """Paired difference of balanced accuracy (`edge_facenet.verification.Difference`), resampled over people."""
        from edge_facenet.verification import compare, cosines

        assert self.pairs is not None
        return compare(cosines(embeddings, self.pairs), cosines(reference, self.pairs), self.pairs)


def _pairs(labels: npt.NDArray[np.integer[Any]]) -> Pairs:
    """All pairs, or a seeded sample of very many; whether folds can be made of them is found out before measuring."""
    from edge_facenet.verification import all_pairs, sampled_pairs
    from edge_facenet.verification.protocol import fold_of

    many = len(labels) * (len(labels) - 1) // 2 > sum(SAMPLED)
    pairs = sampled_pairs(labels, *SAMPLED, seed=0) if many else all_pairs(labels)
    if not pairs.genuine or not pairs.impostor:
        raise InputError(
            f"{len(labels)} photos make {pairs.genuine} pairs of one person and {pairs.impostor} of two. Accuracy needs two "
            "people at least, one of them with two photos; leave out --crops to measure time alone."
        )
    fold_of(pairs, FOLDS, 0, False)
    return pairs
