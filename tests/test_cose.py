"""COSE_Sign1: what is read, what is refused, and that the public test vectors agree."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cbor2
import click
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from device.codes import cose
from device.codes.cose import CoseError
from device.codes.issuers import PublicKey
from tests.vectors import unpacked

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa.generate_private_key(65537, 2048)

# Made by this project: the key above over the bytes b"menshen" under the key id b"gate".
OURS = (
    "d28449a20127044467617465a0476d656e7368656e58406fd587566bdf64d35b8424e125e4a02b7fa577fb06"
    "a4feb5dfdcc23ae6523e03a8bed9fb96b0fa28e983f1345937a6edd889de8820e9695b4c8cc0f8ec392d0d"
)


def message(
    *, protected: Any = None, unprotected: Any = None, payload: Any = b"menshen", signature: Any = b"s"
) -> bytes:
    header = {1: -8} if protected is None else protected
    raw = header if isinstance(header, bytes) else cbor2.dumps(header)
    return cbor2.dumps(cbor2.CBORTag(18, [raw, unprotected or {}, payload, signature]))


def test_what_is_signed_is_read_and_believed() -> None:
    signed = cose.read(bytes.fromhex(OURS))
    assert (signed.payload, signed.header, signed.unprotected) == (b"menshen", {1: -8, 4: b"gate"}, {})
    cose.verify(signed, KEY.public_key())
    assert cose.sign(b"menshen", KEY, b"gate").hex() == OURS
    assert cose.write(signed).hex() == OURS


def test_the_tag_may_be_left_out() -> None:
    assert cose.read(bytes.fromhex(OURS)[1:]) == cose.read(bytes.fromhex(OURS))


def test_rfc_9864_names_the_same_algorithm() -> None:
    protected = cose.dumps({1: -19})
    signature = KEY.sign(cose.dumps(["Signature1", protected, b"", b"menshen"]))
    cose.verify(cose.read(message(protected=protected, signature=signature)), KEY.public_key())


@pytest.mark.parametrize("header", [{}, {1: -7}, {1: "EdDSA"}, {1: None}, {1: [-8]}])
def test_another_algorithm_is_not_believed(header: dict[int, object]) -> None:
    protected = cose.dumps(header)
    signature = KEY.sign(cose.dumps(["Signature1", protected, b"", b"menshen"]))
    with pytest.raises(CoseError, match="algorithm"):
        cose.verify(cose.read(message(protected=protected, signature=signature)), KEY.public_key())


def test_a_change_anywhere_in_what_is_signed_is_noticed() -> None:
    signed = cose.read(bytes.fromhex(OURS))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    for changed, key in (
        (signed._replace(payload=b"menshem"), KEY.public_key()),
        (signed._replace(protected=cose.dumps({1: -8, 4: b"gatf"})), KEY.public_key()),
        (signed._replace(signature=signed.signature[:-1]), KEY.public_key()),
        (signed._replace(signature=b""), KEY.public_key()),
        (signed, other),
    ):
        with pytest.raises(CoseError, match="signature"):
            cose.verify(changed, key)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(cbor2.dumps(cbor2.CBORTag(17, [b"", {}, b"", b""])), id="another tag"),
        pytest.param(cbor2.dumps(cbor2.CBORTag(18, cbor2.CBORTag(18, [b"", {}, b"", b""]))), id="tag in tag"),
        pytest.param(cbor2.dumps([b"", {}, b""]), id="three parts"),
        pytest.param(cbor2.dumps([b"", {}, b"", b"", b""]), id="five parts"),
        pytest.param(cbor2.dumps({}), id="a map"),
        pytest.param(message(payload=None), id="detached payload"),
        pytest.param(message(payload="text"), id="text as payload"),
        pytest.param(message(signature=None), id="no signature"),
        pytest.param(message(protected=b"\x01"), id="header is no map"),
        pytest.param(message(protected=b"\xa1\x01"), id="header is cut"),
        pytest.param(message(protected=b"\xa2\x01\x26\x01\x27"), id="header says it twice"),
        pytest.param(message(protected={1: -8, 2: [99], 99: 1}), id="critical header"),
        pytest.param(message(unprotected={2: [99]}), id="critical outside"),
        pytest.param(message(unprotected={b"k": 1}), id="odd key"),
        pytest.param(message() + b"\x00", id="trailing byte"),
        pytest.param(message()[:-1], id="cut"),
        pytest.param(message(payload=bytes(4300)), id="too large"),
    ],
)
def test_a_wrong_form_is_refused(data: bytes) -> None:
    with pytest.raises(CoseError):
        cose.read(data)


BOMBS = {
    "array of 2^60": "9b1000000000000000",
    "map of 2^60": "bb1000000000000000",
    "bytes of 2^60": "5b1000000000000000",
    "text of 2^60": "7b1000000000000000",
    "nested arrays": "81" * 4000 + "00",
    "nested tags": "c6" * 4000 + "00",
    "nested sign1": "d2" * 4000 + "00",
    "rational with a billion digits": "d81e82016b" + b"1e999999999".hex(),
    "decimal with a huge exponent": "c4821b7fffffffffffffff01",
    "bigfloat": "c5821b7fffffffffffffff01",
    "bignum": "c2590fff" + "ff" * 4095,
    "regular expression": "d82369" + b"((a+)+)+$".hex(),
    "date": "c11bffffffffffffffff",
    "cycle": "d81c81d81d00",
    "string references": "d9010082d819006161",
    "self-described": "d9d9f700",
    "unknown tag": "da7fffffff00",
    "NaN": "f97e00",
    "infinity": "f97c00",
    "undefined": "f7",
    "simple value": "f8ff",
    "NaN as key": "a1f97e0000",
    "list as key": "a1800000",
    "duplicate keys": "a201010102",
    "1 and 1.0 as keys": "a20101f93c0002",
    "1 and true as keys": "a20101f502",
    "indefinite array": "9f00ff",
    "indefinite bytes": "5f4100ff",
    "break": "ff",
    "bad UTF-8": "61ff",
    "lone surrogate": "63eda080",
    "nothing": "",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_is_meant_to_hurt_is_refused_at_no_cost(bomb: str) -> None:
    raw = bytes.fromhex(bomb)
    inside = b"\x84\x41\xa0\xa1\x01" + raw + b"\x41p\x41s"
    began = time.process_time()
    for data in (raw, inside, b"\xd2" + inside):
        with pytest.raises(CoseError):
            cose.read(data)
    with pytest.raises(CoseError):
        cose.loads(raw)
    assert time.process_time() - began < 0.5


@given(st.binary(max_size=200))
def test_random_bytes_raise_one_class_only(data: bytes) -> None:
    for head in (b"", b"\xd2\x84", b"\xd2\x84\x43\xa1\x01\x27\xa0"):
        try:
            signed = cose.read(head + data)
        except CoseError:
            continue
        with pytest.raises(CoseError):
            cose.verify(signed, KEY.public_key())


def test_a_key_has_one_algorithm_whatever_a_message_says() -> None:
    private: dict[str, Any] = {"EdDSA": KEY, "ES256": ec.derive_private_key(7, ec.SECP256R1()), "PS256": RSA}
    algorithms = {"EdDSA": (-8, -19), "ES256": (-7,), "PS256": (-37,)}
    for number in (-8, -19, -7, -37, -257, -35, 5):
        for name, key in private.items():
            protected = cose.dumps({1: number})
            signature = sign(key, cose.dumps(["Signature1", protected, b"", b"menshen"]))
            signed = cose.read(message(protected=protected, signature=signature))
            if number in algorithms[name]:
                cose.verify(signed, key.public_key())
            else:
                with pytest.raises(CoseError, match="algorithm"):
                    cose.verify(signed, key.public_key())
            for other in private.values():
                if other is not key:
                    with pytest.raises(CoseError):
                        cose.verify(signed, other.public_key())


def test_an_empty_header_is_signed_as_nothing() -> None:
    for protected in (b"", b"\xa0"):
        signature = KEY.sign(cose.dumps(["Signature1", b"", b"", b"menshen"]))
        data = message(protected=protected, unprotected={1: -8}, signature=signature)
        cose.verify(cose.read(data), KEY.public_key())


def test_an_algorithm_that_is_not_protected_will_do() -> None:
    signature = KEY.sign(cose.dumps(["Signature1", b"", b"", b"menshen"]))
    data = message(protected=b"", unprotected={1: -8}, signature=signature)
    cose.verify(cose.read(data), KEY.public_key())
    lying = message(protected={1: -7}, unprotected={1: -8}, signature=signature)
    with pytest.raises(CoseError, match="algorithm"):
        cose.verify(cose.read(lying), KEY.public_key())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
def test_an_es256_signature_is_two_numbers_of_fixed_length(curve: ec.EllipticCurve) -> None:
    key = ec.derive_private_key(7, curve)
    half = curve.key_size // 8
    good = sign(key, b"menshen")
    cose.prove(key.public_key(), good, b"menshen")
    der = key.sign(b"menshen", ec.ECDSA(hashes.SHA256()))
    for bad in (der, b"", good[:-1], good + b"\x00", good[half:] + good[:half], bytes(2 * half), good[:half] * 2):
        with pytest.raises(CoseError):
            cose.prove(key.public_key(), bad, b"menshen")


def test_a_number_of_a_signature_has_all_its_zeros() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1())
    good = next(each for each in (sign(key, b"menshen") for _ in range(100_000)) if not each[32])
    cose.prove(key.public_key(), good, b"menshen")
    for other in (good[:32] + good[33:], good[:32] + b"\x00" + good[32:]):  # the same numbers
        with pytest.raises(CoseError, match="has 64 bytes"):
            cose.prove(key.public_key(), other, b"menshen")


LOOSE = {
    "CWT's tag": cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(18, [b"", {}, b"p", b"s"]))),
    "indefinite": bytes.fromhex("9f40bfff417041 73ff".replace(" ", "")),
    "a time": cbor2.dumps([b"", {99: cbor2.CBORTag(0, "2021-06-01T00:00:00Z")}, b"p", b"s"]),
}


@pytest.mark.parametrize("data", LOOSE.values(), ids=LOOSE)
def test_what_others_may_write_we_may_not(data: bytes) -> None:
    assert cose.read(data, cose.OTHERS).payload == b"p"
    with pytest.raises(CoseError):
        cose.read(data)


@pytest.mark.parametrize("bomb", [bomb for name, bomb in BOMBS.items() if "indefinite" not in name])
def test_what_hurts_is_refused_from_others_too(bomb: str) -> None:
    began = time.process_time()
    for data in (bytes.fromhex(bomb), b"\x84\x41\xa0\xa1\x01" + bytes.fromhex(bomb) + b"\x41p\x41s"):
        with pytest.raises(CoseError):
            cose.read(data, cose.OTHERS)
    assert time.process_time() - began < 0.5


def sign(key: Any, content: bytes) -> bytes:
    """Sign as COSE writes it."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(content)
    if isinstance(key, RSAPrivateKey):
        return key.sign(content, PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH), hashes.SHA256())
    numbers = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    return b"".join(number.to_bytes(key.curve.key_size // 8, "big") for number in numbers)


def public_key(key: dict[str, str]) -> PublicKey | None:
    """Return the key of a public example, where it is of a kind that is used here."""

    def number(name: str) -> bytes:
        if f"{name}_hex" in key:
            return bytes.fromhex(key[f"{name}_hex"])
        return base64.urlsafe_b64decode(key.get(name, "") + "==")

    match key.get("crv"):
        case "Ed25519":
            return Ed25519PublicKey.from_public_bytes(number("x"))
        case "P-256":
            x, y = (int.from_bytes(number(name), "big") for name in ("x", "y"))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return None


def test_the_cose_working_groups_examples_agree(tmp_path: Path) -> None:
    folder = unpacked("cose-examples.tar.xz", tmp_path)
    counts: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.json")):
        case = json.loads(path.read_text())
        if "sign0" not in case["input"]:
            continue
        sign0 = case["input"]["sign0"]
        key = public_key(sign0["key"])
        ours = sign0["alg"] in ("EdDSA", "ES256") and key and "external" not in sign0  # data from outside: in no code
        try:
            signed = cose.read(bytes.fromhex(case["output"]["cbor"]))
            cose.verify(signed, key or KEY.public_key())
            believed = True
        except CoseError:
            believed = False
        assert believed == bool(ours and not case.get("fail")), path
        counts[
            "believed" if believed else "refused" if ours else "of other algorithms or with outside data refused"
        ] += 1
    click.echo(f"COSE examples: {dict(counts)}")
    assert counts["believed"]
    assert counts["refused"]


def key_of(group: dict[str, Any]) -> PublicKey:
    """Return the key of a group of wycheproof's cases."""
    key = group["publicKey"]
    if "pk" in key:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["pk"]))
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(key["uncompressed"]))


@pytest.mark.parametrize("name", ["ed25519", "ecdsa_secp256r1_sha256_p1363"])
def test_wycheproofs_cases_agree(name: str, tmp_path: Path) -> None:
    folder = unpacked("wycheproof-subset.tar.xz", tmp_path)
    ran = 0
    for group in json.loads(next(folder.rglob(f"{name}_test.json")).read_text())["testGroups"]:
        for case in group["tests"]:
            try:
                cose.prove(key_of(group), bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
                result = "valid"
            except CoseError:
                result = "invalid"
            assert result == case["result"], (case["tcId"], case["comment"])
            ran += 1
    click.echo(f"wycheproof: {ran} cases of {name}")
    assert ran
