"""Our own signed code: made, shown, judged, and not to be forged."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import base45
import cbor2
import numpy as np
import pytest
import segno
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device.codes import Checked, Claim, cose, ms1
from device.codes.cwt import MAX_PEOPLE, MAX_PLACES, MAX_SUBJECT, MAX_USES, PassError
from device.codes.trust import Trust, key_id, trusted
from device.wire.messages import Desired, PassKind, Place

ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HOLDER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
KID = key_id(ISSUER.public_key())
CTI = bytes.fromhex("0f1e2d3c4b5a6978")
IDENTITY = b"ms1" + KID + CTI
TRUST = Trust.from_policy(Desired(version=1, keys=(trusted(ISSUER.public_key()),)), bytes(32))
NORTH = Place("expo", "north")
DAY = 86_400
NOW = 1_790_000_000  # 21 September 2026, 14:13:20 UTC
SCREEN_S, SKEW_S = 30.0, 5.0

# Made by this project: it pins what phones and other tools were once given.
OURS = (
    "MS1:RRQT 9P60GO0$+AWKB3UAR098CK6I6 D0Q-APQEHWEBJE$963R6NE66VC7AFP1ECF3YPM500CF3BIMF8G.49U 30S7FJB/8F"
    "100000T70Y78G9CYL937R MER/F+2B7NB09R8N02VRJIMP$CWWECUQAHRWEF2C8Y7D% RAUOZI83$S5Y32*PSMA/ 4Z49JIOOUO%YQ05W40"
)


def issue(**changes: Any) -> str:
    terms: dict[str, Any] = {
        "kind": "visitor",
        "subject": "Visitor 10482",
        "places": ("expo",),
        "not_before": NOW,
        "not_after": NOW + DAY,
        "cti": CTI,
    }
    terms |= changes
    return ms1.issue(terms.pop("key", ISSUER), **terms)


def check(text: str | bytes, now: int = NOW, place: Place | None = NORTH, trust: Trust = TRUST) -> Checked:
    data = text.encode() if isinstance(text, str) else text
    checked = ms1.check(data, trust, place, now, screen_s=SCREEN_S, skew_s=SKEW_S)
    assert checked is not None
    return checked


def signed(payload: object, *, key: Ed25519PrivateKey = ISSUER, kid: bytes | None = KID) -> str:
    """Sign any payload at all as an issuer would."""
    raw = payload if isinstance(payload, bytes) else cose.dumps(payload)
    return f"MS1:{base45.b45encode(cose.sign(raw, key, kid)).decode()}"


def message(text: str) -> bytes:
    return bytes(base45.b45decode(text.removeprefix("MS1:")))


def test_a_pass_says_what_it_was_issued_for() -> None:
    checked = check(issue(places=("expo/north", "expo/south"), kind="staff", subject="guard-017"))
    claim = Claim(
        identity=IDENTITY,
        kind="staff",
        subject="guard-017",
        not_before=NOW,
        not_after=NOW + DAY,
        places=("expo/north", "expo/south"),
    )
    assert checked == Checked("ms1", IDENTITY, claim, ())


def test_the_form_on_the_wall_stays_as_it_was() -> None:
    assert issue() == OURS
    assert check(OURS).reasons == ()


def test_any_cbor_tool_can_read_it() -> None:
    outer = cbor2.loads(message(issue()))
    protected, unprotected, payload, signature = outer.value
    assert outer.tag == 18
    assert cbor2.loads(protected) == {1: -8, 4: KID}
    assert unprotected == {}
    assert cbor2.loads(payload) == {
        2: "Visitor 10482", 3: "expo", 4: NOW + DAY, 5: NOW, 7: CTI, -65537: 1,
    }  # fmt: skip
    ISSUER.public_key().verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))


def test_a_typical_pass_is_an_easily_read_qr_code() -> None:
    drawn = segno.make_qr(issue(), error="m", boost_error=False)
    assert drawn.mode == "alphanumeric"
    assert drawn.version == 8
    screen = ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW)
    assert segno.make_qr(screen, error="m", boost_error=False).version == 12


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        (NOW - 6, ("invalid_time",)),
        (NOW - 5, ()),
        (NOW + DAY + 4, ()),
        (NOW + DAY + 5, ("invalid_time",)),
        (0, ("invalid_time",)),
        (2**40, ("invalid_time",)),
    ],
)
def test_it_is_good_from_then_to_then_give_or_take_the_skew(now: int, reasons: tuple[str, ...]) -> None:
    assert check(issue(), now).reasons == reasons


@pytest.mark.parametrize(
    ("places", "good"),
    [
        (("expo",), True),
        (("expo/north",), True),
        (("fair", "expo/south", "expo/north"), True),
        (("expo/south",), False),
        (("fair",), False),
        (("fair/north", "ex"), False),
        (("expo/north-gate",), False),
    ],
)
def test_it_is_good_where_it_says(places: tuple[str, ...], good: bool) -> None:  # noqa: FBT001
    assert check(issue(places=places)).reasons == (() if good else ("wrong_entrance",))
    assert check(issue(places=places), place=None).reasons == ()


def test_a_revoked_pass_is_refused_and_still_named() -> None:
    desired = Desired(version=2, keys=(trusted(ISSUER.public_key()),), revoked=(CTI.hex(),))
    trust = Trust.from_policy(desired, bytes(32))
    assert check(issue(), trust=trust).reasons == ("revoked",)
    assert check(issue(), trust=trust).identity == IDENTITY
    assert check(issue(cti=bytes(8)), trust=trust).reasons == ()


def test_all_that_speaks_against_it_is_said_the_gravest_first() -> None:
    desired = Desired(version=2, keys=(trusted(ISSUER.public_key()),), revoked=(CTI.hex(),))
    trust = Trust.from_policy(desired, bytes(32))
    text = issue(holder=HOLDER.public_key(), places=("fair",))
    checked = check(text, NOW + 2 * DAY, trust=trust)
    assert checked.reasons == ("revoked", "invalid_time", "screen_expired", "wrong_entrance")


def test_another_issuer_is_unknown_and_claims_nothing() -> None:
    text = issue(key=STRANGER)
    assert check(text) == Checked("ms1", text.encode(), None, ("unknown_issuer",))


def test_a_forger_who_names_the_issuers_key_is_invalid_and_claims_nothing() -> None:
    payload = cose.read(message(issue())).payload
    text = signed(payload, key=STRANGER)
    assert check(text) == Checked("ms1", text.encode(), None, ("invalid",))


def test_a_screen_is_good_for_a_moment() -> None:
    text = ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW)
    reasons = {shift: check(text, NOW + shift).reasons for shift in (-6, -5, 0, 30, 35, 36, 3600)}
    late = ("screen_expired",)
    assert reasons == {-6: ("invalid_time", *late), -5: (), 0: (), 30: (), 35: (), 36: late, 3600: late}
    assert check(text, NOW).identity == IDENTITY
    assert check(ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW + 60), NOW + 60).identity == IDENTITY


def test_a_rotating_pass_is_not_good_bare() -> None:
    assert check(issue(holder=HOLDER.public_key())).reasons == ("screen_expired",)


def test_only_the_holder_can_make_a_screen() -> None:
    text = issue(holder=HOLDER.public_key())
    with pytest.raises(PassError, match="another holder"):
        ms1.present(text, STRANGER, NOW)
    with pytest.raises(PassError, match="only a rotating pass"):
        ms1.present(issue(), HOLDER, NOW)
    with pytest.raises(PassError, match="only a rotating pass"):
        ms1.present(ms1.present(text, HOLDER, NOW), HOLDER, NOW)
    for key in (STRANGER, ISSUER):
        assert check(signed({6: NOW, -65538: message(text)}, key=key, kid=None)).reasons == ("invalid",)


def test_a_screen_stands_only_around_a_genuine_pass_that_rotates() -> None:
    genuine = message(issue(holder=HOLDER.public_key()))
    assert check(signed({6: NOW, -65538: genuine}, key=HOLDER, kid=None)).reasons == ()
    for inner in (
        message(issue()),
        message(ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW)),
        genuine[:-1] + bytes([genuine[-1] ^ 1]),
        genuine[1:],
        b"",
    ):
        checked = check(signed({6: NOW, -65538: inner}, key=HOLDER, kid=None))
        assert (checked.claim, checked.reasons) == (None, ("invalid",))
    strange = message(issue(key=STRANGER, holder=HOLDER.public_key()))
    assert check(signed({6: NOW, -65538: strange}, key=HOLDER, kid=None)).reasons == ("unknown_issuer",)


GOOD: dict[object, object] = {2: "Visitor 10482", 3: "expo", 4: NOW + DAY, 5: NOW, 7: CTI, -65537: 1}


@pytest.mark.parametrize(
    "claims", [{**GOOD, 1: "somebody"}, {**GOOD, 4: NOW}, {**GOOD, 2: "Li\x1b[31mNa"}, [GOOD], b""]
)
def test_claims_that_an_issuer_should_not_have_signed_are_invalid(claims: object) -> None:
    assert check(signed(GOOD)).reasons == ()
    checked = check(signed(claims))
    assert (checked.claim, checked.reasons) == (None, ("invalid",))


def test_there_is_one_way_to_write_a_message() -> None:
    protected, unprotected, payload, signature = cbor2.loads(message(issue())).value
    for parts in (
        cbor2.dumps([protected, unprotected, payload, signature]),
        cbor2.dumps(cbor2.CBORTag(61, cbor2.CBORTag(18, [protected, unprotected, payload, signature]))),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {4: KID}, payload, signature])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {"seat": "A1"}, payload, signature])),
        message(issue()) + b"\x00",
        b"\xd2\x98\x04" + message(issue())[2:],
    ):
        assert check("MS1:" + base45.b45encode(parts).decode()).reasons == ("invalid",)


def with_header(header: dict[int, object], payload: object, key: Ed25519PrivateKey) -> str:
    protected, claims = cose.dumps(header), cose.dumps(payload)
    signature = key.sign(cose.dumps(["Signature1", protected, b"", claims]))
    raw = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, claims, signature]))
    return f"MS1:{base45.b45encode(raw).decode()}"


@pytest.mark.parametrize("kid", [KID[:4], KID + b"\x00", b"", "text", 7, None, [KID]])
def test_a_key_id_is_eight_bytes(kid: object) -> None:
    assert check(with_header({1: -8, 4: KID}, GOOD, ISSUER)).reasons == ()
    assert check(with_header({1: -8, 4: kid}, GOOD, ISSUER)).reasons == ("invalid",)


def test_a_header_says_who_and_how_and_no_more() -> None:
    assert check(with_header({1: -8, 3: 0, 4: KID}, GOOD, ISSUER)).reasons == ("invalid",)
    screen = {6: NOW, -65538: message(issue(holder=HOLDER.public_key()))}
    assert check(with_header({1: -8}, screen, HOLDER)).reasons == ()
    assert check(with_header({1: -19}, screen, HOLDER)).reasons == ()
    assert check(with_header({1: -8, 3: 0}, screen, HOLDER)).reasons == ("invalid",)
    assert check(with_header({1: -7}, screen, HOLDER)).reasons == ("invalid",)
    assert check(with_header({}, screen, HOLDER)).reasons == ("invalid",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subject": ""}, "1 to 64 printable characters"),
        ({"subject": "x" * 65}, "1 to 64 printable characters"),
        ({"subject": "a\nb"}, "1 to 64 printable characters"),
        ({"places": ()}, "1 to 16 places, not 0"),
        ({"places": ("expo",) * 17}, "1 to 16 places, not 17"),
        ({"places": ("Expo",)}, "neither SITE nor SITE/ENTRANCE"),
        ({"places": ("expo/",)}, "neither SITE nor SITE/ENTRANCE"),
        ({"not_after": NOW}, "ends after it begins"),
        ({"not_before": -1}, "between the years 1970 and 9999"),
        ({"not_after": 253_402_214_401}, "between the years 1970 and 9999"),
    ],
)
def test_a_pass_that_no_gate_would_take_is_not_issued(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PassError, match=problem):
        issue(**changes)


def mutated(dice: random.Random, texts: list[str]) -> Iterator[str]:
    """Yield altered codes for ever: characters, bytes, and halves of two genuine ones."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    while True:
        text, raw = dice.choice(texts), bytearray(message(dice.choice(texts)))
        at, place = dice.randrange(4, len(text)), dice.randrange(len(raw))
        yield text[:at] + dice.choice(alphabet) + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + dice.choice(texts)[at:]
        raw[place] ^= 1 << dice.randrange(8)
        yield "MS1:" + base45.b45encode(bytes(raw)).decode()
        raw[place : place + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        yield "MS1:" + base45.b45encode(bytes(raw)).decode()


def test_of_twenty_thousand_altered_codes_none_is_believed() -> None:
    genuine = [
        issue(),
        issue(kind="staff", subject="guard-017", cti=bytes(8)),
        issue(holder=HOLDER.public_key()),
        ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW),
        ms1.present(issue(holder=HOLDER.public_key()), HOLDER, NOW + 20),
    ]
    tried = 0
    for text in mutated(random.Random(1), genuine):
        if text in genuine:
            continue
        checked = check(text)
        assert checked.claim is None, text
        assert checked.reasons in (("invalid",), ("unknown_issuer",)), text
        tried += 1
        if tried == 20_000:
            break


IDS = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True).filter(lambda text: len(text) > 1)
PLACES = st.lists(st.one_of(IDS, st.builds("{}/{}".format, IDS, IDS)), min_size=1, max_size=MAX_PLACES)
SUBJECTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=MAX_SUBJECT)


@given(
    kind=st.sampled_from(["visitor", "staff", "entrance"]),
    subject=SUBJECTS,
    places=PLACES.map(tuple),
    begin=st.integers(0, 2**33),
    lasts=st.integers(1, 2**33),
    cti=st.binary(min_size=8, max_size=8),
    rotating=st.booleans(),
    uses=st.integers(0, MAX_USES),
    people=st.integers(1, MAX_PEOPLE),
)
def test_whatever_is_issued_is_read_back(
    *, kind: PassKind, subject: str, places: tuple[str, ...], begin: int, lasts: int, cti: bytes, rotating: bool,
    uses: int, people: int,
) -> None:  # fmt: skip
    text = ms1.issue(
        ISSUER,
        kind=kind,
        subject=subject,
        places=places,
        not_before=begin,
        not_after=begin + lasts,
        holder=HOLDER.public_key() if rotating else None,
        cti=cti,
        uses=uses,
        people=people,
    )
    checked = check(ms1.present(text, HOLDER, begin) if rotating else text, begin, place=None)
    assert checked.reasons == ()
    assert checked.claim == Claim(
        identity=b"ms1" + KID + cti,
        kind=kind,
        subject=subject,
        not_before=begin,
        not_after=begin + lasts,
        places=places,
        rotating=rotating,
        uses=uses,
        people=people,
    )


def test_two_passes_are_never_the_same() -> None:
    assert issue(cti=None) != issue(cti=None)
    assert check(issue(cti=None)).reasons == ()


@pytest.mark.parametrize("rotating", [False, True])
def test_a_drawn_code_is_read_back_byte_for_byte(rotating: bool) -> None:  # noqa: FBT001
    text = issue(holder=HOLDER.public_key() if rotating else None)
    text = ms1.present(text, HOLDER, NOW) if rotating else text
    rows = [[255 * (1 - bit) for bit in row] for row in segno.make_qr(text, error="m").matrix_iter(scale=4, border=4)]
    (read,) = zxingcpp.read_barcodes(np.array(rows, dtype=np.uint8))
    assert read.bytes == text.encode()
    assert check(read.bytes).reasons == ()
