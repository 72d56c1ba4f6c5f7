"""The turnstile: a relay that lets one person through, and its own word that someone went."""

from __future__ import annotations

import threading
from typing import Any

from gpiozero import OutputDevice

from hardware.contact import Contact
from hardware.parts import PartError, Tell, TurnstilePassed


class Turnstile:
    """An active-high relay on pin `relay`; the turnstile's PASS contact on pin `passed`, 0 where there is none.

    Active-high, because an active-low relay clicks for 0.2 to 0.4 ms while gpiozero sets it up.
    """

    def __init__(self, relay: int, *, pulse_ms: int, passed: int = 0, factory: Any, tell: Tell) -> None:
        self._pulse_s = pulse_ms / 1000
        self._lock = threading.Lock()
        self._end: threading.Timer | None = None
        self._relay = OutputDevice(relay, active_high=True, initial_value=False, pin_factory=factory)
        self._passed: Contact | None = None
        if passed:
            self._passed = Contact(passed, factory=factory, closed=lambda at: tell(TurnstilePassed(at=at)))

    def release(self) -> None:
        """Pulse the relay, without waiting for the end. A call during a pulse makes that pulse end later.

        Raise PartError, with the relay off, when the pulse could not be ended in the background.
        """
        with self._lock:
            if self._end:
                self._end.cancel()
            self._end = threading.Timer(self._pulse_s, self._let_go)
            self._relay.on()
            try:
                self._end.start()
            except RuntimeError as error:
                self._relay.off()
                raise PartError(f"the turnstile is not released, for nothing could end the pulse: {error}") from error

    def close(self) -> None:
        """Let go of the relay and give the pins back."""
        with self._lock:
            if self._end:
                self._end.cancel()
            self._end = None
            self._relay.off()
            self._relay.close()
        if self._passed:
            self._passed.close()

    def _let_go(self) -> None:
        with self._lock:
            if threading.current_thread() is self._end:  # and no later pulse has taken over
                self._relay.off()
