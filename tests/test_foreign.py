"""Codes of other issuers, whatever they hold: judged at little cost, and never by anything raised."""

from __future__ import annotations

import time
import tracemalloc
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device.codes import MAX_BYTES, MAX_JOINED, Checked, shc
from device.codes.issuers import MOST_OF_A_KID
from device.codes.jose import base64url
from device.codes.shc import MAX_INFLATED
from device.codes.trust import Trust
from device.wire.messages import Admission, Desired, TrustList
from tests.tickets import ISSUED, ISSUER, NOW, card, deflated, key, signed, ticket, trust, verify

MOST_MS, MOST_BYTES = 50, 5_000_000
EVERYBODY = Trust.from_policy(
    Desired(
        version=1,
        lists=(
            TrustList(scheme="jws", name="a", issued_at=ISSUED, keys=(key("ES256"),) * MOST_OF_A_KID),
            TrustList(scheme="shc", name="a", issued_at=ISSUED, keys=(key("ES256", issuer=ISSUER),) * MOST_OF_A_KID),
            TrustList(scheme="pretix", name="a", issued_at=ISSUED, keys=(key("EdDSA", ""),) * MOST_OF_A_KID),
        ),
        admit=(Admission(scheme="jws"), Admission(scheme="shc"), Admission(scheme="pretix")),
    ),
    bytes(32),
)
HEADER = {"alg": "ES256", "kid": "k1"}
ZIPPED = {**HEADER, "zip": "DEF"}


def broken(text: str) -> str:
    """Return a JWS whose signature is of the right form, and wrong."""
    return text.rpartition(".")[0] + "." + base64url(b"\x01" * 64).decode()


def filled(unit: bytes) -> bytes:
    """Return JSON as large as a card may be, made of one thing over and over, under the right issuer's name."""
    head = b'{"iss":"' + ISSUER.encode() + b'","x":['
    room = MAX_INFLATED - len(head) - 3
    return head + b",".join([unit] * (room // (len(unit) + 1))) + b"]}"


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(10_000_000)) + packer.flush()


HOSTILE = {
    "inflates to ten million bytes": card(b""),
    "a bomb": shc.numeric(broken(signed(ZIPPED, bomb()))),
    "empty objects": shc.numeric(broken(signed(ZIPPED, deflated(filled(b"{}"))))),
    "small objects": shc.numeric(broken(signed(ZIPPED, deflated(filled(b'{"":0}'))))),
    "empty lists": shc.numeric(broken(signed(ZIPPED, deflated(filled(b"[]"))))),
    "numbers": shc.numeric(broken(signed(ZIPPED, deflated(filled(b"1.5e7"))))),
    "long numbers": shc.numeric(broken(signed(ZIPPED, deflated(filled(b"1" * 4000))))),
    "deep": shc.numeric(broken(signed(ZIPPED, deflated(b"[" * MAX_INFLATED)))),
    "one long string": shc.numeric(broken(signed(ZIPPED, deflated(filled(b'"' + b"\\u00e9" * 9000 + b'"'))))),
    "many resources": card(filled(b'{"resource":{"code":{"coding":[{"system":"a","code":"b"}]}}}')),
    "all the digits there can be": "shc:/" + "56" * ((MAX_JOINED - 5) // 2),
    "many dots": "shc:/" + "01" * ((MAX_JOINED - 5) // 2),
    "wrong for every key": broken(signed(HEADER, {"sub": "x" * 2500})),
    "a long header": broken(signed({**HEADER, "x": "[" * 2900}, {})),
    "a deep header": broken(signed(b'{"a":' * 450 + b"1" + b"}" * 450, {}, alg="ES256")),
    "a long ticket": ticket(b"\x0a\x80\x10" + b"x" * 2048)[:-4] + ticket(b"")[-4:],
    "a ticket for no key": ticket(b"\x10\x01" * 1200, signed_by=Ed25519PrivateKey.from_private_bytes(bytes(32))),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_costs_more_than_a_moment(name: str) -> None:
    text = HOSTILE[name].encode()
    tracemalloc.start()
    checked = verify(text, EVERYBODY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    took = min(_timed(text) for _ in range(3))
    print(f"{name}: {len(text)} characters, {took:.1f} ms, {most / 1e6:.1f} MB, {checked.scheme} {checked.reasons}")
    assert checked.reasons
    assert took <= MOST_MS
    assert most <= MOST_BYTES


def _timed(text: bytes) -> float:
    begun = time.thread_time()
    verify(text, EVERYBODY)
    return (time.thread_time() - begun) * 1000


def test_too_much_is_nobodys() -> None:
    for text in ("shc:/" + "5" * (MAX_JOINED - 4), "A" * (MAX_BYTES + 1)):
        assert verify(text, EVERYBODY).scheme == "unknown"


GENUINE = [card(), signed(HEADER, {"sub": "visitor 1"}), ticket(b"\x10\x2a")]


@given(st.sampled_from(GENUINE), st.data())
def test_a_change_anywhere_never_admits(text: str, data: st.DataObject) -> None:
    """Cut, insert or replace: what is left is refused, or says exactly what was signed."""
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    changed = text[:at] + data.draw(st.text("0157AZaz.=+/-_ ", max_size=3)) + text[at + cut :]
    checked = verify(changed, EVERYBODY)
    assert isinstance(checked, Checked)
    assert changed == text or checked.reasons, f"{changed} admits"


@given(st.binary(max_size=300), st.sampled_from([b"", b"shc:/", b"shc:/1/2/", b"eyJ", b"eyJhbGciOiJFUzI1NiJ9."]))
def test_any_bytes_are_judged(data: bytes, prefix: bytes) -> None:
    assert verify(prefix + data, EVERYBODY).reasons


def test_one_schemes_trust_is_not_anothers() -> None:
    held = trust("jws", key("ES256", issuer=ISSUER), key("EdDSA", ""))
    assert [verify(text, held).reasons for text in (GENUINE[0], GENUINE[2])] == [("unknown_issuer",)] * 2
    assert verify(GENUINE[1], held, NOW).reasons == ("unknown_issuer",), "its key is another issuer's"
