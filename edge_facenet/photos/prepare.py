"""A folder of photos to a sealed crop set.

The rule when it runs again:
- killed or interrupted: it goes on, and ends with the bytes of an undisturbed run;
- finished, same photos: nothing is touched;
- finished, other photos: what is unchanged (by sha256) keeps its crop and its order, photos that changed or went lose
  theirs, new and changed ones are looked at and appended in the order of their names; the old crop set stays whole until
  the new one replaces it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_facenet import __version__
from edge_facenet.errors import InputError, OutputError

from . import models
from .examine import Found, Rules, examine, read
from .faces import FaceFinder
from .growing import CropSetWriter, Recipe
from .place import check_place
from .rows import CropRow, Rejection, encode
from .sealed import SEAL, CropSet
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
        """Files found: crops + rejected."""
        return self.crops.seal.rows + self.crops.seal.rejected


def prepare(
    photos: Sequence[Path] | Listing,
    out: Path,
    rules: Rules = Rules(),
    finder: FaceFinder | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Turn folders of photos into a crop set.

    Args:
        photos: folders (or files), one sub-folder per person, or flat; or what `walk` has listed.
        out: a new folder, or a crop set made with the same rules.
        finder: face detector and mesh; default: those of `edge-facenet setup`.
        on_progress: called with (done, total) photos.
    Raises:
        InputError: a folder is missing or empty, or no photo gave a crop.
        ModelsMissing: `edge-facenet setup` has not been run.
        OutputError: `out` holds something else, or cannot be written.
    """
    check_place(out)
    listing = photos if isinstance(photos, Listing) else walk(photos, leave_out=out)
    if not listing.entries and not listing.refused:
        where = "the listing" if isinstance(photos, Listing) else ", ".join(map(str, photos))
        raise InputError(f"There are no files in {where}. Give a folder of photos, with one sub-folder per person.")
    recipe = Recipe(rules.layout, rules.settings(), _versions())
    with CropSetWriter(out, recipe) as writer:
        run = _Run(listing, rules, writer, finder)
        try:
            return run.finish(on_progress or (lambda done, total: None))
        except BaseException:
            if not writer.rows and not writer.rejections:
                writer.discard()
            raise


class _Run:
    def __init__(self, listing: Listing, rules: Rules, writer: CropSetWriter, finder: FaceFinder | None) -> None:
        self._listing, self._rules, self._writer, self._given = listing, rules, writer, finder
        self._base = _base(writer)
        self._kept: dict[str, CropRow | Rejection] = {}
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
        for done, entry in enumerate(self._order()):
            on_progress(done, total)
            if entry.name not in known:
                self._one(entry)
        on_progress(total, total)
        for rejection in self._listing.refused:
            if rejection.photo not in known:
                self._writer.reject(rejection)
        return self._seal()

    def _seal(self) -> Report:
        if self._writer.rows:
            return Report(self._writer.seal(self._listing.notes), False, self._looked_at)
        rejections = sorted(self._writer.rejections, key=lambda r: encode(r.photo))
        self._writer.discard()
        kept = f" The older crop set in {self._writer.folder} stays as it was." if self._base else ""
        raise InputError(f"None of {len(rejections)} files gave a crop: {_first_reasons(rejections)}{kept}")

    def _drop_stale(self) -> None:
        """Photos that changed or went since the run was interrupted: what has grown so far is not theirs any more."""
        entries = {e.name: e for e in self._listing.entries}
        refused = {r.photo for r in self._listing.refused}
        for name, outcome in self._writer.known.items():
            gone = name not in entries and name not in refused
            if gone or (name in entries and outcome.sha256 and self._digest(entries[name]) != outcome.sha256):
                self._writer.restart()
                return

    def _keep(self, on_progress: OnProgress) -> None:
        """What the finished crop set already knows of photos that are the same today."""
        if self._base is None:
            return
        outcomes = {r.source: r for r in self._base.rows} | {r.photo: r for r in self._base.rejections()}
        for done, entry in enumerate(self._listing.entries):
            on_progress(done, len(self._listing.entries))
            known = outcomes.get(entry.name)
            same_person = not isinstance(known, CropRow) or known.identity == entry.identity
            if known and known.sha256 and same_person and known.sha256 == self._digest(entry):
                self._kept[entry.name] = known

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
        return all(self._examined(e) == rejections[e.name] for e in again)

    def _order(self) -> Iterator[Entry]:
        """Rows that are kept, in their order; then the rest by name."""
        entries = {e.name: e for e in self._listing.entries}
        kept = [r.source for r in self._base.rows if r.source in self._kept] if self._base else []
        for name in kept:
            yield entries.pop(name)
        yield from entries.values()

    def _one(self, entry: Entry) -> None:
        known = self._kept.get(entry.name)
        if isinstance(known, CropRow):
            assert self._base is not None
            self._writer.accept(known, self._base.crops([known.row])[0])
        elif known is not None:
            self._writer.reject(known)
        else:
            outcome = self._examined(entry)
            if isinstance(outcome, Found):
                self._writer.accept(outcome.row, outcome.crop)
            else:
                self._writer.reject(outcome)

    def _examined(self, entry: Entry) -> Found | Rejection:
        if (deaths := self._writer.tries.get(entry.name, 0)) >= MOST_DEATHS:
            reason = f"The process was killed {deaths} times while it held this file; it is not tried again."
            return Rejection(entry.name, reason, None, self._digest(entry))
        self._finder = self._finder or self._given or models.open_finder()
        self._looked_at += 1
        with self._writer.trying(entry.name):
            return examine(entry, self._finder, self._rules)

    def _digest(self, entry: Entry) -> str:
        try:
            return read(entry.path, self._rules.limits)[1]
        except OSError:
            return ""


def _base(writer: CropSetWriter) -> CropSet | None:
    """The finished crop set in the same folder.

    Raises:
        OutputError: it was made with other rules.
    """
    if not (writer.folder / SEAL).is_file():
        return None
    base = CropSet.open(writer.folder)
    if base.seal.layout != writer.recipe.layout or base.seal.settings != writer.recipe.settings:
        writer.discard()
        raise OutputError(
            f"{writer.folder} holds a crop set made with other settings ({base.size} px) or by another version. Give "
            "another folder, or delete it first."
        )
    return base


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
