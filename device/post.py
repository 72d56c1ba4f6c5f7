"""The guard's post: badge, button, presence and prompts in, duty on record and decisions by hand out."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from device.byhand import Admit, ByHand
from device.clock import Clock
from device.config import Config
from device.duty import Change, Duty, Prompts
from device.policy import Policy
from device.record import Record
from device.way import Way
from device.wire import messages
from device.wire.messages import Place

REMIND_S: Final = 15.0  # between signals of a prompt that waits for its answer


class Post:
    """One guard's post. What it returns is somebody whom a guard lets in."""

    def __init__(self, config: Config, *, record: Record, policy: Policy, clock: Clock, way: Way) -> None:
        duty = config.duty
        self._place = Place(config.gate.site, config.gate.entrance)
        self._zone = ZoneInfo(config.gate.timezone)
        self._record = record
        self._policy = policy
        self._clock = clock
        self._way = way
        self.hand = ByHand(decide_s=duty.decide_s)
        self.duty = Duty(
            duty.hours,
            grace_s=duty.grace_s,
            shift_s=duty.shift_s,
            now=clock.mono(),
            handover_s=duty.handover_s,
            prompts=Prompts(duty.prompt_s, duty.pat_s),
        )
        self._signalled_at = 0.0

    def badge(self, who: str, now: float) -> Admit | None:
        """Take a badge: with the button held down somebody is let in by hand, otherwise it checks in or out."""
        admit = self.hand.badge(who, now)
        if admit:
            self.duty.sign(now)
        else:
            self._keep(self.duty.badge(who, now, expected=self._policy.roster.here(self._place, self.local())))
        return admit

    def pressed(self, at: float) -> None:
        """Take that the button is down."""
        self.hand.down(at)

    def released(self, at: float) -> Admit | None:
        """Take that it is up again: only a short press says something by itself."""
        if self.hand.up(at) != "short":
            return None
        admit = self.hand.pressed(at, self.duty.on_duty)
        if admit:
            self.duty.sign(at)
        else:
            self._keep(self.duty.button(at))
        return admit

    def presence(self, at: float, *, present: bool) -> None:
        """Take what the sensor at the guard's place says."""
        self.duty.presence(at, present=present)

    def look(self, now: float) -> None:
        """Bring duty up to date, and ask for a sign of life where it is time for one."""
        self._keep(self.duty.look(now, self.local()))
        stuck = "it has been down for 30 s: look at the button and its cable" if self.hand.stuck(now) else ""
        self._record.stands("button_stuck", stuck)
        if self.duty.asked and now - self._signalled_at >= REMIND_S and not self._way.answering:
            self._signalled_at = now
            self._way.remind(now)

    def _keep(self, changes: list[Change]) -> None:
        for change in changes:
            self._record.keep(
                messages.Duty,
                event_type=change.event_type,
                who=change.who,
                after=change.after,
                off_roster=change.off_roster,
                by=change.by,
                on_duty=self.duty.on_duty,
                since=self._record.when(change.since),
            )

    def local(self) -> datetime | None:
        """Return the time on the entrance's wall; None while nobody knows it."""
        instant = self._clock.read()
        return None if instant.state == "unset" else datetime.fromtimestamp(instant.now, self._zone)
