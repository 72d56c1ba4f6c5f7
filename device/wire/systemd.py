"""What systemd is told of a program, gate or controller: ready, alive, stopping."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


class Systemd:
    """The service manager's notification socket (sd_notify(3)); without one, nothing is said."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")

    def say(self, state: str) -> None:
        """Say READY=1, WATCHDOG=1 or STOPPING=1."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            notify.setblocking(False)
            try:
                notify.sendto(state.encode("ascii"), address)
            except OSError as error:
                log.warning("systemd cannot be told %s: %s", state, error)
