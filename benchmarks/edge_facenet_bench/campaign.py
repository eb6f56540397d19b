"""One call of the bench: faces and baselines around the measured lanes, everything written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import edge_facenet
from edge_facenet import files
from edge_facenet.errors import ConfigError, LaneUnavailable

from . import record, run
from .baselines import compute, network_of
from .child import Child, Process
from .faces import Faces
from .measure import Bench, Entry, Progress
from .report import RECORDS
from .run import SCHEMA_VERSION, Baseline, Run
from .timing import Plan

if TYPE_CHECKING:
    from edge_facenet.photos.cropset import CropSet


@dataclass(frozen=True)
class Campaign:
    """Where to write, and whose faces to measure with."""

    out: Path
    crops: Path | None = None
    split: Path | None = None
    baselines: bool = True

    def run(
        self,
        entries: Sequence[Entry],
        plan: Plan,
        on_progress: Progress | None = None,
        spawn: Callable[[], Child] = Process,
    ) -> Run:
        """Measure, then write one record per lane and the run.

        Raises:
            ConfigError: a split without crops.
            InputError: crops or split cannot be used.
            LaneUnavailable: no lane was asked for.
            OutputError: the folder is not writable; that is found out before anything is measured.
        """
        if not entries:
            raise LaneUnavailable(
                "None of the lanes asked for exists for these artifacts. Leave out --lanes to see all of them."
            )
        crops, faces = self._faces()
        _check_writable(self.out / RECORDS)
        bench = Bench(entries, faces, plan, spawn, on_progress)
        result = bench.measure()
        folder = self.out / RECORDS / bench.run_name
        for one in result.records:
            record.write(folder, one)
        found: tuple[Baseline, ...] = ()
        if self.baselines and crops is not None:
            found = compute(crops, faces, network_of(self.split))
        notes = (
            ()
            if self.split or crops is None
            else ("no split was given: whether these people were trained on is unknown",)
        )
        done = Run(
            schema=SCHEMA_VERSION,
            run=bench.run_name,
            date=bench.date,
            version=edge_facenet.__version__,
            data=faces.data(),
            baselines=found,
            gaps=result.gaps,
            notes=notes,
        )
        run.write(folder, done)
        return done

    def _faces(self) -> tuple[CropSet | None, Faces]:
        if self.crops is None:
            if self.split is not None:
                raise ConfigError("--split says whose crops to measure on and needs --crops CROPS beside it.")
            return None, Faces()
        from edge_facenet.photos.cropset import CropSet
        from edge_facenet.verification import read_split

        crops = CropSet.open(self.crops)
        return crops, Faces(crops, read_split(self.split) if self.split else None)


def _check_writable(folder: Path) -> None:
    """Make the folder, write a file into it and remove it."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    files.write_bytes(probe, b"")
    probe.unlink(missing_ok=True)  # another run may have tried at the same moment
