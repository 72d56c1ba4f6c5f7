"""The certificate authority of one installation: who may speak on its broker, and as whom.

ECDSA on P-256, which every TLS library has. A gate's key is made on the gate; only its request for a certificate comes
here. Elsewhere a private key and its certificate share one file, so that renewing replaces both in one step.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from device.codes.trust import TrustError, write_secret
from device.wire.messages import MessageError, Place

CONTROLLER: Final = "controller"  # the name of the one client that is no gate
CA_LIFE: Final = timedelta(days=3650)
GATE_LIFE: Final = timedelta(days=90)
READER_LIFE: Final = timedelta(days=365)  # nothing renews it
EARLY: Final = timedelta(days=1)  # certificates begin before now: the other side's clock may be behind

MARKS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
MARK_CHARS: Final = 5  # 25 bits, so that no mark comes twice at one entrance
LONGEST: Final = 64 - 2 - MARK_CHARS  # characters: X.520 gives a common name 64, and two dots are ours
THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


class AuthorityError(RuntimeError):
    """A certificate that cannot be given or believed; the text says why and what to do."""


class Certified(NamedTuple):
    """What a genuine certificate says: which gate, its key, and when it ends."""

    name: str
    key: ec.EllipticCurvePublicKey
    until: datetime


def name_for(place: Place) -> str:
    """Return a name for a new gate at an entrance: `<site>.<entrance>.<mark>`.

    The mark is random. A gate that was stolen has another name than the one that replaced it, so that what is given to
    the second is never given to the first.
    """
    if (used := len(place.site) + len(place.entrance)) > LONGEST:
        raise AuthorityError(
            f"{place}: a certificate's name holds site and entrance of {LONGEST} characters together, and these have "
            f"{used}: choose a shorter id"
        )
    return f"{place.site}.{place.entrance}.{mark()}"


def mark() -> str:
    """Return what tells a client from an earlier one of its name."""
    return "".join(secrets.choice(MARKS) for _ in range(MARK_CHARS))


def place_of(name: str) -> Place:
    """Return the entrance that a gate's name belongs to; raise AuthorityError for any other name."""
    found = re.fullmatch(rf"([a-z0-9-]+)\.([a-z0-9-]+)\.[{MARKS}]{{{MARK_CHARS}}}", name)
    try:
        return Place.parse(f"{found[1]}/{found[2]}" if found else name)
    except MessageError as error:
        raise AuthorityError(f"{name!r} is no gate's name") from error


def read_request(pem: str) -> ec.EllipticCurvePublicKey:
    """Return the key that a certificate is asked for. All else a request holds is ignored: the name is ours to give."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        public = request.public_key()
        good = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuthorityError("not a request for a certificate, PKCS #10 in PEM") from error
    if not good:
        raise AuthorityError("the request is not signed by the key it holds")
    return _on_p256(public)


def replace_secret(path: Path, secret: bytes) -> None:
    """Write a file that only its owner may read, in place of the one that is there, all of it or none."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_secret(fresh, secret)
    fresh.replace(path)


class Authority:
    """The folder with the authority's key, and everything it signs."""

    def __init__(self, folder: Path) -> None:
        """Load the authority of a folder; raise AuthorityError where it has none."""
        try:
            key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
            self._certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        except OSError as error:
            raise AuthorityError(
                f"{error.filename}: {error.strerror}; `menshen controller init` makes an authority"
            ) from error
        except ValueError as error:
            raise AuthorityError(f"{folder}: ca.key or ca.crt is damaged: {error}; restore both from a copy") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise AuthorityError(f"{folder}: ca.key is not the key of ca.crt; restore both from one copy")
        self._key = key

    @classmethod
    def make(cls, folder: Path) -> Authority:
        """Make a new authority; raise AuthorityError where there is one already, since every gate trusts that."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _common_name(f"menshen {secrets.token_hex(4)}")
        certificate = (
            _from_now(CA_LIFE)
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_secret(folder / "ca.key", _private(key))
            replace_secret(folder / "ca.crt", certificate.public_bytes(Encoding.PEM))
        except (TrustError, OSError) as error:
            raise AuthorityError(str(error)) from error
        return cls(folder)

    @property
    def pem(self) -> str:
        """Return the authority's own certificate, which everybody may have."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def broker(self, *names: str) -> bytes:
        """Return key and certificate for the broker, known by these names and addresses and, here, by localhost."""
        known = dict.fromkeys([*names, *THIS_MACHINE])
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in known])
        return self._pair("menshen broker", ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def controller(self) -> bytes:
        """Return key and certificate for the controller's own connections."""
        return self._pair(CONTROLLER, ExtendedKeyUsageOID.CLIENT_AUTH)

    def gate(self, key: ec.EllipticCurvePublicKey, name: str, *, now: datetime | None = None) -> str:
        """Return a certificate for the key of one gate."""
        place_of(name)
        builder = _from_now(GATE_LIFE, now)
        return self._sign(builder, name, key, ExtendedKeyUsageOID.CLIENT_AUTH).decode()

    def reader(self, name: str) -> tuple[bytes, bytes]:
        """Return key and certificate for a program of somebody else's."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return _private(key), self._sign(_from_now(READER_LIFE), name, key.public_key(), usage)

    def read(self, pem: str, now: datetime) -> Certified:
        """Return what a gate's certificate says; raise AuthorityError unless we gave it and it is still good."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise AuthorityError("the certificate is not one of ours") from error
        name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        place_of(name)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise AuthorityError(f"the certificate of {name} is out of date: enrol that gate again")
        return Certified(name, _on_p256(certificate.public_key()), certificate.not_valid_after_utc)

    def _pair(self, name: str, usage: x509.ObjectIdentifier, *extensions: x509.ExtensionType) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        return _private(key) + self._sign(_from_now(CA_LIFE), name, key.public_key(), usage, *extensions)

    def _sign(
        self,
        builder: x509.CertificateBuilder,
        name: str,
        key: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
        *extensions: x509.ExtensionType,
    ) -> bytes:
        plain: list[x509.ExtensionType] = [
            x509.ExtendedKeyUsage([usage]),
            x509.SubjectKeyIdentifier.from_public_key(key),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            *extensions,
        ]
        builder = (
            builder.subject_name(_common_name(name))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
        )
        for extension in plain:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _from_now(life: timedelta, now: datetime | None = None) -> x509.CertificateBuilder:
    now = now or datetime.now(tz=UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + life)
    )


def _on_p256(key: object) -> ec.EllipticCurvePublicKey:
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise AuthorityError("the key is not an ECDSA key on P-256")
    return key


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
