"""What a policy says of other issuers: taken whole, or refused with the entry named."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device.codes.issuers import MOST_OF_A_KID
from device.codes.trust import Trust, TrustError
from device.policy import Policy
from device.wire.messages import Admission, Algorithm, Desired, IssuerKey, MessageError, TrustList, decode, encode

SITE_KEY = bytes(32)
ISSUED = datetime(2026, 11, 24, 3, tzinfo=UTC)
AT = int(ISSUED.timestamp())
MARK = "0123456789abcdef" * 2
PUBLIC: dict[str, Any] = {
    "EdDSA": Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
    "ES256": ec.derive_private_key(7, ec.SECP256R1()).public_key(),
    "P-384": ec.derive_private_key(7, ec.SECP384R1()).public_key(),
    "PS256": rsa.generate_private_key(65537, 2048).public_key(),
    "short": rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505 it is to be refused
}
SECRET = base64.b64encode(bytes(32)).decode()


def der(name: str) -> str:
    return base64.b64encode(PUBLIC[name].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def key(alg: Algorithm = "ES256", kid: str = "k1", **more: Any) -> IssuerKey:
    return IssuerKey(kid=kid, alg=alg, **({"public": der(alg)} | more if alg != "HS256" else more))


def listed(**more: Any) -> TrustList:
    said: dict[str, Any] = {"scheme": "jws", "name": "expo", "issued_at": ISSUED, "keys": (key(),)}
    return TrustList(**(said | more))


def trust(*lists: TrustList, admit: tuple[Admission, ...] = ()) -> Trust:
    desired = Desired(version=1, issued_at=ISSUED, lists=lists, admit=admit)
    return Trust.from_policy(decode(Desired, encode(desired)), SITE_KEY)


def test_keys_of_others_arrive_with_a_policy() -> None:
    later = ISSUED + timedelta(days=1)
    held = trust(
        listed(keys=(key(issuer="https://issuer.example", not_after=later), key("EdDSA", usage=("v",)))),
        listed(name="more", keys=(key(country="SE"), key("HS256", "h", secret=SECRET))),
    ).of("jws")
    assert [(each.alg, each.issuer, each.country, each.usage) for each in held.keys["k1"]] == [
        ("ES256", "https://issuer.example", "", ()), ("EdDSA", "", "", ("v",)), ("ES256", "", "SE", ()),
    ]  # fmt: skip
    assert [each.alg for each in held.named("k1", AT + 86_399)] == ["ES256", "EdDSA", "ES256"]
    assert [each.alg for each in held.named("k1", AT + 86_400)] == ["EdDSA", "ES256"], "a key has its own end"
    assert held.named("k2", AT) == ()
    assert (held.keys["h"][0].secret, held.keys["h"][0].public) == (bytes(32), None)
    assert repr(bytes(32)) not in repr(held)


def test_a_scheme_nothing_was_said_of_holds_nothing() -> None:
    held = trust().of("hc1")
    assert (held.keys, held.admission({}), held.age(AT), held.stale(AT)) == ({}, None, None, ())


def test_a_list_has_an_age_and_may_be_too_old() -> None:
    old = listed(name="old", issued_at=ISSUED - timedelta(hours=1))
    held = trust(listed(good_for_s=60), old, listed(scheme="shc", name="crl", keys=(), good_for_s=30))
    assert held.issued_at == AT
    assert held.of("jws").age(AT + 5) == 3605
    ages = {shift: held.stale(AT + shift) for shift in (0, 29, 30, 59, 60)}
    assert ages == {0: (), 29: (), 30: ("shc/crl",), 59: ("shc/crl",), 60: ("jws/expo", "shc/crl")}
    assert held.of("jws").stale(AT + 60) == ("jws/expo",)


def test_what_was_taken_back_is_known_by_its_mark() -> None:
    cards = ("3Kfdg-XwP-7gXyywtUfUADwBumDOPKMQx-iELL11W9s/cmV2b2tlZA", "k/r.1636977600")
    held = trust(
        listed(revoked=(MARK,)), listed(name="b", blocked=(MARK,)), listed(scheme="shc", keys=(), revoked=cards)
    )
    assert (held.of("jws").revoked, held.of("jws").blocked) == (frozenset({MARK}), frozenset({MARK}))
    assert [*held.of("shc").taken_back([cards[0]], None)] == ["revoked"]
    assert [[*held.of("shc").taken_back(["k/r"], at)] for at in (None, 1636977599.9, 1636977600)] == [
        ["revoked"], ["revoked"], [],
    ]  # fmt: skip


def test_the_first_admission_whose_claims_all_match_counts() -> None:
    crew = Admission(scheme="jws", claims={"role": ("crew", "press"), "level": (1, 3)}, kind="staff")
    rest = Admission(scheme="jws", claims={"role": ("guest",)}, places=("expo", "expo/north"))
    held = trust(listed(), admit=(crew, rest)).of("jws")
    assert held.admission({"role": "press", "level": 3}) == crew
    assert held.admission({"role": ["guest", "crew"], "level": [1, 2], "more": 1}) == crew
    assert held.admission({"role": ["guest", "crew"], "level": 2}) == rest
    for claims in ({}, {"role": "stranger"}, {"role": "crew"}, {"role": "crew", "level": True}, {"role": {"guest": 1}}):
        assert held.admission(claims) is None
    assert trust(admit=(Admission(scheme="pretix"),)).of("pretix").admission({}) is not None


RULE = {
    "Identifier": "VR-XX-0001",
    "Type": "Acceptance",
    "Country": "XX",
    "Version": "1.0.0",
    "Engine": "CERTLOGIC",
    "CertificateType": "Vaccination",
    "ValidFrom": "2021-07-01T00:00:00Z",
    "ValidTo": "2030-06-01T00:00:00Z",
    "Logic": {"in": [{"var": "payload.v.0.mp"}, {"var": "external.valueSets.vaccines"}]},
}


def test_rules_are_read_and_what_they_look_up_may_be_in_another_list() -> None:
    rules = listed(scheme="hc1", keys=(), rules=(RULE,))
    sets = listed(scheme="hc1", name="sets", keys=(), value_sets={"vaccines": ("EU/1/20/1528",)})
    held = trust(rules, sets).of("hc1")
    assert [rule.identifier for rule in held.rules] == ["VR-XX-0001"]
    assert held.value_sets == {"vaccines": ("EU/1/20/1528",)}
    with pytest.raises(TrustError, match=r"hc1/expo: the rule VR-XX-0001 needs the value set vaccines"):
        trust(rules)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (listed(keys=(key(), key(public="?"))), r"jws/expo: key 2 \(k1\): its public key is not base64"),
        (listed(keys=(key(kid="", public="AAAA"),)), r"jws/expo: key 1 \(no kid\): "),
        (listed(keys=(key("ES256", public=der("P-384")),)), "ES256 needs a key on the curve P-256"),
        (listed(keys=(key("EdDSA", public=der("ES256")),)), "EdDSA needs an Ed25519 key"),
        (
            listed(scheme="hc1", keys=(key("PS256", public=der("short")),)),
            "PS256 needs an RSA key of 2048 to 4096 bits",
        ),
        (listed(keys=(key("ES256", public=der("PS256")),)), "ES256 needs a key on the curve"),
        (listed(keys=(key("PS256"),)), "jws knows EdDSA, ES256, HS256, not PS256"),
        (listed(scheme="pretix", keys=(key(),)), "pretix knows EdDSA, not ES256"),
        (listed(keys=(key("ES256", secret=SECRET),)), "ES256 needs a public key, and no secret"),
        (listed(keys=(key("HS256", secret="AAAA"),)), "HS256 needs a secret of 32 bytes"),
        (listed(keys=(key("HS256", public=der("ES256"), secret=SECRET),)), "HS256 needs a secret .* no public key"),
        (listed(keys=(key(),) * (MOST_OF_A_KID + 1)), "jws: more than 64 keys have the kid k1"),
        (listed(revoked=(MARK, MARK.upper())), "jws/expo: '0123456789ABCDEF.*' names no code .* 32 hex digits"),
        (listed(blocked=(MARK + "\n",)), "jws/expo: .* names no code"),
        (listed(scheme="shc", revoked=(MARK,)), "shc/expo: .* KID/RID"),
        (listed(good_for_s=0), "jws/expo: it is good for 0 s"),
    ],
)
def test_a_wrong_entry_is_named(entry: TrustList, problem: str) -> None:
    with pytest.raises(TrustError, match=problem):
        trust(listed(name="good"), entry)


def test_lists_have_names_of_their_own() -> None:
    with pytest.raises(TrustError, match="two jws lists are called 'expo'"):
        trust(listed(), listed())
    assert trust(listed(), listed(scheme="shc", keys=())).version == 1


@pytest.mark.parametrize("place", ["Expo", "expo/", "expo/north/x", ""])
def test_an_admission_is_for_places_that_can_be(place: str) -> None:
    with pytest.raises(TrustError, match="admission 2, of shc: "):
        trust(admit=(Admission(scheme="jws"), Admission(scheme="shc", places=("expo", place))))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"version":2,"lists":[{"scheme":"jwt","name":"a","issued_at":"2026-11-24T03:00:00Z"}]}',
        b'{"version":2,"lists":[{"scheme":"jws","name":"a","issued_at":"2026-11-24T03:00:00"}]}',
        b'{"version":2,"lists":[{"scheme":"jws","name":"a"}]}',
        b'{"version":2,"lists":[{"scheme":"jws","name":"a","issued_at":"2026-11-24T03:00:00Z","keys":[{"kid":"k"}]}]}',
        b'{"version":2,"admit":[{"scheme":"jws","kind":"king"}]}',
    ],
)
def test_what_no_policy_may_say_is_refused_with_where_it_stands(payload: bytes) -> None:
    with pytest.raises(MessageError, match=r"at `\$\.(lists|admit)\[0\]"):
        decode(Desired, payload)


def test_a_gate_reads_older_policies_and_tolerates_newer_ones(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_bytes(b'{"v":1,"version":3,"keys":[],"revoked":["00ff00ff00ff00ff"],"listed":[]}')
    policy = Policy(tmp_path / "policy.json", SITE_KEY)
    assert (policy.problem, policy.trust.version, policy.trust.others) == ("", 3, {})
    newer = encode(Desired(version=4, lists=(listed(),))).replace(b'"good_for_s"', b'"to_come":7,"good_for_s"')
    assert policy.offer(newer.replace(b'"version"', b'"to_come":[],"version"'))
    assert Policy(tmp_path / "policy.json", SITE_KEY).trust.of("jws").keys.keys() == {"k1"}


def test_one_wrong_entry_leaves_the_policy_in_force(tmp_path: Path) -> None:
    policy = Policy(tmp_path / "policy.json", SITE_KEY)
    assert policy.offer(encode(Desired(version=1, lists=(listed(),))))
    assert not policy.offer(encode(Desired(version=2, lists=(listed(name="new"), listed(keys=(key(public="?"),))))))
    assert "jws/expo: key 1 (k1)" in policy.problem
    assert policy.trust.version == 1
    assert len(policy.trust.of("jws").keys["k1"]) == 1
