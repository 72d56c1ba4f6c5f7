"""What time it is, and how far that can be believed."""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from device.wire.messages import ClockState

TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
EARLIEST: Final = datetime(2026, 11, 1, tzinfo=UTC)  # this program did not exist before: an earlier clock was never set
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """The machine's clocks. A Pi has no battery behind its clock: after a cut it may wake up years ago."""

    def __init__(self) -> None:
        self.boot = BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")[:12]

    def wall(self) -> datetime:
        """Return the time in UTC, to the millisecond."""
        now = datetime.now(tz=UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def mono(self) -> float:
        """Return seconds since the machine started; never set, never jumps."""
        return time.monotonic()

    def state(self) -> ClockState:
        """Tell whether the clock is synced, was set some time, or was never set."""
        if self.wall() < EARLIEST:
            return "unset"
        return "holdover" if _adjtimex() == TIME_ERROR else "synced"


def _adjtimex() -> int:
    """Ask the kernel without changing anything: a struct timex of zeros has no modes set."""
    timex = ctypes.create_string_buffer(512)  # larger than struct timex on every architecture
    return int(ctypes.CDLL(None).adjtimex(timex))
