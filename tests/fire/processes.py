"""A controller, its gates and their broker, each a process that may be killed and started again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from controller.broker import Broker
from controller.store import Store
from device.record import BACKLOG
from device.wire.link import Wire
from device.wire.messages import Place
from tests.fire.gate import configure

ROOT: Final = Path(__file__).resolve().parents[2]
END_S: Final = 20.0


class FallenError(RuntimeError):
    """A process ended that nobody killed."""


class Processes:
    """All of them, speaking through `wire`, or straight to the broker.

    Each gate keeps `events`, one every `each_s` seconds or slower; more than `backlog` that wait are a backlog.
    """

    def __init__(
        self, folder: Path, wire: Wire | None = None, *, gates: int, each_s: float, events: int, backlog: int = BACKLOG
    ) -> None:
        self.broker = Broker(folder)
        wire = wire or self.broker.wire
        self.gates = [f"gate-{number}" for number in range(1, gates + 1)]
        self._folder = folder
        self._events = events
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        config = folder / "controller.toml"
        config.write_text(
            f'[store]\npath = "{folder / "controller.db"}"\n[wire]\nhost = "{wire.host}"\nport = {wire.port}\n'
            "[alerts]\nupdate_s = 0\n",  # every count is said, so that how late each comes can be measured
            encoding="utf-8",
        )
        self._words = {"controller": ["menshen", "controller", "run", "--config", str(config)]}
        for gate in self.gates:
            with Store(folder / "controller.db") as store:
                store.register(Place("expo", gate))
            path = configure(folder, gate, wire)
            self._words[gate] = ["tests.fire.gate", *map(str, (path, each_s, events, backlog))]

    def begin(self) -> None:
        """Start all of them."""
        self.broker.start()
        for name in self._words:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a controller or a gate."""
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *self._words[name]],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """Kill it where it stands."""
        process = self._running.pop(name)
        process.kill()
        process.wait(timeout=END_S)

    def check(self) -> None:
        """Raise FallenError when one ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = (self._folder / f"{name}.log").read_text(errors="replace")
                raise FallenError(f"{name} ended with {process.returncode}: {log[-2000:]}")

    def fed(self) -> bool:
        """Tell whether every gate has kept its events."""
        return all(
            path.exists() and path.read_bytes().count(b"\n") >= self._events
            for path in (self._folder / f"{gate}.kept" for gate in self.gates)
        )

    def stop(self) -> None:
        """Ask all to end, gates first."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=END_S)
        self.broker.stop()
