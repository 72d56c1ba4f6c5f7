"""Claim + temperature + the entrance's rules -> grant, refer or refuse, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from device.codes import Checked
from device.wire.messages import ClockState, Outcome, Temperature

Mode = Literal["off", "advise", "require"]

# What a guard settles by looking; every other reason refuses.
REFERRED: Final = frozenset(
    {
        "clock_unsure", "temperature_high", "temperature_recheck", "temperature_unknown", "not_kept",
        "stale_trust", "part_missing", "no_answer", "yellow_code",
    }
)  # fmt: skip
TIMED: Final = frozenset(
    {"invalid_time", "screen_expired", "stale_trust", "clock_unsure"}
)  # reasons only a good clock can give


SETTLED: Final[Mapping[str, Outcome]] = MappingProxyType({})  # nothing chosen otherwise


class Verdict(NamedTuple):
    """The outcome, with the reasons that led to it; a grant has none."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()


def judge(
    checked: Checked,
    *,
    clock: ClockState,
    temperature: Temperature,
    mode: Mode,
    rotating_badges: bool = False,
    also: Iterable[str] = (),
    outcomes: Mapping[str, Outcome] = SETTLED,
) -> Verdict:
    """Decide about one person. An unsure clock or thermometer is never taken for a good answer.

    `also` are reasons from outside of the code, and `outcomes` what an entrance has chosen for some reasons.
    """
    reasons = [*_of_code(checked, clock), *also]
    if rotating_badges and checked.claim is not None and checked.claim.kind == "staff" and not checked.claim.rotating:
        reasons.append("badge_static")
    if mode == "require" and temperature not in ("normal", "off"):
        reasons.append(f"temperature_{temperature}")
    return decide(reasons, outcomes)


def decide(reasons: list[str], outcomes: Mapping[str, Outcome] = SETTLED) -> Verdict:
    """Weigh reasons: one that refuses outweighs all that refer."""
    if not reasons:
        return Verdict("grant")
    referred = all(outcomes.get(reason, "refer" if reason in REFERRED else "refuse") == "refer" for reason in reasons)
    return Verdict("refer" if referred else "refuse", tuple(reasons))


def _of_code(checked: Checked, clock: ClockState) -> list[str]:
    reasons = list(checked.reasons)
    timed = checked.claim is not None and checked.claim.not_after is not None
    if clock == "unset" and (timed or TIMED.intersection(reasons)):
        reasons = [reason for reason in reasons if reason not in TIMED] + ["clock_unsure"]
    if checked.claim is not None and checked.claim.kind == "entrance":
        reasons.append("rules")  # the poster at the door admits nobody
    return reasons
