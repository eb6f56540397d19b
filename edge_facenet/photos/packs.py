"""Packs of faces that are aligned already: zips of pictures and one `index.csv` -> a crop set.

    PACKS/index.csv      shard, name, source, identity, scale …    one line per face
    PACKS/faces_0.zip …  the pictures, RGB, all of one size

Identities become `source/identity`, so that equal names in two sources stay apart. Rows keep the order of `index.csv`.

The pictures' frame is the detector's that aligned them. YuNet's five points (the packs this was written for) are
smoothed differently from the face mesh that `prepare` uses on photos: a mesh crop of the same face is 2.5 % larger,
turned by 1.4 degrees and 0.7 px off on average. `MAPPINGS` has the destination that lands a mesh in the packs' frame.
"""

from __future__ import annotations

import collections
import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_facenet import files
from edge_facenet.errors import InputError
from edge_facenet.pixels import Pixels
from edge_facenet.schema import nearest

from .align import target
from .growing import CropSetWriter, Recipe
from .rows import CropRow, Rejection
from .sealed import CropSet, Layout

COLUMNS = ("shard", "name", "source", "identity")
MOST_BYTES = 16 << 20
"""Of one picture in a zip; a face of 128 px has some thousand."""
MAPPINGS = {
    "yunet": {
        "points": "YuNet's five, similarity to arcface-112",
        "mesh_destination_112": [[37.25, 53.44], [72.28, 52.54], [55.33, 73.28], [41.50, 90.32], [70.41, 89.62]],
    }
}
"""By the detector that the packs were aligned with: where the mesh's five points fall, px of the 112-px template."""


@dataclass(frozen=True)
class PackOptions:
    """How packs are read."""

    sources: tuple[str, ...] = ()
    """Only faces of these sources; empty = all."""
    layout: Layout = Layout()
    """Side and margin of the pictures in the packs."""
    aligned_by: str = "yunet"
    """Key of `MAPPINGS`."""


@dataclass(frozen=True)
class _Face:
    shard: str
    name: str
    source: str
    identity: str
    scale: float

    @property
    def photo(self) -> str:
        return f"{self.shard}/{self.name}"


def prepare_packs(
    packs: Path,
    out: Path,
    options: PackOptions = PackOptions(),
    on_progress: Callable[[int, int], None] | None = None,
) -> CropSet:
    """Read packs of aligned faces into a crop set; stopped, it goes on where it was.

    Args:
        packs: folder with index.csv and the zips it names.
        out: folder of the crop set.
    Raises:
        InputError: no index, a column or zip missing, an unknown source, no face at all.
        OutputError: `out` cannot be written to, or holds something else.
    """
    faces = _wanted(_read_index(packs / "index.csv"), options, packs)
    for shard in sorted({face.shard for face in faces}):
        if Path(shard).name != shard or not (packs / shard).is_file():
            raise InputError(
                f"{packs / 'index.csv'} names {shard!r}, which is not in {packs}. Copy the packs again, all of them."
            )
    with CropSetWriter(out, _recipe(packs, options)) as writer:
        known = set(writer.known)
        for done, (face, content) in enumerate(_contents(packs, faces, known), len(known) + 1):
            _take(writer, face, content, options.layout)
            if on_progress:
                on_progress(done, len(faces))
        mapping = MAPPINGS[options.aligned_by]
        return writer.seal(
            [f"Aligned by {mapping['points']}; a mesh lands in this frame at {mapping['mesh_destination_112']}."]
        )


def _recipe(packs: Path, options: PackOptions) -> Recipe:
    import cv2

    settings = {
        "packs_index_sha256": files.sha256(packs / "index.csv"),
        "sources": list(options.sources),
        "aligned_by": options.aligned_by,
        "mapping": MAPPINGS[options.aligned_by],
    }
    return Recipe(options.layout, settings, {"opencv": cv2.__version__, "numpy": np.__version__})


def _read_index(path: Path) -> list[_Face]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise InputError(f"{path} lacks the column {missing[0]}; it needs {', '.join(COLUMNS)}.")
            return [_face(row, path, reader.line_num) for row in reader]
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror}. Give the folder that holds index.csv and the zips."
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not the index of a pack: {error}.") from error


def _face(row: dict[str, str | None], path: Path, line: int) -> _Face:
    shard, name, source, identity = (row[column] for column in COLUMNS)
    if not shard or not name or source is None or identity is None:
        raise InputError(f"{path}, line {line}: fewer values than columns.")
    try:
        scale = float(row.get("scale") or 0.0)
    except ValueError as error:
        raise InputError(f"{path}, line {line}: scale is {row['scale']!r}, not a number.") from error
    return _Face(shard, name, source, identity, scale)


def _wanted(faces: list[_Face], options: PackOptions, packs: Path) -> list[_Face]:
    there = collections.Counter(face.source for face in faces)
    for source in options.sources:
        if source not in there:
            raise InputError(f'{packs} has no source "{source}" ({nearest(source, there)})')
    kept = [face for face in faces if not options.sources or face.source in options.sources]
    if twice := [photo for photo, count in collections.Counter(f.photo for f in kept).items() if count > 1]:
        raise InputError(f"{packs / 'index.csv'} names {twice[0]} twice ({len(twice)} such pictures).")
    return kept


def _contents(packs: Path, faces: Sequence[_Face], known: set[str]) -> Iterator[tuple[_Face, bytes | str]]:
    """Each face not yet known with its file's bytes, or with the reason why there are none; in the index's order."""
    archives: dict[str, zipfile.ZipFile] = {}
    try:
        for face in faces:
            if face.photo in known:
                continue
            if face.shard not in archives:
                archives[face.shard] = _opened(packs / face.shard)
            yield face, _member(archives[face.shard], face.name)
    finally:
        for archive in archives.values():
            archive.close()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} is not a whole zip ({error}). Copy the packs again.") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes | str:
    try:
        if archive.getinfo(name).file_size > MOST_BYTES:
            return f"larger than {MOST_BYTES >> 20} MiB"
        return archive.read(name)
    except KeyError:
        return "not in the zip"
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        return f"cannot be taken out of the zip ({error})"


def _take(writer: CropSetWriter, face: _Face, content: bytes | str, layout: Layout) -> None:
    if isinstance(content, str):
        writer.reject(Rejection(face.photo, content))
        return
    with writer.trying(face.photo):
        crop = _decoded(content, layout.size)
    digest = files.sha256(content)
    if isinstance(crop, str):
        writer.reject(Rejection(face.photo, crop, sha256=digest))
    else:
        writer.accept(_row(face, crop, digest, layout), crop)


def _decoded(content: bytes, size: int) -> Pixels | str:
    """(size, size, 3) uint8 RGB, or the reason why not. The declared size is judged before anything is decoded."""
    import cv2
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as header:
            if header.size != (size, size):
                return f"{header.size[0]}x{header.size[1]} px, where {size}x{size} is expected"
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, cv2.error) as error:
        return f"not a picture ({type(error).__name__})"
    if decoded is None or decoded.shape != (size, size, 3):
        return "cannot be decoded"
    return np.ascontiguousarray(decoded[..., ::-1])


def _row(face: _Face, crop: Pixels, digest: str, layout: Layout) -> CropRow:
    """Points are the template's own: the picture is its own photo."""
    import cv2

    points = [(round(float(x), 2), round(float(y), 2)) for x, y in target(layout.size, layout.margin)]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return CropRow(
        row=0,
        identity=f"{face.source}/{face.identity}" if face.identity else "",
        source=face.photo,
        score=1.0,
        points=(points[0], points[1], points[2], points[3], points[4]),
        presence=0.0,  # no mesh has seen them
        scale=face.scale,
        face_px=round(float(np.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1])), 2),
        blur=round(float(cv2.Laplacian(grey, cv2.CV_64F).var()), 2),
        luminance=round(float(grey.mean()), 2),
        sha256=digest,
    )
