"""Rules about who guards a way, and who goes through."""

from __future__ import annotations

from typing import Final

from controller.config import RulesSection
from controller.facts import Facts, Finding, fault_since, held, lost_since
from device.wire.messages import Text

UNSCANNED: Final[dict[str, Text]] = {
    "forced": Text("闯入", "with nothing released"),
    "tailgated": Text("尾随", "behind another"),
}


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
    rate = 1 - facts.without_scan / facts.passages
    if rate >= rules.scan_rate_low:
        return None
    share = int(rate * 100)  # rounded down: 89.9 % is not 90
    return Finding(
        severity="warning",
        since=facts.without_scan_since or facts.now,
        count=facts.without_scan,
        what=Text(
            f"近一小时扫码率 {share} %：{facts.passages} 人次中 {facts.without_scan} 人次未扫码",
            f"scan rate {share} % in the last hour: {facts.without_scan} of {facts.passages} went through unscanned",
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


def unscanned_passage(facts: Facts, rules: RulesSection) -> Finding | None:
    """People went through with nothing granted, alone or behind another, and the last of them not long ago."""
    run = facts.unscanned
    if run is None or not held(run, facts, rules.unscanned_hold_s):
        return None
    last = UNSCANNED.get(run.reason, UNSCANNED["forced"])
    people = "1 person" if run.count == 1 else f"{run.count} people, the last"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"未扫码通行 {run.count} 人，最近一人：{last.zh}", f"unscanned, {people}: {last.en}"),
        next_step=Text("请现场人员拦查补扫", "have the guard bring whoever it was back to scan"),
    )


def held_open(facts: Facts, rules: RulesSection) -> Finding | None:
    """Somebody or something stands in the way, or the door stands open: nobody can tell who goes through."""
    since = fault_since(facts, "held_open") or fault_since(facts, "beam_blocked")
    if since is None or lost_since(facts, rules) is not None:
        return None
    return Finding(
        severity="warning",
        since=since,
        what=Text("通道被占或门未关，无法清点通行人数", "the way is held open: who goes through cannot be counted"),
        next_step=Text(
            "请清开通道、关好门，并检查光束与门磁", "clear the way, shut the door; look at beams and door contact"
        ),
    )


def over_capacity(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001
    """More are inside the site than may be; said at each of its entrances."""
    if facts.over_since is None:
        return None
    return Finding(
        severity="warning",
        since=facts.over_since,
        count=facts.inside,
        what=Text(
            f"场内 {facts.inside} 人，超过上限 {facts.capacity} 人",
            f"{facts.inside} people are inside, and {facts.capacity} may be",
        ),
        next_step=Text("请暂停入场并疏导离场", "let nobody in for now, and help people leave"),
    )
