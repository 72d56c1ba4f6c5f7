"""Signers of EU certificates for tests: a key, its certificate, codes signed with it, and a gate that judges them."""

from __future__ import annotations

import copy
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import base45
import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import NameOID

from controller import dsc
from device import codes
from device.codes import Checked
from device.codes.trust import Trust
from device.sight import Code
from device.wire.messages import Admission, Desired, IssuerKey, Place, TrustList

BEGAN: Final = datetime(2021, 1, 1, tzinfo=UTC)
UNTIL: Final = BEGAN + timedelta(days=730)
NOW: Final = int(datetime(2021, 7, 1, 12, tzinfo=UTC).timestamp())
VACCINATED: Final[dict[str, Any]] = {
    "ver": "1.3.0",
    "nam": {"fn": "Visitor", "fnt": "VISITOR", "gn": "One", "gnt": "ONE"},
    "dob": "1990-01-01",
    "v": [
        {
            "tg": "840539006",
            "vp": "1119349007",
            "mp": "EU/1/20/1528",
            "ma": "ORG-100030215",
            "dn": 2,
            "sd": 2,
            "dt": "2021-06-01",
            "co": "AT",
            "is": "Ministry of Health",
            "ci": "URN:UVCI:01:AT:0123456789ABCDEF#1",
        }
    ],
}
_PERSON: Final = {name: VACCINATED[name] for name in ("ver", "nam", "dob")}
_ENTRY: Final = {name: VACCINATED["v"][0][name] for name in ("tg", "co", "is", "ci")}
TESTED: Final[dict[str, Any]] = _PERSON | {
    "t": [_ENTRY | {"tt": "LP6464-4", "sc": "2021-07-01T08:00:00Z", "tr": "260415000", "nm": "test", "tc": "centre"}]
}
RECOVERED: Final[dict[str, Any]] = _PERSON | {
    "r": [_ENTRY | {"fr": "2021-05-01", "df": "2021-05-12", "du": "2021-10-28"}]
}
RULE: Final[dict[str, Any]] = {
    "Identifier": "VR-AT-0001",
    "Type": "Acceptance",
    "Country": "AT",
    "Version": "1.0.0",
    "Engine": "CERTLOGIC",
    "CertificateType": "Vaccination",
    "ValidFrom": "2021-06-01T00:00:00Z",
    "ValidTo": "2030-06-01T00:00:00Z",
    "AffectedFields": ["v.0.dn", "v.0.sd"],
    "Logic": {">=": [{"var": "payload.v.0.dn"}, {"var": "payload.v.0.sd"}]},
}
USAGE_OIDS: Final = {
    "test": "1.3.6.1.4.1.1847.2021.1.1",
    "vaccination": "1.3.6.1.4.1.1847.2021.1.2",
    "recovery": "1.3.6.1.4.1.1847.2021.1.3",
    "old recovery": "1.3.6.1.4.1.0.1847.2021.1.3",
    "client": "1.3.6.1.5.5.7.3.2",
}


class Signer:
    """A document signer. `usages` are what its certificate says it may sign."""

    def __init__(
        self, key: EllipticCurvePrivateKey | RSAPrivateKey | None = None, *usages: str, until: datetime = UNTIL
    ) -> None:
        """Make its key, if it has none, and its certificate."""
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "AT")])
        builder = (
            x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(BEGAN)
            .not_valid_after(until)
        )
        if usages:
            eku = x509.ExtendedKeyUsage([ObjectIdentifier(USAGE_OIDS[each]) for each in usages])
            builder = builder.add_extension(eku, critical=False)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def der(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def trusted(self) -> IssuerKey:
        """Its key as a policy carries it."""
        return dsc.issuer_key(self.der)

    @property
    def kid(self) -> bytes:
        """The id of its key."""
        return self.certificate.fingerprint(hashes.SHA256())[:8]

    def sign(self, message: bytes) -> bytes:
        """Sign in COSE's form."""
        if isinstance(self.key, RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return self.key.sign(message, pss, hashes.SHA256())
        half = (self.key.curve.key_size + 7) // 8
        numbers = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(half, "big") for number in numbers)

    def message(
        self,
        payload: Any,
        *,
        protected: dict[int, Any] | None = None,
        unprotected: dict[int, Any] | None = None,
        claims: dict[int, Any] | None = None,
        tags: tuple[int, ...] = (18,),
    ) -> bytes:
        """Return a COSE_Sign1 that holds the payload; what is not said is as most issuers write it."""
        alg = -37 if isinstance(self.key, RSAPrivateKey) else -7
        shown = {1: alg, 4: self.kid} if protected is None else protected
        header = cbor2.dumps(shown) if shown else b""
        cwt = {1: "AT", 4: NOW + 86400, 6: NOW - 86400, -260: {1: payload}} | (claims or {})
        body = cbor2.dumps({key: value for key, value in cwt.items() if value is not None})
        signature = self.sign(cbor2.dumps(["Signature1", header, b"", body]))
        message: Any = [header, unprotected or {}, body, signature]
        for tag in tags:
            message = cbor2.CBORTag(tag, message)
        return bytes(cbor2.dumps(message))

    def code(self, payload: Any = VACCINATED, **parts: Any) -> bytes:
        """Return the text of a code."""
        return text(self.message(payload, **parts))


def rsa_signer() -> Signer:
    """Return one with an RSA key."""
    return Signer(rsa.generate_private_key(65537, 2048))


SIGNER: Final = Signer()
RSA: Final = rsa_signer()
STRANGER: Final = Signer()
EVERYBODY: Final = (Admission(scheme="hc1"),)


def trust(*signers: Signer, admit: tuple[Admission, ...] = EVERYBODY, **more: Any) -> Trust:
    """Return a gate's trust in signers, an hour old; in the first two where none is named."""
    keys = tuple(each.trusted for each in signers or (SIGNER, RSA))
    issued_at = datetime.fromtimestamp(NOW - 3600, UTC)
    listed = TrustList(scheme="hc1", name="test", issued_at=issued_at, keys=keys, **more)
    return Trust.from_policy(Desired(version=1, lists=(listed,), admit=admit), bytes(32))


HELD: Final = trust()


def verify(data: bytes, held: Trust = HELD, now: int = NOW) -> Checked:
    """Judge a text as a gate does."""
    code = Code(data=data, text=data.decode("utf-8", "replace"), symbology="QRCode")
    return codes.verify(code, held, Place("expo", "north"), now, screen_s=30, skew_s=5)


def changed(payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the payload with some fields of its entry, or of itself, set otherwise."""
    other = copy.deepcopy(payload)
    entry = next(other[group][0] for group in "vtr" if group in other)
    for name, value in fields.items():
        (entry if name in entry else other)[name] = value
    return other


def text(message: bytes) -> bytes:
    """Return the text that holds a message."""
    return b"HC1:" + bytes(base45.b45encode(zlib.compress(message)))
