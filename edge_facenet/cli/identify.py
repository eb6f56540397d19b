"""`edge-facenet identify`: who is in photos, a video, a camera's pictures, or a pipe."""

from __future__ import annotations

from typing import Annotated

import typer

from . import people


def command(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="WHAT...", help="Photos, folders, videos, or - for standard input.")
    ] = None,
    *,
    camera: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="camera:0, picamera:0 or /dev/video0; a number is camera:N.")
    ] = None,
    every: Annotated[
        float, typer.Option(min=0.0, help="Look at one frame in so many seconds; 0 = at every one.")
    ] = 0.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop a stream after so many seconds.")] = None,
    fpir: Annotated[float, typer.Option(help="Share of strangers who may be named.")] = 0.01,
    why: Annotated[bool, typer.Option("--why", help="Say of every face what the answer rests on.")] = False,
    size: people.CameraSize = "640x480",
    rotate: people.Rotate = 0,
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right of frames, after turning.")] = False,
    give_up: Annotated[
        float, typer.Option(metavar="SECONDS", help="A camera that gives no picture for so long is lost: leave with 9.")
    ] = 60.0,
    gallery: people.Where = None,
    key_file: people.KeyFile = None,
    model: people.Model = "mobile",
    engine: people.Engine = None,
    threads: people.Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a face, one a line.")] = False,
) -> None:
    """Name the people in photos, a folder, a video, a camera's pictures, or bytes piped in.

    Every face is listed with its box, its similarity to the nearest person and the threshold; who is not enrolled is
    unknown, who could be two people is "A or B". Of a stream a line appears when somebody comes or goes (with --json: every
    face of every frame), and at its end who was seen, in how many frames, from when to when.

    Nobody in the picture, nobody known and an empty gallery are results: they leave with 0. A photo named here that
    cannot be read leaves with 3, after the others were looked at; in a folder it is only mentioned. There is no liveness
    detection: a photograph of a face passes for the face.

    Examples: edge-facenet identify party.jpg; edge-facenet identify --camera camera:0 --every 0.5;
    ffmpeg -i rtsp://door -f mjpeg - | edge-facenet identify - --json
    """
    from edge_facenet.cameras import CameraOptions
    from edge_facenet.errors import ConfigError
    from edge_facenet.recognise import RecognizerOptions

    from .identifying import Job, Looks, camera_of, run

    sources = [*(what or []), *([camera_of(camera)] if camera is not None else [])]
    if not sources:
        raise ConfigError("Say what to look at: photos, a folder, a video, - for standard input, or --camera camera:0.")
    width, height = people.size_of(size)
    frames = CameraOptions(
        width,
        height,
        rotate=rotate,
        mirror=mirror,
        give_up=give_up,
        on_event=lambda event: people.note(event.message),
    )
    options = RecognizerOptions(fpir=fpir, key_file=key_file, engine=engine, threads=threads)
    recognizer = people.open_recognizer(model, gallery, options)
    looks = Looks(every, seconds, why=why, as_json=as_json)
    if code := run(Job(recognizer, frames, looks, people.Out()), sources):
        raise typer.Exit(code)
