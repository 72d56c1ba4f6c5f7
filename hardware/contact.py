"""A contact that closes to ground: told once each time it closes or opens, however it bounces."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from gpiozero import DigitalInputDevice

SPIKE_S: Final = 0.01  # shorter than this is interference on the cable; the kernel filters it on a Pi
SETTLE_S: Final = 0.05  # contacts chatter for less than this; mock pins chatter too, and filter nothing


class Contact:
    """A button, a turnstile's output or a door's contact, between a pin and ground. The Pi's own pull-up is used.

    That it closed is told at once, that it opened when it has stayed open for as long as contacts chatter.
    """

    def __init__(
        self,
        pin: int,
        *,
        factory: Any,
        closed: Callable[[float], None],
        opened: Callable[[float], None] | None = None,
    ) -> None:
        self._closed = closed
        self._opened = opened
        self._told = False  # that it is closed, and not yet that it opened
        self._timer: threading.Timer | None = None
        self._edge_at = -math.inf
        self._input = DigitalInputDevice(pin, pull_up=True, bounce_time=SPIKE_S, pin_factory=factory)
        self._input.when_activated = self._close
        self._input.when_deactivated = self._open

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()
        if self._timer:
            self._timer.cancel()
            if self._timer is not threading.current_thread():  # which may be the last to know this contact
                self._timer.join()

    def begin(self) -> bool:
        """Tell at once when it is closed from the start, and return whether it is."""
        if self._input.is_active and not self._told:
            self._told = True
            self._closed(time.monotonic())
        return self._told

    def _close(self) -> None:
        if self._settled():
            self._told = True
            self._closed(self._edge_at)

    def _open(self) -> None:
        self._settled()
        if self._opened and self._told:
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(SETTLE_S, self._stayed, args=(self._edge_at,))
            self._timer.start()

    def _stayed(self, since: float) -> None:
        if self._opened and self._told and not self._input.closed and not self._input.is_active:
            self._told = False
            self._opened(since)

    def _settled(self) -> bool:
        """Note an edge; tell whether the contact had been quiet before it."""
        before, self._edge_at = self._edge_at, time.monotonic()
        return self._edge_at - before >= SETTLE_S
