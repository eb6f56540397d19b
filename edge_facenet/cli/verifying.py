"""What `verify` does between its options and its output: choose pairs, embed, judge, report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..embedder import Embedder
from ..errors import InputError, SelfTestFailed
from ..files import canonical_json
from ..photos.cropset import CropSet
from ..schema import doc, to_json
from ..verification import (
    MAX_PAIRS,
    PairCounts,
    Pairs,
    Split,
    Transfer,
    Verification,
    all_pairs,
    clean,
    cosines,
    evaluate,
    evaluate_embeddings,
    leaks,
    operating_points,
    picture_index,
    read_pairs,
    sampled_pairs,
    signatures,
    sweep,
    transfer,
    with_intervals,
)
from ..verification.baselines import RAW_SIZE, raw_pixels
from ..verification.text import describe, describe_transfer
from .progress import bar

BATCH = 64  # crops embedded between two steps of the progress bar
SAMPLED = 1_000_000  # pairs of each kind, at most, when all are more than fit in memory
BASELINE_PAIRS = 100_000  # raw pixels have 12,544 dimensions: above this they cost more than the network
FOLDS = 10
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Selection:
    """Which crops are compared with which."""

    rows: NDArray[np.int64]  # rows of the crop set; `pairs` numbers them from 0
    pairs: Pairs
    described: str
    file_order: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What is asked about them."""

    fars: tuple[float, ...]
    folds: int | None  # None = FOLDS, fewer when there are fewer pairs
    seed: int
    trained_on: Split | None
    plots: Path | None


@dataclass(frozen=True)
class Report:
    """What `verify --json` prints."""

    artifact: str = doc("model file")
    sha256: str | None = doc("of the model file")
    engine: str = doc("engine, and what did the work")
    crops_sha256: str = doc("of the crop set's prepare.json")
    pairs: str = doc("where the pairs come from")
    people: tuple[str, ...] = doc("who was compared, as far as the crop set names them")
    seed: int = doc("of folds and resampling")
    verification: Verification = doc("figures")
    raw_pixels: float | None = doc("accuracy of raw pixels on the same pairs and folds, per cent")
    thresholds_source: str | None = doc("what the artifact's own thresholds were derived on")
    transfer: tuple[Transfer, ...] = doc("the artifact's own thresholds on these pairs")
    counts: PairCounts = doc("faults of the pair list")
    notes: tuple[str, ...] = doc("what a reader should know")
    plots: tuple[str, ...] = doc("files written")


def select_file(cropset: CropSet, file: Path, allow_missing: bool) -> Selection:
    """The pairs of a file, in its order and its folds."""
    index = picture_index(row.source for row in cropset.rows)
    listed = read_pairs(file, index, labels=cropset.labels, allow_missing=allow_missing)
    rows, places = np.unique(np.concatenate([listed.pairs.a, listed.pairs.b]), return_inverse=True)
    count = len(listed.pairs)
    pairs = replace(listed.pairs, a=places[:count], b=places[count:])
    notes = []
    if listed.missing:
        notes.append(
            f"{count:,} of {listed.listed:,} pairs found, {len(listed.missing):,} pictures missing, the first "
            f"{listed.missing[0]}: these figures are not {file.name}'s, and its folds are not kept"
        )
    file_order = pairs.fold is not None and not listed.missing
    return Selection(rows, pairs, f"pair file {file.name}", file_order, tuple(notes))


def select_people(cropset: CropSet, people: Sequence[str] | None, seed: int) -> Selection:
    """All pairs of these people, or of everybody; a sample when all are too many."""
    if people is not None and not people:
        raise InputError("The split has no test people. Train with some, or leave out --split.")
    rows = np.flatnonzero(cropset.labels >= 0) if people is None else cropset.rows_of(people)
    labels = cropset.labels[rows]
    described = "all pairs of " + ("everybody in the crop set" if people is None else "the split's test people")
    if len(rows) * (len(rows) - 1) // 2 <= MAX_PAIRS:
        return Selection(rows, all_pairs(labels), described)
    pairs = sampled_pairs(labels, SAMPLED, SAMPLED, seed)
    note = f"all pairs are too many; at most {SAMPLED:,} of each kind were drawn with seed {seed}"
    return Selection(rows, pairs, described.replace("all pairs", "sampled pairs"), notes=(note,))


def measure(network: Embedder, cropset: CropSet, chosen: Selection, request: Request) -> Report:
    """Embed, judge, and look for whatever would make the figures worthless."""
    if network.manifest.template != cropset.template:
        raise InputError(
            f"{network.manifest.file} takes crops of the template {network.manifest.template}; {cropset.path} holds "
            f"{cropset.template}. Prepare the photos again for it."
        )
    pairs, counts = clean(chosen.pairs, _digests(cropset, chosen.rows))
    folds, notes = _folds(pairs, request.folds)
    file_order = chosen.file_order and request.folds is None
    with bar("Embedding", unit="crops") as on_progress:
        embeddings = embed_all(network, cropset, chosen.rows, on_progress)
    scores = cosines(embeddings, pairs)
    result = evaluate_embeddings(embeddings, pairs, folds=folds, seed=request.seed, file_order=file_order)
    result = replace(result, val=operating_points(sweep(_usable(scores), pairs.same), request.fars))
    with bar("Resampling people", unit="resamples") as on_progress:
        result = with_intervals(
            result, scores, pairs, seed=request.seed, file_order=file_order, on_progress=on_progress
        )
    result = _flagged(result, (*_self_test(network), *_leaks(cropset, chosen, request.trained_on)))
    own = network.manifest.thresholds
    return Report(
        artifact=network.manifest.file,
        sha256=network.manifest.sha256,
        engine=f"{network.engine.name} ({network.engine.ran_on})",
        crops_sha256=cropset.sha256,
        pairs=chosen.described,
        people=_people(cropset, chosen),
        seed=request.seed,
        verification=result,
        raw_pixels=_raw_pixels(cropset, chosen.rows, pairs, result, request.seed, file_order),
        thresholds_source=None if own is None else own.source,
        transfer=() if own is None else transfer(own, scores, pairs, request.seed),
        counts=counts,
        notes=(*chosen.notes, *notes, *counts.notes(), *_cautions(network, request)),
        plots=() if request.plots is None else _draw(request.plots, network, scores, pairs, result),
    )


def embed_all(
    network: Embedder, cropset: CropSet, rows: NDArray[np.int64], on_progress: Callable[[int, int], None] | None = None
) -> Floats:
    """(n, dimension) float32; a crop the network has no embedding for gets zeros or NaN, which the protocol reports."""
    parts = []
    for done, batch in _batches(rows):
        crops = cropset.cut(batch, cropset.size - 2 * cropset.margin)
        try:
            parts.append(network.embed(crops))
        except InputError:
            parts.append(np.stack([_embed_one(network, crop) for crop in crops]))
        if on_progress is not None:
            on_progress(done, len(rows))
    return np.concatenate(parts)


def as_json(report: Report) -> str:
    """One JSON object."""
    return canonical_json(to_json(report)).rstrip()


def as_text(report: Report) -> str:
    """The report for a terminal."""
    lines = [f"{report.artifact} on {report.engine}", f"{report.pairs[0].upper()}{report.pairs[1:]}", ""]
    lines += describe(report.verification)
    if report.raw_pixels is not None:
        lines.append(f"Raw pixels reach {report.raw_pixels:.2f} % on the same pairs.")
    if report.transfer:
        lines += ["", *describe_transfer(report.transfer, report.thresholds_source or "unknown data")]
    lines += ["", *(f"Note: {note}." for note in report.notes)] if report.notes else []
    lines += [f"Written: {path}" for path in report.plots]
    return "\n".join(lines)


def _batches(rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        yield start + len(batch), batch


def _embed_one(network: Embedder, crop: NDArray[np.uint8]) -> Floats:
    try:
        return np.asarray(network.embed(crop[None])[0])
    except InputError as error:
        # zeros for "no direction", NaN for "not finite": the two say different things about the network
        value = 0.0 if "all zeros" in str(error) else np.nan
        return np.full(network.manifest.dimension, value, np.float32)


def _digests(cropset: CropSet, rows: NDArray[np.int64]) -> list[str]:
    """A hash of each crop's pixels: the same photo saved twice gives the same crop."""
    return [
        hashlib.blake2b(crop.tobytes(), digest_size=16).hexdigest()
        for _, batch in _batches(rows)
        for crop in cropset.crops(batch)
    ]


def _folds(pairs: Pairs, wanted: int | None) -> tuple[int, tuple[str, ...]]:
    fewest = min(pairs.genuine, pairs.impostor)
    if wanted is not None or fewest >= FOLDS:
        return wanted or FOLDS, ()
    folds = max(2, fewest)
    return folds, (
        f"{folds} folds instead of {FOLDS}: {pairs.genuine:,} genuine and {pairs.impostor:,} impostor pairs",
    )


def _usable(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    from ..verification.protocol import finite

    return finite(scores)


def _flagged(result: Verification, reasons: tuple[str, ...]) -> Verification:
    every = tuple(dict.fromkeys((*result.reasons, *(r.rstrip(".") for r in reasons))))
    return replace(result, valid=not every, reasons=every)


def _self_test(network: Embedder) -> tuple[str, ...]:
    try:
        network.self_test()
    except SelfTestFailed as error:
        return (str(error),)
    return ()


@dataclass(frozen=True)
class _Named:
    """A training person whose pictures are not in this crop set."""

    identity: str
    source: str = ""
    sha256: str = ""


def _leaks(cropset: CropSet, chosen: Selection, trained_on: Split | None) -> tuple[str, ...]:
    """Test people and pictures that training has seen, in one reason."""
    if trained_on is None:
        return ()
    here = set(trained_on.train) & set(cropset.identities)
    rows = cropset.rows_of(here)
    train = [cropset.rows[r] for r in rows]
    test = [cropset.rows[r] for r in chosen.rows]
    with bar("Looking for test pictures among the training pictures", unit="crops") as on_progress:
        looks = _signatures(cropset, rows, on_progress)
    absent = [_Named(name) for name in trained_on.train if name not in here]
    blank = np.zeros((len(absent), looks.shape[1]), np.float32)
    found = leaks([*train, *absent], test, np.concatenate([looks, blank]), _signatures(cropset, chosen.rows))
    if not found:
        return ()
    listed = "; ".join(leak.sentence() for leak in found[:10])
    more = f"; and {len(found) - 10:,} more" if len(found) > 10 else ""
    return (f"training has seen what is tested: {listed}{more}",)


def _signatures(
    cropset: CropSet, rows: NDArray[np.int64], on_progress: Callable[[int, int], None] | None = None
) -> Floats:
    parts = [np.empty((0, 256), np.float32)]
    for done, batch in _batches(rows):
        parts.append(signatures(cropset.crops(batch)))
        if on_progress is not None:
            on_progress(done, len(rows))
    return np.concatenate(parts)


def _people(cropset: CropSet, chosen: Selection) -> tuple[str, ...]:
    used = np.unique(cropset.labels[chosen.rows])
    return tuple(cropset.identities[k] for k in used if k >= 0)


def _raw_pixels(
    cropset: CropSet, rows: NDArray[np.int64], pairs: Pairs, result: Verification, seed: int, file_order: bool
) -> float | None:
    if len(pairs) > BASELINE_PAIRS:
        return None
    scores = cosines(raw_pixels(cropset.cut(rows, RAW_SIZE)), pairs)
    return evaluate(
        scores, pairs, folds=result.folds, seed=seed, balanced=result.balanced, file_order=file_order
    ).accuracy


def _cautions(network: Embedder, request: Request) -> tuple[str, ...]:
    notes = []
    if network.manifest.thresholds is None:
        notes.append("the manifest holds no thresholds; export derives them on people kept aside for it")
    if request.trained_on is None:
        notes.append("without --split nobody has checked that these people were not trained on")
    return tuple(notes)


def _draw(
    folder: Path, network: Embedder, scores: NDArray[np.float64], pairs: Pairs, result: Verification
) -> tuple[str, ...]:
    from ..verification import plots

    own = network.manifest.thresholds
    points = [(p.far, p.threshold) for p in result.val] if own is None else [(p.far, p.cosine) for p in own.at]
    lines = {f"FAR {far:g}": cosine for far, cosine in points if cosine is not None}
    curve = {network.manifest.name or network.manifest.file: sweep(_usable(scores), pairs.same)}
    written = (
        plots.roc(curve, folder / "roc.svg"),
        plots.histogram(scores, pairs.same, folder / "scores.svg", lines),
    )
    return tuple(str(path) for path in written)
