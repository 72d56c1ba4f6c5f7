"""The light a person sees: red, green and blue in one lamp."""

from __future__ import annotations

from typing import Any, Final

from gpiozero import RGBLED

from hardware.parts import Colour

COLOURS: Final[dict[Colour, tuple[int, int, int]]] = {
    "off": (0, 0, 0),
    "green": (0, 1, 0),
    "amber": (1, 1, 0),
    "red": (1, 0, 0),
    "white": (1, 1, 1),
    "blue": (0, 0, 1),
}


class Lamp:
    """Three active-high outputs, fully on or off."""

    def __init__(self, red: int, green: int, blue: int, *, factory: Any) -> None:
        self._led = RGBLED(red, green, blue, pwm=False, pin_factory=factory)

    def show(self, colour: Colour) -> None:
        """Hold this colour until told another."""
        self._led.value = COLOURS[colour]

    def close(self) -> None:
        """Go dark and give the pins back."""
        self._led.off()
        self._led.close()
