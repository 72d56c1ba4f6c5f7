"""JSON Web Signature (RFC 7515), compact form: a header, a payload and one signature over both as they stand.

Written on `cryptography` rather than taken from a library: a key here has one algorithm, and the header has no say in
it; no header parameter is obeyed but `kid`; and there is one way to write a message. Nothing read is believed before
`verify`.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
import re
from typing import Any, Final, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from device.codes.issuers import Key
from device.wire.nesting import too_deep

COMPACT: Final = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # none empty: no detached payload
MAX_DIGITS: Final = 20  # of a whole number; reading longer ones takes time that grows with their square
ES256_HALF: Final = 32  # bytes of r and of s
# They change what is signed or what must be understood (RFC 7515 section 4.1.11, RFC 7797).
REFUSED: Final = ("crit", "b64")


class JoseError(ValueError):
    """Not a message we can read or believe: one class, whatever is wrong with it."""


class Compact(NamedTuple):
    """A message taken apart. `signed` is what the signature is over, byte for byte."""

    header: dict[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    @property
    def kid(self) -> str:
        """The name of the key it is said to be signed with; empty where it says none."""
        kid = self.header.get("kid", "")
        if not isinstance(kid, str):
            raise JoseError("the key's id is no text")
        return kid


def read(data: bytes) -> Compact:
    """Take a message apart; raise JoseError where its form is wrong."""
    if not COMPACT.fullmatch(data):
        raise JoseError("not three parts in base64url, none of them empty")
    header, payload, signature = data.split(b".")
    message = Compact(
        loads(unbase64url(header)), unbase64url(payload), unbase64url(signature), data.rpartition(b".")[0]
    )
    for name in REFUSED:
        if name in message.header:
            raise JoseError(f"the header says {name}, which changes what a signature means")
    return message


def looks_like_one(data: bytes) -> bool:
    """Tell whether somebody meant this to be a message: three parts, the first of them a JSON object."""
    header, dot, rest = data.partition(b".")
    if not dot or rest.count(b".") != 1:
        return False
    try:
        return unbase64url(header).lstrip(b" \t\r\n").startswith(b"{")
    except JoseError:
        return False


def verify(message: Compact, key: Key) -> None:
    """Return when `key` signed exactly this with its own algorithm; raise JoseError otherwise."""
    if message.header.get("alg") != key.alg:
        raise JoseError("signed with an algorithm other than the key's")
    match key.alg, key.public:
        case "EdDSA", Ed25519PublicKey() as public:
            _prove(lambda: public.verify(message.signature, message.signed))
        case "ES256", EllipticCurvePublicKey() as public:
            signature = _der(message.signature)
            _prove(lambda: public.verify(signature, message.signed, ECDSA(SHA256())))
        case "HS256", None:
            if not hmac.compare_digest(hmac.digest(key.secret, message.signed, "sha256"), message.signature):
                raise JoseError("the signature is wrong")
        case _:
            raise JoseError(f"{key.alg} is not for messages of this kind")


def _prove(check: Any) -> None:
    try:
        check()
    except InvalidSignature as error:
        raise JoseError("the signature is wrong") from error


def _der(signature: bytes) -> bytes:
    """Turn r and s, which a JWS holds side by side, into what cryptography reads."""
    if len(signature) != 2 * ES256_HALF:
        raise JoseError(f"an ES256 signature has {2 * ES256_HALF} bytes")
    r, s = signature[:ES256_HALF], signature[ES256_HALF:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def base64url(data: bytes) -> bytes:
    """Write base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def unbase64url(text: bytes) -> bytes:
    """Read base64url in the one form it may have; raise JoseError for any other."""
    try:
        data = base64.b64decode(text.translate(_URLSAFE) + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise JoseError(f"not base64url: {error}") from error
    if base64url(data) != text:
        raise JoseError("base64url in a form nobody writes")
    return data


_URLSAFE: Final = bytes.maketrans(b"-_", b"+/")


def loads(data: bytes) -> dict[str, Any]:
    """Read one JSON object; raise JoseError for anything else, duplicate names and endless numbers included."""
    if too_deep(data):
        raise JoseError("JSON nested too deep")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_constant,
        )
    except ValueError as error:
        raise JoseError(f"not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise JoseError("not a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise JoseError("a name stands twice in one object")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise JoseError("a number has too many digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JoseError("a number is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise JoseError(f"{text} is no JSON")
