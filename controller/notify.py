"""Out to people: the open alerts as retained MQTT, one document for each entrance and kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from controller import digest
from controller.digest import Digest
from controller.journal import TOPIC as JOURNAL
from controller.journal import Head
from device.wire.messages import Alert, Place, encode

UPDATES: Final = 20.0  # messages a second about alerts that only count on, of all there are


class Say(Protocol):
    """What the controller needs of a link."""

    def __call__(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message over; False when there is no connection."""


class Crier:
    """Says on MQTT what is open, as far as that is not known there yet. Owned by the desk.

    What an alert's life or severity changes is said at once. One that only counts on is said again after `update_s`,
    and where a storm is over many entrances when it has its turn, the longest unsaid first: a storm of events is a few
    messages, and the last of them has it all.
    """

    def __init__(self, say: Say, update_s: float) -> None:
        self._say = say
        self._update_s = update_s
        self._said: dict[Place, dict[str, tuple[Alert, float]]] = {}
        self._head: Head | None = None
        self._digests: dict[str, Digest] = {}  # by site, as they were said
        self._room = UPDATES
        self._room_at = 0.0  # monotonic seconds

    def forget(self) -> None:
        """Know nothing of what is on the broker: there is a new connection to it."""
        self._said.clear()
        self._digests.clear()
        self._head = None

    def tell(self, alerts: Iterable[Alert], places: Iterable[Place] | None, now_s: float) -> None:
        """Say what is news in all the alerts that are open at these places, or everywhere.

        What was raised is said before what was resolved: an alert may end because another began.
        """
        still: dict[Place, set[str]] = {}
        waiting: list[tuple[float, Alert]] = []
        for alert in alerts:
            place = Place(alert.site, alert.entrance)
            still.setdefault(place, set()).add(alert.kind)
            said = self._said.setdefault(place, {})
            before, said_s = said.get(alert.kind, (None, 0.0))
            if before is None or _life(alert) != _life(before):
                self._tell(alert, now_s)
            elif now_s - said_s >= self._update_s and alert != msgspec.structs.replace(before, updated=alert.updated):
                waiting.append((said_s, alert))
        waiting.sort(key=lambda each: each[0])
        for _, alert in waiting[: self._afford(len(waiting), now_s)]:
            self._tell(alert, now_s)
        for place in list(self._said) if places is None else places:
            for kind in self._said.get(place, {}).keys() - still.get(place, set()):
                self.take_back(place, kind)

    def has_said(self, place: Place, kind: str) -> bool:
        """Tell whether this alert stands as it was said on this connection."""
        return kind in self._said.get(place, {})

    def take_back(self, place: Place, kind: str) -> None:
        """Say that an alert is no longer open."""
        self._said.get(place, {}).pop(kind, None)
        self._say(topic(place, kind), b"", qos=1, retain=True)

    def head(self, head: Head) -> None:
        """Say where the journal ends, so that nobody can cut it shorter unnoticed."""
        if head != self._head:
            self._head = head
            self._say(JOURNAL, encode(head), qos=1, retain=True)

    def sum_up(self, digests: Mapping[str, Digest]) -> None:
        """Say how each site stands, and nothing any more of one that is gone."""
        for site, each in digests.items():
            if self._digests.get(site) != each:
                self._say(digest.topic(site), encode(each), qos=1, retain=True)
        for site in self._digests.keys() - digests.keys():
            self._say(digest.topic(site), b"", qos=1, retain=True)
        self._digests = dict(digests)

    def _tell(self, alert: Alert, now_s: float) -> None:
        place = Place(alert.site, alert.entrance)
        self._said[place][alert.kind] = (alert, now_s)
        self._say(topic(place, alert.kind), encode(alert), qos=1, retain=True)

    def _afford(self, updates: int, now_s: float) -> int:
        """Return how many updates may be said now; without `update_s` all."""
        if not self._update_s:
            return updates
        self._room = min(UPDATES, self._room + UPDATES * (now_s - self._room_at))
        self._room_at = now_s
        afforded = min(updates, int(self._room))
        self._room -= afforded
        return afforded


def _life(alert: Alert) -> tuple[Any, ...]:
    return (
        alert.id, alert.severity, alert.state, alert.acknowledged_by, alert.note, alert.escalated_at,
        alert.silenced_until,
    )  # fmt: skip


def topic(place: Place, kind: str) -> str:
    """Return where an alert is said."""
    return place.topic(f"alert/{kind}")
