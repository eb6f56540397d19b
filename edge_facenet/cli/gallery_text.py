"""What the commands of `gallery` say, in plain text and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from edge_facenet.errors import GalleryDamaged
from edge_facenet.gallery import Face, Gallery, Person, Rejected
from edge_facenet.gallery.check import Checkup
from edge_facenet.gallery.migrate import Migrated
from edge_facenet.gallery.transfer import Exported, Imported
from edge_facenet.schema import to_json

from .plain import json_text, plain

LINGERING = (
    "Bytes of what was deleted may still be in the file: another process is using it, or the disk is full. The next change of "
    "the gallery removes them."
)


def people(gallery: Gallery) -> str:
    """A line a person."""
    everybody = gallery.people()
    if not everybody:
        return f"The gallery is empty ({gallery.path}). Enroll somebody: edge-facenet enroll NAME PHOTOS."
    lines = [f"{person.id:>5}  {person.name}  ({_counts(person)})" for person in everybody]
    return "\n".join([f"{_plural(len(everybody), 'person', 'people')} in {gallery.path}:", *lines])


def people_json(gallery: Gallery) -> str:
    """The same as one object."""
    return _json({"gallery": str(gallery.path), "people": to_json(gallery.people())})


def person(gallery: Gallery, one: Person, rows: Sequence[Face]) -> str:
    """A person and a line a photo."""
    lines = [f"{one.name} (id {one.id}): {_counts(one)}", f"enrolled {one.enrolled}, last changed {one.updated}"]
    for row in rows:
        what = "NOT this person" if row.rejected else "enrolled"
        lines.append(f"  {row.id:>6}  {what}  {plain(row.source) or '-'}  photo {row.photo_sha256[:12]}  {row.added}")
    return "\n".join([*lines, f"Gallery: {gallery.path}"])


def person_json(gallery: Gallery, one: Person, rows: Sequence[Face]) -> str:
    """The same as one object, without vectors."""
    names = ("id", "rejected", "photo_sha256", "source", "added")
    values = [{name: getattr(row, name) for name in names} | {"maker": to_json(row.maker)} for row in rows]
    return _json({"gallery": str(gallery.path), "person": to_json(one), "rows": values})


def forgotten(gallery: Gallery, count: int) -> str:
    """What was forgotten, and whether every byte is gone."""
    if not count:
        return f"The gallery is empty ({gallery.path}): nobody was forgotten."
    text = f"{_plural(count, 'person', 'people')} forgotten; {len(gallery)} left in {gallery.path}."
    return "\n".join([text, *_turned_down(gallery), *([LINGERING] if gallery.lingering else [])])


def _turned_down(gallery: Gallery) -> list[str]:
    """Whose records hold faces of others: nothing says of whom, so forgetting that person leaves them."""
    keepers = _keepers(gallery)
    if not keepers:
        return []
    listed = ", ".join(f"{one.name} (id {one.id}): {one.rejected}" for one in keepers[:5])
    more = f" and {len(keepers) - 5} more" if len(keepers) > 5 else ""
    return [
        f'Faces marked as "not this person" stay: {listed}{more}. If one may be of somebody you forgot, take that person\'s '
        "marks back: edge-facenet gallery reject ID --undo."
    ]


def _keepers(gallery: Gallery) -> list[Person]:
    try:
        return [person for person in gallery.people() if person.rejected]
    except GalleryDamaged:  # a name that was altered: what was asked for is done all the same
        return []


def forgotten_json(gallery: Gallery, wanted: Iterable[int], *, dry: bool) -> str:
    """The same as one object."""
    values = {"gallery": str(gallery.path), "ids": sorted(wanted), "dry_run": dry}
    marks = {str(person.id): person.rejected for person in _keepers(gallery)}
    return _json({**values, "rejected_left": marks, "left": len(gallery), "lingering": gallery.lingering})


def dry(gallery: Gallery, wanted: Collection[int]) -> str:
    """Who would be forgotten: the first of many."""
    everybody = [f"{person.name} (id {person.id})" for person in gallery.people() if person.id in wanted]
    more = f" and {len(everybody) - 20} more" if len(everybody) > 20 else ""
    listed = ", ".join(everybody[:20]) + more
    return f"{len(wanted)} people would be forgotten: {listed}. Nothing was done; give --yes to do it."


def rejected(done: Rejected, *, as_json: bool) -> str:
    """What "not this person" did."""
    if as_json:
        return _json(to_json(done))
    text = f"{done.name} (id {done.person}): this face is remembered as not this person" + (" already" * done.known)
    gone = f"; {_plural(done.withdrawn, 'sample', 'samples')} of it withdrawn" if done.withdrawn else ""
    return f"{text}{gone}."


def accepted(one: Person, count: int, *, as_json: bool) -> str:
    """What --undo did."""
    if as_json:
        return _json({"person": one.id, "name": one.name, "taken_back": count})
    return f"{one.name} (id {one.id}): {_plural(count, 'rejection', 'rejections')} taken back."


def exported(done: Exported, *, as_json: bool) -> str:
    """What went into a backup."""
    if as_json:
        return _json(to_json(done) | {"path": str(done.path)})
    how = "encrypted" if done.encrypted else "not encrypted: whoever has the file can recognise these people"
    what = f"{_plural(done.people, 'person', 'people')}, {_plural(done.embeddings, 'embedding', 'embeddings')}"
    return f"{what}, {_plural(done.crops, 'picture', 'pictures')}; {how}.\nWritten: {done.path}"


def imported(gallery: Gallery, done: Imported, *, opened: bool, as_json: bool) -> str:
    """What came out of a backup. `opened`: it was encrypted, and the gallery is not."""
    if as_json:
        return _json({"gallery": str(gallery.path), **to_json(done), "no_longer_encrypted": opened})
    bare = (
        "\nThe backup is encrypted, this gallery is not: whoever has the file can recognise these people. Into one that is: "
        "import it with --gallery NEW --key-file FILE."
    )
    return (
        f"{_plural(done.people, 'new person', 'new people')}, {done.merged} already here; "
        f"{_plural(done.added, 'embedding', 'embeddings')} added, {done.known} known.\nWritten: {gallery.path}{bare * opened}"
    )


def migrated(gallery: Gallery, done: Migrated, *, as_json: bool) -> str:
    """What a migration did, and who must enroll again."""
    if as_json:
        return _json({"gallery": str(gallery.path), **to_json(done)})
    lines = [
        f"{_plural(done.embedded, 'embedding', 'embeddings')} made again from kept crops; {done.outdated} without a crop that "
        f"counts. {_plural(len(done.ready), 'person', 'people')} ready.",
        f"Written: {gallery.path}",
    ]
    if done.unrejected:
        lines.append(
            f'{_plural(done.unrejected, "mark", "marks")} "not this person" had no crop and no longer count: edge-facenet gallery reject'
            " WHO PHOTO makes them again."
        )
    if done.again:
        lines.append("These must enroll again (edge-facenet enroll NAME PHOTOS):")
        lines += [f"{person.id:>5}  {person.name}" for person in done.again]
        lines.append("Their old rows are kept until then: migrating back to the old model makes them count again.")
    return "\n".join(lines)


def checked(found: Checkup, *, as_json: bool) -> str:
    """What a look at everything found."""
    if as_json:
        return _json({**to_json(found), "path": str(found.path)})
    lines = [f"{_plural(found.people, 'person', 'people')}, {found.embeddings} embeddings in {found.path}."]
    for fault in found.faults:
        row = f"embedding {fault.embedding} of " if fault.embedding is not None else ""
        lines.append(f"  {row}person #{fault.person} {fault.what}" if fault.person is not None else f"  {fault.what}")
    lines.append("Nothing is wrong." if not found.faults else f"{_plural(len(found.faults), 'fault', 'faults')}.")
    if found.widest:
        lines.append("Each person's least alike photos; a low figure is a wrong photo, or two people in one:")
        for pair in found.widest[:20]:
            between = " and ".join(source or "-" for source in pair.sources)
            lines.append(f"  {pair.similarity:6.3f}  {pair.name} (id {pair.person}): {between}")
    return "\n".join(map(plain, [*lines, *([LINGERING] if found.lingering else [])]))


def key_made(file: Path, *, beside: bool, as_json: bool) -> str:
    """Where the key is, and what to do with it."""
    if as_json:
        return _json({"key_file": str(file), "beside_the_gallery": beside})
    text = f"Written: {file}. Keep a copy: without it an encrypted gallery cannot be read by anybody."
    return (
        f"{text} It lies beside the gallery, where it protects nothing: move it to another medium." if beside else text
    )


def _counts(person: Person) -> str:
    parts = [_plural(person.embeddings, "embedding", "embeddings")]
    parts += [_plural(person.crops, "picture", "pictures")] * (person.crops > 0)
    parts += [f"{person.rejected} marked as not this person"] * (person.rejected > 0)
    parts += [f"{person.outdated} of another model"] * (person.outdated > 0)
    return ", ".join(parts)


def _plural(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _json(value: dict[str, Any]) -> str:
    return json_text(value)
