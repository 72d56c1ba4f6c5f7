"""A network cable on loopback that can be pulled: what a gate says to its broker goes through it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Final

CHUNK: Final = 1 << 16  # bytes
HERE: Final = "127.0.0.1"


class Cable:
    """Carries connections to one port. Pulled, it breaks those there are and takes no more."""

    def __init__(self, far: int) -> None:
        self._far = far
        self._near = socket.create_server((HERE, 0))
        self._whole = True
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="cable", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the near end's TCP port."""
        return int(self._near.getsockname()[1])

    def pull(self) -> None:
        """Break it."""
        with self._lock:
            self._whole = False
            for end in self._ends:
                _hang_up(end)

    def mend(self) -> None:
        """Make it whole again."""
        with self._lock:
            self._whole = True

    def close(self) -> None:
        """Break it for good."""
        self.pull()
        with contextlib.suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._near.close()
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._near.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), name="cable-line", daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Carry both ways until an end goes, or the cable is pulled."""
        with near, contextlib.suppress(OSError), socket.create_connection((HERE, self._far), timeout=5) as far:
            with self._lock:
                if not self._whole:
                    return
                self._ends |= {near, far}
            try:
                _shuttle(near, far)
            finally:
                with self._lock:
                    self._ends -= {near, far}


def _shuttle(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as ready:
        ready.register(near, selectors.EVENT_READ, far)
        ready.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in ready.select():
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                data = source.recv(CHUNK)
                if not data:
                    return
                key.data.sendall(data)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
