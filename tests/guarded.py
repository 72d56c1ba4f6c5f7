"""What the tests of identity share: an installation with a hardened mosquitto, its gates, and who listens there."""

from __future__ import annotations

import queue
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from controller.authority import Authority, name_for
from controller.broker import free_port
from controller.doors import Doors
from controller.enrol import Registrar
from controller.installation import GuardedBroker, Installation
from controller.refusals import Kind, Reader, Refusal
from controller.roles import Roles
from device.wire.link import Heard, Link, LinkSaid, Wire
from device.wire.messages import Place
from tests.attacker import Attacker, connect, publish

HERE: Final = "127.0.0.1"
PATIENCE_S: Final = 30.0  # a busy machine is slow, and whoever does not fail waits no longer than for what comes


class Pair:
    """A key and a certificate in one file, as a gate has them."""

    def __init__(self, path: Path, key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + certificate.encode())
        self.path = path
        self.key = key


class Ear:
    """Hears topics on the broker, from before this returns until it is stopped."""

    def __init__(self, wire: Wire, *topics: str) -> None:
        self._inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
        self.link = Link(wire, name=f"ear-{secrets.token_hex(4)}", hear=topics, put=self._inbox.put)
        self.link.start()
        deadline = time.monotonic() + PATIENCE_S
        while not self.link.up:
            assert time.monotonic() < deadline, "the broker does not let us hear"
            time.sleep(0.01)

    def until(self, topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        """Wait for a message, and return all that came before it."""
        before: list[tuple[str, bytes]] = []
        deadline = time.monotonic() + PATIENCE_S
        while True:
            said = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(said, Heard):
                if (said.topic, said.payload) == (topic, payload):
                    return before
                before.append((said.topic, said.payload))


class Guarded:
    """An installation at work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installation = Installation.make(
            folder / "authority", Doors(host=HERE, gates=free_port(), own=free_port(), enrol=0)
        )
        self.authority = self.installation.authority
        self.registrar = Registrar.at(self.installation)
        self.broker = GuardedBroker(self.installation)
        self.broker.start()
        self._log = (folder / "authority/broker/mosquitto.log").open(encoding="utf-8")
        self._reader = Reader()

    def admit(self, place: Place) -> tuple[str, Pair]:
        """Enrol a gate by hand; return its name, key and certificate."""
        name = name_for(place)
        self.installation.ledger.enrolled(place, name, at=0, until=0)
        with Roles(self.installation.wire) as roles:
            roles.add(place, name)
        return name, self.pair(name)

    def pair(self, name: str, *, by: Authority | None = None, now: datetime | None = None) -> Pair:
        """Make a key and a certificate for it, by this authority or another."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (by or self.authority).gate(key.public_key(), name, now=now or datetime.now(tz=UTC))
        return Pair(self.folder / f"{name}-{secrets.token_hex(4)}.pem", key, certificate)

    def wire(self, pair: Pair) -> Wire:
        """Return how a gate with this identity reaches the broker."""
        ca = str(self.installation.folder / "ca.crt")
        return Wire(host=HERE, port=self.installation.doors.gates, ca=ca, certificate=str(pair.path))

    def attacker(self, certificate: Path | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Attacker:
        """Connect as whoever this certificate says; without one, as nobody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.installation.folder / "ca.crt")
        context.maximum_version = newest
        if certificate:
            context.load_cert_chain(certificate)
        return Attacker(self.installation.doors.gates, context)

    def knock(self, certificate: Path | None = None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> str:
        """Try to connect with a certificate, or none, and to be heard."""
        try:
            with self.attacker(certificate, newest) as attacker:
                return attacker.ask(connect(), publish("menshen/expo/south/status", retain=True))
        except ssl.SSLError:
            return "closed"

    def told(self, kind: Kind, what: str = "") -> Refusal:
        """Wait until the broker's log tells of something since we last looked."""
        found: list[Refusal] = []
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self._log:
                found += self._reader.read(line)
            for refusal in found:
                if refusal.kind == kind and what in refusal.what:
                    return refusal
            time.sleep(0.01)
        raise AssertionError(f"the log tells of no {kind} {what!r}, but of {found}")

    def stop(self) -> None:
        """End it."""
        self.broker.stop()
        self.installation.close()
        self._log.close()


@contextmanager
def guarded(folder: Path) -> Iterator[Guarded]:
    """Run an installation for as long as the block."""
    running = Guarded(folder)
    try:
        yield running
    finally:
        running.stop()
