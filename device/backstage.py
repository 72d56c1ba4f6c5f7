"""The emulated world around a running gate: standard input moves it, standard output says what came of it.

One line, one act, as hardware/stage.py lists them; the answer is `done`, or `cannot` and why. In between stands what
the pins do: `pins SECONDS NAME=LEVEL ...`, the names as in [pins], all of them at first and then those that changed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from device.clock import machine
from device.config import PinsSection
from device.timekeeper import Sample
from hardware.parts import PartError
from hardware.scene import Scene, load
from hardware.stage import INPUTS, Stage, StageError
from hardware.witness import Levels, Witness

log = logging.getLogger(__name__)

OUTPUTS: Final = ("relay", "lamp_red", "lamp_green", "lamp_blue", "buzzer")


def clocks(scene: Path) -> Callable[[], Sample]:
    """Return what reads the machine's clocks as the scene says they are."""

    def sample() -> Sample:
        try:
            world = load(scene)
        except PartError:  # the camera says what is wrong with it
            world = Scene()
        wall, mono, synced = machine()
        return Sample(wall + world.clock_s, mono, synced if world.ntp == "machine" else world.ntp == "yes")

    return sample


def play(factory: Any, pins: PinsSection, scene: Path, lines: Iterable[str], say: Callable[[str], None]) -> None:
    """Act the lines, one after the other, until they end; two threads `say` what comes of it."""
    outputs = {name: getattr(pins, name) for name in OUTPUTS}
    inputs = {name: number for name in INPUTS if (number := getattr(pins, name))}

    def look() -> Levels:
        driven = {name: bool(factory.levels.read(number).high) for name, number in outputs.items()}
        return driven | {name: bool(factory.pin(number).state) for name, number in inputs.items()}

    def pins_are(at: float, levels: Levels) -> None:
        say(" ".join((f"pins {at:.3f}", *(f"{name}={high:d}" for name, high in levels.items()))))

    witness = Witness(look, pins_are)
    witness.thread.start()
    stage = Stage.around(factory, pins, scene)
    for line in lines:
        try:
            stage.do(line.strip())
        except StageError as error:
            log.error("%s", error)  # noqa: TRY400 a typo is no traceback
            say(f"cannot {error}")
        else:
            say("done")
    witness.stop()


def say(line: str) -> None:
    """Write a line to standard output, and whole: two threads do."""
    with contextlib.suppress(BrokenPipeError):  # nobody listens
        os.write(sys.stdout.fileno(), f"{line}\n".encode())
