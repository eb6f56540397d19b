"""The studies of docs/studies.md: benchmarks/results/study-NAME.json and .svg.

    edge-facenet prepare --aligned PACKS CROPS --sources celeba_matush,celeba_small
    edge-facenet prepare --aligned PACKS JAI --sources jai
    edge-facenet prepare --aligned PACKS FACES --sources celeba_matush,celeba_small,utkface,aaf
    python benchmarks/studies.py run CROPS WORK --jai JAI --faces FACES --teachers T1.json T2.json [--only mining] [--minutes 1.5]
    python benchmarks/studies.py report

Every row gets the same CPU time: the cost of one step of each kind of row is measured first (the least of rounds that take
turns), and the number of steps follows from it and the cap. One training at a time, one thread, in a process of its own;
each result is written at once, so that the same command goes on with a study that was killed.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import studies_people as people
import studies_report
import typer
from edge_facenet_bench import machine
from studies_child import WARM_STEPS, Job
from studies_rows import FACES, JAI, OFFLINE_EVERY, STUDIES, UNSEEN, Row, Study

from edge_facenet import files, schema
from edge_facenet.photos.cropset import CropSet

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ROUNDS = 2
TEST_PEOPLE = {UNSEEN: 25, JAI: 11}
"""Held out of each draw of these sources; the rest is there to train on."""
COMMAND = "python benchmarks/studies.py run CROPS WORK --jai JAI"
DISTIL_COMMAND = "python benchmarks/studies.py run CROPS WORK --faces FACES --teachers T1.json T2.json"
ONE_THREAD = {f"{name}_NUM{kind}_THREADS": "1" for name, kind in (("OMP", ""), ("TF", "_INTRAOP"), ("TF", "_INTEROP"))}
NICER = 5


def main() -> None:
    """Run, or write the page's tables and plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train and judge what is still missing")
    run.add_argument("crops", type=Path, help="crop set with celeba_matush and celeba_small")
    run.add_argument("work", type=Path, help="folder for runs; may be thrown away")
    run.add_argument("--jai", type=Path, help="crop set of the source jai; without it its rows stay missing")
    run.add_argument(
        "--faces", type=Path, help="crop set of all sources, for the recipes; without it its rows stay missing"
    )
    run.add_argument("--teachers", type=Path, nargs="*", default=[], help="manifests of one or two teachers")
    run.add_argument("--only", nargs="+", choices=sorted(STUDIES), default=list(STUDIES))
    run.add_argument("--minutes", type=float, default=1.5, help="CPU time of each training")
    run.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    run.add_argument("--results", type=Path, default=RESULTS)
    report = commands.add_parser("report", help="docs/studies.md and the plots from the results")
    report.add_argument("--results", type=Path, default=RESULTS)
    report.add_argument("--page", type=Path, default=HERE.parent / "docs" / "studies.md")
    options = parser.parse_args()
    if options.command == "run":
        os.nice(NICER)
        Conductor(options).run()
    else:
        studies_report.write(options.results, options.page)


class Conductor:
    """Does what is missing, one training after another."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.crops = CropSet.open(options.crops)
        self.jai = CropSet.open(options.jai) if options.jai else None
        self.faces = CropSet.open(options.faces) if options.faces else None
        self.cast = people.held_out(self.crops)
        self.spent: list[float] = []

    def run(self) -> None:
        """Every study asked for, in the order of `STUDIES`."""
        wanted = [study for name, study in STUDIES.items() if name in self.options.only]
        records = {study.name: self._begun(study) for study in wanted}
        left = {
            study.name: [job for job in self._jobs(study) if not self._done(records[study.name], *job)]
            for study in wanted
        }
        for study in wanted:
            record = records[study.name]
            self._calibrate(study, record, [row for row, _ in left[study.name]])
            for row, seed in left[study.name]:
                self._one(study, record, row, seed)
                remaining = sum(len(jobs) for jobs in left.values()) - len(self.spent)
                typer.echo(f"    {_minutes(sum(self.spent) / len(self.spent) * remaining)} left for {remaining} more")
            typer.echo(f"Finished: {self._file(study)}")

    def _jobs(self, study: Study) -> Iterator[tuple[Row, int]]:
        """All rows with seed 0 first: a study that is cut short has something of everything."""
        for seed, row in itertools.product(self.options.seeds, study.rows):
            same_again = row.as_it_is and row.source not in TEST_PEOPLE and seed != self.options.seeds[0]
            if not same_again and self._possible(row):
                yield row, seed

    def _possible(self, row: Row) -> bool:
        """Whether this row's photos and teachers were given."""
        there = {JAI: self.jai is not None, FACES: self.faces is not None}
        return there.get(row.source, True) and row.teachers <= len(self.options.teachers)

    def _file(self, study: Study) -> Path:
        return Path(self.options.results) / f"study-{study.name}.json"

    def _begun(self, study: Study) -> dict[str, Any]:
        """The study's record: the one on the disk, if it is of these crops and this cap, or a new one."""
        fresh = {
            "what": study.question,
            "command": f"{DISTIL_COMMAND if study.preset else COMMAND} --only {study.name} --minutes {self.options.minutes:g}",
            "cap_cpu_minutes": self.options.minutes,
            "crops_sha256": self.crops.sha256,
            "rows": [schema.to_json(row) for row in study.rows],
            "calibration": {},
            "results": [],
        }
        path = self._file(study)
        if not path.exists():
            return fresh
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key in ("cap_cpu_minutes", "crops_sha256"):
            if record[key] != fresh[key]:
                sys.exit(f"{path} has {key} {record[key]}, this run {fresh[key]}. Move the file away to begin anew.")
        return record | {"rows": fresh["rows"]}

    def _done(self, record: dict[str, Any], row: Row, seed: int) -> bool:
        return any(r["row"] == row.name and r["source"] == row.source and r["seed"] == seed for r in record["results"])

    def _calibrate(self, study: Study, record: dict[str, Any], rows: list[Row]) -> None:
        """Steps that fit into the cap, for each kind of row that is still to be trained."""
        known = record["calibration"]
        kinds = {row.cost: row for row in rows if row.cost and "steps" not in known.get(row.cost, {})}
        for cost in [cost for cost in kinds if self._elsewhere(cost)]:
            known[cost] = self._elsewhere(cost)
            del kinds[cost]
        for number, (cost, row) in itertools.product(range(ROUNDS), kinds.items()):
            rounds = known.setdefault(cost, {"cpu_seconds_per_step": []})["cpu_seconds_per_step"]
            if len(rounds) == number:
                typer.echo(f"{study.name}: what a step of “{row.name}” costs, round {number + 1} of {ROUNDS}")
                answer = self._child(self._job(study, row, 0, steps=WARM_STEPS + OFFLINE_EVERY, judge=False))
                rounds.append(answer["cpu_seconds_per_step"])
                self._write(study, record)
        for cost in kinds:
            known[cost]["steps"] = int(60 * self.options.minutes / min(known[cost]["cpu_seconds_per_step"]))

    def _elsewhere(self, cost: str) -> dict[str, Any] | None:
        """The calibration of another study with the same network, crops and cap."""
        for record in self._others():
            found: dict[str, Any] = record["calibration"].get(cost, {})
            if "steps" in found:
                return found
        return None

    def _others(self) -> list[dict[str, Any]]:
        records = [
            json.loads(path.read_text(encoding="utf-8")) for path in map(self._file, STUDIES.values()) if path.exists()
        ]
        mine = (self.options.minutes, self.crops.sha256)
        return [record for record in records if (record["cap_cpu_minutes"], record["crops_sha256"]) == mine]

    def _one(self, study: Study, record: dict[str, Any], row: Row, seed: int) -> None:
        started = time.monotonic()
        steps = record["calibration"][row.cost]["steps"] if row.cost else 1
        job = self._job(study, row, seed, steps=steps)
        digest = files.sha256(files.canonical_json([job.config, job.train, job.test]).encode())
        typer.echo(
            f"{study.name}: {row.name} ({row.source}), seed {seed}, {'no' if row.as_it_is else f'{steps:,}'} steps"
        )
        known = [r for other in self._others() for r in other["results"] if r["digest"] == digest]
        answer = known[0] if known else self._child(job)
        about = {"row": row.name, "source": row.source, "seed": seed, "digest": digest}
        counted = {"people": len(job.train), "test_people": len(job.test), "photos": self._photos(row, job)}
        record["results"].append(answer | about | counted)
        self._write(study, record)
        self.spent.append(time.monotonic() - started)
        typer.echo(
            f"    accuracy {answer['accuracy']:.2f} %, TAR@1e-2 {answer['tar_at_1e-2']}, TAR@1e-3 {answer['tar_at_1e-3']}"
        )

    def _job(self, study: Study, row: Row, seed: int, *, steps: int, judge: bool = True) -> Job:
        cast, crops = self._cast(row, seed)
        work = Path(self.options.work).resolve()
        teachers = tuple(str(path.resolve()) for path in self.options.teachers[: row.teachers])
        config = study.config(row, seed, steps)
        return Job(
            crops=str(crops.path.resolve()),
            train=cast.train,
            test=cast.test,
            config=schema.to_json(replace(config, distil=replace(config.distil, teachers=teachers))),
            run="" if row.as_it_is else str(work / "run"),
            answer=str(work / "answer.json"),
            judge=judge,
            unnamed=row.source == FACES,
        )

    def _cast(self, row: Row, seed: int) -> tuple[people.Cast, CropSet]:
        """Who trains and who judges; of the small sources each seed draws anew, the same test people for every row."""
        if row.source == FACES:
            assert self.faces is not None
            return people.held_out(self.faces), self.faces
        if row.source not in TEST_PEOPLE:
            train = () if row.as_it_is else people.some(self.cast.train, row.people or len(self.cast.train), seed)
            return replace(self.cast, train=train), self.crops
        crops = self.crops if row.source == UNSEEN else self.jai
        assert crops is not None
        everybody = self.cast.test if row.source == UNSEEN else crops.identities
        test = people.some(everybody, TEST_PEOPLE[row.source], seed)
        others = [name for name in everybody if name not in test]
        return people.Cast(people.some(others, row.people, seed) if row.people else (), test), crops

    def _photos(self, row: Row, job: Job) -> int:
        if row.source == FACES and self.faces is not None:
            return len(self.faces.rows) - len(self.faces.rows_of(job.test))
        counts = people.photos(self.crops if row.source != JAI or self.jai is None else self.jai)
        return sum(counts[name] for name in job.train)

    def _child(self, job: Job) -> dict[str, Any]:
        """Start one process and wait; what it left behind is thrown away."""
        work = Path(self.options.work)
        shutil.rmtree(work / "run", ignore_errors=True)
        files.write_json(work / "job.json", schema.to_json(job))
        Path(job.answer).unlink(missing_ok=True)
        words = [sys.executable, str(HERE / "studies_child.py"), str(work / "job.json")]
        code = subprocess.run(words, env={**os.environ, **ONE_THREAD}, check=False).returncode
        if code:
            sys.exit(
                f"The training ended with code {code}; its job is {work / 'job.json'}. The same command goes on here."
            )
        answer: dict[str, Any] = json.loads(Path(job.answer).read_text(encoding="utf-8"))
        shutil.rmtree(work / "run", ignore_errors=True)
        return answer

    def _write(self, study: Study, record: dict[str, Any]) -> None:
        found = machine.describe()
        record |= {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": schema.to_json(found)}
        files.write_json(self._file(study), record)


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


if __name__ == "__main__":
    main()
