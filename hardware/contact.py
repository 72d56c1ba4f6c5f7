"""A contact that closes to ground: told once each time it closes, however it bounces."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from gpiozero import DigitalInputDevice

SPIKE_S: Final = 0.01  # shorter than this is interference on the cable; the kernel filters it on a Pi
SETTLE_S: Final = 0.05  # contacts chatter for less than this; mock pins chatter too, and filter nothing


class Contact:
    """A button, or an output contact of a turnstile, between a pin and ground. The Pi's own pull-up is used."""

    def __init__(self, pin: int, *, factory: Any, closed: Callable[[float], None]) -> None:
        self._closed = closed
        self._edge_at = -math.inf
        self._input = DigitalInputDevice(pin, pull_up=True, bounce_time=SPIKE_S, pin_factory=factory)
        self._input.when_activated = self._close
        self._input.when_deactivated = self._open

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()

    def _close(self) -> None:
        if self._settled():
            self._closed(self._edge_at)

    def _open(self) -> None:
        self._settled()

    def _settled(self) -> bool:
        """Note an edge; tell whether the contact had been quiet before it."""
        before, self._edge_at = self._edge_at, time.monotonic()
        return self._edge_at - before >= SETTLE_S
