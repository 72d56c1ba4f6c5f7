"""The straight path: a batch of messages -> one transaction (store, rules, alerts) -> commit -> ack -> the alerts.

One thread owns it and the database connection; the link only puts into its inbox. A gate forgets what is acknowledged,
so nothing is before it is committed.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from controller import notify
from controller.alerts import Changes, Key, compare
from controller.config import RulesSection
from controller.database import now
from controller.intake import Intake
from controller.notify import Say
from controller.quarantine import Quarantine
from controller.rules import findings
from controller.store import Store
from device.wire.link import Heard, LinkChanged, LinkDied, LinkSaid
from device.wire.messages import Ack, Alert, Place, encode

log = logging.getLogger(__name__)

BATCH: Final = 1000  # messages in one transaction: one fsync for all of them
TICK_S: Final = 1.0  # between looks at what time alone brings about, and at what other programs wrote
REPEAT_S: Final = 0.5  # a gate that repeats what is committed may have missed an ack: said again once in this time
RETURN_S: Final = 10.0  # a gate that lost its broker is back within this; its link waits up to 8 s between attempts


class DeskError(RuntimeError):
    """The desk cannot go on; the text says why."""


class Desk:
    """All entrances, in one thread."""

    def __init__(
        self,
        *,
        store: Store,
        rules: RulesSection,
        inbox: queue.SimpleQueue[LinkSaid | None],
        say: Say,
        return_s: float = RETURN_S,
    ) -> None:
        self._store = store
        self._rules = rules
        self._inbox = inbox
        self._say = say
        self._return_s = max(return_s, rules.offline_grace_s)
        self._quarantine = Quarantine(store)
        self._up = False
        self._ready = False
        self._ticked_at = 0.0  # monotonic, as are the next two
        self._acked_at: dict[tuple[Place, str], float] = {}
        self._return_by = 0.0
        self._awaited: set[int] = set()  # entrances that were online, and have not said so since the connection is up
        self._policy_said: dict[Place, int] = {}

    def run(self) -> None:
        """Work until told to stop by a None in the inbox; raise DeskError when the connection's thread died."""
        while self._turn():
            pass

    def _turn(self) -> bool:
        batch, go_on = self._take()
        heard = [said for said in batch if isinstance(said, Heard)]
        changed = [said for said in batch if isinstance(said, LinkChanged)]
        if changed:
            self._link(changed[-1])
        tick = time.monotonic() - self._ticked_at >= TICK_S
        if tick or batch:
            self._work(heard, tick=tick, risen=bool(changed) and self._up)
        return go_on

    def _take(self) -> tuple[list[LinkSaid], bool]:
        """Take what waits, up to a batch of it; False with it when told to stop."""
        batch: list[LinkSaid] = []
        try:
            said = self._inbox.get(timeout=max(0.0, self._ticked_at + TICK_S - time.monotonic()))
            while said is not None:
                if isinstance(said, LinkDied):
                    raise DeskError(f"the connection's thread died: {said.reason}")
                batch.append(said)
                if len(batch) == BATCH:
                    return batch, True
                said = self._inbox.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _link(self, changed: LinkChanged) -> None:
        """What was said on the last connection counts for nothing on this one."""
        self._up = changed.up
        self._policy_said.clear()
        self._awaited.clear()
        if self._up:
            self._awaited = {number for number, facts in self._store.facts(now()).items() if facts.online}
            self._return_by = time.monotonic() + self._return_s

    def _work(self, heard: list[Heard], *, tick: bool, risen: bool) -> None:
        at = now()
        with self._store.transaction():
            hold = timedelta(seconds=self._rules.abnormal_hold_s)
            intake = Intake(self._store, self._quarantine, hold=hold, at=at)
            for each in heard:
                intake.hear(each)
            intake.keep()
            self._miss(intake.told, at)
            changes, before = self._judge(None if tick or risen else intake.touched, at)
        if risen:
            self._greet()
        self._acknowledge(intake)
        self._announce(changes, before)
        self._clear(intake.alerts)
        if tick or risen:
            self._policy()
            self._ticked_at = time.monotonic()

    def _miss(self, told: set[int], at: datetime) -> None:
        """Call a gate offline that was online and did not come back: a new broker knows nothing of its last will."""
        self._awaited -= told
        if self._awaited and time.monotonic() >= self._return_by:
            for entrance in self._awaited:
                self._store.online(entrance, online=False, reason="silent", at=at)
            self._awaited.clear()

    def _judge(self, only: Collection[int] | None, at: datetime) -> tuple[Changes, dict[Key, Alert]]:
        """Ask the rules about all entrances or some, and write down what came of it; return it with what was open."""
        found = {
            (entrance, kind): finding
            for entrance, facts in self._store.facts(at, only).items()
            for kind, finding in findings(facts, self._rules).items()
        }
        before = self._store.open_alerts(only)
        changes = compare(before, found)
        self._store.save(changes, at)
        return changes, before

    def _greet(self) -> None:
        """Say where every spool stands and what is open, so that gates and people can go on."""
        for place, spool, seq in self._store.spools():
            self._ack(place, spool, seq)
        for alert in self._store.open_alerts().values():
            notify.tell(self._say, alert)
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

    def _announce(self, changes: Changes, before: dict[Key, Alert]) -> None:
        """Say what was raised before what was resolved: an alert may end because another began."""
        news = changes.raised.keys() | changes.changed.keys()
        if news:
            for key, alert in self._store.open_alerts({entrance for entrance, _ in news}).items():
                if key in news:
                    log.info("%s/%s: %s: %s", alert.site, alert.entrance, alert.kind, alert.what.en)
                    notify.tell(self._say, alert)
        for key, resolution in changes.resolved.items():
            alert = before[key]
            log.info("%s/%s: %s: %s", alert.site, alert.entrance, alert.kind, resolution)
            notify.take_back(self._say, Place(alert.site, alert.entrance), alert.kind)

    def _clear(self, heard: list[tuple[Place, str]]) -> None:
        """Take back what is on the broker as an alert and is not open: it was resolved while nobody could be told."""
        if heard:
            still = {(Place(alert.site, alert.entrance), alert.kind) for alert in self._store.open_alerts().values()}
            for place, kind in set(heard) - still:
                notify.take_back(self._say, place, kind)

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
