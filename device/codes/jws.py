"""Codes that are a JSON Web Token: a JWS (RFC 7515) whose payload is a claims set (RFC 7519).

ES256 and EdDSA; HS256 only with a key that the policy says to be one, since whoever holds its secret can also sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from device.codes import jose
from device.codes.claim import Checked
from device.codes.cwt import LAST, MAX_SUBJECT
from device.codes.foreign import Genuine, weigh
from device.codes.issuers import Key, mark
from device.codes.jose import Compact, JoseError
from device.codes.trust import Trust
from device.wire.messages import Place

SCHEME: Final = "jws"


def check(data: bytes, trust: Trust, place: Place | None, now: int, *, skew_s: float) -> Checked | None:
    """Judge a text that is a compact JWS; None for all others."""
    if not jose.looks_like_one(data):
        return None
    held = trust.of(SCHEME)
    try:
        message = jose.read(data)
        claims = jose.loads(message.payload)
        issuer = text(claims, "iss")
        keys = [key for key in held.named(message.kid, now) if not key.issuer or key.issuer == issuer]
        if not keys:
            return Checked(SCHEME, data, reasons=("unknown_issuer",))
        believe(message, keys)
        found = _genuine(message, claims, issuer)
    except JoseError:
        return Checked(SCHEME, data, reasons=("invalid",))
    return weigh(found, held, place, now, skew_s=skew_s)


def believe(message: Compact, keys: list[Key]) -> Key:
    """Return the key that signed it; raise JoseError where none of them did."""
    for key in keys:
        try:
            jose.verify(message, key)
        except JoseError:
            continue
        return key
    raise JoseError("none of the keys of this id signed it")


def _genuine(message: Compact, claims: dict[str, Any], issuer: str) -> Genuine:
    marks = (mark(message.signed), *((id_mark(issuer, claims["jti"]),) if isinstance(claims.get("jti"), str) else ()))
    until = moment(claims, "exp")
    since = moment(claims, "nbf")
    return Genuine(
        scheme=SCHEME,
        identity=b"jws" + message.signed,  # without the signature: of one ES256 signature anybody can make another
        claims=claims,
        marks=marks,
        subject=printable(text(claims, "sub")),
        issued_at=moment(claims, "iat"),
        not_before=None if since is None else int(since),
        not_after=None if until is None else int(until),
        audience=_audience(claims),
    )


def id_mark(issuer: str, jti: str) -> str:
    """Return the mark by which every token with this id of this issuer can be taken back."""
    return mark(f"{issuer}\n{jti}".encode("utf-8", "surrogatepass"))


def text(claims: Mapping[Any, Any], name: str) -> str:
    """Return a claim that is text, or none; raise JoseError where it is something else."""
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise JoseError(f"{name} is no text")
    return value


def moment(claims: dict[str, Any], name: str) -> float | None:
    """Return a claim that is a time in seconds since 1970; raise JoseError for what no calendar reaches."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST:
        raise JoseError(f"{name} is no time")
    return value


def printable(name: str) -> str:
    """Return a name as guards may read it, or nothing."""
    return name if len(name) <= MAX_SUBJECT and name.isprintable() else ""


def _audience(claims: dict[str, Any]) -> tuple[str, ...] | None:
    match claims.get("aud"):
        case None if "aud" not in claims:
            return None
        case str(one):
            return (one,)
        case [*several] if all(isinstance(each, str) for each in several):
            return tuple(several)
    raise JoseError("aud is neither text nor a list of texts")
