"""The ways of altering a genuine code that a forger may think of: its text, its bytes, the parts of its message."""

from __future__ import annotations

import base64
import hmac
import random
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes import cose
from device.codes.trust import key_id

# Two that gates trust, one who holds rotating passes, and somebody else.
ISSUER, OTHER, HOLDER, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes(range(at, at + 32))) for at in range(4))
KID, OTHER_KID = key_id(ISSUER.public_key()), key_id(OTHER.public_key())
NOW: Final = 1_790_000_000
DAY: Final = 86_400
ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of the group Ed25519 works in
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

Dice = random.Random


class Scheme(NamedTuple):
    """A signed code: some genuine texts, and how its COSE message is taken out of a text and put into one."""

    genuine: tuple[bytes, ...]
    unwrap: Callable[[bytes], bytes]
    wrap: Callable[[bytes], bytes]


# Alterations of a text


def _characters(text: bytes, dice: Dice) -> bytes:
    at, char = dice.randrange(len(text)), dice.choice(ALPHABET).encode()
    return dice.choice(
        [
            text[:at] + char + text[at + 1 :],
            text[:at] + char + text[at:],
            text[:at] + text[at + 1 :],
            text[:at] + text[at : at + 1] + text[at:],
            text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
            text[:at] + bytes([text[at] ^ 1 << dice.randrange(8)]) + text[at + 1 :],
        ]
    )


def _ends(text: bytes, dice: Dice) -> bytes:
    more = dice.choice(
        [b" ", b"\n", b"\r\n", b"\x00", b"\t", b"%00", b"0", b"00", b"000", b"=", text[4:7], b"\xef\xbb\xbf"]
    )
    return dice.choice([text + more, more + text, text[: dice.randrange(len(text))], text[dice.randrange(len(text)) :]])


def _spelling(text: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(text))
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text[at : at + 1].decode())
    return dice.choice(
        [
            text.lower(), text.swapcase(), text[:at] + text[at:].lower(),
            text[:at] + text[at : at + 1].lower() + text[at + 1 :],
            text[:4].lower() + text[4:], b"MS1" + text[4:], b"MS1::" + text[4:], b"MS2:" + text[4:], b"HC1:" + text[4:],
            text[:at] + dice.choice([b" ", b"\n", b"\t", b"\x00", b"\xc2\xad", b"\xe2\x80\x8b"]) + text[at:],
            text[:at] + wide.encode() + text[at + 1 :], text[:at] + b"%%%02X" % text[at] + text[at + 1 :],
            text.decode().encode("utf-16"), text[:4] + text[4:][::-1], text + text, text + b"," + text,
        ]
    )  # fmt: skip


def _base45(text: bytes, dice: Dice) -> bytes:
    """Write three characters that mean the same number modulo 2^16, as a careless reader would take them."""
    at = 4 + 3 * dice.randrange(max(1, (len(text) - 4) // 3))
    number = sum(ALPHABET.index(chr(char)) * 45**place for place, char in enumerate(text[at : at + 3]))
    number += 65536 if len(text[at : at + 3]) == 3 else 256
    fresh = "".join(ALPHABET[number // 45**place % 45] for place in range(len(text[at : at + 3])))
    return text[:at] + fresh.encode() + text[at + 3 :]


# Alterations of the message, as bytes


def _bytes(raw: bytes, dice: Dice) -> bytes:
    at, end = sorted(dice.choices(range(len(raw) + 1), k=2))
    return dice.choice(
        [
            raw[:at] + bytes([dice.randrange(256)]) + raw[at + 1 :],
            raw[:at] + dice.randbytes(dice.randrange(4)) + raw[end if end - at < 4 else at :],
            raw[:at],
            raw + dice.randbytes(dice.randrange(1, 9)),
            raw[:at] + raw[end:],
            raw[:at] + raw[at:end] * 2 + raw[end:],
            zlib.compress(raw),
            base64.b64encode(raw),
            raw + raw,
        ]
    )


# Alterations of a COSE_Sign1 by somebody who knows what it is made of

Parts = tuple[Any, Any, Any, Any]


def _kid(parts: Parts, dice: Dice) -> Parts:
    protected, unprotected, payload, signature = parts
    kid = dice.choice([OTHER_KID, KID, KID[:7], KID + b"\x00", b"", "kid", 0, None, [KID], dice.randbytes(8)])
    header = {**cbor2.loads(protected), 4: kid}
    if dice.random() < 0.3:
        return protected, {**unprotected, 4: kid}, payload, signature
    return cose.dumps(header), unprotected, payload, signature


def _algorithm(parts: Parts, dice: Dice) -> Parts:
    protected, unprotected, payload, signature = parts
    header = cbor2.loads(protected)
    header[1] = dice.choice([-19, -7, -35, -36, -257, -37, 5, 4, 0, None, "EdDSA", "none", [-8], -8.0, True])
    raw = cose.dumps(header)
    key = dice.choice([ISSUER, OTHER, HOLDER]).public_key().public_bytes_raw()
    signature = dice.choice([signature, b"", hmac.digest(key, cose.dumps(["MAC0", raw, b"", payload]), "sha256")])
    return dice.choice([(raw, unprotected, payload, signature), (protected, {1: header[1]}, payload, signature)])


def _signature(parts: Parts, dice: Dice) -> Parts:
    *others, signature = parts
    s = int.from_bytes(signature[32:], "little")
    points = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32]
    fresh = dice.choice(
        [
            signature[:32] + (s + ORDER * dice.randrange(1, 8)).to_bytes(33, "little")[:32],
            signature[:32] + (ORDER - s).to_bytes(32, "little"),
            dice.choice(points) + bytes(32), dice.choice(points) + signature[32:], bytes(64), b"",
            signature[:-1], signature + b"\x00", signature[32:] + signature[:32], signature[::-1], dice.randbytes(64),
            b"\x30\x44\x02\x20" + signature[:32] + b"\x02\x20" + signature[32:], None, signature.hex(),
        ]
    )  # fmt: skip
    return (*others, fresh)


def _claims(parts: Parts, dice: Dice) -> Parts:
    protected, unprotected, payload, signature = parts
    claims = cbor2.loads(payload)
    where = dice.choice([*claims, 1, 6, 8, 99, "2"])
    claims[where] = dice.choice(
        [
            NOW, NOW + 10 * DAY, 0, 2**64, -1, 1.5, "", "expo", "expo/north", ["expo", "fair"], b"", bytes(8), None,
            2, 3, True,
            {1: {1: 1, -1: 6, -2: STRANGER.public_key().public_bytes_raw()}}, "\x1b[2J", "x" * 65,
        ]
    )  # fmt: skip
    if dice.random() < 0.3:
        del claims[where]
    return protected, unprotected, cose.dumps(claims), signature


def _spelled(parts: Parts, dice: Dice) -> Parts:
    """Write a header or payload as other bytes that mean the same."""
    at = dice.choice([0, 2])
    value = cbor2.loads(parts[at])
    keys = list(value)
    dice.shuffle(keys)
    body = b"".join(cbor2.dumps(key) + cbor2.dumps(value[key]) for key in keys)
    size = bytes([0xA0 + len(value)])
    fresh = dice.choice(
        [
            size + body, b"\xbf" + body + b"\xff", b"\xb8" + bytes([len(value)]) + body, b"\xd9\xd9\xf7" + size + body,
            bytes([0xA1 + len(value)]) + body + cbor2.dumps(keys[0]) + cbor2.dumps(value[keys[0]]), parts[at] + b"\x00",
            cbor2.dumps(parts[at]), b"\x18" + parts[at],
        ]
    )  # fmt: skip
    return (*parts[:at], fresh, *parts[at + 1 :])


def _foreign(parts: Parts, dice: Dice) -> Parts:
    """Sign anew with a key that may not."""
    protected, unprotected, payload, _ = parts
    key = dice.choice([STRANGER, HOLDER])
    if KID in protected or OTHER_KID in protected:
        wrong = [key, ISSUER if OTHER_KID in protected else OTHER]
    else:
        wrong = [STRANGER, ISSUER, OTHER]
    said = dice.choice(["Signature1", "Signature", "CounterSignature", "MAC0"])
    signer = dice.choice(wrong) if said == "Signature1" else dice.choice([ISSUER, OTHER, HOLDER])
    message = [said, protected, dice.choice([b"", b"x"]) if said != "Signature1" else b"", payload]
    return protected, unprotected, payload, signer.sign(cose.dumps(message))


def _more(parts: Parts, dice: Dice) -> Parts:
    protected, unprotected, payload, signature = parts
    header = {**cbor2.loads(protected), dice.choice([2, 3, 5, 33, 99, "x"]): dice.choice([[99], [], 0, b"", "a", {}])}
    loose = {dice.choice([1, 2, 3, 4, 7, 99, "x"]): dice.choice([-8, KID, [99], b"", "a", {}])}
    return dice.choice([(cose.dumps(header), unprotected, payload, signature), (protected, loose, payload, signature)])


def _screen(parts: Parts, dice: Dice) -> Parts:
    """Alter the pass inside a screen, or put a pass into a screen that is not its own."""
    protected, unprotected, payload, signature = parts
    claims = cbor2.loads(payload)
    if -65538 not in claims:
        return (
            cose.dumps({1: -8}),
            {},
            cose.dumps({6: NOW, -65538: cose.dumps(cbor2.CBORTag(18, list(parts)))}),
            HOLDER.sign(b""),
        )
    inner = cbor2.loads(claims[-65538]).value
    claims[-65538] = dice.choice(
        [_bytes(claims[-65538], dice), _tagged(dice.choice(STRUCTURE)(tuple(inner), dice), dice)]
    )
    if dice.random() < 0.5:
        fresh = cose.dumps(claims)
        return protected, unprotected, fresh, HOLDER.sign(cose.dumps(["Signature1", protected, b"", fresh]))
    return protected, unprotected, cose.dumps(claims), signature


STRUCTURE: Final = (_kid, _algorithm, _signature, _claims, _spelled, _foreign, _more)


def _tagged(parts: Any, dice: Dice, *, odd: bool = False) -> bytes:
    """Write a message; `odd` in a form that is almost that of a COSE_Sign1."""
    whole = list(parts)
    if not odd:
        return bytes(cbor2.dumps(cbor2.CBORTag(18, whole)))
    value = dice.choice(
        [
            whole, cbor2.CBORTag(18, cbor2.CBORTag(18, whole)), cbor2.CBORTag(61, cbor2.CBORTag(18, whole)),
            cbor2.CBORTag(55799, cbor2.CBORTag(18, whole)),
            *(cbor2.CBORTag(tag, whole) for tag in (16, 17, 96, 97, 98)),
            cbor2.CBORTag(18, whole[:3]), cbor2.CBORTag(18, [*whole, b""]), cbor2.CBORTag(18, [whole]),
            cbor2.CBORTag(98, [whole[0], whole[1], whole[2], [[whole[0], whole[1], whole[3]]]]),
            cbor2.CBORTag(18, dict(enumerate(whole))), cbor2.CBORTag(18, dice.sample(whole, 4)),
            cbor2.dumps(cbor2.CBORTag(18, whole)),
        ]
    )  # fmt: skip
    raw = cbor2.dumps(value)
    return dice.choice(
        [raw, b"\xd8\x12" + raw[1:], raw.replace(b"\x84", b"\x9f", 1) + b"\xff", raw.replace(b"\x84", b"\x98\x04", 1)]
    )


def alter(scheme: Scheme, dice: Dice) -> tuple[str, bytes]:
    """Return one altered text, and how it came about."""
    text = dice.choice(scheme.genuine)
    turn = dice.randrange(10)
    if turn < 3:
        how = dice.choice([_characters, _characters, _ends, _spelling, _base45])
        return how.__name__, how(text, dice)
    if turn == 3:
        other = dice.choice(scheme.genuine)
        at = dice.randrange(min(len(text), len(other)))
        return "two halves", text[:at] + other[at:]
    raw = scheme.unwrap(text)
    if turn == 4 or raw[:1] != b"\xd2":
        return "_bytes", scheme.wrap(_bytes(raw, dice))
    parts = tuple(cbor2.loads(raw).value)
    if turn == 5:
        return "another form", scheme.wrap(_tagged(parts, dice, odd=True))
    if turn == 6:
        others = cbor2.loads(scheme.unwrap(dice.choice(scheme.genuine))).value
        return "parts of two", scheme.wrap(
            _tagged([dice.choice(pair) for pair in zip(parts, others, strict=True)], dice)
        )
    how_ = dice.choice([*STRUCTURE, _screen])
    return how_.__name__, scheme.wrap(_tagged(how_(parts, dice), dice))
