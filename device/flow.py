"""Who goes through this entrance: edges of beams and turnstile in, passages on record and counters out."""

from __future__ import annotations

from typing import Literal

from device.config import Config
from device.passage import Crossing, Passages, Went
from device.record import Record
from device.wire import messages


class Flow:
    """Counts people, and says of each what let them through, or that nothing did."""

    def __init__(self, config: Config, record: Record) -> None:
        pins = config.pins
        self._record = record
        self._crossing = Crossing()
        # A turnstile that says who passed knows better than beams beside it.
        self._beams_count = not pins.turnstile_passed
        sensed = bool(pins.turnstile_passed or (pins.beam_outer and pins.beam_inner))
        self._passages = Passages(release_s=config.turnstile.release_s, sensed=sensed)
        self.passages = self.unscanned = 0

    def granted(self, seq: int | None, now: float) -> None:
        """Expect somebody; `seq` is that of the grant, None where it could not be kept."""
        self._passages.granted(seq, now)

    def renumber(self) -> None:
        """Events are counted anew from here."""
        self._passages.renumber()

    def beam(self, beam: Literal["outer", "inner"], at: float, *, broken: bool) -> None:
        """Take an edge of a beam."""
        direction = self._crossing.edge(beam, at, broken=broken)
        if direction is not None and self._beams_count:
            self._went(self._passages.went(direction, at))

    def passed(self, at: float) -> None:
        """Take the turnstile's word that somebody went in."""
        self._went(self._passages.went("in", at))

    def look(self, now: float) -> None:
        """Annul what nobody used in time."""
        for went in self._passages.look(now):
            self._went(went)

    def _went(self, went: Went) -> None:
        if went.event_type in ("passed", "tailgated", "forced"):
            self.passages += 1
        if went.event_type in ("tailgated", "forced"):
            self.unscanned += 1
        self._record.keep(messages.Passage, event_type=went.event_type, direction=went.direction, scan=went.scan)
