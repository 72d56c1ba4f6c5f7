"""Reads the files in which other issuers hand out their keys: a JWK set, PEM, certificates, pretix's own form."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from typing import Any, Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import NameOID

from device.codes import jose, pretix
from device.codes.issuers import PublicKey, mark
from device.codes.jose import JoseError, base64url, loads, unbase64url
from device.wire.messages import Algorithm, IssuerKey, Scheme, TrustList
from device.wire.nesting import too_deep

PEM: Final = b"-----BEGIN "
UVCI: Final = b"URN:UVCI:"  # hc1: a certificate's identifier
CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
PRETIX_PEM: Final = base64.b64encode(PEM)[:12]  # pretix shows a PEM in base64
HALF: Final = 32  # bytes of a coordinate on P-256
KID_BYTES: Final = 8  # of the SHA-256 of a certificate, which has no other name


class KeyFileError(ValueError):
    """A file that holds no keys we can take; the text names the key and the fix."""


def read(
    data: bytes, scheme: Scheme, *, issuer: str = "", kids: tuple[str, ...] = (), hs256: bool = False
) -> tuple[IssuerKey, ...]:
    """Return the keys of a file; raise KeyFileError where one of them cannot be taken.

    `kids` takes only some of a set's keys, or names the one of a PEM file. `hs256` lets shared secrets in.
    """
    data = data.strip()
    if scheme == "pretix" and data.startswith((b"{", PRETIX_PEM)):
        return tuple(_pem(pem, scheme, issuer, "") for pem in _pretix(data))
    if data.startswith(CERTIFICATE):
        return tuple(_certificate(each, scheme, issuer) for each in _certificates(data))
    if data.startswith(PEM):
        return (_pem(data, scheme, issuer, kids[0] if kids else ""),)
    return _jwks(data, scheme, issuer, kids, hs256=hs256)


def _pretix(data: bytes) -> list[bytes]:
    """Return the PEM texts of what pretix shows of an event: one key a line, or the event from its API."""
    if too_deep(data):
        raise KeyFileError("no keys as pretix shows them: JSON nested too deep")
    try:
        lines = json.loads(data)["valid_keys"]["pretix_sig1"] if data.startswith(b"{") else data.decode("ascii").split()
        return [base64.b64decode(line, validate=True) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(f"no keys as pretix shows them: {error}") from error


def _pem(pem: bytes, scheme: Scheme, issuer: str, kid: str) -> IssuerKey:
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"no public key in PEM: {error}") from error
    return IssuerKey(kid=kid, alg=_algorithm(public, scheme), public=_spki(public), issuer=issuer)


def _certificates(data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise KeyFileError(f"no certificates in PEM: {error}") from error


def _certificate(certificate: x509.Certificate, scheme: Scheme, issuer: str) -> IssuerKey:
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    country = certificate.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    public = certificate.public_key()
    return IssuerKey(
        kid=base64.b64encode(digest[:KID_BYTES]).decode(),
        alg=_algorithm(public, scheme),
        public=_spki(public),
        issuer=issuer,
        country=str(country[0].value) if country else "",
        not_after=certificate.not_valid_after_utc,
    )


def _jwks(data: bytes, scheme: Scheme, issuer: str, kids: tuple[str, ...], *, hs256: bool) -> tuple[IssuerKey, ...]:
    try:
        document = loads(data)
    except JoseError as error:
        raise KeyFileError(f"neither PEM nor a JWK set: {error}") from error
    found = document.get("keys", [document] if "kty" in document else None)
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise KeyFileError('no JWK set: an object with a list of "keys" is needed')
    several = Counter(str(each.get("kid", "")) for each in found)
    if repeated := [kid for kid, count in several.items() if count > 1]:
        raise KeyFileError(f"several keys have the kid {repeated[0]!r}, so that nobody can tell which is meant")
    if len({each.get("kty") == "oct" for each in found}) > 1:
        raise KeyFileError("public keys and shared secrets in one set: whoever made it may have published a secret")
    chosen = [each for each in found if not kids or each.get("kid", "") in kids]
    if missing := set(kids) - several.keys():
        raise KeyFileError(f"no key has the kid {min(missing)!r}; there are {', '.join(several)}")
    return tuple(_jwk(each, scheme, issuer, hs256=hs256) for each in chosen)


def _jwk(jwk: dict[str, Any], scheme: Scheme, issuer: str, *, hs256: bool) -> IssuerKey:
    kid = jwk.get("kid", "")
    try:
        if not isinstance(kid, str):
            raise KeyFileError("its kid is no text")  # noqa: TRY301 told with the others
        _check_use(jwk)
        if jwk.get("kty") == "oct":
            return _secret(jwk, kid, issuer, hs256=hs256)
        public = _public(jwk)
        alg = _algorithm(public, scheme)
        if jwk.get("alg", alg) != alg:
            raise KeyFileError(f"it is for {jwk['alg']}, which {scheme} does not use with such a key")  # noqa: TRY301
        if scheme == "shc" and kid != thumbprint(jwk):
            raise KeyFileError(f"its kid must be its thumbprint (RFC 7638), {thumbprint(jwk)}")  # noqa: TRY301
    except (KeyFileError, JoseError, ValueError) as error:
        raise KeyFileError(f"key {kid or 'without a kid'}: {error}; --kid takes only the keys it names") from error
    return IssuerKey(kid=kid, alg=alg, public=_spki(public), issuer=issuer)


def _check_use(jwk: dict[str, Any]) -> None:
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise KeyFileError("it is not for signatures")
    if jwk.get("kty") != "oct" and "d" in jwk:
        raise KeyFileError("this is a private key: ask its owner for the public half alone, and tell them")


def _secret(jwk: dict[str, Any], kid: str, issuer: str, *, hs256: bool) -> IssuerKey:
    if jwk.get("alg") != "HS256":
        raise KeyFileError("a shared secret must say that it is for HS256")
    if not hs256:
        raise KeyFileError("a shared secret: everybody who holds it can also sign; --hs256 lets it in all the same")
    secret = unbase64url(_text(jwk, "k"))
    return IssuerKey(kid=kid, alg="HS256", secret=base64.b64encode(secret).decode(), issuer=issuer)


def _public(jwk: dict[str, Any]) -> PublicKey:
    match jwk.get("kty"), jwk.get("crv"):
        case "OKP", "Ed25519":
            return Ed25519PublicKey.from_public_bytes(unbase64url(_text(jwk, "x")))
        case "EC", "P-256":
            x, y = (unbase64url(_text(jwk, name)) for name in ("x", "y"))
            if len(x) != HALF or len(y) != HALF:
                raise KeyFileError(f"a coordinate on P-256 has {HALF} bytes")
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
            return numbers.public_key()  # raises ValueError for a point that is not on the curve
        case "RSA", None:
            n, e = (int.from_bytes(unbase64url(_text(jwk, name)), "big") for name in ("n", "e"))
            return rsa.RSAPublicNumbers(e, n).public_key()
        case kty, crv:
            raise KeyFileError(f"a key of the kind {kty} {crv or ''} is of no use here")


def _text(jwk: dict[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise KeyFileError(f"it has no {name}")
    return value.encode("utf-8", "surrogatepass")


def _algorithm(public: object, scheme: Scheme) -> Algorithm:
    """Return the one algorithm a scheme uses with such a key; whether it uses it at all is the policy's to say."""
    match public:
        case Ed25519PublicKey():
            return "EdDSA"
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return "ES256"
    raise KeyFileError(f"a key of this kind is of no use to {scheme}")


def _spki(public: Any) -> str:
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def thumbprint(jwk: dict[str, Any]) -> str:
    """Return what SMART Health Cards call a key: the SHA-256 of its needed members (RFC 7638)."""
    needed = {name: jwk.get(name) for name in ("crv", "kty", "x", "y") if name in jwk}
    written = json.dumps(needed, sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(written.encode()).digest()).decode()


def whole(data: bytes) -> TrustList:
    """Read a list as a policy carries it; raise KeyFileError where it is none."""
    try:
        return msgspec.json.decode(data, type=TrustList)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise KeyFileError(f"no list as a policy carries it: {error}") from error


def revocations(data: bytes, scheme: Scheme) -> tuple[str, ...]:
    """Return the marks of a file: a health card issuer's list, or line by line a mark or the code that is meant.

    Raise KeyFileError for a list that is none; what is no mark the policy names.
    """
    if scheme == "shc" and data.lstrip().startswith(b"{"):
        return _cards(data)
    return tuple(_marked(line, scheme) for line in data.split())


def _marked(line: bytes, scheme: Scheme) -> str:
    if scheme == "pretix" and pretix.split(line):
        return mark(line)
    if scheme == "jws" and jose.looks_like_one(line):
        return mark(line.rpartition(b".")[0])
    if scheme == "hc1" and line.startswith(UVCI):
        return mark(line)
    return line.decode("ascii", "replace")


def _cards(data: bytes) -> tuple[str, ...]:
    try:
        crl = jose.loads(data)
    except JoseError as error:
        raise KeyFileError(f"no revocation list: {error}") from error
    match crl:
        case {"kid": str(kid), "method": "rid", "ctr": int(), "rids": [*rids]}:
            if len({str(rid).partition(".")[0] for rid in rids}) != len(rids):
                raise KeyFileError("the revocation list names a card twice")
            return tuple(f"{kid}/{rid}" for rid in rids)
    raise KeyFileError('no revocation list of health cards: "kid", "method":"rid", "ctr" and "rids" are needed')
