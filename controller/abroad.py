"""Issuers of other schemes for the kiosk's tray, with keys made up on the spot: a ticket shop, a health authority."""

from __future__ import annotations

import base64
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Final

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device.wire.messages import Admission, IssuerKey, TrustList

DAY_S: Final = 86400
KID: Final = b"tray-key"  # eight bytes, as an hc1 signer's are
COUNTRY: Final = "AT"
SEED, ITEM, VALID_FROM, VALID_UNTIL = 1, 2, 5, 6  # fields of a pretix ticket
ALG, KEY_ID, ES256 = 1, 4, -7  # of COSE
ISSUER, EXPIRES, ISSUED, HEALTH = 1, 4, 6, -260  # claims of a health certificate


class Abroad:
    """What they issue, and how a controller comes to believe it."""

    def __init__(self) -> None:
        self._shop = Ed25519PrivateKey.generate()
        self._authority = ec.generate_private_key(ec.SECP256R1())

    @property
    def lists(self) -> tuple[TrustList, ...]:
        """Their keys."""
        now = datetime.now(tz=UTC)
        shop = IssuerKey(kid="", alg="EdDSA", public=_public(self._shop.public_key()))
        signer = IssuerKey(
            kid=base64.b64encode(KID).decode(),
            alg="ES256",
            public=_public(self._authority.public_key()),
            country=COUNTRY,
        )
        return (
            TrustList(scheme="pretix", name="tray", issued_at=now, keys=(shop,)),
            TrustList(scheme="hc1", name="tray", issued_at=now, keys=(signer,)),
        )

    @property
    def admissions(self) -> tuple[Admission, ...]:
        """Every genuine code of theirs admits."""
        return (Admission(scheme="pretix"), Admission(scheme="hc1"))

    def ticket(self, days: int) -> str:
        """Return a pretix ticket that is good from ten days ago for so many days from now on."""
        now = int(time.time())
        fields = ((ITEM, 1), (VALID_FROM, now - 10 * DAY_S), (VALID_UNTIL, now + days * DAY_S))
        seed = b"tray ticket"
        payload = bytes((SEED << 3 | 2, len(seed))) + seed
        payload += b"".join(bytes((number << 3,)) + _varint(value) for number, value in fields)
        signature = self._shop.sign(payload)
        raw = b"\x01" + len(payload).to_bytes(2, "big") + len(signature).to_bytes(2, "big") + payload + signature
        return base64.b64encode(raw).decode()[::-1]

    def certificate(self, days: int) -> str:
        """Return an EU certificate of a vaccination a month ago that is good for so many days from now on."""
        now = datetime.now(tz=UTC)
        dose = {
            "tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
            "dt": f"{now - timedelta(days=30):%Y-%m-%d}", "co": COUNTRY, "is": "tray", "ci": "URN:UVCI:01:AT:TRAY#1",
        }  # fmt: skip
        person = {"ver": "1.3.0", "nam": {"fnt": "VISITOR", "gnt": "ONE"}, "dob": "1990-01-01", "v": [dose]}
        until, since = int(now.timestamp()) + days * DAY_S, int(now.timestamp()) - 30 * DAY_S
        body = cbor2.dumps({ISSUER: COUNTRY, EXPIRES: until, ISSUED: since, HEALTH: {1: person}})
        header = cbor2.dumps({ALG: ES256, KEY_ID: KID})
        message = cbor2.dumps(["Signature1", header, b"", body])
        numbers = decode_dss_signature(self._authority.sign(message, ec.ECDSA(SHA256())))
        signature = b"".join(number.to_bytes(32, "big") for number in numbers)
        signed = cbor2.dumps(cbor2.CBORTag(18, [header, {}, body, signature]))
        return f"HC1:{base45.b45encode(zlib.compress(signed, 9)).decode()}"


def _public(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _varint(value: int) -> bytes:
    """Write a number as protobuf does: seven bits a byte, the lowest first."""
    written = b""
    while value > 0x7F:  # noqa: PLR2004
        written += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return written + bytes((value,))
