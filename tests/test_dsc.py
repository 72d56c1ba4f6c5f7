"""What states publish for EU certificates: signers, rules and value sets, read from the forms they come in."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from controller import dsc
from controller.dsc import Found
from controller.keyfile import KeyFileError
from tests.signer import BEGAN, Signer, rsa_signer

ONE = Signer(None, "vaccination", "test")
TWO = rsa_signer()


def entry(signer: Signer, **more: Any) -> dict[str, Any]:
    return {"kid": signer.trusted.kid, "rawData": base64.b64encode(signer.der).decode(), "country": "AT"} | more


def test_a_key_is_named_by_its_certificate() -> None:
    key = dsc.issuer_key(ONE.der)
    assert base64.b64decode(key.kid) == hashlib.sha256(ONE.der).digest()[:8]
    assert load_der_public_key(base64.b64decode(key.public)) == ONE.key.public_key()
    assert (key.alg, key.country, key.usage) == ("ES256", "AT", ("t", "v"))
    assert key.not_after
    assert (key.not_after - BEGAN).days == 730
    assert (TWO.trusted.alg, TWO.trusted.usage) == ("PS256", ())


@pytest.mark.parametrize(
    ("usages", "letters"),
    [
        ((), ()),
        (("old recovery",), ("r",)),
        (("client",), ("other",)),
        (("client", "recovery"), ("other", "r")),
    ],
)
def test_what_it_may_sign_is_in_its_certificate(usages: tuple[str, ...], letters: tuple[str, ...]) -> None:
    assert Signer(None, *usages).trusted.usage == letters


def test_certificates_are_read_as_they_come() -> None:
    keys = (ONE.trusted, TWO.trusted)
    pem = b"".join(each.certificate.public_bytes(Encoding.PEM) for each in (ONE, TWO))
    listed = [entry(ONE, certificateType="DSC"), entry(Signer(), certificateType="CSCA"), entry(TWO)]
    whole = json.dumps({"certificates": listed}, indent=1).encode()
    assert dsc.read(b"# two signers\n" + pem) == Found(keys)
    assert dsc.read(ONE.der) == Found(keys[:1])
    assert dsc.read(json.dumps(listed).encode()) == Found(keys)
    assert dsc.read(whole) == Found(keys)
    assert dsc.read(b"c2lnbmF0dXJl\n" + whole) == Found(keys)


def test_rules_and_value_sets_are_read() -> None:
    rule = {"Identifier": "VR-XX-0001", "Logic": True}
    assert dsc.read(json.dumps(rule).encode()) == Found(rules=(rule,))
    assert dsc.read(json.dumps([rule, rule | {"Version": "2"}]).encode()).rules == (rule, rule | {"Version": "2"})
    values = {
        "valueSetId": "vaccines",
        "valueSetDate": "2021-04-27",
        "valueSetValues": {"A": {"display": "a"}, "B": {}},
    }
    assert dsc.read(json.dumps(values).encode()) == Found(value_sets={"vaccines": ("A", "B")})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "neither a certificate nor JSON"),
        (b"[" * 100_000, "neither a certificate nor JSON"),
        (b"{}", "entry 1 is no signer's certificate"),
        (b'["x"]', "entry 1 is no signer's certificate"),
        (ONE.der[:-9], "no certificate that can be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificates in PEM"),
        (json.dumps([entry(ONE), entry(TWO, kid=ONE.trusted.kid)]).encode(), "entry 2: the list calls it"),
        (json.dumps([entry(ONE, rawData="?")]).encode(), "entry 1"),
    ],
    ids=["empty", "deep", "no entry", "text", "cut", "no PEM", "another's kid", "no DER"],  # keys are new each time
)
def test_what_cannot_be_taken_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(KeyFileError, match=problem):
        dsc.read(data)
