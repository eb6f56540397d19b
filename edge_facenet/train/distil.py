"""The distillation objective: a student's embeddings are to point where the teacher's point.

Two terms. `cosine` pulls each embedding to its teacher's; alone, it first learns the common direction of each source of
photos, so that strangers of one source come too close. `relational` compares the batch's matrices of cosines, which
is what decides at low false accept rates. No label is used; faces without a name teach as well as others.
Source of the second: Tung and Mori, "Similarity-Preserving Knowledge Distillation" (2019), equations 1 to 4, here with
unit embeddings and without the rows' normalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from .. import files
from ..errors import InputError
from . import runs, views
from .bank import Bank, Key
from .course import Batch, Course, Terms
from .lessons import Lessons, ViewMaker
from .losses import unit
from .plan import Plan
from .ring import Ring
from .teacher import SAMPLE, ArtifactTeacher, Faculty, Teacher, faculty

RELATIONAL_SCALE = 10.0
"""Brings the relational term to the cosine term's size; the weight set by users multiplies it."""
LOOKED_AT = 1000
"""Faces of people held out, and of people trained on, whose cosine to the teacher is looked at."""


def cosine_term(student: Any, teacher: Any) -> Any:
    """1 - mean cosine between unit rows (n, d) of student and teacher; 0 to 2."""
    return 1.0 - ops.mean(ops.sum(student * teacher, -1))


def relational_term(student: Any, teacher: Any) -> Any:
    """10 x mean over all n^2 entries of the squared difference of the two matrices of cosines, the diagonal left out."""
    difference = ops.matmul(student, ops.transpose(student)) - ops.matmul(teacher, ops.transpose(teacher))
    off = 1.0 - ops.eye(student.shape[0] or ops.shape(student)[0], dtype="float32")
    return RELATIONAL_SCALE * ops.mean(ops.square(difference) * off)


def objective(course: Course) -> DistilObjective:
    """Made from a run's course.

    Raises:
        ConfigError: no teacher, or one that does not fit the student.
        InputError: nobody to learn from, or a stale bank.
    """
    rows = training_rows(course)
    crops, config = course.crops, course.config

    def sample() -> npt.NDArray[np.uint8]:
        rng = np.random.default_rng([config.seed, SAMPLE])
        return crops.cut(np.sort(rng.permutation(rows)[:SAMPLE]), views.SIZE)

    teachers = [ArtifactTeacher(path, crops.template) for path in config.distil.teachers]
    together = faculty(teachers, config.backbone.dimension, course.run / runs.PROJECTION, sample)
    return DistilObjective(course, rows, together)


def training_rows(course: Course) -> npt.NDArray[np.int64]:
    """Rows of the people to train on and of faces without a name, ascending.

    Raises:
        InputError: none.
    """
    named = course.crops.rows_of(course.split.train)
    rows = np.union1d(named, np.flatnonzero(course.crops.labels == -1)).astype(np.int64)
    if not len(rows):
        raise InputError("No face to learn from: everybody is held out. Hold fewer people out (split.*).")
    return rows


class DistilObjective:
    """Cosine and relational terms between the student and one or several teachers."""

    names: tuple[str, ...] = ("cosine", "relational", "fresh_cosine", "seen_cosine")
    """Figures: the batch's mean cosine to the teacher on views seen for the first time, and on views seen before."""
    in_any_order = False  # the ring of past views goes forward
    look_names: tuple[str, ...] = ("val_teacher_cosine", "train_teacher_cosine")

    def __init__(self, course: Course, rows: npt.NDArray[np.int64], teacher: Faculty) -> None:
        self.heads: Sequence[Any] = []
        self._weights = course.config.distil
        self._lessons = _lessons(course, rows, teacher)
        self._mirror = _Mirror(course, rows, teacher)

    def batch(self, step: int) -> Batch:
        """ "image" (n, size, size, 3) uint8, "teacher" (n, dimension) float32 unit rows, "fresh" (n,) float32 0 or 1."""
        images, answers = self._lessons.batch(step)
        plan = self._lessons.plan
        fresh = plan.drawn(step + 1) - plan.drawn(step)
        return {"image": images, "teacher": answers, "fresh": (np.arange(len(images)) < fresh).astype(np.float32)}

    def terms(self, embeddings: Any, batch: dict[str, Any], maps: Sequence[Any] = ()) -> Terms:
        """Named "cosine" and "relational"."""
        student, teacher, fresh = unit(embeddings), batch["teacher"], batch["fresh"]
        losses = {
            "cosine": self._weights.cosine * cosine_term(student, teacher),
            "relational": self._weights.relational * relational_term(student, teacher),
        }
        cosines, seen = ops.sum(student * teacher, -1), 1.0 - fresh
        figures = {
            "fresh_cosine": ops.sum(cosines * fresh) / ops.maximum(ops.sum(fresh), 1.0),
            "seen_cosine": ops.sum(cosines * seen) / ops.maximum(ops.sum(seen), 1.0),
        }
        return Terms(losses, figures)

    def ready(self, step: int, network: Callable[[], Any]) -> None:
        """Nothing to mine."""

    def stop(self) -> None:
        """No batch waits."""

    def look(self, network: Any) -> dict[str, float]:
        """Mean cosine to the teacher on plain crops of held-out people, and of faces trained on."""
        return self._mirror.figures(network)

    def close(self) -> None:
        """Let go of the bank."""
        self._lessons.close()


def _lessons(course: Course, rows: npt.NDArray[np.int64], teacher: Teacher) -> Lessons:
    config, options = course.config, course.config.distil
    plan = Plan(config.seed, len(rows), options.batch, options.reuse, options.ring, options.fill)
    key = Key(
        teacher=teacher.fingerprint,
        crops=files.sha256(f"{course.crops.sha256}\n".encode() + rows.astype("<i8").tobytes()),
        views=views.fingerprint(),
        order=f"seed {config.seed}, mix {options.mix:g}",
        dimension=teacher.dimension,
    )
    bank = Bank(Path(options.bank) if options.bank else course.run / runs.BANK, key)
    size = config.backbone.size
    lessons = Lessons(plan, size, ViewMaker(course.crops, rows, plan, options.mix), teacher, bank)
    if options.ring:
        name = f"ring-{size}-{files.sha256(str((key.crops, key.views, key.order)).encode())[:12]}.bin"
        lessons.keep(lambda make: Ring(course.run / name, options.ring + options.batch, size, make))
    return lessons


class _Mirror:
    """Teacher's answers to plain crops, asked for once."""

    def __init__(self, course: Course, rows: npt.NDArray[np.int64], teacher: Teacher) -> None:
        self._crops, self._size, self._teacher = course.crops, course.config.backbone.size, teacher
        held, named = (course.crops.rows_of(people) for people in (course.split.calibrate, course.split.train))
        rng = np.random.default_rng([course.config.seed, LOOKED_AT])
        trained = named if len(named) else rows  # faces like those held out, where there are such
        self._rows = {
            "val_teacher_cosine": np.sort(rng.permutation(held)[:LOOKED_AT]),
            "train_teacher_cosine": np.sort(rng.permutation(trained)[:LOOKED_AT]),
        }
        self._answers: dict[str, npt.NDArray[np.float32]] = {}

    def figures(self, network: Any) -> dict[str, float]:
        from .embedding import embed

        found = {}
        for name, rows in self._rows.items():
            if len(rows):
                if name not in self._answers:
                    self._answers[name] = self._teacher.embed(self._crops.cut(rows, views.SIZE))
                student = embed(network, self._crops.cut(rows, self._size))
                found[name] = float(np.mean(np.sum(student * self._answers[name], axis=1)))
        return found
