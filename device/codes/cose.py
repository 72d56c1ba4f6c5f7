"""COSE_Sign1 (RFC 9052): a payload and one signature over it, in CBOR. Ed25519 so far.

Nothing read here is believed before `verify`. A signature says who; what the payload may be is its scheme's matter.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final, NamedTuple

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_BYTES: Final = 4296  # no code that a camera reads holds more
MAX_DEPTH: Final = 16  # containers in containers
SIGN1: Final = 18  # the CBOR tag of a COSE_Sign1
ALG, CRIT, KID = 1, 2, 4  # header parameters
EDDSA, ED25519 = -8, -19  # RFC 9053 names the family, RFC 9864 the curve; for an Ed25519 key they are the same


class CoseError(ValueError):
    """Not a message we can read or believe: one class, whatever is wrong with it."""


class Signed(NamedTuple):
    """A COSE_Sign1 taken apart. `protected` is the header as it was signed, byte for byte; `header` is its map."""

    protected: bytes
    header: dict[Any, Any]
    unprotected: dict[Any, Any]
    payload: bytes
    signature: bytes


class _Tags(dict[int, Any]):
    """Refuses every tag but ours: cbor2 would build what a tag asks for, and rational "1e999999999" takes minutes."""

    def __missing__(self, tag: int) -> Any:
        def refuse(_value: object, _immutable: object) -> Any:
            raise CoseError(f"CBOR tag {tag} has no place here")

        return refuse


_TAGS: Final = _Tags({SIGN1: lambda value, _immutable: cbor2.CBORTag(SIGN1, value)})


def dumps(value: object) -> bytes:
    """Write deterministic CBOR: shortest heads, sorted keys (for short integer keys, RFC 7049 and 8949 sort alike)."""
    return cbor2.dumps(value, canonical=True)


def loads(data: bytes) -> Any:
    """Read one CBOR value made of plain things only; raise CoseError for anything else, at no cost to speak of."""
    if len(data) > MAX_BYTES:
        raise CoseError(f"{len(data)} bytes are over the limit of {MAX_BYTES}")
    stream = io.BytesIO(data)
    try:
        value = cbor2.load(
            stream,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            semantic_decoders=_TAGS,
        )
    except cbor2.CBORDecodeError as error:
        raise CoseError(f"not CBOR: {error}") from error
    if stream.tell() != len(data):
        raise CoseError("bytes follow the CBOR value")
    _plain(value.value if isinstance(value, cbor2.CBORTag) else value)
    return value


def _plain(value: object) -> None:
    """Refuse what has no meaning in a header or a claim: inner tags, undefined, NaN, odd keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(key) not in (int, str):
                raise CoseError("a CBOR map's key is neither a number nor text")
            _plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _plain(inner)
    elif not (value is None or isinstance(value, int | str | bytes) or _finite(value)):
        raise CoseError(f"CBOR holds a {type(value).__name__} where none belongs")


def _finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def read(data: bytes) -> Signed:
    """Take a COSE_Sign1 apart, tagged or not; raise CoseError where its form is wrong."""
    value = loads(data)
    match value.value if isinstance(value, cbor2.CBORTag) else value:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
            header = loads(protected) if protected else {}
        case _:
            raise CoseError("not a COSE_Sign1: four parts are needed, with the payload in it")
    if not isinstance(header, dict):
        raise CoseError("the protected header is no map")
    if CRIT in header or CRIT in unprotected:
        raise CoseError("the header calls something critical that is not known here")
    return Signed(protected, header, unprotected, payload, signature)


def write(signed: Signed) -> bytes:
    """Return the tagged, deterministic form of a message."""
    parts = [signed.protected, signed.unprotected, signed.payload, signed.signature]
    return dumps(cbor2.CBORTag(SIGN1, parts))


def sign(payload: bytes, key: Ed25519PrivateKey, kid: bytes | None = None) -> bytes:
    """Sign a payload; `kid` names the key to those who hold several."""
    header: dict[Any, Any] = {ALG: EDDSA} if kid is None else {ALG: EDDSA, KID: kid}
    protected = dumps(header)
    return write(Signed(protected, header, {}, payload, key.sign(_signed_bytes(protected, payload))))


def verify(signed: Signed, key: Ed25519PublicKey) -> None:
    """Return when `key` signed exactly this; raise CoseError otherwise."""
    if signed.header.get(ALG) not in (EDDSA, ED25519):
        raise CoseError("signed with an algorithm other than the key's")
    prove(key, signed.signature, _signed_bytes(signed.protected, signed.payload))


def prove(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    """Return when this is the key's signature over exactly these bytes; raise CoseError otherwise."""
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise CoseError("the signature is wrong") from error


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    return dumps(["Signature1", protected, b"", payload])  # the empty string: no data from outside the message
