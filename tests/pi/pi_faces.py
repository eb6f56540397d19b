"""What both machines work on: tensors, crops and photos of ORL people and synthetic faces, and the networks' int8 parts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pi_world import FACES_EACH, PEOPLE, PROBES, STRANGERS

RECIPES = (("int8", "tflite"), ("fp16", "tflite"), ("int8", "onnx"), ("fp32", "onnx"))


def fill(folder: Path) -> None:
    """Make everything that `both.py` reads, in `folder`."""
    from edge_facenet.photos import models

    finder = models.open_finder()
    for kind, people in (("people", range(1, PEOPLE + 1)), ("strangers", range(31, 31 + STRANGERS))):
        crops = [_crop(finder, path) for path in _pictures(folder / kind, people)]
        np.save(folder / f"{kind}.npy", np.stack(crops))
    _tensors(folder, np.load(folder / "people.npy")[:: FACES_EACH + PROBES])
    _photos(folder)
    (folder / "bodies").mkdir()
    (folder / "bodies" / "int8.tflite").write_bytes(_tflite_body())
    (folder / "bodies" / "int8.onnx").write_bytes(_onnx_body())
    _handed(folder / "handed")


def _pictures(folder: Path, people: range) -> list[Path]:
    """FACES_EACH + PROBES pictures of each person as JPEG, three times as large as ORL's."""
    from PIL import Image

    from edge_facenet.photos import orl

    made = []
    for person in people:
        for number in range(1, FACES_EACH + PROBES + 1):
            path = folder / f"s{person}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.open(orl.folder() / f"s{person}" / f"{number}.pgm").convert("RGB")
            picture.resize((276, 336)).save(path, quality=95)
            made.append(path)
    return made


def _crop(finder: Any, path: Path) -> Any:
    from edge_facenet.photos.align import align
    from edge_facenet.photos.decode import decode

    photo = decode(path.read_bytes()).pixels
    return align(photo, finder.find(photo, most=1)[0][0].points)


def _tensors(folder: Path, faces: Any) -> None:
    """Faces and noise as each recipe wants them."""
    from edge_facenet_models import path

    from edge_facenet.manifest import read
    from edge_facenet.pixels import resize
    from edge_facenet.selftest import selftest_faces

    noise = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), np.uint8)
    every = np.concatenate([selftest_faces(), noise, faces])
    tensors = {}
    for recipe, kind in RECIPES:
        pixels = read(path("mobile", recipe, kind)).pixels
        tensors[f"{recipe}-{kind}"] = pixels.tensor(resize(every, pixels.size))
    np.savez(folder / "tensors.npz", **tensors)


def _photos(folder: Path) -> None:
    from PIL import Image

    from edge_facenet.selftest import selftest_faces

    photos = folder / "photos"
    photos.mkdir()
    first, second = (Image.fromarray(face) for face in selftest_faces())
    sheet = Image.new("RGB", (400, 300), (128, 128, 128))
    sheet.paste(first, (40, 60))
    sheet.save(photos / "one.png")
    sheet.paste(second, (220, 120))
    sheet.save(photos / "two.jpg", quality=90)
    shutil.copy(folder / "people" / "s1" / "4.jpg", photos / "orl.jpg")


def _handed(folder: Path) -> None:
    """The folder that `export/pi.sh` makes, of the released network."""
    from edge_facenet_export.handover import hand_over
    from edge_facenet_models import path

    from edge_facenet.manifest import read

    manifest = path("mobile")
    folder.mkdir()
    for file in (manifest, manifest.parent / read(manifest).file):
        shutil.copy(file, folder)
    hand_over("pi", folder / manifest.name)


def _model(recipe: str, kind: str) -> bytes:
    from edge_facenet_models import path

    from edge_facenet.manifest import read, unseal

    manifest = path("mobile", recipe, kind)
    return unseal((manifest.parent / read(manifest).file).read_bytes())[0]


def _tflite_body() -> bytes:
    """The network up to its last int8 tensor: what stands behind is the norm, in floating point."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    content = _model("int8", "tflite")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # its bytes stand behind the tables
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    graph = model.subgraphs[0]
    code = schema.BuiltinOperator.DEQUANTIZE
    last = next(k for k, op in enumerate(graph.operators) if model.operatorCodes[op.opcodeIndex].builtinCode == code)
    graph.outputs = [int(graph.operators[last].inputs[0])]
    graph.operators = graph.operators[:last]
    model.signatureDefs = []
    builder = flatbuffers.Builder(1 << 21)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _onnx_body() -> bytes:
    """The same of the ONNX file, whose last whole numbers are unsigned."""
    import onnx

    model = onnx.load_from_string(_model("int8", "onnx"))
    graph = model.graph
    last = max(k for k, node in enumerate(graph.node) if node.op_type == "QuantizeLinear")
    name = graph.node[last].output[0]
    zero = next(one for one in graph.initializer if one.name == graph.node[last].input[2])
    del graph.node[last + 1 :]
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info(name, zero.data_type, None))
    return bytes(model.SerializeToString())
