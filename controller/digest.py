"""How a site stands, in one small document: for a lamp or a wall that wants no more than that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Literal

from controller.alerts import RANKS
from device.wire.messages import ROOT, Alert, Message

WORD: Final = "alerts"


class Digest(Message, frozen=True, kw_only=True):
    """Retained on menshen/<site>/alerts: how many alerts are open at a site, and how grave the worst of them is.

    `worst` is of those that are not silenced.
    """

    worst: Literal["none", "info", "warning", "critical"]
    open: int
    unacknowledged: int  # of these
    escalated: int
    silenced: int


def digests(alerts: Iterable[Alert], sites: Collection[str]) -> dict[str, Digest]:
    """Return how each of these sites stands, and any other that has an alert."""
    at: dict[str, list[Alert]] = {site: [] for site in sites}
    for alert in alerts:
        at.setdefault(alert.site, []).append(alert)
    return {site: _digest(found) for site, found in at.items()}


def _digest(alerts: list[Alert]) -> Digest:
    loud = [alert.severity for alert in alerts if alert.silenced_until is None]
    return Digest(
        worst=max(loud, key=RANKS.index, default="none"),
        open=len(alerts),
        unacknowledged=sum(alert.state != "acknowledged" for alert in alerts),
        escalated=sum(alert.state == "escalated" for alert in alerts),
        silenced=len(alerts) - len(loud),
    )


def topic(site: str) -> str:
    """Return where it is said."""
    return f"{ROOT}/{site}/{WORD}"


def is_digest(heard: str) -> bool:
    """Tell whether a topic is a site's, and so no entrance's."""
    return heard.count("/") == 2 and heard.startswith(f"{ROOT}/") and heard.endswith(f"/{WORD}")  # noqa: PLR2004
