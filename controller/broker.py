"""A mosquitto of our own: private configuration, a free port on loopback, nothing kept on disk. For demo and tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from device.wire.link import Wire

START_S: Final = 10.0


class BrokerError(RuntimeError):
    """mosquitto cannot be had; the text names the fix."""


def find() -> str:
    """Return where mosquitto is; Debian keeps it in a folder that ordinary users do not search."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BrokerError("mosquitto is not installed: apt-get install mosquitto")
    return found


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One mosquitto process; the same port across stop and start."""

    def __init__(self, folder: Path) -> None:
        self.wire = Wire(host="127.0.0.1", port=free_port())
        self._log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.wire.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\n"
            "set_tcp_nodelay true\n",
            encoding="ascii",
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([find(), "-c", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.wire.host, self.wire.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise BrokerError(f"mosquitto did not start: {self._log.read_text(errors='replace')[-500:]}")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def kill(self) -> None:
        """Kill it where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
