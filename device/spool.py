"""Events on disk until the controller has them: SQLite, WAL, synchronous=FULL, under a seq without gaps.

WAL with synchronous=NORMAL loses acknowledged rows when the power is cut; FULL does not. Only the entrance writes;
the courier reads through a `Reader` of its own.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from device.wire.messages import Kind

log = logging.getLogger(__name__)

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

    `durable` False does not wait for the disk: only to measure what the waiting costs.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "OFF"
        self.mended = ""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise SpoolError(f"{path}: the spool cannot be opened: {error}") from error
            self.mended = self._put_aside(error)
            self._db = self._open()

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
            self.id, self.forgotten = str(row[0]), int(row[1])
            kept = db.execute("SELECT max(seq) FROM event").fetchone()[0]
            self.last: int = max(self.forgotten, kept or 0)
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
        seq = self.last + 1
        try:
            self._db.execute("INSERT INTO event VALUES (?, ?, ?)", (seq, kind, build(seq)))
        except sqlite3.Error as error:
            raise SpoolError(f"{self._path}: {error}") from error
        self.last = seq
        return seq

    def forget(self, seq: int) -> None:
        """Drop what the controller has, up to and including `seq`. Raise SpoolError."""
        seq = min(seq, self.last)
        if seq <= self.forgotten:
            return
        try:
            with self._transaction():
                self._db.execute("DELETE FROM event WHERE seq <= ?", (seq,))
                self._db.execute("UPDATE spool SET forgotten = ?", (seq,))
        except sqlite3.Error as error:
            raise SpoolError(f"{self._path}: {error}") from error
        self.forgotten = seq

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; what waits stays on disk."""
        self._db.close()


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
