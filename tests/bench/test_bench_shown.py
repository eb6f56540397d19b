"""Which records stand in a report: of each lane the newest, of one name one file, of accuracy that on the report's people."""

from __future__ import annotations

import dataclasses

from bench_world import accuracy, facts, records
from edge_facenet_bench import report, words


def test_measuring_one_file_again_keeps_what_the_older_run_compared() -> None:
    again = dataclasses.replace(records()[0], run="R2", date="2099-01-01T00:00:00+00:00")
    later = dataclasses.replace(facts(), run="R2", date="2099-01-01T00:00:00+00:00", gaps=())
    both = report.build([*records(), again], [facts(), later])
    assert next(r.artifact for r in both.ratios) == "orl-int8" and [g.artifact for g in both.gaps] == ["orl-int8"]
    retrained = [
        dataclasses.replace(r, artifact=dataclasses.replace(r.artifact, sha256="1" * 64)) for r in records()[2:4]
    ]
    assert report.build([*retrained, again], [facts(), later]).gaps == ()


def test_the_newest_record_of_a_lane_is_shown_and_other_machines_stand_beside() -> None:
    old = records()[0]
    new = dataclasses.replace(old, date="2099-01-01T00:00:00+00:00", run="R9")
    pi = dataclasses.replace(old, machine=dataclasses.replace(old.machine, cpu="Raspberry Pi 5"))
    rows = report.build([old, new, pi], []).rows
    assert sorted((row.machine == "Raspberry Pi 5", row.run) for row in rows) == [(False, "R9"), (True, "R1")]


def test_accuracy_on_other_faces_is_not_shown_beside() -> None:
    other = [
        dataclasses.replace(one, accuracy=dataclasses.replace(accuracy(99.0), sha256="cd" * 32))
        for one in records()[:1]
    ]
    (row,) = report.build(other, [facts()]).rows
    assert row.accuracy is None and "measured on other faces" in row.notes[-1]


def test_accuracy_on_other_people_of_the_same_crop_set_is_not_shown_beside() -> None:
    """Two splits with equally many test photos: what the newer one tests, the first network was trained on."""
    run = facts()
    assert run.data is not None
    data = dataclasses.replace(run.data, train=run.data.test, test=run.data.train)
    later = dataclasses.replace(run, run="R2", date="2099-01-01T00:00:00+00:00", data=data, gaps=())
    first = records()
    again = [dataclasses.replace(one, run="R2", date=later.date) for one in first if one.artifact.recipe == "int8"]
    both = report.build([*first, *again], [run, later])
    assert {row.artifact for row in both.rows if row.accuracy} == {"orl-int8"}
    assert all("measured on other faces" in row.notes[-1] for row in both.rows if row.burst and not row.accuracy)
    assert words.headline(both).startswith("orl int8")
    assert both.gaps == () and report.build([*first, *again], [run]).gaps


def test_of_one_name_only_the_newest_file_is_shown() -> None:
    old = records()
    exported = dataclasses.replace(old[0].artifact, sha256="1" * 64, bytes=3_000_000)
    again = dataclasses.replace(old[0], artifact=exported, run="R2", date="2099-01-01T00:00:00+00:00")
    both = report.build([*old, again], [])
    rows = [(row.key, row.bytes) for row in both.rows if row.artifact == "orl-fp32"]
    assert rows == [("litert-cpu-1t", 3_000_000)]
    assert len([row for row in both.rows if row.artifact == "orl-int8"]) == 2
    assert "of another file: orl-fp32 on LiteRT CPU, 2 threads, " in both.sentences[-1]
    assert "of another file" not in "".join(
        report.build([*old, dataclasses.replace(again, artifact=old[0].artifact)], []).sentences
    )
    back = dataclasses.replace(old[0], run="R3", date="2099-01-02T00:00:00+00:00")  # the first file once more
    assert len([row for row in report.build([*old, again, back], []).rows if row.artifact == "orl-fp32"]) == 3
