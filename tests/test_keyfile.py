"""The files in which other issuers hand out their keys, and what is refused of them."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from controller import keyfile
from controller.keyfile import KeyFileError
from device.codes.issuers import mark
from device.codes.jose import base64url
from device.wire.messages import IssuerKey
from tests.tickets import EC, ED, ISSUER, SECRET, key, signed, spki, ticket


def jwk(made_for: str, **more: Any) -> dict[str, Any]:
    """Return the key made up for an algorithm as a JWK; ... takes a member away."""
    if made_for == "HS256":
        made = {"kty": "oct", "alg": "HS256", "k": base64url(SECRET).decode()}
    elif made_for == "EdDSA":
        made = {"kty": "OKP", "crv": "Ed25519", "x": base64url(ED.public_key().public_bytes_raw()).decode()}
    else:
        numbers = EC.public_key().public_numbers()
        x, y = (base64url(each.to_bytes(32, "big")).decode() for each in (numbers.x, numbers.y))
        made = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return {name: value for name, value in ({"kid": "k1", **made} | more).items() if value is not ...}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def pem(public: Any) -> bytes:
    written: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return written


def test_a_jwk_set_is_read() -> None:
    data = jwks(jwk("ES256", use="sig", alg="ES256"), jwk("EdDSA", kid="k2", key_ops=["verify"]))
    assert keyfile.read(data, "jws", issuer=ISSUER) == (key("ES256", "k1", ISSUER), key("EdDSA", "k2", ISSUER))
    assert keyfile.read(data, "jws", kids=("k2",)) == (key("EdDSA", "k2"),)
    assert keyfile.read(json.dumps(jwk("EdDSA", kid=...)).encode(), "jws") == (key("EdDSA", ""),)


def test_a_shared_secret_needs_a_word_of_its_own() -> None:
    with pytest.raises(KeyFileError, match="can also sign; --hs256 lets it in"):
        keyfile.read(jwks(jwk("HS256")), "jws")
    assert keyfile.read(jwks(jwk("HS256")), "jws", hs256=True) == (key("HS256"),)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "neither PEM nor a JWK set"),
        (b"{}", "no JWK set"),
        (jwks(), "no JWK set"),
        (b'{"keys":[1]}', "no JWK set"),
        (b'{"keys":[],"keys":[]}', "neither PEM nor"),
        (jwks(jwk("ES256"), jwk("EdDSA")), "several keys have the kid 'k1'"),
        (jwks(jwk("ES256"), jwk("HS256", kid="k2")), "public keys and shared secrets"),
        (jwks(jwk("ES256", use="enc")), "key k1: it is not for signatures"),
        (jwks(jwk("ES256", key_ops=["encrypt"])), "it is not for signatures"),
        (jwks(jwk("ES256", alg="ES521")), "it is for ES521"),
        (jwks(jwk("ES256", crv="P-384")), "a key of the kind EC P-384"),
        (jwks(jwk("ES256", kty="RSA")), "a key of the kind RSA P-256"),
        (jwks(jwk("ES256", y=base64url(bytes(32)).decode())), "key k1"),
        (jwks(jwk("ES256", x="AA")), "32 bytes"),
        (jwks(jwk("ES256", x=7)), "it has no x"),
        (jwks(jwk("ES256", x="!")), "not base64url"),
        (jwks(jwk("EdDSA", x="AA")), "key k1"),
        (jwks(jwk("ES256", d="AA")), "private key"),
        (jwks(jwk("ES256", kid=7)), "kid is no text"),
        (jwks(jwk("HS256", alg="A256KW")), "for HS256"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificates"),
        (pem(ec.derive_private_key(7, ec.SECP384R1()).public_key()), "of no use to jws"),
    ],
)
def test_what_cannot_be_taken_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(KeyFileError, match=problem):
        keyfile.read(data, "jws", hs256=True)


def test_a_key_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(KeyFileError, match="no key has the kid 'k9'; there are k1"):
        keyfile.read(jwks(jwk("ES256")), "jws", kids=("k9",))


def test_a_health_card_issuer_names_a_key_by_its_thumbprint() -> None:
    name = keyfile.thumbprint(jwk("ES256"))
    assert keyfile.read(jwks(jwk("ES256", kid=name)), "shc", issuer=ISSUER) == (key("ES256", name, ISSUER),)
    with pytest.raises(KeyFileError, match=f"its kid must be its thumbprint .*{name}"):
        keyfile.read(jwks(jwk("ES256")), "shc", issuer=ISSUER)


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    example = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert keyfile.thumbprint(example) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_pem_and_what_pretix_shows() -> None:
    text = pem(ED.public_key())
    once = (key("EdDSA", "", "expo-2026"),)
    shown = base64.b64encode(text)
    event = json.dumps({"slug": "expo-2026", "valid_keys": {"pretix_sig1": [shown.decode()]}}).encode()
    for data in (text, shown, event, shown + b"\n"):
        assert keyfile.read(data, "pretix", issuer="expo-2026") == once
    assert keyfile.read(shown + b"\n" + shown, "pretix", issuer="expo-2026") == once * 2
    assert keyfile.read(text, "jws", kids=("k7",)) == (key("EdDSA", "k7"),)
    for wrong in (b"{}", b'{"valid_keys":{}}', b'{"valid_keys":{"pretix_sig1":[1]}}', b"[" * 9000, shown[:-5]):
        with pytest.raises(KeyFileError):
            keyfile.read(wrong, "pretix")


def test_a_certificate_says_whose_and_until_when() -> None:
    private, until = ec.derive_private_key(7, ec.SECP256R1()), datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "SE")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, until - timedelta(days=9), until)
    certificate = builder.sign(private, SHA256())
    kid = base64.b64encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()[:8]).decode()
    assert keyfile.read(certificate.public_bytes(Encoding.PEM), "jws") == (
        IssuerKey(kid=kid, alg="ES256", public=spki(private.public_key()), country="SE", not_after=until),
    )


def test_what_was_taken_back_is_named_by_mark_or_by_the_code_itself() -> None:
    text, token = ticket(b"\x10\x2a"), signed({"alg": "EdDSA"}, {"sub": "visitor 1"})
    other = "00ff" * 8
    assert keyfile.revocations(f"{text}\n{other}\n".encode(), "pretix") == (mark(text.encode()), other)
    assert keyfile.revocations(token.encode(), "jws") == (mark(token.rpartition(".")[0].encode()),)
    assert keyfile.revocations(b"URN:UVCI:01:AT:1#B\n", "hc1") == (mark(b"URN:UVCI:01:AT:1#B"),)
    assert keyfile.revocations(b"k1/cmlk\n", "shc") == ("k1/cmlk",)
    crl = {"kid": "k1", "method": "rid", "ctr": 1, "rids": ["cmlk", "cmlr.1790000000"]}
    assert keyfile.revocations(json.dumps(crl).encode(), "shc") == ("k1/cmlk", "k1/cmlr.1790000000")
    wrongs: list[dict[str, Any]] = [{**crl, "method": "other"}, {**crl, "rids": ["a", "a.7"]}, {"rids": []}]
    for wrong in wrongs:
        with pytest.raises(KeyFileError):
            keyfile.revocations(json.dumps(wrong).encode(), "shc")
