"""Rules about the gate itself: whether it is there, and works."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from controller.config import RulesSection
from controller.facts import LONGEST_DETAIL, Facts, Finding, fault_since, lost_since
from controller.rules.remedies import ANY, REMEDIES
from device.wire import words
from device.wire.messages import Text
from device.wire.plain import harmless

LONGEST_COMPLAINT: Final = 120  # characters of why a message is in quarantine
# Faults that are an alert of their own.
OWN_ALERT: Final = frozenset(
    {"fire", "tamper", "stale_trust", "clock_unset", "held_open", "beam_blocked", "poster_unreadable", "poster_foreign"}
)
# Without these nobody is admitted, or nothing is recorded.
GRAVE: Final = frozenset({"camera_lost", "camera_black", "spool_failed", "spool_broken", "guardian_lost"})
NAMED: Final = 3  # faults that an alert names; the rest are in `health`


def gate_offline(facts: Facts, rules: RulesSection) -> Finding | None:
    """A gate that should be there is not, so that nobody can tell whether its entrance is staffed."""
    since = lost_since(facts, rules)
    if since is None:
        return None
    if facts.online is None:
        what = Text("已登记的入口设备从未上线，值守情况未知", "registered, but never online; its staffing is unknown")
        return Finding(severity="info", since=since, what=what, next_step=Text("请安装并启动", "install and start it"))
    if facts.offline_reason == "stopped":
        what = Text("入口设备已停止，值守情况未知", "the gate was stopped; its staffing is unknown")
        return Finding(severity="warning", since=since, what=what, next_step=Text("请重新启动", "start it again"))
    return Finding(
        severity="critical",
        since=since,
        what=Text("入口设备失联，值守情况未知", "the gate is offline; its staffing is unknown"),
        next_step=Text(
            "请检查电源和网络；有电时它仍会就地判断，恢复后补传记录",
            "check its power and network; powered, it decides by itself and sends its records later",
        ),
    )


def clock_unsure(facts: Facts, rules: RulesSection) -> Finding | None:
    """The gate says that it does not know the time, and has not found out soon after its start."""
    since = facts.clock_unsure_since
    if since is None or lost_since(facts, rules) is not None:
        return None
    if facts.now - since < timedelta(seconds=rules.clock_grace_s):
        return None
    return Finding(
        severity="warning",
        since=since,
        what=Text(
            "设备时钟不可靠，限时的码转人工核验", "the gate does not know the time; codes with a time go to the guard"
        ),
        next_step=Text(
            "请检查设备与 NTP 的连接及其时钟故障", "check its connection to NTP, and its faults about the clock"
        ),
    )


def stale_trust(facts: Facts, rules: RulesSection) -> Finding | None:
    """A gate holds a list of other issuers that is too old, so that it refers whom it should admit."""
    if facts.stale is None or lost_since(facts, rules) is not None:
        return None
    return Finding(
        severity="warning",
        since=facts.stale.since,
        what=Text(
            f"信任列表过旧，相关码一律转人工：{facts.stale.detail[:LONGEST_DETAIL]}",
            f"trust is too old, so that codes are referred: {facts.stale.detail[:LONGEST_DETAIL]}",
        ),
        next_step=Text("请重新导入：menshen trust add", "import it anew: menshen trust add"),
    )


def quarantine(facts: Facts, rules: RulesSection) -> Finding | None:
    """Messages came that are not ours or cannot be read, and the last of them not long ago. They stop nobody."""
    run = facts.quarantined
    if run is None or facts.now - run.last >= timedelta(seconds=rules.quarantine_hold_s):
        return None
    reason = harmless(run.reason, LONGEST_COMPLAINT)
    messages = "1 message" if run.count == 1 else f"{run.count} messages, the last"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"已隔离无法识别的消息 {run.count} 条，最近一条：{reason}", f"in quarantine, {messages}: {reason}"),
        next_step=Text(
            "请核对该设备的版本与身份；消息开头保存在数据库的 quarantine 表中",
            "see whose device this is and which version it runs; the database's table quarantine has what it said",
        ),
    )


def fire(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001
    """The fire contact is open, and so is the way: true until the gate says otherwise, also while it is offline."""
    since = fault_since(facts, "fire")
    if since is None:
        return None
    return Finding(
        severity="critical",
        since=since,
        what=Text("消防联动，闸机常开，放行不再受控", "fire: the way is held open, and admits everybody"),
        next_step=Text(
            "请按消防预案疏散；如无火情，请检查消防触点及其电缆",
            "clear the building; if there is no fire, look at the fire contact and its cable",
        ),
    )


def tamper(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001
    """The enclosure of the gate is open, or the cable of its contact is cut."""
    since = fault_since(facts, "tamper")
    if since is None:
        return None
    return Finding(
        severity="critical",
        since=since,
        what=Text("设备箱被打开", "the gate's enclosure is open"),
        next_step=Text("请立即派人查看", "send someone to look at once"),
    )


def gate_fault(facts: Facts, rules: RulesSection) -> Finding | None:
    """The gate says that a part of it does not work, and has not mended itself soon."""
    grace = timedelta(seconds=rules.fault_grace_s)
    faults = [each for each in facts.faults if each.fault not in OWN_ALERT and facts.now - each.since >= grace]
    if not faults or lost_since(facts, rules) is not None:
        return None
    faults.sort(key=lambda each: (each.fault not in GRAVE, each.since))
    names = [harmless(each.fault, LONGEST_DETAIL) for each in faults[:NAMED]]
    more = "…" if len(faults) > NAMED else ""
    return Finding(
        severity="critical" if faults[0].fault in GRAVE else "warning",
        since=min(each.since for each in faults),
        count=len(faults),
        what=Text(
            f"设备故障：{'、'.join(words.reason(name, 'zh') for name in names)}{more}",
            f"a fault of the gate: {', '.join(words.reason(name, 'en') for name in names)}{more}",
        ),
        next_step=REMEDIES.get(names[0], ANY),
    )


def config_drift(facts: Facts, rules: RulesSection) -> Finding | None:
    """The gate is there, and for long has not taken the policy that it is to hold."""
    since = facts.behind_since
    if since is None or lost_since(facts, rules) is not None:
        return None
    if facts.now - since < timedelta(seconds=rules.drift_grace_s):
        return None
    why = harmless(facts.behind_why, LONGEST_DETAIL)
    return Finding(
        severity="warning",
        since=since,
        what=Text(
            f"策略未生效，吊销与信任可能不是最新{'：' + why if why else ''}",
            f"an older policy is in force: it may admit what was revoked since{': ' + why if why else ''}",
        ),
        next_step=Text(
            "请检查设备磁盘、版本与故障 policy_refused", "look at the gate's disk, version and fault policy_refused"
        ),
    )


def silent_entrance(facts: Facts, rules: RulesSection) -> Finding | None:
    """The entrance is open and its gate is there, but nothing has happened for long: is it shut, its lens covered?"""
    if not rules.silent_s or facts.staffing not in ("staffed", "grace", "unstaffed") or facts.online is not True:
        return None
    moments = [each for each in (facts.spoke_at, facts.online_since, facts.staffing_since) if each is not None]
    if not moments or lost_since(facts, rules) is not None:
        return None
    since = max(moments)
    if facts.now - since < timedelta(seconds=rules.silent_s):
        return None
    return Finding(
        severity="warning",
        since=since,
        what=Text("开放时段内长时间没有任何事件", "it is open, and nothing has happened for long"),
        next_step=Text(
            "请查看入口是否关闭、镜头是否被挡、人流是否绕行",
            "see whether it is shut, its lens covered, or people go another way",
        ),
    )
