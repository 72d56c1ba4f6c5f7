"""The command `menshen rules try`: what the rules would have raised in a time that is over, had they been others.

The facts are rebuilt from the events that are kept, so only what events alone decide can be told.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import click
import msgspec

from controller import telling
from controller.config import Config, RulesSection, configured
from controller.courses import counts, unscanned
from controller.facts import RATE_WINDOW, Facts, Finding
from controller.intake import happened
from controller.rules import findings
from controller.rules.course import Course, Tries
from controller.store import Store
from controller.tables import Form, formed, reading, show, since
from device.wire.messages import EVENTS, AnyEvent, Duty, Fault, OpenFault, Passage, Place, Scan, Staffing, Text, decode
from device.wire.words import say

STEP: Final = timedelta(minutes=1)  # between looks at what time alone brings about
# Of all others it takes to know what was never an event: who was connected, what was retained, what the broker refused.
REPLAYED: Final = (
    "abnormal_code", "repeated_abnormal", "temperature_high", "low_scan_rate", "granted_not_passed",
    "unscanned_passage", "held_open",
    "unstaffed_entrance", "gate_fault", "stale_trust", "fire", "tamper", "poster_unreadable", "poster_foreign",
)  # fmt: skip
HEADS: Final[dict[str, Text]] = {
    "raised": Text("出现", "raised"),
    "until": Text("结束", "until"),
    "entrance": Text("入口", "entrance"),
    "kind": Text("种类", "kind"),
    "severity": Text("级别", "severity"),
    "count": Text("次数", "count"),
    "what": Text("事项", "what"),
}
STILL: Final = Text("仍未解除", "still open")
SUMMARY: Final = Text(
    "重放 {events} 个事件，将产生 {alerts} 条告警。仅凭事件无法重放：{others}",
    "{events} events replayed, {alerts} alerts raised. Events alone do not tell: {others}",
)


class Past(NamedTuple):
    """An event as it was kept."""

    place: Place
    event: AnyEvent
    received: datetime
    at: datetime  # when it happened


@dataclass
class Would:
    """An alert that would have been."""

    place: Place
    kind: str
    raised: datetime
    last: Finding
    until: datetime | None = None


@dataclass
class Entrance:
    """What is known of one, by its events."""

    place: Place
    course: Course
    begun: datetime
    staffing: Staffing | None = None
    staffing_since: datetime | None = None
    faults: dict[str, OpenFault] = field(default_factory=dict)
    walks: deque[tuple[datetime, bool]] = field(default_factory=deque)

    def take(self, past: Past) -> None:
        """Learn from an event."""
        self.course.take(past.event, past.at, past.received)
        match past.event:
            case Passage() as passage if counts(passage, past.at, past.received):
                self.walks.append((past.at, bool(unscanned(passage))))
            case Duty(event_type="unstaffed"):
                self.staffing, self.staffing_since = "unstaffed", past.at - (past.event.at - past.event.since)
            case Duty():
                self.staffing, self.staffing_since = "staffed", past.at
            case Fault(event_type="raised", fault=name):
                self.faults[name] = OpenFault(name, past.at, past.event.detail)
            case Fault(fault=name):
                self.faults.pop(name, None)
            case _:
                pass

    def facts(self, now: datetime) -> Facts:
        """Return what its rules would have looked at."""
        while self.walks and now - self.walks[0][0] >= RATE_WINDOW:
            self.walks.popleft()
        runs, without = self.course.runs, [at for at, alone in self.walks if alone]
        return Facts(
            place=self.place, now=now, registered_at=self.begun, heard_at=self.begun, online=True,
            online_since=self.begun, staffing=self.staffing, staffing_since=self.staffing_since,
            abnormal=runs.get("abnormal"), repeated=runs.get("repeated"), hot=runs.get("hot"),
            unused=runs.get("unused"), unscanned=runs.get("unscanned"),
            faults=tuple(self.faults.values()), stale=self.faults.get("stale_trust"),
            passages=len(self.walks), without_scan=len(without), without_scan_since=min(without, default=None),
        )  # fmt: skip


def replay(history: Iterable[Past], rules: RulesSection, begun: datetime, ended: datetime) -> list[Would]:
    """Return the alerts that these rules would have raised, in order. Pure: the last look is at `ended`."""
    tries, entrances = Tries(), dict[Place, Entrance]()
    would: list[Would] = []
    now_open: dict[tuple[Place, str], Would] = {}

    def look(entrance: Entrance, now: datetime) -> None:
        found = findings(entrance.facts(now), rules)
        for kind in REPLAYED:
            key, finding = (entrance.place, kind), found.get(kind)
            if finding and key not in now_open:
                now_open[key] = Would(entrance.place, kind, now, finding)
                would.append(now_open[key])
            elif finding:
                now_open[key].last = finding
            elif key in now_open:
                now_open.pop(key).until = now

    for now, past in heapq.merge(_moments(history), _steps(begun, ended), key=lambda each: each[0]):
        if past is None:
            for entrance in entrances.values():
                look(entrance, now)
            continue
        if past.place not in entrances:
            course = Course(past.place.site, {}, rules, tries)
            entrances[past.place] = Entrance(past.place, course, begun)
        entrances[past.place].take(past)
        look(entrances[past.place], now)
    return would


def _moments(history: Iterable[Past]) -> Iterator[tuple[datetime, Past | None]]:
    return ((past.received, past) for past in history)


def _steps(begun: datetime, ended: datetime) -> Iterator[tuple[datetime, Past | None]]:
    now = begun + STEP
    while now < ended:
        yield now, None
        now += STEP
    yield ended, None


def kept(store: Store, begun: datetime) -> Iterator[Past]:
    """Return the events received since then, in the order in which they came."""
    for site, name, entrance, kind, payload, at in store.past(begun):
        event, received = decode(EVENTS[kind], payload.encode()), datetime.fromisoformat(at)
        if isinstance(event, Scan) and not event.code.strip("*"):
            event = msgspec.structs.replace(event, code="")  # forgotten: no longer the same as any other
        began = store.began(entrance, event.boot) if event.clock == "unset" else None
        yield Past(Place(site, name), event, received, happened(event, received, began))


@click.group()
def rules() -> None:
    """Try rules out before they are in force. 试用规则"""


@rules.command("try")
@configured
@click.option(
    "--since", callback=since, default="1d", show_default=True, help="90s, 30m, 1h, 2d, or a moment. 起始时间"
)
@formed
def try_(*, config: Config, since: str, form: Form) -> None:
    """Replay stored events through the rules of --config; say what would have been raised. 用存储的事件重放规则

    Nothing is written. What began before the time asked for is not known: begin earlier.
    """
    begun = datetime.fromisoformat(since)
    with reading(config) as store:
        history = list(kept(store, begun))
    ended = max([begun, *(past.received for past in history)]) + STEP
    would = replay(history, config.rules, begun, ended)
    show(form, HEADS, [_row(each) for each in would], [_cells(each, form) for each in would])
    if not (form.as_json or form.as_csv):
        others = ", ".join(kind for kind in telling.ALERTS if kind not in REPLAYED)
        click.echo(say(SUMMARY, form.tongue).format(events=len(history), alerts=len(would), others=others))


def _row(would: Would) -> dict[str, Any]:
    return {
        "site": would.place.site, "entrance": would.place.entrance, "kind": would.kind,
        "raised": would.raised.isoformat(), "until": would.until and would.until.isoformat(),
        "severity": would.last.severity, "since": would.last.since.isoformat(), "count": would.last.count,
        "what_zh": would.last.what.zh, "what_en": would.last.what.en,
    }  # fmt: skip


def _cells(would: Would, form: Form) -> list[str]:
    return [
        telling.clock(would.raised),
        telling.clock(would.until) if would.until else say(STILL, form.tongue),
        str(would.place),
        telling.named(telling.ALERTS, would.kind, form.tongue),
        would.last.severity,
        str(would.last.count),
        say(would.last.what, form.tongue),
    ]
