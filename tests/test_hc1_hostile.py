"""hc1: whatever bytes are held up, and whatever is signed, an answer comes soon and costs little."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from typing import Any, Final

import base45
import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.codes.cwt import LAST
from tests.signer import RECOVERED, RULE, SIGNER, TESTED, VACCINATED, changed, text, trust, verify


def entry(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a certificate's only entry."""
    return next(dict(payload[group][0]) for group in "vtr" if group in payload)


def squeezed(message: bytes) -> bytes:
    return b"HC1:" + bytes(base45.b45encode(zlib.compress(message, 9)))


BOMBS = {
    "megabytes of zeros": squeezed(bytes(2_900_000)),
    "a list of as many": squeezed(b"\x9a\x00\x0f\xff\xff" + b"\x80" * 0xFFFFF),
    "16 KiB of empty lists": squeezed(b"\x99\x3f\x00" + b"\x80" * 0x3F00),
    "16 KiB of empty maps": squeezed(b"\x99\x3f\x00" + b"\xa0" * 0x3F00),
    "16 KiB of floats": squeezed(b"\x99\x13\x00" + b"\xf9\x3c\x00" * 0x1300),
    "16 KiB deep": squeezed(b"\x81" * 16_000 + b"\x00"),
    "16 KiB deep, no end": squeezed(b"\x9f" * 16_000),
    "a text in pieces": squeezed(b"\x7f" + b"\x61a" * 8000 + b"\xff"),
    "a map of many keys": squeezed(
        b"\xb9\x05\x00" + b"".join(b"\x19" + i.to_bytes(2, "big") + b"\x00" for i in range(0x500))
    ),
    "nines": b"HC1:" + b"9" * 4292,
    "all of a code": b"HC1:" + base45.b45encode(zlib.compress(bytes(range(256)) * 10))[:4292],
    "a genuine one, full": SIGNER.code({**VACCINATED, "x": [[]] * 12_000}),
    "a genuine one, with text": SIGNER.code({**VACCINATED, "x": "x" * 15_000}),
}
ALL_RULES: Final = trust(
    rules=tuple(
        RULE | {"Identifier": f"VR-AT-{n:04}", "AffectedFields": [], "Logic": {
            "reduce": [{"var": "payload.x"}, {"in": ["y", {"var": "data.payload.x"}]}, True]}}
        for n in range(20)
    )
)  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_is_meant_to_hurt_costs_nothing(bomb: bytes) -> None:
    verify(SIGNER.code(), ALL_RULES)
    took = []
    for _ in range(3):
        began = time.process_time()
        verify(bomb, ALL_RULES)
        took.append(time.process_time() - began)
    tracemalloc.start()
    verify(bomb, ALL_RULES)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(took) < 0.05
    assert most < 5_000_000


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14", "9999-12-31T23:59:59-1200"])
@pytest.mark.parametrize("field", ["dt", "sc", "fr", "df", "du", "dob"])
def test_the_ends_of_time_are_judged(field: str, day: str) -> None:
    payload = next(each for each in (VACCINATED, TESTED, RECOVERED) if field in {**each, **entry(each)})
    assert verify(SIGNER.code(changed(payload, **{field: day})), trust(rules=(RULE,))).scheme == "hc1"


@pytest.mark.parametrize("claim", [4, 6])
@pytest.mark.parametrize("at", [0, -0.0, 1e-9, LAST, LAST + 1, 253_402_300_799, 2**63, 1e300])
def test_a_message_of_any_time_is_judged(claim: int, at: float) -> None:
    for payload in (VACCINATED, TESTED, RECOVERED):
        assert verify(SIGNER.code(payload, claims={claim: at}), trust(rules=(RULE,))).reasons in (
            ("invalid",), ("invalid_time",), (),
        )  # fmt: skip


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_no_bytes_raise_at_any_step(data: bytes) -> None:
    for code in (
        b"HC1:" + data,
        b"HC1:" + base45.b45encode(data),
        text(data),
        text(cbor2.dumps([b"", {4: SIGNER.kid, 1: -7}, data, b"s" * 64])),
        SIGNER.code(data),
    ):
        assert verify(code).reasons in (("invalid",), ("unknown_issuer",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(JSON, st.sampled_from([*VACCINATED, *VACCINATED["v"][0]]))
def test_no_signed_content_raises(value: Any, field: str) -> None:
    checked = verify(SIGNER.code(changed(VACCINATED, **{field: value})), ALL_RULES)
    assert checked.scheme == "hc1"
