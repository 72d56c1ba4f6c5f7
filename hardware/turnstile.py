"""The turnstile's relay: a pulse lets one person through, and held on it lets everybody."""

from __future__ import annotations

import threading
from typing import Any

from gpiozero import OutputDevice

from hardware.parts import PartError


class Turnstile:
    """An active-high relay.

    Active-high, because an active-low relay clicks for 0.2 to 0.4 ms while gpiozero sets it up. On a gate it lives in
    a process of its own, hardware/guardian.py.
    """

    def __init__(self, relay: int, *, pulse_ms: int, factory: Any) -> None:
        self._pulse_s = pulse_ms / 1000
        self._lock = threading.Lock()
        self._end: threading.Timer | None = None
        self._held = False
        self._relay = OutputDevice(relay, active_high=True, initial_value=False, pin_factory=factory)

    @property
    def on(self) -> bool:
        """Whether the relay is on."""
        return bool(self._relay.value)

    def release(self) -> None:
        """Pulse the relay, without waiting for the end. A call during a pulse makes that pulse end later.

        Raise PartError, with the relay off, when the pulse could not be ended in the background.
        """
        with self._lock:
            if self._held:
                return
            if self._end:
                self._end.cancel()
            self._end = threading.Timer(self._pulse_s, self._let_go)
            self._relay.on()
            try:
                self._end.start()
            except RuntimeError as error:
                self._relay.off()
                raise PartError(f"the turnstile is not released, for nothing could end the pulse: {error}") from error

    def hold(self) -> None:
        """Hold the relay on until `free`."""
        with self._lock:
            self._held = True
            self._relay.on()

    def free(self) -> None:
        """Let go of a relay that was held, and of a pulse."""
        with self._lock:
            self._stop()

    def close(self) -> None:
        """Let go of the relay and give the pin back."""
        with self._lock:
            self._stop()
            self._relay.close()

    def _stop(self) -> None:
        if self._end:
            self._end.cancel()
        self._end, self._held = None, False
        self._relay.off()

    def _let_go(self) -> None:
        with self._lock:
            if threading.current_thread() is self._end and not self._held:  # and no later pulse has taken over
                self._relay.off()
