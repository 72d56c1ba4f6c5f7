"""Who goes through this entrance: edges of beams, turnstile and door in, passages on record and counters out."""

from __future__ import annotations

from collections.abc import Callable

from device.config import Config
from device.crossing import BLOCKED_S, Crossing
from device.doorway import Doorway
from device.passage import Passages, Went
from device.record import Record
from device.wire import messages
from hardware.parts import BeamChanged, DoorChanged, TurnstilePassed


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
        counted = bool(pins.turnstile_passed or (pins.beam_outer and pins.beam_inner))
        self.sensed = counted or bool(pins.door)
        self._passages = Passages(release_s=config.turnstile.release_s, sensed=counted, scanned=self._scanned)
        self._doorway = Doorway(  # either counts people, never both: beams and turnstile see them, a door does not
            release_s=config.turnstile.release_s,
            counts=bool(pins.door) and not counted,
            scanned=self._scanned,
            free_exit=config.turnstile.free_exit,
        )
        self.passages = self.unscanned = 0

    def granted(self, seq: int | None, now: float, people: int = 1) -> None:
        """Expect somebody; `seq` is that of the grant, None where it could not be kept."""
        self._passages.granted(seq, now, people)
        self._doorway.granted(seq, now, people)

    def renumber(self) -> None:
        """Events are counted anew from here."""
        self._passages.renumber()
        self._doorway.renumber()

    def take(self, said: BeamChanged | TurnstilePassed | DoorChanged, *, free: bool) -> None:
        """Take an edge of a beam, the turnstile's word that somebody went, or the door's; `free`: so is the way."""
        match said:
            case BeamChanged(beam=beam, broken=broken, at=at):
                self._crossing.edge(beam, at, broken=broken)
            case TurnstilePassed(at=at):
                self._went(self._passages.went("out" if self._scanned == "out" else "in", at))
            case DoorChanged(open=opened, at=at):
                for went in self._doorway.changed(at, opened=opened, free=free):
                    self._went(went)

    def look(self, now: float) -> None:
        """Count who is through, annul what nobody used in time, and say what stands in the way."""
        for crossed in self._crossing.look(now):
            if self._beams_count:
                self._went(self._passages.went(*crossed))
        # One who is in the beams when the time is over has made use of it.
        for went in () if self._beams_count and self._crossing.standing(now) else self._passages.look(now):
            self._went(went)
        for went in self._doorway.look(now):
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
        open_ = [f"{' and '.join(held)}: somebody stands in the beam"] if held else []
        if self._doorway.open_for(now) >= self._held_s:
            open_.append("the door stands open, or its cable is cut")
        self._record.stands("held_open", "; ".join(open_))

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
