"""What the screen says, in both languages: large, neutral, and with a next step. A new thing to say is a line here."""

from __future__ import annotations

from typing import Any, Final, Literal

from device.shown import Shown, State, Step, Warn
from device.sight import Hint
from device.wire.messages import Outcome, Text
from device.wire.words import Language, say

Kind = Literal["ready", "measure", "grant", "refer", "refuse", "free", "identify", "greeting", "closed"]

TITLES: Final[dict[Kind, Text]] = {
    "ready": Text("请出示您的码", "Please show your code"),
    "measure": Text("请测量体温", "Your temperature, please"),
    "grant": Text("请通行", "Please go in"),
    "refer": Text("请稍候", "One moment, please"),
    "refuse": Text("请留步", "Please wait here"),
    "free": Text("通道已开放，请有序离开", "The way is open, please leave calmly"),
    "identify": Text("本机在此", "Here I am"),
    "greeting": Text("语言已切换", "Language changed"),
    "closed": Text("请稍候", "One moment, please"),
}

STEPS: Final[dict[Step, Text]] = {
    "staff": Text("工作人员将为您核验", "A member of staff will help you"),
    "recheck": Text("请靠近测温处，再测一次", "Please come closer to the thermometer and try again"),
    "refresh": Text("请刷新您的码，再出示一次", "Please refresh your code and show it again"),
    "on_duty": Text("工作人员签到或签退已记录", "Staff check-in or check-out noted"),
}

# What a face says when nothing more is known.
LINES: Final[dict[Kind, Text]] = {
    "ready": Text("正对镜头，距离一掌左右", "Hold it before the lens, a hand's width away"),
    "measure": Text("请靠近测温处", "Please come close to the thermometer"),
    "grant": Text("欢迎光临", "Welcome"),
    "refer": STEPS["staff"],
    "refuse": STEPS["staff"],
    "free": Text("请不要停留", "Please do not stop here"),
    "identify": Text("工作人员正在查找本设备", "A member of staff is looking for this device"),
    "greeting": TITLES["ready"],
    "closed": Text("工作人员将为您服务", "A member of staff will help you"),
}

HINTS: Final[dict[Hint, Text]] = {
    "too_far": Text("请再近一点", "A little closer, please"),
    "too_close": Text("请再远一点", "A little further away, please"),
    "glare": Text("有反光，请倾斜手机", "A reflection: please tilt your phone"),
    "blur": Text("模糊，请对准镜头", "Blurred: please face the lens"),
    "hold_still": Text("请保持不动", "Please hold still"),
    "dark": Text("请调亮屏幕", "Please brighten your screen"),
}

WARNINGS: Final[dict[Warn, Text]] = {
    "distance": Text("请保持一米距离", "Please keep one metre apart"),
    "queue": Text("人多，请排队等候", "It is busy: please queue"),
}

STATES: Final = ("ready", "measure", "free", "identify", "greeting", "closed")  # that are a face by themselves
PART: Final = Text("已读取第{}部分，共{}部分", "Part {} of {} read; please show the next")


def kind(shown: Shown) -> Kind:
    """Return which of the screen's faces this is."""
    faces: dict[State, Kind] = {name: name for name in STATES}
    answers: dict[Outcome | None, Kind] = {"grant": "grant", "refer": "refer", "refuse": "refuse", None: "closed"}
    return faces.get(shown.state) or answers[shown.outcome]


def face(shown: Shown) -> dict[str, Any]:
    """Return what the page needs: the face, the hint's picture, and all words in both languages."""
    which = kind(shown)
    title, lines = TITLES[which], [STEPS[step] for step in shown.steps] or [LINES[which]]
    if shown.hint:  # what would help now says more than what is wanted
        title, lines = HINTS[shown.hint], [title]
    elif shown.part:
        lines = [Text(PART.zh.format(*shown.part), PART.en.format(*shown.part))]
    warnings = [WARNINGS[warning] for warning in shown.warnings]
    return {
        "kind": which,
        "hint": shown.hint or "",
        "zh": _words(title, lines, warnings, "zh"),
        "en": _words(title, lines, warnings, "en"),
    }


def _words(title: Text, lines: list[Text], warnings: list[Text], tongue: Language) -> dict[str, Any]:
    return {
        "title": say(title, tongue),
        "lines": [say(line, tongue) for line in lines],
        "warnings": [say(warning, tongue) for warning in warnings],
    }
