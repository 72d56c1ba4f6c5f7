"""Our own programs, run side by side on one machine for the demo, the kiosk and tests; what they log is in a folder."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from controller.doors import HERE
from device.wire.enrolment import ClaimCode

PATIENCE_S: Final = 20.0  # for one expected thing to happen; the first waits for everything to start


class TroupeError(RuntimeError):
    """The stage could not be set, or a part of it fell over."""


def end_in_order() -> None:
    """Let a kill and a closed terminal end this program as Ctrl-C does: what it started is ended and cleared away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@dataclass
class Troupe:
    """The processes on stage, and the folder they live in."""

    folder: Path
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, name: str, *words: str, stdout: int | None = None) -> None:
        """Start one of our own programs; its log goes into the folder, and what it says too, unless there is a pipe."""
        with (self.folder / f"{name}.log").open("a") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "menshen", *words],
                stdin=subprocess.PIPE,
                stdout=log if stdout is None else stdout,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for whoever started them, who then ends the others in order
            )

    def start_enrolling(self, name: str) -> None:
        """Start what gets the gate of one entrance its identity; it waits to be told the claim code."""
        self.start(_enrolling(name), "gate", "enrol", "--config", str(self.folder / f"{name}.toml"))

    def enrol(self, name: str, claim: ClaimCode) -> None:
        """Let it do so."""
        self.tell(_enrolling(name), claim.text)

    def enrolled(self, name: str) -> None:
        """Wait until it has."""
        process = self.running.pop(_enrolling(name))
        process.communicate(timeout=PATIENCE_S)
        if process.returncode:
            raise TroupeError(self.log(_enrolling(name)))

    def answers(self, name: str, port: int) -> None:
        """Wait until one of them listens on a port."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(OSError):
                socket.create_connection((HERE, port), timeout=1).close()
                return
            time.sleep(0.02)
        raise TroupeError(f"{name} does not answer: {self.log(name)}")

    def start_gate(self, name: str, stdout: int | None = None) -> None:
        """Start the gate of one entrance; its standard input moves the world around it."""
        self.start(name, "gate", "run", "--stage", "--config", str(self.folder / f"{name}.toml"), stdout=stdout)

    def tell(self, name: str, line: str) -> None:
        """Move the world around a gate."""
        stdin: IO[str] | None = self.running[name].stdin
        if stdin is None or self.running[name].poll() is not None:
            raise TroupeError(f"{name} is gone: {self.log(name)}")
        stdin.write(line + "\n")
        stdin.flush()

    def kill(self, name: str) -> None:
        """Cut the power of one of them."""
        process = self.running.pop(name)
        process.kill()
        process.communicate()

    def check(self) -> None:
        """Raise TroupeError when one of them fell over by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                raise TroupeError(f"{name} ended with {process.returncode}: {self.log(name)}")

    def log(self, name: str) -> str:
        """Return the end of what one of them logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-1500:]

    def stop(self) -> None:
        """End all of them, the last first."""
        for process in reversed(self.running.values()):
            process.terminate()
        for process in reversed(self.running.values()):
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _enrolling(name: str) -> str:
    return f"{name}-enrol"
