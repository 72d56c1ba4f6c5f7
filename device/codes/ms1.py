"""ms1, our own signed code: "MS1:" and, in base45, a CWT (RFC 8392) in a COSE_Sign1 (RFC 9052). See docs/ms1.md.

A rotating pass names its holder's public key; the holder's phone signs the pass and the time anew for every screen.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final, NamedTuple

import base45
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from device.codes import cose, cwt
from device.codes.claim import Checked, Claim
from device.codes.cose import ALG, KID, CoseError, Signed
from device.codes.cwt import KINDS, Confirmation, HolderKey, Pass, PassError, Screen
from device.codes.trust import CTI_BYTES, KID_BYTES, Trust, key_id
from device.wire.messages import PassKind, Place

PREFIX: Final = b"MS1:"


class Shown(NamedTuple):
    """What a text holds, before any of it is believed."""

    body: Pass
    issuer: Signed
    screen: Screen | None = None
    holder: Signed | None = None

    @property
    def key(self) -> bytes:
        """The id of the key that the issuer is said to have signed with."""
        return bytes(self.issuer.header[KID])


def issue(
    key: Ed25519PrivateKey,
    *,
    kind: PassKind,
    subject: str,
    places: tuple[str, ...],
    not_before: int,
    not_after: int,
    holder: Ed25519PublicKey | None = None,
    cti: bytes | None = None,
    uses: int = 0,
    people: int = 1,
) -> str:
    """Make a pass and return its text; raise PassError naming what it cannot hold. `cti` is its id, random if None.

    With a `holder` key the pass only counts inside a fresh screen: see `present`. It admits `uses` times, 0: always,
    and each time so many `people` together.
    """
    body = Pass(
        subject=subject,
        audience=places[0] if len(places) == 1 else places,
        not_after=not_after,
        not_before=not_before,
        id=secrets.token_bytes(CTI_BYTES) if cti is None else cti,
        holder=Confirmation(key=HolderKey(x=holder.public_bytes_raw())) if holder else None,
        kind_number=next(number for number, name in KINDS.items() if name == kind),
        uses=uses,
        people=people,
    )
    return _text(cose.sign(cwt.dump(body), key, key_id(key.public_key())))


def present(text: str, holder: Ed25519PrivateKey, at: int) -> str:
    """Return the text of a rotating pass's screen at `at`, in seconds since 1970; raise PassError for others."""
    shown = read(text.encode())
    if shown.screen or shown.body.holder is None:
        raise PassError("only a rotating pass, as it was issued, has screens")
    if shown.body.holder.key.x != holder.public_key().public_bytes_raw():
        raise PassError("this pass belongs to another holder's key")
    return _text(cose.sign(cwt.dump(Screen(at=at, issued=cose.write(shown.issuer))), holder))


def read(data: bytes) -> Shown:
    """Take a text apart without believing it; raise PassError when it is no ms1 code."""
    if not data.startswith(PREFIX):
        raise PassError(f"the text does not begin with {PREFIX.decode()}")
    try:
        outer = _open(base45.b45decode(data[len(PREFIX) :]))
        if KID in outer.header:
            return Shown(_body(outer), outer)
        if set(outer.header) != {ALG}:
            raise PassError("a screen's header holds an algorithm, and no more")
        screen = cwt.load(Screen, outer.payload)
        issuer = _open(screen.issued)
        return Shown(_body(issuer), issuer, screen, outer)
    except ValueError as error:  # base45's, CoseError and PassError alike
        raise PassError(f"no ms1 code: {error}") from error


def check(
    data: bytes, trust: Trust, place: Place | None, now: int, *, screen_s: float, skew_s: float
) -> Checked | None:
    """Judge a text that begins with MS1: as `device.codes.verify` does; None for all others."""
    if not data.startswith(PREFIX):
        return None
    try:
        shown = read(data)
        if (key := trust.keys.get(shown.key)) is None:
            return Checked("ms1", data, reasons=("unknown_issuer",))
        believe(shown, key)
    except (PassError, CoseError):
        return Checked("ms1", data, reasons=("invalid",))
    body = shown.body
    claim = Claim(
        identity=identity(shown.key, body.id),
        kind=body.kind,
        subject=body.subject,
        not_before=body.not_before,
        not_after=body.not_after,
        places=body.places,
        rotating=shown.screen is not None,
        uses=body.uses,
        people=body.people,
    )
    reasons = tuple(_reasons(shown, trust, place, now, screen_s=screen_s, skew_s=skew_s))
    return Checked("ms1", claim.identity, claim, reasons)


def identity(kid: bytes, cti: bytes) -> bytes:
    """Return what a gate hashes of a genuine pass: it stays the same on every screen."""
    return b"ms1" + kid + cti


def believe(shown: Shown, key: Ed25519PublicKey) -> None:
    """Return when the issuer signed the pass and, where there is a screen, its holder that.

    Raise CoseError or PassError otherwise.
    """
    cose.verify(shown.issuer, key)
    if shown.holder is None:
        return
    if shown.body.holder is None:
        raise PassError("a screen around a pass that names no holder")
    cose.verify(shown.holder, Ed25519PublicKey.from_public_bytes(shown.body.holder.key.x))


def _reasons(
    shown: Shown, trust: Trust, place: Place | None, now: int, *, screen_s: float, skew_s: float
) -> Iterator[str]:
    """Name all that speaks against a genuine pass here and now, the gravest first."""
    body = shown.body
    if body.id in trust.revoked:
        yield "revoked"
    if not body.not_before - skew_s <= now < body.not_after + skew_s:
        yield "invalid_time"
    if body.holder and not (shown.screen and -skew_s <= now - shown.screen.at <= screen_s + skew_s):
        yield "screen_expired"
    if place and not body.covers(place):
        yield "wrong_entrance"


def _text(message: bytes) -> str:
    return str(PREFIX + base45.b45encode(message), "ascii")


def _open(message: bytes) -> Signed:
    """Read a message in its one form: tagged, deterministic, nothing outside the signature."""
    signed = cose.read(message)
    if cose.write(signed._replace(protected=cose.dumps(signed.header), unprotected={})) != message:
        raise PassError("not in the one form a message may have")
    return signed


def _body(issuer: Signed) -> Pass:
    kid = issuer.header.get(KID)
    if set(issuer.header) != {ALG, KID} or not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise PassError("a pass's header holds an algorithm and a key id, and no more")
    return cwt.load(Pass, issuer.payload)
