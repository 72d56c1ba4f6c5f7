"""The contact that is closed as long as the enclosure is."""

from __future__ import annotations

import time
from typing import Any, Final

from gpiozero import DigitalInputDevice

from hardware.parts import TamperChanged, Tell

SPIKE_S: Final = 0.05


class Tamper:
    """A normally-closed contact between its pin and ground: open is an open lid, and so is a cut cable.

    An enclosure that is open from the start is told at once.
    """

    def __init__(self, pin: int, *, factory: Any, tell: Tell) -> None:
        self._tell = tell
        self._input = DigitalInputDevice(pin, pull_up=True, bounce_time=SPIKE_S, pin_factory=factory)
        self._input.when_activated = lambda: self._say(opened=False)
        self._input.when_deactivated = lambda: self._say(opened=True)
        if not self._input.is_active:
            self._say(opened=True)

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()

    def _say(self, *, opened: bool) -> None:
        self._tell(TamperChanged(open=opened, at=time.monotonic()))
