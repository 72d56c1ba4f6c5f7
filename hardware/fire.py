"""The fire contact: closed as long as all is well, open when the fire panel says so, or when its cable is cut."""

from __future__ import annotations

from typing import Any, Final

from gpiozero import InputDevice

SURE_S: Final = 0.03  # seconds open before it is believed: shorter is interference on a long cable
CALM_S: Final = 1.0  # seconds closed before it is over: a panel that chatters does not slam the turnstile


class Fire:
    """A normally-closed contact between its pin and ground, on the Pi's own pull-up.

    It is looked at, and not listened to: a look costs microseconds, misses no lasting change, and needs no thread.
    """

    def __init__(self, pin: int, *, factory: Any) -> None:
        self._input = InputDevice(pin, pull_up=True, pin_factory=factory)
        self.burning = self._open()
        self._differs_at: float | None = None

    def look(self, now: float) -> bool:
        """Look at the contact, and tell whether there is a fire."""
        if self._open() == self.burning:
            self._differs_at = None
        elif self._differs_at is None:
            self._differs_at = now
        elif now - self._differs_at >= (CALM_S if self.burning else SURE_S):
            self.burning, self._differs_at = not self.burning, None
        return self.burning

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()

    def _open(self) -> bool:
        return not self._input.is_active
