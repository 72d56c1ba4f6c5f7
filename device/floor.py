"""The floor under the clock: the latest time that NTP has checked, on the gate's disk, so that no start goes below it.

A thread of its own writes it: no decision waits for a disk.
"""

from __future__ import annotations

import logging
import queue
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from device.file import replace
from device.timekeeper import Moment

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0  # between times that are written: a cut of the power may set the floor back by so much
EARLIEST: Final = datetime(2026, 11, 1, tzinfo=UTC).timestamp()  # this program did not exist before


class Checked(Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds: a time, and the boot and monotonic moment it belongs to."""

    boot: str
    at: float
    mono: float


def standing(checked: Checked | None, boot: str, mono: float) -> tuple[Moment, bool]:
    """Return the floor at a moment of this boot, and whether it was checked in it."""
    if checked and checked.boot == boot and checked.mono <= mono:
        return Moment(checked.at, checked.mono), True
    return Moment(max(checked.at, EARLIEST) if checked else EARLIEST, mono), False


def read(path: Path) -> Checked | None:
    """Return what the file holds; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Checked)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("%s cannot be read, so the clock has no floor until NTP checks it: %s", path, error)
        return None


class Floor:
    """The floor as it was `found` at `path`, and whoever raises it."""

    def __init__(self, path: Path, boot: str) -> None:
        self._path = path
        self.boot = boot
        self.found = read(path)
        self._kept: Moment | None = None
        self._inbox: queue.SimpleQueue[Moment | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="floor", daemon=True)
        self.thread.start()

    def raise_to(self, moment: Moment) -> None:
        """Have it written down, now and then; never waits."""
        if self._kept is None or moment.at - self._kept.at >= EVERY_S:
            self._kept = moment
            self._inbox.put(moment)

    def stop(self) -> None:
        """Write what was to be written, and end."""
        self._inbox.put(None)
        self.thread.join(timeout=5)

    def _run(self) -> None:
        failed = False
        while (moment := self._inbox.get()) is not None:
            try:
                replace(self._path, msgspec.json.encode(Checked(self.boot, moment.at, moment.mono)))
                failed = False
            except OSError as error:
                if not failed:
                    log.warning("%s cannot be written; the floor stays where it was: %s", self._path, error)
                failed = True
