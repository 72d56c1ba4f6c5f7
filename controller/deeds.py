"""What was done, and by whom: entries of the journal as people read them, and the option `--by` of who does it now."""

from __future__ import annotations

import getpass
import os
from datetime import datetime
from typing import Any, Final

import click

from controller import telling
from controller.alarms import LONGEST_NAME, is_name
from controller.rights import TITLES
from device.wire.messages import Text
from device.wire.words import Language, say

CHANGES: Final[dict[str, Text]] = {
    "raised": Text("出现", "raised"),
    "worse": Text("加重", "worse"),
    "milder": Text("减轻", "milder"),
    "acknowledged": Text("受理", "acknowledged"),
    "escalated": Text("升级", "escalated"),
    "resolved": Text("解除", "resolved"),
    "silenced": Text("静音", "silenced"),
    "silence_ended": Text("结束静音", "silence ended"),
    "entrance_added": Text("登记入口", "entrance registered"),
    "entrance_renamed": Text("修改入口名称", "entrance renamed"),
    "entrance_removed": Text("注销入口", "entrance removed"),
    "claim_made": Text("生成门机领取码", "claim code made"),
    "gate_revoked": Text("吊销门机身份", "gate's identity revoked"),
    "region_added": Text("添加区域", "region added"),
    "region_renamed": Text("修改区域名称", "region renamed"),
    "region_removed": Text("删除区域", "region removed"),
    "site_assigned": Text("场所划归区域", "site assigned"),
    "user_added": Text("添加用户", "user added"),
    "user_changed": Text("修改用户", "user changed"),
    "user_removed": Text("删除用户", "user removed"),
    "user_bound": Text("绑定身份提供方", "bound to the identity provider"),
    "user_invited": Text("允许设置新密码", "let set a new password"),
    "password_set": Text("设置密码", "password set"),
    "token_made": Text("生成程序令牌", "program's token made"),
}
HOW: Final[dict[str, Text]] = {
    "over": Text("自行结束", "it was over"),
    "unknown": Text("无法得知", "nobody can tell"),
    "by_hand": Text("人工", "by hand"),
}
EVERYTHING: Final = Text("全部", "everything")
EVERYWHERE: Final = Text("全部入口", "every entrance")
NOWHERE: Final = Text("无区域", "no region")
UNTIL: Final = Text("至", "until")


def change(what: dict[str, Any], tongue: Language) -> str:
    """Return what was done."""
    return telling.named(CHANGES, what.get("change", ""), tongue)


def subject(what: dict[str, Any], tongue: Language) -> str:
    """Return to whom or what it was done."""
    kind = telling.named(telling.ALERTS, what.get("kind", ""), tongue)
    if "alert" in what:
        return f"{what['alert']}: {what['entrance']} {kind}"
    if "silence" in what:
        return scope(what, tongue)
    return str(next((what[name] for name in ("user", "entrance", "site", "region") if name in what), ""))


def scope(silence: dict[str, Any], tongue: Language) -> str:
    """Return what a silence is about."""
    where = "/".join(part for part in (silence["site"], silence["entrance"]) if part) or silence.get("region", "")
    kind = telling.named(telling.ALERTS, silence["kind"], tongue)
    return " ".join(part for part in (where, kind) if part) or say(EVERYTHING, tongue)


def details(what: dict[str, Any], tongue: Language) -> str:
    """Return how, until when, or to what it was changed."""
    if "how" in what:
        return telling.named(HOW, what["how"], tongue)
    if "until" in what:
        return f"{say(UNTIL, tongue)} {telling.clock(datetime.fromisoformat(what['until']))}"
    if "role" in what:
        return f"{telling.named(ROLES, what['role'], tongue)}: {', '.join(what['reach']) or say(EVERYWHERE, tongue)}"
    if "before" in what:
        return " → ".join(what[name] or say(NOWHERE, tongue) for name in ("before", "region"))
    return ""


ROLES: Final[dict[str, Text]] = {role: text for role, text in TITLES.items()}  # noqa: C416 mypy wants it so


def somebody() -> str:
    """Return who runs this command; with sudo, who ran that."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def _signed(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """Refuse a name that the journal could not show."""
    if not is_name(name):
        raise click.BadParameter(f"1 to {LONGEST_NAME} characters that print, such as 'guard 7'")
    return name


by: Final = click.option(
    "--by",
    default=somebody,
    callback=_signed,
    help="Who does it; it is recorded. Otherwise who runs this. 经手人，会记录在案；默认为系统用户",
)
