"""The staff button."""

from __future__ import annotations

from typing import Any

from hardware.contact import Contact
from hardware.parts import Pressed, Released, Tell


class Button:
    """A push button between its pin and ground. One that is down from the start is told at once: it may be stuck."""

    def __init__(self, pin: int, *, factory: Any, tell: Tell) -> None:
        self._contact = Contact(
            pin,
            factory=factory,
            closed=lambda at: tell(Pressed(at=at)),
            opened=lambda at: tell(Released(at=at)),
        )
        self._contact.begin()

    def close(self) -> None:
        """Give the pin back."""
        self._contact.close()
