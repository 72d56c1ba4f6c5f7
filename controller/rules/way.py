"""Rules about who guards a way, and who goes through."""

from __future__ import annotations

from controller.config import RulesSection
from controller.rules.facts import Facts, Finding, held, lost_since
from device.wire.messages import Text


def unstaffed_entrance(facts: Facts, rules: RulesSection) -> Finding | None:
    """The gate says nobody guards it. What an offline gate said last is no longer known to be true."""
    if facts.staffing != "unstaffed" or facts.staffing_since is None or lost_since(facts, rules) is not None:
        return None
    return Finding(
        severity="warning",
        since=facts.staffing_since,
        what=Text("入口无人值守", "nobody guards the entrance"),
        next_step=Text("请派人到岗并签到", "send a guard, who checks in with badge or button"),
    )


def low_scan_rate(facts: Facts, rules: RulesSection) -> Finding | None:
    """Too many of those who went through within the last hour had scanned nothing."""
    if facts.passages < rules.scan_rate_passages or lost_since(facts, rules) is not None:
        return None
    rate = 1 - facts.unscanned / facts.passages
    if rate >= rules.scan_rate_low:
        return None
    share = int(rate * 100)  # rounded down: 89.9 % is not 90
    return Finding(
        severity="warning",
        since=facts.unscanned_since or facts.now,
        count=facts.unscanned,
        what=Text(
            f"近一小时扫码率 {share} %：{facts.passages} 人次中 {facts.unscanned} 人次未扫码",
            f"scan rate {share} % in the last hour: {facts.unscanned} of {facts.passages} went through unscanned",
        ),
        next_step=Text(
            "请安排人员引导逢进必扫，并检查闸机与光束", "have everybody scan; look at the barrier and the beams"
        ),
    )


def granted_not_passed(facts: Facts, rules: RulesSection) -> Finding | None:
    """Grants on which nobody went through: the barrier is stuck, the beams are blind, or codes are tried for others."""
    run = facts.unused
    if run is None or run.count < rules.unused_grants or not held(run, facts, rules.unused_hold_s):
        return None
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"放行后未通过 {run.count} 次", f"{run.count} were let in and did not go through"),
        next_step=Text("请检查闸机能否打开、光束是否正常", "see whether the barrier opens and the beams see people"),
    )
