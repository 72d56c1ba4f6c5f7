"""What a code says of itself, and what came of looking at it."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from device.wire.messages import PassKind


class Claim(Struct, frozen=True, kw_only=True):
    """What a code says of itself, once it is known to be genuine."""

    identity: bytes  # names the credential, however often its screen changes; leaves the gate only as a keyed hash
    kind: PassKind
    subject: str
    not_before: int | None = None  # seconds since 1970, UTC; None: no such bound
    not_after: int | None = None
    rotating: bool = False  # its holder's phone signed this screen just now, so it is no photograph
    uses: int = 0  # how often it admits; 0: any number of times
    people: int = 1  # how many may go in on it together
    places: tuple[str, ...] = ()  # `site` or `site/entrance`; none: wherever its list is held


class Checked(NamedTuple):
    """A code after its scheme looked at it: no reasons means it is genuine and good here and now."""

    scheme: str
    identity: bytes  # of the claim where there is one, of the bytes read otherwise
    claim: Claim | None = None
    reasons: tuple[str, ...] = ()
    age: int | None = None  # seconds since the oldest trust it was judged by was issued; None: it does not say
    detail: str = ""  # what the reason `rules` stands for, for whoever keeps the rules: nothing about a person

    @property
    def guard(self) -> str | None:
        """Whose badge this is, where it is a guard's."""
        return self.claim.subject if self.claim and self.claim.kind == "staff" else None

    @property
    def people(self) -> int:
        """How many may go in on it together."""
        return self.claim.people if self.claim else 1
