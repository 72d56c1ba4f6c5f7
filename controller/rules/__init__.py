"""One pure function a rule; its name is the alert's kind. It looks at what is true now, not at what just changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from controller.config import RulesSection
from controller.facts import OURS, Facts, Finding
from controller.rules.codes import abnormal_code, passback_conflict, reason_of, repeated_abnormal, temperature_high
from controller.rules.gates import (
    clock_unsure,
    config_drift,
    fire,
    gate_fault,
    gate_offline,
    quarantine,
    silent_entrance,
    stale_trust,
    tamper,
)
from controller.rules.keys import REFUSED, cloned_gate, flooding, unauthorized_client, unknown_entrance
from controller.rules.own import notifier_failed
from controller.rules.surroundings import crowding, poster_foreign, poster_unreadable
from controller.rules.way import (
    UNSCANNED,
    granted_not_passed,
    held_open,
    low_scan_rate,
    over_capacity,
    unscanned_passage,
    unstaffed_entrance,
)

__all__ = ["INHIBITED_BY", "OWN", "REFUSED", "RULES", "UNSCANNED", "findings", "gate_offline", "reason_of"]

RULES: Final[dict[str, Callable[[Facts, RulesSection], Finding | None]]] = {
    rule.__name__: rule
    for rule in (
        abnormal_code, unstaffed_entrance, gate_offline, clock_unsure, unknown_entrance, stale_trust, cloned_gate,
        unauthorized_client, quarantine, fire, tamper,
        crowding, poster_unreadable, poster_foreign, unscanned_passage, held_open, over_capacity, passback_conflict,
        repeated_abnormal, temperature_high, low_scan_rate, granted_not_passed, gate_fault, config_drift,
        silent_entrance, flooding,
    )
}  # fmt: skip

OWN: Final = {rule.__name__: rule for rule in (notifier_failed,)}  # of the controller itself

# While one of the others is open nobody can tell about the first, or it only follows: it is not found, and where it was
# open it ends as unknown, which is not the same as over.
INHIBITED_BY: Final[dict[str, tuple[str, ...]]] = {
    "unstaffed_entrance": ("gate_offline",),
    "clock_unsure": ("gate_offline",),
    "stale_trust": ("gate_offline",),
    "gate_fault": ("gate_offline",),
    "crowding": ("gate_offline",),
    "poster_unreadable": ("gate_offline",),
    "poster_foreign": ("gate_offline",),
    "held_open": ("gate_offline", "fire"),
    "unscanned_passage": ("fire",),
    "config_drift": ("gate_offline",),
    "silent_entrance": ("gate_offline",),
    "low_scan_rate": ("gate_offline", "fire"),  # while it burns everybody is to go through
}


def findings(facts: Facts, rules: RulesSection) -> dict[str, Finding]:
    """Ask every rule about one entrance; return what was found and is not inhibited, by kind."""
    asked = OWN if facts.place.site == OURS else RULES
    found = {kind: finding for kind, rule in asked.items() if (finding := rule(facts, rules)) is not None}
    return {kind: finding for kind, finding in found.items() if not found.keys() & set(INHIBITED_BY.get(kind, ()))}
