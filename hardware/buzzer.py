"""The sound a person hears: tunes that differ in rhythm, for those who do not see the lamp."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import gpiozero

from hardware.parts import Tune


class Beeps(NamedTuple):
    """A rhythm: so many beeps, each so long, with so much silence after it."""

    times: int
    on_s: float
    off_s: float


TUNES: Final[dict[Tune, Beeps]] = {
    "grant": Beeps(1, 0.12, 0.05),  # one short: pi
    "refer": Beeps(2, 0.25, 0.15),  # two middling: bee-bee
    "refuse": Beeps(1, 0.9, 0.1),  # one long: baaa
    "identify": Beeps(12, 0.06, 0.19),  # many short, for as long as it takes to look round
}


class Buzzer:
    """An active buzzer, which sounds for as long as its pin is high."""

    def __init__(self, pin: int, *, factory: Any) -> None:
        self._buzzer = gpiozero.Buzzer(pin, pin_factory=factory)

    def play(self, tune: Tune) -> None:
        """Sound a tune in the background; one that still sounds is cut short."""
        beeps = TUNES[tune]
        self._buzzer.beep(beeps.on_s, beeps.off_s, beeps.times)

    def close(self) -> None:
        """Fall silent and give the pin back."""
        self._buzzer.off()
        self._buzzer.close()
