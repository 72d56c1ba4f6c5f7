"""A light beam across the way."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

from gpiozero import DigitalInputDevice

from hardware.parts import BeamChanged, Tell

SPIKE_S: Final = 0.005  # a hand at a run breaks a beam for 20 ms and more; shorter is interference


class Beam:
    """A beam sensor whose output pulls its pin low while the beam is whole.

    Broken is high, by an external pull-up to 3.3 V: a cut cable or a dead sensor reads as broken, never as clear.
    A beam that is broken from the start is told at once.
    """

    def __init__(self, pin: int, *, beam: Literal["outer", "inner"], factory: Any, tell: Tell) -> None:
        self._beam = beam
        self._tell = tell
        self._input = DigitalInputDevice(pin, pull_up=None, active_state=True, bounce_time=SPIKE_S, pin_factory=factory)
        self._input.when_activated = lambda: self._say(broken=True)
        self._input.when_deactivated = lambda: self._say(broken=False)
        if self._input.is_active:
            self._say(broken=True)

    def close(self) -> None:
        """Give the pin back."""
        self._input.close()

    def _say(self, *, broken: bool) -> None:
        self._tell(BeamChanged(beam=self._beam, broken=broken, at=time.monotonic()))
