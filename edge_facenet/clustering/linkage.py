"""Which faces are one person: agglomeration by the groups' templates, with a limit on a group's width.

A group's template is the renormalised mean of its embeddings, as in a gallery, and two groups are joined when the cosine
of their templates is above a threshold. In each round every group names its nearest one; those that name each other are
joined, and with them whoever named one of the two and is nearly as near (BAND); so the order of the photos decides
nothing but exact ties.

Chaining (a row of faces, each like the next, that ends as one group) is stopped twice: a template stands for the whole
group, not for its nearest member; and no pair inside a group may lie below `floor`. Complete linkage, which asks every
pair to be above the threshold itself, also does not chain, but tears people apart: of the pairs of one person 44 % lie
below the threshold of FAR 1e-4. Measured on 1,514 photos of 105 people, at one threshold: 70 % of their pairs were put
together by templates (99.1 % of the pairs put together were right), 30 % by the mean of all cosines. Without the floor, at
the manifest's threshold, 7,515 photos of 91 people of another kind ended with 1,770 faces in one group; with it 97 % of
the pairs were right. The floor costs a person of many photos: then the least alike part from the rest.

Faces of one photo are different people, unless they are all but the same picture.

Memory: the embeddings, one sum a group, and BLOCK x n scores. Source: reciprocal nearest neighbours (Murtagh, "A survey
of recent advances in hierarchical clustering algorithms", 1983); rounds: Sumengen et al., "Scaling hierarchical
agglomerative clustering to billion-sized datasets", 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import InputError
from edge_facenet.gallery.people import UNIT_SLACK
from edge_facenet.schema import doc

Rows = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
OnProgress = Callable[[int, int], None]

SAME_PICTURE = 0.9
"""Two faces of one photo that are this alike are one person shown twice (a collage, a mirror)."""
BLOCK = 256
"""Groups compared with all others at a time: 256 x 20,000 float32 are 20 MB."""
BAND = 0.02
"""Joined in the same round are those this little farther than the two that name each other. Without it a large group takes
in one face a round, and every round looks at all; the share of pairs put together below moved by 0.3 points at most."""


@dataclass(frozen=True)
class Links:
    """What joins faces and what keeps them apart."""

    threshold: float = doc("two groups are joined when the cosine of their templates is above this")
    floor: float = doc("no pair inside a group has a cosine of this or less")


def check_rows(embeddings: npt.ArrayLike) -> Rows:
    """(n, d) float32 rows of unit length.

    Raises:
        InputError: another shape, values that are not finite, or a row of another length (a failed template).
    """
    rows = np.ascontiguousarray(embeddings, np.float32)
    if rows.ndim != 2:
        raise InputError(f"Grouping needs (n, d) embeddings, found shape {rows.shape}.")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    wrong = ~(np.abs(lengths - 1) <= UNIT_SLACK)  # not-a-number is wrong too
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"Embedding {row} of {len(rows)} has length {lengths[row]:.3g}, 1 ± {UNIT_SLACK} is needed. Embed that face again."
        )
    return rows


def agglomerate(embeddings: Rows, photos: Indices, links: Links, on_progress: OnProgress | None = None) -> Indices:
    """Groups of faces.

    Args:
        embeddings: (n, d) unit rows (`check_rows`).
        photos: (n,) the photo each face stands in.
        on_progress: (joins made, faces); how many joins there will be nobody knows.
    Returns:
        (n,) group of each face; groups are numbered by their first face.
    """
    rounds = _Rounds(embeddings, photos, links)
    while rounds.step():
        if on_progress is not None:
            on_progress(len(embeddings) - len(rounds.alive), len(embeddings))
    return rounds.labels()


class _Rounds:
    """Groups on their way. A group lives at the place of one of its faces."""

    def __init__(self, rows: Rows, photos: Indices, links: Links) -> None:
        self.rows, self.photos, self.links = rows, photos, links
        self.sums = rows.astype(np.float64)
        self.members: list[Indices] = [np.array([k], np.int64) for k in range(len(rows))]  # newest last
        self.apart: list[set[int]] = [set() for _ in range(len(rows))]  # known not to be joined
        self.alive: Indices = np.arange(len(rows), dtype=np.int64)  # ascending
        self.nearest: Indices = np.full(len(rows), -1, np.int64)
        self.score = np.full(len(rows), -np.inf, np.float32)
        self.cleared = np.zeros(len(rows), np.int64)  # so many first members of the nearest group were checked
        self._join_copies()
        self.templates = (self.sums / _lengths(self.sums)).astype(np.float32)
        self._search(self.alive)

    def labels(self) -> Indices:
        """(n,) number of each face's group, by the groups' first faces."""
        labels = np.empty(len(self.rows), np.int64)
        for number, members in enumerate(sorted((self.members[place] for place in self.alive), key=np.min)):
            labels[members] = number
        return labels

    def step(self) -> bool:
        """One round; False when nothing was left to join."""
        pairs = self._pairs()
        if not pairs:
            return False
        home = self._join_all(pairs)
        grown = np.unique([first for first, _ in pairs])
        self.alive = self.alive[home[self.alive] == self.alive]
        self.templates[grown] = (self.sums[grown] / _lengths(self.sums[grown])).astype(np.float32)
        lost = self._follow(home, grown)
        self._search(self.alive[lost])
        self._compare(self.alive[~lost], grown)
        return True

    def _pairs(self) -> list[tuple[int, int]]:
        """Groups that name each other, and in any case the closest of all: rounding must not leave a ring of three."""
        waiting = self.alive[self.nearest[self.alive] >= 0]
        if not len(waiting):
            return []
        near = self.nearest[waiting]
        mutual = [(int(a), int(b)) for a, b in zip(waiting, near, strict=True) if a < b and self.nearest[b] == a]
        top = int(waiting[np.argmax(self.score[waiting])])
        best = (min(top, int(self.nearest[top])), max(top, int(self.nearest[top])))
        return [best, *(pair for pair in mutual if not set(pair) & set(best))]

    def _join_all(self, pairs: list[tuple[int, int]]) -> Indices:
        """Join the pairs and their followers; (n,) where each place's group lives now."""
        home = np.arange(len(self.rows), dtype=np.int64)
        limit = {}
        for first, second in pairs:
            limit[first] = limit[second] = min(self.score[first], self.score[second]) - BAND
            self._join(first, second)
            home[second] = first
        near = self.nearest[self.alive]
        followers = [int(k) for k, n in zip(self.alive, near, strict=True) if k not in limit and n in limit]
        for place in sorted(followers, key=lambda k: (-self.score[k], k)):
            named = int(self.nearest[place])
            hub = int(home[named])
            known = int(self.cleared[place]) if hub == named else 0
            if self.score[place] >= limit[named] and self._may_join(place, hub, known):
                self._join(hub, place)
                home[place] = hub
        return home

    def _follow(self, home: Indices, grown: Indices) -> npt.NDArray[np.bool_]:
        """Groups whose nearest grew: kept where it came nearer; True where the nearest must be found anew."""
        lost = np.isin(self.alive, grown)
        waiting = np.flatnonzero(~lost & (self.nearest[self.alive] >= 0))
        for k in waiting[np.isin(home[self.nearest[self.alive[waiting]]], grown)]:
            place = int(self.alive[k])
            named, hub = int(self.nearest[place]), int(home[self.nearest[place]])
            score = self.templates[place] @ self.templates[hub]
            known = int(self.cleared[place]) if hub == named else 0
            if score >= self.score[place] and self._may_join(place, hub, known):
                self._name(place, hub, score)
            else:
                lost[k] = True
        return lost

    def _search(self, places: Indices) -> None:
        """Find the nearest group anew that is above the threshold and may be joined."""
        others = self.templates[self.alive]
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            scores = self.templates[block] @ others.T
            scores[np.arange(len(block)), np.searchsorted(self.alive, block)] = -np.inf
            for place, row in zip(block, scores, strict=True):
                self._choose(int(place), row)

    def _choose(self, place: int, scores: Rows) -> None:
        self.nearest[place], self.score[place] = -1, -np.inf
        while scores[best := int(np.argmax(scores))] > self.links.threshold:
            other = int(self.alive[best])
            if self._may_join(place, other):
                self._name(place, other, scores[best])
                return
            scores[best] = -np.inf

    def _name(self, place: int, nearest: int, score: np.float32) -> None:
        self.nearest[place], self.score[place] = nearest, score
        self.cleared[place] = len(self.members[nearest])

    def _compare(self, places: Indices, grown: Indices) -> None:
        """Groups whose nearest is as it was: is a grown one nearer?"""
        others = np.sort(grown)
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            scores = self.templates[block] @ self.templates[others].T
            limit = np.maximum(self.score[block], np.float32(self.links.threshold))
            for k, column in zip(*np.nonzero(scores > limit[:, None]), strict=True):
                place, other = int(block[k]), int(others[column])
                if scores[k, column] > self.score[place] and self._may_join(place, other):
                    self._name(place, other, scores[k, column])

    def _may_join(self, first: int, second: int, known: int = 0) -> bool:
        """Whether nothing keeps two groups apart; `known` first members of the second were checked already."""
        if second in self.apart[first]:
            return False
        small, large = sorted((self.members[first], self.members[second][known:]), key=len)
        for start in range(0, len(small), BLOCK):
            if self._conflict(small[start : start + BLOCK], large):
                self.apart[first].add(second)
                self.apart[second].add(first)
                return False
        return True

    def _conflict(self, some: Indices, others: Indices) -> bool:
        """Whether a pair is not above the floor, or one photo shows the two as different faces."""
        scores = self.rows[some] @ self.rows[others].T
        if (scores <= self.links.floor).any():
            return True
        return bool(((self.photos[some][:, None] == self.photos[others]) & (scores < SAME_PICTURE)).any())

    def _join(self, first: int, second: int) -> None:
        self.sums[first] += self.sums[second]
        self.members[first] = np.concatenate([self.members[first], self.members[second]])
        self.members[second] = self.members[second][:0]
        self.apart[first] |= self.apart[second]
        for other in self.apart[second]:
            self.apart[other].add(first)

    def _join_copies(self) -> None:
        """Equal embeddings (a photo kept twice) are one group from the start: ties without end would cost a round each."""
        _, first, where = np.unique(self.rows, axis=0, return_index=True, return_inverse=True)
        home = first[where.reshape(-1)]
        for place in np.flatnonzero(home != np.arange(len(home))):
            self._join(int(home[place]), int(place))
        self.alive = np.unique(home).astype(np.int64)


def _lengths(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # above a floor of 0 a sum of k unit rows is at least sqrt(k) long; below it the mean may vanish and points nowhere
    found: npt.NDArray[np.float64] = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return found
