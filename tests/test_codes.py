"""Whatever is held up, a code is judged and nothing is raised."""

from __future__ import annotations

import base45
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device import codes
from device.codes import MAX_BYTES, Checked, ms1
from device.codes.trust import Trust, keyed_hash, trusted
from device.sight import Code
from device.wire.messages import Desired, Place

ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SITE_KEY = bytes(32)
HUGE = b"M" * (MAX_BYTES + 1)
TRUST = Trust.from_policy(
    Desired(version=1, keys=(trusted(ISSUER.public_key()),), listed=(keyed_hash(SITE_KEY, HUGE),)), SITE_KEY
)
GOOD = ms1.issue(ISSUER, kind="visitor", subject="Li Na", places=("expo",), not_before=0, not_after=2_000_000_000)


NORTH = Place("expo", "north")


def verify(data: bytes, place: Place | None = NORTH) -> Checked:
    code = Code(data=data, text=data.decode(errors="replace"), symbology="QRCode")
    return codes.verify(code, TRUST, place, 1_000_000_000, screen_s=30, skew_s=5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"https://example.com/",
        b"ms1:" + GOOD.encode()[4:],
        b" " + GOOD.encode(),
        "健康码".encode(),
        bytes(range(256)),
        b"\x00\x1b[31m\r\n\x7f\xc2\x85",
        b"\xed\xa0\x80",
        "\u202eMS1:".encode(),
    ],
)
def test_text_that_nobody_owns_is_unknown_and_invalid(data: bytes) -> None:
    assert verify(data) == Checked("unknown", data, None, ("invalid",))


def test_more_than_any_qr_code_holds_is_not_even_looked_at() -> None:
    assert verify(HUGE) == Checked("unknown", HUGE, None, ("invalid",))  # though its hash is on the list
    oversized = GOOD.encode() + b"0" * MAX_BYTES
    assert verify(oversized) == Checked("unknown", oversized, None, ("invalid",))


def test_without_a_place_the_entrance_is_not_judged() -> None:
    assert verify(GOOD.encode(), None).reasons == ()
    assert verify(GOOD.encode(), Place("fair", "north")).reasons == ("wrong_entrance",)


OWNERS = {"MS1:": "ms1", "HC1:": "hc1", "shc:/": "shc"}
BASE45 = st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", max_size=400).map(str.encode)


@given(
    st.sampled_from([b"", *(prefix.encode() for prefix in OWNERS)]),
    st.one_of(st.binary(max_size=5000), BASE45, st.binary(max_size=300).map(base45.b45encode)),
)
def test_no_bytes_raise(prefix: bytes, data: bytes) -> None:
    text = prefix + data
    checked = verify(text)
    assert checked[1:4] == (text, None, ("invalid",))
    if len(text) > MAX_BYTES and not text.startswith(b"shc:/"):  # a health card put together may be longer
        assert checked.scheme == "unknown"
    else:
        owner = next((scheme for start, scheme in OWNERS.items() if text.startswith(start.encode())), None)
        assert owner is None or checked.scheme == owner
