"""A folder of photos to a sealed crop set.

The rule when it runs again:
- killed or interrupted: it goes on, and ends with the bytes of an undisturbed run;
- finished, same photos: nothing is touched;
- finished, other photos: what is unchanged (by sha256) keeps its crop and its order, photos that changed or went lose
  theirs, new and changed ones are looked at and appended in the order of their names; the old crop set stays whole until
  the new one replaces it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_facenet import __version__
from edge_facenet.errors import InputError

from . import likeness, models
from .crew import Crew, Outcome, look
from .examine import Found, Rules, examine_all, read
from .faces import FaceFinder
from .growing import CropSetWriter, Recipe
from .listed import SUFFIX, read_listing
from .models import FAR
from .place import check_place
from .rows import CropRow, Rejection, encode
from .sealed import DUPLICATES, SEAL, CropSet
from .walk import Entry, Listing, walk

MOST_DEATHS = 3
"""So often may the process die over one photo before that photo is left aside."""
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """What `prepare` did."""

    crops: CropSet
    unchanged: bool
    """The crop set was finished and the photos are the same: nothing was written."""
    looked_at: int
    """Photos looked at in this run; the others were known."""

    @property
    def photos(self) -> int:
        """Files found: those that gave crops (several each only under the policy "all") + rejected."""
        return len({row.source for row in self.crops.rows}) + self.crops.seal.rejected


def prepare(
    photos: Sequence[Path] | Listing,
    out: Path,
    rules: Rules = Rules(),
    finder: FaceFinder | None = None,
    on_progress: OnProgress | None = None,
    crew: Crew = Crew(1),
) -> Report:
    """Turn folders of photos into a crop set. Its bytes do not depend on who does the work.

    Args:
        photos: folders (or files), one sub-folder per person, or flat; one CSV with the columns path and identity; or
            what `walk` has listed.
        out: a new folder, or a crop set made with the same rules.
        finder: face detector and mesh; default: those of `edge-facenet setup`. One given works in this process.
        on_progress: called with (done, total) photos.
        crew: who does the work.
    Raises:
        InputError: a folder is missing or empty, or no photo gave a crop.
        ModelsMissing: `edge-facenet setup` has not been run.
        OutputError: `out` holds something else, or cannot be written.
        MissingExtra, SetupError: the crew cannot be had.
    """
    check_place(out)
    listing = photos if isinstance(photos, Listing) else _listing(photos, out)
    if not listing.entries and not listing.refused:
        where = "the listing" if isinstance(photos, Listing) else ", ".join(map(str, photos))
        raise InputError(f"There are no files in {where}. Give a folder of photos, with one sub-folder per person.")
    small = models.has_far() if finder is None else finder.finds_small
    recipe = Recipe(rules.layout, rules.settings(small), _versions())
    with CropSetWriter(out, recipe) as writer:
        run = _Run(listing, rules, writer, finder, crew)
        try:
            return run.finish(on_progress or (lambda done, total: None))
        except BaseException:
            if not writer.rows and not writer.rejections:
                writer.discard()
            raise


def _listing(photos: Sequence[Path], out: Path) -> Listing:
    tables = [path for path in photos if path.suffix.lower() == SUFFIX and path.is_file()]
    if not tables:
        return walk(photos, leave_out=out)
    if len(photos) > 1:
        raise InputError(f"{tables[0]} lists photos: it stands alone. Prepare it into a crop set of its own.")
    return read_listing(tables[0])


class _Run:
    def __init__(
        self, listing: Listing, rules: Rules, writer: CropSetWriter, finder: FaceFinder | None, crew: Crew
    ) -> None:
        self._listing, self._rules, self._writer, self._given = listing, rules, writer, finder
        self._crew = crew
        self._base = CropSet.open(writer.folder) if (writer.folder / SEAL).is_file() else None
        self._kept: dict[str, list[CropRow] | Rejection] = {}
        self._looked_at = 0
        self._finder: FaceFinder | None = None

    def finish(self, on_progress: OnProgress) -> Report:
        self._drop_stale()
        self._keep(on_progress)
        total = len(self._listing.entries)
        if self._is_unchanged():
            self._writer.discard()
            assert self._base is not None
            return Report(self._base, True, self._looked_at)
        known = self._writer.known
        order = [entry for entry in self._order() if entry.name not in known]
        outcomes = self._outcomes([entry for entry in order if entry.name not in self._kept])
        for done, entry in enumerate(order, total - len(order)):
            on_progress(done, total)
            self._write(self._again(entry) if entry.name in self._kept else next(outcomes))
        on_progress(total, total)
        for rejection in self._listing.refused:
            if rejection.photo not in known:
                self._writer.reject(rejection)
        return self._seal()

    def _outcomes(self, photos: Sequence[Entry]) -> Iterator[Outcome]:
        """Of photos to look at, in their order."""
        several = self._given is None and (self._crew.is_elsewhere or self._crew.size(len(photos)) > 1)
        if not several or not photos:
            yield from map(self._examined, photos)
            return
        deadly = {entry.name for entry in photos if self._is_deadly(entry)}
        todo = [entry for entry in photos if entry.name not in deadly]
        self._looked_at += len(todo)
        with contextlib.closing(look(todo, self._rules, self._crew, self._died)) as found:
            for entry in photos:
                yield self._deadly(entry) if entry.name in deadly else next(found)

    def _write(self, outcome: Outcome) -> None:
        if isinstance(outcome, Rejection):
            self._writer.reject(outcome)
        else:
            self._writer.accept_all([(found.row, found.crop) for found in outcome])

    def _again(self, entry: Entry) -> Outcome:
        """What the finished crop set has of a photo."""
        known = self._kept[entry.name]
        if isinstance(known, Rejection):
            return known
        assert self._base is not None
        crops = self._base.crops([row.row for row in known])
        return tuple(Found(row, crop) for row, crop in zip(known, crops, strict=True))

    def _seal(self) -> Report:
        if self._writer.rows:
            layout, rows = self._rules.layout, self._writer.rows
            found = likeness.twins(rows, self._writer.read_crop, layout.size, layout.margin)
            notes = [*self._listing.notes, *likeness.summary(found, rows, DUPLICATES), *self._missing()]
            return Report(self._writer.seal(notes, likeness.table(found, rows)), False, self._looked_at)
        rejections = sorted(self._writer.rejections, key=lambda r: encode(r.photo))
        self._writer.discard()
        kept = f" The older crop set in {self._writer.folder} stays as it was." if self._base else ""
        raise InputError(f"None of {len(rejections)} files gave a crop: {_first_reasons(rejections)}{kept}")

    def _missing(self) -> list[str]:
        if FAR.name in self._writer.recipe.settings["face models"] or self._given:
            return []
        return [f"Faces of less than a tenth of their photo were not looked for: {FAR.name} is not here. {models.CURE}"]

    def _drop_stale(self) -> None:
        """Photos that changed or went since the run was interrupted: what has grown so far is not theirs any more."""
        entries = {e.name: e for e in self._listing.entries}
        refused = {r.photo for r in self._listing.refused}
        for name, outcome in self._writer.known.items():
            entry = entries.get(name)
            if entry is None:
                stale = name not in refused
            else:
                changed = bool(outcome.sha256) and self._digest(entry) != outcome.sha256
                stale = changed or not self._is_same_person(outcome, entry)
            if stale:
                self._writer.restart()
                return

    def _keep(self, on_progress: OnProgress) -> None:
        """What the finished crop set already knows of photos that are the same today."""
        if self._base is None:
            return
        outcomes: dict[str, list[CropRow] | Rejection] = {r.photo: r for r in self._base.rejections()}
        for row in self._base.rows:
            outcomes.setdefault(row.source, []).append(row)  # type: ignore[union-attr]  # a photo has one or the other
        for done, entry in enumerate(self._listing.entries):
            on_progress(done, len(self._listing.entries))
            known = outcomes.get(entry.name)
            first = known[0] if isinstance(known, list) else known
            if known is None or first is None or not first.sha256 or not self._is_same_person(first, entry):
                continue
            if first.sha256 == self._digest(entry):
                self._kept[entry.name] = known

    def _is_same_person(self, known: CropRow | Rejection, entry: Entry) -> bool:
        if isinstance(known, Rejection) or (self._rules.faces == "all" and known.faces > 1):
            return True
        return known.identity == entry.identity

    def _is_unchanged(self) -> bool:
        if self._base is None or self._writer.rows:
            return False
        rejections = {r.photo: r for r in self._base.rejections()}
        again = [e for e in self._listing.entries if e.name not in self._kept]
        names = {e.name for e in self._listing.entries} | {r.photo for r in self._listing.refused}
        if names != set(rejections) | {r.source for r in self._base.rows}:
            return False
        if any(rejections.get(r.photo) != r for r in self._listing.refused):
            return False
        if any(e.name not in rejections or rejections[e.name].sha256 for e in again):
            return False
        return all(self._examined(e) == rejections[e.name] for e in again)  # those that are due at every run: few

    def _order(self) -> Iterator[Entry]:
        """Rows that are kept, in their order; then the rest by name."""
        entries = {e.name: e for e in self._listing.entries}
        kept = [r.source for r in self._base.rows if r.source in self._kept] if self._base else []
        for name in dict.fromkeys(kept):
            yield entries.pop(name)
        yield from entries.values()

    def _examined(self, entry: Entry) -> Outcome:
        if self._is_deadly(entry):
            return self._deadly(entry)
        self._finder = self._finder or self._given or models.open_finder()
        self._looked_at += 1
        with self._writer.trying(entry.name):
            return examine_all(entry, self._finder, self._rules)

    def _is_deadly(self, entry: Entry) -> bool:
        return self._writer.tries.get(entry.name, 0) >= MOST_DEATHS

    def _deadly(self, entry: Entry) -> Rejection:
        deaths = self._writer.tries[entry.name]
        reason = f"The process was killed {deaths} times while it held this file; it is not tried again."
        return Rejection(entry.name, reason, None, self._digest(entry))

    def _died(self, entry: Entry) -> Rejection | None:
        """A worker was killed while it held a photo."""
        self._writer.died(entry.name)
        return self._deadly(entry) if self._is_deadly(entry) else None

    def _digest(self, entry: Entry) -> str:
        try:
            return read(entry.path, self._rules.limits)[1]
        except OSError:
            return ""


def _first_reasons(rejections: Sequence[Rejection]) -> str:
    shown = "; ".join(f"{r.photo!r}: {r.reason.rstrip('.')}" for r in rejections[:3])
    return f"{shown}{f'; … and {len(rejections) - 3} more' if len(rejections) > 3 else ''}."


def _versions() -> dict[str, str]:
    packages = ("numpy", "opencv-python-headless", "Pillow", "ai-edge-litert")
    found = {"edge-facenet": __version__}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # another build of OpenCV, another engine
    return found
