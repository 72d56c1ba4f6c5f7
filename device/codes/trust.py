"""What a gate believes: whose signatures, which passes no longer, which plain codes, which other issuers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device.codes.issuers import NOBODY, Issuers, TrustError
from device.wire.messages import Desired, Scheme, TrustedKey

__all__ = [
    "CTI_BYTES",
    "KEY_BYTES",
    "KID_BYTES",
    "Trust",
    "TrustError",
    "key_id",
    "keyed_hash",
    "make_site_key",
    "read_id",
    "read_secret",
    "read_site_key",
    "trusted",
    "write_secret",
]

KEY_BYTES: Final = 32  # an Ed25519 public key (RFC 8032)
KID_BYTES: Final = 8  # of the SHA-256 of the raw public key: 64 bits, so that no two issuers meet by chance or by work
CTI_BYTES: Final = 8  # the random number in every pass that is its id
HASH_CHARS: Final = 32  # of an HMAC-SHA256 in hex: 128 bits
MIN_SITE_KEY: Final = 32  # bytes


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What one gate decides with. `site_key` keys the hash of every code, so it is kept out of the repr."""

    site_key: bytes = field(repr=False)
    version: int = 0
    keys: Mapping[bytes, Ed25519PublicKey] = field(default_factory=lambda: MappingProxyType({}))  # by key id
    revoked: frozenset[bytes] = frozenset()  # pass ids
    listed: frozenset[str] = frozenset()  # keyed hashes of plain codes
    issued_at: int | None = None  # of the policy, in seconds since 1970
    others: Mapping[Scheme, Issuers] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_policy(cls, desired: Desired, site_key: bytes) -> Trust:
        """Take a policy whole, or raise TrustError naming the entry that is wrong."""
        return cls(
            site_key=site_key,
            version=desired.version,
            keys=MappingProxyType(dict(_key(entry) for entry in desired.keys)),
            revoked=frozenset(read_id(entry) for entry in desired.revoked),
            listed=frozenset(_hash(entry) for entry in desired.listed),
            issued_at=None if desired.issued_at is None else int(desired.issued_at.timestamp()),
            others=MappingProxyType(Issuers.by_scheme(desired.lists, desired.admit)),
        )

    def of(self, scheme: Scheme) -> Issuers:
        """Return what is held of a scheme of others."""
        return self.others.get(scheme, NOBODY)

    def stale(self, now: int) -> tuple[str, ...]:
        """Name the lists that are too old to admit by, as `scheme/name`."""
        return tuple(name for issuers in self.others.values() for name in issuers.stale(now))


def key_id(public: Ed25519PublicKey) -> bytes:
    """Return the id passes name their issuer's key by: the first 8 bytes of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public.public_bytes_raw()).digest()[:KID_BYTES]


def trusted(public: Ed25519PublicKey) -> TrustedKey:
    """Return a public key as a policy carries it."""
    return TrustedKey(key=key_id(public).hex(), public=base64.b64encode(public.public_bytes_raw()).decode())


def keyed_hash(site_key: bytes, data: bytes) -> str:
    """Return the only form in which a code leaves a gate: HMAC-SHA256 under the site's key, 128 bits in hex."""
    return hmac.digest(site_key, data, "sha256").hex()[:HASH_CHARS]


def read_id(text: str) -> bytes:
    """Read the id of a pass, 16 hex digits; raise TrustError for anything else."""
    if not re.fullmatch(rf"[0-9a-f]{{{2 * CTI_BYTES}}}", text):
        raise TrustError(f"{text!r} is no pass id: {2 * CTI_BYTES} hex digits, such as 0f1e2d3c4b5a6978")
    return bytes.fromhex(text)


def _key(entry: TrustedKey) -> tuple[bytes, Ed25519PublicKey]:
    try:
        raw = base64.b64decode(entry.public, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"key {entry.key}: its public key is not base64: {error}") from error
    if len(raw) != KEY_BYTES:
        raise TrustError(f"key {entry.key}: its public key has {len(raw)} bytes; Ed25519 has {KEY_BYTES}")
    public = Ed25519PublicKey.from_public_bytes(raw)
    kid = key_id(public)
    if entry.key != kid.hex():
        raise TrustError(f"key {entry.key}: its public key has the id {kid.hex()}")
    return kid, public


def _hash(entry: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{HASH_CHARS}}}", entry):
        raise TrustError(f"listed code {entry!r} is no keyed hash: {HASH_CHARS} hex digits")
    return entry


def read_site_key(path: Path) -> bytes:
    """Return the site's secret; raise TrustError where it is missing, too short, or readable by others."""
    remedy = (
        f"make one with `menshen pass site-key {path}`, or copy the site's own: "
        "every gate of a site and its controller hold the same"
    )
    key = read_secret(path, "the site key", remedy)
    if len(key) < MIN_SITE_KEY:
        raise TrustError(f"{path}: a site key of {len(key)} bytes; {MIN_SITE_KEY} or more are needed, made at random")
    return key


def read_secret(path: Path, what: str, remedy: str) -> bytes:
    """Return a file that only its owner may read; raise TrustError naming `what` it should be, and the remedy."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read()
    except FileNotFoundError as error:
        raise TrustError(f"{path}: {what} is not here; {remedy}") from error
    except OSError as error:
        raise TrustError(f"{path}: {what} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise TrustError(f"{path}: {what} is open to others; run `chmod 600 {path}`")
    return secret


def make_site_key(path: Path) -> bytes:
    """Make a site key that only its owner may read; raise TrustError where one exists already."""
    key = secrets.token_bytes(MIN_SITE_KEY)
    write_secret(path, key)
    return key


def write_secret(path: Path, secret: bytes) -> None:
    """Write a new file that only its owner may read, all of it or none; raise TrustError where it exists already."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # unlike a rename, this never replaces a key somebody still needs
    except FileExistsError as error:
        raise TrustError(f"{path}: exists already; move it away first if a new one is meant") from error
    except OSError as error:
        raise TrustError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
