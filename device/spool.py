"""Events on disk until the controller has them: SQLite, WAL, synchronous=FULL, under a seq without gaps.

WAL with synchronous=NORMAL loses acknowledged rows when the power is cut; FULL does not. Only the entrance writes;
the courier reads through a `Reader` of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from device.wire.messages import Kind

log = logging.getLogger(__name__)

FLOOR: Final = 16 * 1024 * 1024  # bytes left free on the disk: to forget takes room as well, and a full one stays full
SPARE: Final = 64  # free pages in the file that are room enough for any event
FORGET: Final = 1000  # events forgotten in one transaction; the log grows to the largest there ever was

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS spool (id TEXT NOT NULL, forgotten INTEGER NOT NULL);
"""


class SpoolError(OSError):
    """An event could not be kept; nobody may be shown that it was."""


class Spooled(NamedTuple):
    """One event as it waits: its payload is what the wire carries."""

    seq: int
    kind: Kind
    payload: bytes


class Spool:
    """The writing end. `mended` says what was wrong with the file that had to be put aside, if any.

    A disk that cannot be used at first keeps nobody from trying again: `problem` says why, and each `put` tries.
    `durable` False does not wait for the disk: only to measure what the waiting costs.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "OFF"
        self.mended = self.problem = self.id = ""
        self.forgotten = self.last = 0
        self._db: sqlite3.Connection | None = None
        with contextlib.suppress(SpoolError):
            self._opened()

    def _opened(self) -> sqlite3.Connection:
        """Return the open file; raise SpoolError when it cannot be opened now either."""
        if self._db is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._db = self._begin()
            except (sqlite3.Error, OSError) as error:
                self.problem = f"{self._path}: the spool cannot be opened: {error}"
                raise SpoolError(self.problem) from error
        self.problem = ""
        return self._db

    def _begin(self) -> sqlite3.Connection:
        """Open the file, or put it aside and begin anew when it is no spool, also at a second look.

        A read that fails once can make a good file look malformed; one that goes on failing is called what it is.
        """
        with contextlib.suppress(sqlite3.DatabaseError):
            return self._open()
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self.mended = self._put_aside(error)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={self._synchronous}")
            db.executescript(SCHEMA)
            row = db.execute("SELECT id, forgotten FROM spool").fetchone()
            if row is None:
                row = (secrets.token_hex(6), 0)
                db.execute("INSERT INTO spool VALUES (?, ?)", row)
            if not (isinstance(row[0], str) and isinstance(row[1], int)):
                raise sqlite3.DatabaseError("it has lost its own name")
            kept = db.execute("SELECT max(seq) FROM event").fetchone()[0]
            self.id, self.forgotten, self.last = row[0], row[1], max(row[1], kept or 0)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _put_aside(self, error: sqlite3.DatabaseError) -> str:
        """Keep a broken file for whoever can read it, and begin anew: the gate must go on keeping what happens."""
        stamp = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%S%f")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(
                    self._path.with_name(f"{self._path.name}.broken-{stamp}{suffix}")
                )
        return f"{self._path} was not a readable spool ({error}); it is kept as {self._path.name}.broken-{stamp}"

    @property
    def depth(self) -> int:
        """How many events wait."""
        return self.last - self.forgotten

    def put(self, kind: Kind, build: Callable[[int], bytes]) -> int:
        """Keep one event, on disk before this returns; `build` makes its payload from its seq. Raise SpoolError."""
        db = self._opened()
        seq = self.last + 1
        try:
            self._check_room(db)
            db.execute("INSERT INTO event VALUES (?, ?, ?)", (seq, kind, build(seq)))
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"{self._path}: {error}") from error
        self.last = seq
        return seq

    def check(self) -> None:
        """Raise SpoolError when the next event could not be kept, as far as that can be known before."""
        db = self._opened()
        try:
            self._check_room(db)
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"{self._path}: {error}") from error

    def _check_room(self, db: sqlite3.Connection) -> None:
        """Refuse to grow into the last of the disk; what was forgotten leaves room within the file."""
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < FLOOR and db.execute("PRAGMA freelist_count").fetchone()[0] < SPARE:
            raise OSError(f"less than {FLOOR >> 20} MB are free on its disk")

    def forget(self, seq: int) -> None:
        """Drop what the controller has, up to and including `seq`. Raise SpoolError."""
        seq = min(seq, self.last)
        while self.forgotten < seq:
            upto = min(seq, self.forgotten + FORGET)
            try:
                with _transaction(self._opened()) as db:
                    db.execute("DELETE FROM event WHERE seq <= ?", (upto,))
                    db.execute("UPDATE spool SET forgotten = ?", (upto,))
            except sqlite3.Error as error:
                raise SpoolError(f"{self._path}: {error}") from error
            self.forgotten = upto

    def close(self) -> None:
        """Close the file; what waits stays on disk."""
        if self._db is not None:
            self._db.close()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:  # a full disk has rolled back by itself
            db.execute("ROLLBACK")


class Reader:
    """The reading end, for another thread. It never holds up the writer."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

    def after(self, seq: int, limit: int) -> list[Spooled]:
        """Return up to `limit` events that follow `seq`, in order."""
        rows = self._db.execute(
            "SELECT seq, kind, payload FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        ).fetchall()
        return [Spooled(*row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._db.close()
