"""hc1, the EU Digital COVID Certificate: "HC1:", base45, zlib, a COSE_Sign1 and in it a CWT. See docs/hc1.md.

Each step is a function of its own, in the order in which a code is taken apart, and none believes the one before it.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import base45

from device.codes import cose, dcc, dccrules
from device.codes.claim import Checked
from device.codes.cose import ES256, KID, CoseError, Signed
from device.codes.cwt import LAST
from device.codes.dcc import Dcc, DccError
from device.codes.dccrules import Facts
from device.codes.foreign import Genuine, weigh
from device.codes.issuers import Key, mark
from device.codes.trust import Trust
from device.wire.messages import Place

PREFIX: Final = b"HC1:"
ISS, EXP, IAT = 1, 4, 6  # claims of the CWT (RFC 8392)


class Hc1Error(ValueError):
    """Text that holds no certificate we can read, or that is not believed; says at which step."""


class Body(NamedTuple):
    """What the issuer signed. Times are in seconds since 1970, as numbers of any kind."""

    issuer: str
    issued_at: float
    expires: float
    payload: dict[str, Any]  # the certificate as it came, which rules look at
    certificate: Dcc


def check(data: bytes, trust: Trust, place: Place | None, now: int, *, skew_s: float) -> Checked | None:
    """Judge a text that begins with HC1: as `device.codes.verify` does; None for all others."""
    if not data.startswith(PREFIX):
        return None
    held = trust.of("hc1")
    try:
        signed = unpack(data)
        name = base64.b64encode(kid(signed)).decode()
        if not (keys := held.named(name, now)):
            return Checked("hc1", data, reasons=("unknown_issuer",))
        body = believe(signed, keys)
    except (Hc1Error, CoseError, DccError):
        return Checked("hc1", data, reasons=("invalid",))
    checked = weigh(genuine(signed, body), held, place, now, skew_s=skew_s)
    facts = Facts(body.certificate.usage, body.issuer, name, body.issued_at, body.expires)
    unmet = [
        *body.certificate.unlisted(held.value_sets),
        *dccrules.broken(held.rules, held.value_sets, body.payload, facts, now),
    ]
    reasons = dict.fromkeys([*checked.reasons, *body.certificate.reasons(now), *(["rules"] if unmet else [])])
    return checked._replace(reasons=tuple(reasons), detail=", ".join(unmet))


def saying(data: bytes) -> Mapping[str, object]:
    """Return what a text says of itself, believed or not; nothing that tells a person from another.

    Raise Hc1Error, CoseError or DccError where it says nothing that can be read.
    """
    signed = unpack(data)
    body = read(signed)
    key = {"kid": base64.b64encode(kid(signed)).decode(), "iat": body.issued_at, "exp": body.expires}
    return key | body.certificate.claims(body.issuer)


def genuine(signed: Signed, body: Body) -> Genuine:
    """Say what is to be weighed of a certificate that is believed: no name, no birthday."""
    return Genuine(
        scheme="hc1",
        identity=b"hc1" + _bytes(" ".join((body.issuer, *body.certificate.identifiers))),
        claims=body.certificate.claims(body.issuer),
        marks=marks(signed, body),
        issued_at=body.issued_at,
        not_before=math.floor(body.issued_at),
        not_after=math.floor(body.expires) + 1,  # the second in which it expires still counts
    )


def unpack(data: bytes) -> Signed:
    """Take a text apart down to what is signed; raise Hc1Error or CoseError where a step fails."""
    return cose.read(inflate(decode(strip(data))), cose.OTHERS)


def strip(data: bytes) -> bytes:
    """Take the prefix off: the first version of the context, and no other."""
    if not data.startswith(PREFIX):
        raise Hc1Error(f"the text does not begin with {PREFIX.decode()}")
    return data.removeprefix(PREFIX)


def decode(text: bytes) -> bytes:
    """Read base45."""
    try:
        return bytes(base45.b45decode(text))
    except ValueError as error:
        raise Hc1Error("not base45") from error


def inflate(data: bytes) -> bytes:
    """Decompress once, no further than a certificate may be long: a QR code can hold megabytes of zeros."""
    inflater = zlib.decompressobj()
    try:
        message = inflater.decompress(data, cose.OTHERS.max_bytes + 1)
    except zlib.error as error:
        raise Hc1Error("not compressed as it should be") from error
    if len(message) > cose.OTHERS.max_bytes or not inflater.eof or inflater.unused_data:
        raise Hc1Error(f"not one compressed message of at most {cose.OTHERS.max_bytes} bytes")
    return message


def kid(signed: Signed) -> bytes:
    """Say whose key it is said to be signed with. What is protected counts; what is not, only where nothing is."""
    named = signed.header.get(KID, signed.unprotected.get(KID))
    if not isinstance(named, bytes):
        raise Hc1Error("it does not say which key it is signed with")
    return named


def believe(signed: Signed, keys: tuple[Key, ...]) -> Body:
    """Return what one of these keys signed, and may sign; raise Hc1Error, CoseError or DccError otherwise."""
    key = signer(signed, keys)
    body = read(signed)
    body.certificate.check(body.issued_at)
    if not entitled(key, body):
        raise Hc1Error("the issuer's key may not sign this type of certificate")
    return body


def signer(signed: Signed, keys: tuple[Key, ...]) -> Key:
    """Return the key that signed this; raise CoseError where none of them did."""
    for key in keys:
        if key.public is not None:
            try:
                cose.verify(signed, key.public)
            except CoseError:
                continue
            return key
    raise CoseError("none of the keys with its id signed this")


def read(signed: Signed) -> Body:
    """Read what is signed, believed or not; raise Hc1Error, CoseError or DccError where it is no certificate."""
    claims = cose.loads(signed.payload, cose.OTHERS)
    match claims:
        case {-260: {1: dict(payload)}}:  # a health certificate, the EU's
            issuer = claims.get(ISS, "")
            if not isinstance(issuer, str):
                raise Hc1Error("the issuer is no text")
            return Body(issuer, _time(claims, IAT), _time(claims, EXP), payload, dcc.load(payload))
    raise Hc1Error("the message holds no certificate")


def entitled(key: Key, body: Body) -> bool:
    """Whether the key may sign this type of certificate; a key says v, t or r, or nothing and may sign all."""
    return not key.usage or body.certificate.usage[0] in key.usage


def marks(signed: Signed, body: Body) -> tuple[str, ...]:
    """Return the marks it would be taken back by: of its signature, its identifier, and its country with that."""
    signature = signed.signature
    if cose.algorithm(signed) == ES256:
        signature = signature[: len(signature) // 2]  # the other half can be changed and is still good
    hashed = [signature]
    for identifier in body.certificate.identifiers:
        hashed += [_bytes(identifier), _bytes(body.issuer + identifier)]
    return tuple(mark(each) for each in hashed)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _time(claims: dict[Any, Any], number: int) -> float:
    value = claims.get(number)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST:
        raise Hc1Error("it does not say when it was issued and when it expires")
    return value
