"""The levels of mock pins, in a small file that outlives the processes which drive them, as wires do.

Whoever opens it sees what another process drives, counts its edges, and may press what that one reads.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from gpiozero.pins.mock import MockFactory, MockPin

PINS: Final = 28
SLOT: Final = struct.Struct(
    "=BBHId"
)  # what the world drives, what a program drives, nothing, edges, when the last came
STATES: Final = (None, False, True)  # of the first two; a file of zeros is a board that nobody touches


class Level(NamedTuple):
    """An output as a relay behind it sees it: where no program drives the pin, its pull-down does."""

    high: bool
    edges: int  # since the file was made
    at: float  # monotonic seconds of the last edge


class Levels:
    """The file."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < PINS * SLOT.size:
                os.pwrite(descriptor, bytes(PINS * SLOT.size), 0)
            self._map = mmap.mmap(descriptor, PINS * SLOT.size)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give the memory back; the file stays."""
        self._map.close()

    def read(self, pin: int) -> Level:
        """Return an output's level."""
        _, driven, _, edges, at = SLOT.unpack_from(self._map, pin * SLOT.size)
        return Level(STATES[driven] is True, edges, at)

    def pressed(self, pin: int) -> bool | None:
        """Return what the world drives an input to; None: nothing does, and its pull decides."""
        return STATES[self._map[pin * SLOT.size]]

    def press(self, pin: int, level: bool | None) -> None:  # noqa: FBT001 a level is no flag
        """Be the world: drive an input, or let it float."""
        self._map[pin * SLOT.size] = STATES.index(level)

    def drive(self, pin: int, level: bool | None) -> None:  # noqa: FBT001
        """Be a program: drive an output, or give it back."""
        high, edges, at = self.read(pin)
        if high != bool(level):
            edges, at = edges + 1, time.monotonic()
        SLOT.pack_into(self._map, pin * SLOT.size, self._map[pin * SLOT.size], STATES.index(level), 0, edges, at)


class Pin(MockPin):  # type: ignore[misc] # gpiozero ships no types
    """A mock pin whose level stands in the file. Only the process that presses an input hears of it by callback."""

    def __init__(self, factory: Any, info: Any) -> None:
        self._levels: Levels = factory.levels
        super().__init__(factory, info)

    def drive_high(self) -> None:
        """Be the world."""
        self._levels.press(self._number, level=True)
        super().drive_high()

    def drive_low(self) -> None:
        """Be the world."""
        self._levels.press(self._number, level=False)
        super().drive_low()

    def _get_state(self) -> Any:
        if self._function == "output":
            return self._state
        pressed = self._levels.pressed(self._number)
        return self._pull == "up" if pressed is None else pressed

    def _change_state(self, value: Any) -> Any:
        changed = super()._change_state(value)
        if self._function == "output":
            self._levels.drive(self._number, bool(value))
        return changed

    def _set_function(self, value: Any) -> None:
        super()._set_function(value)
        self._levels.drive(self._number, bool(self._state) if value == "output" else None)

    def _set_pull(self, value: Any) -> None:
        pressed = self._levels.pressed(self._number)
        super()._set_pull(value)  # gpiozero's mock is pressed by its own pull; the world is stronger than that
        if pressed is None:
            self._levels.press(self._number, None)
        elif pressed:
            self.drive_high()
        else:
            self.drive_low()


class Factory(MockFactory):  # type: ignore[misc]
    """Mock pins whose levels are in a file; in a new one the contacts `closed` are closed to ground."""

    def __init__(self, path: Path, closed: Iterable[int] = ()) -> None:
        self.levels = Levels(path)
        super().__init__(pin_class=Pin)
        for pin in closed:
            if pin and self.levels.pressed(pin) is None:
                self.levels.press(pin, level=False)
