"""SMART Health Cards: "shc:/" and a JWS in pairs of digits, its payload compressed; large cards come in several codes.

A card says what a clinic recorded about a named person. It does not say that whoever shows it is that person.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from device.codes import jose
from device.codes.claim import Checked
from device.codes.foreign import Genuine, weigh
from device.codes.jose import Compact, JoseError
from device.codes.jws import believe, moment, text
from device.codes.trust import Trust
from device.wire.messages import Place

SCHEME: Final = "shc"
PREFIX: Final = b"shc:/"
WHOLE: Final = re.compile(rb"shc:/([0-9]+)")
PIECE: Final = re.compile(rb"shc:/([1-9][0-9]?)/([1-9][0-9]?)/([0-9]+)")
MAX_PIECES: Final = 16  # some 19,000 characters; the largest known card has three
SHIFT: Final = 45  # a pair of digits is a character's code less this
MAX_INFLATED: Final = 64 * 1024  # bytes; a card in one code has some 5,000, in three some 20,000
CARD: Final = "https://smarthealth.cards#health-card"
CODED: Final = ("vaccineCode", "code")  # what a resource says it is about


class Piece(NamedTuple):
    """One code of a card that comes in several."""

    number: int
    of: int
    digits: bytes


def piece(data: bytes) -> Piece | None:
    """Read one code of several; None for any other text."""
    found = PIECE.fullmatch(data)
    if not found:
        return None
    number, of = int(found[1]), int(found[2])
    good = number <= of <= MAX_PIECES and of > 1 and len(found[3]) % 2 == 0
    return Piece(number, of, found[3]) if good else None


def joined(pieces: list[Piece]) -> bytes:
    """Return the text of the whole card, from all its pieces in any order."""
    return PREFIX + b"".join(each.digits for each in sorted(pieces))


def check(data: bytes, trust: Trust, place: Place | None, now: int, *, skew_s: float) -> Checked | None:
    """Judge a text that begins with shc:/; None for all others."""
    if not data.startswith(PREFIX):
        return None
    if piece(data):
        return Checked(SCHEME, data, reasons=("part_missing",))
    held = trust.of(SCHEME)
    try:
        message = jose.read(_compact(data))
        card = _card(message)
        issuer = text(card, "iss")
        keys = [key for key in held.named(message.kid, now) if key.issuer == issuer]
        if not keys:
            return Checked(SCHEME, data, reasons=("unknown_issuer",))
        believe(message, keys)
        found = _genuine(message, card, issuer)
    except JoseError:
        return Checked(SCHEME, data, reasons=("invalid",))
    return weigh(found, held, place, now, skew_s=skew_s)


def _compact(data: bytes) -> bytes:
    """Turn pairs of digits into the text of a JWS."""
    found = WHOLE.fullmatch(data)
    if not found or len(found[1]) % 2:
        raise JoseError("not pairs of digits")
    digits = found[1]
    return bytes(int(digits[start : start + 2]) + SHIFT for start in range(0, len(digits), 2))


def numeric(compact: str) -> str:
    """Return the text of a card's code for a JWS in compact form."""
    return PREFIX.decode() + "".join(f"{ord(character) - SHIFT:02d}" for character in compact)


def inflate(data: bytes) -> bytes:
    """Decompress raw DEFLATE once, up to a limit; raise JoseError beyond it, or where anything follows."""
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, MAX_INFLATED)
    except zlib.error as error:
        raise JoseError("the payload is not compressed as it says") from error
    if not inflater.eof or inflater.unused_data:
        raise JoseError("the payload is cut short, too large, or followed by something")
    return inflated


def _card(message: Compact) -> dict[str, Any]:
    if message.header.get("zip") != "DEF":
        raise JoseError("the payload of a card is compressed")
    return jose.loads(inflate(message.payload))


def _genuine(message: Compact, card: dict[str, Any], issuer: str) -> Genuine:
    since = moment(card, "nbf")
    vc = card.get("vc", {})
    match vc:
        case {"type": [*types], "credentialSubject": {"fhirVersion": str(), "fhirBundle": {"entry": [*entries]}}}:
            until, rid = moment(card, "exp"), text(vc, "rid")
        case _:
            raise JoseError("not a verifiable credential with a bundle in it")
    if CARD not in types or since is None:
        raise JoseError("not a health card, or it does not say since when")
    resources = [entry["resource"] for entry in entries if isinstance(entry, dict) and "resource" in entry]
    return Genuine(
        scheme=SCHEME,
        identity=b"shc" + message.signed,
        claims={
            "iss": issuer,
            "type": types,
            "resource": [each.get("resourceType") for each in resources if isinstance(each, dict)],
            "code": [code for each in resources if isinstance(each, dict) for code in _codes(each)],
        },
        marks=(f"{message.kid}/{rid}",) if rid else (),
        issued_at=since,
        not_before=int(since),
        not_after=None if until is None else int(until),
    )


def saying(data: bytes) -> dict[str, object]:
    """Return what a card says of itself, without its holder's name; raise JoseError where it cannot be read."""
    if part := piece(data):
        return {"piece": part.number, "of": part.of}
    message = jose.read(_compact(data))
    card = _card(message)
    found = _genuine(message, card, text(card, "iss"))
    times = {"nbf": found.not_before, "exp": found.not_after}
    return {"kid": message.kid} | dict(found.claims) | {name: at for name, at in times.items() if at is not None}


def _codes(resource: dict[str, Any]) -> Iterator[str]:
    """Name what a resource is about, as FHIR writes a code: `system|code`."""
    for name in CODED:
        match resource.get(name):
            case {"coding": [*codings]}:
                for coding in codings:
                    match coding:
                        case {"system": str(system), "code": str(code)}:
                            yield f"{system}|{code}"
