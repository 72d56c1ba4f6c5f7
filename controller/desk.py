"""The straight path: a batch of messages -> one transaction (store, rules, alerts) -> commit -> ack -> the alerts.

One thread owns it and the database connection; the link only puts into its inbox. A gate forgets what is acknowledged,
so nothing is before it is committed.
"""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from controller.alerts import Changes, Key, compare, overdue, quiet
from controller.attempts import Attempts
from controller.config import AlertsSection, PeopleSection, RulesSection
from controller.database import now
from controller.digest import digests
from controller.facts import Facts
from controller.intake import PEOPLE, Intake, happened
from controller.notify import Crier, Say
from controller.quarantine import Quarantine
from controller.retention import Retention
from controller.rules import findings, reason_of
from controller.rules.course import Tries
from controller.sites import Sites
from controller.store import Store
from controller.turns import Turns
from device.wire.link import Heard, LinkChanged, LinkDied, LinkSaid
from device.wire.messages import Ack, Alert, Place, encode

log = logging.getLogger(__name__)

TICK_S: Final = 1.0  # between looks at what time alone brings about, and at what other programs wrote
PORTION: Final = 100  # entrances looked at between two batches
AT_ONCE: Final = 20_000  # messages looked at before the next batch: a flood must not keep us from working
REPEAT_S: Final = 0.5  # a gate that repeats what is committed may have missed an ack: said again once in this time
RETURN_S: Final = 10.0  # a gate that lost its broker is back within this; its link waits up to 8 s between attempts


ALERTS: Final = AlertsSection()

Told = LinkSaid | Attempts


def tried(store: Store, rules: RulesSection) -> Tries:
    """Return which wrong codes were tried lately, from the events: nothing else keeps them.

    How long ago they came says nothing: a clock that was set back makes what is long over recent again.
    """
    tries, hold = Tries(), timedelta(seconds=rules.repeated_hold_s)
    for place, scan, received, began in store.scans():
        if scan.event_type == "grant":
            tries.good(place.site, scan.code)
        elif reason_of(scan) and scan.code:
            when = happened(scan, received, began)
            if received - when < hold:
                tries.wrong(place.site, scan.code, when, hold)
    return tries


class DeskError(RuntimeError):
    """The desk cannot go on; the text says why."""


class Desk:
    """All entrances, in one thread."""

    def __init__(
        self,
        *,
        store: Store,
        rules: RulesSection,
        inbox: queue.SimpleQueue[Told | None],
        say: Say,
        alerts: AlertsSection = ALERTS,
        return_s: float = RETURN_S,
        watch: Callable[[], str] = lambda: "",
        retention_days: int = 0,
        clock: Callable[[], datetime] = now,
        people: PeopleSection = PEOPLE,
        pace: Callable[[int, float], None] | None = None,
        alive: Callable[[], None] = lambda: None,
        turns: Turns | None = None,
        failing: Callable[[], Mapping[Place, datetime]] = dict,
    ) -> None:
        self._store = store
        self._rules = rules
        self._inbox = inbox
        self._say = say
        self._alerts = alerts
        self._crier = Crier(say, alerts.update_s)
        self._watch = watch
        self._clock = clock
        self._pace = pace
        self._alive = alive
        self._ask_failing = failing
        self._failing: Mapping[Place, datetime] = {}  # notifiers that do not get through, and since when
        self._return_s = max(return_s, rules.offline_grace_s)
        self._quarantine = Quarantine(store)
        self._retention = Retention(store, retention_days)
        self._people = people
        self._sites = Sites(store, people, say)
        self._up = False
        self._ready = False
        self._round: deque[list[int]] = deque()  # entrances that are still to be looked at in this tick
        self._ticked_at = 0.0  # monotonic seconds, as are the next two
        self._acked_at: dict[tuple[Place, str], float] = {}
        self._return_by: float | None = None
        self._told: set[int] = set()  # entrances whose status was heard on this connection
        self._policy_said: dict[Place, int] = {}
        self._attempts = Attempts()
        self._turns = Turns() if turns is None else turns  # an empty one is false
        self._next: tuple[LinkChanged | None] | None = (
            None  # what the inbox had after all that waits; None in it: the end
        )
        self._tries = tried(store, rules)

    def run(self) -> None:
        """Work until told to stop by a None in the inbox; raise DeskError when a thread died."""
        while self._turn():
            if dead := self._watch():
                raise DeskError(dead)

    def _turn(self) -> bool:
        """Work off one batch; what came before a change of the connection, or before the end, is worked off first."""
        if self._next is None:
            self._take()
        if self._turns:
            self._work(self._turns.take(), tick=False)
        if self._round:
            self._look(self._round.popleft())
        elif time.monotonic() - self._ticked_at >= TICK_S:
            self._work((), tick=True)  # after the batch, whose acknowledgements do not wait for it
        if self._next is None or self._turns:
            return True
        (said,), self._next = self._next, None
        if said is not None:
            self._link(said)
        return said is not None

    def _take(self) -> None:
        """Let all that was heard wait for its turn, up to a change of the connection or the end."""
        wait_s = 0.0 if self._turns or self._round else max(0.0, self._ticked_at + TICK_S - time.monotonic())
        try:
            for _ in range(AT_ONCE):
                said = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
                wait_s = 0.0
                if isinstance(said, Attempts):
                    self._attempts = said
                elif isinstance(said, Heard):
                    self._turns.put(said)
                elif isinstance(said, LinkDied):
                    raise DeskError(f"the connection's thread died: {said.reason}")
                else:
                    self._next = (said,)
                    return
        except queue.Empty:
            return

    def _link(self, changed: LinkChanged) -> None:
        """What was said on the last connection counts for nothing on the next."""
        self._up = changed.up
        self._policy_said.clear()
        self._sites.greet()
        if self._up:
            self._return_by = time.monotonic() + self._return_s
            self._greet()
            self._policy()
        else:
            self._return_by = None
            self._told.clear()

    def _work(self, heard: Iterable[Heard], *, tick: bool) -> None:
        at, began, count = self._clock(), time.monotonic(), 0
        with self._store.transaction():
            intake = Intake(
                self._store, self._quarantine, rules=self._rules, at=at, people=self._people, tries=self._tries
            )
            for count, each in enumerate(heard, 1):  # noqa: B007 looked at in the end
                intake.hear(each)
            if tick:
                for gate, times in self._turns.refused().items():
                    intake.refuse(gate, times)
                self._failing = self._ask_failing()
                for place in self._failing:
                    self._store.entrance(place)
            intake.keep()
            self._told |= intake.told
            self._miss(at)
            self._sites.count(at)
            if tick:
                self._round = self._portions()
            changes, before = self._judge(None if tick and not self._round else intake.touched, at)
            if tick:
                self._escalate(at)
        self._acknowledge(intake)
        self._log(changes, before)
        if self._up:
            self._announce(None if tick else intake.touched, at)
            self._clear(intake.alerts)
            self._sites.tell(intake.elsewhere, at, tick=tick)
        if self._pace:
            self._pace(count, time.monotonic() - began)
        if tick:
            self._policy()
            self._retention.look(at)
            self._ticked_at = time.monotonic()
            self._alive()

    def _portions(self) -> deque[list[int]]:
        """Return the entrances in portions, that what comes in need not wait for a look at very many; few are none."""
        ids = self._store.ids()
        return deque(ids[at : at + PORTION] for at in range(0, len(ids), PORTION) if len(ids) > PORTION)

    def _look(self, only: list[int]) -> None:
        """Do what time alone brings about at some entrances."""
        at = self._clock()
        with self._store.transaction():
            changes, before = self._judge(only, at)
        self._log(changes, before)
        if self._up:
            self._announce(only, at)

    def _miss(self, at: datetime) -> None:
        """Call a gate offline that was online and did not come back: a new broker knows nothing of its last will."""
        if self._return_by is None or time.monotonic() < self._return_by:
            return
        self._return_by = None
        for entrance, facts in self._store.facts(at).items():
            if facts.online and entrance not in self._told:
                self._store.online(entrance, online=False, reason="silent", at=at)

    def _judge(self, only: Collection[int] | None, at: datetime) -> tuple[Changes, dict[Key, Alert]]:
        """Ask the rules about all entrances or some, and write down what came of it; return it with what was open."""
        found = {
            (entrance, kind): finding
            for entrance, facts in self._store.facts(at, only).items()
            for kind, finding in findings(self._known(facts), self._rules).items()
        }
        before, dismissed = self._store.open_alerts(only, at=at), self._store.dismissed(only)
        still = quiet(dismissed, found, at, self._alerts.again_s)
        self._store.forget_dismissals(dismissed.keys() - still)
        changes = compare(before, found, still)
        self._store.save(changes, at)
        return changes, before

    def _escalate(self, at: datetime) -> None:
        """Write down which alerts nobody took on in time."""
        patience_s = self._alerts.shortest_s
        raised = self._store.raised_at()
        waiting = {number: since for number, since in raised.items() if (at - since).total_seconds() >= patience_s}
        if waiting:
            alerts = self._store.open_alerts(at=at).values()
            self._store.escalate(
                [
                    alert.id
                    for alert in alerts
                    if alert.id in waiting and overdue(alert, waiting[alert.id], at, self._alerts)
                ],
                at,
            )

    def _known(self, facts: Facts) -> Facts:
        """Add what the store does not know of a place: what the broker refused, the site, how a notifier does."""
        refused, takeovers = self._attempts.refused.get(facts.place), self._attempts.takeovers.get(facts.place)
        return msgspec.structs.replace(
            self._sites.known(facts),
            refused=refused,
            takeovers=takeovers,
            failing_since=self._failing.get(facts.place),
        )

    def _greet(self) -> None:
        """Say where every spool stands and what is open, so that gates and people can go on."""
        for place, spool, seq in self._store.spools():
            self._ack(place, spool, seq)
        self._crier.forget()
        self._announce(None, self._clock())
        if not self._ready:
            self._ready = True
            log.info(
                "ready: %d entrances, %d open alerts", len(self._store.entrances()), len(self._store.open_alerts())
            )

    def _acknowledge(self, intake: Intake) -> None:
        for place in intake.greeted:
            for _, spool, seq in self._store.spools(place):
                self._ack(place, spool, seq)
        for (place, spool), progress in intake.spools.items():
            quiet = time.monotonic() - self._acked_at.get((place, spool), -REPEAT_S) >= REPEAT_S
            if progress.moved or progress.missing or quiet:
                self._ack(place, spool, progress.committed)

    def _ack(self, place: Place, spool: str, seq: int) -> None:
        self._acked_at[place, spool] = time.monotonic()
        self._say(place.topic("ack"), encode(Ack(spool=spool, seq=seq)))

    def _log(self, changes: Changes, before: dict[Key, Alert]) -> None:
        places = self._store.places({entrance for entrance, _ in changes.raised})
        for (entrance, kind), finding in changes.raised.items():
            log.info("%s: %s: %s", places[entrance], kind, finding.what.en)
        for key, resolution in changes.resolved.items():
            log.info("%s/%s: %s: %s", before[key].site, before[key].entrance, before[key].kind, resolution)

    def _announce(self, only: Collection[int] | None, at: datetime) -> None:
        """Let people know what became of the alerts, also by another program's hand."""
        if only is None:
            alerts = self._store.open_alerts(at=at).values()
            self._crier.tell(alerts, None, time.monotonic())
            self._crier.sum_up(digests(alerts, {place.site for place in self._store.registered()}))
            self._crier.head(self._store.journal_head())
        elif only:
            places = self._store.places(only).values()
            self._crier.tell(self._store.open_alerts(only, at=at).values(), places, time.monotonic())

    def _clear(self, heard: list[tuple[Place, str]]) -> None:
        """Take back what is on the broker as an alert and is not open: it was resolved while nobody could be told."""
        strange = {each for each in heard if not self._crier.has_said(*each)}
        if strange:
            still = {(Place(alert.site, alert.entrance), alert.kind) for alert in self._store.open_alerts().values()}
            for place, kind in strange - still:
                self._crier.take_back(place, kind)

    def _policy(self) -> None:
        """Say what the gates are to hold, to each registered one that was not told yet."""
        version = self._store.version()
        waiting = [place for place in self._store.registered() if self._policy_said.get(place) != version]
        if not (self._up and version and waiting):
            return
        payload = encode(self._store.desired())
        for place in waiting:
            if self._say(place.topic("policy/desired"), payload, qos=1, retain=True):
                self._policy_said[place] = version
