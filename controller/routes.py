"""Which alerts go to whom, when, and in which words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from controller import telling
from controller.config import Route, Severity
from controller.facts import OURS
from controller.regions import within
from controller.rules import INHIBITED_BY
from device.wire.messages import Alert, Place, Text
from device.wire.plain import harmless
from device.wire.words import Language, say

RANKS: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
LONGEST: Final = 20  # lines in one message; more are counted

SEVERITIES: Final[dict[str, Text]] = {
    "info": Text("提示", "info"),
    "warning": Text("警告", "warning"),
    "critical": Text("紧急", "critical"),
}
OVER: Final = Text("已恢复", "over")
UNKNOWN: Final = Text("不详，设备离线", "unknown, the gate is offline")
SUMMARY: Final = Text("门神：{raised} 条告警，{over} 条恢复", "menshen: {raised} alerts, {over} over")
MORE: Final = Text("另有 {count} 条", "and {count} more")
SINCE: Final = Text("始于 {at}", "since {at}")


class Key(NamedTuple):
    """One alert, as a route was told of it."""

    place: str
    kind: str


class News(NamedTuple):
    """What a route has not been told yet."""

    key: Key
    severity: str
    alert: Alert | None  # None: it is over
    unknown: bool = False  # over only as far as nobody can tell


def key_of(alert: Alert) -> Key:
    """Return what names an alert."""
    return Key(f"{alert.site}/{alert.entrance}", alert.kind)


def wants(route: Route, alert: Alert, at: datetime, zone: ZoneInfo, region: str = "") -> bool:
    """Tell whether a route is for this alert, at this time; `region` is where its site lies, empty: in none."""
    here = _covers(route, alert, region) or alert.site == OURS
    kind = not route.kinds or alert.kind in route.kinds or alert.site == OURS
    grave = RANKS.index(alert.severity) >= RANKS.index(route.severity)
    silenced = alert.silenced_until is not None and at < alert.silenced_until
    return here and kind and grave and not silenced and open_at(route, at.astimezone(zone).time())


def _covers(route: Route, alert: Alert, region: str) -> bool:
    """Tell whether it is about one of the route's places or regions; a route without either is for all."""
    if not (route.places or route.regions):
        return True
    about = (alert.site, f"{alert.site}/{alert.entrance}")
    return any(place in route.places for place in about) or any(within(region, each) for each in route.regions)


def open_at(route: Route, now: time) -> bool:
    """Tell whether it is within the hours of a route, which may go past midnight."""
    begin, end = time.fromisoformat(route.from_), time.fromisoformat(route.to)
    if begin == end:
        return True
    return begin <= now < end if begin < end else now >= begin or now < end


def news(
    route: Route, told: Mapping[Key, str], alerts: Collection[Alert], at: datetime, zone: ZoneInfo, *,
    lies: Mapping[str, str] = {},
) -> list[News]:  # fmt: skip
    """Return what to tell: alerts not told of or graver now, the gravest first, then what is over.

    `lies` says in which region each site lies.
    """
    still = {key_of(alert): alert for alert in alerts}
    raised = [
        News(key, alert.severity, alert)
        for key, alert in still.items()
        if wants(route, alert, at, zone, lies.get(alert.site, ""))
        and RANKS.index(alert.severity) > _rank(told.get(key))
    ]
    raised.sort(key=lambda each: -_rank(each.severity))
    over = [
        News(
            key, severity, None, unknown=any(Key(key.place, other) in still for other in INHIBITED_BY.get(key.kind, ()))
        )
        for key, severity in told.items()
        if key not in still
    ]
    return raised + over


def _rank(severity: str | None) -> int:
    return RANKS.index(severity) if severity in RANKS else -1


def message(route: Route, told: News, titles: Mapping[str, Text], zone: ZoneInfo) -> tuple[str, str]:
    """Return title and text about one alert."""
    line = _line(told, titles, route.language)
    if told.alert is None:
        return line, line
    since = say(SINCE, route.language).format(at=told.alert.since.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"))
    return line, harmless(f"{telling.about(told.alert, route.language)}", 1000) + f"\n{since}"


def digest(route: Route, told: list[News], titles: Mapping[str, Text]) -> tuple[str, str]:
    """Return title and text about many at once."""
    raised = sum(each.alert is not None for each in told)
    title = say(SUMMARY, route.language).format(raised=raised, over=len(told) - raised)
    lines = [_line(each, titles, route.language) for each in told[:LONGEST]]
    if len(told) > LONGEST:
        lines.append(say(MORE, route.language).format(count=len(told) - LONGEST))
    return title, "\n".join(lines)


def _line(told: News, titles: Mapping[str, Text], tongue: Language) -> str:
    head = UNKNOWN if told.unknown else SEVERITIES[told.severity] if told.alert else OVER
    title = say(titles.get(told.key.place, Text("", "")), tongue)
    where = " ".join(part for part in (title, told.key.place) if part)
    return harmless(f"[{say(head, tongue)}] {where}: {telling.named(telling.ALERTS, told.key.kind, tongue)}", 300)


def titles(rows: Iterable[Mapping[str, str]]) -> dict[str, Text]:
    """Return the names of entrances, in both languages where there is only one."""
    return {
        str(Place(row["site"], row["entrance"])): Text(
            row["title_zh"] or row["title_en"], row["title_en"] or row["title_zh"]
        )
        for row in rows
    }
