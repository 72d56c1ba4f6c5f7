"""A country's rules for EU certificates, as its health authority publishes them in CertLogic: who may come in.

A rule is read once, when a policy brings it, and refused by name where it could never be answered. A rule that has no
answer for a certificate has not admitted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from device.codes import certlogic
from device.codes.certlogic import CertLogicError, Steps
from device.codes.dcc import Usage

Moment = Annotated[datetime, Meta(tz=True)]
EXTERNAL: Final = frozenset({"validationClock", "valueSets", "countryCode", "exp", "iat", "issuerCountryCode", "kid"})


class RuleError(ValueError):
    """A rule that cannot be held; the text names it, and what is wrong with it."""


class Rule(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One rule in the public JSON format. Descriptions and whatever else it has are not kept."""

    identifier: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}\Z")]
    type: Literal["Acceptance", "Invalidation"]
    country: str
    version: Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){0,3}\Z")]
    engine: Literal["CERTLOGIC"]
    certificate_type: Literal["General", "Vaccination", "Test", "Recovery"]
    valid_from: Moment
    valid_to: Moment
    affected_fields: tuple[Annotated[str, Meta(pattern=r"^[a-z0-9.]{1,64}\Z")], ...] = ()
    logic: Any

    def covers(self, usage: Usage, issuer: str, now: datetime) -> bool:
        """Whether it is for this type of certificate, in force, and, where it takes back, of the issuer's country."""
        if self.certificate_type not in ("General", usage.capitalize()):
            return False
        if self.type == "Invalidation" and self.country != issuer:
            return False
        return self.valid_from <= now <= self.valid_to

    @property
    def order(self) -> tuple[int, ...]:
        """Compare versions as numbers."""
        return tuple(int(part) for part in self.version.split("."))


class Facts(NamedTuple):
    """What a rule may ask about a certificate beside what is in it. Times are in seconds since 1970."""

    usage: Usage
    issuer: str
    kid: str  # in base64
    issued_at: float
    expires: float


def load(entry: Mapping[str, Any], value_sets: Iterable[str]) -> Rule:
    """Read a rule; raise RuleError naming it, where it is none or asks for a value set that is not there."""
    name = repr(entry.get("Identifier"))[:64]
    try:
        rule = msgspec.convert(dict(entry), Rule)
        certlogic.check(rule.logic)
    except (msgspec.ValidationError, CertLogicError) as error:
        raise RuleError(f"the rule {name}: {error}") from error
    for path in sorted(certlogic.paths(rule.logic)):
        _check_path(rule, path, value_sets)
    return rule


def _check_path(rule: Rule, path: str, value_sets: Iterable[str]) -> None:
    """Refuse to look up what will never be there: it would be null for every certificate, which some rules like."""
    name = rule.identifier
    root, _, rest = path.partition(".")
    if root == "payload" and rule.affected_fields and rest not in rule.affected_fields:
        raise RuleError(f"the rule {name} looks at {rest}, which its AffectedFields do not name")
    if root != "external":
        return
    what, _, value_set = rest.partition(".")
    if what not in EXTERNAL:
        raise RuleError(f"the rule {name} asks for {path}, which no gate knows")
    if what == "valueSets" and value_set not in value_sets:
        raise RuleError(f"the rule {name} needs the value set {value_set}: import it beside the rule")


def broken(
    rules: Iterable[Rule], value_sets: Mapping[str, tuple[str, ...]], payload: Mapping[str, Any], facts: Facts, now: int
) -> Iterator[str]:
    """Name the rules that do not let this certificate in at `now`, each with the fields it is about."""
    when = datetime.fromtimestamp(now, UTC)
    world = {
        "validationClock": _written(now),
        "valueSets": {name: list(values) for name, values in value_sets.items()},
        "exp": _written(facts.expires),
        "iat": _written(facts.issued_at),
        "issuerCountryCode": facts.issuer,
        "kid": facts.kid,
    }
    steps = Steps()
    for rule in in_force(rules, facts.usage, facts.issuer, when):
        data = {"payload": payload, "external": world | {"countryCode": rule.country}}
        try:
            met = certlogic.evaluate(rule.logic, data, steps) is True
        except CertLogicError:
            met = False
        if not met:
            fields = " ".join(rule.affected_fields)
            yield f"{rule.identifier} ({fields})" if fields else rule.identifier


def in_force(rules: Iterable[Rule], usage: Usage, issuer: str, now: datetime) -> list[Rule]:
    """Return the rules that count for a certificate: of each, the newest version in force."""
    newest: dict[str, Rule] = {}
    for rule in rules:
        if rule.covers(usage, issuer, now):
            held = newest.get(rule.identifier)
            newest[rule.identifier] = rule if held is None or held.order < rule.order else held
    return list(newest.values())


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
