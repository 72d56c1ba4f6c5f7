"""Out to people: the open alerts as retained MQTT, one document for each entrance and kind."""

from __future__ import annotations

import logging
from typing import Protocol

from device.wire.messages import Alert, Place, encode

log = logging.getLogger(__name__)


class Say(Protocol):
    """What the controller needs of a link."""

    def __call__(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message over; False when there is no connection."""


def tell(say: Say, alert: Alert) -> None:
    """Say that an alert is open, and what it is about now."""
    say(topic(Place(alert.site, alert.entrance), alert.kind), encode(alert), qos=1, retain=True)


def take_back(say: Say, place: Place, kind: str) -> None:
    """Say that an alert is no longer open."""
    say(topic(place, kind), b"", qos=1, retain=True)


def topic(place: Place, kind: str) -> str:
    """Return where an alert is said."""
    return place.topic(f"alert/{kind}")
