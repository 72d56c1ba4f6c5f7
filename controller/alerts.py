"""One open alert per entrance and kind: what is open, compared with what the rules find now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from controller.config import AlertsSection
from controller.facts import Finding
from controller.regions import within
from controller.rules import INHIBITED_BY
from device.wire.messages import Alert

Key = tuple[int, str]  # an entrance's id in the store, and a kind
Resolution = Literal["over", "unknown", "by_hand"]

SAME_MOMENT: Final = timedelta(seconds=2)  # a gate reckons `since` anew from its clocks each time it says it
RANKS: Final = ("info", "warning", "critical")


class Dismissed(NamedTuple):
    """What somebody resolved by hand although it was still true."""

    at: datetime
    since: datetime
    severity: str
    times: int

    def covers(self, found: Finding, at: datetime, again_s: float) -> bool:
        """Tell whether this is what was meant: not begun anew, no more of it, no worse, and not long ago."""
        return (
            abs(self.since - found.since) < SAME_MOMENT
            and found.count <= self.times
            and not worse(self.severity, found.severity)
            and self.at <= at < self.at + timedelta(seconds=again_s)
        )


class Silence(NamedTuple):
    """Until then nobody wants to be called about these; an empty name stands for any."""

    id: int
    kind: str
    site: str
    entrance: str
    until: datetime
    region: str = ""

    def covers(self, kind: str, site: str, entrance: str, region: str = "") -> bool:
        """Tell whether it is about such an alert; `region` is where its site lies."""
        if self.region and not within(region, self.region):
            return False
        pairs = ((self.kind, kind), (self.site, site), (self.entrance, entrance))
        return all(asked in ("", name) for asked, name in pairs)


class Changes(NamedTuple):
    """What must happen so that exactly the findings are open."""

    raised: dict[Key, Finding]
    changed: dict[Key, Finding]
    resolved: dict[Key, Resolution]


def compare(
    open_alerts: Mapping[Key, Alert], found: Mapping[Key, Finding], quiet: Collection[Key] = frozenset()
) -> Changes:
    """Return what was raised, changed and resolved between the alerts open so far and what is found now.

    What is `quiet` was resolved by hand, and is not raised again.
    """
    return Changes(
        raised={key: finding for key, finding in found.items() if key not in open_alerts and key not in quiet},
        changed={
            key: finding
            for key, finding in found.items()
            if key in open_alerts and not says_the_same(open_alerts[key], finding)
        },
        resolved={key: _resolution(key, found) for key in open_alerts if key not in found},
    )


def quiet(
    dismissed: Mapping[Key, Dismissed], found: Mapping[Key, Finding], at: datetime, again_s: float
) -> frozenset[Key]:
    """Return which of the dismissals still hold; the others are over."""
    return frozenset(key for key, each in dismissed.items() if key in found and each.covers(found[key], at, again_s))


def overdue(alert: Alert, raised_at: datetime, at: datetime, settings: AlertsSection) -> bool:
    """Tell whether nobody took an alert on in time. Of a silenced one nobody was told, so that nobody is late."""
    patience_s = settings.patience_s(alert.severity)
    return (
        alert.state == "raised"
        and alert.silenced_until is None
        and patience_s > 0
        and at - raised_at >= timedelta(seconds=patience_s)
    )


def worse(before: str, now: str) -> bool:
    """Tell whether an alert's severity has risen."""
    return RANKS.index(now) > RANKS.index(before)


def says_the_same(alert: Alert, finding: Finding) -> bool:
    """Tell whether people would read nothing new."""
    return (
        abs(alert.since - finding.since) < SAME_MOMENT
        and (alert.severity, alert.count) == (finding.severity, finding.count)
        and (alert.what, alert.next_step) == (finding.what, finding.next_step)
    )


def _resolution(key: Key, found: Mapping[Key, Finding]) -> Resolution:
    entrance, kind = key
    return "unknown" if any((entrance, other) in found for other in INHIBITED_BY.get(kind, ())) else "over"
