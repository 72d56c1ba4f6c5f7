"""Codes that are a JSON Web Token: whose, for whom, until when."""

from __future__ import annotations

from typing import Any

import pytest

from device.codes import Checked, Claim, jws
from device.codes.issuers import mark
from device.wire.messages import Admission
from tests.tickets import ISSUER, NOW, key, signed, trust, verify

HEADER = {"alg": "ES256", "kid": "k1", "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "visitor 1",
    "exp": NOW + 60,
    "nbf": NOW - 60,
    "jti": "7",
    "role": "guest",
}
TRUST = trust("jws", key("ES256", issuer=ISSUER), key("EdDSA", "k2"))


def token(**changes: Any) -> str:
    return signed(HEADER, {name: value for name, value in (CLAIMS | changes).items() if value is not ...})


def test_a_token_says_what_it_is_for() -> None:
    text = token()
    checked = verify(text, TRUST)
    claim = Claim(identity=b"jws" + text.rpartition(".")[0].encode(), kind="visitor", subject="visitor 1",
                  not_before=NOW - 60, not_after=NOW + 60)  # fmt: skip
    assert checked == Checked("jws", claim.identity, claim, (), 60)


def test_another_signature_of_the_same_token_is_the_same_token() -> None:
    one, other = token(), token()
    assert one != other, "ES256 signs anew each time"
    assert verify(one, TRUST).identity == verify(other, TRUST).identity


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"exp": NOW - 5}, ("invalid_time",)),
        ({"exp": NOW - 4}, ()),
        ({"exp": NOW + 0.5}, ()),
        ({"nbf": NOW + 6}, ("invalid_time",)),
        ({"exp": ..., "nbf": ...}, ()),
        ({"iss": "https://other.example"}, ("unknown_issuer",)),
        ({"iss": ...}, ("unknown_issuer",)),
        ({"aud": "expo"}, ()),
        ({"aud": ["fair", "expo/north"]}, ()),
        ({"aud": "expo/south"}, ("wrong_entrance",)),
        ({"aud": []}, ("wrong_entrance",)),
        ({"aud": 7}, ("invalid",)),
        ({"aud": None}, ("invalid",)),
        ({"exp": str(NOW)}, ("invalid",)),
        ({"exp": (NOW + 60) * 1000}, ("invalid",)),
        ({"exp": True}, ("invalid",)),
        ({"exp": None}, ("invalid",)),
        ({"sub": ["visitor 1"]}, ("invalid",)),
        ({"iss": 1}, ("invalid",)),
    ],
)
def test_a_token_is_judged_by_its_claims(changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    assert verify(token(**changes), TRUST).reasons == reasons


def test_only_what_the_policy_admits_is_admitted() -> None:
    crew = Admission(scheme="jws", claims={"role": ("crew",)}, kind="staff")
    south = Admission(scheme="jws", claims={"role": ("guest",)}, places=("expo/south",))
    keys = (key("ES256", issuer=ISSUER),)
    checked = verify(token(role="crew"), trust("jws", *keys, admit=(crew, south)))
    assert checked.claim is not None
    assert (checked.claim.kind, checked.claim.subject, checked.reasons) == ("staff", "visitor 1", ())
    assert verify(token(role="crew", sub=...), trust("jws", *keys, admit=(crew,))).reasons == ("rules",), "whose badge?"
    assert verify(token(), trust("jws", *keys, admit=(crew,))).reasons == ("rules",)
    assert verify(token(), trust("jws", *keys, admit=())).reasons == ("rules",), "trusting a key admits nobody yet"
    assert verify(token(), trust("jws", *keys, admit=(crew, south))).reasons == ("wrong_entrance",)
    named = Admission(scheme="jws", claims={"aud": ("summit",)})
    assert verify(token(aud="summit"), trust("jws", *keys, admit=(named,))).reasons == ()


def test_a_token_can_be_taken_back() -> None:
    text = token()
    for each in (mark(text.rpartition(".")[0].encode()), jws.id_mark(ISSUER, "7")):
        assert verify(text, trust("jws", key("ES256"), revoked=(each,))).reasons == ("revoked",)
        assert verify(text, trust("jws", key("ES256"), blocked=(each,))).reasons == ("blocked",)
    assert verify(text, trust("jws", key("ES256"), revoked=(jws.id_mark("", "7"), mark(text.encode())))).reasons == ()


def test_a_clock_before_the_trust_cannot_tell_its_age() -> None:
    held = trust("jws", key("ES256"), good_for_s=120)
    assert verify(token(exp=..., nbf=...), held, NOW - 90_000).reasons == ("clock_unsure",)
    assert verify(token(exp=..., nbf=...), held, NOW - 60).reasons == ()
    assert verify(token(exp=..., nbf=...), trust("jws", key("ES256")), NOW - 90_000).reasons == (), "it does not age"


def test_old_trust_does_not_admit() -> None:
    held = trust("jws", key("ES256"), good_for_s=120)
    ages = {late: (verify(token(exp=...), held, NOW + late).reasons, verify(token(exp=...), held, NOW + late).age)
            for late in (59, 60)}  # fmt: skip
    assert ages == {59: ((), 119), 60: (("stale_trust",), 120)}


@pytest.mark.parametrize(
    "text",
    [
        signed(HEADER, CLAIMS).replace(".", ".=", 1),
        signed(HEADER, CLAIMS) + "=",
        signed(HEADER, CLAIMS)[:-4],
        signed({**HEADER, "alg": "none"}, CLAIMS, alg="ES256"),
        signed({**HEADER, "kid": 7}, CLAIMS),
        signed(HEADER, [CLAIMS]),
        signed(HEADER, b"visitor 1", alg="ES256"),
        signed(HEADER, CLAIMS, alg="EdDSA"),
        signed({"alg": "EdDSA", "kid": "k1"}, CLAIMS),
        signed({"alg": "HS256", "kid": "k1"}, CLAIMS),
        signed({**HEADER, "crit": ["exp"]}, CLAIMS),
    ],
)
def test_a_forged_or_broken_token_is_invalid(text: str) -> None:
    assert verify(text, TRUST)[:4:3] == ("jws", ("invalid",))


@pytest.mark.parametrize("header", [{"alg": "ES256"}, {**HEADER, "kid": "k3"}, {"alg": "HS256", "kid": "x"}])
def test_a_key_nobody_trusts_is_unknown(header: dict[str, Any]) -> None:
    assert verify(signed(header, CLAIMS), TRUST).reasons == ("unknown_issuer",)


@pytest.mark.parametrize("text", ["a.b.c", "www.example.com", "1.2.3", "eyJ", "..", "ZmFpcg.ZmFpcg.ZmFpcg"])
def test_what_only_looks_like_one_is_somebody_elses(text: str) -> None:
    assert verify(text, TRUST).scheme == "unknown"


def test_a_name_that_no_guard_can_read_is_left_out() -> None:
    for name in ("\x1b[31m", "x" * 65, "\ud800"):
        checked = verify(token(sub=name), TRUST)
        assert checked.claim is not None
        assert checked.claim.subject == ""
