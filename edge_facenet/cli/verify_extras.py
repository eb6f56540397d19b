"""What `verify` measures beyond the pairs themselves, when asked: open set, hard probes, thresholds elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..embedder import Embedder
from ..errors import InputError, ThresholdError
from ..files import canonical_json, write_bytes
from ..gallery.decide import FPIR, MARGIN, threshold
from ..gallery.people import Templates
from ..manifest import Thresholds
from ..photos.cropset import CropSet
from ..schema import to_json
from ..verification import (
    Drawn,
    Identification,
    Pairs,
    Plan,
    ProbeTable,
    Rule,
    cosines,
    derive,
    identify_open_set,
    probes,
    sampled_pairs,
    transfer,
)
from .pictures import worst_pairs
from .progress import bar
from .verify_select import Selection, select_people
from .verifying import Elsewhere, Measured, Report, batches, check_template, draw, embed_all, embed_crops

PROBE_PAIRS = 100_000  # pairs of each kind: resampling people costs 8 kinds x 1,000 x this


@dataclasses.dataclass(frozen=True)
class Extras:
    """What is asked beyond the pairs."""

    open_set: Plan | None
    probes: bool
    transfer: tuple[Path, ...]
    thresholds: Path | None  # file to write thresholds derived here into
    worst: Path | None  # page of the pairs the network is most wrong about
    plots: Path | None  # folder for pictures
    per_person: int | None
    fars: tuple[float, ...]  # of the thresholds
    seed: int


def extend(
    network: Embedder, cropset: CropSet, chosen: Selection, measured: Measured, extras: Extras
) -> tuple[Report, Thresholds | None]:
    """The report with what was asked for, and the thresholds that were carried elsewhere."""
    report, carried = measured.report, None
    if extras.open_set is not None:
        report = dataclasses.replace(report, open_set=open_set(network, cropset, chosen, measured, extras.open_set))
    if extras.probes:
        report = dataclasses.replace(report, probes=hard_probes(network, cropset, chosen, measured, extras.seed))
    if extras.thresholds is not None or (extras.transfer and network.manifest.thresholds is None):
        carried = thresholds_here(cropset, chosen, measured, extras)
    if extras.plots is not None:
        report = dataclasses.replace(report, written=draw(extras.plots, network, measured))
    if extras.thresholds is not None and carried is not None:
        write_thresholds(extras.thresholds, carried)
        report = dataclasses.replace(report, written=(*report.written, str(extras.thresholds)))
    if extras.worst is not None:
        worst_pairs(extras.worst, cropset, chosen, measured)
        report = dataclasses.replace(report, written=(*report.written, str(extras.worst)))
    if extras.transfer:
        carried = network.manifest.thresholds or carried
        assert carried is not None
        found = elsewhere(network, carried, extras.transfer, extras.seed, extras.per_person)
        report = dataclasses.replace(report, elsewhere=found)
    return report, carried


def open_set(network: Embedder, cropset: CropSet, chosen: Selection, measured: Measured, plan: Plan) -> Identification:
    """FPIR and FNIR at rates asked for, and by the rule that galleries use, where the manifest's thresholds allow it."""
    rules = []
    own = network.manifest.thresholds
    if own is not None:
        rules.append(Rule(f"gallery, FPIR {FPIR:g} asked", lambda drawn: _gallery_threshold(own, drawn), MARGIN))
    return identify_open_set(measured.embeddings, cropset.labels[chosen.rows], plan, rules=rules)


def hard_probes(network: Embedder, cropset: CropSet, chosen: Selection, measured: Measured, seed: int) -> ProbeTable:
    """The same pairs, their second side made hard."""
    pairs, clean = measured.pairs, measured.embeddings
    if len(pairs) > 2 * PROBE_PAIRS:
        pairs = sampled_pairs(cropset.labels[chosen.rows], PROBE_PAIRS, PROBE_PAIRS, seed)
    moved = dataclasses.replace(pairs, b=pairs.b + len(clean))
    scores = {"clean": cosines(clean, pairs)}
    for kind in probes.KINDS:
        with bar(f"Embedding: {kind}", unit="crops") as on_progress:
            parts = [clean]
            for done, batch in batches(chosen.rows):
                crops = cropset.cut(batch, cropset.size - 2 * cropset.margin)
                parts.append(embed_crops(network, probes.harden(kind, crops, batch.tolist(), seed)))
                on_progress(done, len(chosen.rows))
        scores[kind] = cosines(np.concatenate(parts), moved)
    with bar("Resampling people", unit="resamples") as on_progress:
        return probes.judge(dict(scores), pairs, seed, on_progress, measured.report.verification.folds)


def thresholds_here(cropset: CropSet, chosen: Selection, measured: Measured, extras: Extras) -> Thresholds:
    """Thresholds of a network that has none, from these pairs.

    Raises:
        ThresholdError: too few people, or scores that mean nothing.
    """
    if not measured.report.verification.valid:
        reasons = " ".join(measured.report.verification.reasons)
        raise ThresholdError(f"No thresholds can be derived from an INVALID result: {reasons}")
    if measured.report.warnings:
        raise ThresholdError(f"No thresholds can be derived here: {measured.report.warnings[0]}")
    source = f"{chosen.described} of {cropset.path.name}, sha256 {cropset.sha256[:16]}"
    return derive(measured.scores, measured.pairs, source, extras.fars, extras.seed)


def write_thresholds(path: Path, thresholds: Thresholds) -> None:
    """The manifest's block `thresholds`, to be copied into a hand-written manifest."""
    write_bytes(path, canonical_json({"thresholds": to_json(thresholds)}).encode())


def elsewhere(
    network: Embedder, thresholds: Thresholds, others: Sequence[Path], seed: int, per_person: int | None
) -> tuple[Elsewhere, ...]:
    """These thresholds on other crop sets: everybody there, all pairs or a sample."""
    found = []
    for path in others:
        cropset = CropSet.open(path)
        check_template(network, cropset)
        chosen = select_people(cropset, None, seed, per_person)
        with bar(f"Embedding {path.name}", unit="crops") as on_progress:
            embeddings = embed_all(network, cropset, chosen.rows, on_progress)
        scores = cosines(embeddings, chosen.pairs)
        _need_both(path, chosen.pairs)
        with bar("Resampling people", unit="resamples") as on_progress:
            points = transfer(thresholds, scores, chosen.pairs, seed, on_progress)
        counts = (chosen.pairs.identities, chosen.pairs.genuine, chosen.pairs.impostor)
        found.append(Elsewhere(path.name, cropset.sha256, *counts, points))
    return tuple(found)


def _need_both(path: Path, pairs: Pairs) -> None:
    if not pairs.genuine or not pairs.impostor:
        raise InputError(
            f"Crop set {path} has {pairs.genuine:,} pairs of one person and {pairs.impostor:,} of two; thresholds are judged "
            "on both. Give photos of two people or more, several of each."
        )


def _gallery_threshold(own: Thresholds, drawn: Drawn) -> float:
    count, photos = len(drawn.people), len(drawn.embeddings) // len(drawn.people)
    templates = Templates(
        ids=drawn.people.astype(np.int64),
        names=tuple(str(p) for p in drawn.people),
        matrix=drawn.templates.astype(np.float32),
        embeddings=drawn.embeddings.astype(np.float32),
        owner=np.repeat(np.arange(count), photos),
        rejected=_nothing(drawn.templates.shape[1]),
        rejected_owner=np.empty(0, np.int64),
    )
    return threshold(own, templates, FPIR).cosine


def _nothing(dimension: int) -> NDArray[np.float32]:
    return np.empty((0, dimension), np.float32)
