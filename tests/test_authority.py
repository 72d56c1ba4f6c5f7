from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controller.authority import Authority, AuthorityError, name_for, place_of, read_request
from device.wire.messages import Place

PLACE = Place("expo", "north")
NOW = datetime.now(tz=UTC)


def request(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, name: str = "") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    signed = x509.CertificateSigningRequestBuilder(subject).sign(key, algorithm)
    return signed.public_bytes(Encoding.PEM).decode()


def gate(authority: Authority, name: str = "expo.north.7k3m9", *, now: datetime = NOW) -> str:
    return authority.gate(ec.generate_private_key(ec.SECP256R1()).public_key(), name, now=now)


def usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_gate_gets_ninety_days_in_the_name_of_its_entrance(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    certificate = x509.load_pem_x509_certificate(gate(authority).encode())
    assert certificate.subject.rfc4514_string() == "CN=expo.north.7k3m9"
    assert abs(certificate.not_valid_after_utc - NOW - timedelta(days=90)) < timedelta(seconds=2)
    assert usages(certificate) == [ExtendedKeyUsageOID.CLIENT_AUTH]  # so no gate can pass for the broker
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem.encode()))


def test_the_authority_signs_for_ten_years_and_lets_nobody_sign_below_it(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(Authority.make(tmp_path).pem.encode())
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (limits.ca, limits.path_length) == (True, 0)
    assert 3649 <= (certificate.not_valid_after_utc - NOW).days <= 3650


def test_the_broker_is_known_by_its_names_and_addresses(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(Authority.make(tmp_path).broker("gate.example", "192.0.2.7"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gate.example", "localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "127.0.0.1", "::1"]
    assert usages(certificate) == [ExtendedKeyUsageOID.SERVER_AUTH]  # so its key says nothing on its own broker


def test_secrets_are_its_owners_alone_and_nothing_else_is_left_behind(tmp_path: Path) -> None:
    Authority.make(tmp_path / "authority")
    files = sorted((tmp_path / "authority").iterdir())
    assert [path.name for path in files] == ["ca.crt", "ca.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "authority").stat().st_mode) == 0o700


def test_a_second_authority_never_replaces_the_first(tmp_path: Path) -> None:
    first = Authority.make(tmp_path)
    with pytest.raises(AuthorityError, match=r"ca\.key: exists already"):
        Authority.make(tmp_path)
    assert Authority(tmp_path).pem == first.pem


@pytest.mark.parametrize(
    ("damage", "fix"),
    [
        (lambda folder: (folder / "ca.key").unlink(), "menshen controller init"),
        (lambda folder: (folder / "ca.key").write_text("?"), "restore both from a copy"),
        (lambda folder: (folder / "ca.crt").write_text(Authority.make(folder / "x").pem), "not the key of ca.crt"),
    ],
)
def test_an_authority_that_is_not_whole_says_what_to_do(damage: object, fix: str, tmp_path: Path) -> None:
    Authority.make(tmp_path)
    assert callable(damage)
    damage(tmp_path)
    with pytest.raises(AuthorityError, match=fix):
        Authority(tmp_path)


def test_a_name_tells_its_entrance_and_never_comes_twice() -> None:
    names = {name_for(Place("expo-2", "north-gate")) for _ in range(100)}
    assert len(names) == 100
    assert {place_of(name) for name in names} == {Place("expo-2", "north-gate")}


@pytest.mark.parametrize("name", ["controller", "expo.north", "expo.north.", "expo.north.7K3M9", "a.north.7k3m9",
                                  "expo.north.7k3m9\n", "expo.nor+h.7k3m9", "expo.north.south.7k3m9"])  # fmt: skip
def test_other_names_are_no_gates(name: str, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match=r"no gate's name"):
        place_of(name)
    with pytest.raises(AuthorityError):
        gate(Authority.make(tmp_path), name)


def test_ids_that_no_certificate_can_hold_are_refused_before_there_is_one() -> None:
    assert len(name_for(Place("a" * 32, "b" * 25))) == 64
    with pytest.raises(AuthorityError, match="57 characters together, and these have 58"):
        name_for(Place("a" * 32, "b" * 26))


def test_of_a_request_only_the_key_counts() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert read_request(request(key, name="controller")) == key.public_key()


def test_a_request_must_be_signed_by_its_own_key() -> None:
    mine, other = (request(ec.generate_private_key(ec.SECP256R1())).splitlines() for _ in range(2))
    mine[-2] = other[-2]  # the end of the signature
    with pytest.raises(AuthorityError, match=r"not signed by the key it holds|not a request"):
        read_request("\n".join(mine))


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=["rsa", "ed25519", "p384", "brainpool"],
)
def test_other_kinds_of_keys_are_refused(key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(AuthorityError, match="not an ECDSA key on P-256"):
        read_request(request(key))


@pytest.mark.parametrize(
    "text", ["", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"]
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(AuthorityError, match="not a request"):
        read_request(text)


def test_only_our_own_gates_certificates_are_believed_and_only_in_their_time(tmp_path: Path) -> None:
    ours, foreign = Authority.make(tmp_path / "ours"), Authority.make(tmp_path / "foreign")
    good = gate(ours)
    assert ours.read(good, NOW).name == "expo.north.7k3m9"
    with pytest.raises(AuthorityError, match="not one of ours"):
        foreign.read(good, NOW)
    with pytest.raises(AuthorityError, match="out of date"):
        ours.read(good, NOW + timedelta(days=91))
    for other in (ours.broker("x").decode(), ours.controller().decode(), ours.pem):
        with pytest.raises(AuthorityError):
            ours.read(other, NOW)
