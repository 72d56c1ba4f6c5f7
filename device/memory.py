"""Who went through, by the keyed hashes of their codes, on this gate's own disk: SQLite, synchronous=FULL.

A passing is on disk before the relay moves, so that no power cut makes a code good for once more. Passings at other
gates of the site come from the controller; one that is lost only means that this gate knows less.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from device.passback import Passing

MOST: Final = 200_000  # passings; the oldest make room
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS passings (
    id TEXT PRIMARY KEY, code TEXT NOT NULL, direction TEXT NOT NULL, at REAL NOT NULL, entrance TEXT NOT NULL,
    void INTEGER NOT NULL DEFAULT 0 -- nobody went: it counts for nothing, also when it is told again
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_code ON passings (code, at);
CREATE INDEX IF NOT EXISTS of_time ON passings (at);
"""


class RecallError(OSError):
    """It cannot be known or kept who went through; nobody is let through on it."""


class Memory:
    """The passings known at this gate, in a file that is made when it is first needed.

    One that cannot be read is begun anew; `mended` says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self.mended = ""

    @property
    def begun(self) -> bool:
        """Whether anything was ever remembered here."""
        return self._path.exists()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._db = self._begin()
            except (sqlite3.Error, OSError) as error:
                raise RecallError(f"{self._path}: cannot be opened: {error}") from error
        return self._db

    def _begin(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            self.mended = f"{self._path} was unreadable ({error}) and begun anew: who went before is not known here"
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA secure_delete=ON")
            db.executescript(SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def of(self, code: str) -> list[Passing]:
        """Return the passings on a code, the oldest first. Raise RecallError."""
        try:
            rows = self._opened().execute(
                "SELECT id, code, direction, at, entrance FROM passings WHERE code = ? AND NOT void ORDER BY at, id",
                (code,),
            )
            return [Passing(*row) for row in rows]
        except sqlite3.Error as error:
            raise RecallError(f"{self._path}: {error}") from error

    def keep(self, passing: Passing, *, void: bool = False) -> None:
        """Keep a passing, on disk before this returns; known already, it may only become void. Raise RecallError."""
        self._write(
            "INSERT INTO passings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET void = max(void, excluded.void)",
            (*passing, void),
        )

    def void(self, id: str) -> None:  # noqa: A002 it is the passing's
        """Note that nobody went after all, so that the code may be used again. Raise RecallError."""
        self._write("UPDATE passings SET void = 1 WHERE id = ?", (id,))

    def forget(self, before: float) -> None:
        """Forget who went before that time, in seconds since 1970, and whom there is no room for. Raise RecallError."""
        self._write("DELETE FROM passings WHERE at < ?", (before,))
        self._write(
            "DELETE FROM passings WHERE id IN (SELECT id FROM passings ORDER BY at DESC LIMIT -1 OFFSET ?)", (MOST,)
        )

    def check(self) -> None:
        """Raise RecallError when nothing can be written."""
        self._write("PRAGMA user_version = 1", ())

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._opened().execute(statement, values)
        except (sqlite3.Error, OSError) as error:
            raise RecallError(f"{self._path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
