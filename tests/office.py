"""What the tests of enrolling share: an installation with its door open, and somebody who answers in its stead."""

from __future__ import annotations

import http.client
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from controller.door import Door
from controller.enrol import Registrar
from controller.roles import Roles
from device.identity import request
from device.wire import enrolment
from device.wire.enrolment import ClaimCode, EnrolRequest
from device.wire.messages import Place
from tests.guarded import HERE, Guarded

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")


class Office(Guarded):
    """An installation whose door is open, and whose clock the test sets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ahead = timedelta()
        self.registrar = Registrar(
            authority=self.authority,
            ledger=self.installation.ledger,
            doors=self.installation.doors,
            roles=lambda: Roles(self.installation.wire),
            now=self.time,
        )
        self.door = Door(self.registrar, 0, host=HERE)
        self.door.start()

    @property
    def now(self) -> datetime:
        """Return the controller's time."""
        return datetime.now(tz=UTC) + self.ahead

    def time(self) -> float:
        """Return it in seconds since 1970."""
        return self.now.timestamp()

    def claim(self, place: Place = NORTH) -> ClaimCode:
        """Open an entrance; the door has whatever port was free."""
        return self.registrar.claim(place)._replace(port=self.door.port)

    def post(self, page: str, body: bytes) -> tuple[int, bytes]:
        """Say anything at the door."""
        connection = http.client.HTTPConnection(HERE, self.door.port, timeout=10)
        connection.request("POST", page, body)
        response = connection.getresponse()
        said = response.status, response.read()
        connection.close()
        return said

    def stop(self) -> None:
        """End all of it."""
        self.door.stop()
        super().stop()


def asked(claim: ClaimCode) -> EnrolRequest:
    """Return what a gate with this code would ask."""
    _, csr = request()
    proof = enrolment.mac(enrolment.key(claim.code, claim.place), "gate", str(claim.place), csr)
    return EnrolRequest(place=str(claim.place), csr=csr, mac=proof)


class Liar:
    """Answers any one question over HTTP with these bytes."""

    def __init__(self, answer: bytes) -> None:
        self._socket = socket.create_server((HERE, 0))
        self.port = self._socket.getsockname()[1]
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode()
        self._thread = threading.Thread(target=self._run, args=(head + answer,))

    def _run(self, said: bytes) -> None:
        caller, _ = self._socket.accept()
        with caller:
            heard = b""
            while b"\r\n\r\n" not in heard or not heard.rstrip().endswith(b"}"):
                heard += caller.recv(65536)
            caller.sendall(said)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(timeout=10)
        self._socket.close()
