"""The machine's clocks, and what time it is as far as they can be believed."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from device.floor import Floor, standing
from device.timekeeper import Doubt, Sample, Timekeeper
from device.wire.messages import ClockState

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
SYNCED: Final = range(5)  # what adjtimex(2) returns while the clock is right; 5 is TIME_ERROR, and -1 a refusal
STA_NANO: Final = 0x2000  # adjtimex(2): the time is in nanoseconds, not microseconds

DOUBTS: Final[dict[Doubt, str]] = {
    "clock_unset": "NTP has not checked the clock since the machine started; connect the gate to a time server, or set "
    'gate.clock = "battery" where the clock has one',
    "clock_jumped": "the clock was set, and not by NTP; it is believed again once NTP has checked it",
    "clock_behind": "the clock stands before a time that has passed for certain; connect the gate to NTP, or, where "
    "that one was wrong once, stop the gate and remove clock.json from its folder",
}


class Instant(NamedTuple):
    """The clocks at one moment, as they were judged then."""

    wall: datetime  # as the machine has it, UTC, to the millisecond
    mono: float  # seconds since the machine started
    now: float  # the time to judge by, in seconds since 1970
    state: ClockState
    doubt: Doubt = ""

    def then(self, mono: float) -> float:
        """Return the time to judge by at an earlier monotonic moment."""
        return self.now - max(0.0, self.mono - mono)


class Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as it is read here; it is shorter than `unread` on every architecture."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("constant", ctypes.c_long),
        ("precision", ctypes.c_long), ("tolerance", ctypes.c_long), ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long), ("unread", ctypes.c_char * 256),
    )  # fmt: skip


def machine() -> Sample:
    """Read the wall clock and whether NTP keeps it in one call, or a jump could come between the two."""
    timex = Timex()  # no modes set: nothing is changed
    mono = time.monotonic()
    code = _LIBC.adjtimex(ctypes.byref(timex))
    if code not in SYNCED and code != len(SYNCED):
        return Sample(time.time(), mono, synced=False)
    return Sample(timex.seconds + timex.fraction / (1e9 if timex.status & STA_NANO else 1e6), mono, code in SYNCED)


_LIBC: Final = ctypes.CDLL(None)


class Clock:
    """What time it is. A Pi has no battery behind its clock: after a cut it may wake up years ago.

    `sample` reads the machine's clocks; `battery` says that they are right from the start.
    """

    def __init__(self, floor: Floor, *, battery: bool = False, sample: Callable[[], Sample] = machine) -> None:
        self.boot = floor.boot
        self._floor = floor
        self._sample = sample
        found, known = standing(floor.found, floor.boot, sample().mono)
        self._keeper = Timekeeper(found, known=known, battery=battery)

    def read(self) -> Instant:
        """Read the clocks once; what belongs together is judged by one instant."""
        sample = self._sample()
        state = self._keeper.tell(sample)
        if state == "synced":
            self._floor.raise_to(self._keeper.floor)
        return Instant(_moment(sample.wall), sample.mono, self._keeper.at(sample.mono), state, self._keeper.doubt)

    def wall(self) -> datetime:
        """Return the time as the machine has it, in UTC, to the millisecond."""
        return self.read().wall

    def mono(self) -> float:
        """Return seconds since the machine started; never set, never jumps."""
        return self._sample().mono

    def state(self) -> ClockState:
        """Tell whether NTP keeps the clock right, did so before, or whether it cannot be believed."""
        return self.read().state


def boot() -> str:
    """Return what names this start of the machine."""
    return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")[:12]


def _moment(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(seconds * 1000))
