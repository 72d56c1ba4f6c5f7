"""The contact that is closed as long as the door is."""

from __future__ import annotations

import time
from typing import Any

from hardware.contact import Contact
from hardware.parts import DoorChanged, Tell


class Door:
    """A normally-closed contact between its pin and ground: open is an open door, and so is a cut cable.

    How it is, is told once at the start and then whenever it changes, so that one that stood open before anybody looked
    is not taken for one that was opened.
    """

    def __init__(self, pin: int, *, factory: Any, tell: Tell) -> None:
        self._contact = Contact(
            pin,
            factory=factory,
            closed=lambda at: tell(DoorChanged(open=False, at=at)),
            opened=lambda at: tell(DoorChanged(open=True, at=at)),
        )
        if not self._contact.begin():
            tell(DoorChanged(open=True, at=time.monotonic()))

    def close(self) -> None:
        """Give the pin back."""
        self._contact.close()
