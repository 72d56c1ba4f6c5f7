"""Codes of other issuers for tests: keys made up here, and what would be drawn on paper or shown on a phone."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device import codes
from device.codes import Checked, shc
from device.codes.jose import base64url
from device.codes.trust import Trust
from device.sight import Code
from device.wire.messages import Admission, Algorithm, Desired, IssuerKey, Place, Scheme, TrustList

ED: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
EC: Final = ec.derive_private_key(7, ec.SECP256R1())
SECRET: Final = bytes(range(32))
NOW: Final = 1_790_000_000  # 21 September 2026, 14:13:20 UTC
ISSUED: Final = datetime.fromtimestamp(NOW - 60, tz=UTC)
ISSUER: Final = "https://issuer.example"
NORTH: Final = Place("expo", "north")
CVX: Final = "http://hl7.org/fhir/sid/cvx"
CARD: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "nbf": NOW - 3600.5,
    "vc": {
        "type": [shc.CARD, "https://smarthealth.cards#immunization"],
        "rid": "cmlk",
        "credentialSubject": {
            "fhirVersion": "4.0.1",
            "fhirBundle": {
                "resourceType": "Bundle",
                "entry": [
                    {"resource": {"resourceType": "Patient", "name": [{"family": "visitor 1"}]}},
                    {"resource": {"resourceType": "Immunization",
                                  "vaccineCode": {"coding": [{"system": CVX, "code": "207"}]}}},
                ],
            },
        },
    },
}  # fmt: skip


def spki(public: Any) -> str:
    """Return a public key as a policy carries it."""
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def key(alg: Algorithm, kid: str = "k1", issuer: str = "") -> IssuerKey:
    """Return the key made up for an algorithm."""
    if alg == "HS256":
        return IssuerKey(kid=kid, alg=alg, secret=base64.b64encode(SECRET).decode(), issuer=issuer)
    private = ED if alg == "EdDSA" else EC
    return IssuerKey(kid=kid, alg=alg, public=spki(private.public_key()), issuer=issuer)


def trust(scheme: Scheme, *keys: IssuerKey, admit: tuple[Admission, ...] | None = None, **more: Any) -> Trust:
    """Return a gate's trust in some keys; without `admit`, every genuine code admits."""
    listed = TrustList(scheme=scheme, name="test", issued_at=ISSUED, keys=keys, **more)
    admissions = (Admission(scheme=scheme),) if admit is None else admit
    return Trust.from_policy(Desired(version=1, lists=(listed,), admit=admissions), bytes(32))


def signed(header: Any, payload: Any, *, alg: str | None = None) -> str:
    """Return a compact JWS, signed as its header says or as told; bytes are taken as they are."""
    head, body = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload))
    message = base64url(head) + b"." + base64url(body)
    return (message + b"." + base64url(signature(alg or header["alg"], message))).decode()


def signature(alg: str, message: bytes) -> bytes:
    """Sign with the key made up for an algorithm."""
    if alg == "EdDSA":
        return ED.sign(message)
    if alg == "HS256":
        made = HMAC(SECRET, SHA256())
        made.update(message)
        return made.finalize()
    r, s = decode_dss_signature(EC.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def deflated(data: Any) -> bytes:
    """Compress a card as its codes hold it."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(raw) + packer.flush()


def card(content: Any = CARD, header: dict[str, Any] | None = None) -> str:
    """Return the text of a health card's one code."""
    return shc.numeric(signed(header or {"alg": "ES256", "zip": "DEF", "kid": "k1"}, deflated(content)))


def ticket(payload: bytes, *, signed_by: Ed25519PrivateKey = ED) -> str:
    """Return the text of a pretix ticket around any payload."""
    raw = b"\x01" + len(payload).to_bytes(2, "big") + b"\x00\x40" + payload + signed_by.sign(payload)
    return base64.b64encode(raw).decode()[::-1]


def verify(text: str | bytes, held: Trust, now: int = NOW, place: Place | None = NORTH) -> Checked:
    """Judge a text as a gate does."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    code = Code(data=data, text=data.decode("utf-8", "replace"), symbology="QRCode")
    return codes.verify(code, held, place, now, screen_s=30, skew_s=5)
