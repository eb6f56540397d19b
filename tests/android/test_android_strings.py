"""The app's texts: every translation has every text, with the same places for values in it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ARGUMENT = re.compile(r"%(?:\d+\$)?[sd]|%%")
RES = "android_demo/app/src/main/res"


def texts(path: Path) -> dict[str, set[str]]:
    """Arguments of each text, by its name; of plurals, of each of their forms."""
    found: dict[str, set[str]] = {}
    for node in ET.parse(path).getroot():
        if node.get("translatable") == "false":
            continue
        for item in node.findall("item") or [node]:
            name = node.get("name", "") + (f" ({item.get('quantity')})" if item is not node else "")
            found[name] = set(ARGUMENT.findall("".join(item.itertext())))
    return found


@pytest.mark.parametrize("language", ["de"])
def test_a_translation_has_every_text_and_its_arguments(repo: Path, language: str) -> None:
    english = texts(repo / RES / "values/strings.xml")
    assert texts(repo / RES / f"values-{language}/strings.xml") == english


def test_no_text_is_unused_and_none_stands_in_a_layout(repo: Path) -> None:
    sources = [p.read_text() for p in (repo / "android_demo/app/src/main").rglob("*") if p.suffix in (".kt", ".xml")]
    joined = "\n".join(sources)
    for name in {name.split(" (")[0] for name in texts(repo / RES / "values/strings.xml")}:
        assert re.search(rf"(R\.(string|plurals)\.|@string/){name}\b", joined), name
    for layout in (repo / RES).glob("layout*/*.xml"):
        assert not re.search(r'android:(text|hint|contentDescription)="[^@]', layout.read_text()), layout


def test_colours_of_the_night_are_those_of_the_day(repo: Path) -> None:
    def names(folder: str) -> set[str]:
        return {node.get("name", "") for node in ET.parse(repo / RES / folder / "colors.xml").getroot()}

    assert names("values-night") <= names("values")
    fixed = {name for name in names("values") if name.startswith(("face_", "launcher_"))}
    assert names("values") - fixed == names("values-night")
