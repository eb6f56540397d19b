"""The folder an app or a Pi takes: an artifact with golden vectors, a note and a list of hashes.

Run by `export/phone.sh` and `export/pi.sh`: python -m edge_facenet_export.handover phone OUT/NAME-int8.json; before the
export with the word `free` in the target's place, which only looks whether OUT may be used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import edge_facenet
from edge_facenet import files
from edge_facenet.embedder import Embedder, selftest_faces
from edge_facenet.errors import ConfigError, EdgeFacenetError, ManifestError, OutputError
from edge_facenet.manifest import Manifest, named
from edge_facenet.pixels import resize

from .output import check_name

FAR = 1e-2
SUMS, NOTE, GOLDEN = "SHA256SUMS", "README.txt", "golden"
FREE = "free"


def hand_over(target: str, manifest: Path) -> Path:
    """Complete the folder of an exported artifact.

    Writes `SHA256SUMS` over all of it (`sha256sum -c`), by which the rest is known as this one's when it runs again, then
    `golden/` (two faces as PNG, the input tensor's bytes, the embedding as little-endian float32, and golden.json that
    describes them) and `README.txt` (six lines).

    Args:
        target: "phone" or "pi".
        manifest: OUT/NAME-RECIPE.json.
    Returns:
        the folder.
    Raises:
        ConfigError: another target.
        ManifestError: not an artifact of this project's export.
        OutputError: the folder holds something else already.
    """
    if target not in _NOTES:
        raise ConfigError(f'There is no target "{target}"; known: {", ".join(_NOTES)}.')
    embedder = edge_facenet.load(manifest)
    described = embedder.manifest
    if described.self_test is None or described.cost is None:
        raise ManifestError(f"{manifest} has no self-test: it was not written by `export`. Export it again.")
    check_free(manifest)
    folder = manifest.parent
    lines = [_headline(manifest, described), *_NOTES[target](manifest, described), _terms(described)]
    note = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
    made = {**golden(embedder), Path(NOTE): note}
    sums = {path: files.sha256(content) for path, content in made.items()}
    sums |= {Path(name): files.sha256(folder / name) for name in (manifest.name, described.file)}
    listed = "".join(f"{sums[path]}  {path.as_posix()}\n" for path in sorted(sums))
    files.write_bytes(folder / SUMS, os.fsencode(listed))  # names as they stand on the disk
    for path, content in made.items():
        files.write_bytes(folder / path, content)
    return folder


def check_free(manifest: Path) -> None:
    """Refuse a folder of something else: one folder has one artifact, one `golden/`, and one note.

    Raises:
        OutputError: another artifact is there, or a note or `golden/` that no list of hashes names; or the manifest's name
            cannot be one.
    """
    check_name(manifest.stem)
    folder, sums = manifest.parent, manifest.parent / SUMS
    lines = os.fsdecode(sums.read_bytes()).split("\n") if sums.exists() else []
    listed = {line.split("  ", 1)[-1] for line in lines}
    others = [name for name in named(folder) if name != manifest.name]
    if lines and manifest.name not in listed:
        others.append(next((name for name in sorted(listed) if name.endswith(".json") and "/" not in name), SUMS))
    firsts = {name.split("/", 1)[0] for name in listed}
    others += [name for name in (NOTE, GOLDEN) if os.path.lexists(folder / name) and name not in firsts]
    if others:
        raise OutputError(f"{folder} holds {others[0]}, which {manifest.name} would spoil. Give a folder of its own.")


def golden(embedder: Embedder) -> dict[Path, bytes]:
    """Inputs and outputs that a port to another language must reproduce, from the two synthetic faces.

    Returns:
        contents by path, within the artifact's folder.
    """
    import cv2

    described = embedder.manifest
    tolerance = described.self_test.tolerance if described.self_test else {}
    faces = resize(selftest_faces(), described.pixels.size)
    tensors, rows = described.pixels.tensor(faces), embedder.embed(faces)
    contents: dict[str, bytes] = {}
    for number, (face, tensor, row) in enumerate(zip(faces, tensors, rows, strict=True)):
        contents[f"face-{number}.png"] = cv2.imencode(".png", np.ascontiguousarray(face[..., ::-1]))[1].tobytes()
        contents[f"input-{number}.bin"] = tensor.astype(tensor.dtype.newbyteorder("<")).tobytes()
        contents[f"embedding-{number}.bin"] = row.astype("<f4").tobytes()
    about = {
        "input": {"shape": list(described.pixels.shape), "dtype": described.pixels.dtype, "byte_order": "little"},
        "embedding": {"shape": [described.dimension], "dtype": "float32", "byte_order": "little"},
        "faces": len(faces),
        "tolerance": tolerance,
    }
    contents["golden.json"] = files.canonical_json(about).encode()
    return {Path(GOLDEN, name): content for name, content in contents.items()}


def _headline(manifest: Path, described: Manifest) -> str:
    cost = described.cost
    figures = f", {cost.muladds / 1e6:.1f} M MUL-ADDs, {cost.bytes / 1e6:.2f} MB" if cost else ""
    return f"{manifest.stem}: a face embedder ({described.family}, {described.recipe}{figures}), made by edge-facenet {edge_facenet.__version__}."


def _phone(manifest: Path, described: Manifest) -> list[str]:
    spec = described.pixels
    value = "pixel XOR 0x80, as int8" if spec.is_xor else "(pixel - 128) / 128, as float32"
    worst = max(described.self_test.tolerance.values()) if described.self_test else 0.0
    return [
        f'In edge-facenet\'s app: make test-android MODELS="--model /PATH/TO/{manifest.name}". In your own: {manifest.name} and '
        f"{described.file} among its assets; sizes and thresholds stand in the JSON.",
        f"Input: one face, {spec.size} x {spec.size} RGB, aligned to the {described.template} template; each value is {value}.",
        f"Output: {described.dimension} float32 of unit length. {_decision(described)}",
        f"Prove your port: feed golden/input-N.bin, compare with golden/embedding-N.bin; 1 - cosine may be {worst:g} at most.",
    ]


def _pi(manifest: Path, described: Manifest) -> list[str]:
    return [
        "On the Pi (64-bit system): a virtual environment with edge-facenet's wheel, as its docs/pi.md says; this folder beside it.",
        "Recognise: edge-facenet enroll ANNA PHOTOS --model FOLDER, then edge-facenet identify PHOTO --model FOLDER (FOLDER: this one).",
        f'Python: edge_facenet.load("{manifest.name}").embed(crops), crops (n, s, s, 3) uint8 RGB, aligned to {described.template}. '
        + _decision(described),
        f"Arrived whole? sha256sum -c {SUMS}. The same there? edge-facenet bench {manifest.name} tests itself and measures that machine.",
    ]


def _decision(described: Manifest) -> str:
    points = described.thresholds.at if described.thresholds else ()
    found = next((p.cosine for p in points if p.far == FAR), None)
    if found is None:
        return f"No threshold at FAR {FAR:g}: too few people to derive one."
    return f"Same person when the cosine of two is above {found:.3f} (FAR {FAR:g}; others in the JSON)."


def _terms(described: Manifest) -> str:
    origin = described.provenance
    return f"Terms: {origin.licence}. {origin.uses}" if origin else "Terms: not stated."


_NOTES = {"phone": _phone, "pi": _pi}


def main(words: list[str]) -> None:
    """`python -m edge_facenet_export.handover phone|pi|free MANIFEST`; errors leave as the command line's do."""
    from edge_facenet.cli.main import describe

    try:
        if len(words) != 2:
            raise ConfigError(
                f"Give {', '.join(_NOTES)} or {FREE}, and OUT/NAME-RECIPE.json; found {len(words)} words."
            )
        target, manifest = words[0], Path(words[1])
        if target == FREE:
            check_free(manifest)
        else:
            hand_over(target, manifest)
    except (EdgeFacenetError, OSError, ValueError) as error:
        sentence, code = describe(error)
        sys.stderr.write(f"edge-facenet: {sentence}\n")
        sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
