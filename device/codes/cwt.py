"""The claims of our passes, each under its number in a CWT (RFC 8392), read and written in one form only."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from device.codes import cose
from device.codes.trust import CTI_BYTES, KEY_BYTES
from device.wire.messages import ID_PATTERN, PassKind, Place

KINDS: Final[dict[int, PassKind]] = {1: "visitor", 2: "staff", 3: "entrance"}
MAX_SUBJECT: Final = 64  # characters
MAX_PLACES: Final = 16
MAX_USES: Final = 10_000
MAX_PEOPLE: Final = 9  # on one code: a guard can still count them
MAX_ID: Final = 32  # characters of a site's or an entrance's id
LAST: Final = 253_402_214_400  # seconds since 1970: the last day of 9999 begins, which every time zone can print

Seconds = Annotated[int, Meta(ge=0, le=LAST)]


class PassError(ValueError):
    """A pass that cannot be made, or text that holds none; says what is wrong."""


class HolderKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public Ed25519 key as a COSE_Key (RFC 9053 section 7.2)."""

    kty: Literal[1] = field(name="1", default=1)
    crv: Literal[6] = field(name="-1", default=6)
    x: Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)] = field(name="-2")


class Confirmation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose key must sign the screen (RFC 8747)."""

    key: HolderKey = field(name="1")


class Pass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an issuer signs. Numbers below -65536 are private; times are in seconds since 1970.

    An unknown claim is refused, as an application of CWT may: it might narrow the pass.
    """

    subject: str = field(name="2")
    audience: str | tuple[str, ...] = field(name="3")
    not_after: Seconds = field(name="4")
    not_before: Seconds = field(name="5")
    id: Annotated[bytes, Meta(min_length=CTI_BYTES, max_length=CTI_BYTES)] = field(name="7")
    holder: Confirmation | None = field(name="8", default=None)
    kind_number: Annotated[int, Meta(ge=min(KINDS), le=max(KINDS))] = field(name="-65537")
    uses: Annotated[int, Meta(ge=0, le=MAX_USES)] = field(name="-65539", default=0)
    people: Annotated[int, Meta(ge=1, le=MAX_PEOPLE)] = field(name="-65540", default=1)

    def __post_init__(self) -> None:
        """Hold what types cannot say; raise PassError."""
        if not (0 < len(self.subject) <= MAX_SUBJECT and self.subject.isprintable()):
            raise PassError(f"the subject {self.subject!r} is not 1 to {MAX_SUBJECT} printable characters")
        if not 0 < len(self.places) <= MAX_PLACES:
            raise PassError(f"a pass is for 1 to {MAX_PLACES} places, not {len(self.places)}")
        for place in self.places:
            _check_place(place)
        if not 0 <= self.not_before < self.not_after <= LAST:
            raise PassError("a pass ends after it begins, between the years 1970 and 9999")

    @property
    def places(self) -> tuple[str, ...]:
        """Where it is good: `site` stands for all entrances of a site."""
        return (self.audience,) if isinstance(self.audience, str) else self.audience

    @property
    def kind(self) -> PassKind:
        """What it is for."""
        return KINDS[self.kind_number]

    def covers(self, place: Place) -> bool:
        """Whether it is good at this entrance."""
        return place.site in self.places or str(place) in self.places


class Screen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a holder signs: the time of this screen, and the pass it shows."""

    at: Seconds = field(name="6")
    issued: bytes = field(name="-65538")


def _check_place(text: str) -> None:
    parts = text.split("/")
    if len(parts) not in (1, 2) or not all(
        re.fullmatch(ID_PATTERN, part) and 1 < len(part) <= MAX_ID for part in parts
    ):
        raise PassError(
            f"{text!r} is neither SITE nor SITE/ENTRANCE: each is 2 to {MAX_ID} of a-z and 0-9, with single hyphens "
            "inside, such as expo or expo/north-gate"
        )


C = TypeVar("C", Pass, Screen)


def load(kind: type[C], payload: bytes) -> C:
    """Read claims; raise PassError or cose.CoseError where they are not exactly what `dump` writes."""
    try:
        claims = msgspec.convert(_named(cose.loads(payload)), kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise PassError(f"the claims are wrong: {error}") from error
    if dump(claims) != payload:
        raise PassError("the claims are not in the one form they may have")
    return claims


def dump(claims: Struct) -> bytes:
    """Write claims in deterministic CBOR."""
    return cose.dumps(_numbered(msgspec.to_builtins(claims, builtin_types=(bytes,))))


def _named(value: Any) -> Any:
    """Turn a CWT's numbers into a struct's field names."""
    if not isinstance(value, dict):
        return value
    if not all(isinstance(key, int) for key in value):
        raise PassError("a claim has a name where it has a number")
    return {str(key): _named(inner) for key, inner in value.items()}


def _numbered(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {int(key): _numbered(inner) for key, inner in value.items()}
