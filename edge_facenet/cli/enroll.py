"""`edge-facenet enroll`: make people known by a few photos each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import people


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="What the person is called.")] = None,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTOS...", help="Photos, or folders of them.")
    ] = None,
    *,
    folder: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="One sub-folder a person, named like the person.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="camera:0, picamera:0, /dev/video0 or a video.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="With --camera: so many pictures.")] = 5,
    seconds: Annotated[float, typer.Option(min=1.0, help="With --camera: at most so long.")] = 60.0,
    face: Annotated[int | None, typer.Option(min=1, help="Which face, where a photo shows several.")] = None,
    largest: Annotated[bool, typer.Option("--largest", help="Take the largest face where there are several.")] = False,
    person: Annotated[int | None, typer.Option(min=1, help="Id, where several people have this name.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Somebody new, though the name is taken.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Enroll the others when a photo is refused.")] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="With --from: forget photos that are no longer there, and who has none left."),
    ] = False,
    keep_crops: Annotated[
        bool, typer.Option("--keep-crops", help="Keep each face as a small picture, for a later change of model.")
    ] = False,
    rule: people.Rules = None,
    size: people.CameraSize = "640x480",
    rotate: people.Rotate = 0,
    gallery: people.Where = None,
    key_file: people.KeyFile = None,
    model: people.Model = "mobile",
    engine: people.Engine = None,
    threads: people.Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a person, one a line.")] = False,
) -> None:
    """Make people known: by photos, by a camera, or a whole folder of people at once.

    Five photos in different light and pose are a good start. A photo without a face, with several, or too small, blurred,
    dark or turned away is refused with the reason; nothing of that person is then written, unless you give --skip-bad. Run
    it again and only what is new is looked at: unchanged photos are known by their hash, a photo replaced under its name
    replaces its older embedding. Embeddings alone are kept, no pictures, unless you give --keep-crops.

    With --from, others are enrolled when one person is refused; the command then leaves with 3. There is no liveness
    detection: a photograph of a face passes for the face.

    Examples: edge-facenet enroll Anna a.jpg b.jpg; edge-facenet enroll Anna --camera camera:0; edge-facenet enroll --from family
    """
    from edge_facenet.cameras import CameraOptions
    from edge_facenet.errors import ConfigError
    from edge_facenet.recognise import RecognizerOptions

    from . import enrolling

    if (new and person is not None) or (largest and face is not None):
        raise ConfigError("--new and --person, as --largest and --face, contradict each other: give one of the two.")
    if camera and face is not None:
        raise ConfigError("--face chooses in a photo. Before a camera one person stands alone, or give --largest.")
    width, height = people.size_of(size)
    ways = enrolling.Ways(tuple(photos or ()), folder, camera, count, seconds)
    request = enrolling.Request(
        name, ways, "largest" if largest else face, "new" if new else person, skip_bad=skip_bad, prune=prune
    )
    frames = CameraOptions(width, height, rotate=rotate, on_event=lambda event: people.note(event.message))
    options = RecognizerOptions(
        rules=people.rules_of(rule), key_file=key_file, keep_crops=keep_crops, engine=engine, threads=threads
    )
    recognizer = people.open_recognizer(model, gallery, options)
    if code := enrolling.run(recognizer, request, frames, as_json=as_json):
        raise typer.Exit(code)
