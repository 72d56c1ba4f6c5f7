"""A country's rules: which count for a certificate, which are refused by name, and what they may ask."""

from __future__ import annotations

from typing import Any, Final

import pytest

from device.codes import dccrules
from device.codes.dccrules import Facts, Rule, RuleError
from tests.signer import NOW, RECOVERED, TESTED, VACCINATED

SETS: Final = {"vaccines-covid-19-names": ("EU/1/20/1528",)}
FACTS: Final = Facts("vaccination", "AT", "a2lk", NOW - 86400, NOW + 86400)
NEVER: Final = False  # a rule that lets nobody in


def entry(logic: Any, **more: Any) -> dict[str, Any]:
    said = {
        "Identifier": "VR-AT-0001",
        "Type": "Acceptance",
        "Country": "AT",
        "Version": "1.0.0",
        "SchemaVersion": "1.0.0",
        "Engine": "CERTLOGIC",
        "EngineVersion": "0.7.5",
        "CertificateType": "Vaccination",
        "Description": [{"lang": "en", "desc": "text"}],
        "ValidFrom": "2021-06-01T00:00:00Z",
        "ValidTo": "2030-06-01T00:00:00+02:00",
        "AffectedFields": [],
        "Logic": logic,
    }
    return said | more


def rule(logic: Any = NEVER, **more: Any) -> Rule:
    return dccrules.load(entry(logic, **more), SETS)


def broken(*rules: Rule, payload: dict[str, Any] = VACCINATED, facts: Facts = FACTS) -> list[str]:
    return list(dccrules.broken(rules, SETS, payload, facts, NOW))


def test_a_rule_lets_in_by_being_true() -> None:
    assert broken(rule(True)) == []
    for logic in (False, 1, "yes", {"var": "payload"}, {"var": "payload.none"}, {"+": ["1", 1]}):
        assert broken(rule(logic)) == ["VR-AT-0001"], logic


def test_rules_count_by_type_and_time() -> None:
    general = rule(Identifier="GR-AT-0001", CertificateType="General")
    rules = general, rule(), rule(Identifier="TR-AT-0001", CertificateType="Test")
    assert broken(*rules) == ["GR-AT-0001", "VR-AT-0001"]
    assert broken(*rules, payload=TESTED, facts=FACTS._replace(usage="test")) == ["GR-AT-0001", "TR-AT-0001"]
    assert broken(*rules, payload=RECOVERED, facts=FACTS._replace(usage="recovery")) == ["GR-AT-0001"]
    for bounds in ({"ValidFrom": "2021-07-01T12:00:01Z"}, {"ValidTo": "2021-07-01T11:59:59Z"}):
        assert broken(rule(**bounds)) == []
    assert broken(rule(ValidFrom="2021-07-01T12:00:00Z", ValidTo="2021-07-01T14:00:00+02:00")) == ["VR-AT-0001"]


def test_the_newest_version_in_force_counts() -> None:
    assert broken(rule(Version="1.9.0"), rule(True, Version="1.10.0")) == []
    assert broken(rule(True, Version="1.9.0"), rule(Version="1.10.0")) == ["VR-AT-0001"]
    assert broken(rule(True), rule(Version="2.0.0", ValidFrom="2021-08-01T00:00:00Z")) == []


def test_what_a_country_takes_back_is_only_its_own() -> None:
    back = rule(Identifier="IR-AT-0001", Type="Invalidation", CertificateType="General")
    assert broken(back) == ["IR-AT-0001"]
    assert broken(back, facts=FACTS._replace(issuer="DE")) == []


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("validationClock", "2021-07-01T12:00:00Z"),
        ("iat", "2021-06-30T12:00:00Z"),
        ("exp", "2021-07-02T12:00:00Z"),
        ("issuerCountryCode", "AT"),
        ("countryCode", "AT"),
        ("kid", "a2lk"),
    ],
)
def test_a_rule_may_ask_what_the_gate_knows(what: str, value: str) -> None:
    assert broken(rule({"===": [{"var": f"external.{what}"}, value]})) == []


def test_a_rule_looks_values_up() -> None:
    names = {"var": "external.valueSets.vaccines-covid-19-names"}
    assert broken(rule({"in": [{"var": "payload.v.0.mp"}, names]})) == []
    assert broken(rule({"in": [{"var": "payload.v.0.ma"}, names]})) == ["VR-AT-0001"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"Engine": "JSONLOGIC"}, "'VR-AT-0001': Invalid enum value"),
        ({"CertificateType": "Passport"}, "'VR-AT-0001': Invalid enum value"),
        ({"ValidFrom": "2021-06-01"}, "'VR-AT-0001': Invalid RFC3339"),
        ({"ValidFrom": "2021-06-01T00:00:00"}, "'VR-AT-0001': Expected `datetime` with a timezone"),
        ({"Version": "one"}, "'VR-AT-0001': Expected `str` matching regex"),
        ({"Logic": {"cat": ["a", "b"]}}, "'VR-AT-0001': 'cat' is no operator"),
        ({"Logic": None}, "'VR-AT-0001': an expression is"),
        ({"Logic": {"var": "external.weather"}}, "asks for external.weather, which no gate knows"),
        ({"Logic": {"var": "external.valueSets.x"}}, "needs the value set x: import it beside the rule"),
        ({"Logic": {"var": "payload.v.0.dn"}, "AffectedFields": ["v.0"]}, "looks at v.0.dn, which its AffectedFields"),
        ({"Identifier": "VR\n1"}, r"the rule 'VR\\n1': Expected `str` matching regex"),
        ({"AffectedFields": ["\x1b[0m"]}, "Expected `str` matching regex"),
    ],
)
def test_a_rule_that_cannot_be_held_is_named(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        rule(**{"logic": True} | {"logic" if name == "Logic" else name: value for name, value in wrong.items()})


def test_a_rule_without_its_parts_is_named() -> None:
    whole = entry(True)
    for name in ("Type", "Country", "Version", "Engine", "CertificateType", "ValidFrom", "ValidTo", "Logic"):
        with pytest.raises(RuleError, match=f"'VR-AT-0001': Object missing required field `{name}`"):
            dccrules.load({key: value for key, value in whole.items() if key != name}, SETS)


def test_all_rules_together_have_so_many_steps() -> None:
    slow = {"reduce": [{"var": "payload.x"}, {"+": [{"var": "accumulator"}, 1]}, 0]}
    many = [rule({">": [slow, 1]}, Identifier=f"VR-AT-{number:04}") for number in range(9)]
    assert broken(*many, payload={"x": [0] * 500}) == [f"VR-AT-{number:04}" for number in range(6, 9)]
