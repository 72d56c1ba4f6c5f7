"""An emulated Pi with its wires, and the processes that run on it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.kernel import seccomp
from tests.kernel.gpiochip import Chip
from tests.kernel.i2c import Bus, Mlx90614
from tests.kernel.machine import Machine
from tests.kernel.wall import BUZZER, LAMP, RELAY
from tests.processes import guardian_of

ROOT: Final = Path(__file__).parents[2]
OUTER, INNER, FIRE, DOOR = 25, 16, 12, 4
RESISTORS: Final[dict[int, Any]] = {RELAY: 0, BUZZER: 0, OUTER: 1, INNER: 1, **dict.fromkeys(LAMP, 0)}
WITHIN_S: Final = 15.0


def why_not() -> str:
    if importlib.util.find_spec("lgpio") is None:
        return f"there is no lgpio for Python {sys.version_info.major}.{sys.version_info.minor} here"
    return seccomp.why_not()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.001)


class Wall:
    """A board and a thermometer in a process on the emulated machine."""

    def __init__(self, machine: Machine, folder: Path, **more: int) -> None:
        self.run = folder / "run"
        self.run.mkdir(exist_ok=True)
        environment = os.environ | {"LG_WD": str(self.run), "PYTHONPATH": str(ROOT)}
        words = (sys.executable, "-P", "-m", "tests.kernel.wall", str(folder), json.dumps(more))
        self.process = machine.start(
            *words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.first = self.line()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self._lines.get(timeout=WITHIN_S)

    def do(self, act: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(f"{act}\n")
        return self.line()

    def said(self) -> list[str]:
        """Return what the inputs have said, up to a lamp that is shown now."""
        lines = [self.do("lamp off")]
        while lines[-1] != "done":
            lines.append(self.line())
        return lines[:-1]

    def close(self, number: signal.Signals | None = None) -> None:
        if number:
            self.process.send_signal(number)
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        assert self.process.stdout
        self.process.stdout.close()


class Pi:
    """An emulated Pi with its wires."""

    def __init__(self, folder: Path, *, persist: bool = True) -> None:
        self.folder = folder
        self.chip = Chip(RESISTORS, persist=persist)
        self.sensor = Mlx90614()
        self.bus = Bus({0x5A: self.sensor})
        self.machine = Machine({"/dev/gpiochip0": self.chip, "/dev/i2c-1": self.bus})
        self.walls: list[Wall] = []
        for pin in (OUTER, INNER, FIRE):
            self.chip.drive(pin, 0)  # beams are whole, and nothing burns

    def wall(self, **more: int) -> Wall:
        self.walls.append(Wall(self.machine, self.folder, **more))
        return self.walls[-1]

    def guardian(self) -> int:
        """Return the process id of the relay's guardian; 0 when there is none."""
        return guardian_of(self.folder)


@contextlib.contextmanager
def running(folder: Path, *, persist: bool = True) -> Iterator[Pi]:
    pi = Pi(folder, persist=persist)
    with pi.machine:
        try:
            yield pi
        finally:
            for wall in pi.walls:
                wall.close()
            if guardian := pi.guardian():
                os.kill(guardian, signal.SIGTERM)
            until(lambda: not pi.guardian(), "the guardian's end")
