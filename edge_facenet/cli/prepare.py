"""`edge-facenet prepare`: photos to a crop set."""

from __future__ import annotations

import collections
import dataclasses
import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .plain import plain

if TYPE_CHECKING:
    from edge_facenet.photos.cropset import Layout
    from edge_facenet.photos.prepare import Report
    from edge_facenet.photos.quality import QualityRules

_ENROLL = "enroll"


class Faces(enum.StrEnum):
    """As `photos.choose.Policy`, which is not imported for the sake of a quick --help."""

    subject = "subject"
    nearest = "nearest"
    largest = "largest"
    all = "all"
    reject = "reject"


PhotosArg = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTOS", help="Folders of photos, one CSV (path,identity), or the word orl for the ORL faces."
    ),
]
OutArg = Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the crop set; made when missing.")]
SizeOpt = Annotated[int, typer.Option(help="Side of a crop, px; the template is 7/8 of it.", min=32, max=1024)]
FacesOpt = Annotated[
    Faces,
    typer.Option(
        help="Of a photo with several: its subject (largest and most central), the face nearest the centre, the largest, all "
        "(none of them is then taken for the person of the folder), or reject the photo."
    ),
]
RequireOpt = Annotated[
    str,
    typer.Option(
        metavar="LIMITS",
        help="Keep only faces as good as this: face_px=24,yaw=35 (see above), or the word enroll for what enroll asks. Default: "
        "everything is kept; the figures stand in index.csv.",
    ),
]
MegapixelsOpt = Annotated[float, typer.Option(help="Refuse larger pictures unread.", min=0.01)]
JobsOpt = Annotated[
    int | None,
    typer.Option(help="Processes; default: one per core where it is worth it. Needs the extra scale.", min=1),
]
DaskOpt = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Let a Dask cluster do it (tcp://HOST:8786); its workers must see the photos under the same paths, and have "
        "edge-facenet and its face models.",
    ),
]
AlignedOpt = Annotated[
    bool, typer.Option("--aligned", help="PHOTOS is a folder of packs: zips of aligned faces and an index.csv.")
]
SourcesOpt = Annotated[
    str, typer.Option(help="With --aligned: only faces of these sources, separated by commas.", metavar="A,B")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def command(
    photos: PhotosArg,
    out: OutArg,
    *,
    size: SizeOpt = 128,
    faces: FacesOpt = Faces.subject,
    require: RequireOpt = "",
    max_megapixels: MegapixelsOpt = 128.0,
    jobs: JobsOpt = None,
    dask: DaskOpt = "",
    aligned: AlignedOpt = False,
    sources: SourcesOpt = "",
    as_json: JsonOpt = False,
) -> None:
    """Find, align and cut the face of every photo.

    One sub-folder per person (its name is the identity, its own sub-folders belong to it), or flat; or one CSV with the
    columns path,identity. Every file is either a crop in OUT/index.csv or a row of OUT/rejected.csv with the reason; files
    are recognised by content, links are followed, each real file is taken once, hidden folders are not entered. Photos
    that stand there twice, exactly or nearly, are listed in OUT/duplicates.csv. Run it again after an interruption and it
    goes on; run it again after adding photos and the new ones are appended. The crops do not depend on who does the work.

    --require takes any of these; the numbers are what enroll asks, set where the released network begins to fail
    (docs/photos.md). At least: face_px=16 (px between the eyes), blur=15 (variance of the Laplacian; low is blurred),
    darkest=35 (mean luminance, 0..255), score=0.5 and presence=0.5 (of detector and mesh, 0..1; low is hardly a face, in
    profile, or covered). At most: brightest=210 (luminance), yaw=35, pitch=35, roll=45 (degrees to a side, up or down,
    tilted), cut_off=0.2 (share of the face outside the photo).

    Examples: edge-facenet prepare my_photos crops; edge-facenet prepare photos.csv crops --require face_px=24,blur=15;
    edge-facenet prepare orl crops; edge-facenet prepare --aligned packs crops --sources celeba_small,utkface
    """
    import cv2

    from edge_facenet.cli.progress import bar
    from edge_facenet.errors import ConfigError
    from edge_facenet.photos import orl
    from edge_facenet.photos.crew import Crew
    from edge_facenet.photos.cropset import Layout
    from edge_facenet.photos.decode import Limits
    from edge_facenet.photos.examine import Rules
    from edge_facenet.photos.prepare import prepare

    cv2.setNumThreads(1)  # crops are small: more threads cost more than they bring
    if aligned:
        _prepare_packs(photos, out, Layout(size, margin=round(size / 16)), sources, as_json=as_json)
        return
    if sources:
        raise ConfigError("--sources chooses among packs: it needs --aligned.")
    if size % 2:
        raise ConfigError(f"--size must be even, found {size}.")
    if orl.WORD in photos and len(photos) > 1:
        raise ConfigError("The word orl stands alone: prepare it into a crop set of its own.")
    source = orl.listing() if photos == [orl.WORD] else [Path(photo) for photo in photos]
    if dask and jobs:
        raise ConfigError(
            "--jobs counts processes on this machine, --dask has the work done elsewhere: give one of them."
        )
    limits = Limits(megapixels=max_megapixels)
    rules = Rules(Layout(size, margin=round(size / 16)), limits, faces=faces.value, quality=_limits(require))
    with bar("Aligning photos", unit="photos") as on_progress:
        report = prepare(source, out, rules, on_progress=on_progress, crew=Crew(jobs or 0, dask))
    if as_json:
        print(json.dumps(_values(report)))
    else:
        _print(report)


def _limits(text: str) -> QualityRules | None:
    """What --require says; None = nothing is asked.

    Raises:
        ConfigError: an unknown name, or a limit that is no number.
    """
    from edge_facenet.errors import ConfigError
    from edge_facenet.photos.quality import QualityRules, only
    from edge_facenet.schema import nearest

    if text.strip() in ("", _ENROLL):
        return QualityRules() if text.strip() else None
    names = [field.name for field in dataclasses.fields(QualityRules)]
    limits: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in names:
            raise ConfigError(f'--require has no limit "{name}" ({nearest(name, names)})')
        try:
            limits[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"--require {name} needs a number, found {value!r}: {name}=24") from error
    return only(limits)


def _prepare_packs(packs: list[str], out: Path, layout: Layout, sources: str, *, as_json: bool) -> None:
    from edge_facenet.cli.progress import bar
    from edge_facenet.errors import ConfigError
    from edge_facenet.photos.packs import PackOptions, prepare_packs

    if len(packs) != 1:
        raise ConfigError(f"--aligned takes one folder of packs, found {len(packs)}.")
    wanted = tuple(source.strip() for source in sources.split(",") if source.strip())
    with bar("Unpacking faces", unit="faces") as on_progress:
        crops = prepare_packs(Path(packs[0]), out, PackOptions(wanted, layout), on_progress)
    rejected = len(crops.rejections())
    if as_json:
        values = {"crops": len(crops), "rejected": rejected, "identities": len(crops.identities), "out": str(out)}
        print(json.dumps({**values, "sha256": crops.sha256, "notes": list(crops.seal.notes)}))
        return
    named = int((crops.labels >= 0).sum())
    print(
        f"{len(crops)} faces, {named} of them of {len(crops.identities)} people, {rejected} rejected (rejected.csv).\n"
        f"Written: {out}. {' '.join(crops.seal.notes)}\n"
        f"Next: edge-facenet train {out} RUN --preset mobile-distil --teacher TEACHER.json --detach"
    )


def _values(report: Report) -> dict[str, Any]:
    crops = report.crops
    return {
        "crop_set": str(crops.path),
        "photos": report.photos,
        "crops": len(crops),
        "rejected": crops.seal.rejected,
        "identities": len(crops.identities),
        "unlabelled": int((crops.labels < 0).sum()),
        "looked_at": report.looked_at,
        "unchanged": report.unchanged,
        "notes": list(crops.seal.notes),
        "sha256": crops.sha256,
    }


def _print(report: Report) -> None:
    crops, values = report.crops, _values(report)
    if report.unchanged:
        print("Nothing to do: the crop set is finished and the photos are the same.")
    unlabelled = f", {values['unlabelled']} without a name" if values["unlabelled"] else ""
    gave = "=" if report.photos == len(crops) + crops.seal.rejected else "gave"  # one photo, several faces
    print(
        f"{report.photos} files {gave} {len(crops)} crops of {len(crops.identities)} people{unlabelled} + "
        f"{crops.seal.rejected} rejected"
    )
    several = len({row.source for row in crops.rows if row.faces > 1})
    if several:
        print(f"{several} photos show several faces (column faces); taken: {crops.seal.settings['face']}.")
    reasons = collections.Counter(r.reason for r in crops.rejections())
    for reason, count in reasons.most_common(5):
        print(plain(f"  {count} rejected: {reason}"))
    if len(reasons) > 5:
        print(f"  … and {len(reasons) - 5} more reasons in {crops.path / 'rejected.csv'}")
    for note in crops.seal.notes:
        print(plain(f"Note: {note}"))
    print(f"Crop set: {crops.path} ({crops.size} px, sha256 {crops.sha256[:12]}…)")
