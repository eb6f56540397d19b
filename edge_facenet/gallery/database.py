"""The file: SQLite with a write-ahead log, one transaction an act, readable by its owner alone.

Nothing here reads or writes the file by itself: closing a second handle would drop SQLite's locks on it (sqlite.org,
"How to corrupt an SQLite database file", 2.2).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import EdgeFacenetError, GalleryDamaged, InputError, OutputError

APPLICATION_ID = 0x45464741  # "EFGA", in the file's header
SCHEMA_VERSION = 1
BUSY_S = 10.0
IN_MEMORY = 64 << 20  # below this many bytes the copy that VACUUM makes stays in memory
SIDES = ("-wal", "-shm", "-journal")

SCHEMA = (
    "CREATE TABLE facts (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    # AUTOINCREMENT: an id is never used again. uid: the same person in a backup and in the gallery.
    "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, name BLOB NOT NULL,"
    " enrolled TEXT NOT NULL, updated TEXT NOT NULL)",
    "CREATE TABLE embeddings (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " person INTEGER NOT NULL REFERENCES people(id) ON DELETE CASCADE, rejected INTEGER NOT NULL,"
    " embedder TEXT NOT NULL, aligner TEXT NOT NULL, dimension INTEGER NOT NULL, vector BLOB NOT NULL,"
    " photo BLOB NOT NULL, source BLOB NOT NULL, crop BLOB, added TEXT NOT NULL)",
    "CREATE INDEX embeddings_of ON embeddings(person)",
)
_OURS = {"facts", "people", "embeddings", "embeddings_of", "sqlite_sequence"}


class Database:
    """One connection, opened when it is needed, guarded by a lock, left behind in a fork's parent."""

    def __init__(self, path: Path, first: Callable[[], dict[str, bytes]], *, readonly: bool = False) -> None:
        """`first` gives the facts that a new gallery begins with."""
        self.path = path
        self.first = first
        self.readonly = readonly
        self._connection: sqlite3.Connection | None = None
        self._left: list[sqlite3.Connection] = []
        self._opened = 0  # goes on counting in a fork: no version is ever given twice
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._identity: tuple[int, ...] = ()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else uses the connection; errors of SQLite come out as sentences."""
        if os.getpid() != self._pid:  # the parent's connection must be neither used nor closed here
            if self._connection is not None:
                self._left.append(self._connection)
            self._connection = None
            self._start()
        with self._lock, reported(self.path):
            yield

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection | None]:
        """A connection inside one read transaction; None while there is no gallery."""
        with self.held():
            connection = self._current()
            if connection is None:
                yield None
                return
            with transaction(connection, "BEGIN"):
                yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one write transaction: all of the block, or nothing of it."""
        if self.readonly:
            raise OutputError(
                f"Gallery {self.path} was opened for reading only. Open it without readonly to change it."
            )
        with self.held():
            connection = self._current() or self._create()
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # a backup that is now a gallery
                _patiently(connection, "PRAGMA journal_mode=WAL")
            with transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

    def version(self) -> tuple[int, ...]:
        """Differs from every earlier one when another connection has changed the file."""
        with self.held():
            connection = self._current()
            if connection is None:
                return ()
            (seen,) = connection.execute("PRAGMA data_version").fetchone()
            return (self._opened, seen)

    def sweep(self) -> bool:
        """Write the file anew and empty the log, so that what was deleted is in neither.

        Returns:
            False when it has to be done again: somebody is reading, or there is no room for a copy.
        """
        with self.held():
            connection = self._current()
            if connection is None:
                return True
            small = self.path.stat().st_size < IN_MEMORY
            connection.execute(f"PRAGMA temp_store={'MEMORY' if small else 'DEFAULT'}")
            return _done(connection, "VACUUM") and _done(connection, "PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self.held():
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _current(self) -> sqlite3.Connection | None:
        """The connection to what lies at the path now: the file may have been replaced, or have come or gone."""
        identity = self._look()
        if self._connection is not None and identity != self._identity:
            self._drop()
        if self._connection is None and identity:
            self._connection = self._open(identity)
        return self._connection

    def _look(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self.path.is_symlink():
                raise InputError(
                    f"Gallery {self.path} is a link to {os.readlink(self.path)}, which is not there. Plug its disk in, or give "
                    "another place with --gallery."
                ) from None
            return ()
        except NotADirectoryError as error:
            raise InputError(f"{self.path} cannot be a gallery: {self.path.parent} is not a folder.") from error
        if self.path.is_dir():
            raise InputError(
                f"{self.path} is a folder, a gallery is a file. Give the file, for example {self.path / 'gallery.db'}."
            )
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{self.path} is a device or a pipe, a gallery is a file. Give another place with --gallery."
            )
        return (found.st_dev, found.st_ino)

    def _open(self, identity: tuple[int, ...]) -> sqlite3.Connection | None:
        connection = connect(self.path, readonly=self.readonly)
        try:
            if not judge(connection, self.path):
                connection.close()  # a file without content: an enrolment was killed while it made the gallery
                return None
        except BaseException:
            connection.close()
            raise
        self._identity, self._opened = identity, self._opened + 1
        if not self.readonly:
            keep_private(self.path)
        return connection

    def _create(self) -> sqlite3.Connection:
        create(self.path, self.first())
        connection = self._current()
        if connection is None:
            raise OutputError(f"Cannot make gallery {self.path}: another program removed it at once. Try again.")
        return connection


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """A connection; for a folder that cannot be written to, one that needs no side files."""
    try:
        return _connect(path, "ro" if readonly else "rw")
    except sqlite3.OperationalError as error:
        if not _name(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) or _size(path, "-wal"):
            raise
    return _connect(path, "ro&immutable=1")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    # A value that another program stored as text need not be valid text; one such row must not close the whole gallery.
    connection.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # deleted content is overwritten with zeros
        connection.execute("PRAGMA synchronous=FULL")  # what was reported survives a power cut
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # now SQLite opens its side files
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path, first: dict[str, bytes]) -> None:
    """Make an empty gallery where there is none; two processes may do so at once.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise OutputError(
            f"Cannot make gallery {path}: {error.strerror or error}. Give another place with --gallery."
        ) from error
    connection = _connect(path, "rw")
    try:
        _patiently(connection, "PRAGMA journal_mode=WAL")
        with transaction(connection, "BEGIN IMMEDIATE"):
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.executemany("INSERT INTO facts (key, value) VALUES (?, ?)", first.items())
                connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    finally:
        connection.close()


def _done(connection: sqlite3.Connection, statement: str) -> bool:
    """Whether a statement that may wait for others went through."""
    try:
        found = connection.execute(statement).fetchone()
    except sqlite3.OperationalError:  # busy, full: what was to be swept is still marked
        return False
    return found is None or not found[0]


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """SQLite does not wait by itself when the journal mode changes."""
    end = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute(statement).fetchone()
            return
        except sqlite3.OperationalError as error:
            if _name(error) not in ("SQLITE_BUSY", "SQLITE_LOCKED") or time.monotonic() > end:
                raise
        time.sleep(0.02)


def judge(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether this is a gallery (True) or has no content at all (False).

    Raises:
        GalleryDamaged: cut short, of another program, or of a newer edge-facenet.
    """
    value = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")}
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    names = {name for name in names if not name.startswith("sqlite_autoindex")}
    found = path.stat().st_size
    if not names and not value["application_id"]:
        return False
    if value["application_id"] != APPLICATION_ID:
        raise GalleryDamaged(f"{path} is an SQLite database of another program, not a gallery. Give another file.")
    if value["user_version"] > SCHEMA_VERSION:
        raise GalleryDamaged(
            f"Gallery {path} has schema {value['user_version']}, this version reads 1 to {SCHEMA_VERSION}. Upgrade edge-facenet."
        )
    if value["user_version"] < 1:
        raise GalleryDamaged(_damaged(path, f"altered: it has schema {value['user_version']}"))
    if pages * size > found and not _size(path, "-wal"):
        raise GalleryDamaged(_damaged(path, f"cut short: {pages * size} bytes expected, {found} found"))
    if names != _OURS:
        raise GalleryDamaged(_damaged(path, f"altered: it has {', '.join(sorted(names ^ _OURS))} too many or too few"))
    return True


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Commit when the block ends, roll back when it fails."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Errors of SQLite as one sentence each."""
    try:
        yield
    except sqlite3.Error as error:
        raise _described(error, path) from error


def keep_private(path: Path) -> None:
    """Owner-only, also after somebody copied the file carelessly; another owner's file stays as it is."""
    if os.name == "nt":
        return
    for place in (Path(os.path.realpath(path) + side) for side in ("", *SIDES)):
        with contextlib.suppress(OSError):
            if place.stat().st_mode & 0o077:
                place.chmod(0o600)


def _described(error: sqlite3.Error, path: Path) -> EdgeFacenetError:
    name = _name(error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return OutputError(
            f"Another process has been writing to gallery {path} for more than {BUSY_S:g} s. Nothing was changed; try again."
        )
    if name == "SQLITE_FULL":
        return OutputError(f"The disk is full: gallery {path} was not changed. Free some space and try again.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return OutputError(
            f"Gallery {path} or its folder cannot be read or written ({error}). Nothing was changed; change the rights, or give "
            "another place with --gallery."
        )
    if name == "SQLITE_NOTADB":
        return GalleryDamaged(f"{path} is not a gallery: it is another kind of file, or its beginning is damaged.")
    if name.startswith("SQLITE_IOERR") and name != "SQLITE_IOERR_SHORT_READ":
        return OutputError(f"Cannot read or write gallery {path}: {error}. Nothing was changed; look at the disk.")
    return GalleryDamaged(_damaged(path, f"damaged ({error})"))


def _damaged(path: Path, what: str) -> str:
    return (
        f"Gallery {path} is {what}. It was not changed; use a backup of it (edge-facenet gallery import BACKUP), or move it "
        "away and enroll again."
    )


def _size(path: Path, side: str) -> int:
    place = Path(os.path.realpath(path) + side)  # SQLite puts them beside the file itself, not beside a link to it
    return place.stat().st_size if place.exists() else 0


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
