"""How a new gate and its controller know each other before there is a certificate: the claim code, and what they say.

The code never travels. Each side proves that it has it with an HMAC over what it says; nothing said is secret, so this
needs no TLS. Whoever overhears it has to guess 60 random bits through scrypt, and the code is only good for minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from device.wire.messages import MessageError, Place

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O, U
LOOKALIKES: Final = str.maketrans("ILO", "110")
CODE_CHARS: Final = 12  # of 5 bits: 60 bits
GROUP: Final = 4  # characters between hyphens
PREFIX: Final = "MENSHEN-CLAIM:"
PORT: Final = 8470  # where the controller answers new gates, unless it is told otherwise

# RFC 7914. 32 MiB and some 0.1 s on a PC, which a gate has once and a guesser needs for every guess.
SCRYPT: Final = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}

MAX_BYTES: Final = 16 * 1024  # of anything either side says; two certificates have some 1,500
Pem = Annotated[str, Meta(max_length=4096)]


class ClaimError(ValueError):
    """A claim code, or what was said about one, that cannot be used; the text says what to do."""


class ClaimCode(NamedTuple):
    """Everything a new gate has to be told. As a text it fits a QR code that the gate's own camera reads."""

    host: str
    port: int
    place: Place
    code: str

    @property
    def text(self) -> str:
        """Return what the QR code holds."""
        return f"{PREFIX}{self.host}:{self.port}:{self.place}:{self.code}"

    @classmethod
    def parse(cls, text: str) -> ClaimCode:
        """Read the text of a QR code; raise ClaimError for any other. A host may hold colons, as IPv6 does."""
        found = re.fullmatch(rf"{PREFIX}(.+):([0-9]{{1,5}}):([^:]+):([^:]+)", text)
        if not found:
            raise ClaimError(f"no claim: its text is {PREFIX}HOST:PORT:SITE/ENTRANCE:CODE")
        host, port, place, code = found.groups()
        try:
            return cls(host, int(port), Place.parse(place), normal(code))
        except MessageError as error:
            raise ClaimError(str(error)) from error


def make_code() -> str:
    """Return a new code, in groups that are easy to read out."""
    return normal("".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS)))


def normal(code: str) -> str:
    """Return a code as it is printed, however it was typed; raise ClaimError when it is none."""
    bare = re.sub(r"[\s-]", "", code).upper().translate(LOOKALIKES)
    if not re.fullmatch(f"[{ALPHABET}]{{{CODE_CHARS}}}", bare):
        raise ClaimError(f"no claim code: it has {CODE_CHARS} digits and letters, such as 7K3M-Q9TX-2HBD")
    return "-".join(bare[start : start + GROUP] for start in range(0, CODE_CHARS, GROUP))


def key(code: str, place: Place) -> bytes:
    """Return what both sides make of the code; it takes some 0.1 s and 32 MiB, on purpose."""
    return hashlib.scrypt(normal(code).encode(), salt=f"{PREFIX}{place}".encode(), **SCRYPT)


def mac(secret: bytes, speaker: Literal["gate", "controller"], *said: str) -> str:
    """Return the proof that `speaker` has the code: HMAC-SHA256 in hex over all that it says, each with its length."""
    parts = [part.encode() for part in (speaker, *said)]
    return hmac.digest(secret, b"".join(len(part).to_bytes(4, "big") + part for part in parts), "sha256").hex()


def same(one: str, other: str) -> bool:
    """Compare two proofs in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


class EnrolRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new gate asks for a certificate. `csr` is PEM; `mac` is over the place and it."""

    place: str
    csr: Pem
    mac: Annotated[str, Meta(max_length=64)]


class Enrolled(Struct, frozen=True, kw_only=True):
    """The controller answers. `mac` is over all the others, in this order, the port in decimal."""

    certificate: Pem
    authority: Pem
    host: str  # of the broker
    port: int
    mac: str = ""

    def proof(self, secret: bytes) -> str:
        """Return what `mac` has to be."""
        return mac(secret, "controller", self.certificate, self.authority, self.host, str(self.port))

    def proven(self, secret: bytes) -> Enrolled:
        """Return the answer with its proof."""
        return msgspec.structs.replace(self, mac=self.proof(secret))


class RenewRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate asks for its next certificate. `signature` is its present key's over `csr`: ECDSA, SHA-256, DER as hex."""

    certificate: Pem
    csr: Pem
    signature: Annotated[str, Meta(max_length=160)]


class Renewed(Struct, frozen=True, kw_only=True):
    """The controller answers; the certificate proves itself, since the gate knows the authority."""

    certificate: Pem


class Refused(Struct, frozen=True, kw_only=True):
    """What the controller says instead; it does not say why to whoever guesses."""

    error: str


S = TypeVar("S", bound=Struct)


def read(kind: type[S], said: bytes) -> S:
    """Read what the other side said; raise ClaimError, one class whatever is wrong with it."""
    if len(said) > MAX_BYTES:
        raise ClaimError(f"{len(said)} bytes are over the limit of {MAX_BYTES}")
    try:
        return msgspec.json.decode(said, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ClaimError(f"no {kind.__name__}: {error}") from error
