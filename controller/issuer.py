"""The issuer's private key: made once, kept in its own folder, read by whoever signs a pass."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from device.codes.trust import TrustError, read_secret, write_secret

FILE: Final = "issuer.pem"


def make(folder: Path) -> Path:
    """Make the issuer's key, PEM (PKCS #8), for its owner only; raise TrustError where there is one already."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TrustError(f"{folder}: cannot be made: {error.strerror}; see [passes] issuer") from error
    key = Ed25519PrivateKey.generate()
    write_secret(folder / FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / FILE


def load(folder: Path) -> Ed25519PrivateKey:
    """Return the issuer's key; raise TrustError naming what is wrong with its file."""
    path = folder / FILE
    pem = read_secret(path, "the issuer's key", "make one with `menshen pass key`")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise TrustError(f"{path}: not a private key in PEM without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path}: passes are signed with an Ed25519 key, and this is another kind")
    return key
