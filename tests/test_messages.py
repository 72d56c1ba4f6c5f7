"""What may be said on the wire, and what is refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.wire import messages
from device.wire.messages import Ack, Desired, Fault, MessageError, Place, Scan, decode, encode, parse_topic

SCAN = Scan(
    spool="ab12",
    seq=7,
    boot="b",
    at=datetime(2026, 11, 24, 3, 0, 0, 123000, tzinfo=UTC),
    mono=1.5,
    clock="synced",
    event_type="refuse",
    reasons=("invalid",),
    code="00ff",
    scheme="ms1",
    symbology="QRCode",
    took_ms=12.5,
)


def test_a_message_survives_the_wire() -> None:
    assert decode(Scan, encode(SCAN)) == SCAN
    assert SCAN.id == "ab12-7"
    assert b'"at":"2026-11-24T03:00:00.123000Z"' in encode(SCAN)
    assert b'"v":1' in encode(SCAN)


@pytest.mark.parametrize(
    "text", ["expo", "expo/", "/north", "Expo/north", "expo/-north", "expo/a--b", "e/n", "expo/" + "n" * 33,
             "expo/north/x", "expo/+", "expo/#", "expo/北门", "expo/no\x00rth", "expo/north\n"],
)  # fmt: skip
def test_an_id_that_could_leave_its_branch_is_refused(text: str) -> None:
    with pytest.raises(MessageError, match="SITE/ENTRANCE"):
        Place.parse(text)


def test_topics_are_taken_apart() -> None:
    place = Place.parse("expo/north-gate")
    assert parse_topic(place.topic("alert/gate_offline")) == (place, "alert/gate_offline")
    for foreign in ("menshen", "menshen/expo/north", "homeassistant/a/b/c", "menshen/EXPO/north/scan"):
        with pytest.raises(MessageError):
            parse_topic(foreign)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[" * 4296,
        b"\xff\xfe",
        b'{"spool":"a"}',
        b'{"spool":"a","seq":NaN}',
        b'{"spool":"a","seq":1e999}',
        b'{"spool":"a","seq":"1"}',
        b'{"spool":"\\ud800","seq":1}',
        b'{"v":2,"spool":"a","seq":1}',
        b"x" * (messages.MAX_PAYLOAD + 1),
    ],
)
def test_a_malformed_payload_is_one_class_of_error(payload: bytes) -> None:
    with pytest.raises(MessageError):
        decode(Ack, payload)


@given(st.binary(max_size=200))
def test_no_payload_does_worse_than_that(payload: bytes) -> None:
    with contextlib.suppress(MessageError):
        decode(Ack, payload)


def test_what_is_too_large_is_refused_before_it_is_said() -> None:
    fault = Fault(
        spool="a", seq=1, boot="b", at=SCAN.at, mono=1.0, clock="synced", event_type="raised", fault="x",
        detail="y" * messages.MAX_PAYLOAD,
    )  # fmt: skip
    with pytest.raises(MessageError, match="over the limit"):
        encode(fault)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(MessageError, match="Unicode"):
        encode(Ack(spool="\ud800", seq=1))


def test_a_policy_may_be_larger() -> None:
    desired = Desired(version=1, listed=tuple(f"{n:032x}" for n in range(2000)))
    assert decode(Desired, encode(desired)) == desired
