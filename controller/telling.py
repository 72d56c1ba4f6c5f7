"""One event or alert as a line people read, in either language; whoever prints it makes it harmless."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from controller import rules
from device.wire import words
from device.wire.messages import Alert, AnyEvent, Commanded, Duty, Fault, Kind, Passage, Scan, Text
from device.wire.words import Language, say

KINDS: Final[dict[Kind, Text]] = {
    "scan": Text("扫码", "scan"),
    "passage": Text("通行", "passage"),
    "duty": Text("值守", "duty"),
    "fault": Text("故障", "fault"),
    "command": Text("指令", "command"),
}
TYPES: Final[dict[str, Text]] = words.OUTCOMES | {
    "passed": Text("已通过", "passed"),
    "not_passed": Text("放行后未通过", "did not go through"),
    "forced": Text("未扫码闯入", "went through unscanned"),
    "tailgated": Text("尾随", "tailgated"),
    "check_in": Text("签到", "checked in"),
    "check_out": Text("签退", "checked out"),
    "handover": Text("交接", "handed over"),
    "missed": Text("未响应查岗", "did not answer the prompt"),
    "unstaffed": Text("无人值守", "unstaffed"),
    "staffed": Text("恢复值守", "staffed again"),
    "raised": Text("出现", "raised"),
    "cleared": Text("消除", "cleared"),
    "obeyed": Text("指令已执行", "command obeyed"),
    "refused": Text("指令未执行", "command refused"),
}
OFF_ROSTER: Final = Text("不在排班表上", "not on the roster")
NOBODYS: Final[dict[str, Text]] = {"unknown": Text("", "")}  # a code of no scheme: the reason says enough
HANDS: Final[dict[str, Text]] = {"button": Text("按钮", "the button")}  # a guard without a badge has no name
DIRECTIONS: Final[dict[str, Text]] = {"in": Text("进", "in"), "out": Text("出", "out")}
PASSES: Final[dict[str, Text]] = {
    "visitor": Text("访客", "visitor"),
    "staff": Text("工作人员", "staff"),
    "entrance": Text("入口码", "entrance code"),
}
ALERTS: Final[dict[str, Text]] = {
    "unscanned_passage": Text("未扫码通行", "unscanned passage"),
    "held_open": Text("通道被占", "way held open"),
    "over_capacity": Text("场内超员", "over capacity"),
    "passback_conflict": Text("重复入场", "let in twice"),
    "abnormal_code": Text("异常码", "abnormal code"),
    "unstaffed_entrance": Text("无人值守", "unstaffed entrance"),
    "gate_offline": Text("设备离线", "gate offline"),
    "clock_unsure": Text("时钟不可靠", "clock unsure"),
    "unknown_entrance": Text("未登记入口", "unknown entrance"),
    "quarantine": Text("隔离消息", "quarantine"),
    "stale_trust": Text("信任列表过旧", "trust too old"),
    "cloned_gate": Text("门机密钥被复制", "cloned gate"),
    "unauthorized_client": Text("未授权的客户端", "unauthorized client"),
    "fire": Text("消防联动", "fire"),
    "tamper": Text("设备箱被打开", "tamper"),
    "crowding": Text("排队拥挤", "crowding"),
    "poster_unreadable": Text("入口码无法识读", "poster unreadable"),
    "poster_foreign": Text("出现非本入口的码", "foreign poster"),
    "repeated_abnormal": Text("连续无效尝试", "repeated abnormal codes"),
    "temperature_high": Text("体温偏高", "temperature high"),
    "low_scan_rate": Text("扫码率偏低", "low scan rate"),
    "granted_not_passed": Text("放行后未通过", "granted, not passed"),
    "gate_fault": Text("设备故障", "gate fault"),
    "config_drift": Text("策略未生效", "policy not in force"),
    "silent_entrance": Text("长时间无事件", "silent entrance"),
    "flooding": Text("消息泛滥", "flooding"),
    "notifier_failed": Text("通知渠道故障", "notifier failed"),
}
REFUSALS: Final[dict[str, Text]] = rules.REFUSED | {
    "twice": Text("同一密钥重复连接", "a second connection with one key"),
    "handshake": Text("无有效证书", "no good certificate"),
}
CLOCKS: Final[dict[str, Text]] = {
    "unset": Text("时钟不可靠", "clock unsure"),
    "mended": Text("时间已校正", "time mended"),
}
STYLES: Final[dict[str, str]] = {
    "grant": "green", "passed": "green", "check_in": "green", "staffed": "green", "cleared": "green",
    "refer": "yellow", "not_passed": "yellow", "check_out": "yellow", "warning": "yellow",
    "handover": "cyan", "missed": "red", "obeyed": "cyan", "refused": "yellow",
    "refuse": "red", "forced": "red", "tailgated": "red", "unstaffed": "red", "raised": "red", "critical": "bold red",
    "info": "cyan",
}  # fmt: skip


def named(names: dict[str, Text], name: str, tongue: Language) -> str:
    """Return the words for a name; one that has none stands for itself."""
    return say(names[name], tongue) if name in names else name


def headline(event: AnyEvent, tongue: Language) -> str:
    """Return what happened, in a word or two."""
    return named(TYPES, event.event_type, tongue)


def details(event: AnyEvent, tongue: Language, *, clock: str | None = None) -> str:
    """Return the rest of it. `clock` is what is known by now of the time it happened."""
    clock = clock or event.clock
    parts = _details(event, tongue)
    if clock in CLOCKS:
        parts.append(say(CLOCKS[clock], tongue))
    return ("，" if tongue == "zh" else ", ").join(part for part in parts if part)


def _details(event: AnyEvent, tongue: Language) -> list[str]:
    match event:
        case Scan():
            kind = named(PASSES, event.kind, tongue) if event.kind else ""
            warmth = "" if event.celsius is None else f"{event.celsius:.1f} °C"
            people = f"×{event.people}" if event.people > 1 else ""
            scheme = named(words.SCHEMES if event.why else NOBODYS, event.scheme, tongue)
            why = [say(words.BY_HAND[event.why], tongue), "/".join(event.by)] if event.why else []
            return [*(words.reason(name, tongue) for name in event.reasons), kind, scheme, *why, people, warmth]
        case Passage():
            people = f"×{event.people}" if event.people > 1 else ""
            return [named(DIRECTIONS, event.direction, tongue) if event.direction in DIRECTIONS else "", people]
        case Duty():
            flag = say(OFF_ROSTER, tongue) if event.off_roster else ""
            who = named(HANDS, event.who, tongue)
            return [f"{event.after} → {who}" if event.after else who, flag]
        case Fault():
            return [words.reason(event.fault, tongue), event.detail]
        case Commanded():
            often = f"×{event.count}" if event.count > 1 else ""
            return [named(words.VERBS, event.verb, tongue), event.by, words.reason(event.reason, tongue), often]


def about(alert: Alert, tongue: Language) -> str:
    """Return what an alert says, and what to do about it."""
    arrow = "。" if tongue == "zh" else "; "
    return f"{say(alert.what, tongue)}{arrow}{say(alert.next_step, tongue)}"


def clock(moment: datetime, *, day: bool = True) -> str:
    """Write a moment in this machine's time; one that no calendar reaches becomes a dash."""
    try:
        return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "-"
