"""The GPIO pins under every wired part: those of a Pi, or mock ones. Chosen by name, never by what happens to work."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from gpiozero import InputDevice

from hardware.parts import PartError

Driver = Literal["lgpio", "mock"]

KERNEL: Final = 1  # of lgpio's line flags: somebody has it
FACTORIES: Final[dict[Driver, tuple[str, str]]] = {
    "lgpio": ("gpiozero.pins.lgpio", "LGPIOFactory"),
    "mock": ("gpiozero.pins.mock", "MockFactory"),
}


def factory(driver: Driver, *, levels: Path | None = None, closed: Iterable[int] = ()) -> Any:
    """Return gpiozero's pin factory of that name; raise PartError saying what it lacks.

    Mock pins keep their levels in the file `levels`, as wires do, where one is given: a new one has the contacts
    `closed` closed. Real pins need neither.
    """
    module, name = FACTORIES[driver]
    try:
        # lgpio moves the whole process into LG_WD when it is imported; relative paths must not change under us.
        with contextlib.chdir("."):
            if driver == "mock" and levels:
                return importlib.import_module("hardware.levels").Factory(levels, closed)
            return getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise PartError(
            f"no pins through {driver}: {error}. On a Raspberry Pi: apt install python3-lgpio, put the user into group "
            "gpio, and set LG_WD to a folder it may write, where lgpio keeps a FIFO (systemd: RuntimeDirectory). "
            'Anywhere else: pins.driver = "mock"'
        ) from error


def free(factory: Any, pin: int) -> None:
    """Give the pin of a device that is closed back to the kernel, so that another process can have it.

    On lgpio gpiozero keeps it claimed, as an input, for as long as the process lives.
    """
    handle = getattr(factory, "_handle", None)  # of lgpio; mock pins have no kernel
    if handle is not None:
        lgpio = importlib.import_module("lgpio")
        with contextlib.suppress(lgpio.error):  # it was free
            lgpio.gpio_free(handle, pin)


def level(factory: Any, pin: int, *, pull_up: bool | None) -> bool:
    """Read a pin as an input, once; True is high."""
    active_state = True if pull_up is None else None
    with InputDevice(pin, pull_up=pull_up, active_state=active_state, pin_factory=factory) as device:
        return bool(device.pin.state)


def holder(factory: Any, pin: int) -> str:
    """Return who has the pin, as the kernel knows it; nothing when it is free."""
    handle = getattr(factory, "_handle", None)
    if handle is None:
        return ""
    lgpio = importlib.import_module("lgpio")
    status, _, flags, _, user = lgpio.gpio_get_line_info(handle, pin)
    return (user or "the kernel") if status == 0 and flags & KERNEL else ""
