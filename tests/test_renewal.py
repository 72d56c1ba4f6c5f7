"""A gate renews its certificate by itself, connects with the new one, and says when it cannot."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device import enrol
from device.identity import Identity
from device.renewal import CertificateEnds, Renewal
from device.wire.link import Link, LinkChanged, LinkSaid, Wire
from tests.guarded import HERE, Ear
from tests.office import NORTH, Office


def standing(folder: Path, days: float, renewed: list[str]) -> str:
    """Return what is said of the certificate so many days from now."""
    said: queue.SimpleQueue[CertificateEnds] = queue.SimpleQueue()
    renewal = Renewal(
        folder,
        put=said.put,
        renewed=lambda: renewed.append("renewed"),
        now=lambda: datetime.now(tz=UTC) + timedelta(days=days),
    )
    renewal.thread.start()
    detail = said.get(timeout=10).detail
    renewal.stop()
    assert not renewal.thread.is_alive()
    return detail


def test_it_is_renewed_at_sixty_days(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    before, renewed = Identity.load(tmp_path).key, list[str]()
    assert standing(tmp_path, 59, renewed) == ""
    assert not renewed
    assert standing(tmp_path, 61, renewed) == ""
    assert renewed == ["renewed"]
    assert Identity.load(tmp_path).key.public_key() != before.public_key()


@pytest.mark.parametrize(
    ("days", "said"), [(61, ""), (63, "26 days left: "), (89.5, "0 days left: "), (200, "0 days left: ")]
)
def test_when_it_cannot_be_renewed_it_is_said_once_it_is_overdue(
    office: Office, tmp_path: Path, days: float, said: str
) -> None:
    enrol.enrol(office.claim(), tmp_path)
    office.registrar.revoke(NORTH)
    detail = standing(tmp_path, days, [])
    assert detail.startswith(said)
    assert ("refused" in detail) == bool(said)


def test_an_identity_that_is_gone_is_said_at_once(tmp_path: Path) -> None:
    assert "`menshen gate enrol` makes it" in standing(tmp_path, 0, [])


def test_the_link_connects_with_the_new_certificate(office: Office, tmp_path: Path) -> None:
    """Revoked and enrolled anew, so that the broker only knows who it is by the new one."""
    wire = enrol.enrol(office.claim(), tmp_path)
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    ear = Ear(office.installation.wire, "menshen/#")
    link = Link(wire, name="gate", hear=(NORTH.topic("ack"),), put=inbox.put)
    link.start()
    assert inbox.get(timeout=10) == LinkChanged(up=True)
    old = Identity.load(tmp_path)
    enrol.enrol(office.claim(), tmp_path)  # which also cuts the old one off
    assert Identity.load(tmp_path).certificate != old.certificate
    assert isinstance(down := inbox.get(timeout=10), LinkChanged)
    assert not down.up
    assert inbox.get(timeout=20) == LinkChanged(up=True)
    link.reconnect()
    assert inbox.get(timeout=10) == LinkChanged(up=False, reason="Normal disconnection")
    assert inbox.get(timeout=10) == LinkChanged(up=True)
    link.say(NORTH.topic("scan"), b"again")
    ear.until(NORTH.topic("scan"), b"again")
    for each in (link, ear.link):
        each.stop()


def without_files(folder: Path, port: int, put: Callable[[LinkSaid], None]) -> Link:
    wire = Wire(host=HERE, port=port, ca=str(folder / "ca.crt"), certificate=str(folder / "gate.pem"))
    return Link(wire, name="gate", hear=(NORTH.topic("ack"),), put=put)


def test_a_link_without_its_files_waits_for_them(office: Office, tmp_path: Path) -> None:
    """A gate whose identity is missing decides as ever, and connects when it is enrolled."""
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = without_files(tmp_path / "identity", office.installation.doors.gates, inbox.put)
    link.start()
    enrol.enrol(office.claim(), tmp_path / "identity")
    assert inbox.get(timeout=20) == LinkChanged(up=True)
    link.stop()


def test_a_link_without_its_files_never_speaks_plainly(tmp_path: Path) -> None:
    with socket.create_server((HERE, 0)) as listener:
        link = without_files(tmp_path, listener.getsockname()[1], lambda _: None)
        link.start()
        listener.settimeout(1)
        with pytest.raises(TimeoutError):
            listener.accept()
        link.stop()
