"""The pages: invalid rows are greyed with their reason, one file without the outside world, figures of one run compared."""

from __future__ import annotations

import dataclasses
import html.parser
import itertools
import re
from pathlib import Path

import jsonschema
import pytest
from bench_world import MS, facts, records
from edge_facenet_bench import comparable, markdown, page, picture, publish, record, report, run, words
from edge_facenet_bench.lanes import Lane
from edge_facenet_bench.timing import Block, Plan

from edge_facenet.errors import InputError


@pytest.fixture(scope="module")
def built() -> report.Report:
    return report.build(records(), [facts()])


class Outside(html.parser.HTMLParser):
    """Everything a page would fetch, and tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "srcset")]
        self.fetched += [tag] if tag in ("script", "link", "iframe", "img") else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_without_the_outside_world(built: report.Report) -> None:
    text = page.render(built)
    parser = Outside()
    parser.feed(text)
    assert parser.fetched == [] and parser.open == []
    assert "@import" not in text and "url(" not in text and "http" not in text
    assert len(text.encode()) < 1_000_000
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text


def test_invalid_rows_are_greyed_and_say_why(built: report.Report) -> None:
    text = page.render(built)
    greyed = re.findall(r'<tr class="lane bad[^"]*">(.*?)</tr><tr class="why bad">(.*?)</tr>', text)
    assert len(greyed) == 2
    assert "LiteRT CPU, 2 threads" in greyed[0][0] and "not valid" in greyed[0][0] and "drift" in greyed[0][1]
    assert "unavailable" in greyed[1][0] and "asked for the GPU, ran on CPU" in greyed[1][1]
    assert text.count('<tr class="lane"') + text.count('<tr class="lane has-why"') == 3
    marked = markdown.render(built)
    assert "**no**: drift" in marked and "~~" in marked and "asked for the GPU" in marked


def test_pair_counts_seed_and_identity_lists_are_there(built: report.Report) -> None:
    for text in (page.render(built), markdown.render(built)):
        assert "450 of one person, 4,500 of two" in text
        assert "1234" in text
        assert "Trained on 2: s1, s2" in text and "Calibrated with 1: s3" in text
        assert "raw pixels" in text and "needs Keras" in text
        assert words.MUST_NOT[0] in text
    assert "s&lt;5&gt;" in page.render(built) and "s<5>" not in page.render(built)


def test_few_people_are_called_a_demonstration(built: report.Report) -> None:
    assert built.warning is not None and built.warning.startswith("2 people teach the pipeline, not accuracy")
    started = [
        dataclasses.replace(
            one, artifact=dataclasses.replace(one.artifact, provenance="faces · weights of mobile · terms")
        )
        for one in records()
    ]
    said = report.build(started, [facts()]).warning
    assert said is not None and said.startswith("This network was fine-tuned on 2 people")
    many = dataclasses.replace(facts().data, train=tuple(f"p{k}" for k in range(report.FEW_PEOPLE)))  # type: ignore[type-var]
    assert report.build(records(), [dataclasses.replace(facts(), data=many)]).warning is None


def test_ratios_come_from_one_run_and_the_same_lane(built: report.Report) -> None:
    assert next((r.artifact, r.lane, r.median, r.valid) for r in built.ratios) == (
        "orl-int8",
        "LiteRT CPU, 1 thread",
        0.5,
        True,
    )
    assert not built.ratios[1].valid
    other = [dataclasses.replace(one, run="R2") if one.artifact.recipe == "int8" else one for one in records()]
    assert report.build(other, []).ratios == ()


def test_each_plan_stands_beside_what_was_measured_by_it(built: report.Report) -> None:
    assert "All lanes: 4 rounds." in markdown.render(built) and "All lanes: 4 rounds." in page.render(built)
    pi = dataclasses.replace(
        records()[0],
        machine=dataclasses.replace(records()[0].machine, cpu="Raspberry Pi 5"),
        plan=Plan(seconds=20.0, rounds=6, patience=90.0),
        date="2099-01-01T00:00:00+00:00",
        run="R9",
    )
    both = report.build([*records(), pi], [])
    for text in (markdown.render(both), page.render(both)):
        assert "Raspberry Pi 5, run R9: 6 rounds." in text and "20 s and 50 calls" in text
        assert ", run R1: 4 rounds." in text and "0.02 s and 8 calls" in text
        assert "All lanes:" not in text


def test_milliseconds_of_two_machines_are_never_held_against_each_other() -> None:
    here = records()
    pi = [
        dataclasses.replace(
            one, machine=dataclasses.replace(one.machine, cpu="Raspberry Pi 5"), date="2099-01-01", run="R9"
        )
        for one in here
    ]
    fp32_alone = [one for one in pi if one.artifact.recipe == "fp32"]
    both = report.build([*here, *fp32_alone], [facts()])
    shown = comparable.comparable(both)
    assert (shown.machine, [row.artifact for row in shown.rows]) == ("Raspberry Pi 5", ["orl-fp32"])
    assert shown.missing == ("orl-int8",)
    assert "with one thread on Raspberry Pi 5 is valid: orl-int8." in words.headline(both)
    assert re.search(r"^\| orl-int8 .*none on Raspberry Pi 5 \|$", markdown.fragment(both), re.MULTILINE)
    assert "of Raspberry Pi 5, " in words.headline(both) and words.headline(both).startswith("orl fp32")
    assert " on 2099-01-01: Raspberry Pi 5." in markdown.fragment(both)
    lines = words.plain(both)
    own = here[0].machine.cpu
    assert sorted(line for line in lines if line.startswith("on ")) == sorted([f"on {own}:", "on Raspberry Pi 5:"])
    assert f"### {own}" in markdown.render(both) and "### Raspberry Pi 5" in markdown.render(both)
    assert all(own in cells[1] for _, cells in words.recipes(both))
    assert "### " not in markdown.render(report.build(here, [facts()]))
    phone = dataclasses.replace(fp32_alone[0], accuracy=None)  # the app measures time alone
    beside = report.build([*here, phone], [facts()])
    assert f"of {own}, " in words.headline(beside) and "81.1 %" in words.headline(beside)
    assert f" on {here[0].date[:10]}: {own}." in markdown.fragment(beside)
    assert f"bursts, one thread, {own}." in page.render(beside)


def test_without_a_split_nobody_is_called_unseen() -> None:
    run = facts()
    assert run.data is not None
    data = dataclasses.replace(run.data, part="all labelled identities", train=(), calibrate=(), test=())
    unsplit = report.build(records(), [dataclasses.replace(run, data=data)])
    said = (words.headline(unsplit), markdown.fragment(unsplit))
    assert not [text for text in said if "never" in text or "unseen" in text]
    assert "all labelled people (whether it was trained on them is unknown)" in said[0]
    assert "nobody knows whether it was trained on them" in said[1]


def test_the_headline_takes_no_invalid_row(built: report.Report) -> None:
    assert "orl int8" in words.headline(built) and "1 thread" in words.headline(built)
    bad = [dataclasses.replace(one, valid=False, reasons=("hot",)) for one in records()]
    assert "No lane gave a figure that can be trusted" in words.headline(report.build(bad, [facts()]))
    assert picture.scatter(report.build(bad, [facts()]), 350) == ""


def test_a_gpu_is_no_one_thread_lane_of_the_headline() -> None:
    fast = dataclasses.replace(
        records()[0], asked=Lane("litert-gpu", "gpu", 1), burst=(Block((MS // 10,) * 60, 0),), paced=()
    )
    said = words.headline(report.build([*records(), fast], [facts()]))
    assert said.startswith("orl int8") and "on LiteRT CPU, 1 thread" in said
    assert "0.100 ms a face" in words.headline(report.build([fast], [facts()]))


def test_the_picture_names_every_artifact_and_baseline(built: report.Report) -> None:
    drawn = picture.scatter(built, 820)
    assert drawn.count("<circle") == 2 and "raw pixels 74.7" in drawn and "guessing" in drawn
    assert "fp32 TFLite" in drawn and "int8 TFLite" in drawn


def test_lanes_with_other_threads_never_stand_in_one_picture() -> None:
    """What has no valid one-thread lane is named, not drawn with two threads; nor may another hide behind it in the headline."""
    made = [
        dataclasses.replace(one, valid=False, reasons=("drift",))
        if (one.artifact.recipe, one.asked.threads) == ("fp32", 1)
        else one
        for one in records()
    ]
    mixed = report.build(made, [facts()])
    shown = comparable.comparable(mixed)
    assert [(row.artifact, row.threads) for row in shown.rows] == [("orl-int8", 1)]
    assert (shown.kind, shown.missing) == ("one thread", ("orl-fp32",))
    assert picture.scatter(mixed, 820).count("<circle") == 1
    assert "bursts, one thread. Left out, because no lane of theirs with one thread is valid: orl-fp32." in page.render(
        mixed
    )
    assert "valid: orl-fp32." in words.headline(mixed)
    assert re.search(r"^\| orl-fp32 .*not valid \|$", markdown.fragment(mixed), re.MULTILINE)
    two = [one for one in made if one.asked.threads == 2 and one.artifact.recipe == "fp32"]
    assert comparable.comparable(report.build(two, [facts()])).kind == "2 threads"


@pytest.mark.parametrize("wanted", [[100.0], [100.0] * 5, [20.0, 21.0, 380.0], [340.0] * 4])
def test_labels_of_the_picture_never_cover_each_other(wanted: list[float]) -> None:
    places = picture._spread(wanted, 30, 24, 344)
    assert all(b - a >= 30 for a, b in itertools.pairwise(places))
    assert max(places) <= 344


@pytest.mark.parametrize("width", [350, 820])
@pytest.mark.parametrize("milliseconds", [0.003, 0.2, 999.0])
def test_the_picture_of_any_latency_has_ticks(width: int, milliseconds: float, built: report.Report) -> None:
    one = dataclasses.replace(records()[0], burst=(Block((round(milliseconds * MS),) * 60, 0),))
    drawn = picture.scatter(report.build([one], []), width)
    assert len(re.findall(r'class="tick middle" x=', drawn)) >= 2  # one value at least, and the axis' name
    assert "nan" not in drawn.lower()


def test_the_readme_table_stands_between_its_marks(tmp_path: Path, built: report.Report) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{markdown.BEGIN}\nold\n{markdown.END}\nafter\n")
    markdown.into(readme, built)
    text = readme.read_text()
    assert text.startswith(f"before\n{markdown.BEGIN}\n| artifact") and text.endswith(f"{markdown.END}\nafter\n")
    assert "orl-int8" in text and "old" not in text and "450 pairs of one person" in text
    markdown.into(readme, built)
    assert readme.read_text() == text


def test_the_readme_keeps_its_line_ends(tmp_path: Path, built: report.Report) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(f"before\r\n{markdown.BEGIN}\r\nold\r\n{markdown.END}\r\nafter\r\n".encode())
    markdown.into(readme, built)
    content = readme.read_bytes()
    assert content.startswith(b"before\r\n") and content.endswith(b"-->\r\nafter\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") > 5
    markdown.into(readme, built)
    assert readme.read_bytes() == content


def test_a_readme_that_is_no_utf8_is_left_alone(tmp_path: Path, built: report.Report) -> None:
    readme = tmp_path / "README.md"
    content = f"caf\xe9 {markdown.BEGIN} {markdown.END}".encode("latin-1")
    readme.write_bytes(content)
    with pytest.raises(InputError, match=r"README\.md is not UTF-8 text"):
        markdown.into(readme, built)
    assert readme.read_bytes() == content


@pytest.mark.parametrize(
    "text", ["nothing", f"{markdown.END} {markdown.BEGIN}", f"{markdown.BEGIN} {markdown.END} {markdown.BEGIN}"]
)
def test_a_readme_without_marks_is_left_alone(tmp_path: Path, built: report.Report, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(InputError, match="once each"):
        markdown.into(readme, built)
    assert readme.read_text() == text


def test_pages_are_made_again_from_records_alone(tmp_path: Path) -> None:
    for one in records():
        record.write(tmp_path / "records" / one.run, one)
    run.write(tmp_path / "records" / "R1", facts())
    publish.publish(tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in ("report.json", "report.md", "report.html")}
    publish.publish(tmp_path)
    assert first == {name: (tmp_path / name).read_bytes() for name in first}
    read = report.read_json(tmp_path / "report.json")
    assert read["rows"]
    jsonschema.validate(read, report.schema_documents()["report.json"])


def test_names_that_are_no_utf8_reach_every_page(tmp_path: Path) -> None:
    """A folder of photos may be called b"Andr\\xe9", an artifact too; Python reads the byte as a lone surrogate."""
    found = facts()
    assert found.data is not None
    about = dataclasses.replace(found, data=dataclasses.replace(found.data, test=("Andr\udce9",)))
    named = dataclasses.replace(records()[0].artifact, name="Andr\udce9")
    path = record.write(tmp_path / "records" / "R1", dataclasses.replace(records()[0], artifact=named))
    run.write(tmp_path / "records" / "R1", about)
    assert record.read(path).artifact.name == "Andr\udce9"
    readme = tmp_path / "README.md"
    readme.write_text(f"{markdown.BEGIN}\n{markdown.END}\n")
    shown = publish.publish(tmp_path, readme)
    assert shown.data is not None and shown.data.test == ("Andr\udce9",)
    for name in ("report.json", "report.md", "report.html", "README.md"):
        assert r"Andr\udce9" in (tmp_path / name).read_text(encoding="utf-8")


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no records"):
        publish.publish(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_baseline_is_named_where_no_point_and_no_other_name_is() -> None:
    name, line = "raw pixels 79.2", (50.0, 400.0, 200.0)
    assert picture._free_place(name, line, []) == (55.0, 196.0)
    assert picture._free_place(name, line, [(86.0, 191.0, 94.0, 199.0)]) == (55.0, 213.0)
    assert picture._free_place(name, line, [(70.0, 180.0, 110.0, 220.0)])[0] > 200
    above = picture._box("untrained network 77.9", 55.0, 205.0)  # named above a line 9 px below this one
    assert picture._free_place(name, line, [above])[1] == 196.0
    below = picture._free_place("untrained network 77.9", (50.0, 400.0, 209.0), [picture._box(name, 55.0, 196.0)])
    assert picture._overlap(picture._box("untrained network 77.9", *below), picture._box(name, 55.0, 196.0)) == 0
