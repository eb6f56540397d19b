"""What is measured on every network of a release, each step a file in a work folder: what is there is not measured again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edge_facenet_bench import report as bench_reports
from edge_facenet_bench.artifacts import describe, entries
from edge_facenet_bench.campaign import Campaign
from edge_facenet_bench.record import Artifact, Record
from edge_facenet_bench.timing import Plan
from hard_probes import verify

from edge_facenet import files, load, manifest, schema
from edge_facenet.cli import verifying
from edge_facenet.cli.progress import bar
from edge_facenet.cli.verify_select import Selection, select_people
from edge_facenet.photos.cropset import CropSet
from edge_facenet.verification import Pairs, compare, cosines, derive, read_split

LANES = ("litert-cpu-1t", "onnxruntime-cpu-1t")
FARS = (1e-1, 1e-2, 1e-3)
"""At which int8 is held against float."""


@dataclass(frozen=True)
class Network:
    """A file under test."""

    path: Path  # its manifest
    peer: bool  # somebody else's

    @property
    def artifact(self) -> Artifact:
        """As the bench describes it."""
        return describe(self.path)[0]


@dataclass(frozen=True)
class Sources:
    """Whom the networks are judged on."""

    crops: Path  # crop set that holds the held-out people
    split: Path  # split.json of the training: its calibrate people were held out
    second: Path  # crop set of other photos, nobody of it trained on
    per_person: int | None  # photos of each held-out person; None = all
    per_person_second: int


class Work:
    """Steps and their results in a folder."""

    def __init__(self, folder: Path, sources: Sources) -> None:
        self.folder, self.sources = folder, sources
        folder.mkdir(parents=True, exist_ok=True)
        self.crops = CropSet.open(sources.crops)
        self.second = CropSet.open(sources.second)
        self.split = read_split(sources.split)

    def equipped(self, network: Network) -> Network:
        """A network with thresholds in its manifest: a peer gets them from the held-out people, as ours did."""
        held = manifest.read(network.path)
        if held.thresholds is not None:
            return network
        place = self.folder / "peers" / network.path.name
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(network.path.parent / held.file, place.parent / held.file)
        chosen = self.held_out()
        scores = cosines(self.embeddings(network), chosen.pairs)
        source = f"{chosen.described}, {self.crops.path.name}: {len(self.split.calibrate)} people held out of training"
        found = schema.to_json(derive(scores, chosen.pairs, source))
        files.write_json(place, {**json.loads(network.path.read_text(encoding="utf-8")), "thresholds": found})
        return Network(place, network.peer)

    def held_out(self) -> Selection:
        """Pairs of the people held out of training."""
        return select_people(self.crops, self.split.calibrate, 0, self.sources.per_person)

    def embeddings(self, network: Network) -> np.ndarray:
        """(n, d) float32 of the held-out people's faces."""
        place = self.folder / f"{self._key(network, 'embeddings', [self.sources.per_person])}.npy"
        if not place.exists():
            with bar(f"{network.path.stem}: embedding", unit="crops") as on_progress:
                found = verifying.embed_all(load(network.path), self.crops, self.held_out().rows, on_progress)
            with files.atomic_writer(place) as stream:
                np.save(stream, found)
        return np.load(place)

    def judged_held_out(self, network: Network) -> dict[str, Any]:
        """`verify` on the people held out of training: accuracy, open set, hard probes."""
        words = ["--split", str(self.sources.split), "--part", "calibrate", *_drawn(self.sources.per_person)]
        return self._verify(network, self.sources.crops, "held-out", [*words, "--open-set", "--probes"])

    def judged_second(self, network: Network) -> dict[str, Any]:
        """`verify` on photos of another source: the same, and what the network's thresholds do there."""
        words = [*_drawn(self.sources.per_person_second), "--open-set", "--probes"]
        return self._verify(network, self.sources.second, "second", words)

    def against(self, network: Network, reference: Network) -> dict[str, Any]:
        """What `network` loses against its float network on the same pairs, with one-sided bounds over people."""

        def measured() -> dict[str, Any]:
            pairs = self.held_out().pairs
            both = [self.embeddings(one) for one in (network, reference)]
            return difference(both[0], both[1], pairs, reference.path.stem)

        return self._once(self._key(network, "against", [reference.artifact.sha256, self.sources.per_person]), measured)

    def latency(self, networks: Sequence[Network], seconds: float) -> list[Record]:
        """Records of one interleaved run of all networks, one thread each; raw samples stay in the folder."""
        shas = [network.artifact.sha256 for network in networks]
        out = self.folder / f"bench-{_digest([shas, seconds])}"
        if not (out / "done").exists():
            shutil.rmtree(out, ignore_errors=True)
            plan = Plan(seconds=seconds, paced_seconds=2 / 3 * seconds)
            lanes = entries([network.path for network in networks], LANES)
            with bar("Latency, all networks in turn", unit="blocks") as on_progress:
                Campaign(out, baselines=False).run(lanes, plan, on_progress)
            files.write_bytes(out / "done", b"")
        found = {one.artifact.sha256: one for one in bench_reports.load(out)[0]}
        return [found[sha] for sha in shas]

    def _verify(self, network: Network, crops: Path, what: str, words: list[str]) -> dict[str, Any]:
        return self._once(self._key(network, what, words), lambda: verify(str(network.path), str(crops), *words))

    def _once(self, key: str, measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        place = self.folder / f"{key}.json"
        if not place.exists():
            files.write_json(place, measured())
        return dict(json.loads(place.read_text(encoding="utf-8")))

    def _key(self, network: Network, what: str, more: Sequence[Any]) -> str:
        """Another file, manifest, crop set, split or option is another step."""
        split = files.sha256(self.sources.split)
        ours = [network.artifact.sha256, files.sha256(network.path), self.crops.sha256, self.second.sha256, split]
        return f"{network.path.stem}-{what}-{_digest([*ours, *more])}"


def difference(found: np.ndarray, wanted: np.ndarray, pairs: Pairs, reference: str) -> dict[str, Any]:
    """Embeddings of one network against another's on the same pairs: cosines, and TAR with one-sided bounds.

    Args:
        found, wanted: (n, d) unit rows of the same faces.
    """
    each = (found.astype(np.float64) * wanted).sum(axis=1)
    told = compare(cosines(found, pairs), cosines(wanted, pairs), pairs, fars=FARS)
    return {
        "reference": reference,
        "cosine_mean": round(float(each.mean()), 5),
        "cosine_min": round(float(each.min()), 5),
        **schema.to_json(told),
    }


def _drawn(per_person: int | None) -> list[str]:
    return [] if per_person is None else ["--per-person", str(per_person)]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:10]
