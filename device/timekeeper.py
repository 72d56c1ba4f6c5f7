"""What time it is as far as that can be believed: judges what the machine's clocks say, one sample at a time. Pure.

Believed is what NTP has checked since the machine started, and from then on what the monotonic clock adds to it; so
neither a cut of the network nor of the NTP server matters, and nobody can move it. A wall clock that leaves this line
without NTP is believed no more until NTP says so. No time that was believed ever comes back, also after a restart.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from device.wire.messages import ClockState

Doubt = Literal["", "clock_unset", "clock_jumped", "clock_behind"]  # the name of the fault it is

JUMP_S: Final = 2.0  # a leap second is no jump, and NTP mends smaller differences by running faster or slower
DRIFT: Final = 1e-4  # seconds a second that a crystal without NTP may be wrong, at most; a Pi's is a fifth of that


class Sample(NamedTuple):
    """The machine's clocks at one moment."""

    wall: float  # seconds since 1970, as the machine has it
    mono: float  # seconds since it started
    synced: bool  # the kernel says that NTP keeps the wall clock right


class Moment(NamedTuple):
    """A time that is known, and where the monotonic clock stood then."""

    at: float  # seconds since 1970
    mono: float

    def then(self, mono: float) -> float:
        """Return the time of another monotonic moment."""
        return self.at + mono - self.mono


class Timekeeper:
    """Told samples in the order of their `mono`.

    `floor` is a time that has passed for certain; `known` says that NTP checked it since this start of the machine.
    With `battery` the wall clock is believed from the first sample on, unless it stands below the floor.
    """

    def __init__(self, floor: Moment, *, known: bool, battery: bool = False) -> None:
        self.floor = floor  # only a time that NTP has checked moves it
        self.doubt: Doubt = "" if known else "clock_unset"
        self._line = floor  # what time is reckoned from
        self._reached = floor.at  # the latest time so far
        self._asks_battery = battery and not known
        self._battery: Moment | None = None  # reckoned from instead, and never moves the floor

    def tell(self, sample: Sample) -> ClockState:
        """Judge a sample; afterwards `at` and `doubt` are those of that moment."""
        if self.doubt != "clock_behind":  # else the line may be the lie, and the truth is to catch up with it
            self._reached = max(self._reached, self._line.then(sample.mono))
        if sample.synced:
            self._check(sample)
        elif self._asks_battery:
            self._trust(sample)
        elif not self.doubt:
            self._compare(sample)
        if self.doubt:
            return "unset"
        return "synced" if sample.synced else "holdover"

    def at(self, mono: float) -> float:
        """Return the time, in seconds since 1970; while there is doubt it is at least this late."""
        return max(self._reached, self._battery.then(mono)) if self._battery else self._reached

    def _check(self, sample: Sample) -> None:
        """Take what NTP has checked, unless that time has passed already: then one of the two was a lie."""
        self._asks_battery, self._battery = False, None
        if sample.wall < self._reached - JUMP_S - DRIFT * (sample.mono - self.floor.mono):
            self.doubt = "clock_behind"
            return
        self.doubt = ""
        self._line = Moment(sample.wall, sample.mono)
        if sample.wall >= self._reached:
            self._reached, self.floor = sample.wall, self._line

    def _trust(self, sample: Sample) -> None:
        """Take what a clock with a battery says at the start."""
        self._asks_battery = False
        if sample.wall >= self._reached - JUMP_S:
            self._battery, self.doubt = Moment(sample.wall, sample.mono), ""
        else:
            self.doubt = "clock_behind"

    def _compare(self, sample: Sample) -> None:
        if abs(sample.wall - (self._battery or self._line).then(sample.mono)) > JUMP_S:
            self.doubt = "clock_jumped"
