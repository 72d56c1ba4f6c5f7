"""How every entrance stands now, the worst first: what the board, the API and the terminal show alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from msgspec import Struct

from controller.database import stamp
from controller.facts import OURS
from controller.regions import way, within
from controller.rights import Person
from controller.store import Store
from device.wire.messages import Alert, Health, Info, MessageError, OpenFault, Place, State, Text, decode

Rank = Literal["critical", "warning", "info", "fine"]
Sensor = Literal["works", "broken", "none", "unknown"]
RANKS: Final[tuple[Rank, ...]] = ("critical", "warning", "info", "fine")
RATE_MINUTES: Final = 5  # over which scans a minute are counted
BACK: Final = 200_000  # of the newest events of all, among which an entrance's last scan is looked for


class Entrance(Struct, frozen=True, kw_only=True):
    """One entrance. What an offline gate said last is no longer known to be true: its staffing is unknown."""

    site: str
    entrance: str
    region: str  # where its site lies; empty: in none
    title: Text
    rank: Rank
    registered: bool
    online: bool | None  # None: never said
    online_since: datetime | None
    staffing: str  # as the gate says, or unknown
    staffing_since: datetime | None
    on_duty: tuple[str, ...]
    last_scan: datetime | None
    last_outcome: str
    scans_per_minute: float
    grants: int | None
    refusals: int | None
    passages: int | None
    unscanned: int | None
    waiting: int | None  # people; None: nobody can tell
    spool_depth: int | None
    clock: str
    thermometer: Sensor
    faults: tuple[OpenFault, ...]
    version: str
    parts: dict[str, str]
    policy_version: int | None
    policy_problem: str
    alerts: tuple[Alert, ...]

    @property
    def place(self) -> Place:
        """Return which entrance this is."""
        return Place(self.site, self.entrance)


class Region(Struct, frozen=True, kw_only=True):
    """A region in which somebody sees entrances, those below it counted as well."""

    region: str
    title: Text
    rank: Rank  # of the worst
    entrances: int
    count: dict[Rank, int]


def entrances(
    store: Store, at: datetime, person: Person, only: Place | None = None, region: str = ""
) -> list[Entrance]:
    """Return the entrances within somebody's reach, those of a region, or one of them, the worst first."""
    since = stamp(at - timedelta(minutes=RATE_MINUTES))
    counts: dict[int, int] = dict(store.db.execute(RATES, {"since": since}).fetchall())
    alerts: dict[Place, list[Alert]] = {}
    for alert in store.open_alerts().values():
        alerts.setdefault(Place(alert.site, alert.entrance), []).append(alert)
    found = []
    asked = {"back": BACK, "ours": OURS, "site": only and only.site, "name": only and only.entrance}
    for row in store.db.query(ROWS, asked):
        place = Place(row["site"], row["name"])
        if person.reaches(place, row["region"]) and (not region or within(row["region"], region)):
            rate = counts.get(row["id"], 0) / RATE_MINUTES
            found.append(_entrance(row, rate, alerts.get(place, [])))
    return sorted(found, key=_worst_first)


def regions(found: Iterable[Entrance], titles: Mapping[str, Text]) -> list[Region]:
    """Return how the regions of these entrances stand, and those that they are in, the worst first."""
    ranks: dict[str, Counter[Rank]] = {}
    for each in found:
        for region in way(each.region):
            ranks.setdefault(region, Counter())[each.rank] += 1
    standing = [
        Region(
            region=region,
            title=titles[region],
            rank=min(count, key=RANKS.index),
            entrances=count.total(),
            count={rank: count[rank] for rank in RANKS},
        )
        for region, count in ranks.items()
    ]
    return sorted(standing, key=lambda each: (*(-each.count[rank] for rank in RANKS[:-1]), each.region))


ROWS: Final = """
SELECT n.*, coalesce(s.region, '') AS region, (
    SELECT at || ' ' || event_type FROM events
    WHERE entrance_id = n.id AND rowid > (SELECT max(rowid) FROM events) - :back AND +kind = 'scan'
    ORDER BY rowid DESC LIMIT 1
) AS last_scan
FROM entrances n LEFT JOIN sites s USING (site)
WHERE (registered_at IS NOT NULL OR heard_at IS NOT NULL OR (
    n.site = :ours AND EXISTS (SELECT 1 FROM alerts WHERE entrance_id = n.id AND state = 'open')
)) AND (:site IS NULL OR (n.site = :site AND name = :name))
"""
RATES: Final = (
    "SELECT entrance_id, count(*) FROM events INDEXED BY events_received"
    " WHERE received_at >= :since AND kind = 'scan' GROUP BY entrance_id"
)


def _entrance(row: dict[str, Any], rate: float, alerts: list[Alert]) -> Entrance:
    state, health, info = (_read(kind, row[name]) for kind, name in KINDS)
    faults = health.faults if isinstance(health, Health) else ()
    known = state if isinstance(state, State) and row["online"] else None
    last, _, outcome = (row["last_scan"] or "").partition(" ")
    return Entrance(
        site=row["site"],
        entrance=row["name"],
        region=row["region"],
        title=Text(row["title_zh"] or row["title_en"], row["title_en"] or row["title_zh"]),
        rank=_rank(alerts, well=known is not None and known.staffing != "unstaffed" and not faults),
        registered=row["registered_at"] is not None,
        online=None if row["online"] is None else bool(row["online"]),
        online_since=_moment(row["online_since"]),
        staffing=known.staffing if known else "unknown",
        staffing_since=known.staffing_since if known else None,
        on_duty=known.on_duty if known else (),
        last_scan=_moment(last or None),
        last_outcome=outcome,
        scans_per_minute=round(rate, 1),
        grants=known.grants if known else None,
        refusals=known.refusals if known else None,
        passages=known.passages if known else None,
        unscanned=known.unscanned if known else None,
        waiting=known.waiting if known else None,
        spool_depth=known.spool_depth if known else None,
        clock=known.clock if known else "unknown",
        thermometer=_sensor(info, faults) if known else "unknown",
        faults=faults,
        version=info.version if isinstance(info, Info) else "",
        parts=info.parts if isinstance(info, Info) else {},
        policy_version=row["policy_version"],
        policy_problem=row["policy_problem"] or "",
        alerts=tuple(sorted(alerts, key=lambda alert: (RANKS.index(alert.severity), alert.since))),
    )


KINDS: Final = ((State, "state"), (Health, "health"), (Info, "info"))


def _read(kind: type[State | Health | Info], document: str | None) -> State | Health | Info | None:
    try:
        return decode(kind, document.encode()) if document else None
    except MessageError:
        return None


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _rank(alerts: list[Alert], *, well: bool) -> Rank:
    """The worst alert's; what is not well and has raised none, yet or ever, is worth a look all the same."""
    return min((alert.severity for alert in alerts), key=RANKS.index, default="fine" if well else "info")


def _sensor(info: object, faults: tuple[OpenFault, ...]) -> Sensor:
    if any(fault.fault.startswith("thermometer_") for fault in faults):
        return "broken"
    if not isinstance(info, Info):
        return "unknown"
    return "none" if info.parts.get("thermometer", "none") in ("none", "off", "") else "works"


def _worst_first(each: Entrance) -> tuple[object, ...]:
    """Severity, then how much is wrong, then whose trouble is older; the fine ones by name."""
    oldest = min((alert.since.timestamp() for alert in each.alerts), default=0.0)
    return (RANKS.index(each.rank), -len(each.alerts), oldest, each.site, each.entrance)
