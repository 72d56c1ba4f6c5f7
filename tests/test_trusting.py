"""`menshen trust`: from a file somebody sends to a gate that admits, and back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.keyfile import thumbprint
from controller.store import Store
from device.codes.issuers import mark
from device.codes.trust import Trust
from device.wire.messages import TrustList
from menshen import main
from tests import signer as signing
from tests.signer import Signer
from tests.test_keyfile import jwk, jwks
from tests.test_pretix import payload
from tests.tickets import ED, ISSUED, ISSUER, NOW, card, key, signed, ticket, verify


@pytest.fixture
def office(tmp_path: Path) -> Path:
    (tmp_path / "controller.toml").write_text(f'[store]\npath = "{tmp_path}/controller.db"\n', encoding="utf-8")
    return tmp_path


def run(office: Path, *words: object) -> Result:
    runner = CliRunner(env={"MENSHEN_CONTROLLER": str(office / "controller.toml")})
    return runner.invoke(main, ["trust", *map(str, words)])


def held(office: Path) -> Trust:
    """Return what a gate would hold now."""
    with Store(office / "controller.db") as store:
        return Trust.from_policy(store.desired(), bytes(32))


def file(office: Path, name: str, data: bytes | str) -> Path:
    (office / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return office / name


def test_a_pretix_event_is_believed_and_its_items_admit(office: Path) -> None:
    shown = base64.b64encode(ED.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = ticket(payload(42))
    added = run(office, "add", "pretix", file(office, "key.txt", shown), "--name", "expo-2026", "--issuer", "expo-2026")
    assert added.exit_code == 0, added.output
    assert "1 keys" in added.output
    assert "none of them admits yet" in added.output
    assert verify(text, held(office)).reasons == ("rules",)
    admitted = run(office, "admit", "pretix", "--claim", "item=42", "--claim", "item=43", "--for", "expo/north")
    assert "item = 42 | 43 -> visitor @ expo/north" in admitted.output
    checked = verify(text, held(office))
    assert checked.claim is not None
    assert (checked.reasons, checked.claim.kind, checked.claim.places) == ((), "visitor", ("expo/north",))
    again = run(
        office,
        "add",
        "pretix",
        office / "key.txt",
        "--name",
        "expo-2026",
        "--revoked",
        file(office, "revoked.txt", text),
    )
    assert "1 codes taken back" in again.output
    assert "admits yet" not in again.output
    assert verify(text, held(office)).reasons == ("revoked",)
    assert held(office).of("pretix").revoked == {mark(text.encode())}


def test_health_cards_of_an_issuer(office: Path) -> None:
    keys = file(office, "jwks.json", jwks(jwk("ES256", kid=(name := thumbprint(jwk("ES256"))))))
    assert "--issuer" in run(office, "add", "shc", keys, "--name", "clinic").output
    added = run(
        office, "add", "shc", keys, "--name", "clinic", "--issuer", ISSUER, "--good-for", "7d", "--issued", "2026-09-21"
    )
    assert added.exit_code == 0, added.output
    assert run(office, "admit", "shc").exit_code == 0
    text = card(header={"alg": "ES256", "zip": "DEF", "kid": name})
    assert verify(text, held(office)).reasons == ()
    assert verify(text, held(office), NOW + 8 * 86_400).reasons == ("stale_trust",)
    listed = json.loads(run(office, "list", "--json").output)
    assert [(each.get("name"), each.get("good_for_s"), each.get("number")) for each in listed] == [
        ("clinic", 7 * 86_400, None), (None, None, 1),
    ]  # fmt: skip


def test_claims_may_be_text_numbers_or_truths(office: Path) -> None:
    run(office, "add", "jws", file(office, "jwks.json", jwks(jwk("ES256"))), "--name", "expo")
    run(office, "admit", "jws", "--claim", "level=2", "--claim", "paid=true")
    claims: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"level": 2, "paid": True}, ()), ({"level": "2", "paid": "true"}, ()),
        ({"level": 3, "paid": True}, ("rules",)),
        ({"level": 2}, ("rules",)), ({"level": 2, "paid": 1}, ("rules",)),
    ]  # fmt: skip
    for said, reasons in claims:
        assert verify(signed({"alg": "ES256", "kid": "k1"}, said), held(office)).reasons == reasons


def test_a_secret_is_taken_by_choice_and_never_shown(office: Path) -> None:
    keys = file(office, "jwks.json", jwks(jwk("HS256")))
    refused = run(office, "add", "jws", keys, "--name", "shared")
    assert (refused.exit_code, "--hs256" in refused.output) == (1, True)
    assert run(office, "add", "jws", keys, "--name", "shared", "--hs256").exit_code == 0
    run(office, "admit", "jws")
    assert verify(signed({"alg": "HS256", "kid": "k1"}, {}), held(office)).reasons == ()
    secret = key("HS256").secret
    assert all(secret not in run(office, "list", *form).output for form in ((), ("--json",), ("--csv",)))


def test_a_list_is_replaced_whole_and_removed(office: Path) -> None:
    run(office, "add", "jws", file(office, "one.json", jwks(jwk("ES256"))), "--name", "expo")
    before = held(office)
    run(office, "add", "jws", file(office, "two.json", jwks(jwk("EdDSA", kid="k2"))), "--name", "expo")
    assert set(held(office).of("jws").keys) == {"k2"}
    assert held(office).version > before.version
    run(office, "admit", "jws")
    assert run(office, "remove", "jws", "1").exit_code == 0
    assert run(office, "remove", "jws", "expo").exit_code == 0
    assert held(office).others == {}
    gone = run(office, "remove", "jws", "expo")
    assert (gone.exit_code, "no list or number 'expo'" in gone.output) == (1, True)


RULE: dict[str, Any] = {
    "Identifier": "VR-AT-0001",
    "Type": "Acceptance",
    "Country": "AT",
    "Version": "1.0.0",
    "Engine": "CERTLOGIC",
    "CertificateType": "Vaccination",
    "ValidFrom": "2021-06-01T00:00:00Z",
    "ValidTo": "2030-06-01T00:00:00Z",
    "Logic": {"in": [{"var": "payload.v.0.mp"}, {"var": "external.valueSets.vaccines"}]},
}


def test_what_states_publish_is_believed(office: Path) -> None:
    signer = Signer(None, "vaccination")
    certificate = file(office, "dsc.pem", signer.certificate.public_bytes(Encoding.PEM))
    rule = file(office, "rule.json", json.dumps(RULE))
    sets = file(office, "sets.json", json.dumps({"valueSetId": "vaccines", "valueSetValues": {"EU/1/20/1528": {}}}))
    lacking = run(office, "add", "hc1", certificate, rule, "--name", "eu")
    assert (lacking.exit_code, "VR-AT-0001 needs the value set vaccines" in lacking.output) == (1, True)
    added = run(office, "add", "hc1", certificate, rule, sets, "--name", "eu", "--issued", "2021-07-01")
    assert added.exit_code == 0, added.output
    assert run(office, "admit", "hc1", "--claim", "type=vaccination", "--claim", "dn=2").exit_code == 0
    code, at = signer.code(), signing.NOW
    assert verify(code, held(office), at).reasons == ()
    identifier = file(office, "revoked.txt", signing.VACCINATED["v"][0]["ci"])
    again = run(office, "add", "hc1", certificate, rule, sets, "--name", "eu", "--revoked", identifier)
    assert again.exit_code == 0, again.output
    assert "revoked" in verify(code, held(office), at).reasons
    assert json.loads(run(office, "list", "--json").output)[0]["rules"] == 1


def test_rules_and_their_value_sets_may_be_in_two_lists(office: Path) -> None:
    sets = file(office, "sets.json", json.dumps({"valueSetId": "vaccines", "valueSetValues": {"EU/1/20/1528": {}}}))
    assert run(office, "add", "hc1", sets, "--name", "sets").exit_code == 0
    added = run(office, "add", "hc1", file(office, "rule.json", json.dumps([RULE])), "--name", "rules")
    assert added.exit_code == 0, added.output
    assert len(json.loads(run(office, "list", "--json").output)) == 2
    kept = run(office, "remove", "hc1", "sets")
    assert (kept.exit_code, "VR-AT-0001 needs the value set vaccines" in kept.output) == (1, True)


def test_a_whole_list_keeps_its_age_and_its_rules(office: Path) -> None:
    whole = TrustList(scheme="hc1", name="theirs", issued_at=ISSUED, rules=(RULE,), value_sets={"vaccines": ("b",)})
    added = run(
        office,
        "add",
        "hc1",
        file(office, "list.json", msgspec.json.encode(whole)),
        "--name",
        "ours",
        "--good-for",
        "12h",
    )
    assert added.exit_code == 0, added.output
    with Store(office / "controller.db") as store:
        assert store.trust_lists() == [msgspec.structs.replace(whole, name="ours", good_for_s=43_200)]
    assert "a list of hc1" in run(office, "add", "shc", office / "list.json", "--name", "x", "--issuer", ISSUER).output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("add", "jws", "--name", "expo"), "nothing to believe"),
        (("add", "jws", "nowhere.json", "--name", "expo"), "nowhere.json: No such file"),
        (("add", "jws", "x", "--name", "Expo 1"), "use a-z and 0-9"),
        (("add", "jws", "x", "--name", "expo", "--good-for", "0d"), "no span of time"),
        (("add", "jwt", "x", "--name", "expo"), "'jwt' is not one of"),
        (("admit", "jws", "--claim", "role"), "is not NAME=VALUE"),
        (("admit", "jws", "--for", "Expo"), "admission 1, of jws"),
        (("admit", "pretix", "--kind", "staff"), "only a jws names its holder"),
        (("add", "jws", "--name", "expo", "--revoked", "{file}"), "names no code that was taken back"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix(office: Path, words: tuple[str, ...], problem: str) -> None:
    wrong = str(file(office, "wrong.txt", "nonsense"))
    result = run(office, *(word.replace("{file}", wrong) for word in words))
    assert result.exit_code in (1, 2)
    assert problem in result.output
    with Store(office / "controller.db") as store:
        assert store.version() == 0, "nothing of it may be kept"


def test_the_list_is_for_people_too(office: Path) -> None:
    run(office, "add", "jws", file(office, "jwks.json", jwks(jwk("ES256"))), "--name", "expo", "--good-for", "12h",
        "--issued", "2026-01-01")  # fmt: skip
    run(office, "admit", "jws")
    assert all(
        part in run(office, "list", "--lang", "en").output
        for part in ("expo", "(too old)", "12h", "every genuine code")
    )
    assert "过旧" in run(office, "list", "--lang", "zh").output
