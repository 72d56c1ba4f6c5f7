"""What hangs on the wall of an emulated machine: a board on lgpio and a thermometer, as the gate builds them.

    python -m tests.kernel.wall FOLDER PINS

PINS names more pins as JSON. Each line of standard input is one act: `lamp COLOUR`, `tune TUNE`, `release`,
`temperature`; the answer is one line, and so is whatever the inputs say meanwhile. The end of the input is the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hardware import board, pins
from hardware.guardian import Charge
from hardware.keeper import Keeper
from hardware.parts import Board, PartSaid
from hardware.thermometer import mlx90614

RELAY, LAMP, BUZZER, BUTTON = 17, (22, 23, 24), 18, 5


def say(line: str) -> None:
    """Say it in one write, from whichever thread."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(said: PartSaid) -> None:
    """Say what an input says."""
    fields = {name: value for name, value in vars(said).items() if name not in ("at", "detail")}
    say(f"{type(said).__name__} {json.dumps(fields)}")


def build(folder: Path, more: dict[str, int]) -> Board:
    """Claim the pins."""
    factory = pins.factory("lgpio")
    charge = Charge(driver="lgpio", relay=RELAY, pulse_ms=300, fire=more.pop("fire", 0), levels=str(folder))
    keeper = Keeper(charge, factory=factory, tell=tell)
    return board.build(
        factory=factory, tell=tell, turnstile=keeper, lamp=LAMP, buzzer=BUZZER, staff_button=BUTTON, **more
    )


def temperature() -> str:
    """Read the thermometer on a bus of its own."""
    thermometer = mlx90614.Thermometer(bus=1)
    try:
        reading = thermometer.read()
    finally:
        thermometer.close()
    return f"{reading.object_c} {reading.ambient_c}"


def main() -> None:
    """Do what standard input says."""
    try:
        wired = build(Path(sys.argv[1]), json.loads(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 said to the test
        say(f"{type(error).__name__}: {error}")
        return
    acts: dict[str, Callable[[Any], object]] = {
        "lamp": wired.lamp.show,
        "tune": wired.buzzer.play,
        "release": lambda _: wired.turnstile.release(),
        "temperature": lambda _: temperature(),
    }
    say("ready")
    for line in sys.stdin:
        act, _, word = line.strip().partition(" ")
        try:
            say(f"done {acts[act](word) or ''}".strip())
        except Exception as error:  # noqa: BLE001 said to the test
            say(f"{type(error).__name__}: {error}")
    wired.close()
    say("closed")


if __name__ == "__main__":
    main()
