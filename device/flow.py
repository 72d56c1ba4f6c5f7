"""Who goes through this entrance: edges of beams and turnstile in, passages on record and counters out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from device.config import Config
from device.crossing import BLOCKED_S, Crossing
from device.passage import Passages, Went
from device.record import Record
from device.wire import messages


class Flow:
    """Counts people, and says of each what let them through, or that nothing did. `tell` hears of each, too."""

    def __init__(self, config: Config, record: Record, tell: Callable[[Went], None]) -> None:
        pins = config.pins
        self._record = record
        self._tell = tell
        self._held_s = config.turnstile.held_s
        self._scanned = config.turnstile.scanned
        self._crossing = Crossing()
        # A turnstile that says who passed knows better than beams beside it.
        self._beams_count = not pins.turnstile_passed
        self.sensed = bool(pins.turnstile_passed or (pins.beam_outer and pins.beam_inner))
        self._passages = Passages(release_s=config.turnstile.release_s, sensed=self.sensed, scanned=self._scanned)
        self.passages = self.unscanned = 0

    def granted(self, seq: int | None, now: float, people: int = 1) -> None:
        """Expect somebody; `seq` is that of the grant, None where it could not be kept."""
        self._passages.granted(seq, now, people)

    def renumber(self) -> None:
        """Events are counted anew from here."""
        self._passages.renumber()

    def beam(self, beam: Literal["outer", "inner"], at: float, *, broken: bool) -> None:
        """Take an edge of a beam."""
        self._crossing.edge(beam, at, broken=broken)

    def passed(self, at: float) -> None:
        """Take the turnstile's word that somebody went the way it is for."""
        self._went(self._passages.went("out" if self._scanned == "out" else "in", at))

    def look(self, now: float) -> None:
        """Count who is through, annul what nobody used in time, and say what stands in the way."""
        for crossed in self._crossing.look(now):
            if self._beams_count:
                self._went(self._passages.went(*crossed))
        # One who is in the beams when the time is over has made use of it.
        for went in () if self._beams_count and self._crossing.standing(now) else self._passages.look(now):
            self._went(went)
        self._obstacles(now)

    def _obstacles(self, now: float) -> None:
        broken = self._crossing.broken_for(now)
        blocked = [beam for beam, seconds in broken.items() if seconds >= BLOCKED_S]
        held = [beam for beam, seconds in broken.items() if self._held_s <= seconds < BLOCKED_S]
        self._record.stands(
            "beam_blocked",
            f"{' and '.join(blocked)}: broken for {BLOCKED_S:g} s and more; clear the way, or look at its cable"
            if blocked
            else "",
        )
        self._record.stands("held_open", f"{' and '.join(held)}: somebody stands in the beam" if held else "")

    def _went(self, went: Went) -> None:
        if went.event_type in ("passed", "tailgated", "forced"):
            self.passages += 1
        if went.event_type in ("tailgated", "forced"):
            self.unscanned += 1
        self._record.keep(
            messages.Passage,
            event_type=went.event_type,
            direction=went.direction,
            scan=went.scan,
            people=went.people,
        )
        self._tell(went)
