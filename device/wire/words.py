"""What people read, in both languages: outcomes, reasons, faults, commands. One place: every screen says the same."""

from __future__ import annotations

import os
from typing import Final, Literal

from device.wire.messages import Text

Language = Literal["zh", "en"]

OUTCOMES: Final[dict[str, Text]] = {
    "grant": Text("放行", "grant"),
    "refer": Text("转人工", "refer"),
    "refuse": Text("拒绝", "refuse"),
}

SCHEMES: Final[dict[str, Text]] = {
    "pretix": Text("pretix 签名票", "a pretix ticket"),
    "jws": Text("JWT 令牌", "a web token"),
    "shc": Text("SMART 健康卡", "a SMART health card"),
    "hc1": Text("欧盟数字新冠证书", "an EU COVID certificate"),
    "manual": Text("人工放行", "by hand"),
    "upstream": Text("上游验码", "judged upstream"),
}

REASONS: Final[dict[str, Text]] = {
    "invalid": Text("无效码", "not a valid code"),
    "unknown_issuer": Text("签发方未知", "issuer unknown"),
    "revoked": Text("已吊销", "revoked"),
    "blocked": Text("已被签发方冻结", "blocked by its issuer"),
    "invalid_time": Text("不在有效期内", "outside its time"),
    "wrong_entrance": Text("不适用于本入口", "not for this entrance"),
    "screen_expired": Text("画面已过期（疑似截图）", "screen too old, perhaps a screenshot"),
    "badge_static": Text("静态工作码（须出示动态码）", "a badge that can be photographed; show the changing one"),
    "already_redeemed": Text("次数已用完", "used already as often as it admits"),
    "passback": Text("重复入场", "let in already"),
    "capacity": Text("场内人数已满", "the site is full"),
    "rules": Text("按规则不能入场", "the rules do not admit it"),
    "temperature_high": Text("体温偏高", "temperature high"),
    "temperature_recheck": Text("请重新测温", "temperature to be taken again"),
    "temperature_unknown": Text("体温未知", "temperature unknown"),
    "clock_unsure": Text("设备时钟不可靠", "the gate's clock is unsure"),
    "stale_trust": Text("信任列表过旧", "the list of trusted issuers is too old"),
    "part_missing": Text("多张码中的一张，尚缺其余", "one code of several; the others are missing"),
    "yellow_code": Text("黄码", "yellow, says the upstream verifier"),
    "red_code": Text("红码", "red, says the upstream verifier"),
    "no_answer": Text("上游验码无应答", "the upstream verifier did not answer"),
    "unverified": Text("未能向上游核验", "could not be verified upstream"),
    "not_kept": Text("记录无法保存", "the record could not be kept"),
}

# What a guard decided by hand.
BY_HAND: Final[dict[str, Text]] = {
    "referred": Text("转人工后放行", "let in after a look"),
    "overridden": Text("拒绝后人工放行", "let in over a refusal"),
    "without_code": Text("无码登记放行", "let in without a code"),
}

VERBS: Final[dict[str, Text]] = {
    "open": Text("放行一人", "open"),
    "identify": Text("声光定位", "identify"),
}

# Why a command was not obeyed, beside `clock_unsure` and `not_kept`.
COMMANDS: Final[dict[str, Text]] = {
    "not_a_command": Text("不是有效指令", "not a command"),
    "unknown_verb": Text("未知指令", "a command this gate does not know"),
    "not_allowed": Text("本入口未允许此指令", "not allowed at this entrance"),
    "foreign": Text("发给其他入口的指令", "meant for another entrance"),
    "retained": Text("保留消息不执行", "retained on the broker"),
    "late": Text("指令已过期", "too late"),
    "far_ahead": Text("有效期过长，或两端时钟不一致", "good for too long, or the two clocks differ"),
    "repeated": Text("重复指令", "said before"),
    "perhaps_repeated": Text("无法确认是否已执行过，请稍后重发", "perhaps obeyed already; say it again in a moment"),
    "not_moved": Text("部件未动作", "the part did not move"),
    "busy": Text("上一指令刚执行", "another was obeyed a moment ago"),
}

FAULTS: Final[dict[str, Text]] = {
    "camera_lost": Text("摄像头无画面", "no picture from the camera"),
    "camera_black": Text("画面全黑", "the picture is black"),
    "camera_frozen": Text("画面静止", "the picture is frozen"),
    "thermometer_lost": Text("测温仪无响应", "the thermometer does not answer"),
    "thermometer_frozen": Text("测温读数不变", "the thermometer is stuck at one value"),
    "thermometer_drift": Text("测温仪疑似漂移", "the thermometer may have drifted"),
    "held_open": Text("通道被占或门未关", "someone stands in the way, or the door stands open"),
    "beam_blocked": Text("光束被遮挡或损坏", "a beam is blocked or broken"),
    "button_stuck": Text("按钮卡住", "the staff button is stuck"),
    "memory_broken": Text("通行记忆损坏，已重建", "the memory of who went through was broken; it was begun anew"),
    "memory_failed": Text("通行记忆无法写入", "who goes through cannot be remembered"),
    "occupancy_stale": Text("场内人数不是最新", "how many are inside is not known anew"),
    "spool_broken": Text("事件库损坏，已另存并重建", "the spool was broken; it was put aside and begun anew"),
    "spool_failed": Text("事件无法写入磁盘", "events cannot be written to disk"),
    "clock_unset": Text("时钟未校准", "the clock is not set"),
    "clock_jumped": Text("时钟被改动", "the clock was changed"),
    "clock_behind": Text("时钟早于已确认的时间", "the clock stands before a time that has passed"),
    "stale_trust": Text("信任列表过旧", "a list of trusted issuers is too old"),
    "upstream_lost": Text("上游验码无应答", "the upstream verifier does not answer"),
    "fire": Text("消防联动，闸机常开", "fire: the way is held open"),
    "tamper": Text("设备箱被打开", "the enclosure is open"),
    "guardian_lost": Text("闸机守护进程丢失", "the relay's guardian is lost"),
    "poster_unreadable": Text("入口码无法识读", "the entrance's printed code cannot be read"),
    "poster_foreign": Text("出现非本入口的码", "a code that is not this entrance's is where only its own belongs"),
    "screen_lost": Text("访客屏幕程序无响应", "the visitor's screen does not answer"),
    "policy_refused": Text("下发策略被拒绝", "a policy was refused"),
    "certificate_ends": Text("证书即将到期，无法续期", "the certificate ends and cannot be renewed"),
}


def language(asked: str | None = None) -> Language:
    """Return the language asked for, or the one the environment names, or English."""
    if asked in ("zh", "en"):
        return asked  # type: ignore[return-value]
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if spoken.startswith("zh") else "en"


def say(text: Text, tongue: Language) -> str:
    """Return one side of a text."""
    return text.zh if tongue == "zh" else text.en


def reason(name: str, tongue: Language) -> str:
    """Return the words for a reason or fault; an unknown name stands for itself."""
    text = REASONS.get(name) or FAULTS.get(name) or COMMANDS.get(name)
    return say(text, tongue) if text else name
