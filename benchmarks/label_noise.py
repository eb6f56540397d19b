"""How many planted wrong names the noise report finds: benchmarks/results/label-noise.json.

    python benchmarks/label_noise.py CROPS NETWORK.json [NETWORK.json ...] --source celeba_matush

Among the people of --source with at least ten pictures, 3 % of the pictures get another such person's name, ten times with
other seeds. Recall: how many of them stand within the first tenth (and the first 3 %) of the ranking of all pictures.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import typer
from edge_facenet_bench import machine

from edge_facenet import files, load, schema
from edge_facenet.cli import verifying
from edge_facenet.cli.progress import bar
from edge_facenet.photos.cropset import CropSet
from edge_facenet.verification import noise

SHARE, MIN_PHOTOS, SEEDS = 0.03, 10, 10
FIRST = (0.10, SHARE)


def main() -> None:
    """Plant, rank, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--source", default="", help="people whose name begins so; default: everybody")
    parser.add_argument("--remark", default="", help="what a person saw at the top of the unplanted ranking")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "label-noise.json")
    options = parser.parse_args()
    crops = CropSet.open(options.crops)
    people = [name for name in crops.identities if name.startswith(options.source)]
    rows = crops.rows_of(people)
    labels = crops.labels[rows].astype(np.int64)
    found = [_judged(network, crops, rows, labels) for network in options.networks]
    record = {
        "what": f"recall of planted wrong names ({SHARE:.0%} of the pictures of people with {MIN_PHOTOS} or more), {SEEDS} seeds",
        "command": f"python benchmarks/label_noise.py CROPS NETWORKS --source {options.source}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "crops_sha256": crops.sha256,
        "people": len(people),
        "pictures": len(rows),
        "results": found,
        "looked at": options.remark,
        "machine": schema.to_json(machine.describe()),
    }
    files.write_json(options.out, record)
    typer.echo(f"Written: {options.out}")


def _judged(network: Path, crops: CropSet, rows: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    embedder = load(network)
    with bar(f"Embedding with {network.stem}", unit="crops") as on_progress:
        embeddings = verifying.embed_all(embedder, crops, rows, on_progress)
    people, sizes = np.unique(labels, return_counts=True)
    many = np.isin(labels, people[sizes >= MIN_PHOTOS])
    rates: dict[str, dict[str, list[float]]] = {}
    for scope, kept in (("everybody ranked", np.ones(len(labels), bool)), ("people with ten or more ranked", many)):
        rates[scope] = {f"first {first:.0%}": [] for first in FIRST}
        for seed in range(SEEDS):
            wrong_labels, wrong = noise.plant(labels[kept], SHARE, seed, MIN_PHOTOS)
            ranked = noise.suspects(embeddings[kept], wrong_labels)
            for first in FIRST:
                rates[scope][f"first {first:.0%}"].append(noise.recall(ranked, wrong, first))
    unplanted = noise.suspects(embeddings, labels)
    row = {
        "network": network.stem,
        "sha256": embedder.manifest.sha256,
        "planted": round(SHARE * int(many.sum())),
        "recall": {
            scope: {k: {"mean": round(float(np.mean(v)), 4), "least": round(min(v), 4)} for k, v in by.items()}
            for scope, by in rates.items()
        },
        "unplanted pictures that resemble somebody else more": sum(s.margin < 0 for s in unplanted),
        "names that look like one person": len(noise.same_faces(embeddings, labels)),
    }
    typer.echo(f"{network.stem}: {row['recall']}")
    return row


if __name__ == "__main__":
    main()
