"""What an EU Digital COVID Certificate says: one vaccination, test or recovery of one person. Pure.

Read as widely as issuers wrote it: times where only dates belong, empty fields, nulls for groups that are not there.
Names are looked at for their form and not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from device.codes.certlogic import CertLogicError, moment

Usage = Literal["vaccination", "test", "recovery"]

DETECTED: Final = "260373001"  # SNOMED CT: the test found what it looked for
BORN: Final = re.compile(r"(?:(?:19|20)[0-9]{2}(?:-[0-9]{2}){0,2}(?:T[0-9:.]+Z?)?)?")
# A date has no zone: its day begins somewhere on Earth 14 hours before it does in UTC, and ends 12 hours after.
DAWN, DUSK = timedelta(hours=14), timedelta(days=1, hours=12)

# The public value set of each coded field.
_EVERY: Final = {"tg": "disease-agent-targeted", "co": "country-2-codes"}
SETS: Final[dict[Usage, dict[str, str]]] = {
    "vaccination": _EVERY
    | {"vp": "sct-vaccines-covid-19", "mp": "vaccines-covid-19-names", "ma": "vaccines-covid-19-auth-holders"},
    "test": _EVERY
    | {
        "tt": "covid-19-lab-test-type",
        "tr": "covid-19-lab-result",
        "ma": "covid-19-lab-test-manufacturer-and-name",
    },
    "recovery": _EVERY,
}

Short = Annotated[str, Meta(max_length=200)]  # the schema has 80, some issuers more
Doses = Annotated[int, Meta(ge=0, le=99)]
MAX_ENTRIES: Final = 8  # the schema has 1 of late; it was any number


class DccError(ValueError):
    """Not a certificate that anybody should be let in by; says what is wrong, and never who it is about."""


class Name(Struct, frozen=True):
    """A person's surname and forename, each as written and in the standard letters of ICAO 9303."""

    fn: Short | None = None
    fnt: Short | None = None
    gn: Short | None = None
    gnt: Short | None = None

    @property
    def standard(self) -> bool:
        """Whether each has its standard form."""
        return bool((self.fnt or not self.fn) and (self.gnt or not self.gn))


class Entry(Struct, frozen=True, kw_only=True):
    """What all three kinds share: the disease, the country, who issued it, and its identifier."""

    tg: Short
    co: Short
    issuer: Short = field(name="is")
    ci: Annotated[str, Meta(min_length=1, max_length=200)]

    def reasons(self, now: datetime) -> Iterator[str]:
        """Name what speaks against it by itself, whatever rules a country has."""
        raise NotImplementedError


class Vaccination(Entry, frozen=True, kw_only=True):
    """A dose of a vaccine."""

    vp: Short
    mp: Short
    ma: Short
    dn: Doses
    sd: Doses
    dt: Short

    def reasons(self, now: datetime) -> Iterator[str]:
        """A dose of the future is none."""
        if now + DAWN < moment(self.dt):
            yield "invalid_time"


class Test(Entry, frozen=True, kw_only=True):
    """A test and its result."""

    __test__ = False  # pytest takes the name for its own

    tt: Short
    tr: Short
    sc: Short
    nm: Short | None = None
    ma: Short | None = None
    tc: Short | None = None

    def reasons(self, now: datetime) -> Iterator[str]:
        """A sample of the future is none, and one that found the virus admits nobody."""
        if self.tr == DETECTED:
            yield "rules"
        if now < moment(self.sc):
            yield "invalid_time"


class Recovery(Entry, frozen=True, kw_only=True):
    """A recovery, and from when until when it counts."""

    fr: Short
    df: Short
    du: Short

    def reasons(self, now: datetime) -> Iterator[str]:
        """It has its own time, beside that of the signature."""
        if now + DAWN < moment(self.df) or now - DUSK >= moment(self.du):
            yield "invalid_time"


class Dcc(Struct, frozen=True, kw_only=True):
    """The certificate. Exactly one of its groups has entries."""

    ver: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$", max_length=20)]
    nam: Name
    dob: Short
    v: Annotated[tuple[Vaccination, ...], Meta(max_length=MAX_ENTRIES)] | None = None
    t: Annotated[tuple[Test, ...], Meta(max_length=MAX_ENTRIES)] | None = None
    r: Annotated[tuple[Recovery, ...], Meta(max_length=MAX_ENTRIES)] | None = None

    def __post_init__(self) -> None:
        """Hold what types cannot say; raise DccError."""
        if sum(1 for group in (self.v, self.t, self.r) if group) != 1:
            raise DccError("a certificate is of one vaccination, one test, or one recovery")

    @property
    def usage(self) -> Usage:
        """What it certifies."""
        return "vaccination" if self.v else "test" if self.t else "recovery"

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What it says, one entry nearly always."""
        return self.v or self.t or self.r or ()

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The UVCI of each entry: it stays the same however often the certificate is printed anew."""
        return tuple(entry.ci for entry in self.entries)

    def check(self, issued_at: float) -> None:
        """Raise DccError where it makes no sense: a name left out, a date that is none, born after it was issued."""
        if not self.nam.standard:
            raise DccError("a name is without its standard form")
        if not BORN.fullmatch(self.dob):
            raise DccError("the date of birth is none between 1900 and 2099")
        born = self.dob.partition("T")[0].replace("-00", "")
        if (_date(issued_at) + DAWN).strftime("%Y-%m-%d")[: len(born)] < born:
            raise DccError("the holder was born after it was issued")
        try:
            tuple(self.reasons(issued_at))
        except CertLogicError as error:
            raise DccError("a date cannot be read") from error

    def reasons(self, now: float) -> Iterator[str]:
        """Name what speaks against it by itself at `now`, each once."""
        found = dict.fromkeys(reason for entry in self.entries for reason in entry.reasons(_date(now)))
        yield from found

    def unlisted(self, value_sets: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
        """Name the fields whose values are not in the public set for them, where that set is held."""
        letter = self.usage[0]
        for number, entry in enumerate(self.entries):
            for name, value_set in SETS[self.usage].items():
                value = getattr(entry, name)
                if isinstance(entry, Test) and name == "ma" and not value:
                    continue  # a laboratory's test is of no maker
                if value_set in value_sets and value not in value_sets[value_set]:
                    yield f"{letter}.{number}.{name}"

    def claims(self, issuer: str) -> dict[str, object]:
        """Say what an admission may ask for, of the first entry: nothing that tells a person from another."""
        first = self.entries[0]
        said: dict[str, object] = {"type": self.usage, "issuer": issuer, "tg": first.tg, "co": first.co}
        if isinstance(first, Vaccination):
            said |= {"mp": first.mp, "dn": first.dn, "sd": first.sd}
        if isinstance(first, Test):
            said |= {"tt": first.tt, "tr": first.tr}
        return said


def load(payload: Any) -> Dcc:
    """Read a certificate out of a signed payload, or out of its JSON; raise DccError where it is none."""
    try:
        return msgspec.convert(payload, Dcc)
    except (msgspec.ValidationError, DccError) as error:
        raise DccError(f"no certificate: {error}") from error


def _date(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)
