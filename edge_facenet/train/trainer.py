"""Crops and a configuration in, a run's folder out. Started again, it goes on where it was.

Everything random follows from (seed, step), so a run that was killed and started again ends with the weights of one
that was left alone: bit for bit where the backend repeats its bits (`deterministic`).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from ..budget import Budget
from ..errors import EdgeFacenetError, GateError, InputError
from ..verification import Split, read_split
from . import backbones, backend, checkpoint, costs, feed, objectives, precision, runs, warm, workers
from .board import Board
from .config import TrainConfig
from .course import Batch, Course, Crops, labelled
from .looks import Look
from .monitor import Figures, Monitor, Status
from .optimisation import rate
from .workers import Team


@dataclass(frozen=True)
class Listeners:
    """Who is told what, while it happens."""

    on_progress: Callable[[int, int], None] = lambda done, total: None
    on_status: Callable[[Status], None] = lambda status: None
    on_message: Callable[[str], None] = lambda sentence: None


@dataclass(frozen=True)
class Result:
    """What a training ended with."""

    run: Path
    step: int
    started_at: int  # the step this process began with
    images_per_second: float  # over this process's steps, looks and checkpoints included; 0 when none was left to do
    figures: Figures  # of the last row of the log
    split: Split


def train(crops: Crops, run: Path, config: TrainConfig, listeners: Listeners = Listeners()) -> Result:
    """Train a network on a crop set, or go on with a training.

    Args:
        crops: an open `photos.cropset.CropSet`.
        run: the run's folder; new, or begun by this function before.
        config: what to do; when going on, equal to the run's but for `config.FREE`.
        listeners: told of progress, status and trouble.
    Raises:
        ConfigError: a configuration that cannot be, or another one than the run was begun with.
        InputError: too few people or photos.
        BudgetExceeded: the network costs more MUL-ADDs than `config.budget_muladds`.
        GateError: the loss became infinite or not a number; the checkpoint before is kept.
        OutputError: the folder cannot be written to; checkpoints are whole.
        KeyboardInterrupt: stopped by SIGINT or SIGTERM, after a checkpoint.
    """
    if labelled(config.objective):
        runs.check_people(_photos(crops))
    team = workers.join(config, backend.name())
    config = precision.settled(config, run, backend.name())
    for sentence in [*backend.prepare(config), *precision.trouble(config, backend.name())]:
        listeners.on_message(sentence)
    network = checkpoint.plain_network(config)
    what = f"{config.backbone.name} at {config.backbone.size} px"
    Budget(muladds=config.budget_muladds or None).check_muladds(costs.layer_costs(network), what)
    with (
        runs.opened(run) if team.leads else contextlib.nullcontext(),
        team.scope(),
        team.lost_explained("outside of the steps"),
    ):
        start = _Start(crops, run, config, listeners, team)
        return start.session(network).run_to_end(start.saved)


class _Start:
    """From a run's folder to a session."""

    def __init__(self, crops: Crops, run: Path, config: TrainConfig, listeners: Listeners, team: Team) -> None:
        self.crops, self.run, self.config, self.listeners, self.team = crops, run, config, listeners, team
        self.saved = checkpoint.newest(run, listeners.on_message) if team.leads else None

    def session(self, network: Any) -> _Session:
        """A session whose folder is settled and whose network has the weights to begin with."""
        try:
            split = self._settled() if self.team.leads else self._followed()
            return self._made(network, split)
        except EdgeFacenetError:
            if self.team.leads and self.saved is None:  # refused: no run that looks as if it could go on
                runs.take_back(self.run)
            raise

    def _settled(self) -> Split:
        photos, done = _photos(self.crops), self.saved.state.step if self.saved else 0
        split = runs.settle(self.run, self.config, photos, begun=self.saved is not None, done=done)
        if labelled(self.config.objective):
            runs.check_photos({name: photos[name] for name in split.train}, self.config.batch.least_photos)
        self.team.meet("at the start")
        return split

    def _followed(self) -> Split:
        """Another process has settled the folder."""
        self.team.meet("at the start")
        if not (self.run / "split.json").exists():
            raise InputError(
                f"Process {self.team.process} sees no run in {self.run}, where process 0 has begun one. "
                "All processes need one folder: put it where every machine sees it."
            )
        self.saved = checkpoint.newest(self.run)
        return read_split(self.run / "split.json")

    def _made(self, network: Any, split: Split) -> _Session:
        config, run = self.config, self.run
        if self.saved is None and config.backbone.start_from:
            started = warm.begin_with(network, config, split)
            if self.team.leads:
                warm.write(run, started)
            for sentence in started.sentences():
                self.listeners.on_message(sentence)
        taps = backbones.find(config.backbone.name).taps if labelled(config.objective) else ()
        maps = tuple(tuple(network.get_layer(tap).output.shape[1:]) for tap in taps)
        return _Session(Course(config, self.crops, split, run, maps, self.team), network, self.listeners, taps)


class _Session:
    """One process's part of a training."""

    def __init__(self, course: Course, network: Any, listeners: Listeners, taps: Sequence[str]) -> None:
        from .fused_norm import training_twin
        from .learner import Learner

        config = course.config
        self.saved_at = 0
        self.board: Board | None = None
        self.course, self.config, self.listeners, self.vessel = course, config, listeners, network
        self.objective = objectives.build(course)
        twin = training_twin(network, config.precision, fused=config.fused_norm)
        average = training_twin(network, fused=False) if config.average else None
        self.learner = Learner(twin, average, self.objective, config, taps)
        names = [*(meter.name for meter in self.learner.meters), *self.objective.look_names]
        self.monitor = Monitor(course.run, config, names, listeners.on_message, writes=course.team.leads)
        self.look = Look(course.crops, course.split.calibrate, config.backbone.size) if config.look_every else None

    def run_to_end(self, saved: checkpoint.Saved | None) -> Result:
        start, end = self._restored(saved), self.config.steps
        self.monitor.begin(start)
        self.board = Board(self.course.run, start) if self.config.tensorboard and self.course.team.leads else None
        threads = self.config.view_threads if self.objective.in_any_order else 1
        made = feed.ahead(self.objective.batch, start, end, threads)
        with contextlib.closing(self.objective), made as batches, self._stopping(), _stop_asked() as stop_asked:
            self._announce(start)
            for step, batch in batches:
                with self.course.team.lost_explained(f"in step {step + 1}"):
                    self._step(step, batch)
                if stop_asked():
                    if self.saved_at != step + 1:
                        self._save(step + 1)
                    raise KeyboardInterrupt
                self._announce(step + 1)
        if self.board:
            self.board.close()
        speed, figures = self.monitor.summary()
        return Result(self.course.run, end, start, speed, figures, self.course.split)

    def _announce(self, step: int) -> None:
        if step < self.config.steps:
            self.objective.ready(step, self._current)

    def _current(self, averaged: bool = False) -> Any:
        """The network with the newest (or their averaged) weights, in its form for inference, on one device."""
        source = self.learner.average if averaged else self.learner.network
        self.vessel.set_weights(source.get_weights())
        return self.vessel

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        """Before the thread that makes batches is waited for, one that waits itself is let go."""
        try:
            yield
        finally:
            self.objective.stop()

    def _restored(self, saved: checkpoint.Saved | None) -> int:
        if saved is None:
            return 0
        checkpoint.restore(saved, self.learner, self.vessel)
        if saved.state.crops != self.course.crops.sha256:
            sentence = "The crop set has changed since step {}: people added since are left out, and the weights are no longer those of an undisturbed run."
            self.listeners.on_message(sentence.format(saved.state.step))
        return saved.state.step

    def _step(self, step: int, batch: Batch) -> None:
        config, done = self.config, step + 1
        due = {
            n: bool(n) and (done % n == 0 or done == config.steps)
            for n in (config.look_every, config.log_every, config.save_every)
        }
        speed = rate(config, step)
        self.learner.optimizer.learning_rate.assign(speed)  # all processes meet here, too, to compare the number
        logs = self.learner.train_on_batch(self.course.team.share(batch), return_dict=True)
        self.monitor.after(done, {name: float(value) for name, value in logs.items()}, len(batch["image"]))
        looked = self._look(done) if due[config.look_every] else {}
        if due[config.log_every] or looked:
            status = self.monitor.row(done, speed, looked)
            self.listeners.on_status(status)
            if self.board:
                self.board.row(done, speed, status.figures)
        if due[config.save_every]:
            self._save(done, looked.get("val_accuracy"))
        self.listeners.on_progress(done, config.steps)

    def _look(self, done: int) -> Figures:
        if self.look is None:
            return {}
        network = self._current(averaged=self.learner.average is not None)
        figures = self.look.figures(network)
        if self.board and self.look.possible:
            self.board.distances(done, self.look.cosines(), self.look.pairs.same)
        return {**figures, **self.objective.look(network)}

    def _save(self, done: int, accuracy: float | None = None) -> None:
        if not all(np.isfinite(weight).all() for weight in self.learner.network.get_weights()):
            raise GateError(
                f"The weights are not finite after step {done}; the checkpoint before is kept. Lower optimizer.learning_rate."
            )
        self.saved_at = done
        if not self.course.team.leads:
            return
        state = checkpoint.State(done, {}, self.course.crops.sha256, accuracy)
        checkpoint.save(self.course.run, self.learner, self.vessel, state)


def _photos(crops: Crops) -> dict[str, int]:
    """Number of photos by person, in the crop set's order."""
    counts = np.bincount(crops.labels[crops.labels >= 0], minlength=len(crops.identities))
    return {name: int(count) for name, count in zip(crops.identities, counts, strict=True)}


@contextlib.contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a question to be asked between steps; the second one acts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield asked.is_set
        return
    before = {int(n): signal.getsignal(n) or signal.SIG_DFL for n in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
