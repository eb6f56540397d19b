"""A short text sealed behind a model's graph, readable without this project.

TFLite: a zip archive appended to the FlatBuffer, as TFLite Metadata carries associated files, with one stored entry
`edge_facenet.json`; `zipfile` and `java.util.zip` read it, interpreters ignore it. ONNX: one more `metadata_props`
entry under the key `edge_facenet`, appended as protobuf allows. Both leave the graph's own bytes as they were.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from .engines.base import is_tflite

ENTRY = "edge_facenet.json"
KEY = b"edge_facenet"
_METADATA_PROPS = 14  # field number in onnx.proto's ModelProto
# What zipfile raises on bytes that look like an archive and are none.
_DAMAGED = (
    zipfile.BadZipFile,
    KeyError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    zlib.error,
    struct.error,
    ValueError,
)


def append(graph: bytes, text: bytes) -> bytes:
    """`graph` with `text` behind it; the same input gives the same bytes."""
    if not is_tflite(graph):
        return graph + _field(_METADATA_PROPS, _field(1, KEY) + _field(2, text))
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(ENTRY, (1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


def split(model: bytes) -> tuple[bytes, bytes | None]:
    """The graph's own bytes and the text behind it (None when there is none)."""
    found = _split_zip(model) if is_tflite(model) else _split_onnx(model)
    return (model, None) if found is None else found


def _split_zip(model: bytes) -> tuple[bytes, bytes] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            info = archive.getinfo(ENTRY)
            return model[: info.header_offset], archive.read(info)
    except _DAMAGED:
        return None


def _split_onnx(model: bytes) -> tuple[bytes, bytes] | None:
    """Walk ModelProto's top-level fields (protobuf wire format) to our entry, which stands last."""
    position = 0
    prefix = _field(1, KEY)
    try:
        while position < len(model):
            start = position
            tag, position = _varint(model, position)
            if tag & 7 == 0:
                _, position = _varint(model, position)
                continue
            if tag & 7 != 2:
                return None
            length, position = _varint(model, position)
            content, position = model[position : position + length], position + length
            if tag >> 3 == _METADATA_PROPS and content.startswith(prefix) and position == len(model):
                return model[:start], _second_field(content, len(prefix))
    except IndexError:
        return None
    return None


def _second_field(content: bytes, position: int) -> bytes:
    """The value of a StringStringEntryProto whose key ends at `position`."""
    _, position = _varint(content, position)
    length, position = _varint(content, position)
    return content[position : position + length]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position
    raise IndexError("a varint has at most 10 bytes")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _encode(number << 3 | 2) + _encode(len(content)) + content


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
