"""How this gate comes by its identity, with a claim code, and renews it by itself long before it ends."""

from __future__ import annotations

import http.client
import queue
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec
from msgspec import Struct

from device import config as configuration
from device.config import Config
from device.eye import Eye
from device.identity import FILE, Identity, IdentityError, replace, request
from device.settings import SettingsError
from device.sight import EyeFault, EyeSaid, Seen
from device.wire import enrolment
from device.wire.enrolment import ClaimCode, ClaimError, Enrolled, EnrolRequest, Refused, Renewed, RenewRequest
from device.wire.link import Wire
from device.wire.messages import MessageError, Place

FOLDER: Final = "identity"  # below the gate's data, unless another is asked for
LEFT: Final = timedelta(days=30)  # of 90: from here on a certificate is renewed
ANSWER_S: Final = 30.0  # seconds; the controller tells its broker first, which may take ten
SHOW_S: Final = 120.0  # seconds to hold the code before the lens

A = TypeVar("A", bound=Struct)


class EnrolError(RuntimeError):
    """No certificate could be had; the text names the fix."""


class Door(Struct, frozen=True):
    """Where the controller answers gates that want a certificate."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def enrol(claim: ClaimCode, folder: Path) -> Wire:
    """Get a certificate and keep it; return how to reach the broker. Raise EnrolError or IdentityError."""
    door = Door(claim.host, claim.port)
    key, csr = request()
    secret = enrolment.key(claim.code, claim.place)
    proof = enrolment.mac(secret, "gate", str(claim.place), csr)
    answer = _ask(door, "/enrol", EnrolRequest(place=str(claim.place), csr=csr, mac=proof), Enrolled)
    if not enrolment.same(answer.proof(secret), answer.mac):
        raise EnrolError(f"{door} does not know the code: it is not the controller that gave it")
    identity = Identity.check(key, answer.certificate, answer.authority)
    replace(folder / "ca.crt", answer.authority.encode())
    replace(folder / "door.json", msgspec.json.encode(door))
    identity.keep(folder)
    return Wire(host=answer.host, port=answer.port, ca=str(folder / "ca.crt"), certificate=str(folder / FILE))


def renew_if_due(folder: Path, now: datetime) -> bool:
    """Renew the certificate when thirty days of it are left, or less. True: connect with the new one from now on.

    Raise EnrolError or IdentityError when it is due and cannot be had. What there is stays, so ask again in an hour.
    """
    present = Identity.load(folder)
    if now < present.until - LEFT:
        return False
    try:
        door = msgspec.json.decode((folder / "door.json").read_bytes(), type=Door)
        authority = (folder / "ca.crt").read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise EnrolError(f"{folder}: {error}; enrol this gate again") from error
    key, csr = request()
    question = RenewRequest(certificate=present.pem, csr=csr, signature=present.sign(csr))
    renewed = Identity.check(key, _ask(door, "/renew", question, Renewed).certificate, authority)
    if renewed.certificate.subject != present.certificate.subject:
        raise EnrolError(f"{door} gave a certificate with another name: enrol this gate again")
    renewed.keep(folder)
    return True


def _ask(door: Door, page: str, question: Struct, answer: type[A]) -> A:
    connection = http.client.HTTPConnection(door.host, door.port, timeout=ANSWER_S)
    try:
        connection.request("POST", page, msgspec.json.encode(question), {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read(enrolment.MAX_BYTES + 1)
        if response.status != http.client.OK:
            raise EnrolError(f"{door}: {enrolment.read(Refused, said).error}")
        return enrolment.read(answer, said)
    except (OSError, http.client.HTTPException) as error:
        raise EnrolError(f"nobody answers at {door}: {error}; is the controller running there?") from error
    except ClaimError as error:
        raise EnrolError(f"{door} is no menshen controller: {error}") from error
    finally:
        connection.close()


def watch(config: Config, patience_s: float = SHOW_S) -> ClaimCode:
    """Wait until somebody holds a claim code before this gate's camera."""
    inbox: queue.SimpleQueue[EyeSaid] = queue.SimpleQueue()
    eye = Eye(config.camera, config.decoder, inbox.put)
    eye.start()
    deadline = time.monotonic() + patience_s
    try:
        while True:
            match inbox.get(timeout=max(0.0, deadline - time.monotonic())):
                case Seen(code=code) if code.text.startswith(enrolment.PREFIX):
                    return ClaimCode.parse(code.text)
                case EyeFault(raised=True, detail=detail):
                    click.echo(detail, err=True)
    except queue.Empty:
        raise EnrolError(f"no claim code was shown within {patience_s:g} s") from None
    finally:
        eye.stop()


@click.command("enrol")
@configuration.named
@click.option("--camera", is_flag=True, help="Let the camera read the code that the controller shows. 用摄像头读取")
@click.option("--host", help="The controller's name or address, for a code that is typed. 控制端地址")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=enrolment.PORT, show_default=True, help="Its door. 入网端口"
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to keep it; else below gate.data. 身份存放目录")
def command(*, path: Path, camera: bool, host: str | None, port: int, folder: Path | None) -> None:
    """Get this gate its identity with a claim code; without --camera it is asked for. 凭领取码获得身份证书"""
    try:
        config = configuration.load(path)
        place = Place(config.gate.site, config.gate.entrance)
        claim = watch(config) if camera else _typed(place, host, port)
        kept = (folder or Path(config.gate.data) / FOLDER).absolute()
        wire = enrol(_ours(claim, place), kept)
    except (ClaimError, EnrolError, IdentityError, MessageError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{place} 已获得身份 / has its identity")
    if config.wire != wire:
        click.echo(f"For {path} / 请写入 {path}：\n\n[wire]")
        for name in ("host", "port", "ca", "certificate"):
            click.echo(f"{name} = {msgspec.json.encode(getattr(wire, name)).decode()}")


def _typed(place: Place, host: str | None, port: int) -> ClaimCode:
    """Ask for the code, or the whole text of its QR code. Not on the command line, which everybody can list."""
    text = str(click.prompt("Claim code / 领取码", err=True)).strip()
    if text.startswith(enrolment.PREFIX):
        return ClaimCode.parse(text)
    if not host:
        raise ClaimError("--host must say where the controller is; the text of the QR code does so itself")
    return ClaimCode(host, port, place, enrolment.normal(text))


def _ours(claim: ClaimCode, place: Place) -> ClaimCode:
    if claim.place != place:
        raise ClaimError(f"the code is for {claim.place}, but by its settings this gate stands at {place}")
    return claim
