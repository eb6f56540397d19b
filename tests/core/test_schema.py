"""Dataclasses to JSON and back, strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_facenet.errors import ConfigError, ManifestError
from edge_facenet.schema import doc, from_json, json_schema, nearest, to_json


@dataclass(frozen=True)
class Inner:
    size: int = doc("height, px")
    kind: Literal["a", "b"] = doc("one of two", "a")

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is at least 1, found {self.size}.")


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float
    inner: Inner
    pair: tuple[float, int]
    many: tuple[Inner, ...] = ()
    by_name: dict[str, float] = field(default_factory=dict)
    maybe: int | None = None
    on: bool = False


ALLOWED = jsonschema.Draft202012Validator(json_schema(Outer))
GOOD: dict[str, Any] = {"name": "é", "rate": 1, "inner": {"size": 3}, "pair": [0.5, 2]}


def read(**changes: Any) -> Outer:
    return from_json(Outer, {**GOOD, **changes}, "file x")


def test_reads_defaults_and_turns_integers_into_floats() -> None:
    value = read(many=[{"size": 1, "kind": "b"}], by_name={"x": 2})
    assert value == Outer("é", 1.0, Inner(3), (0.5, 2), (Inner(1, "b"),), {"x": 2.0})
    assert isinstance(value.rate, float)
    assert isinstance(value.by_name["x"], float)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nmae": "x"}, r'file x: unknown key "nmae" (did you mean "name"?)'),
        ({"zzz": 1}, 'file x: unknown key "zzz" (known: by_name, inner, many, maybe, name, on, pair, rate)'),
        ({"rate": "fast"}, "file x.rate: expected a number, found str 'fast'."),
        ({"rate": True}, "file x.rate: expected a number, found bool 'True'."),
        ({"rate": float("nan")}, "file x.rate: expected a finite number, found float 'nan'."),
        ({"rate": float("inf")}, "file x.rate: expected a finite number, found float 'inf'."),
        ({"maybe": True}, "file x.maybe: expected an integer, found bool 'True'."),
        ({"maybe": 1.5}, "file x.maybe: expected an integer, found float '1.5'."),
        ({"inner": {"size": 0}}, "file x.inner: size is at least 1, found 0."),
        ({"inner": {"size": 1, "kind": "c"}}, "file x.inner.kind: expected one of a, b; found 'c'."),
        ({"inner": {"size": 1, "kind": ["a"]}}, "file x.inner.kind: expected one of a, b; found ['a']."),
        ({"inner": {}}, "file x.inner: missing size."),
        ({"inner": []}, "file x.inner: expected an object, found list '[]'."),
        ({"pair": [1]}, "file x.pair: expected 2 values, found 1."),
        ({"pair": "ab"}, "file x.pair: expected a list, found str 'ab'."),
        ({"many": [{"size": 1}, {"size": "1"}]}, "file x.many[1].size: expected an integer, found str '1'."),
        ({"by_name": {"k": None}}, "file x.by_name.k: expected a number, found NoneType 'None'."),
    ],
)
def test_refusals_name_the_place_and_what_was_found(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**change)
    assert str(caught.value) == sentence


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a number"):
        read(rate=10**400)


def test_the_caller_chooses_the_error() -> None:
    with pytest.raises(ManifestError):
        from_json(Inner, None, "x", ManifestError)


def test_none_is_left_out_and_read_back_as_none() -> None:
    assert "maybe" not in to_json(read())
    assert read(maybe=None).maybe is None


names = st.text(max_size=8)
inners = st.builds(Inner, st.integers(1, 10**9), st.sampled_from(["a", "b"]))
finite = st.floats(allow_nan=False, allow_infinity=False)
outers = st.builds(
    Outer,
    names,
    finite,
    inners,
    st.tuples(finite, st.integers()),
    st.lists(inners, max_size=3).map(tuple),
    st.dictionaries(names, finite, max_size=3),
    st.none() | st.integers(),
    st.booleans(),
)


@given(outers)
def test_through_json_and_back(value: Outer) -> None:
    text = json.dumps(to_json(value))
    assert from_json(Outer, json.loads(text), "x") == value
    ALLOWED.validate(json.loads(text))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.sampled_from(list(GOOD)), inner, max_size=4),
    max_leaves=6,
)


@given(anything, st.sampled_from(sorted([*GOOD, "many", "by_name", "maybe", "on"])))
def test_whatever_stands_in_the_file_it_is_read_or_refused(value: Any, key: str) -> None:
    """And what is read, the JSON schema allows: one truth."""
    document = {**GOOD, key: value}
    try:
        from_json(Outer, document, "x")
    except ConfigError:
        return
    ALLOWED.validate({k: v for k, v in document.items() if v is not None})


def test_the_schema_carries_the_documentation() -> None:
    schema = json_schema(Inner)
    assert schema["properties"]["size"] == {"type": "integer", "description": "height, px"}
    assert schema["properties"]["kind"]["enum"] == ["a", "b"]
    assert schema["required"] == ["size"]
    assert schema["additionalProperties"] is False


def test_nearest_names_the_close_one_or_lists_all() -> None:
    assert nearest("thresold", ["threshold", "file"]) == 'did you mean "threshold"?'
    assert nearest("q", ["b", "a"]) == "known: a, b"
