"""Who was let in where, and how many are inside: the part of the store that is written as events come in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlite_utils import Database

from controller.database import stamp
from device.wire.messages import Elsewhere, Passage, Place, Scan

WAYS: Final = {"in": 1, "out": -1}


class Move(NamedTuple):
    """Somebody went in or out, on the day it was at the site."""

    site: str
    change: int
    day: str


def way(passage: Passage) -> int:
    """Return by how many a passage changes who is inside."""
    return 0 if passage.event_type == "not_passed" else WAYS.get(passage.direction, 0)


class Flows:
    """Tables passings and occupancy."""

    db: Database

    def passing(self, place: Place, scan: Scan, at: datetime) -> Elsewhere | None:
        """Note a grant where re-entry is watched; return what to tell the other gates of the site."""
        if scan.event_type != "grant" or scan.direction is None or not scan.code:
            return None
        self.db.execute(
            "INSERT OR IGNORE INTO passings (spool, seq, site, entrance, code, direction, at, people)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (scan.spool, scan.seq, *place, scan.code, scan.direction, stamp(at), scan.people),
        )
        return Elsewhere(id=scan.id, code=scan.code, direction=scan.direction, at=at, entrance=place.entrance)

    def conflict(self, place: Place, scan: Scan, at: datetime, within: timedelta) -> str | None:
        """Return where else a code was let in that is let in here, with no way out between; None where it was not.

        It is what is known now of all gates of the site: one that was offline tells later.
        """
        if scan.direction != "in" or scan.why:  # a guard knows what he does
            return None
        values = {
            "site": place.site, "code": scan.code, "spool": scan.spool, "seq": scan.seq, "at": stamp(at),
            "from": stamp(at - within), "until": stamp(at + within), "uses": scan.uses,
        }  # fmt: skip
        own = self.db.execute("SELECT void FROM passings WHERE (spool, seq) = (:spool, :seq)", values).fetchone()
        if own is None or own[0]:
            return None
        if scan.uses:
            rows = self.db.execute(f"SELECT entrance, direction {OTHERS} AND direction = 'in' ORDER BY at DESC", values)
            ins = rows.fetchall()
            return ins[0][0] if len(ins) >= scan.uses else None
        before = f"SELECT entrance, direction {OTHERS} AND at BETWEEN :from AND :at ORDER BY at DESC LIMIT 1"
        after = f"SELECT entrance, direction {OTHERS} AND at > :at AND at <= :until ORDER BY at LIMIT 1"
        found = [self.db.execute(question, values).fetchone() for question in (before, after)]
        return next((row[0] for row in found if row and row[1] == "in"), None)

    def unused(self, place: Place, passage: Passage) -> Elsewhere | None:
        """Note that nobody of a party went on a grant; return what to tell the other gates of the site."""
        if passage.event_type != "not_passed" or passage.scan is None:
            return None
        row = self.db.execute(
            "UPDATE passings SET void = 1 WHERE (spool, seq, people) = (?, ?, ?) RETURNING code, direction, at",
            (passage.spool, passage.scan, passage.people),
        ).fetchone()
        if row is None:
            return None
        name = f"{passage.spool}-{passage.scan}"
        at = datetime.fromisoformat(row[2])
        return Elsewhere(id=name, code=row[0], direction=row[1], at=at, entrance=place.entrance, void=True)

    def moved(self, moves: Iterable[Move]) -> None:
        """Count who went in or out, in the order in which they did as far as anybody knows."""
        self.db.conn.executemany(
            "INSERT INTO occupancy (site, inside, day) VALUES (:site, max(0, :change), :day)"
            " ON CONFLICT DO UPDATE SET day = excluded.day,"
            " inside = max(0, :change + iif(day = excluded.day, inside, 0))"
            " WHERE day <= excluded.day",  # what comes late, of a day that is over, counts no more
            [move._asdict() for move in moves],
        )

    def inside(self, day: str) -> dict[str, int]:
        """Return how many are inside each site that counts; a new day begins with nobody."""
        rows = self.db.execute("SELECT site, inside, day FROM occupancy")
        return {site: inside if on == day else 0 for site, inside, on in rows}

    def over_since(self) -> dict[str, datetime]:
        """Return since when more are inside a site than may be, where that is so."""
        rows = self.db.execute("SELECT site, over_since FROM occupancy WHERE over_since IS NOT NULL")
        return {site: datetime.fromisoformat(since) for site, since in rows}

    def over(self, site: str, since: datetime | None) -> None:
        """Note that since then more are inside a site than may be; None: no longer."""
        self.db.execute("UPDATE occupancy SET over_since = ? WHERE site = ?", (since and stamp(since), site))


OTHERS: Final = "FROM passings WHERE (site, code, void) = (:site, :code, 0) AND (spool, seq) <> (:spool, :seq)"
