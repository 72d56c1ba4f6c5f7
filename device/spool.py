"""Events on disk until the controller has them: SQLite, WAL, synchronous=FULL, under a seq without gaps.

One file holds one spool, or several after a long time offline: then all but the last are sealed, and what happens now
need not wait behind them. WAL with synchronous=NORMAL loses acknowledged rows when the power is cut; FULL does not.
Only the entrance writes; the courier reads through a `Reader` of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from device.wire.messages import KINDS, MAX_PAYLOAD, Kind

log = logging.getLogger(__name__)

FLOOR: Final = 16 * 1024 * 1024  # bytes left free on the disk: to forget takes room as well, and a full one stays full
SPARE: Final = 64  # free pages in the file that are room enough for any event
BUSY_MS: Final = 5000  # what sqlite3.connect waits for, too
FORGET: Final = 1000  # events forgotten in one transaction; the log grows to the largest there ever was

LOST: Final[tuple[Kind, bytes]] = ("fault", b"damaged on the gate's disk")

# The seq of the first table counts through the whole file; on the wire each spool begins at 1.
SCHEMA = """
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS spool (id TEXT NOT NULL, forgotten INTEGER NOT NULL);
"""
LATER: Final = {"begins": "INTEGER NOT NULL DEFAULT 0", "ends": "INTEGER"}  # columns that older files do not have


class SpoolError(OSError):
    """An event could not be kept; nobody may be shown that it was."""


class Spooled(NamedTuple):
    """One event as it waits: its payload is what the wire carries."""

    seq: int
    kind: Kind
    payload: bytes


@dataclass
class Reel:
    """One spool within the file: its name, how much the file had kept before it, and its own last seqs."""

    id: str = ""
    begins: int = 0
    last: int = 0
    forgotten: int = 0

    @property
    def depth(self) -> int:
        """How many of its events wait."""
        return self.last - self.forgotten


class Spool:
    """The writing end. `mended` says what was wrong with the file that had to be put aside, if any.

    A disk that cannot be used at first keeps nobody from trying again: `problem` says why, and each `put` tries.
    `durable` False does not wait for the disk: only to measure what the waiting costs.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "OFF"
        self.mended = self.problem = ""
        self.reels = [Reel()]  # the oldest first; the last takes what happens now, the others are sealed
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
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # it names people; its log gets the same mode
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA secure_delete=ON")  # what the controller has becomes zeros here
            db.execute(f"PRAGMA synchronous={self._synchronous}")
            db.executescript(SCHEMA)
            known = {name for _, name, *_ in db.execute("PRAGMA table_info(spool)")}
            for name in LATER.keys() - known:
                db.execute(f"ALTER TABLE spool ADD COLUMN {name} {LATER[name]}")
            if db.execute("SELECT count(*) FROM spool").fetchone()[0] == 0:
                db.execute("INSERT INTO spool (id, forgotten) VALUES (?, 0)", (secrets.token_hex(6),))
            self.reels = _reels(db)
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
    def id(self) -> str:
        """The name of the spool that takes what happens now."""
        return self.reels[-1].id

    @property
    def last(self) -> int:
        """The last seq it has kept."""
        return self.reels[-1].last

    @property
    def forgotten(self) -> int:
        """The last seq it has forgotten."""
        return self.reels[-1].forgotten

    @property
    def depth(self) -> int:
        """How many events wait, in all spools of the file."""
        return sum(reel.depth for reel in self.reels)

    def put(self, kind: Kind, build: Callable[[int], bytes]) -> int:
        """Keep one event, on disk before this returns; `build` makes its payload from its seq. Raise SpoolError."""
        db = self._opened()
        reel = self.reels[-1]
        seq = reel.last + 1
        try:
            self._check_room(db)
            db.execute("INSERT INTO event VALUES (?, ?, ?)", (reel.begins + seq, kind, build(seq)))
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"{self._path}: {error}") from error
        reel.last = seq
        return seq

    def seal(self) -> None:
        """Begin another spool for what happens from now on; what waits keeps its name and seqs. Raise SpoolError."""
        db, old = self._opened(), self.reels[-1]
        new = Reel(secrets.token_hex(6), begins=old.begins + old.last)
        try:
            with _transaction(db):
                db.execute("UPDATE spool SET ends = ? WHERE id = ?", (new.begins, old.id))
                db.execute("INSERT INTO spool (id, forgotten, begins) VALUES (?, 0, ?)", (new.id, new.begins))
        except sqlite3.Error as error:
            raise SpoolError(f"{self._path}: {error}") from error
        self.reels.append(new)

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
        if disk.f_flag & os.ST_RDONLY:  # what Linux does to a disk it finds errors on
            raise OSError("its disk is read-only")
        if disk.f_bavail * disk.f_frsize < FLOOR and db.execute("PRAGMA freelist_count").fetchone()[0] < SPARE:
            raise OSError(f"less than {FLOOR >> 20} MB are free on its disk")

    def forget(self, seq: int, name: str = "") -> None:
        """Drop what the controller has of a spool, the last one unless named, up to `seq`. Raise SpoolError."""
        for reel in self.reels:
            if reel.id == (name or self.id):
                self._forget(reel, min(seq, reel.last))
        self.reels = [reel for reel in self.reels if reel.depth or reel is self.reels[-1]]

    def _forget(self, reel: Reel, seq: int) -> None:
        while reel.forgotten < seq:
            upto = min(seq, reel.forgotten + FORGET)
            try:
                with _transaction(self._opened()) as db:
                    if self.depth == upto - reel.forgotten:  # whole pages become zeros, also what rows left in them
                        db.execute("DELETE FROM event")
                    else:
                        db.execute("DELETE FROM event WHERE seq > ? AND seq <= ?", (reel.begins, reel.begins + upto))
                    db.execute("UPDATE spool SET forgotten = ? WHERE id = ?", (upto, reel.id))
                    db.execute("DELETE FROM spool WHERE begins + forgotten = ends")
            except sqlite3.Error as error:
                raise SpoolError(f"{self._path}: {error}") from error
            reel.forgotten = upto

    def empty_log(self) -> bool:
        """Cut the log to nothing, where forgotten events may still stand; False when that has to wait."""
        db = self._opened()
        db.execute("PRAGMA busy_timeout=0")
        try:
            return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error:
            return False
        finally:
            db.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    def close(self) -> None:
        """Close the file; what waits stays on disk."""
        if self._db is not None:
            self._db.close()


def _reels(db: sqlite3.Connection) -> list[Reel]:
    """Read which spools the file holds; raise DatabaseError when it does not say so."""
    kept = db.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
    reels, open_ends = [], []
    for name, forgotten, begins, ends in db.execute("SELECT id, forgotten, begins, ends FROM spool ORDER BY rowid"):
        if not (isinstance(name, str) and isinstance(forgotten, int) and isinstance(begins, int)):
            raise sqlite3.DatabaseError("it has lost its own name")
        last = (kept if ends is None else ends) - begins
        reels.append(Reel(name, begins, max(forgotten, last), forgotten))
        open_ends.append(ends is None)
    if open_ends != [False] * (len(reels) - 1) + [True]:
        raise sqlite3.DatabaseError("it does not say where to go on")
    return reels


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
        """Return up to `limit` events that follow `seq` in the whole file, in order.

        One that was damaged goes out as something nobody can read: the controller puts it aside, and none waits for it.
        """
        rows = self._db.execute(
            "SELECT seq, kind, payload FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
        ).fetchall()
        return [
            Spooled(seq, kind, payload) if _whole(kind, payload) else Spooled(seq, *LOST) for seq, kind, payload in rows
        ]

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _whole(kind: object, payload: object) -> bool:
    return kind in KINDS and isinstance(payload, bytes) and len(payload) <= MAX_PAYLOAD
