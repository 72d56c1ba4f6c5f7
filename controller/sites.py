"""What the gates of a site learn of each other, through the controller: who was let through, how many are inside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from controller.config import PeopleSection
from controller.facts import Facts
from controller.notify import Say
from controller.store import Store
from device.wire.messages import Elsewhere, Inside, Place, encode


class Sites:
    """Owned by the desk. What is not heard weakens a gate to what it knows by itself, and no more."""

    def __init__(self, store: Store, people: PeopleSection, say: Say) -> None:
        self._store = store
        self._people = people
        self._say = say
        self._inside: dict[str, int] = {}
        self._over_since: dict[str, datetime] = {}
        self._said: dict[Place, tuple[int, int]] = {}

    def count(self, at: datetime) -> None:
        """Bring up to date how many are inside, in the transaction of what changed it."""
        self._inside = self._store.inside(self._people.day(at))
        before = self._store.over_since()
        over = {site for site, inside in self._inside.items() if 0 < self._people.people(site) < inside}
        for site in over ^ before.keys():
            self._store.over(site, at if site in over else None)
        self._over_since = {site: before.get(site, at) for site in over}

    def known(self, facts: Facts) -> Facts:
        """Add what is known of the site to what is known of one of its entrances."""
        site = facts.place.site
        return msgspec.structs.replace(
            facts,
            inside=self._inside.get(site, 0),
            capacity=self._people.people(site),
            over_since=self._over_since.get(site),
        )

    def greet(self) -> None:
        """Begin anew on a new connection: the broker may have forgotten."""
        self._said.clear()

    def tell(self, passings: Iterable[tuple[Place, Elsewhere]], at: datetime) -> None:
        """Say to every gate who went through at another of its site, and how many are inside where that changed."""
        gates = self._store.registered()
        for where, passing in passings:
            for gate in gates:
                if gate.site == where.site and gate != where:
                    self._say(gate.topic("seen"), encode(passing))
        for gate in gates:
            capacity = self._people.people(gate.site)
            now = (self._inside.get(gate.site, 0), capacity)
            if (gate.site in self._inside or capacity) and self._said.get(gate) != now:
                inside = Inside(inside=now[0], capacity=capacity, at=at)
                if self._say(gate.topic("occupancy"), encode(inside), qos=1, retain=True):
                    self._said[gate] = now
