"""`edge-facenet cluster`: an album sorted by person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import people

if TYPE_CHECKING:
    from edge_facenet.clustering import Grouping
    from edge_facenet.clustering.album import Album, Eyes
    from edge_facenet.clustering.place import Content


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The album: photos, at any depth.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the result; made when missing.")],
    *,
    model: people.Model = "mobile",
    wrong: Annotated[
        float, typer.Option(help="Share of faces that may be put with a stranger; lower means more, purer groups.")
    ] = 0.01,
    copies: Annotated[bool, typer.Option("--copies", help="Copy the photos rather than make hard links.")] = False,
    gallery: Annotated[
        Path | None, typer.Option(help="Name the groups of people who are enrolled in this gallery.", metavar="PATH")
    ] = None,
    key_file: people.KeyFile = None,
    threads: people.Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Sort an album by person: a folder for each, and a contact sheet, OUT/index.html.

    Every face of every photo is looked at. OUT/person-001 and so on, the largest group first, hold hard links to the
    photos (no space, one file under two names: editing one edits both), or copies where links are not to be had; the
    originals stay as they are. A photo of two people stands in both folders. Blurred, small or averted faces join a
    group when they clearly belong to it, but found none. faces.csv lists all faces, clusters.json everything else.

    One person may end in several groups; two people in one are rare, and the sheet shows the least alike pair of each
    group to look at first. Run it again after adding photos: OUT is made anew in one step, and only if nothing in it
    would be lost. Nobody is named unless you give a gallery.

    Examples: edge-facenet cluster holidays sorted; edge-facenet cluster holidays sorted --gallery family.db
    """
    from edge_facenet.cli.progress import bar
    from edge_facenet.clustering import Faces, group
    from edge_facenet.clustering.album import look
    from edge_facenet.clustering.place import check_place, publish
    from edge_facenet.clustering.result import content
    from edge_facenet.clustering.threshold import album_threshold

    check_place(out, folder)
    eyes = _eyes(model, threads)
    album_threshold(eyes.embedder.manifest.thresholds, 1, wrong)  # refuses now what would be refused after an hour
    known = _known(gallery, key_file, eyes)
    with bar("Looking at photos", unit="photos") as on_progress:
        album = look(folder, eyes, out, on_progress)
    good = [not face.reasons for face in album.faces]
    with bar("Grouping faces", unit="faces") as on_progress:
        faces = Faces(album.embeddings, [face.shot for face in album.faces], good)
        grouping = group(faces, eyes.embedder.manifest.thresholds, wrong, on_progress)
    names = _names(grouping, album, known, eyes)
    made = content(album, grouping, names, _origin(folder, eyes), copies=copies)
    linked = publish(out, made)
    if as_json:
        print(json.dumps(_values(made, out, linked)))
    else:
        _print(album, grouping, names, out, (linked, len(made.links)))


def _eyes(model: str, threads: int) -> Eyes:
    import cv2

    from edge_facenet import load
    from edge_facenet.clustering.album import Eyes
    from edge_facenet.photos.aligner import open_aligner
    from edge_facenet.recognise import check_template

    cv2.setNumThreads(1)  # faces are small: more threads cost more than they bring
    embedder = load(model, threads=threads)
    check_template(embedder.manifest)
    return Eyes(open_aligner(embedder.engine.name, threads), embedder)


def _origin(folder: Path, eyes: Eyes) -> Any:
    from edge_facenet.clustering.result import Origin

    manifest = eyes.embedder.manifest
    return Origin(folder, manifest.name or manifest.file, eyes.embedder.fingerprint, eyes.aligner.fingerprint)


def _known(gallery: Path | None, key_file: Path | None, eyes: Eyes) -> Any:
    """The templates of the enrolled people; None without a gallery. Opened before the photos are looked at."""
    from edge_facenet.errors import ConfigError

    if gallery is None:
        if key_file is not None:
            raise ConfigError("--key-file belongs to a gallery: it needs --gallery.")
        return None
    from edge_facenet.errors import InputError
    from edge_facenet.gallery import Gallery, Maker
    from edge_facenet.gallery.secure import read_key

    if not gallery.is_file():
        raise InputError(f"There is no gallery {gallery}.")
    maker = Maker(eyes.embedder.fingerprint, eyes.aligner.fingerprint, eyes.embedder.manifest.dimension)
    opened = Gallery.open(gallery, maker, key=None if key_file is None else read_key(key_file), readonly=True)
    people.remark_key(key_file)
    try:
        return opened.templates()
    finally:
        opened.close()


def _names(grouping: Grouping, album: Album, known: Any, eyes: Eyes) -> tuple[str | None, ...]:
    """Per group, who of the gallery it is: the decision of `identify`, for the group's template."""
    if known is None:
        return (None,) * len(grouping.groups)
    from edge_facenet.clustering.grouping import template
    from edge_facenet.gallery.decide import decide, threshold

    limit = threshold(eyes.embedder.manifest.thresholds, known)
    return tuple(decide(template(album.embeddings[list(one.members)]), known, limit).name for one in grouping.groups)


def _values(made: Content, out: Path, linked: int) -> dict[str, Any]:
    mark = made.mark
    groups = [
        {"group": one["group"], "name": one["name"], "faces": len(one["faces"]), "widest": one["widest"]["cosine"]}
        for one in mark["groups"]
    ]
    photos = {"links": linked, "copies": len(made.links) - linked}
    return {"out": str(out), **mark["counts"], **photos, "threshold": mark["threshold"], "people": groups}


def _print(album: Album, grouping: Grouping, names: tuple[str | None, ...], out: Path, put: tuple[int, int]) -> None:
    import collections

    from edge_facenet.clustering.page import count

    linked, everything = put
    print(
        f"{count(album.files, 'file')}: {count(len(album.faces), 'face')} in {count(len(album.shots), 'photo')}, "
        f"{count(len(album.rejected), 'file')} without one."
    )
    for reason, number in collections.Counter(one.reason.split(" (")[0] for one in album.rejected).most_common(3):
        print(f"  {number} without: {reason}")
    sizes = [len(one.members) for one in grouping.groups]
    largest = f", the largest of {sizes[0]}" if sizes else ""
    named = sum(name is not None for name in names)
    known = f", {named} named from the gallery" if named else ""
    print(
        f"{count(len(sizes), 'group')}{largest}{known}; {count(len(grouping.alone), 'face')} left alone. "
        f"Threshold {grouping.threshold.cosine:.3f}: {grouping.threshold.why}."
    )
    doubtful = sum(one.widest[2] <= grouping.threshold.doubt for one in grouping.groups)
    if doubtful:
        print(
            f"{count(doubtful, 'group holds', 'groups hold')} two faces that are hardly alike: look at the marked pairs."
        )
    how = f"{linked} hard links" + (f", {everything - linked} copies" if linked < everything else "")
    print(f"Written: {out} ({how if linked else count(everything, 'copy', 'copies')}). Look at {out / 'index.html'}")
