"""What `verify` does between its options and its output: embed, judge, look for what would make the figures worthless."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..embedder import Embedder
from ..errors import InputError, SelfTestFailed, UnusableEmbedding
from ..photos.cropset import CropSet
from ..schema import doc
from ..verification import (
    Duplicates,
    Identification,
    PairCounts,
    Pairs,
    ProbeTable,
    Split,
    Transfer,
    Verification,
    clean,
    cosines,
    duplicates,
    evaluate,
    evaluate_embeddings,
    leaks,
    operating_points,
    signatures,
    sweep,
    transfer,
    with_intervals,
)
from ..verification.baselines import RAW_SIZE, raw_pixels
from ..verification.duplicates import MOST_ROWS
from ..verification.people import few_people, without_rates
from ..verification.protocol import finite
from .progress import bar
from .verify_select import Selection, select_file, select_people

__all__ = ["Measured", "Report", "Request", "embed_all", "measure", "select_file", "select_people"]

BATCH = 64  # crops embedded between two steps of the progress bar
BASELINE_PAIRS = 100_000  # raw pixels have 12,544 dimensions: above this they cost more than the network
FOLDS = 10
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Request:
    """What is asked about them."""

    fars: tuple[float, ...]
    folds: int | None  # None = FOLDS, fewer when there are fewer pairs
    seed: int
    trained_on: Split | None


@dataclass(frozen=True)
class Elsewhere:
    """Thresholds carried to another source."""

    source: str = doc("which crops")
    crops_sha256: str = doc("of that crop set's prepare.json")
    people: int = doc("people compared there")
    genuine: int = doc("pairs of one person")
    impostor: int = doc("pairs of two people")
    points: tuple[Transfer, ...] = doc("nominal beside realised rates, one per threshold")


@dataclass(frozen=True)
class Report:
    """What `verify --json` prints."""

    artifact: str = doc("model file")
    sha256: str | None = doc("of the model file")
    engine: str = doc("engine, and what did the work")
    crops_sha256: str = doc("of the crop set's prepare.json")
    pairs: str = doc("where the pairs come from")
    pairs_listed: int = doc("pairs asked for; the figures are of genuine + impostor of them")
    pictures_missing: int = doc("pictures of the pair file that are not in the crop set")
    people: tuple[str, ...] = doc("who was compared, as far as the crop set names them")
    seed: int = doc("of folds and resampling")
    warnings: tuple[str, ...] = doc("why these figures prove less than they seem to")
    verification: Verification = doc("figures")
    raw_pixels: float | None = doc("accuracy of raw pixels on the same pairs and folds, per cent")
    thresholds_source: str | None = doc("what the artifact's own thresholds were derived on")
    transfer: tuple[Transfer, ...] = doc("the artifact's own thresholds on these pairs")
    counts: PairCounts = doc("faults of the pair list")
    duplicates: Duplicates | None = doc("pictures that occur twice; absent when there are too many to compare")
    notes: tuple[str, ...] = doc("what a reader should know")
    written: tuple[str, ...] = doc("files written beside this report", ())
    open_set: Identification | None = doc("open-set identification, when asked for", None)
    probes: ProbeTable | None = doc("the same pairs made hard, when asked for", None)
    elsewhere: tuple[Elsewhere, ...] = doc("thresholds on other sources, when asked for", ())


@dataclass(frozen=True, eq=False)
class Measured:
    """A report and what it was made of, for whoever asks more."""

    report: Report
    embeddings: Floats
    scores: NDArray[np.float64]
    pairs: Pairs


def measure(network: Embedder, cropset: CropSet, chosen: Selection, request: Request) -> Measured:
    """Embed, judge, and look for whatever would make the figures worthless."""
    check_template(network, cropset)
    looks = look(cropset, chosen.rows)
    pairs, counts = clean(chosen.pairs, looks.digests)
    folds, notes = _folds(pairs, request.folds)
    file_order = chosen.file_order and request.folds is None
    with bar("Embedding", unit="crops") as on_progress:
        embeddings = embed_all(network, cropset, chosen.rows, on_progress)
    scores = cosines(embeddings, pairs)
    result = _judged(embeddings, scores, pairs, replace(request, folds=folds), file_order)
    result = _flagged(result, (*_self_test(network), *_leaks(cropset, chosen, request.trained_on, looks)))
    warnings = few_people(result)
    own = network.manifest.thresholds
    report = Report(
        artifact=network.manifest.file,
        sha256=network.manifest.sha256,
        engine=f"{network.engine.name} ({network.engine.ran_on})",
        crops_sha256=cropset.sha256,
        pairs=chosen.described,
        pairs_listed=chosen.listed,
        pictures_missing=len(chosen.missing),
        people=_people(cropset, chosen),
        seed=request.seed,
        warnings=warnings,
        verification=without_rates(result) if warnings else result,
        raw_pixels=_raw_pixels(cropset, chosen.rows, pairs, result, request.seed, file_order),
        thresholds_source=None if own is None else own.source,
        transfer=() if own is None else carried(network, scores, pairs, request.seed),
        counts=counts,
        duplicates=looks.duplicates,
        notes=(*chosen.notes, *notes, *counts.notes(), *looks.notes(), *_cautions(network, request)),
    )
    return Measured(report, embeddings, scores, pairs)


def check_template(network: Embedder, cropset: CropSet) -> None:
    """Raises InputError when the crops are cut otherwise than the network takes them."""
    if network.manifest.template != cropset.template:
        raise InputError(
            f"{network.manifest.file} takes crops of the template {network.manifest.template}; {cropset.path} holds "
            f"{cropset.template}. Prepare the photos again for it."
        )
    if network.manifest.margin:
        raise InputError(
            f"{network.manifest.file} takes crops with a margin of {network.manifest.margin} px; crop sets are measured "
            "without one, so what is found here would not hold for it."
        )


def carried(network: Embedder, scores: NDArray[np.float64], pairs: Pairs, seed: int) -> tuple[Transfer, ...]:
    """The artifact's own thresholds on these pairs."""
    own = network.manifest.thresholds
    assert own is not None
    with bar("Carrying thresholds over", unit="resamples") as on_progress:
        return transfer(own, scores, pairs, seed, on_progress)


def embed_all(
    network: Embedder, cropset: CropSet, rows: NDArray[np.int64], on_progress: Callable[[int, int], None] | None = None
) -> Floats:
    """(n, dimension) float32; a crop the network has no embedding for gets zeros or NaN, which the protocol reports."""
    parts = [np.empty((0, network.manifest.dimension), np.float32)]
    for done, batch in batches(rows):
        parts.append(embed_crops(network, cropset.cut(batch, cropset.size - 2 * cropset.margin)))
        if on_progress is not None:
            on_progress(done, len(rows))
    return np.concatenate(parts)


def embed_crops(network: Embedder, crops: NDArray[np.uint8]) -> Floats:
    """Unit rows; zeros for "no direction", NaN for "not finite": the two say different things about the network."""
    try:
        return np.asarray(network.embed(crops))
    except UnusableEmbedding as error:
        rows = np.full((len(crops), network.manifest.dimension), np.nan, np.float32)
        rows[list(error.zero)] = 0
        good = np.setdiff1d(np.arange(len(crops)), [*error.zero, *error.not_finite])
        rows[good] = network.embed(crops[good])
        return rows


def batches(rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(rows done after it, rows of the batch)."""
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        yield start + len(batch), batch


@dataclass(frozen=True, eq=False)
class Looks:
    """What the crops look like, independent of any network."""

    digests: list[str]
    signatures: Floats
    duplicates: Duplicates | None

    def notes(self) -> tuple[str, ...]:
        """Pictures that occur twice, or that nobody has looked."""
        if self.duplicates is None:
            return (f"near duplicates were not looked for: more than {MOST_ROWS:,} pictures",)
        return self.duplicates.notes()


def look(cropset: CropSet, rows: NDArray[np.int64]) -> Looks:
    """Hash and coarse picture of each crop; the same photo saved twice gives the same crop."""
    digests: list[str] = []
    parts = [np.empty((0, 256), np.float32)]
    with bar("Looking at the crops", unit="crops") as on_progress:
        for done, batch in batches(rows):
            crops = cropset.crops(batch)
            digests += [hashlib.blake2b(crop.tobytes(), digest_size=16).hexdigest() for crop in crops]
            parts.append(signatures(crops))
            on_progress(done, len(rows))
    seen = np.concatenate(parts)
    if len(seen) > MOST_ROWS:
        return Looks(digests, seen, None)
    sources = [cropset.rows[r].source for r in rows]
    return Looks(digests, seen, duplicates(seen, cropset.labels[rows], digests, sources))


def _judged(
    embeddings: Floats, scores: NDArray[np.float64], pairs: Pairs, request: Request, file_order: bool
) -> Verification:
    assert request.folds is not None
    result = evaluate_embeddings(embeddings, pairs, folds=request.folds, seed=request.seed, file_order=file_order)
    result = replace(result, val=operating_points(sweep(finite(scores), pairs.same), request.fars))
    with bar("Resampling people", unit="resamples") as on_progress:
        return with_intervals(result, scores, pairs, seed=request.seed, file_order=file_order, on_progress=on_progress)


def _folds(pairs: Pairs, wanted: int | None) -> tuple[int, tuple[str, ...]]:
    fewest = min(pairs.genuine, pairs.impostor)
    if wanted is not None or fewest >= FOLDS:
        return wanted or FOLDS, ()
    folds = max(2, fewest)
    return folds, (
        f"{folds} folds instead of {FOLDS}: {pairs.genuine:,} genuine and {pairs.impostor:,} impostor pairs",
    )


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


def _leaks(cropset: CropSet, chosen: Selection, trained_on: Split | None, seen: Looks) -> tuple[str, ...]:
    """Test people and pictures that training has seen, in one reason."""
    if trained_on is None:
        return ()
    here = set(trained_on.train) & set(cropset.identities)
    rows = cropset.rows_of(here)
    train = [cropset.rows[r] for r in rows]
    test = [cropset.rows[r] for r in chosen.rows]
    absent = [_Named(name) for name in trained_on.train if name not in here]
    blank = np.zeros((len(absent), seen.signatures.shape[1]), np.float32)
    found = leaks([*train, *absent], test, np.concatenate([_signatures(cropset, rows), blank]), seen.signatures)
    if not found:
        return ()
    listed = "; ".join(leak.sentence() for leak in found[:10])
    more = f"; and {len(found) - 10:,} more" if len(found) > 10 else ""
    return (f"training has seen what is tested: {listed}{more}",)


def _signatures(cropset: CropSet, rows: NDArray[np.int64]) -> Floats:
    parts = [np.empty((0, 256), np.float32)]
    with bar("Looking for test pictures among the training pictures", unit="crops") as on_progress:
        for done, batch in batches(rows):
            parts.append(signatures(cropset.crops(batch)))
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


def draw(folder: Path, network: Embedder, measured: Measured) -> tuple[str, ...]:
    """ROC and scores as pictures; their paths."""
    from ..verification import plots

    scores, pairs, own = measured.scores, measured.pairs, network.manifest.thresholds
    val = measured.report.verification.val
    points = [(p.far, p.threshold) for p in val] if own is None else [(p.far, p.cosine) for p in own.at]
    lines = {f"FAR {far:g}": cosine for far, cosine in points if cosine is not None}
    curve = {network.manifest.name or network.manifest.file: sweep(finite(scores), pairs.same)}
    written = (
        plots.roc(curve, folder / "roc.svg"),
        plots.histogram(scores, pairs.same, folder / "scores.svg", lines),
    )
    return tuple(str(path) for path in written)
