"""Kill -9 in a loop of enroll and forget: a worker that writes down what was confirmed, and the audit after each kill.

Run as a program it is the worker: python gallery_kills.py GALLERY LOG SEED KEY(0 or 1)
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gallery_world import KEY, MAKER, on_disk, raw, sample

from edge_facenet.gallery import Gallery
from edge_facenet.gallery.check import check


def work(path: Path, log: Path, seed: int, key: bytes | None) -> None:
    """Enroll and forget until killed. Each line is written by one call, before and after the act."""
    rng = np.random.default_rng(seed)
    stream = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    gallery = Gallery.open(path, MAKER, key=key)
    number = seed * 100_000
    while True:
        people = gallery.people()
        if people and rng.random() < 0.4:
            one = people[int(rng.integers(len(people)))]
            os.write(stream, f"forget? {one.id} {one.name}\n".encode())
            gallery.forget([one.id])
            os.write(stream, f"forget! {one.id} {one.name}\n".encode())
        else:
            number += 10
            photos = int(rng.integers(1, 5))
            os.write(stream, f"enroll? {number} {photos}\n".encode())
            done = gallery.enroll(f"N{number}.", [sample(number + j, crop=j == 0) for j in range(photos)])
            os.write(stream, f"enroll! {number} {photos} {done.person}\n".encode())


@dataclass
class Truth:
    """What the confirmed lines say: number -> (id, photos); and the act that was on its way."""

    people: dict[int, tuple[int, int]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    highest: int = 0
    open_act: list[str] = field(default_factory=list)

    def read(self, lines: list[str]) -> None:
        self.open_act = []
        for line in lines:
            act, *words = line.split()
            if act == "enroll!":
                number, photos, person = map(int, words)
                assert person > self.highest, f"id {person} was given before"
                self.highest = person
                self.people[number] = (person, photos)
            elif act == "forget!":
                self.drop(int(words[1].strip("N.")))
            self.open_act = [] if act.endswith("!") else [act, *words]

    def drop(self, number: int) -> None:
        del self.people[number]
        self.gone.add(number)


def audit(path: Path, truth: Truth, key: bytes | None) -> None:
    """Nothing lost, nothing back, nothing half, nothing altered; then the file must let go of what was forgotten."""
    gallery = Gallery.open(path, MAKER, key=key)
    found = {int(person.name.strip("N.")): person for person in gallery.people()}
    if truth.open_act[:1] == ["enroll?"]:
        number, photos = map(int, truth.open_act[1:])
        if number in found:  # it was committed and not yet confirmed: then all of it is there
            assert found[number].id > truth.highest
            truth.highest = found[number].id
            truth.people[number] = (found[number].id, photos)
    elif truth.open_act[:1] == ["forget?"]:
        number = int(truth.open_act[2].strip("N."))
        if number not in found:
            truth.drop(number)
    assert set(found) == set(truth.people)
    for number, (person, photos) in truth.people.items():
        rows = gallery.samples(person)
        assert [row.vector.tobytes() for row in rows] == [sample(number + j).embedding.tobytes() for j in range(photos)]
    looked = check(gallery)
    assert looked.faults == ()
    assert looked.people == len(found)
    gallery.enroll("N1.", [sample(1)])  # any act sweeps what a kill left behind
    truth.gone.discard(1)
    truth.people[1] = (gallery.find("N1.").id, 1)
    truth.highest = max(truth.highest, truth.people[1][0])
    assert not gallery.lingering
    gallery.close()
    if key is None:
        left = on_disk(path)
        assert [n for n in truth.gone if f"N{n}.".encode() in left or sample(n).embedding.tobytes() in left] == []
    with raw(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def kill_rounds(folder: Path, rounds: int, *, key: bytes | None = None) -> int:
    """Gives how many acts were confirmed before a kill."""
    folder.mkdir()
    path, log = folder / "g.db", folder / "log"
    rng = np.random.default_rng(11)
    truth, seen, acts = Truth(), 0, 0
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for k in range(1, rounds + 1):
        command = [sys.executable, __file__, str(path), str(log), str(k), str(int(key is not None))]
        child = subprocess.Popen(command, env=environment)
        end = time.monotonic() + 60
        mark = "!" if k % 2 else "?"  # every second kill may hit the first act, also the making of the file
        while not (log.exists() and mark in log.read_text()[seen:]) and time.monotonic() < end and child.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.3))
        assert child.poll() is None, "the worker ended by itself"
        child.kill()
        child.wait()
        text = log.read_text()
        lines = text[seen:].splitlines()
        seen = len(text)
        acts += sum(line.startswith(("enroll!", "forget!")) for line in lines)
        truth.read(lines)
        audit(path, truth, key)
    return acts


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), KEY if sys.argv[4] == "1" else None)
