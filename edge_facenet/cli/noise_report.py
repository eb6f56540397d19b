"""What `noise` finds, as tables, as a page, and in words."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import files
from ..embedder import Embedder
from ..errors import InputError
from ..photos.cropset import CropSet
from ..photos.rows import csv_bytes
from ..schema import doc, to_json
from ..verification import Duplicates, noise
from .pictures import page, picture
from .plain import json_text, plain
from .progress import bar
from .verifying import embed_all, look

EXAMPLES = 4  # pictures of a person beside the one in question


@dataclass(frozen=True)
class Row:
    """One picture, judged."""

    rank: int = doc("from 1, the most suspicious first")
    row: int = doc("row of the crop set")
    source: str = doc("photo")
    identity: str = doc("its name")
    own: float = doc("median cosine to that person's other pictures")
    other: str = doc("whom it resembles most besides")
    other_cosine: float = doc("mean cosine to that person's pictures")
    margin: float = doc("own minus other; below 0 it resembles somebody else more")


@dataclass(frozen=True)
class Names:
    """Two names that may be one person."""

    a: str = doc("first name")
    b: str = doc("second name")
    likeness: float = doc("mean cosine between them over what each reaches with itself; 1 = one person")


@dataclass(frozen=True)
class Report:
    """What was found."""

    model: str = doc("model file")
    crops_sha256: str = doc("of the crop set's prepare.json")
    people: int = doc("people judged")
    left_out: int = doc("people with too few pictures")
    rows: tuple[Row, ...] = doc("every picture of those people, the most suspicious first")
    beyond: int = doc("pictures that resemble somebody else more than their own person")
    two_names: tuple[Names, ...] = doc("pairs of names that look like one person")
    duplicates: Duplicates | None = doc("pictures that occur twice; absent when there are too many to compare")


def examine(network: Embedder, cropset: CropSet, min_photos: int) -> Report:
    """Embed every labelled crop and judge it."""
    if not cropset.identities:
        raise InputError(f"Crop set {cropset.path} has no names: its photos lay in no person's folder.")
    everybody = np.flatnonzero(cropset.labels >= 0).astype(np.int64)
    labels = cropset.labels[everybody].astype(np.int64)
    with bar("Embedding", unit="crops") as on_progress:
        embeddings = embed_all(network, cropset, everybody, on_progress)
    found = noise.suspects(embeddings, labels, min_photos)
    names = cropset.identities
    rows = tuple(
        Row(
            rank=s.rank,
            row=int(everybody[s.row]),
            source=cropset.rows[everybody[s.row]].source,
            identity=names[labels[s.row]],
            own=round(s.own, 4),
            other=names[s.other],
            other_cosine=round(s.other_cosine, 4),
            margin=round(s.margin, 4),
        )
        for s in found
    )
    judged = len({row.identity for row in rows})
    pairs = noise.same_faces(embeddings, labels, min_photos=min_photos)
    return Report(
        model=network.manifest.file,
        crops_sha256=cropset.sha256,
        people=judged,
        left_out=len(names) - judged,
        rows=rows,
        beyond=sum(row.margin < 0 for row in rows),
        two_names=tuple(Names(names[p.a], names[p.b], round(p.likeness, 3)) for p in pairs),
        duplicates=look(cropset, everybody).duplicates,
    )


def write(report: Report, cropset: CropSet, out: Path, shown: int) -> tuple[str, ...]:
    """The two tables and the page; paths of the files."""
    rows = [[str(v) for v in to_json(row).values()] for row in report.rows]
    files.write_bytes(out / "noise.csv", csv_bytes([list(to_json(report.rows[0])), *rows]))
    names = [[n.a, n.b, str(n.likeness)] for n in report.two_names]
    files.write_bytes(out / "two-names.csv", csv_bytes([["a", "b", "likeness"], *names]))
    files.write_bytes(out / "noise.html", _page(report, cropset, shown), private=True)
    return tuple(str(out / name) for name in ("noise.csv", "two-names.csv", "noise.html"))


def as_json(report: Report, written: tuple[str, ...]) -> str:
    """One JSON object; the rows are in noise.csv, here stand those beyond doubt."""
    value = to_json(report)
    value["rows"] = [row for row in value["rows"] if row["margin"] < 0]
    return json_text({**value, "written": list(written)}, indent=2)


def as_text(report: Report, written: tuple[str, ...]) -> str:
    """For a terminal."""
    lines = [
        f"{len(report.rows):,} pictures of {report.people:,} people looked at with {report.model}; "
        f"{report.left_out:,} people left out, they have too few pictures.",
        f"{report.beyond:,} pictures resemble somebody else more than their own person's other pictures.",
    ]
    lines += [
        f"  {r.rank}. {r.source} ({r.identity}): {r.own:.2f} to its own, {r.other_cosine:.2f} to {r.other}"
        for r in report.rows[:10]
    ]
    lines.append(f"{len(report.two_names):,} pairs of names look like one person.")
    lines += [f"  {n.a} = {n.b}: likeness {n.likeness:.2f}" for n in report.two_names[:10]]
    lines += [f"Note: {note}." for note in (report.duplicates.notes() if report.duplicates else ())]
    lines += [f"Written: {path}" for path in written]
    lines.append("The page holds pictures of these people: keep it as you keep their photos.")
    return "\n".join(map(plain, lines))


def _page(report: Report, cropset: CropSet, shown: int) -> bytes:
    suspects = [_suspect(row, cropset) for row in report.rows[:shown]]
    names = [_names(pair, cropset) for pair in report.two_names[:shown]]
    return page(
        "Wrong names?",
        f"<p>{len(report.rows):,} pictures of {report.people:,} people, looked at with {html.escape(report.model)}. "
        f"{report.beyond:,} resemble somebody else more than their own person. A place near the top is a question, not an "
        "answer: profiles, sunglasses and hidden faces stand there too. Nothing was changed: mend the folders yourself.</p>"
        f"<h2>Pictures unlike their person's others</h2>{_of(len(suspects), len(report.rows), 'noise.csv')}"
        "<p>Beside the names, how alike: cosine to the picture in question, 1 = the same. The further the first number lies "
        "below the second, the higher the place.</p>"
        + _table(("picture", "others of its name", "whom it resembles"), suspects)
        + f"<h2>One person under two names?</h2>{_of(len(names), len(report.two_names), 'two-names.csv')}"
        + ("<p>Likeness 1: as alike as pictures of one person are.</p>" if names else "")
        + (_table(("one name", "another", "likeness"), names) if names else ""),
    )


def _of(shown: int, all_of_them: int, file: str) -> str:
    if not all_of_them:
        return "<p>None found.</p>"
    return f"<p>The first {shown:,} of {all_of_them:,}; all of them stand in {file}.</p>" if shown < all_of_them else ""


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """On a narrow screen each row is a card, its cells below one another under their titles."""
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{_cells(titles, row)}</tr>" for row in rows)
    return f"<table class=cards><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(titles: tuple[str, ...], row: tuple[str, ...]) -> str:
    return "".join(f'<td data-title="{title}">{cell}</td>' for title, cell in zip(titles, row, strict=True))


def _suspect(row: Row, cropset: CropSet) -> tuple[str, ...]:
    return (
        f"<span class=one>{picture(cropset, row.row, f'picture {row.rank}')}</span><br>"
        f"<small>{row.rank}. {html.escape(row.source)}</small>",
        f"{_pictures(cropset, row.identity, but=row.row)}<br>{html.escape(row.identity)}: {_minus(row.own)}",
        f"{_pictures(cropset, row.other)}<br>{html.escape(row.other)}: {_minus(row.other_cosine)}",
    )


def _names(pair: Names, cropset: CropSet) -> tuple[str, ...]:
    sides = (f"{_pictures(cropset, name)}<br>{html.escape(name)}" for name in (pair.a, pair.b))
    return (*sides, f"{pair.likeness:.2f}")


def _minus(value: float) -> str:
    """A cosine with a minus sign that is never parted from it."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _pictures(cropset: CropSet, name: str, but: int = -1) -> str:
    rows = [int(r) for r in cropset.rows_of([name]) if r != but][:EXAMPLES]
    return "".join(picture(cropset, row, name) for row in rows)
