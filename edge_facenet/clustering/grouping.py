"""From embeddings to people: groups, who is left alone, and each group's widest pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_facenet.errors import InputError
from edge_facenet.gallery.decide import MARGIN  # a poor face joins only what it is so much nearer to than to any other
from edge_facenet.manifest import Thresholds
from edge_facenet.schema import doc

from .linkage import BLOCK, SAME_PICTURE, Indices, OnProgress, Rows, agglomerate, check_rows
from .threshold import WRONG, AlbumThreshold, album_threshold, strangers_shift


@dataclass(frozen=True)
class Group:
    """One person, as far as can be told."""

    members: tuple[int, ...] = doc("faces, the most typical first")
    similarity: tuple[float, ...] = doc("cosine of each to the group's template")
    widest: tuple[int, int, float] = doc("the two faces that are least alike, and their cosine")


@dataclass(frozen=True)
class Grouping:
    """An album by person."""

    threshold: AlbumThreshold = doc("what was asked of a pair")
    groups: tuple[Group, ...] = doc("the largest first; of equal ones the one with the earlier face")
    alone: tuple[int, ...] = doc("faces without a second one, ascending")


@dataclass(frozen=True)
class Faces:
    """What is grouped. Rows are in the order of the photos' names, so that equal albums give equal groups."""

    embeddings: npt.ArrayLike = doc("(n, d) unit rows")
    photos: npt.ArrayLike = doc("(n,) the photo each face stands in, whole numbers")
    good: npt.ArrayLike = doc("(n,) bool: good enough to found a group or to hold two together")


def group(
    faces: Faces, thresholds: Thresholds | None, wrong: float = WRONG, on_progress: OnProgress | None = None
) -> Grouping:
    """Group faces by person.

    Good faces alone make the groups; a poor one (blurred, turned away, small) joins the one group it is clearly nearest
    to, or stays alone, and never holds two groups together.

    Args:
        thresholds: the artifact's operating points.
        wrong: share of faces that may be joined with a stranger.
        on_progress: (joins made, faces).
    Raises:
        InputError: shapes that do not belong together; an embedding that is not of unit length.
        ThresholdError, ConfigError: as `album_threshold`.
    """
    rows, photos, good = _checked(faces)
    first = album_threshold(thresholds, len(rows), wrong)
    labels = agglomerate(rows[good], photos[good], first.links)
    shift = strangers_shift(rows[good], labels, thresholds)
    if not shift:
        return _grouping(rows, photos, good, labels, first)
    return group_at(faces, album_threshold(thresholds, len(rows), wrong, shift), on_progress)


def group_at(faces: Faces, limit: AlbumThreshold, on_progress: OnProgress | None = None) -> Grouping:
    """Group faces at a threshold that is given.

    Raises:
        InputError: as `group`.
    """
    rows, photos, good = _checked(faces)
    return _grouping(rows, photos, good, agglomerate(rows[good], photos[good], limit.links, on_progress), limit)


def _grouping(
    rows: Rows, photos: Indices, good: npt.NDArray[np.bool_], labels: Indices, limit: AlbumThreshold
) -> Grouping:
    sound = np.flatnonzero(good)
    members = [sound[labels == number] for number in range(int(labels.max(initial=-1)) + 1)]
    joined = _join_poor(rows, photos, members, limit)
    found = [_described(rows, part) for part in joined if len(part) > 1]
    found.sort(key=lambda one: (-len(one.members), min(one.members)))
    grouped = {face for one in found for face in one.members}
    return Grouping(limit, tuple(found), tuple(k for k in range(len(rows)) if k not in grouped))


def _checked(faces: Faces) -> tuple[Rows, Indices, npt.NDArray[np.bool_]]:
    rows = check_rows(faces.embeddings)
    photos, good = np.asarray(faces.photos, np.int64), np.asarray(faces.good, bool)
    if photos.shape != (len(rows),) or good.shape != (len(rows),):
        raise InputError(
            f"Grouping needs one photo and one verdict a face; found {len(rows)} faces, {photos.shape} photos and "
            f"{good.shape} verdicts."
        )
    return rows, photos, good


def _join_poor(rows: Rows, photos: Indices, members: list[Indices], limit: AlbumThreshold) -> list[Indices]:
    """Poor faces to the groups of good ones; judged by the good ones alone, so that their order does not matter."""
    if not members:
        return members
    templates = np.stack([template(rows[part]) for part in members])
    poor = np.setdiff1d(np.arange(len(rows)), np.concatenate(members))
    wanted: list[tuple[float, int, int]] = []
    for start in range(0, len(poor), BLOCK):
        block = poor[start : start + BLOCK]
        scores = rows[block] @ templates.T
        for face, row in zip(block, scores, strict=True):
            best = int(row.argmax())
            second = float(np.delete(row, best).max(initial=-1.0))
            if row[best] > limit.cosine and row[best] - second >= MARGIN:
                wanted.append((-float(row[best]), int(face), best))
    joined = list(members)
    for _, face, best in sorted(wanted):  # of two faces of one photo the nearer one gets the place
        if _fits(rows, photos, face, joined[best], limit.floor):
            joined[best] = np.append(joined[best], face)
    return joined


def _fits(rows: Rows, photos: Indices, face: int, group: Indices, floor: float) -> bool:
    scores = rows[group] @ rows[face]
    return not bool((scores <= floor).any() or ((photos[group] == photos[face]) & (scores < SAME_PICTURE)).any())


def _described(rows: Rows, part: Indices) -> Group:
    part = np.sort(part)
    scores = rows[part] @ template(rows[part])
    order = np.argsort(-scores.round(6), kind="stable")
    a, b, cosine = _widest(rows[part])
    widest = (int(part[a]), int(part[b]), round(cosine, 6))
    return Group(tuple(int(k) for k in part[order]), tuple(round(float(s), 6) for s in scores[order]), widest)


def _widest(rows: Rows) -> tuple[int, int, float]:
    """The pair with the lowest cosine: places a < b, and the cosine."""
    lowest = (0, 1, 2.0)
    for start in range(0, len(rows), BLOCK):
        scores = rows[start : start + BLOCK] @ rows.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = 2.0  # a face with itself is no pair
        a, b = np.unravel_index(int(scores.argmin()), scores.shape)
        if scores[a, b] < lowest[2]:
            lowest = (int(a) + start, int(b), float(scores[a, b]))
    return min(lowest[:2]), max(lowest[:2]), lowest[2]


def template(rows: Rows) -> Rows:
    """(d,) renormalised mean of unit rows."""
    mean = rows.astype(np.float64).sum(0)
    unit: Rows = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
    return unit
