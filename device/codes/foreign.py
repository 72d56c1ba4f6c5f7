"""A code that another issuer really signed: whether it is still good, and whether it admits anybody here and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from device.codes.claim import Checked, Claim
from device.codes.issuers import Issuers
from device.wire.messages import Admission, Place, Scheme


class Genuine(NamedTuple):
    """What a scheme read from a code whose signature is right. Times are in seconds since 1970."""

    scheme: Scheme
    identity: bytes
    claims: Mapping[str, object]  # what admissions may ask for
    marks: tuple[str, ...]  # by any of them it may have been taken back
    subject: str = ""
    issued_at: float | None = None
    not_before: int | None = None
    not_after: int | None = None
    audience: tuple[str, ...] | None = None  # whom it is for; None: it does not say


def weigh(found: Genuine, held: Issuers, place: Place | None, now: int, *, skew_s: float) -> Checked:
    """Name all that speaks against it, the gravest first. `place` None leaves the entrance unjudged."""
    admission = held.admission(found.claims)
    if admission and admission.kind == "staff" and not found.subject:
        admission = None  # a guard's badge says whose it is
    claim = Claim(
        identity=found.identity,
        kind=admission.kind if admission else "visitor",
        subject=found.subject,
        not_before=found.not_before,
        not_after=found.not_after,
        places=admission.places if admission else (),
        uses=admission.uses if admission else 0,
    )
    reasons = [*held.taken_back(found.marks, found.issued_at), *_late(found, now, skew_s)]
    if admission is None:
        reasons.append("rules")
    elif place and not (_covers(admission.places, place) and _meant(found.audience, admission, place)):
        reasons.append("wrong_entrance")
    return Checked(found.scheme, found.identity, claim, tuple(reasons))


def _late(found: Genuine, now: int, skew_s: float) -> Iterator[str]:
    early = found.not_before is not None and now < found.not_before - skew_s
    if early or (found.not_after is not None and now >= found.not_after + skew_s):
        yield "invalid_time"


def _covers(places: tuple[str, ...], place: Place) -> bool:
    return not places or place.site in places or str(place) in places


def _meant(audience: tuple[str, ...] | None, admission: Admission, place: Place) -> bool:
    """Tell whether a code that names whom it is for names this entrance, its site, or what the admission asks for."""
    return audience is None or "aud" in admission.claims or place.site in audience or str(place) in audience
