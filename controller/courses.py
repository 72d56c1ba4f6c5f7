"""What events add up to at each entrance: the part of the store in which runs go on and passages are counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlite_utils import Database

from controller.database import among, stamp
from controller.facts import RATE_WINDOW, Run
from controller.rules.course import REMEMBERED
from device.wire.messages import EVENTS, Kind, Passage, Place, Scan, decode

SLOT_S: Final = 300  # passages are counted in slots of five minutes


class Walked(NamedTuple):
    """How many went through an entrance within a time."""

    passages: int = 0
    unscanned: int = 0
    since: datetime | None = None  # the first slot in which somebody had scanned nothing


def slot(moment: datetime) -> int:
    """Return the number of the slot a moment is in."""
    return int(moment.timestamp()) // SLOT_S


class Courses:
    """Tables runs and walks."""

    db: Database

    def runs(self, only: Collection[int] | None = None) -> dict[int, dict[str, Run]]:
        """Return what goes on, or did last, at all entrances or some, by its name."""
        here, given = among("entrance_id", only)
        rows = self.db.execute(f"SELECT entrance_id, name, since, last, count, reason FROM runs WHERE {here}", given)  # noqa: S608 our own words
        found: dict[int, dict[str, Run]] = {}
        for entrance, name, since, last, count, reason in rows:
            run = Run(
                since=datetime.fromisoformat(since), last=datetime.fromisoformat(last), count=count, reason=reason
            )
            found.setdefault(entrance, {})[name] = run
        return found

    def keep_runs(self, runs: Mapping[tuple[int, str], Run | None]) -> None:
        """Keep runs, by entrance and name; None: it is over."""
        self.db.conn.executemany(
            "DELETE FROM runs WHERE (entrance_id, name) = (?, ?)", [key for key, run in runs.items() if run is None]
        )
        self.db.conn.executemany(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
            [
                (*key, stamp(run.since), stamp(run.last), run.count, run.reason)
                for key, run in runs.items()
                if run is not None
            ],
        )

    def walk(self, walks: Mapping[tuple[int, int], tuple[int, int]], at: datetime) -> None:
        """Count passages, by slot and entrance: all, and those without a grant."""
        self.db.conn.executemany(
            "INSERT INTO walks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET passages = passages + excluded.passages,"
            " unscanned = unscanned + excluded.unscanned",
            [(*key, *counted) for key, counted in walks.items()],
        )
        self.db.execute("DELETE FROM walks WHERE slot < ?", (slot(at - 2 * RATE_WINDOW),))

    def walked(self, at: datetime, only: Collection[int] | None = None) -> dict[int, Walked]:
        """Return how many went through within the last hour."""
        here, given = among("entrance_id", only)
        rows = self.db.execute(
            "SELECT entrance_id, sum(passages), sum(unscanned), min(iif(unscanned, slot, NULL))"  # noqa: S608 our own words
            f" FROM walks WHERE slot > :from AND {here} GROUP BY entrance_id",
            {"from": slot(at - RATE_WINDOW), **given},
        )
        return {
            entrance: Walked(passages, unscanned, None if first is None else begun(first, at))
            for entrance, passages, unscanned, first in rows
        }

    def scans(self) -> list[tuple[Place, Scan, datetime, float | None]]:
        """Return the newest scans, in the order in which they came, each with when it was received.

        Last comes when its gate's machine began, where that was known when it came and its own clock was not set.
        """
        rows = self.db.execute(
            "SELECT n.site, n.name, e.payload, e.received_at, b.began FROM events e"
            " JOIN entrances n ON n.id = e.entrance_id"
            " LEFT JOIN boots b ON e.clock = 'unset' AND (b.entrance_id, b.boot) = (e.entrance_id, e.boot) AND e.rowid"
            " > coalesce((SELECT t.rowid FROM events t WHERE (t.spool_id, t.seq) = (b.spool_id, b.seq)), 0)"
            " WHERE e.kind = 'scan' ORDER BY e.rowid DESC LIMIT ?",
            (REMEMBERED,),
        ).fetchall()
        return [
            (Place(site, name), decode(EVENTS["scan"], payload.encode()), datetime.fromisoformat(at), began)  # type: ignore[misc]
            for site, name, payload, at, began in reversed(rows)
        ]

    def past(self, since: datetime) -> Iterator[tuple[str, str, int, Kind, str, str]]:
        """Return site, entrance, its id, kind, payload and time of the events received since then, as they came."""
        return self.db.execute(
            "SELECT n.site, n.name, e.entrance_id, e.kind, e.payload, e.received_at FROM events e"
            " JOIN entrances n ON n.id = e.entrance_id WHERE e.rowid >= (SELECT rowid FROM events"
            " WHERE received_at >= ? ORDER BY received_at, rowid LIMIT 1) ORDER BY e.rowid",
            (stamp(since),),
        )


def begun(number: int, at: datetime) -> datetime:
    """Return when a slot began."""
    return datetime.fromtimestamp(number * SLOT_S, tz=at.tzinfo)


def unscanned(passage: Passage) -> bool | None:
    """Tell whether somebody went through with nothing scanned; None: nobody went."""
    return None if passage.event_type == "not_passed" else passage.event_type in ("forced", "tailgated")


def counts(passage: Passage, at: datetime, now: datetime) -> bool:
    """Tell whether a passage is of the hour that is looked at; what comes late may be long over."""
    return unscanned(passage) is not None and timedelta() <= now - at < RATE_WINDOW
