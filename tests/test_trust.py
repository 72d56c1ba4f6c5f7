"""What a gate believes, and the secret it keys its hashes with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes.trust import (
    Trust,
    TrustError,
    key_id,
    keyed_hash,
    make_site_key,
    read_id,
    read_site_key,
    trusted,
    write_secret,
)
from device.wire.messages import Desired, TrustedKey

SITE_KEY = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
RAW = PUBLIC.public_bytes_raw()
KID = hashlib.sha256(RAW).hexdigest()[:16]


def test_a_policy_becomes_what_a_gate_decides_with() -> None:
    hashed = keyed_hash(SITE_KEY, b"M-0001")
    entry = TrustedKey(key=KID, public=base64.b64encode(RAW).decode())
    desired = Desired(version=7, keys=(entry,), revoked=("00ff00ff00ff00ff",), listed=(hashed,))
    trust = Trust.from_policy(desired, SITE_KEY)
    assert trust.version == 7
    assert {kid.hex(): key.public_bytes_raw() for kid, key in trust.keys.items()} == {KID: RAW}
    assert trust.revoked == {b"\x00\xff" * 4}
    assert trust.listed == {hashed}
    assert SITE_KEY.hex() not in repr(trust)
    assert repr(SITE_KEY) not in repr(trust)


def test_an_empty_policy_trusts_nobody() -> None:
    trust = Trust.from_policy(Desired(version=0), SITE_KEY)
    assert not trust.keys
    assert not trust.revoked
    assert not trust.listed


def test_a_public_key_is_carried_with_its_own_id() -> None:
    assert trusted(PUBLIC) == TrustedKey(key=KID, public=base64.b64encode(RAW).decode())
    assert key_id(PUBLIC).hex() == KID


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (TrustedKey(key=KID, public="not base64!"), "is not base64"),
        (TrustedKey(key=KID, public="ключ"), "is not base64"),
        (TrustedKey(key=KID, public=base64.b64encode(RAW[:31]).decode()), "31 bytes; Ed25519 has 32"),
        (TrustedKey(key=KID, public=""), "0 bytes; Ed25519 has 32"),
        (TrustedKey(key="00" * 8, public=base64.b64encode(RAW).decode()), f"has the id {KID}"),
        (TrustedKey(key=KID.upper(), public=base64.b64encode(RAW).decode()), f"has the id {KID}"),
    ],
)
def test_a_wrong_key_is_named(entry: TrustedKey, problem: str) -> None:
    with pytest.raises(TrustError, match=f"key {entry.key}: .*{problem}"):
        Trust.from_policy(Desired(version=1, keys=(entry,)), SITE_KEY)


@pytest.mark.parametrize("entry", ["", "00ff", "00FF00FF00FF00FF", "00ff00ff00ff00fg", "00ff00ff00ff00ff\n", "00" * 9])
def test_a_wrong_pass_id_is_named(entry: str) -> None:
    with pytest.raises(TrustError, match="is no pass id: 16 hex digits"):
        Trust.from_policy(Desired(version=1, revoked=(entry,)), SITE_KEY)
    with pytest.raises(TrustError):
        read_id(entry)


@pytest.mark.parametrize("entry", ["", "M-0001", "0" * 31, "0" * 33, "A" * 32])
def test_a_plain_code_on_the_list_must_be_hashed(entry: str) -> None:
    with pytest.raises(TrustError, match="is no keyed hash: 32 hex digits"):
        Trust.from_policy(Desired(version=1, listed=(entry,)), SITE_KEY)


def test_the_hash_is_hmac_sha256_cut_to_128_bits() -> None:
    full = hmac.new(SITE_KEY, b"\x00\xff", hashlib.sha256).hexdigest()
    assert keyed_hash(SITE_KEY, b"\x00\xff") == full[:32]


def test_a_site_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    key = make_site_key(path)
    assert len(key) == 32
    assert read_site_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TrustError, match="exists already"):
        make_site_key(path)
    assert read_site_key(path) == key
    assert [each.name for each in tmp_path.iterdir()] == ["site.key"]


def test_a_missing_site_key_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"menshen pass site-key .*site\.key"):
        read_site_key(tmp_path / "site.key")
    with pytest.raises(TrustError, match="cannot be read: Is a directory"):
        read_site_key(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_site_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "site.key"
    make_site_key(path)
    path.chmod(mode)
    with pytest.raises(TrustError, match=f"run `chmod 600 {path}`"):
        read_site_key(path)


def test_a_short_site_key_is_refused(tmp_path: Path) -> None:
    write_secret(tmp_path / "site.key", os.urandom(31))
    with pytest.raises(TrustError, match="31 bytes; 32 or more"):
        read_site_key(tmp_path / "site.key")


def test_a_secret_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"nowhere/site\.key: cannot be written: No such file"):
        make_site_key(tmp_path / "nowhere" / "site.key")
