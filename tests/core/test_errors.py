"""Every error has a documented exit code, and the tree in the docstring is the tree in the code."""

from __future__ import annotations

import pickle
import re

import pytest

from edge_facenet import errors

CODES = {
    "InputError": 3,
    "ManifestError": 4,
    "GateError": 5,
    "SetupError": 6,
    "ConfigError": 7,
    "OutputError": 8,
}


def test_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = re.findall(r"^ {4}([│├└─ ]*)(\w+)(?: +(\d))?", errors.__doc__ or "", re.MULTILINE)
    names = [name for _, name, _ in drawn if name in errors.__all__]
    assert sorted(names) == sorted(errors.__all__)
    parents: list[str] = []
    for rails, name, code in drawn:
        depth = len(rails) // 4
        cls = getattr(errors, name)
        assert cls.__base__.__name__ == (parents[depth - 1] if depth else "Exception"), name
        if code:
            assert cls.exit_code == int(code), name
        parents[depth:] = [name]


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_subclasses_leave_with_their_parents_code(name: str, code: int) -> None:
    family = [c for c in map(errors.__dict__.get, errors.__all__) if issubclass(c, errors.__dict__[name])]
    assert {c.exit_code for c in family if c is not errors.CameraLost} == {code}


def test_a_lost_camera_leaves_with_a_code_of_its_own_for_services() -> None:
    assert errors.CameraLost.exit_code not in {1, 2, *CODES.values()}


def test_missing_extra_says_what_to_type() -> None:
    message = str(errors.MissingExtra("matplotlib", "bench", "Drawing plots"))
    assert message == (
        "Drawing plots needs matplotlib, which is not installed. Type: pip install 'edge-facenet[bench]'"
    )


@pytest.mark.parametrize("again", [False, True])
def test_whether_a_photo_is_worth_another_look_survives_the_way_from_another_process(again: bool) -> None:
    back = pickle.loads(pickle.dumps(errors.PhotoError("This is text.", again=again)))
    assert type(back) is errors.PhotoError and str(back) == "This is text." and back.again is again
    assert errors.PhotoError("This is text.").again is False
