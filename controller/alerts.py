"""One open alert per entrance and kind: what is open, compared with what the rules find now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal, NamedTuple

from controller.facts import Finding
from device.wire.messages import Alert

Key = tuple[int, str]  # an entrance's id in the store, and a kind
Resolution = Literal["over", "unknown"]

# While the second is open nobody can tell about the first: it ends as unknown, which is not the same as over.
INHIBITED_BY: Final[dict[str, str]] = {"unstaffed_entrance": "gate_offline", "clock_unsure": "gate_offline"}
SAME_MOMENT: Final = timedelta(seconds=2)  # a gate reckons `since` anew from its clocks each time it says it


class Changes(NamedTuple):
    """What must happen so that exactly the findings are open."""

    raised: dict[Key, Finding]
    changed: dict[Key, Finding]
    resolved: dict[Key, Resolution]


def compare(open_alerts: Mapping[Key, Alert], found: Mapping[Key, Finding]) -> Changes:
    """Return what was raised, changed and resolved between the alerts open so far and what is found now."""
    return Changes(
        raised={key: finding for key, finding in found.items() if key not in open_alerts},
        changed={
            key: finding
            for key, finding in found.items()
            if key in open_alerts and not says_the_same(open_alerts[key], finding)
        },
        resolved={key: _resolution(key, found) for key in open_alerts if key not in found},
    )


def says_the_same(alert: Alert, finding: Finding) -> bool:
    """Tell whether people would read nothing new."""
    return (
        abs(alert.since - finding.since) < SAME_MOMENT
        and (alert.severity, alert.count) == (finding.severity, finding.count)
        and (alert.what, alert.next_step) == (finding.what, finding.next_step)
    )


def _resolution(key: Key, found: Mapping[Key, Finding]) -> Resolution:
    entrance, kind = key
    return "unknown" if (entrance, INHIBITED_BY.get(kind, "")) in found else "over"
