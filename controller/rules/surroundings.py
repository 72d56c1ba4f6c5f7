"""Rules about what is around the gate: who waits, and how its poster hangs."""

from __future__ import annotations

from controller.config import RulesSection
from controller.facts import LONGEST_DETAIL, Facts, Finding, lost_since, open_fault
from device.wire.messages import Text


def crowding(facts: Facts, rules: RulesSection) -> Finding | None:
    """The gate estimates that many wait. What an offline gate said last is no longer known to be true."""
    if facts.crowded_since is None or lost_since(facts, rules) is not None:
        return None
    count = "?" if facts.waiting is None else str(facts.waiting)
    return Finding(
        severity="warning",
        since=facts.crowded_since,
        what=Text(f"排队拥挤，估计至少 {count} 人等候", f"crowded: {count} or more wait, by estimate"),
        next_step=Text("请加派人手或加开入口", "send more staff, or open another entrance"),
    )


def poster_unreadable(facts: Facts, rules: RulesSection) -> Finding | None:
    """The entrance's own printed code is worn, covered or gone, or was not held up for the daily check."""
    fault = open_fault(facts, "poster_unreadable")
    if fault is None or lost_since(facts, rules) is not None:
        return None
    detail = fault.detail[:LONGEST_DETAIL]
    return Finding(
        severity="warning",
        since=fault.since,
        what=Text(f"入口码无法识读：{detail}", f"the entrance's printed code cannot be read: {detail}"),
        next_step=Text("请清洁、重新打印或重新张贴入口码", "clean it, print it anew, or hang it up again"),
    )


def poster_foreign(facts: Facts, rules: RulesSection) -> Finding | None:
    """Where only the entrance's own code belongs there is another, perhaps a sticker over it."""
    fault = open_fault(facts, "poster_foreign")
    if fault is None or lost_since(facts, rules) is not None:
        return None
    detail = fault.detail[:LONGEST_DETAIL]
    return Finding(
        severity="critical",
        since=fault.since,
        what=Text(f"出现非本入口的码，可能被贴换：{detail}", f"another code in its place, perhaps a sticker: {detail}"),
        next_step=Text("请立即查看并移除，勿扫描该码", "look at once and take it away; do not scan it"),
    )
