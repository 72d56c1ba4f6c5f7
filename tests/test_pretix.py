"""pretix's signed tickets, judged without pretix."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from controller import keyfile
from device.codes import Checked, Claim, pretix
from device.codes.issuers import mark
from device.codes.pretix import Ticket, TicketError
from device.wire.messages import Admission
from tests.tickets import NOW, key, ticket, trust, verify
from tests.vectors import folder

TRUST = trust("pretix", key("EdDSA", "", "expo-2026"))


def varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def payload(*numbers: int, seed: bytes = b"seed-0001") -> bytes:
    """Write a ticket's protobuf: item, variation, subevent, valid from, valid until."""
    said = b"\x0a" + varint(len(seed)) + seed
    return said + b"".join(varint(field << 3) + varint(number) for field, number in enumerate(numbers, 2) if number)


def test_a_ticket_says_what_it_is_for() -> None:
    raw = payload(42, 7, 14, NOW - 60, NOW + 60)
    assert pretix.read(raw) == Ticket(b"seed-0001", 42, 7, 14, NOW - 60, NOW + 60)
    claim = Claim(identity=b"pretix" + raw, kind="visitor", subject="", not_before=NOW - 60, not_after=NOW + 61)
    assert verify(ticket(raw), TRUST) == Checked("pretix", claim.identity, claim, (), 60)


def test_a_long_ticket_has_a_length_of_sixteen_bits() -> None:
    for size in (1, 200, 255, 256, 1000):
        assert verify(ticket(payload(42, seed=b"x" * size)), TRUST).reasons == ()


@pytest.mark.parametrize(
    ("since", "until", "reasons"),
    [(0, 0, ()), (NOW + 6, 0, ("invalid_time",)), (NOW + 5, 0, ()), (0, NOW - 5, ()), (0, NOW - 6, ("invalid_time",))],
)
def test_it_is_good_from_then_to_then(since: int, until: int, reasons: tuple[str, ...]) -> None:
    assert verify(ticket(payload(42, 0, 0, since, until)), TRUST).reasons == reasons


def test_only_the_items_of_the_policy_admit() -> None:
    claims: dict[str, tuple[str | int | bool, ...]] = {"event": ("expo-2026",), "item": (42, 43), "subevent": (14,)}
    held = trust("pretix", key("EdDSA", "", "expo-2026"), admit=(Admission(scheme="pretix", claims=claims),))
    assert verify(ticket(payload(43, 0, 14)), held).reasons == ()
    assert verify(ticket(payload(44, 0, 14)), held).reasons == ("rules",)
    assert verify(ticket(payload(43)), held).reasons == ("rules",)


def test_a_ticket_can_be_taken_back() -> None:
    text = ticket(payload(42))
    taken = trust("pretix", key("EdDSA", ""), revoked=(mark(text.encode()),))
    assert verify(text, taken).reasons == ("revoked",)
    assert verify(text, trust("pretix", key("EdDSA", ""), blocked=(mark(text.encode()),))).reasons == ("blocked",)
    assert verify(ticket(payload(43)), taken).reasons == ()


def test_each_event_has_keys_and_a_ticket_does_not_name_its_own() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert verify(ticket(payload(42), signed_by=other), TRUST).reasons == ("invalid",)
    assert verify(ticket(payload(42)), trust("pretix")).reasons == ("unknown_issuer",)


def test_a_signature_covers_every_byte() -> None:
    text = ticket(payload(42))
    for position in range(len(text)):
        changed = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]
        assert verify(changed, TRUST).reasons == ("invalid",), position


def test_a_ticket_is_written_in_one_way() -> None:
    text = next(each for each in (ticket(payload(42, seed=b"x" * size)) for size in (1, 2, 3)) if each.startswith("=="))
    assert verify(text, TRUST).reasons == ()
    letters = "AQgw", "BRhx"  # the lower four bits of the last letter mean nothing; lenient readers pass over them
    other = text[:2] + text[2].translate(str.maketrans(*letters)) + text[3:]
    assert base64.b64decode(other[::-1]) == base64.b64decode(text[::-1])
    assert verify(other, TRUST).reasons == ("invalid",)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x10", b"\x10\xff", b"\x10" + b"\xff" * 10 + b"\x01", b"\x0a\x05abc", b"\x13\x14", b"\x10\x01\x0f",
        b"\x12\x03abc", b"\x08\x01", b"\x28" + b"\xff" * 9 + b"\x01",
    ],
)  # fmt: skip
def test_what_is_signed_but_no_ticket_is_invalid(raw: bytes) -> None:
    with pytest.raises(TicketError):
        pretix.read(raw)
    assert verify(ticket(raw), TRUST).reasons == ("invalid",)


def test_fields_of_later_releases_are_passed_over() -> None:
    later = b"\x3a\x03abc" + b"\x40\x01" + b"\x4d\x00\x00\x00\x00" + b"\x51" + bytes(8)
    assert pretix.read(payload(42) + later) == Ticket(b"seed-0001", 42, 0, 0, 0, 0)


@given(st.binary(max_size=60))
def test_any_payload_is_a_ticket_or_one_class_of_error(raw: bytes) -> None:
    with contextlib.suppress(TicketError):
        assert isinstance(pretix.read(raw), Ticket)
    assert verify(ticket(raw), TRUST).scheme == "pretix"


@pytest.mark.parametrize("text", ["", "A", "AAAA", "==QA", "member 4711", "k3jhsdf8asdfkj2h3kjhsdf87sadfkjh"])
def test_what_only_looks_like_one_is_somebody_elses(text: str) -> None:
    assert verify(text, TRUST).scheme == "unknown"


def test_public_tickets() -> None:
    document = json.loads((folder() / "pretix-sig1.json").read_text())
    keys = keyfile.read("\n".join(document["public_keys_b64_pem"]).encode(), "pretix", issuer="event")
    held, ran = trust("pretix", *keys), 0
    for vector in document["vectors"]:
        checked = verify(vector["token"], held, 1_675_430_000, None)
        assert (checked.claim is not None) == vector["signature_ok"], vector["note"]
        if checked.claim:
            said = pretix.read(checked.identity.removeprefix(b"pretix"))
            told = (said.seed.decode(), said.item, said.variation or None, said.subevent or None,
                    said.valid_from or None, said.valid_until or None)  # fmt: skip
            assert told == tuple(vector[name] for name in
                                 ("seed", "item", "variation", "subevent", "valid_from", "valid_until"))  # fmt: skip
            late = vector["valid_until"] is not None or vector["valid_from"] is not None
            assert checked.reasons == (("invalid_time",) if late else ()), vector["note"]
        ran += 1
    print(f"pretix: {ran} of {ran} public tickets as expected")


def test_an_admission_says_how_often_a_ticket_admits() -> None:
    often = []
    for uses in (0, 1):
        held = trust("pretix", key("EdDSA", "", "expo-2026"), admit=(Admission(scheme="pretix", uses=uses),))
        claim = verify(ticket(payload(42)), held).claim
        assert claim is not None
        often.append(claim.uses)
    assert often == [0, 1]
