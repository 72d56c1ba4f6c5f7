"""COSE_Sign1 (RFC 9052): a payload and one signature over it, in CBOR. EdDSA, ES256 and PS256.

Nothing read here is believed before `verify`. A signature says who; what the payload may be is its scheme's matter.
What we write has one form, and is read in no other; what others write is read as widely as is safe.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final, NamedTuple

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from device.codes.issuers import PublicKey

MAX_BYTES: Final = 4296  # no code that a camera reads holds more
MAX_DEPTH: Final = 16  # containers in containers
TEXT_TIME, SIGN1, CWT = 0, 18, 61  # CBOR tags: a time as text; a COSE_Sign1; what is in it is a CWT (RFC 8392)
ALG, CRIT, KID = 1, 2, 4  # header parameters
EDDSA, ED25519 = -8, -19  # RFC 9053 names the family, RFC 9864 the curve; for an Ed25519 key they are the same
ES256, PS256 = -7, -37


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
    """Refuses every tag but these: cbor2 would build what a tag asks for, and rational "1e999999999" takes minutes."""

    def __missing__(self, tag: int) -> Any:
        def refuse(_value: object, _immutable: object) -> Any:
            raise CoseError(f"CBOR tag {tag} has no place here")

        return refuse


def _text_time(value: object, _immutable: object) -> str:
    if not isinstance(value, str):
        raise CoseError("CBOR tag 0 is for a time as text")
    return value


def _kept(tag: int) -> Any:
    return lambda value, _immutable: cbor2.CBORTag(tag, value)


class Form(NamedTuple):
    """In which form CBOR is taken."""

    max_bytes: int
    indefinite: bool
    tags: _Tags


OURS: Final = Form(MAX_BYTES, indefinite=False, tags=_Tags({SIGN1: _kept(SIGN1)}))
OTHERS: Final = Form(
    16 * 1024,  # it comes out of a compressed code; a real one takes under 2 KiB
    indefinite=True,
    tags=_Tags({TEXT_TIME: _text_time, SIGN1: _kept(SIGN1), CWT: _kept(CWT)}),
)


def dumps(value: object) -> bytes:
    """Write deterministic CBOR: shortest heads, sorted keys (for short integer keys, RFC 7049 and 8949 sort alike)."""
    return cbor2.dumps(value, canonical=True)


def loads(data: bytes, form: Form = OURS) -> Any:
    """Read one CBOR value made of plain things only; raise CoseError for anything else, at no cost to speak of."""
    if len(data) > form.max_bytes:
        raise CoseError(f"{len(data)} bytes are over the limit of {form.max_bytes}")
    stream = io.BytesIO(data)
    try:
        value = cbor2.load(
            stream,
            max_depth=MAX_DEPTH,
            allow_indefinite=form.indefinite,
            allow_duplicate_keys=False,
            semantic_decoders=form.tags,
        )
    except cbor2.CBORDecodeError as error:
        raise CoseError(f"not CBOR: {error}") from error
    if stream.tell() != len(data):
        raise CoseError("bytes follow the CBOR value")
    _plain(_untagged(value))
    return value


def _untagged(value: Any) -> Any:
    """Return what a COSE_Sign1's tag holds, also where a CWT's tag stands round it."""
    if isinstance(value, cbor2.CBORTag) and value.tag == CWT:
        value = value.value
        if not isinstance(value, cbor2.CBORTag):
            raise CoseError("CBOR tag 61 holds no COSE tag")
    return value.value if isinstance(value, cbor2.CBORTag) and value.tag == SIGN1 else value


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


def read(data: bytes, form: Form = OURS) -> Signed:
    """Take a COSE_Sign1 apart, tagged or not; raise CoseError where its form is wrong."""
    match _untagged(loads(data, form)):
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
            header = loads(protected, form) if protected else {}
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


def algorithm(signed: Signed) -> object:
    """Return what a message calls its algorithm. Unprotected will do, as some write it: the key alone decides."""
    return signed.header.get(ALG, signed.unprotected.get(ALG))


def verify(signed: Signed, key: PublicKey) -> None:
    """Return when `key` signed exactly this; raise CoseError otherwise."""
    if algorithm(signed) not in _algorithms(key):
        raise CoseError("signed with an algorithm other than the key's")
    protected = signed.protected if signed.header else b""  # an empty map is signed as nothing (RFC 9052 section 4.4)
    prove(key, signed.signature, _signed_bytes(protected, signed.payload))


def prove(key: PublicKey, signature: bytes, message: bytes) -> None:
    """Return when this is the key's signature over exactly these bytes; raise CoseError otherwise."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, message, PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH), hashes.SHA256())
        else:
            key.verify(_der(signature, key), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise CoseError("the signature is wrong") from error


def _algorithms(key: PublicKey) -> tuple[int, ...]:
    """A key has one algorithm, whatever a message says; this is what the message may call it."""
    if isinstance(key, Ed25519PublicKey):
        return EDDSA, ED25519
    if isinstance(key, RSAPublicKey):
        return (PS256,)
    return (ES256,)  # RFC 9053 section 2.1 lets the hash and the curve differ


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Turn two numbers of fixed length, as COSE writes them, into the form that X.509 has for them."""
    half = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * half:
        raise CoseError(f"a signature on the curve {key.curve.name} has {2 * half} bytes, this {len(signature)}")
    halves = signature[:half], signature[half:]
    return encode_dss_signature(*(int.from_bytes(half, "big") for half in halves))


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    return dumps(["Signature1", protected, b"", payload])  # the empty string: no data from outside the message
