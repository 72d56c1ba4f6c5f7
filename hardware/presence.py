"""Whether someone is at the guard's place: the OUT pin of an LD2410 radar, or a PIR."""

from __future__ import annotations

import time
from typing import Any, Final

from gpiozero import DigitalInputDevice

from hardware.parts import PresenceChanged, Tell

SPIKE_S: Final = 0.05  # both sensors hold their output for a second and more


class Presence:
    """A sensor that drives its pin high while it sees someone; with the Pi's pull-down a cut cable sees nobody.

    What it sees is told once at the start and then whenever it changes, so that a restart never assumes a guard.
    """

    def __init__(self, pin: int, *, factory: Any, tell: Tell) -> None:
        self._tell = tell
        self._input = DigitalInputDevice(pin, pull_up=False, bounce_time=SPIKE_S, pin_factory=factory)
        self._input.when_activated = lambda: self._say(present=True)
        self._input.when_deactivated = lambda: self._say(present=False)
        self._say(present=self._input.is_active)

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()

    def _say(self, *, present: bool) -> None:
        self._tell(PresenceChanged(present=present, at=time.monotonic()))
