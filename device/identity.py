"""This gate's identity: a key that is made here and never leaves, and the certificate the controller gave for it.

Both are in one file, so that renewing replaces them in one step, whenever the power goes. Nothing here asks the gate's
clock whether a certificate is good: a gate whose clock is not yet set may have one all the same.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from device.codes.trust import TrustError, write_secret

FILE: Final = "gate.pem"


class IdentityError(RuntimeError):
    """A gate that has no identity, or one that does not fit together; the text names the fix."""


class Identity(NamedTuple):
    """A key, and the certificate that goes with it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return what is kept in a folder."""
        path = folder / FILE
        try:
            pem = path.read_bytes()
            key = load_pem_private_key(pem, None)
            certificate = x509.load_pem_x509_certificate(pem)
        except OSError as error:
            raise IdentityError(f"{path}: {error.strerror}; `menshen gate enrol` makes it") from error
        except ValueError as error:
            raise IdentityError(f"{path} is damaged: {error}; enrol this gate again") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise IdentityError(f"{path}: its key is not on P-256; enrol this gate again")
        return cls(key, certificate)

    @classmethod
    def check(cls, key: ec.EllipticCurvePrivateKey, certificate: str, authority: str) -> Self:
        """Put a key and the certificate for it together, both in PEM; refuse what is not by that authority."""
        try:
            mine = x509.load_pem_x509_certificate(certificate.encode())
            mine.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
        except (ValueError, TypeError, InvalidSignature) as error:
            raise IdentityError("the certificate is not by the authority it should be by: enrol again") from error
        if mine.public_key() != key.public_key():
            raise IdentityError("the certificate is for another key: enrol again")
        return cls(key, mine)

    @property
    def until(self) -> datetime:
        """Return when the certificate ends, in UTC."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> str:
        """Return the certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, text: str) -> str:
        """Return a signature over a text: ECDSA, SHA-256, DER in hex."""
        return self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())).hex()

    def keep(self, folder: Path) -> None:
        """Write both into the folder, in place of those that are there."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        replace(folder / FILE, private + self.pem.encode())


def request() -> tuple[ec.EllipticCurvePrivateKey, str]:
    """Make a key, and a request for its certificate in PEM. It holds no name: that is the controller's to give."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return key, csr.public_bytes(Encoding.PEM).decode()


def replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, all of it or none; raise IdentityError when it cannot be."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(fresh, data)
        fresh.replace(path)
    except (OSError, TrustError) as error:
        raise IdentityError(f"{path}: cannot be written: {error}") from error
