"""The controller's database: SQLite, WAL, synchronous=FULL. Writes may be repeated; questions are methods."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from controller.alarms import Alarms
from controller.courses import Courses, Walked
from controller.database import StoreError, among, now, open_to_read, open_to_write, stamp
from controller.facts import OURS, Facts, Run
from controller.flow import Flows
from controller.policies import Policies
from device.wire.messages import Health, MessageError, OpenFault, Place, State, decode

QUARANTINE_ROWS: Final = 1000  # the newest are kept
HEAD_BYTES: Final = 256  # of a message in quarantine


class Spool(NamedTuple):
    """How far one gate's file of events has come."""

    id: int
    committed: int
    lost: int


class Spot(NamedTuple):
    """Where an event stands."""

    spool_id: int
    seq: int


class EventRow(NamedTuple):
    """One event, as its table has it."""

    spool_id: int
    seq: int
    entrance_id: int
    kind: str
    event_type: str
    at: str
    received_at: str
    boot: str
    mono: float
    clock: str
    payload: str


class Store(Policies, Flows, Alarms, Courses):
    """One connection, for one thread at a time."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.db = open_to_read(path) if read_only else open_to_write(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    # Entrances

    def entrance(self, place: Place) -> int:
        """Return the id of an entrance, known or not; an unknown one gets a row."""
        known = self.place_id(place)
        if known is not None:
            return known
        return self.db.execute("INSERT INTO entrances (site, name) VALUES (?, ?)", place).lastrowid or 0

    def place_id(self, place: Place) -> int | None:
        """Return the id of an entrance that is known."""
        row = self.db.execute("SELECT id FROM entrances WHERE site = ? AND name = ?", place).fetchone()
        return row and int(row[0])

    def register(self, place: Place, zh: str = "", en: str = "", *, by: str = "") -> None:
        """Make an entrance one of ours; again, it only changes its titles. Whoever does it stands in the journal.

        Raise StoreError for the controller's own site.
        """
        if place.site == OURS:
            raise StoreError(f"{place}: {OURS} is the site of what is the controller's own; take another name")
        with self.transaction():
            again = bool(by) and place in self.registered()
            self.db.execute(
                "UPDATE entrances SET title_zh = ?, title_en = ?, registered_at = coalesce(registered_at, ?)"
                " WHERE id = ?",
                (zh, en, stamp(now()), self.entrance(place)),
            )
            if by:
                self._note(by, "entrance_renamed" if again else "entrance_added", entrance=str(place))

    def unregister(self, place: Place, *, by: str = "") -> bool:
        """Forget an entrance until it is heard again; its events stay. False: nobody knew it."""
        with self.transaction():
            self.db.execute(
                "DELETE FROM runs WHERE entrance_id = (SELECT id FROM entrances WHERE site = ? AND name = ?)", place
            )
            known = self.db.execute(
                "UPDATE entrances SET registered_at = NULL, heard_at = NULL, online = NULL, online_since = NULL,"
                " state = NULL, clock_unsure_since = NULL"
                " WHERE site = ? AND name = ? AND (registered_at IS NOT NULL OR heard_at IS NOT NULL)",
                place,
            ).rowcount
            if known and by:
                self._note(by, "entrance_removed", entrance=str(place))
            return bool(known)

    def registered(self) -> list[Place]:
        """Return the entrances that are ours."""
        rows = self.db.execute("SELECT site, name FROM entrances WHERE registered_at IS NOT NULL ORDER BY site, name")
        return [Place(*row) for row in rows]

    def entrances(self) -> list[dict[str, Any]]:
        """Return a row for every entrance that is registered or was heard."""
        return list(
            self.db.query(
                "SELECT site, name AS entrance, coalesce(region, '') AS region, title_zh, title_en, registered_at,"
                " heard_at, online, online_since, staffing, staffing_since, open_faults, policy_version, policy_problem"
                " FROM entrances LEFT JOIN sites USING (site)"
                " WHERE registered_at IS NOT NULL OR heard_at IS NOT NULL ORDER BY site, name"
            )
        )

    def ids(self) -> list[int]:
        """Return the ids of all entrances that are known."""
        return [number for (number,) in self.db.execute("SELECT id FROM entrances ORDER BY id")]

    def places(self, only: Collection[int]) -> dict[int, Place]:
        """Return where these entrances are."""
        here, given = among("id", only)
        rows = self.db.execute(f"SELECT id, site, name FROM entrances WHERE {here}", given)  # noqa: S608 our own words
        return {number: Place(site, name) for number, site, name in rows}

    def heard(self, entrance: int, at: datetime) -> None:
        """Note that an entrance speaks."""
        self.db.execute("UPDATE entrances SET heard_at = ? WHERE id = ? AND heard_at IS NULL", (stamp(at), entrance))

    def online(self, entrance: int, *, online: bool, reason: str, at: datetime) -> None:
        """Note that a gate is online or not; saying it again changes nothing."""
        self.db.execute(
            "UPDATE entrances SET online = ?, online_since = ?, offline_reason = ? WHERE id = ? AND online IS NOT ?",
            (online, stamp(at), reason, entrance, online),
        )

    def document(self, entrance: int, name: str, document: msgspec.Struct) -> None:
        """Keep what a gate retains: `state`, `health`, `info` or `policy`."""
        columns = {name: msgspec.json.encode(document).decode()}
        self.db.table("entrances").update(entrance, columns)

    def clock(self, entrance: int, *, unsure: bool, at: datetime) -> None:
        """Note whether a gate knows the time; saying it again changes nothing."""
        self.db.execute(
            "UPDATE entrances SET clock_unsure_since = iif(?, coalesce(clock_unsure_since, ?), NULL) WHERE id = ?",
            (unsure, stamp(at), entrance),
        )

    def facts(self, at: datetime, only: Collection[int] | None = None) -> dict[int, Facts]:
        """Return what is known now of all entrances, or of some."""
        runs, walked = self.runs(only), self.walked(at, only)
        wanted = self.db.execute("SELECT version, changed_at FROM policies").fetchone()
        here, given = among("id", only)
        rows = self.db.query(f"SELECT * FROM entrances WHERE {here}", given)  # noqa: S608 our own words
        return {
            row["id"]: _facts(row, at, runs.get(row["id"], {}), walked.get(row["id"], Walked()), wanted) for row in rows
        }

    # Events

    def spool(self, entrance: int, name: str, at: datetime) -> Spool:
        """Return how far a spool has come; a new one begins at 0."""
        row = self.db.execute(
            "SELECT id, committed_seq, lost FROM spools WHERE entrance_id = ? AND spool = ?", (entrance, name)
        ).fetchone()
        if row:
            return Spool(*row)
        new = self.db.execute(
            "INSERT INTO spools (entrance_id, spool, begun_at) VALUES (?, ?, ?)", (entrance, name, stamp(at))
        )
        return Spool(new.lastrowid or 0, 0, 0)

    def spools(self, only: Place | None = None) -> list[tuple[Place, str, int]]:
        """Return place, name and committed seq of all spools, or of those of one entrance."""
        here = "(n.site, n.name) = (:site, :entrance)" if only else "TRUE"
        rows = self.db.execute(
            "SELECT n.site, n.name, s.spool, s.committed_seq FROM spools s"  # noqa: S608 our own words
            f" JOIN entrances n ON n.id = s.entrance_id WHERE {here}",
            _place(only),
        )
        return [(Place(site, name), spool, seq) for site, name, spool, seq in rows]

    def keep(self, events: Iterable[EventRow], spools: Iterable[Spool]) -> None:
        """Keep events, and how far their spools have come."""
        self.db.conn.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", events)
        self.db.conn.executemany(
            "UPDATE spools SET committed_seq = ?, lost = ? WHERE id = ?",
            [(spool.committed, spool.lost, spool.id) for spool in spools],
        )

    def boot(self, entrance: int, boot: str, began: float, told: Spot) -> None:
        """Note when a gate's machine started, in seconds since 1970, and which event told; what is known stays."""
        self.db.execute("INSERT OR IGNORE INTO boots VALUES (?, ?, ?, ?, ?)", (entrance, boot, began, *told))

    def began(self, entrance: int, boot: str) -> float | None:
        """Return when a gate's machine started, in seconds since 1970; None while nobody can tell."""
        row = self.db.execute("SELECT began FROM boots WHERE entrance_id = ? AND boot = ?", (entrance, boot)).fetchone()
        return row and float(row[0])

    def events(
        self,
        *,
        place: Place | None,
        kind: str | None,
        event_type: str | None,
        since: str | None,
        limit: int,
        region: str = "",
    ) -> list[dict[str, Any]]:
        """Return stored events, the newest first; None asks for any. `since` is when they were received.

        `at` is mended where `clock` says so; in the payload it is as the gate's clock stood.
        """
        rows = self.db.query(
            "SELECT site, entrance, kind, at, clock, received_at, payload FROM timeline"
            " WHERE (:site IS NULL OR site = :site)"
            " AND (:entrance IS NULL OR entrance = :entrance) AND (:kind IS NULL OR kind = :kind)"
            " AND (:type IS NULL OR event_type = :type) AND (:since IS NULL OR received_at >= :since)"
            " AND (:sites IS NULL OR site IN (SELECT value FROM json_each(:sites)))"
            " ORDER BY arrival DESC LIMIT :limit",
            {
                **_place(place), "kind": kind, "type": event_type, "since": since, "limit": limit,
                "sites": json.dumps(self.sites_within(region)) if region else None,
            },
        )  # fmt: skip
        return [{**row, "payload": json.loads(row["payload"])} for row in rows]

    def quarantine(self, topic: str, reason: str, payload: bytes, at: datetime) -> None:
        """Keep the head of a message that is not one of ours."""
        self.db.execute(
            "INSERT INTO quarantine (received_at, topic, reason, size, head) VALUES (?, ?, ?, ?, ?)",
            (stamp(at), topic, reason, len(payload), payload[:HEAD_BYTES].hex()),
        )
        self.db.execute("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (QUARANTINE_ROWS,))


def _place(place: Place | None) -> dict[str, str | None]:
    return {"site": place and place.site, "entrance": place and place.entrance}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _facts(
    row: dict[str, Any], at: datetime, runs: dict[str, Run], walked: Walked, wanted: tuple[int, str | None]
) -> Facts:
    spoke = runs.get("spoke")
    state, faults = _state(row["state"]), _faults(row["health"])
    return Facts(
        place=Place(row["site"], row["name"]),
        now=at,
        registered_at=_moment(row["registered_at"]),
        heard_at=_moment(row["heard_at"]),
        online=None if row["online"] is None else bool(row["online"]),
        online_since=_moment(row["online_since"]),
        offline_reason=row["offline_reason"],
        staffing=row["staffing"],
        staffing_since=_moment(row["staffing_since"]),
        clock_unsure_since=_moment(row["clock_unsure_since"]),
        stale=next((fault for fault in faults if fault.fault == "stale_trust"), None),
        abnormal=runs.get("abnormal"),
        quarantined=runs.get("quarantined"),
        flood=runs.get("flood"),
        unscanned=runs.get("unscanned"),
        conflict=runs.get("conflict"),
        faults=faults,
        crowded_since=state.crowded_since if state else None,
        waiting=state.waiting if state else None,
        repeated=runs.get("repeated"),
        hot=runs.get("hot"),
        unused=runs.get("unused"),
        spoke_at=spoke.last if spoke else None,
        passages=walked.passages,
        without_scan=walked.unscanned,
        without_scan_since=walked.since,
        behind_since=_behind_since(row, *wanted),
        behind_why=row["policy_problem"] or "",
    )


def _behind_since(row: dict[str, Any], version: int, changed_at: str | None) -> datetime | None:
    """Return since when a gate could hold the policy and does not."""
    told = row["registered_at"] is not None and row["online"] == 1
    if not told or not version or row["policy_version"] == version:
        return None
    return max(datetime.fromisoformat(each) for each in (row["online_since"], changed_at, row["registered_at"]) if each)


def _state(state: str | None) -> State | None:
    try:
        return decode(State, state.encode()) if state else None
    except MessageError:
        return None


def _faults(health: str | None) -> tuple[OpenFault, ...]:
    try:
        return decode(Health, health.encode()).faults if health else ()
    except MessageError:
        return ()
