"""Which gates may speak, and which claim codes are open. The broker follows this book, never the other way round."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from controller.book import BUSY_S, Book
from device.wire.messages import Place

FILE: Final = "ledger.db"  # in the installation's folder
REFUSALS: Final = 1000  # rows
READERS: Final = "reader."  # what their clients' names begin with; a gate's name has two dots

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS claims ( -- one an entrance: a new code replaces the old
    site TEXT NOT NULL,
    entrance TEXT NOT NULL,
    key BLOB NOT NULL, -- what scrypt makes of the code, never the code
    until INTEGER NOT NULL, -- seconds since 1970, UTC
    tries INTEGER NOT NULL, -- that are left
    PRIMARY KEY (site, entrance)
);
CREATE TABLE IF NOT EXISTS gates (
    name TEXT PRIMARY KEY, -- in its certificate
    site TEXT NOT NULL,
    entrance TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    certified_until INTEGER NOT NULL,
    revoked_at INTEGER -- NULL: in force
);
CREATE UNIQUE INDEX IF NOT EXISTS one_gate_an_entrance ON gates (site, entrance) WHERE revoked_at IS NULL;
CREATE TABLE IF NOT EXISTS readers ( -- other programs that may listen, and say some commands
    name TEXT PRIMARY KEY,
    mark TEXT NOT NULL, -- behind the name in its certificate
    prefix TEXT NOT NULL, -- Home Assistant's discovery prefix
    commands TEXT NOT NULL, -- the verbs it may say, with spaces between them
    certified_until INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS refusals ( -- by the broker
    kind TEXT NOT NULL, -- see controller/refusals.py; revoked: a name that is not in force came back
    who TEXT NOT NULL, -- a gate's name, an address, or nothing where the broker does not say
    what TEXT NOT NULL, -- the last topic or reason, as somebody sent it
    first_at INTEGER NOT NULL, -- after a pause
    last_at INTEGER NOT NULL,
    times INTEGER NOT NULL, -- since first_at
    PRIMARY KEY (kind, who)
);
"""


class Noted(NamedTuple):
    """What the broker refused to one name without a long pause; times are seconds since 1970."""

    kind: str
    who: str
    what: str
    first_at: int
    last_at: int
    times: int


class Reader(NamedTuple):
    """A program of somebody else's that may listen on the broker."""

    name: str
    mark: str  # random: whoever has the key of an earlier one of this name has another
    prefix: str = "homeassistant"
    commands: tuple[str, ...] = ()
    until: int = 0  # when its certificate ends

    @property
    def client(self) -> str:
        """Return the name in its certificate."""
        return f"{READERS}{self.name}-{self.mark}"


class Ledger(Book):
    """Times are seconds since 1970."""

    def __init__(self, path: Path) -> None:
        """Open or make the book."""
        super().__init__(path, SCHEMA)

    # Claim codes

    def offer(self, place: Place, key: bytes, *, until: int, tries: int) -> None:
        """Open a claim code for an entrance, in place of an earlier one."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?)", (*place, key, until, tries))

    def attempt(self, place: Place, now: int) -> bytes | None:
        """Count one try, and return the key to compare with; None: no code is open, or its tries are used up."""
        with self._writing() as db:
            db.execute("DELETE FROM claims WHERE until <= ? OR tries <= 0", (now,))
            row = db.execute(
                "UPDATE claims SET tries = tries - 1 WHERE site = ? AND entrance = ? RETURNING key", place
            ).fetchone()
        return None if row is None else bytes(row[0])

    def claimed(self, place: Place, key: bytes) -> bool:
        """Use up a claim code. Of those who come with it at the same time, one is told True."""
        with self._writing() as db:
            used = db.execute("DELETE FROM claims WHERE site = ? AND entrance = ? AND key = ?", (*place, key))
        return used.rowcount == 1

    # Gates

    def enrolled(self, place: Place, name: str, *, at: int, until: int) -> None:
        """Let a gate speak for an entrance from now on, and no longer one that did so before."""
        with self._writing() as db:
            db.execute(REVOKE, (at, *place))
            db.execute("INSERT INTO gates VALUES (?, ?, ?, ?, ?, NULL)", (name, *place, at, until))

    def renewed(self, name: str, *, until: int) -> None:
        """Note until when a gate's newest certificate is good."""
        with self._writing() as db:
            db.execute("UPDATE gates SET certified_until = ? WHERE name = ?", (until, name))

    def revoked(self, place: Place, *, at: int) -> bool:
        """Let nobody speak for an entrance any more, and close its claim code. False: nobody did."""
        with self._writing() as db:
            db.execute("DELETE FROM claims WHERE site = ? AND entrance = ?", place)
            return db.execute(REVOKE, (at, *place)).rowcount > 0

    def names(self) -> list[str]:
        """Return the names of all gates in force."""
        with self._turn:
            return [name for (name,) in self._db.execute("SELECT name FROM gates WHERE revoked_at IS NULL")]

    def ends(self) -> dict[str, int]:
        """Return when the certificates of the gates in force end; 0: not known."""
        with self._turn:
            return dict(self._db.execute("SELECT name, certified_until FROM gates WHERE revoked_at IS NULL").fetchall())

    # Readers

    def admitted(self, reader: Reader) -> None:
        """Let a program listen, or change what it may do."""
        with self._writing() as db:
            row = (reader.name, reader.mark, reader.prefix, " ".join(reader.commands), reader.until)
            db.execute("INSERT OR REPLACE INTO readers VALUES (?, ?, ?, ?, ?)", row)

    def dismissed(self, name: str) -> bool:
        """Let a program listen no longer. False: none of this name did."""
        with self._writing() as db:
            return db.execute("DELETE FROM readers WHERE name = ?", (name,)).rowcount > 0

    def readers(self) -> list[Reader]:
        """Return the programs that may listen."""
        with self._turn:
            rows = self._db.execute("SELECT name, mark, prefix, commands, certified_until FROM readers ORDER BY name")
            return [
                Reader(name, mark, prefix, tuple(verbs.split()), until) for name, mark, prefix, verbs, until in rows
            ]

    # What the broker refused

    def refused(self, noted: Iterable[Noted], *, pause_s: float = 600) -> None:
        """Add to what was refused, in one transaction; after a pause it is counted anew. The newest thousand stay."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO refusals VALUES (:kind, :who, :what, :first_at, :last_at, :times)"
                " ON CONFLICT (kind, who) DO UPDATE SET what = excluded.what, last_at = excluded.last_at,"
                " first_at = iif(excluded.first_at - last_at < :pause, first_at, excluded.first_at),"
                " times = excluded.times + iif(excluded.first_at - last_at < :pause, times, 0)",
                [{**each._asdict(), "pause": pause_s} for each in noted],
            )
            db.execute(
                "DELETE FROM refusals WHERE rowid IN"
                " (SELECT rowid FROM refusals ORDER BY last_at DESC LIMIT -1 OFFSET ?)",
                (REFUSALS,),
            )

    def refusals(self, since: int = 0) -> list[Noted]:
        """Return what was refused at this time or later, newest first."""
        with self._turn:
            rows = self._db.execute("SELECT * FROM refusals WHERE last_at >= ? ORDER BY last_at DESC", (since,))
            return [Noted(*row) for row in rows]

    def forget_refusals(self, before: int | None = None, place: Place | None = None, *, dry: bool = False) -> int:
        """Leave no byte of what was refused last before a time, or to gates of an entrance; return how many rows."""
        with self._writing() as db:
            rows = [Noted(*row) for row in db.execute("SELECT * FROM refusals ORDER BY rowid")]
            kept = [
                each
                for each in rows
                if (before is not None and each.last_at >= before)
                or not (place is None or _speaks_for(each.who, place))
            ]
            if len(kept) < len(rows) and not dry:
                db.execute("DELETE FROM refusals")  # without a WHERE it zeroes whole pages
                db.executemany("INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?)", kept)
        return len(rows) - len(kept)


def _speaks_for(name: str, place: Place) -> bool:
    """Tell whether a name is, or was, that of a gate of this entrance."""
    return f"{name}.".startswith(".".join([*place, ""]))


REVOKE: Final = "UPDATE gates SET revoked_at = ? WHERE site = ? AND entrance = ? AND revoked_at IS NULL"


def certified(folder: Path) -> dict[str, int]:
    """Return until when the gate of each `site/entrance` has a certificate; nothing where the book cannot be read."""
    path = folder / FILE
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            rows = db.execute("SELECT site || '/' || entrance, certified_until FROM gates WHERE revoked_at IS NULL")
            return dict(rows.fetchall())
    except sqlite3.Error:
        return {}
