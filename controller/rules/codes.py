"""Rules about what was held before the lens, and by whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from controller.config import RulesSection
from controller.facts import LONGEST_REASON, Facts, Finding, held
from device.wire import words
from device.wire.messages import Scan, Text
from device.wire.plain import harmless

# Reasons that say nothing against the code itself. Any other, also one not known here, does.
NOT_THE_CODE: Final = frozenset(
    {
        "temperature_high", "temperature_recheck", "temperature_unknown", "clock_unsure", "not_kept",
        "stale_trust", "part_missing", "no_answer", "unverified", "capacity",
    }
)  # fmt: skip


def reason_of(scan: Scan) -> str | None:
    """Return what was wrong with the code of a scan; None where nothing was."""
    if scan.event_type == "grant":
        return None
    return next((reason for reason in scan.reasons if reason not in NOT_THE_CODE), None)


def abnormal_code(facts: Facts, rules: RulesSection) -> Finding | None:
    """Codes were turned away, and the last of them not long ago."""
    run = facts.abnormal
    if run is None or facts.now - run.last >= timedelta(seconds=rules.abnormal_hold_s):
        return None
    reason = harmless(run.reason, LONGEST_REASON)
    codes = "1 abnormal code" if run.count == 1 else f"{run.count} abnormal codes, the last"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(
            f"异常码 {run.count} 个，最近一个：{words.reason(reason, 'zh')}", f"{codes}: {words.reason(reason, 'en')}"
        ),
        next_step=Text("请现场人员核实持码人", "have the guard speak with whoever shows it"),
    )


def repeated_abnormal(facts: Facts, rules: RulesSection) -> Finding | None:
    """Somebody tries again and again: wrong codes in a row at one entrance, or one wrong code at those of a site."""
    run = facts.repeated
    if run is None or not held(run, facts, rules.repeated_hold_s):
        return None
    reason = harmless(run.reason, LONGEST_REASON)
    return Finding(
        severity="critical",
        since=run.since,
        count=run.count,
        what=Text(
            f"连续 {run.count} 次无效尝试，最近一次：{words.reason(reason, 'zh')}",
            f"{run.count} wrong tries in a row, the last: {words.reason(reason, 'en')}",
        ),
        next_step=Text(
            "请立即派人到场，核实持码人身份", "send someone at once, and find out who it is and what they want"
        ),
    )


def temperature_high(facts: Facts, rules: RulesSection) -> Finding | None:
    """Somebody was measured at or above the line, where temperature is required, not long ago."""
    run = facts.hot
    if run is None or not held(run, facts, rules.temperature_hold_s):
        return None
    people = "1 person" if run.count == 1 else f"{run.count} people"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"体温偏高 {run.count} 人次", f"temperature high: {people}"),
        next_step=Text(
            "请在旁边复测；确认发热时按现场预案处理",
            "measure again, apart from others; if it is a fever, follow your plan",
        ),
    )


def passback_conflict(facts: Facts, rules: RulesSection) -> Finding | None:
    """A code was let in that had been let in already: a gate was offline, and could not know."""
    run = facts.conflict
    if run is None or not held(run, facts, rules.unscanned_hold_s):
        return None
    other = run.reason[:LONGEST_REASON]
    codes = "1 code was" if run.count == 1 else f"{run.count} codes were"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(
            f"{run.count} 个码重复入场：此前已从 {other} 入场",
            f"{codes} let in here and had been let in already, at {other}",
        ),
        next_step=Text(
            "门机离线期间无法互通；请用 menshen events --kind scan 核查",
            "a gate that is offline cannot know; see menshen events --kind scan",
        ),
    )
