"""How this entrance stands, as the broker retains it: status, info, health, state, and the policy in force."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from device.clock import Clock
from device.duty import Duty
from device.policy import Policy
from device.record import Record
from device.surroundings import Surroundings
from device.wire import messages

log = logging.getLogger(__name__)

STATE_EVERY_S: Final = 10.0  # seconds between retained states when nothing but counters changed


class Counts(NamedTuple):
    """How many there were since the gate started."""

    grants: int
    refusals: int
    passages: int
    unscanned: int
    inside: int | None = None  # of the whole site, as far as is known


class Standing:
    """Says each document when it changes, and all of them on every connection."""

    def __init__(
        self,
        *,
        record: Record,
        policy: Policy,
        clock: Clock,
        duty: Duty,
        surroundings: Surroundings,
        info: messages.Info,
    ) -> None:
        self._record = record
        self._policy = policy
        self._clock = clock
        self._duty = duty
        self._surroundings = surroundings
        self._info = info
        self._said: tuple[tuple[object, ...], float] = ((), 0.0)

    def introduce(self) -> None:
        """Say every retained document again: the broker may have forgotten them all."""
        self._record.retain("status", messages.Status(state="online"))
        self._record.retain("info", self._info)
        self._record.retain("health", self._record.health)
        self._record.retain("policy/applied", self._policy.applied(self._clock.wall()))
        self._said = ((), 0.0)

    def leave(self) -> None:
        """Say that the gate was stopped, which is not being lost."""
        self._record.retain("status", messages.Status(state="offline", reason="stopped"))

    def offered(self, payload: bytes) -> None:
        """Take a policy, or say why not."""
        if self._policy.offer(payload):
            log.info("policy %d is in force", self._policy.desired.version)
        self._record.stands("policy_refused", self._policy.problem)
        self._record.retain("policy/applied", self._policy.applied(self._clock.wall()))

    def look(self, now: float, counts: Counts) -> None:
        """Say the state at once when guard, clock or crowd changed, and its counters every so often."""
        around = self._surroundings
        counters = (*counts, self._record.depth, around.waiting)
        instant = self._clock.read()
        urgent = (
            self._duty.staffing, self._duty.on_duty, instant.state,
            around.waiting is None, around.crowded_since, around.too_near,
        )  # fmt: skip
        (said, at), fresh = self._said, (urgent, counters)
        if said == fresh or (said and said[0] == urgent and now - at < STATE_EVERY_S):
            return
        state = messages.State(
            at=instant.wall,
            staffing=self._duty.staffing,
            staffing_since=self._record.when(self._duty.since),
            on_duty=self._duty.on_duty,
            spool_depth=self._record.depth,
            clock=instant.state,
            grants=counts.grants,
            refusals=counts.refusals,
            passages=counts.passages,
            unscanned=counts.unscanned,
            waiting=around.waiting,
            crowded_since=None if around.crowded_since is None else self._record.when(around.crowded_since),
            too_near=around.too_near,
            inside=counts.inside,
        )
        if self._record.retain("state", state):
            self._said = (fresh, now)
