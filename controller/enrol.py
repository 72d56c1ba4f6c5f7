"""How a gate gets its identity, renews it and loses it: claim code, certificate, role on the broker.

The book is written first and the broker told after; what the broker could not hear it is told when it is back.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from controller import deeds
from controller.authority import GATE_LIFE, Authority, AuthorityError, name_for, read_request
from controller.config import Config, configured
from controller.database import StoreError
from controller.doors import Doors
from controller.installation import Installation, opened
from controller.ledger import Ledger
from controller.roles import Roles, RolesError
from controller.store import Store
from controller.tables import place
from device.wire import enrolment
from device.wire.enrolment import ClaimCode, Enrolled, EnrolRequest, Renewed, RenewRequest
from device.wire.messages import MessageError, Place

log = logging.getLogger(__name__)

LASTS: Final = timedelta(minutes=10)
TRIES: Final = 5


class EnrolError(RuntimeError):
    """A gate that gets no certificate. The text is for our log; to the other side all of them look alike."""


class Registrar:
    """Gives gates their identities and takes them back."""

    def __init__(
        self,
        *,
        authority: Authority,
        ledger: Ledger,
        doors: Doors,
        roles: Callable[[], AbstractContextManager[Roles]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._ledger = ledger
        self._doors = doors
        self._roles = roles
        self._now = now

    @classmethod
    def at(cls, installation: Installation) -> Registrar:
        """Return the registrar of an installation."""
        return cls(
            authority=installation.authority,
            ledger=installation.ledger,
            doors=installation.doors,
            roles=lambda: Roles(installation.wire),
        )

    def claim(self, place: Place) -> ClaimCode:
        """Open an entrance to one new gate, for ten minutes and five tries; raise AuthorityError for long ids.

        The code is told here and nowhere else. A gate that is enrolled there goes on until the new one comes.
        """
        name_for(place)
        code = enrolment.make_code()
        until = int(self._now() + LASTS.total_seconds())
        self._ledger.offer(place, enrolment.key(code, place), until=until, tries=TRIES)
        return ClaimCode(self._doors.host, self._doors.enrol, place, code)

    def enrol(self, request: EnrolRequest) -> Enrolled:
        """Give a certificate to whoever has the claim code; raise EnrolError for all others."""
        place, key = self._claimant(request)
        name = name_for(place)
        certificate = self._certify(request.csr, name)
        if not self._ledger.claimed(place, key):
            raise EnrolError(f"{place}: the code was used by another at the same moment")
        self._ledger.enrolled(place, name, at=int(self._now()), until=self._until())
        self._tell(lambda roles: roles.add(place, name))
        log.info("%s: a new gate is enrolled as %s", place, name)
        answer = Enrolled(
            certificate=certificate, authority=self._authority.pem, host=self._doors.host, port=self._doors.gates
        )
        return answer.proven(key)

    def renew(self, request: RenewRequest) -> Renewed:
        """Give a gate in force its next certificate; raise EnrolError unless it holds the key of its present one."""
        try:
            present = self._authority.read(request.certificate, datetime.fromtimestamp(self._now(), tz=UTC))
            present.key.verify(bytes.fromhex(request.signature), request.csr.encode(), ec.ECDSA(hashes.SHA256()))
        except (AuthorityError, InvalidSignature, ValueError) as error:
            raise EnrolError(f"no renewal: {error or 'the signature is not by the key of the certificate'}") from error
        if present.name not in self._ledger.names():
            raise EnrolError(f"no renewal: {present.name} was revoked or replaced")
        certificate = self._certify(request.csr, present.name)
        self._ledger.renewed(present.name, until=self._until())
        log.info("%s: the certificate is renewed", present.name)
        return Renewed(certificate=certificate)

    def revoke(self, place: Place) -> bool:
        """Take an entrance's identity back, for good, and at once if the broker answers; False: it does not."""
        self._ledger.revoked(place, at=int(self._now()))
        return self._tell(lambda roles: roles.revoke(place))

    def agree(self) -> bool:
        """Make the broker follow the book; to be called whenever the broker is there again. False: it is not."""
        return self._tell(lambda roles: roles.agree(self._ledger.names(), self._ledger.readers()))

    def _claimant(self, request: EnrolRequest) -> tuple[Place, bytes]:
        """Return the entrance a request is for, and the key that proves the answer."""
        try:
            place = Place.parse(request.place)
        except MessageError as error:
            raise EnrolError("a request for no entrance") from error
        key = self._ledger.attempt(place, int(self._now()))
        # Without an open code compare all the same: the time taken does not tell whether there is one.
        proof = enrolment.mac(key or secrets.token_bytes(32), "gate", request.place, request.csr)
        if not enrolment.same(proof, request.mac) or key is None:
            raise EnrolError(f"{place}: wrong code" if key else f"{place}: no code is open")
        return place, key

    def _certify(self, csr: str, name: str) -> str:
        try:
            return self._authority.gate(read_request(csr), name, now=datetime.fromtimestamp(self._now(), tz=UTC))
        except AuthorityError as error:
            raise EnrolError(f"{name}: {error}") from error

    def _until(self) -> int:
        return int(self._now() + GATE_LIFE.total_seconds())

    def _tell(self, act: Callable[[Roles], object]) -> bool:
        try:
            with self._roles() as roles:
                act(roles)
        except RolesError as error:
            log.warning("%s", error)
            return False
        return True


def offer(config: Config, where: Place, by: str, out: Path | None = None) -> None:
    """Print a claim code for the gate of a registered entrance, and what to do with it."""
    with opened(config) as installation:
        claim = Registrar.at(installation).claim(where)
    _note(config, by, "claim_made", where)
    code = segno.make_qr(claim.text)
    code.terminal(compact=True)
    if out:
        code.save(str(out), scale=8, border=4)
    click.echo(
        f"{where}: {claim.code}\n在门机上，十分钟内 / on the gate, within ten minutes: menshen gate enrol --camera, "
        f"or menshen gate enrol --host {claim.host} --port {claim.port}"
    )


@click.command("claim")
@configured
@click.argument("where", metavar="SITE/ENTRANCE", callback=place)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Also a picture of the QR code, PNG or SVG. 另存二维码图片"
)
@deeds.by
def claim_command(*, config: Config, where: Place, out: Path | None, by: str) -> None:
    """Print a claim code for the gate of an entrance: good once, for ten minutes. 生成一次性领取码，十分钟内有效"""
    try:
        with Store(Path(config.store.path), read_only=True) as store:
            known = where in store.registered()
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    if not known:
        raise click.ClickException(f"{where} is not registered: menshen entrance add {where} --claim")
    offer(config, where, by, out)


def _note(config: Config, by: str, change: str, where: Place) -> None:
    """Write into the journal who did it; never the code."""
    try:
        with Store(Path(config.store.path)) as store:
            store.note(by, change, entrance=str(where))
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def withdraw(config: Config, where: Place, by: str) -> None:
    """Take the identity of an entrance's gate back; raise ClickException when the broker cannot be told now."""
    with opened(config) as installation:
        _note(config, by, "gate_revoked", where)
        told = Registrar.at(installation).revoke(where)
    if not told:
        raise click.ClickException(
            f"{where} is revoked, but the broker does not answer; it will know when it starts, or the controller does"
        )


@click.command("revoke")
@configured
@click.argument("where", metavar="SITE/ENTRANCE", callback=place)
@deeds.by
def revoke_command(*, config: Config, where: Place, by: str) -> None:
    """Take the identity of an entrance's gate back, at once and for good. 立即吊销门机身份"""
    withdraw(config, where, by)
    click.echo(f"{where} 已吊销 / is revoked")
