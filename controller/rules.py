"""One pure function a rule; its name is the alert's kind. It looks at what is true now, not at what just changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from controller.config import RulesSection
from controller.facts import Facts, Finding
from device.wire import words
from device.wire.messages import OpenFault, Scan, Text
from device.wire.plain import harmless

# Reasons that say nothing against the code itself. Any other, also one not known here, does.
NOT_THE_CODE: Final = frozenset(
    {
        "temperature_high", "temperature_recheck", "temperature_unknown", "clock_unsure", "not_kept",
        "stale_trust", "part_missing", "no_answer", "unverified", "capacity",
    }
)  # fmt: skip
LONGEST_REASON: Final = 40  # characters of a reason that no word is known for
LONGEST_DETAIL: Final = 200  # characters of what a gate says of a fault

# What the broker refuses to a name that is, or was, a gate's: see controller/refusals.py.
REFUSED: Final[dict[str, Text]] = {
    "publish": Text("发布到不属于它的主题", "it said something on a topic that is not its own"),
    "subscribe": Text("订阅不属于它的主题", "it wanted to hear a topic that is not its own"),
    "will": Text("遗嘱指向不属于它的主题", "it left a will on a topic that is not its own"),
    "protocol": Text("发送了本系统不会发送的报文", "it sent what no program of ours sends"),
    "revoked": Text("已吊销的门机再次连接", "a gate that was revoked or replaced came back"),
}
UNSCANNED: Final[dict[str, Text]] = {
    "forced": Text("闯入", "with nothing released"),
    "tailgated": Text("尾随", "behind another"),
}
CLONED: Final = 5  # takeovers with no long pause; fewer are a gate that came back before its old connection was missed
LONGEST_COMPLAINT: Final = 120  # characters of why a message is in quarantine


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


def lost_since(facts: Facts, rules: RulesSection) -> datetime | None:
    """Return since when the gate has been offline, once that is longer than the grace time."""
    if facts.online or (facts.registered_at is None and facts.heard_at is None):
        return None
    since = facts.registered_at if facts.online is None else facts.online_since
    if since is None or facts.now - since < timedelta(seconds=rules.offline_grace_s):
        return None
    return since


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


def unknown_entrance(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001 every rule is asked alike
    """An entrance speaks that nobody registered. What it says is kept all the same."""
    if facts.registered_at is not None or facts.heard_at is None:
        return None
    command = f"menshen entrance add {facts.place}"
    return Finding(
        severity="warning",
        since=facts.heard_at,
        what=Text("未登记的入口在发送消息", "an entrance that nobody registered is speaking"),
        next_step=Text(f"如果是自己的入口：{command}", f"if it is one of yours: {command}"),
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


def cloned_gate(facts: Facts, rules: RulesSection) -> Finding | None:
    """Two devices push each other off the broker, again and again: both have the key of this gate."""
    run = facts.takeovers
    if run is None or run.count < CLONED or facts.now - run.last >= timedelta(seconds=rules.refused_hold_s):
        return None
    commands = f"menshen entrance revoke {facts.place}, menshen entrance claim {facts.place}"
    return Finding(
        severity="critical",
        since=run.since,
        count=run.count,
        what=Text("同一门机密钥在两处反复连接，可能已被复制", "two devices connect with the key of this gate"),
        next_step=Text(
            f"请检查门机，吊销后重新入网：{commands}", f"look after the gate, then give it a new key: {commands}"
        ),
    )


def unauthorized_client(facts: Facts, rules: RulesSection) -> Finding | None:
    """Somebody with a key of this entrance, in force or revoked, tries what the broker refuses."""
    run = facts.refused
    if run is None or facts.now - run.last >= timedelta(seconds=rules.refused_hold_s):
        return None
    last = REFUSED.get(run.reason, Text(*2 * (harmless(run.reason, LONGEST_REASON),)))
    times = "once" if run.count == 1 else f"{run.count} times, the last"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"被消息代理拒绝 {run.count} 次，最近一次：{last.zh}", f"refused by the broker {times}: {last.en}"),
        next_step=Text(
            "请查看 menshen controller refusals，并核实持有该密钥的设备",
            "see menshen controller refusals, and find the device that has this key",
        ),
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
    since = _since(facts, "fire")
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
    since = _since(facts, "tamper")
    if since is None:
        return None
    return Finding(
        severity="critical",
        since=since,
        what=Text("设备箱被打开", "the gate's enclosure is open"),
        next_step=Text("请立即派人查看", "send someone to look at once"),
    )


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
    fault = _open(facts, "poster_unreadable")
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
    fault = _open(facts, "poster_foreign")
    if fault is None or lost_since(facts, rules) is not None:
        return None
    detail = fault.detail[:LONGEST_DETAIL]
    return Finding(
        severity="critical",
        since=fault.since,
        what=Text(f"出现非本入口的码，可能被贴换：{detail}", f"another code in its place, perhaps a sticker: {detail}"),
        next_step=Text("请立即查看并移除，勿扫描该码", "look at once and take it away; do not scan it"),
    )


def _open(facts: Facts, name: str) -> OpenFault | None:
    return next((fault for fault in facts.faults if fault.fault == name), None)


def unscanned_passage(facts: Facts, rules: RulesSection) -> Finding | None:
    """People went through with nothing granted, alone or behind another, and the last of them not long ago."""
    run = facts.unscanned
    if run is None or facts.now - run.last >= timedelta(seconds=rules.unscanned_hold_s):
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
    """Somebody or something stands in the way, so that nobody can tell who goes through."""
    since = _since(facts, "held_open") or _since(facts, "beam_blocked")
    if since is None or lost_since(facts, rules) is not None:
        return None
    return Finding(
        severity="warning",
        since=since,
        what=Text("通道被占，无法清点通行人数", "the way is held open: who goes through cannot be counted"),
        next_step=Text("请清开通道，并检查光束", "clear the way, and look at the beams"),
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


def passback_conflict(facts: Facts, rules: RulesSection) -> Finding | None:
    """A code was let in that had been let in already: a gate was offline, and could not know."""
    run = facts.conflict
    if run is None or facts.now - run.last >= timedelta(seconds=rules.unscanned_hold_s):
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


def _since(facts: Facts, name: str) -> datetime | None:
    fault = _open(facts, name)
    return fault.since if fault else None


RULES: Final[dict[str, Callable[[Facts, RulesSection], Finding | None]]] = {
    rule.__name__: rule
    for rule in (
        abnormal_code, unstaffed_entrance, gate_offline, clock_unsure, unknown_entrance, stale_trust, cloned_gate,
        unauthorized_client, quarantine, fire, tamper,
        crowding, poster_unreadable, poster_foreign, unscanned_passage, held_open, over_capacity, passback_conflict,
    )
}  # fmt: skip


def findings(facts: Facts, rules: RulesSection) -> dict[str, Finding]:
    """Ask every rule about one entrance; return what was found, by kind."""
    found = ((kind, rule(facts, rules)) for kind, rule in RULES.items())
    return {kind: finding for kind, finding in found if finding is not None}
