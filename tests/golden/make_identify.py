"""Make identify.json: galleries, probes and the decisions that Python and Kotlin must give.

Written without numpy and without edge_facenet, number by number, so that it can contradict both. Run it from the
project's root: python tests/golden/make_identify.py
"""

from __future__ import annotations

import json
import math
import random
import struct
from pathlib import Path
from statistics import NormalDist

MARGIN, PRIOR, HIGHEST, FEW, MANY = 0.05, 5.0, 0.9, 4, 50
POINTS = {0.1: 0.15, 0.01: 0.27, 0.001: 0.361, 0.0001: 0.436}
CLEAR = 1e-4  # probes whose decision is nearer to an edge than this are left out: float32 may move a score by 128 * 2**-24 = 8e-6


def f32(x: float) -> float:
    """The nearest float32, written with the nine digits that tell it from its neighbours."""
    return float(f"{struct.unpack('<f', struct.pack('<f', x))[0]:.9g}")


def unit(v: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(x * x for x in v))
    return [f32(x / length) for x in v]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def template(vectors: list[list[float]]) -> list[float]:
    return unit([math.fsum(column) / len(vectors) for column in zip(*vectors, strict=True)])


def threshold(points: dict[float, float], people: list[list[list[float]]], fpir: float) -> dict[str, object]:
    """The rule, as the contract words it."""
    z_of = lambda far: -NormalDist().inv_cdf(far)  # noqa: E731
    line = [(z_of(far), points[far]) for far in sorted(points, reverse=True)]
    zm = math.fsum(z for z, _ in line) / len(line)
    cm = math.fsum(c for _, c in line) / len(line)
    s0 = math.fsum((z - zm) * (c - cm) for z, c in line) / math.fsum((z - zm) ** 2 for z, _ in line)
    mu0 = cm - s0 * zm
    count = len(people)
    far = 1 - (1 - fpir) ** (1 / max(count, 1))
    z = z_of(far)
    inner = [k for k in range(len(line) - 1) if line[k][0] <= z <= line[k + 1][0]]
    k = inner[0] if inner else (0 if z < line[0][0] else len(line) - 2)
    (za, ca), (zb, cb) = line[k], line[k + 1]
    t = ca + (cb - ca) * (z - za) / (zb - za)
    z = (t - mu0) / s0
    heads = [template(person) for person in people]
    pairs = []
    for a in range(count):
        for b in range(a + 1, count):
            pairs.append([dot(e, heads[b]) for e in people[a]] + [dot(e, heads[a]) for e in people[b]])
    pairs.sort(key=lambda scores: -math.fsum(scores) / len(scores))

    def own(kept: list[list[float]]) -> float:
        n, cross = len(kept), [x for scores in kept for x in scores]
        m = math.fsum(cross) / len(cross) if cross else 0.0
        v = math.fsum((x - m) ** 2 for x in cross) / len(cross) if cross else 0.0
        mu = (n * m + PRIOR * mu0) / (n + PRIOR)
        var = (n * v + PRIOR * s0**2 + n * PRIOR / (n + PRIOR) * (m - mu0) ** 2) / (n + PRIOR)
        nu = n + PRIOR - 1
        tq = z + (z**3 + z) / (4 * nu) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
        tq += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
        return mu + math.sqrt(var) * tq * math.sqrt(1 + 1 / (n + PRIOR))

    if count <= FEW:
        pairs = pairs[1:]
    while count <= MANY and pairs and math.fsum(pairs[0]) / len(pairs[0]) > max(t, own(pairs[1:])):
        pairs = pairs[1:]
    cosine = min(max(t, own(pairs)), HIGHEST)
    source = "the manifest's thresholds"
    if own(pairs) > t:
        source = "the enrolled people's own scores" if pairs else source + ", widened: no pair of people to learn from"
    smallest, largest = min(points), max(points)
    extrapolated = far < smallest * (1 - 1e-9) or far > largest * (1 + 1e-9)
    return {"cosine": cosine, "far": far, "extrapolated": extrapolated, "source": source}


def decide(
    probe: list[float], people: list[list[list[float]]], rejected: list[tuple[int, list[float]]], limit: float
) -> dict[str, object]:
    """Persons are numbered from 0."""
    heads = [template(person) for person in people]
    out = {p for p, r in rejected if dot(probe, r) >= dot(probe, heads[p])}
    scores = sorted(((dot(probe, head), -p) for p, head in enumerate(heads) if p not in out), reverse=True)
    if not scores:
        return {"person": None, "similarity": None, "second": None, "ambiguous": [], "clear": True}
    best, second = scores[0][0], scores[1][0] if len(scores) > 1 else None
    gaps = [best - limit, *(best - s - MARGIN for s, _ in scores[1:])]
    clear = all(abs(gap) > CLEAR for gap in gaps)
    person, ambiguous = None, []
    if best > limit and (second is None or best - second >= MARGIN):
        person = -scores[0][1]
    elif best > limit:
        ambiguous = sorted(-p for s, p in scores if best - s < MARGIN)  # two scores may be equal
    return {"person": person, "similarity": best, "second": second, "ambiguous": ambiguous, "clear": clear}


def near(rng: random.Random, centre: list[float], cosine: float) -> list[float]:
    """A unit vector at about this cosine to `centre`."""
    noise = [rng.gauss(0, 1) for _ in centre]
    along = dot(noise, centre)
    across = [x - along * c for x, c in zip(noise, centre, strict=True)]
    length = math.sqrt(dot(across, across))
    side = math.sqrt(1 - cosine * cosine) / length
    return unit([cosine * c + side * a for c, a in zip(centre, across, strict=True)])


def case(name: str, rng: random.Random, people: list[list[list[float]]], **more: object) -> dict[str, object]:
    points = more.pop("points", POINTS)
    fpir = more.pop("fpir", 0.01)
    rejected = more.pop("rejected", [])
    probes = list(more.pop("probes", []))
    limit = threshold(points, people, fpir)
    for person in people:
        probes += [near(rng, template(person), c) for c in (0.95, 0.6, 0.4)]
    dimension = len(people[0][0]) if people else 16
    probes += [unit([rng.gauss(0, 1) for _ in range(dimension)]) for _ in range(3)]
    cosine = more.pop("limit", limit["cosine"])
    answers = [decide(p, people, rejected, cosine) for p in probes]
    probes = [p for p, answer in zip(probes, answers, strict=False) if answer["clear"]]
    answers = [answer for answer in answers if answer.pop("clear")]
    return {
        "name": name,
        "fpir": fpir,
        "points": [{"far": far, "cosine": cosine} for far, cosine in points.items()],
        "people": people,
        "rejected": [{"person": p, "embedding": r} for p, r in rejected],
        "threshold": limit,
        "limit": cosine,  # the threshold that the probes are judged by
        "probes": probes,
        "answers": answers,
    }


def crowd(rng: random.Random, people: int, photos: int, dimension: int = 16, shift: float = 0.0) -> list:
    """People whose faces share a direction: `shift` is about the cosine between strangers."""
    common = unit([rng.gauss(0, 1) for _ in range(dimension)])
    heads = [near(rng, common, math.sqrt(shift)) for _ in range(people)]
    return [[near(rng, head, 0.85) for _ in range(photos)] for head in heads]


def axis(k: int, dimension: int = 16) -> list[float]:
    return [1.0 if j == k else 0.0 for j in range(dimension)]


def main() -> None:
    rng = random.Random(12)
    twin = unit([0.85, math.sqrt(1 - 0.85**2)] + [0.0] * 14)
    between = unit([a + b for a, b in zip(axis(0), twin, strict=True)])
    three = [unit([math.sqrt(0.5) if j in (0, k) else 0.0 for j in range(16)]) for k in (1, 2, 3)]
    ten = crowd(rng, 10, 3)
    alike = crowd(rng, 6, 2, dimension=64, shift=0.2)
    thirty = crowd(rng, 30, 1, dimension=32)
    lone = crowd(rng, 1, 3)
    not_him = near(rng, template(alike[0]), 0.8)
    cases = [
        case("nobody enrolled", rng, []),
        case("one person", rng, lone),
        case("one person, at 0.1", rng, lone, fpir=0.1),
        case("two twins: ambiguous", rng, [[axis(0)], [twin]], probes=[between]),
        case("ten people, two of them twins", rng, [*ten[:9], [near(rng, template(ten[0]), 0.85)]]),
        case("three vectors 60 degrees apart: the template has length 1", rng, [three], probes=three),
        case("ten people", rng, ten),
        case("ten people, at 5e-4: extrapolated", rng, ten, fpir=0.0005),
        case("thirty people, at 0.002: extrapolated", rng, thirty, fpir=0.002),
        case("two people of one name and equal faces", rng, [[axis(3)], [axis(3)], [axis(5)]]),
        case("people who look alike: their own scores raise the threshold", rng, alike),
        case("not this person", rng, alike, rejected=[(0, not_him)], probes=[not_him, near(rng, not_him, 0.9)]),
        case("the only person is not this person", rng, lone, rejected=[(0, lone[0][0])], probes=[lone[0][0]]),
        case("everybody the same: no threshold helps", rng, [[axis(0)] for _ in range(4)]),
        case("two measured points", rng, ten[:5], points={0.1: 0.2, 0.01: 0.3}),
        case("128 numbers", rng, crowd(rng, 4, 2, dimension=128, shift=0.04)),
        case("less alike than the manifest's strangers: its threshold stands", rng, [[axis(k)] for k in range(6)]),
    ]
    text = json.dumps(
        {"margin": MARGIN, "prior_weight": PRIOR, "highest": HIGHEST, "few": FEW, "many": MANY, "cases": cases}
    )
    Path(__file__).with_name("identify.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
