"""Reads the thermometer in a thread of its own, so that a slow bus never holds up a decision. It only puts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hardware.parts import PartError, Reading, Thermometer

PERIOD_S: Final = 0.2
RETRY_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The thermometer said something."""

    reading: Reading
    at: float


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """The thermometer could not be read, or not be believed."""

    detail: str


class Probe:
    """Opens the thermometer, reads it until stopped, and opens it again after a failure."""

    def __init__(self, make: Callable[[], Thermometer], put: Callable[[Measured | Unmeasured], None]) -> None:
        self._make = make
        self._put = put
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        if self.thread.is_alive():
            self.thread.join(timeout=5)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._measure(self._make())
            except PartError as error:
                self._put(Unmeasured(detail=str(error)))
                self._over.wait(RETRY_S)

    def _measure(self, thermometer: Thermometer) -> None:
        try:
            while not self._over.is_set():
                self._put(Measured(reading=thermometer.read(), at=time.monotonic()))
                self._over.wait(PERIOD_S)
        finally:
            thermometer.close()
