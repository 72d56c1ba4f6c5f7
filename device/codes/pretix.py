"""pretix's signed tickets, scheme "pretix_sig1": backwards base64 of a small protobuf and an Ed25519 signature.

The protobuf has six fields of two kinds, which twenty lines read; a generated class would tie every gate to one release
of the protobuf package. What such a ticket cannot say is whether it was paid for or used: only pretix knows.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device.codes.claim import Checked
from device.codes.cwt import LAST
from device.codes.foreign import Genuine, weigh
from device.codes.issuers import Key, mark
from device.codes.trust import Trust
from device.wire.messages import Place

SCHEME: Final = "pretix"
VERSION: Final = 1
HEAD: Final = struct.Struct(">BHH")  # version, then the lengths of payload and signature: big-endian, 16 bits each
SIGNATURE_BYTES: Final = 64  # Ed25519
SEED, ITEM, VARIATION, SUBEVENT, VALID_FROM, VALID_UNTIL = 1, 2, 3, 4, 5, 6  # the fields of a ticket
VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5  # how protobuf writes a field
MAX_VARINT: Final = 10  # bytes of a 64-bit number, seven bits in each


class TicketError(ValueError):
    """Not a ticket we can read or believe: one class, whatever is wrong with it."""


class Ticket(NamedTuple):
    """What a ticket says. 0 means that it does not say."""

    seed: bytes
    item: int
    variation: int
    subevent: int
    valid_from: int
    valid_until: int


def check(data: bytes, trust: Trust, place: Place | None, now: int, *, skew_s: float) -> Checked | None:
    """Judge a text that has a signed ticket's form; None for all others."""
    parts = split(data)
    if parts is None:
        return None
    payload, signature = parts
    held = trust.of(SCHEME)
    keys = held.named("", now)
    if not keys:
        return Checked(SCHEME, data, reasons=("unknown_issuer",))
    try:
        key = _signer(payload, signature, keys)
        found = _genuine(data, payload, key)
    except TicketError:
        return Checked(SCHEME, data, reasons=("invalid",))
    return weigh(found, held, place, now, skew_s=skew_s)


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """Return payload and signature of a text that has a ticket's form to the last byte; None for all others."""
    try:
        raw = base64.b64decode(data[::-1], validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) < HEAD.size or base64.b64encode(raw)[::-1] != data:
        return None
    version, payload, signature = HEAD.unpack_from(raw)
    if version != VERSION or signature != SIGNATURE_BYTES or len(raw) != HEAD.size + payload + signature:
        return None
    return raw[HEAD.size : HEAD.size + payload], raw[HEAD.size + payload :]


def _signer(payload: bytes, signature: bytes, keys: tuple[Key, ...]) -> Key:
    """Return the key that signed it; a ticket does not name its own."""
    for key in keys:
        if isinstance(key.public, Ed25519PublicKey):
            try:
                key.public.verify(signature, payload)
            except InvalidSignature:
                continue
            return key
    raise TicketError("none of the events' keys signed it")


def _genuine(data: bytes, payload: bytes, key: Key) -> Genuine:
    ticket = read(payload)
    named = {"item": ticket.item, "variation": ticket.variation, "subevent": ticket.subevent}
    return Genuine(
        scheme=SCHEME,
        identity=b"pretix" + payload,  # its seed is random
        claims={"event": key.issuer} | {name: number for name, number in named.items() if number},
        marks=(mark(data),),
        not_before=ticket.valid_from or None,
        not_after=ticket.valid_until + 1 if ticket.valid_until else None,  # pretix counts that second in
    )


def saying(payload: bytes) -> dict[str, object]:
    """Return what a ticket says of itself; raise TicketError where it cannot be read."""
    said = read(payload)._asdict() | {"seed": None}
    return {name: value for name, value in said.items() if value}


def read(payload: bytes) -> Ticket:
    """Read a ticket's protobuf; raise TicketError where it is none. Fields of later releases are passed over."""
    fields: dict[int, int | bytes] = dict(_fields(payload))
    seed, *numbers = (fields.get(number, b"" if number == SEED else 0) for number in range(SEED, VALID_UNTIL + 1))
    if not isinstance(seed, bytes) or not all(isinstance(number, int) and 0 <= number <= LAST for number in numbers):
        raise TicketError("a field holds what it may not")
    return Ticket(seed, *(int(number) for number in numbers))


def _fields(payload: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(payload):
        tag, at = _varint(payload, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(payload, at)
            yield number, value
            continue
        size, at = _varint(payload, at) if wire == DELIMITED else ({FIXED64: 8, FIXED32: 4}.get(wire, 0), at)
        if at + size > len(payload) or (wire != DELIMITED and not size):
            raise TicketError("a field is cut short, or of an unknown kind")
        yield number, payload[at : at + size]
        at += size


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for shift, byte in enumerate(payload[at : at + MAX_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 the highest bit says that more follows
            return value, at + shift + 1
    raise TicketError("a number is cut short, or too long")
