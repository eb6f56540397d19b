"""`gallery`: who is enrolled: list, show, forget, reject, back up, migrate, check. Names are never taken for options behind `--`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .people import KeyFile, Model, Where

if TYPE_CHECKING:
    from edge_facenet.gallery import Gallery

command = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Who is enrolled: look, forget, back up, encrypt, migrate, check. People are meant by name or by id; a name that "
    'begins with "-" stands behind --.',
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Who = Annotated[str, typer.Argument(metavar="WHO", help="Name, or id as 7 or #7.")]


@command.command("list")
def list_people(*, gallery: Where = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Everybody who is enrolled.

    Example: edge-facenet gallery list
    """
    from . import gallery_text as text

    store = _open(gallery, key_file)
    typer.echo(text.people_json(store) if as_json else text.people(store))


@command.command()
def show(who: Who, *, gallery: Where = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """One person: every photo enrolled, and every face marked as "not this person".

    Example: edge-facenet gallery show Anna; edge-facenet gallery show 7
    """
    from . import gallery_text as text

    store = _open(gallery, key_file)
    person = store.find(who)
    rows = store.samples(person.id)
    typer.echo(text.person_json(store, person, rows) if as_json else text.person(store, person, rows))


@command.command()
def forget(
    who: Annotated[list[str] | None, typer.Argument(metavar="WHO...", help="Names, or ids as 7 or #7.")] = None,
    *,
    ids: Annotated[
        list[int] | None, typer.Option("--id", help="An id; give it several times for several people.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="All people of the gallery.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; needed for more than one person.")] = False,
    gallery: Where = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Forget people: names, embeddings and kept pictures leave the file and its side files.

    One person is forgotten at once. Several are only listed, until you give --yes. Faces of theirs that were marked as "not
    this person" stay in the records of those they were marked for, which are named: gallery reject WHO --undo.

    Example: edge-facenet gallery forget Anna; edge-facenet gallery forget --id 3 --id 7 --yes; edge-facenet gallery
    forget -- -rf
    """
    from edge_facenet.errors import ConfigError

    from . import gallery_text as text

    store = _open(gallery, key_file)
    wanted = {*(ids or []), *(store.find(one).id for one in who or [])}
    if everybody:
        wanted = store.ids()
    elif not wanted:
        raise ConfigError("Say who is to be forgotten: names, --id, or --everybody.")
    dry = len(wanted) > 1 and not yes
    forgotten = 0 if dry else store.forget(wanted)
    if as_json:
        typer.echo(text.forgotten_json(store, wanted, dry=dry))
    elif dry:
        typer.echo(text.dry(store, wanted))
    else:
        typer.echo(text.forgotten(store, forgotten))


@command.command()
def reject(
    who: Who,
    photo: Annotated[Path | None, typer.Argument(metavar="PHOTO", help="A photo of somebody else.")] = None,
    *,
    face: Annotated[
        int | None, typer.Option(help="Which face, counted from 1, where the photo shows several.", min=1)
    ] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Take the largest face where there are several.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back everything that was said of this person.")] = False,
    model: Model = "mobile",
    gallery: Where = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Say "this is not that person", for good: the face, and faces like it, are not taken for that person again.

    Example: edge-facenet gallery reject Anna photos/party.jpg --face 2
    """
    from edge_facenet.errors import ConfigError

    from . import gallery_text as text

    if undo == (photo is not None):
        raise ConfigError("Give a photo of somebody else, or --undo, and not both.")
    if largest and face is not None:
        raise ConfigError("--largest and --face contradict each other: give one of the two.")
    if photo is None:
        store = _open(gallery, key_file)
        person = store.find(who)
        typer.echo(text.accepted(person, store.accept(person.id), as_json=as_json))
        return
    from . import gallery_faces

    tools = gallery_faces.open_tools(model)
    store = _open(gallery, key_file, tools)
    person = store.find(who)
    # its crop is kept where the person's others are: a change of model needs it
    sample = tools.sample(photo, "largest" if largest else face, keep_crop=person.crops > 0)
    typer.echo(text.rejected(store.reject(person.id, sample), as_json=as_json))


@command.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to write; must not exist.")],
    *,
    seal_with: Annotated[Path | None, typer.Option(help="Key file to encrypt the backup with.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Write an encrypted gallery out in plain.")] = False,
    gallery: Where = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Write names, embeddings and kept pictures into one file, for a backup or another machine.

    The backup of an encrypted gallery is encrypted with the same key, unless you name another or say --plain.

    Example: edge-facenet gallery export people.backup --seal-with /media/stick/facenet.key
    """
    from edge_facenet.errors import ConfigError
    from edge_facenet.gallery import transfer

    from . import gallery_text as text

    if plain and seal_with is not None:
        raise ConfigError("--plain and --seal-with contradict each other: give one of them.")
    key = None if plain else _key(seal_with or key_file)
    typer.echo(text.exported(transfer.export_gallery(_open(gallery, key_file), file, key=key), as_json=as_json))


@command.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A backup that gallery export wrote, or another gallery.")
    ],
    *,
    sealed_with: Annotated[Path | None, typer.Option(help="Key file of the backup. Default: --key-file.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="The backup is not encrypted, the gallery is.")] = False,
    gallery: Where = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Add the people of a backup. Into a new gallery they keep their ids; importing twice adds nobody twice.

    With --key-file a new gallery is encrypted; a backup that is not needs --plain. So a plain gallery becomes encrypted.

    Example: edge-facenet gallery import people.backup; edge-facenet gallery import people.backup --plain --gallery sealed.db
    --key-file /media/stick/facenet.key
    """
    from edge_facenet.errors import ConfigError
    from edge_facenet.gallery import transfer

    from . import gallery_text as text

    if plain and sealed_with is not None:
        raise ConfigError("--plain and --sealed-with contradict each other: give one of them.")
    key = None if plain else _key(sealed_with or key_file)
    store = _open(gallery, key_file)
    done = transfer.import_gallery(store, file, key=key)
    typer.echo(text.imported(store, done, opened=key is not None and key_file is None, as_json=as_json))


@command.command()
def migrate(*, model: Model = "mobile", gallery: Where = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Make the gallery one of another model: kept crops are embedded again, and it says who must enroll again.

    Example: edge-facenet gallery migrate --model models/mine-int8.json
    """
    from edge_facenet.cli.progress import bar
    from edge_facenet.gallery.migrate import migrate as run

    from . import gallery_faces
    from . import gallery_text as text

    tools = gallery_faces.open_tools(model)
    store = _open(gallery, key_file)
    with bar("Embedding kept crops", unit="crops") as on_progress:
        done = run(store, tools.maker, tools.embed, on_progress, side=tools.side)
    typer.echo(text.migrated(store, done, as_json=as_json))


@command.command()
def check(*, gallery: Where = None, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Look at every row: what is no embedding, was altered, or is of another model; and each person's least alike photos.

    Leaves with code 3 when something is wrong. Changes nothing.

    Example: edge-facenet gallery check
    """
    from edge_facenet.errors import InputError
    from edge_facenet.gallery.check import check as look

    from . import gallery_text as text

    found = look(_open(gallery, key_file))
    typer.echo(text.checked(found, as_json=as_json))
    if found.faults:
        raise typer.Exit(InputError.exit_code)


@command.command("key")
def make_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key file to make; must not exist.")],
    *,
    as_json: Json = False,
) -> None:
    """Make a random key for an encrypted gallery. Keep it on another medium: beside the gallery it protects nothing.

    Without the key an encrypted gallery cannot be read by anybody, you included: keep a copy of it.

    Example: edge-facenet gallery key /media/stick/facenet.key
    """
    from edge_facenet.gallery import default_path, secure

    from . import gallery_text as text

    secure.make_key(file)
    typer.echo(text.key_made(file, beside=file.resolve().parent == default_path().resolve().parent, as_json=as_json))


def _open(place: Path | None, key_file: Path | None, tools: object = None) -> Gallery:
    from edge_facenet.gallery import Gallery, default_path

    return Gallery.open(place or default_path(), getattr(tools, "maker", None), key=_key(key_file))


def _key(path: Path | None) -> bytes | None:
    from edge_facenet.gallery.secure import read_key

    from .people import remark_key

    key = None if path is None else read_key(path)
    remark_key(path)
    return key
