"""A grouped album as files: which photo goes into which folder under which name, `faces.csv`, `clusters.json`."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_facenet.photos.rows import csv_bytes
from edge_facenet.schema import doc, to_json

from .album import Album, Shot
from .grouping import Grouping
from .page import Sheet, pages
from .place import Content, Link

_NAME_BYTES = 255
_COLUMNS = (
    *("photo", "face", "group", "name", "similarity", "left", "top", "right", "bottom"),
    *("face_px", "blur", "luminance", "yaw", "pitch", "score", "reasons", "photo_sha256"),
)


@dataclass(frozen=True)
class Origin:
    """Where a result comes from."""

    folder: Path = doc("the album")
    network: str = doc("name of the network")
    embedder: str = doc("its fingerprint")
    aligner: str = doc("fingerprint of what found and cut the faces")


def content(
    album: Album, grouping: Grouping, names: tuple[str | None, ...], origin: Origin, *, copies: bool = False
) -> Content:
    """Everything that is written.

    Args:
        names: per group, the person's name in a gallery, or None.
    """
    labels = tuple(f"person-{number:03d}" for number in range(1, len(grouping.groups) + 1))
    links: list[Link] = []
    places: dict[tuple[int, int], str] = {}
    for number, one in enumerate(grouping.groups):
        shots = sorted({album.faces[face].shot for face in one.members})
        for shot, name in zip(shots, _file_names([album.shots[k] for k in shots]), strict=True):
            places[number, shot] = f"{labels[number]}/{name}"
            links.append(Link(places[number, shot], album.shots[shot]))
    title = Path(os.path.abspath(origin.folder)).name or str(origin.folder)
    sheet = Sheet(title, album, grouping, labels, names, places, origin.network)
    tables = {"faces.csv": _faces_csv(sheet)}
    seen = frozenset([*(shot.sha256 for shot in album.shots), *(one.sha256 for one in album.rejected if one.sha256)])
    return Content(links, {**pages(sheet), **tables}, _mark(sheet, origin), seen, copies)


def _file_names(shots: list[Shot]) -> list[str]:
    """A name for each photo of one folder: its own, and where two differ by case or Unicode form only, one with a hash."""
    taken: set[str] = set()
    found = []
    for shot in shots:
        base = shot.name.rsplit("/", 1)[-1]
        name, number = base, 1
        while _folded(name) in taken:
            name = _with_suffix(base, f"-{shot.sha256[:8]}" + (f"-{number}" if number > 1 else ""))
            number += 1
        taken.add(_folded(name))
        found.append(name)
    return found


def _with_suffix(base: str, suffix: str) -> str:
    stem, extension = os.path.splitext(base)
    while len((stem + suffix + extension).encode("utf-8", "surrogateescape")) > _NAME_BYTES and len(stem) > 1:
        stem = stem[:-1]
    return stem + suffix + extension


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _faces_csv(sheet: Sheet) -> bytes:
    """One row a face, by photo; UTF-8, file names that are not valid text as `surrogateescape`."""
    group_of = {
        face: (number, similarity)
        for number, one in enumerate(sheet.grouping.groups)
        for face, similarity in zip(one.members, one.similarity, strict=True)
    }
    lines: list[Sequence[object]] = [_COLUMNS]
    for k, face in enumerate(sheet.album.faces):
        shot, q = sheet.album.shots[face.shot], face.quality
        number, similarity = group_of.get(k, (None, None))
        label, name = ("", "") if number is None else (sheet.labels[number], sheet.names[number] or "")
        measured = (q.face_px, q.blur, q.luminance, q.yaw, q.pitch, q.score)
        row = (
            shot.name,
            face.number,
            label,
            name,
            similarity,
            *face.box,
            *measured,
            "; ".join(face.reasons),
            shot.sha256,
        )
        lines.append(["" if value is None else value for value in row])
    return csv_bytes(lines)


def _mark(sheet: Sheet, origin: Origin) -> dict[str, Any]:
    """`clusters.json`, without the list of files."""
    album, grouping = sheet.album, sheet.grouping
    groups = []
    for label, name, one in zip(sheet.labels, sheet.names, grouping.groups, strict=True):
        a, b, cosine = one.widest
        groups.append(
            {
                "group": label,
                "name": name,
                "faces": [
                    {**_face(album, face), "similarity": similarity}
                    for face, similarity in zip(one.members, one.similarity, strict=True)
                ],
                "widest": {"faces": [_face(album, a), _face(album, b)], "cosine": cosine},
            }
        )
    return {
        "network": {"name": origin.network, "fingerprint": origin.embedder},
        "aligner": origin.aligner,
        "threshold": to_json(grouping.threshold),
        "counts": {
            "files": album.files,
            "photos": len(album.shots),
            "faces": len(album.faces),
            "groups": len(groups),
            "alone": len(grouping.alone),
            "rejected": len(album.rejected),
        },
        "groups": groups,
        "alone": [_face(album, face) for face in grouping.alone],
        "rejected": [{"photo": one.photo, "reason": one.reason} for one in album.rejected],
        "notes": list(album.notes),
    }


def _face(album: Album, face: int) -> dict[str, Any]:
    about = album.faces[face]
    return {"photo": album.shots[about.shot].name, "face": about.number}
