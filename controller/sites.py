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
        self._gates: dict[str, list[Place]] = {}  # by site, as of the last tick

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

    def tell(self, passings: Iterable[tuple[Place, Elsewhere]], at: datetime, *, tick: bool) -> None:
        """Say to every gate who went through at another of its site, and how many are inside where that changed.

        Each word goes to all gates of a site. So where it can be full they are told at once, elsewhere at a tick.
        """
        if tick or not self._gates:
            self._gates.clear()
            for gate in self._store.registered():
                self._gates.setdefault(gate.site, []).append(gate)
        for where, passing in passings:
            for gate in self._gates.get(where.site, ()):
                if gate != where:
                    self._say(gate.topic("seen"), encode(passing))
        for site, gates in self._gates.items():
            capacity = self._people.people(site)
            if capacity or (tick and site in self._inside):
                self._count(gates, Inside(inside=self._inside.get(site, 0), capacity=capacity, at=at))

    def _count(self, gates: Iterable[Place], inside: Inside) -> None:
        now = (inside.inside, inside.capacity)
        for gate in gates:
            if self._said.get(gate) != now and self._say(gate.topic("occupancy"), encode(inside), qos=1, retain=True):
                self._said[gate] = now
