"""Frozen dataclasses to JSON and back, strictly: one truth for code, files, documentation and JSON schema.

`from_json` refuses unknown keys (naming the nearest known one), wrong types and missing keys, each with the path to the
value. `json_schema` writes the same rules as JSON Schema 2020-12; field documentation comes from `doc(...)`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import ConfigError, EdgeFacenetError

T = TypeVar("T")
Refusal = type[EdgeFacenetError]
_SCALARS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def doc(text: str, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field with its documentation (shape, unit, range)."""
    return dataclasses.field(default=default, metadata={"doc": text})


def to_json(value: Any) -> Any:
    """Plain JSON values of a dataclass; optional fields that are None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: to_json(item) for name, item in pairs if item is not None}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    return value


def from_json(cls: type[T], value: Any, where: str, refusal: Refusal = ConfigError) -> T:
    """Build dataclass `cls` from JSON `value`.

    Args:
        where: what is being read, the start of every message ("manifest mobile-int8.json").
        refusal: the error class to raise.
    Raises:
        refusal: with the path to the value, what was expected and what was found.
    """
    return cast(T, _read(cls, value, where, refusal))


def json_schema(cls: type) -> dict[str, Any]:
    """JSON Schema of a dataclass, with field documentation as descriptions."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": cls.__name__, **_schema(cls)}


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """'(did you mean "x"?)' for a mistyped word, or the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(names)}"


def _read(kind: Any, value: Any, where: str, refusal: Refusal) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _read(next(a for a in args if a is not type(None)), value, where, refusal)
    if origin is Literal:
        if value not in args:
            raise refusal(f"{where}: expected one of {', '.join(map(str, args))}; found {value!r}.")
        return value
    if origin is tuple:
        return _read_tuple(args, value, where, refusal)
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value, refusal)
        return {key: _read(args[1], item, f"{where}.{key}", refusal) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_object(kind, value, where, refusal)
    return value if kind is Any else _read_scalar(kind, value, where, refusal)


def _read_object(cls: Any, value: Any, where: str, refusal: Refusal) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value, refusal)
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for key in value:
        if key not in fields:
            raise refusal(f'{where}: unknown key "{key}" ({nearest(str(key), fields)})')
    required = (
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )
    if missing := [name for name in required if name not in value]:
        raise refusal(f"{where}: missing {', '.join(missing)}.")
    arguments = {key: _read(hints[key], item, f"{where}.{key}", refusal) for key, item in value.items()}
    try:
        return cls(**arguments)
    except ValueError as error:
        raise refusal(f"{where}: {error}") from error


def _read_tuple(args: tuple[Any, ...], value: Any, where: str, refusal: Refusal) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(where, "a list", value, refusal)
    if len(args) == 2 and args[1] is Ellipsis:
        kinds: list[Any] = [args[0]] * len(value)
    elif len(args) != len(value):
        raise refusal(f"{where}: expected {len(args)} values, found {len(value)}.")
    else:
        kinds = list(args)
    return tuple(_read(k, item, f"{where}[{i}]", refusal) for i, (k, item) in enumerate(zip(kinds, value, strict=True)))


def _read_scalar(kind: type, value: Any, where: str, refusal: Refusal) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 1000:
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(where, f"{'an' if kind is int else 'a'} {_SCALARS.get(kind, kind.__name__)}", value, refusal)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, "a finite number", value, refusal)  # Python's JSON reads NaN and Infinity
    return value


def _wrong(where: str, expected: str, value: Any, refusal: Refusal) -> EdgeFacenetError:
    return refusal(f"{where}: expected {expected}, found {type(value).__name__} {str(value)[:60]!r}.")


def _schema(kind: Any) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _schema(next(a for a in args if a is not type(None)))
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return {"type": "array", "items": _schema(args[0])}
        return {
            "type": "array",
            "prefixItems": [_schema(a) for a in args],
            "minItems": len(args),
            "maxItems": len(args),
        }
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(args[1])}
    if not dataclasses.is_dataclass(kind):
        return {} if kind is Any else {"type": _SCALARS[kind]}
    hints, properties, required = get_type_hints(kind), {}, []
    for field in dataclasses.fields(kind):
        properties[field.name] = _schema(hints[field.name])
        if text := field.metadata.get("doc"):
            properties[field.name]["description"] = text
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
