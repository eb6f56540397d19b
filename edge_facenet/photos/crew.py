"""Who looks at the photos: this process, several on this machine, or a Dask cluster. The answers come in order.

Joblib hands out the work; its Dask backend takes it to other machines. Photos go out in small parts, as many at a time as
keep everybody busy, so memory does not grow with the number of photos. A photo that kills the process holding it is found
out: what that process had is handed out again, one photo at a time.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeAlias

from edge_facenet.errors import MissingExtra, SetupError
from edge_facenet.schema import doc

from . import models
from .examine import Found, Rules, examine_all
from .faces import FaceFinder
from .rows import Rejection
from .walk import Entry

Outcome: TypeAlias = tuple[Found, ...] | Rejection
Died = Callable[[Entry], Rejection | None]
"""Told that a process died over a photo; answers with a rejection when it is not to be tried again."""
EXTRA = "scale"
WORTH = 200
"""Photos per process from which on another process repays its start (2 s for its imports and networks)."""
_PART = 8
_PARTS_EACH = 32
_MOST_BYTES = 64 << 20
"""Crops that may wait for the writer at a time; there is always room for a part a process."""
_REACH_S = 30


@dataclass(frozen=True)
class Crew:
    """Who does the work."""

    jobs: int = doc("processes on this machine; 0 = as many as cores, where joblib is installed and it is worth it", 0)
    dask: str = doc("address of a Dask scheduler whose workers do it instead", "")

    def size(self, photos: int) -> int:
        """Processes for so many photos; 1 = this one.

        Raises:
            MissingExtra: several were asked for, and joblib is not installed.
        """
        if self.jobs > 1:
            _needs("joblib", "Several processes (--jobs)")
        if self.jobs:
            return self.jobs
        return max(min(cores(), photos // WORTH), 1)

    @property
    def is_elsewhere(self) -> bool:
        """Dask does it."""
        return bool(self.dask)


def cores() -> int:
    """Cores this process may use, or 1 without joblib, which counts them (affinity and containers' limits included)."""
    try:
        import joblib
    except ImportError:
        return 1
    return int(joblib.cpu_count())


def look(photos: Sequence[Entry], rules: Rules, crew: Crew, died: Died) -> Generator[Outcome, None, None]:
    """Outcomes of photos, in their order, from other processes.

    Raises:
        MissingExtra: joblib or Dask is not installed.
        SetupError: the scheduler cannot be reached.
    """
    with _backend(crew, len(photos)) as jobs:
        room = _MOST_BYTES // (rules.layout.size**2 * 3)
        window = min(_PARTS_EACH * jobs * _PART, max(room, jobs * _PART))
        for start in range(0, len(photos), window):
            yield from _window(photos[start : start + window], rules, jobs, died)


def _window(photos: Sequence[Entry], rules: Rules, jobs: int, died: Died) -> Iterator[Outcome]:
    from joblib import Parallel, delayed

    parts = [photos[k : k + _PART] for k in range(0, len(photos), _PART)]
    done = 0
    parallel = Parallel(n_jobs=jobs, return_as="generator", batch_size=1, pre_dispatch="all")
    results = parallel(delayed(_examined)(part, rules) for part in parts)
    try:
        for outcomes in results:
            done += len(outcomes)
            yield from outcomes
    except _deaths():
        for entry in photos[done:]:
            yield _alone(entry, rules, died)
    finally:
        with warnings.catch_warnings():  # stopped early, by Ctrl-C or a full disk, joblib would print advice
            warnings.simplefilter("ignore", UserWarning)
            results.close()


def _alone(entry: Entry, rules: Rules, died: Died) -> Outcome:
    """One photo in a process of its own, until it has an outcome or was the death of too many."""
    from joblib import Parallel, delayed

    for _ in itertools.count():
        try:
            # two jobs, because one would be this process
            return Parallel(n_jobs=2, batch_size=1)([delayed(_examined)([entry], rules)])[0][0]  # type: ignore[no-any-return]
        except _deaths():
            if rejection := died(entry):
                return rejection
    raise AssertionError("counts for ever")


_mine = threading.local()


def _examined(part: Sequence[Entry], rules: Rules) -> list[Outcome]:
    """Runs in a worker, which keeps its networks: one set a thread, because an interpreter serves one at a time."""
    import cv2

    cv2.setNumThreads(1)
    finder: FaceFinder | None = getattr(_mine, "finder", None)
    if finder is None:
        if "loky" in type(multiprocessing.current_process()).__module__:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's: it ends the others
        finder = _mine.finder = models.open_finder()
    return [examine_all(entry, finder, rules) for entry in part]


def _deaths() -> tuple[type[BaseException], ...]:
    """What says that a worker was killed."""
    found: list[type[BaseException]] = [BrokenProcessPool]
    for module, name in (
        ("joblib.externals.loky.process_executor", "BrokenProcessPool"),
        ("distributed.scheduler", "KilledWorker"),
    ):
        with contextlib.suppress(ImportError):
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)


@contextlib.contextmanager
def _backend(crew: Crew, photos: int) -> Iterator[int]:
    """Joblib, set up; gives the number of processes."""
    if not crew.is_elsewhere:
        jobs = crew.size(photos)
        _needs("joblib", "Several processes (--jobs)")
        from joblib import parallel_config

        with parallel_config(backend="loky", inner_max_num_threads=1):
            yield jobs
        return
    _needs("joblib", "A cluster (--dask)")
    client = _client(crew.dask)
    try:
        from joblib import parallel_config

        with parallel_config(backend="dask", client=client):
            yield max(sum(client.nthreads().values()), 1)
    finally:
        client.close()


def _client(address: str) -> Any:
    """A client of the scheduler, with at least one worker behind it."""
    _needs("distributed", "A cluster (--dask)")
    from distributed import Client

    try:
        client = Client(address, timeout=_REACH_S, set_as_default=False)
        client.wait_for_workers(1, timeout=_REACH_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise SetupError(
            f"No Dask scheduler with workers answers at {address} ({error}). Start dask scheduler and dask worker, and give "
            "the scheduler's address (tcp://HOST:8786)."
        ) from error
    return client


def _needs(package: str, purpose: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra(package, EXTRA, purpose) from error
