"""Several devices and several processes: JAX computes each step over all of them, as one device would compute it.

`keras.distribution.DataParallel` deals the rows of a batch out to the devices; the compiled step is written as if there were
one batch, so mining, batch normalisation and centres see the global one. Every process makes the whole batch, a function of
(seed, step), and hands on its rows: making views is cheap beside a step, and no process can have a batch of its own. All
processes read one run folder; the first one alone writes into it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from ..errors import ConfigError, SetupError
from .config import TrainConfig
from .sections import DevicesConfig

Rows = dict[str, npt.NDArray[Any]]
"""A batch by name, as `course.Batch`."""
ENVIRONMENT = {
    "coordinator": "EDGE_FACENET_COORDINATOR",
    "processes": "EDGE_FACENET_PROCESSES",
    "process": "EDGE_FACENET_PROCESS",
}
"""Variables that win over `devices.*`: the same command on every machine, the number of the process from outside."""
HEARTBEAT_S, LEAVE_S = 30, 10
"""Seconds without a sign of life after which a process counts as lost; patience with others at the end."""


@dataclass(frozen=True)
class Team:
    """This process among those that train together, and the devices they share."""

    processes: int = 1
    process: int = 0
    devices: tuple[str, ...] = ()
    """Keras' names of all devices, in order of processes; empty = Keras' own choice of one."""

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints and the log."""
        return self.process == 0

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Keras variables made within live on all devices, and batches are dealt out to them."""
        if not self.devices:
            return contextlib.nullcontext()
        from keras import distribution

        shared: contextlib.AbstractContextManager[Any] = distribution.DataParallel(
            devices=list(self.devices), auto_shard_dataset=False
        ).scope()
        return shared

    def share(self, batch: Rows) -> Rows:
        """This process's rows of a global batch."""
        if self.processes == 1:
            return batch
        return {name: rows[self._mine(len(rows))] for name, rows in batch.items()}

    def meet(self, where: str) -> None:
        """Wait until every process is here."""
        if self.processes > 1:
            from jax.experimental import multihost_utils

            with self.lost_explained(where):
                multihost_utils.sync_global_devices(where)

    @contextlib.contextmanager
    def lost_explained(self, where: str) -> Iterator[None]:
        """Say in a sentence that another process has gone.

        Raises:
            SetupError: one has.
        """
        if self.processes == 1:
            yield
            return
        from jax.errors import JaxRuntimeError

        try:
            yield
        except (JaxRuntimeError, ValueError) as error:  # a broken connection comes as either
            if not any(word in str(error).lower() for word in ("gloo", "nccl", "deadline", "coordination", "barrier")):
                raise
            raise SetupError(
                f"Another of the {self.processes} processes was lost {where}. The newest checkpoint is whole: start the "
                "same command again, with as many processes as are left or with devices.processes=1."
            ) from error

    def _mine(self, rows: int) -> slice:
        each = rows // self.processes
        return slice(self.process * each, (self.process + 1) * each)


ALONE = Team()


def join(config: TrainConfig, backend: str) -> Team:
    """Find the devices and the other processes; must come before JAX's first computation in this process.

    Args:
        backend: Keras' backend.
    Raises:
        ConfigError: a backend other than JAX, fewer devices than asked for, rows that cannot be dealt out evenly, or an
            objective that has one writer.
        SetupError: the other processes do not answer.
    """
    devices = _with_environment(config.devices)
    if devices.processes == 1 and devices.local == 1:
        return ALONE
    if backend != "jax":
        raise ConfigError(
            f"Several devices are trained on by JAX, found the {backend} backend. Set KERAS_BACKEND=jax in the environment, "
            "or leave devices.local and devices.processes at 1."
        )
    if devices.processes > 1:
        if "distil" in config.objective:
            raise ConfigError(
                "objective=distil has one writer of its teachers' answers: several devices of one process, yes; "
                f"devices.processes={devices.processes}, no."
            )
        _connect(devices)
    team = Team(devices.processes, devices.process, _devices(devices))
    _check_rows(config, len(team.devices))
    return team


def _with_environment(devices: DevicesConfig) -> DevicesConfig:
    found: dict[str, Any] = {key: os.environ[name] for key, name in ENVIRONMENT.items() if os.environ.get(name)}
    for key in found.keys() - {"coordinator"}:
        if not found[key].isdigit():
            raise ConfigError(f"{ENVIRONMENT[key]} must be a whole number, found {found[key]!r}.")
        found[key] = int(found[key])
    try:
        return replace(devices, **found)
    except ValueError as error:
        raise ConfigError(f"{error} (From {', '.join(ENVIRONMENT[key] for key in found)}.)") from error


def _connect(devices: DevicesConfig) -> None:
    import jax

    if jax.distributed.is_initialized():
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            devices.coordinator,
            devices.processes,
            devices.process,
            heartbeat_timeout_seconds=HEARTBEAT_S,
            shutdown_timeout_seconds=LEAVE_S,
            initialization_timeout=devices.patience,
        )
    except RuntimeError as error:
        raise SetupError(
            f"Process {devices.process} of {devices.processes} did not find the others at {devices.coordinator} within "
            f"{devices.patience} s ({str(error).splitlines()[0]}). Start all processes; process 0 must run on that machine."
        ) from error


def _devices(devices: DevicesConfig) -> tuple[str, ...]:
    """Names of the chosen devices: the first `local` of every process."""
    import jax

    names = []
    for process in range(devices.processes):
        own = [device for device in jax.devices() if device.process_index == process]
        wanted = devices.local or len(own)
        if len(own) < wanted:
            raise ConfigError(
                f"devices.local={wanted}, but process {process} has {len(own)} {own[0].platform} device(s). Set devices.local=0 "
                "for all there are; on a CPU XLA_FLAGS=--xla_force_host_platform_device_count=N makes N of one."
            )
        names += [f"{device.platform}:{device.id}" for device in own[:wanted]]
    return tuple(names)


def _check_rows(config: TrainConfig, devices: int) -> None:
    photos = config.batch.people * config.batch.images
    if config.triplet.mining == "offline" and "triplet" in config.objective:
        photos = 3 * max(1, photos // 3)
    counts = {"distil.batch": config.distil.batch} if "distil" in config.objective else {}
    if config.objective != "distil":
        counts["batch.people x batch.images"] = photos
    for name, count in counts.items():
        if count % devices:
            raise ConfigError(
                f"{name} gives {count} rows a step, which cannot be dealt out evenly to {devices} devices. "
                f"Take a multiple of {devices}."
            )
