"""What happened, for pages: a page of events, one entrance's day, past alerts. Each question looks at a bounded part.

A page looks back through so many events at most and says where the next one goes on, so that a filter that matches
nothing costs no more than one that matches everything.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta, Struct

from controller.database import stamp
from controller.regions import way, within
from controller.rights import Person
from controller.store import Store
from device.wire.messages import Kind, Place

LOOK_BACK: Final = 50_000  # events one page looks at
PAGE: Final = 50
LARGEST: Final = 2**62  # beyond any rowid
NOWHERE: Final = -1  # no entrance's id
BUCKETS: Final = 96  # quarters of an hour in a day
QUARTER_S: Final = 900
REGION: Final = "a region with all below it, such as zhejiang/hangzhou"


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events: all that is given must be true together."""

    entrance: Annotated[str, Meta(description="SITE/ENTRANCE")] = ""
    region: Annotated[str, Meta(description=REGION)] = ""
    kind: Annotated[Kind | str, Meta(description="scan, passage, duty, fault or command")] = ""
    type: Annotated[str, Meta(description="the outcome, such as refuse or forced")] = ""
    text: Annotated[str, Meta(max_length=200, description="somewhere in the event, letter by letter")] = ""
    before: Annotated[int, Meta(ge=0, le=LARGEST, description="from the answer before: where the next page starts")] = 0


class Found(NamedTuple):
    """One page of events, newest first; `older` is where the next begins, 0 at the end."""

    rows: list[dict[str, Any]]
    older: int


class Day(Struct, frozen=True, kw_only=True):
    """One entrance, from one midnight to the next, a value each quarter of an hour."""

    begins: datetime
    times: list[int]  # seconds since 1970
    grants: list[int]
    referrals: list[int]
    refusals: list[int]
    unscanned: list[int]  # forced and tailgated
    celsius: list[float | None]  # the mean of what was measured
    hottest: list[float | None]
    staffed: list[int | None]  # 1, 0; None: nobody can tell


def reach(store: Store, person: Person, region: str = "") -> list[int] | None:
    """Return the ids of the entrances somebody may see, in a region or everywhere; None: every one."""
    if not (person.reach or region):
        return None
    return [number for number, where in _seen(store, person) if not region or within(where, region)]


def regions(store: Store, person: Person) -> list[str]:
    """Return the regions in which somebody sees an entrance, and those that these are in."""
    return sorted({each for _, where in _seen(store, person) for each in way(where)})


def _seen(store: Store, person: Person) -> Iterator[tuple[int, str]]:
    """Return the id and the region of each entrance that somebody may see."""
    rows = store.db.execute("SELECT id, site, name, coalesce(region, '') FROM entrances LEFT JOIN sites USING (site)")
    return ((number, where) for number, site, name, where in rows if person.reaches(Place(site, name), where))


def events(store: Store, wanted: Wanted, person: Person, *, limit: int = PAGE) -> Found:
    """Return a page of events within somebody's reach."""
    newest = store.db.execute("SELECT max(rowid) FROM events").fetchone()[0] or 0
    top = min(wanted.before or LARGEST, newest + 1)
    only: Collection[int] | None = reach(store, person, wanted.region)
    one = _id(store, wanted.entrance) if wanted.entrance else None
    if one is not None and only is not None and one not in only:
        one = NOWHERE
    alone = one is not None and not (wanted.kind or wanted.type or wanted.text)  # its index leads straight to them
    bottom = 0 if alone else max(0, top - LOOK_BACK)
    where = {
        "e.entrance_id = :one": one,
        "+e.entrance_id IN (SELECT value FROM json_each(:only))": None if only is None else json.dumps(list(only)),
        "+e.kind = :kind": wanted.kind or None,
        "e.event_type = :type": wanted.type or None,
        "instr(e.payload, :text)": json.dumps(wanted.text, ensure_ascii=False)[1:-1] if wanted.text else None,
    }
    words = [clause for clause, value in where.items() if value is not None]
    values = dict(zip(("one", "only", "kind", "type", "text"), where.values(), strict=True))
    sql = EVENTS.format(where="".join(f" AND {word}" for word in words))
    rows = list(store.db.query(sql, {**values, "top": top, "bottom": bottom, "limit": limit}))
    for row in rows:
        row["payload"] = json.loads(row["payload"])
    if len(rows) == limit:
        return Found(rows, rows[-1]["arrival"])
    return Found(rows, max(0, bottom))


EVENTS: Final = """
SELECT e.rowid AS arrival, n.site, n.name AS entrance, e.kind, e.event_type,
    CASE WHEN b.began IS NULL THEN e.at ELSE strftime('%Y-%m-%dT%H:%M:%fZ', b.began + e.mono, 'unixepoch') END AS at,
    CASE WHEN b.began IS NULL THEN e.clock ELSE 'mended' END AS clock, e.received_at, e.payload
FROM events e CROSS JOIN entrances n ON n.id = e.entrance_id
LEFT JOIN boots b ON e.clock = 'unset' AND b.entrance_id = e.entrance_id AND b.boot = e.boot
WHERE e.rowid < :top AND e.rowid >= :bottom{where} ORDER BY e.rowid DESC LIMIT :limit
"""


def _id(store: Store, place: str) -> int:
    site, _, name = place.partition("/")
    row = store.db.execute("SELECT id FROM entrances WHERE site = ? AND name = ?", (site, name)).fetchone()
    return int(row[0]) if row else NOWHERE


def day(store: Store, place: Place, begins: datetime, until: datetime) -> Day:
    """Return what an entrance's day was like so far."""
    first = int(begins.timestamp())
    days = Day(
        begins=begins,
        times=[first + number * QUARTER_S for number in range(BUCKETS)],
        grants=[0] * BUCKETS,
        referrals=[0] * BUCKETS,
        refusals=[0] * BUCKETS,
        unscanned=[0] * BUCKETS,
        celsius=[None] * BUCKETS,
        hottest=[None] * BUCKETS,
        staffed=[None] * BUCKETS,
    )
    who = _id(store, str(place))
    row = store.db.execute(
        "SELECT rowid FROM events WHERE received_at >= ? ORDER BY received_at LIMIT 1", (stamp(begins),)
    ).fetchone()
    start = int(row[0]) if row else LARGEST
    given = {"who": who, "start": start, "begins": first, "at": stamp(begins)}
    for row in store.db.query(QUARTERS, given):
        if 0 <= (at := row["quarter"]) < BUCKETS:
            for name in ("grants", "referrals", "refusals", "unscanned"):
                getattr(days, name)[at] = row[name]
            days.celsius[at] = row["celsius"] and round(row["celsius"], 1)
            days.hottest[at] = row["hottest"]
    for number, staffed in _staffing(store, who, start, first, until):
        days.staffed[number] = staffed
    return days


QUARTERS: Final = f"""
SELECT (strftime('%s', at) - :begins) / {QUARTER_S} AS quarter,
    sum(event_type = 'grant') AS grants, sum(event_type = 'refer') AS referrals, sum(event_type = 'refuse') AS refusals,
    sum(event_type IN ('forced', 'tailgated')) AS unscanned,
    avg(json_extract(payload, '$.celsius')) AS celsius, max(json_extract(payload, '$.celsius')) AS hottest
FROM events INDEXED BY events_of_entrance
WHERE entrance_id = :who AND rowid >= :start AND kind IN ('scan', 'passage') AND at >= :at GROUP BY quarter
"""  # noqa: S608 a number of our own


def _staffing(store: Store, who: int, start: int, first: int, until: datetime) -> Iterator[tuple[int, int | None]]:
    """Follow who was on duty through the day's quarters, from what was so before it began."""
    duties = "SELECT strftime('%s', at) - :first, json_array_length(payload, '$.on_duty') > 0 FROM events INDEXED BY"
    before = store.db.execute(
        f"{duties} events_of_entrance WHERE entrance_id = :who AND rowid < :start AND rowid >= :start - {LOOK_BACK}"
        " AND kind = 'duty' ORDER BY rowid DESC LIMIT 1",
        {"who": who, "start": start, "first": first},
    ).fetchone()
    changes = store.db.execute(
        f"{duties} events_of_entrance WHERE entrance_id = :who AND rowid >= :start AND kind = 'duty' ORDER BY rowid",
        {"who": who, "start": start, "first": first},
    ).fetchall()
    now = before[1] if before else None
    for number in range(min(BUCKETS, int(until.timestamp() - first) // QUARTER_S + 1)):
        ends = (number + 1) * QUARTER_S
        while changes and changes[0][0] < ends:
            now = changes.pop(0)[1]
        yield number, now


def midnight(at: datetime) -> datetime:
    """Return when this machine's day began."""
    return at.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def day_of(text: str, at: datetime) -> datetime:
    """Read YYYY-MM-DD as when that day begins here; anything else is today."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").astimezone()
    except (ValueError, OverflowError):
        return midnight(at)


def next_day(begins: datetime, days: int) -> str:
    """Return the date so many days on."""
    return (begins + timedelta(days=days, hours=1)).strftime("%Y-%m-%d")


class WantedAlerts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts: all that is given must be true together."""

    entrance: Annotated[str, Meta(description="SITE/ENTRANCE")] = ""
    region: Annotated[str, Meta(description=REGION)] = ""
    kind: Annotated[str, Meta(description="such as gate_offline")] = ""
    state: Annotated[str, Meta(description="open, waiting (open, and nobody has taken it on) or resolved")] = ""
    before: Annotated[int, Meta(ge=0, le=LARGEST, description="from the answer before: where the next page starts")] = 0


def alerts(store: Store, wanted: WantedAlerts, person: Person, *, limit: int = PAGE) -> Found:
    """Return a page of alerts within somebody's reach, the newest first."""
    only = reach(store, person, wanted.region)
    if wanted.entrance:
        asked = _id(store, wanted.entrance)
        only = [asked] if only is None or asked in only else []
    where = {
        "+a.entrance_id IN (SELECT value FROM json_each(:only))": None if only is None else json.dumps(only),
        "+a.kind = :kind": wanted.kind or None,
        "iif(+a.state = 'open' AND a.acknowledged_at IS NULL AND :state = 'waiting', 'waiting', a.state) = :state": (
            wanted.state or None
        ),
    }
    words = "".join(f" AND {clause}" for clause, value in where.items() if value is not None)
    values = dict(zip(("only", "kind", "state"), where.values(), strict=True))
    top = wanted.before or LARGEST
    rows = list(store.db.query(ALERTS.format(where=words), {**values, "top": top, "limit": limit}))
    return Found(rows, rows[-1]["id"] if len(rows) == limit else 0)


def place_of_alert(store: Store, number: int) -> Place | None:
    """Return which entrance an alert is about."""
    row = store.db.execute(
        "SELECT n.site, n.name FROM alerts a JOIN entrances n ON n.id = a.entrance_id WHERE a.id = ?", (number,)
    ).fetchone()
    return Place(*row) if row else None


ALERTS: Final = """
SELECT a.*, n.site, n.name AS entrance FROM alerts a CROSS JOIN entrances n ON n.id = a.entrance_id
WHERE a.id < :top{where} ORDER BY a.id DESC LIMIT :limit
"""
