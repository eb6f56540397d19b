"""A run's folder: begun once, gone on with only under the same configuration, by one process at a time.

config.json   the configuration        log.csv         one row every `log_every` steps
split.json    who is trained on        step-0001200/   checkpoints (see `checkpoint`)
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from .. import files
from ..errors import ConfigError, InputError, OutputError
from ..schema import to_json
from ..verification import Split, read_split, split_identities, write_split
from . import config as configs
from .checkpoint import clear_unfinished
from .config import TrainConfig
from .holdout import hold_out
from .optimisation import rate, warmup
from .sections import SplitConfig

_LOCK = ".lock"
PROJECTION, _MINED = "projection.npy", "triplets-*.npz"
_BEGUN = ("config.json", "split.json", "log.csv", "init_from.json", PROJECTION)
BANK = "bank"
"""Teachers' answers, by what was asked: a training that begins anew uses them again."""
JOB, OUTPUT = "job.json", "output.log"
"""What the command line keeps in a run's folder: how to go on with it, and what a detached training said."""


@contextlib.contextmanager
def opened(run: Path) -> Iterator[None]:
    """Hold the folder for this process; what a killed one left half written is removed.

    Raises:
        OutputError: not writable, holds something else, or another process trains in it.
    """
    if run.exists() and not run.is_dir():
        raise OutputError(f"{run} is a file; give a folder for the run.")
    if is_strange(run):
        raise OutputError(f"{run} holds something that is not a run. Give a new or an empty folder.")
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / _LOCK).open("a+")
    except OSError as error:
        raise OutputError(f"Cannot write into {run}: {error.strerror}. Give a folder you may write to.") from error
    with lock:
        _take(lock, run)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        clear_unfinished(run)
        yield


def take_back(run: Path) -> None:
    """Remove what a training wrote that was refused before its first step; anything else in the folder stays."""
    _remove(run, *_BEGUN, _LOCK, _MINED, "ring-*.bin")
    with contextlib.suppress(OSError):  # something else is in it
        run.rmdir()


def holder(run: Path) -> int | None:
    """Number of the process that trains in this folder now; None when none does (or where locks are not to be had)."""
    try:
        with (run / _LOCK).open("r+") as lock:
            return int(lock.read() or 0) or None if files.try_lock(lock) is False else None
    except (OSError, ValueError):  # no such file, or not ours to open
        return None


def is_strange(run: Path) -> bool:
    """Whether there is something else than a run, or what may become one."""
    if not run.exists():
        return False
    if not run.is_dir():
        return True
    if (run / "config.json").exists():  # many other programs write a file of this name
        return not _of_a_run(run)
    return any(p.name[0] != "." and p.name not in (JOB, OUTPUT, BANK) for p in run.iterdir())


def _of_a_run(run: Path) -> bool:
    if (run / "split.json").exists() or any(run.glob("step-*")):
        return True
    try:
        configs.read(run / "config.json")
    except ConfigError:
        return False
    return True


def _remove(run: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in run.glob(pattern):
            path.unlink(missing_ok=True)


def settle(run: Path, config: TrainConfig, photos: Mapping[str, int], *, begun: bool, done: int = 0) -> Split:
    """Who is trained on: by the run's own split, or by a new one that is written with the configuration.

    Args:
        photos: number of photos by person of the crop set, in natural order. People added since the run began are left
            out, so no label ever changes its meaning.
        begun: whether the run holds a checkpoint; without one nothing is lost, and it is begun anew.
        done: step of the newest checkpoint. `steps` may change as long as no step done had another learning rate by it.
    Raises:
        ConfigError: the run was begun with another value of a key that matters.
        InputError: too few people, or people of the run that the crop set lacks.
    """
    if not begun:
        split = _new_split(photos, config.split)
        files.write_json(run / "config.json", to_json(config))
        write_split(run / "split.json", split)
        _remove(run, "log.csv", PROJECTION, _MINED)  # of other people, teachers or dimensions perhaps
        return split
    before = configs.read(run / "config.json")
    changed = configs.difference(before, config)
    if changed and not ([key for key, _, _ in changed] == ["steps"] and _same_steps(before, config, done)):
        rows = "; ".join(f"{key} was {old!r}, now {new!r}" for key, old, new in changed[:5])
        late = _why_not(before, config, done) if changed[0][0] == "steps" else ""
        raise ConfigError(
            f"{run} was begun with another configuration: {rows}.{late} Keep the old value, or train into a new folder."
        )
    if (now := replace(config, devices=before.devices)) != before:  # so that `train resume` goes on with it
        files.write_json(run / "config.json", to_json(now))
    return _known_split(run, photos)


def _why_not(before: TrainConfig, config: TrainConfig, done: int) -> str:
    schedule = config.schedule
    if _counts_in_shares(config):
        return " Margin warm-up, since and until are shares of the steps: those done would have had others."
    if warmup(before) != warmup(config):
        return " The warm-up is a share of the steps (schedule.warmup): those done would have had another."
    if schedule.shape != "constant-linear" or schedule.decay >= 1:
        return " With this schedule every step's learning rate depends on their number."
    least = math.ceil(done / (1 - schedule.decay))
    return f" Steps can only change before the learning rate falls; after step {done} the least number is {least}."


def _same_steps(before: TrainConfig, now: TrainConfig, done: int) -> bool:
    """Whether the steps done are those that a run of the other length would have done, with at least one to come."""
    same_rates = done < now.steps and all(rate(before, step) == rate(now, step) for step in range(done))
    return same_rates and not _counts_in_shares(now)


def _counts_in_shares(config: TrainConfig) -> bool:
    """Whether a loss changes with the share of the training that is done."""
    terms = config.label_terms
    margin = config.softmax.margin_kind != "none" and config.softmax.margin_warmup > 0
    return any(term.since > 0 or term.until < 1 for term in terms) or (config.softmax in terms and margin)


def check_people(rows: Mapping[str, int]) -> None:
    """Refuse a crop set that label losses cannot learn from.

    Args:
        rows: photos per person, everybody of the crop set.
    Raises:
        InputError: nobody is named, or only one person is.
    """
    if not rows:
        raise InputError("This crop set names nobody: label losses need photos in one folder per person.")
    if len(rows) == 1:
        raise InputError(
            f'Only one identity ("{next(iter(rows))}"): a network learns to tell people apart. Add other people\'s photos.'
        )


def check_photos(rows: Mapping[str, int], least: int) -> None:
    """Refuse people who have too few photos to be trained on.

    Args:
        rows: photos per person, of the people to train on.
        least: photos a person must have.
    Raises:
        InputError: names some of them.
    """
    if poor := {name: count for name, count in rows.items() if count < least}:
        names = ", ".join(f'"{name}" has {count}' for name, count in list(poor.items())[:5])
        raise InputError(
            f"{len(poor)} of {len(rows)} people have fewer than {least} photos: {names}{' …' if len(poor) > 5 else ''}. "
            f"Add photos, remove these people, or set batch.least_photos=1."
        )


def _known_split(run: Path, photos: Mapping[str, int]) -> Split:
    split = read_split(run / "split.json")
    if gone := [name for name in (*split.train, *split.calibrate, *split.test) if name not in photos]:
        names = ", ".join(gone[:5]) + (" …" if len(gone) > 5 else "")
        raise InputError(
            f"{run} was begun with {len(gone)} people this crop set lacks: {names}. Give the crop set it was begun with."
        )
    return split


def _new_split(photos: Mapping[str, int], config: SplitConfig) -> Split:
    if not photos:  # unlabelled faces: only an objective without labels comes here
        return Split(config.seed, (), (), ())
    if config.quotas:
        return hold_out(photos, config.quotas, config.seed)
    return split_identities(
        list(photos), _count(config.calibrate, "calibrate"), _count(config.test, "test"), config.seed
    )


def _count(value: float, part: str) -> int | float:
    if value < 1:
        return value
    if value != int(value):
        raise ConfigError(f"split.{part}: at least 1 means people and must be whole, found {value:g}.")
    return int(value)


def _take(lock: IO[str], run: Path) -> None:
    for patience in (True, True, False):  # whoever looks at the folder holds the lock for a moment
        if files.try_lock(lock) is not False:
            return
        if patience:
            time.sleep(0.1)
    raise OutputError(f"Another process is training in {run}. Wait for it, or give another folder.")
