"""Card, README and plot of a release, written from benchmarks/results/released.json so that no figure can be stale."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pareto
import released_tables as tables
import typer

from edge_facenet import files
from edge_facenet.errors import InputError

PLOT = "released-pareto.svg"
Blocks = dict[str, str]


def write(results: Path, released: Path, readme: Path) -> None:
    """Bring every card's blocks, the README's and the plot up to date.

    Raises:
        InputError: a page lacks a block's markers, or a released file is not the one that was measured.
    """
    record = json.loads((results / "released.json").read_text(encoding="utf-8"))
    runs = json.loads((results / "lfw-runs.json").read_text(encoding="utf-8"))["runs"]
    check(record["networks"], released)
    files.write_bytes(results / PLOT, pareto.draw(record["networks"]).encode())
    pages = [readme]
    into(readme, readme_blocks(record))
    for name in dict.fromkeys(one["network"] for one in record["networks"] if not one["peer"]):
        pages.append(released / name / "CARD.md")
        into(pages[-1], card_blocks(record, runs, name))
    typer.echo(f"Written: {', '.join(str(page) for page in pages)}, {results / PLOT}")


def check(networks: Sequence[dict[str, Any]], released: Path) -> None:
    """The files that were measured are the files that are released.

    Raises:
        InputError: names those that are not.
    """
    measured = {one["name"]: one["sha256"] for one in networks if not one["peer"]}
    there = {p.stem: json.loads(p.read_text(encoding="utf-8"))["sha256"] for p in released.glob("*/*.json")}
    if differing := sorted(name for name in measured | there if measured.get(name) != there.get(name)):
        raise InputError(
            f"Not what was measured: {', '.join(differing)}. Run: python benchmarks/released.py run WORK …"
        )


def card_blocks(record: dict[str, Any], runs: Sequence[dict[str, Any]], name: str) -> Blocks:
    """The generated parts of a network's card."""
    every = [one for one in record["networks"] if one["peer"] or one["network"] == name]
    ours = [one for one in every if not one["peer"]]
    return {
        "files": tables.files(ours),
        "accuracy": tables.accuracy(every, record),
        "int8": tables.against_float(ours),
        "open set": tables.open_set(every),
        "thresholds": tables.thresholds(ours[0]),
        "transfer": tables.transfer(every),
        "probes": f"{tables.probes(every, 'held_out')}\n\n{tables.probes(every, 'second')}",
        "latency": tables.latency(every, record),
        "lfw": tables.lfw_runs(runs),
    }


def readme_blocks(record: dict[str, Any]) -> Blocks:
    """The generated parts of the README."""
    networks = record["networks"]
    plot = (
        f"Ours and two well-known peers in one run:\n\n![Accuracy against latency and size](benchmarks/results/{PLOT})"
    )
    return {
        "in short": in_short(networks[0], record["machine"]["cpu"]),
        "released": f"{plot}\n\n{tables.latency(networks, record)}\n\n{who_takes_what(networks)}",
    }


def in_short(best: dict[str, Any], cpu: str) -> str:
    """The released default in one sentence."""
    lfw, took = best["lfw"], best["latency"]
    on_lfw = (
        f"decides {lfw['accuracy']:.1f} ± {lfw['standard_error']:.1f} % of LFW's pairs rightly (int8, raw photos, no flip)"
        if lfw
        else f"accepts {tables.tar(best['held_out'], 1e-2)} % of genuine pairs at a false accept rate of 1e-2 on people held out"
    )
    paced = f" ({took['paced_ms']:.2g} ms at a camera's pace)" if took["paced_ms"] else ""
    return f"`{best['network']}` {on_lfw}, in {took['ms']:.2g} ms a face{paced} on one core ({cpu}); finding it comes on top."


def who_takes_what(networks: Sequence[dict[str, Any]]) -> str:
    """One line: which file is for whom."""
    small, peers = networks[0], [one for one in networks if one["peer"]]
    ours = [one for one in networks if not one["peer"]]
    by = {one["name"].removeprefix(f"{one['network']}-"): one for one in ours if one["network"] == small["network"]}
    others = [one for one in ours if one["network"] != small["network"]]
    parts = [f"Take `{small['name']}` on phones, Raspberry Pis and small computers"]
    parts += [f"`{by['fp16']['name']}` on a GPU"] if "fp16" in by else []
    parts += [f"`{by['int8-onnx']['name']}` where ONNX Runtime is at hand"] if "int8-onnx" in by else []
    parts += [f"`{one['name']}` where a chip's compiler wants that architecture" for one in others]
    line = ", ".join(parts)
    if not peers:
        return f"{line}."
    best = max(peers, key=lambda one: _tar(one, 1e-3))
    times = best["latency"]["ms"] / small["latency"]["ms"]
    gain = _tar(best, 1e-3) - _tar(small, 1e-3)
    return (
        f"{line}; a peer such as `{best['name']}` ([foreign.md](docs/foreign.md)) where {gain:+.1f} points of TAR at FAR 1e-3 "
        "(share of same-person pairs accepted where one pair of strangers in 1,000 is, people held out) are worth "
        f"{times:.0f} times the time and {best['bytes'] / small['bytes']:.1f} times the bytes."
    )


def into(page: Path, blocks: Blocks) -> None:
    """Replace what stands between each block's marks.

    Raises:
        InputError: the page lacks one of them.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in blocks.items():
        begin, end = f"<!-- {name}: written by benchmarks/released.py report -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise InputError(f"{page.name} lacks the marks of {name}: put {begin} and {end} into it.")
        whole = f"{begin}\n{content}\n{end}"
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, w=whole: w, text, flags=re.DOTALL)
    files.write_bytes(page, text.encode())


def _tar(network: dict[str, Any], far: float) -> float:
    return 100 * float(tables.point_at(network["held_out"], far).get("val") or 0.0)
