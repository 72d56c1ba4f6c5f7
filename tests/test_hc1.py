"""hc1: what is believed of an EU certificate, and what it is refused for."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import base45
import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device.codes import Checked, cose, hc1
from device.codes.issuers import mark
from device.codes.saying import saying
from device.wire.messages import Admission
from tests.signer import (
    HELD,
    NOW,
    RECOVERED,
    RSA,
    RULE,
    SIGNER,
    STRANGER,
    TESTED,
    VACCINATED,
    Signer,
    changed,
    text,
    trust,
    verify,
)  # fmt: skip

ANYTHING: Final = {"VACCINATED": VACCINATED, "TESTED": TESTED, "RECOVERED": RECOVERED}


def refused(data: bytes, *reasons: str) -> None:
    """Hold that it is refused, and that nothing of it is believed: not even who it says it is."""
    assert verify(data) == Checked("hc1", data, reasons=reasons, age=3600)


@pytest.mark.parametrize("payload", ANYTHING.values(), ids=ANYTHING)
@pytest.mark.parametrize("signer", [SIGNER, RSA], ids=["ES256", "PS256"])
def test_a_certificate_admits_a_visitor_without_a_name(signer: Signer, payload: dict[str, Any]) -> None:
    checked = verify(signer.code(payload))
    assert checked.reasons == ()
    assert checked.claim
    assert (checked.claim.kind, checked.claim.subject, checked.claim.places) == ("visitor", "", ())
    assert (checked.claim.not_before, checked.claim.not_after) == (NOW - 86400, NOW + 86401)


def test_its_identity_stays_when_it_is_printed_anew() -> None:
    anew = verify(RSA.code(VACCINATED, claims={4: NOW + 9999}))
    assert verify(SIGNER.code()).identity == anew.identity == b"hc1AT URN:UVCI:01:AT:0123456789ABCDEF#1"
    assert verify(SIGNER.code(changed(VACCINATED, ci="URN:UVCI:01:AT:2"))).identity != anew.identity


@pytest.mark.parametrize("tags", [(), (18,), (18, 61)], ids=["bare", "COSE", "CWT"])
def test_tags_may_stand_round_it(tags: tuple[int, ...]) -> None:
    assert verify(SIGNER.code(tags=tags)).reasons == ()


@pytest.mark.parametrize("tags", [(61,), (61, 18), (17,), (18, 18), (18, 61, 61)])
def test_no_other_tags_may(tags: tuple[int, ...]) -> None:
    refused(SIGNER.code(tags=tags), "invalid")


@pytest.mark.parametrize(
    ("protected", "unprotected", "reasons"),
    [
        ({1: -7, 4: SIGNER.kid}, {}, ()),
        ({1: -7}, {4: SIGNER.kid}, ()),
        ({1: -7, 4: SIGNER.kid}, {4: SIGNER.kid}, ()),
        ({1: -7, 4: SIGNER.kid}, {4: b"stranger"}, ()),
        ({4: SIGNER.kid}, {1: -7}, ()),
        ({}, {1: -7, 4: SIGNER.kid}, ()),
        ({1: -7, 4: b"stranger"}, {4: SIGNER.kid}, ("unknown_issuer",)),
        ({1: -7}, {4: b"stranger"}, ("unknown_issuer",)),
        ({1: -7, 4: SIGNER.kid[:7]}, {}, ("unknown_issuer",)),
        ({1: -7, 4: SIGNER.kid + b"\x00"}, {}, ("unknown_issuer",)),
        ({1: -7, 4: SIGNER.kid.hex()}, {}, ("invalid",)),
        ({1: -7}, {}, ("invalid",)),
        ({4: SIGNER.kid}, {}, ("invalid",)),
        ({1: -37, 4: SIGNER.kid}, {}, ("invalid",)),
        ({1: -8, 4: SIGNER.kid}, {}, ("invalid",)),
        ({1: -7, 4: RSA.kid}, {}, ("invalid",)),
        ({1: -7, 2: [99], 4: SIGNER.kid, 99: 1}, {}, ("invalid",)),
    ],
)
def test_the_protected_key_id_counts(
    protected: dict[int, Any], unprotected: dict[int, Any], reasons: tuple[str, ...]
) -> None:
    assert verify(SIGNER.code(protected=protected, unprotected=unprotected)).reasons == reasons


def test_a_forged_one_is_invalid() -> None:
    refused(STRANGER.code(), "unknown_issuer")
    refused(STRANGER.code(protected={1: -7, 4: SIGNER.kid}), "invalid")
    message = bytearray(SIGNER.message(VACCINATED))
    for at in (20, 60, len(message) - 1):
        other = bytes(message[:at]) + bytes([message[at] ^ 1]) + bytes(message[at + 1 :])
        assert verify(text(other)).claim is None


def test_each_step_is_needed() -> None:
    message = SIGNER.message(VACCINATED)
    squeezed = zlib.compress(message)
    for broken in (
        b"HC1:" + base45.b45encode(message),  # not compressed
        b"HC1:" + base45.b45encode(squeezed[:-1]),  # cut
        b"HC1:" + base45.b45encode(squeezed + b"\x00"),  # more behind it
        b"HC1:" + base45.b45encode(zlib.compress(squeezed)),  # twice
        b"HC1:" + base45.b45encode(squeezed).lower(),
        b"HC1:" + base45.b45encode(squeezed)[:-1] + b"!",
        b"HC1:",
        text(message[:-1]),
        text(message + b"\x00"),
        text(b""),
    ):
        refused(broken, "invalid")
    for other in (b"HC2:", b"HL1:", b"hc1:", b""):
        assert verify(other + base45.b45encode(squeezed)).scheme == "unknown"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="empty"),
        pytest.param({**VACCINATED, "t": TESTED["t"]}, id="two types"),
        pytest.param({**VACCINATED, "v": []}, id="no entry"),
        pytest.param({**VACCINATED, "v": VACCINATED["v"] * 9}, id="nine entries"),
        pytest.param(changed(VACCINATED, ver="1"), id="version"),
        pytest.param(changed(VACCINATED, dob="1815-08-24"), id="born too long ago"),
        pytest.param(changed(VACCINATED, dob="2021-07-02"), id="born after it was issued"),
        pytest.param(changed(VACCINATED, nam={"fn": "Visitor"}), id="no standard name"),
        pytest.param(changed(VACCINATED, nam=None), id="no name"),
        pytest.param(changed(VACCINATED, dn="2"), id="dose as text"),
        pytest.param(changed(VACCINATED, dt="yesterday"), id="no date"),
        pytest.param(changed(VACCINATED, ci=""), id="no identifier"),
        pytest.param(changed(RECOVERED, du="2021-02-30"), id="no day"),
    ],
)
def test_what_is_no_certificate_is_invalid_though_signed(payload: Any) -> None:
    refused(SIGNER.code(payload), "invalid")


@pytest.mark.parametrize(
    "claims", [{4: None}, {6: None}, {4: "x"}, {4: True}, {4: 1e300}, {6: -1}, {1: 7}, {-260: None}, {-260: {2: {}}}]
)
def test_a_message_without_its_claims_is_invalid(claims: dict[int, Any]) -> None:
    refused(SIGNER.code(claims=claims), "invalid")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(changed(VACCINATED, dob="1990-00-00"), id="part of a birthday"),
        pytest.param(changed(VACCINATED, dob=""), id="no birthday"),
        pytest.param(changed(VACCINATED, dt="2021-06-01T00:00:00"), id="a time for a day"),
        pytest.param({**VACCINATED, "t": None, "r": []}, id="empty groups"),
        pytest.param({**VACCINATED, "v": VACCINATED["v"] * 2}, id="two entries"),
        pytest.param({**VACCINATED, "meta": {"reference": "1"}}, id="more than the schema has"),
        pytest.param(changed(TESTED, sc=cbor2.CBORTag(0, "2021-07-01T08:00:00Z")), id="a tagged time"),
    ],
)
def test_it_is_read_as_issuers_wrote_it(payload: Any) -> None:
    assert verify(SIGNER.code(payload)).reasons == ()


def test_floats_and_indefinite_lengths_are_read() -> None:
    assert verify(SIGNER.code(claims={4: NOW + 86400.5, 6: NOW - 86400.5})).reasons == ()
    body = cbor2.dumps({1: "AT", 4: NOW + 86400, 6: NOW - 86400})
    payload = cbor2.dumps(VACCINATED)
    loose = b"\xbf" + body[1:] + b"\x39\x01\x03" + b"\xbf\x01" + payload + b"\xff\xff"
    header = cbor2.dumps({1: -7, 4: SIGNER.kid})
    signature = SIGNER.sign(cbor2.dumps(["Signature1", header, b"", loose]))
    message = b"\xd2\x9f" + b"".join(map(cbor2.dumps, (header, {}, loose, signature))) + b"\xff"
    assert verify(text(message)).reasons == ()


@pytest.mark.parametrize(
    ("payload", "now", "reasons"),
    [
        (VACCINATED, NOW - 86400 - 6, ("invalid_time",)),  # not issued yet
        (VACCINATED, NOW - 86400 - 5, ()),
        (VACCINATED, NOW + 86400 + 5, ()),
        (VACCINATED, NOW + 86400 + 6, ("invalid_time",)),
        (changed(VACCINATED, dt="2021-07-03"), NOW, ("invalid_time",)),
        (changed(VACCINATED, dt="2021-07-02"), NOW, ()),  # somewhere it is tomorrow already
        (changed(TESTED, sc="2021-07-01T12:00:01Z"), NOW, ("invalid_time",)),
        (changed(TESTED, tr="260373001"), NOW, ("rules",)),
        (changed(RECOVERED, df="2021-07-03"), NOW, ("invalid_time",)),
        (changed(RECOVERED, df="2021-07-02"), NOW, ()),
        (changed(RECOVERED, du="2021-06-30"), NOW, ("invalid_time",)),
        (changed(RECOVERED, du="2021-06-29"), NOW, ("invalid_time",)),
        (changed(RECOVERED, du="2021-06-30"), NOW - 1, ()),
    ],
)
def test_time_and_result_count(payload: dict[str, Any], now: int, reasons: tuple[str, ...]) -> None:
    assert verify(SIGNER.code(payload), now=now).reasons == reasons


def test_a_key_may_sign_only_what_its_certificate_says() -> None:
    every = {"v": VACCINATED, "t": TESTED, "r": RECOVERED}
    for usages, may in (
        (("vaccination",), "v"),
        (("test",), "t"),
        (("old recovery",), "r"),
        (("test", "recovery", "client"), "tr"),
        (("client",), ""),
    ):
        signer = Signer(None, *usages)
        for letter, payload in every.items():
            checked = verify(signer.code(payload), trust(signer))
            assert checked.reasons == (() if letter in may else ("invalid",)), (usages, letter)


def test_a_key_whose_certificate_has_expired_counts_no_more() -> None:
    late = int((datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=1)).timestamp())
    code = SIGNER.code(claims={4: late + 9999})
    assert verify(code, now=late - 2 * 86400).reasons == ()
    assert verify(code, now=late).reasons == ("unknown_issuer",)


def test_other_curves_are_used_as_cose_allows() -> None:
    wide = Signer(ec.generate_private_key(ec.SECP384R1()))
    assert verify(wide.code(), trust(wide)).reasons == ()


@pytest.mark.parametrize("what", ["signature", "identifier", "country and identifier"])
@pytest.mark.parametrize("signer", [SIGNER, RSA], ids=["ES256", "PS256"])
def test_it_is_taken_back_by_hash(signer: Signer, what: str) -> None:
    message = signer.message(VACCINATED)
    signature = cose.read(message, cose.OTHERS).signature
    identifier = VACCINATED["v"][0]["ci"].encode()
    hashed = {
        "signature": signature[:32] if signer is SIGNER else signature,  # of ES256 the half nobody can change
        "identifier": identifier,
        "country and identifier": b"AT" + identifier,
    }[what]
    assert verify(text(message), trust(revoked=(mark(hashed),))).reasons == ("revoked",)
    assert verify(text(message), trust(blocked=(mark(hashed),))).reasons == ("blocked",)
    assert verify(text(message), trust(revoked=(mark(hashed + b"x"),))).reasons == ()


def test_the_other_half_of_a_signature_does_not_save_it() -> None:
    message = SIGNER.message(VACCINATED)
    signed = cose.read(message, cose.OTHERS)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    mirrored = (order - int.from_bytes(signed.signature[32:], "big")).to_bytes(32, "big")
    other = text(message.replace(signed.signature, signed.signature[:32] + mirrored))
    assert verify(other).reasons == ()  # ECDSA has two signatures where it has one
    assert verify(other, trust(revoked=(mark(signed.signature[:32]),))).reasons == ("revoked",)


def test_admissions_choose_by_type_country_and_doses() -> None:
    boosted = Admission(scheme="hc1", claims={"type": ("vaccination",), "co": ("AT",), "dn": (2, 3)}, places=("expo",))
    held = trust(admit=(boosted,))
    assert verify(SIGNER.code(), held).reasons == ()
    assert verify(SIGNER.code(changed(VACCINATED, dn=1)), held).reasons == ("rules",)
    assert verify(SIGNER.code(TESTED), held).reasons == ("rules",)
    assert verify(SIGNER.code(), trust(admit=())).reasons == ("rules",)
    elsewhere = trust(admit=(Admission(scheme="hc1", places=("expo/south",)),))
    assert verify(SIGNER.code(), elsewhere).reasons == ("wrong_entrance",)


def test_a_rule_that_is_not_met_is_named_with_its_fields() -> None:
    held = trust(rules=(RULE,))
    assert verify(SIGNER.code(), held).reasons == ()
    checked = verify(SIGNER.code(changed(VACCINATED, dn=1)), held)
    assert (checked.reasons, checked.detail) == (("rules",), "VR-AT-0001 (v.0.dn v.0.sd)")
    assert verify(SIGNER.code(TESTED), held).reasons == ()


def test_a_value_outside_the_sets_that_are_held_is_not_let_in() -> None:
    held = trust(value_sets={"vaccines-covid-19-names": ("EU/1/20/1507",), "covid-19-lab-test-type": ("LP6464-4",)})
    checked = verify(SIGNER.code(), held)
    assert (checked.reasons, checked.detail) == (("rules",), "v.0.mp")
    assert verify(SIGNER.code(TESTED), held).reasons == ()


def test_only_a_rapid_test_has_a_maker() -> None:
    held = trust(value_sets={"covid-19-lab-test-manufacturer-and-name": ("1232",)})
    entry = TESTED["t"][0]
    for maker, reasons in ((None, ()), ("", ()), ("1232", ()), ("9999", ("rules",))):
        assert verify(SIGNER.code({**TESTED, "t": [{**entry, "ma": maker}]}), held).reasons == reasons
    vaccine = trust(value_sets={"vaccines-covid-19-auth-holders": ("ORG-100030215",)})
    assert verify(SIGNER.code(changed(VACCINATED, ma="")), vaccine).reasons == ("rules",)


def test_a_list_that_is_too_old_admits_nobody() -> None:
    assert verify(SIGNER.code(), trust(good_for_s=7200)).reasons == ()
    assert verify(SIGNER.code(), trust(good_for_s=3600)).reasons == ("stale_trust",)


def test_what_speaks_against_it_is_all_named() -> None:
    held = trust(rules=(RULE,), revoked=(mark(VACCINATED["v"][0]["ci"].encode()),))
    checked = verify(SIGNER.code(changed(VACCINATED, dn=1)), held, NOW + 9 * 86400)
    assert checked.reasons == ("revoked", "invalid_time", "rules")


def test_what_it_says_of_itself_names_nobody() -> None:
    said = saying(STRANGER.code(TESTED))
    assert said == {
        "kid": STRANGER.trusted.kid, "iat": NOW - 86400, "exp": NOW + 86400, "type": "test", "issuer": "AT",
        "tg": "840539006", "co": "AT", "tt": "LP6464-4", "tr": "260415000",
    }  # fmt: skip
    for data in (b"HC1:", b"HC1:NCF", text(b""), SIGNER.code({})):
        assert saying(data) == {}


def test_the_prefix_alone_says_whose_it_is() -> None:
    assert hc1.check(b"MS1:", HELD, None, NOW, skew_s=5) is None
