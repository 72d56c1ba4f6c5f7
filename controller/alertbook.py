"""The commands `menshen alerts` and `menshen journal`: what is open and was, what people do about it, and who did it.

They write to the same database as a running controller, which notices within a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from controller import deeds, telling
from controller.alarms import AlertError
from controller.config import Config, configured
from controller.database import StoreError
from controller.journal import Head, broken
from controller.regions import RegionError
from controller.store import Store
from controller.tables import UNITS, Form, formed, in_region, known, place, reading, show
from device.wire.messages import Place, Text
from device.wire.plain import harmless
from device.wire.words import Language, language, say

HEADS: Final[dict[str, Text]] = {
    "id": Text("编号", "id"),
    "since": Text("开始", "since"),
    "until": Text("结束", "until"),
    "entrance": Text("入口", "entrance"),
    "kind": Text("种类", "kind"),
    "severity": Text("级别", "severity"),
    "count": Text("次数", "count"),
    "who": Text("经手人", "who"),
    "what": Text("事项", "what"),
}
SILENCES: Final[dict[str, Text]] = {
    "id": Text("编号", "id"),
    "about": Text("范围", "about"),
    "until": Text("截止", "until"),
    "by": Text("设置人", "by"),
    "reason": Text("原因", "reason"),
}
JOURNAL: Final[dict[str, Text]] = {
    "seq": Text("序号", "seq"),
    "at": Text("时间", "time"),
    "who": Text("经手人", "who"),
    "change": Text("变化", "change"),
    "about": Text("对象", "about"),
    "details": Text("详情", "details"),
}
WORDS: Final[dict[str, Text]] = {
    "open": Text("未解除", "open"),
    "escalated": Text("已升级：无人处理", "escalated: nobody took it on"),
    "unknown": Text("不详", "unknown"),
    "by_hand": Text("人工解除", "by hand"),
    "itself": Text("系统", "menshen"),
    "whole": Text("日志完整", "the journal is whole"),
}
LONG: Final = {**UNITS, "w": "weeks"}


class Listing(click.Group):
    """A group that lists where no other word of it is said: `menshen alerts --open`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before what is meant for it."""
        return super().parse_args(
            ctx, args if args and args[0] in {*self.commands, "-h", "--help"} else ["list", *args]
        )


@contextmanager
def acting(config: Config) -> Iterator[Store]:
    """Open the store to change it; say what is wrong where that fails."""
    try:
        with Store(Path(config.store.path)) as store:
            yield store
    except (AlertError, RegionError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _length(_context: click.Context, _option: click.Parameter, text: str) -> timedelta:
    """Read `90m`, `2h`, `3d`."""
    found = re.fullmatch(r"(\d{1,4})([smhdw])", text)
    if not found:
        raise click.BadParameter(f"{text!r} is no length of time; write 90m, 2h or 3d")
    return timedelta(**{LONG[found[2]]: int(found[1])})


def _head(_context: click.Context, _option: click.Parameter, text: str | None) -> Head | None:
    """Read SEQ:HASH."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if not found:
        raise click.BadParameter("write SEQ:HASH, as `menshen journal verify` prints it")
    return Head(seq=int(found[1]), hash=found[2])


by: Final = click.option("--by", required=True, help="Who does it; it is recorded. 经手人，会记录在案")
note: Final = click.option("--note", default="", help="For whoever reads it later. 备注")


@click.group(cls=Listing)
def alerts() -> None:
    """List alerts, take them on, resolve or silence them. 告警列表与处理"""


@alerts.command("list")
@configured
@click.option("--entrance", callback=place, metavar="SITE/ENTRANCE", help="Only this entrance. 只看一个入口")
@in_region
@click.option("--kind", type=click.Choice(tuple(telling.ALERTS)), help="Only this kind. 种类")
@click.option("--open", "only_open", is_flag=True, help="Only those that are open now. 只看未解除的")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many. 条数")
@formed
def list_(
    *, config: Config, entrance: Place | None, region: str, kind: str | None, only_open: bool, limit: int, form: Form
) -> None:
    """List alerts, the newest first; without any word, too. 告警列表"""
    with reading(config) as store:
        rows = store.alerts(place=entrance, kind=kind, only_open=only_open, limit=limit, region=known(store, region))
    show(form, HEADS, rows, [_alert(row, form.tongue) for row in rows])


def _alert(row: dict[str, Any], tongue: Language) -> list[str]:
    until = say(WORDS["open"], tongue) if row["state"] == "open" else _when(row["resolved_at"])
    if row["resolution"] in ("unknown", "by_hand"):
        until += f" ({say(WORDS[row['resolution']], tongue)})"
    who = row["resolved_by"] or row["acknowledged_by"]
    if row["escalated_at"] and not who:
        who = say(WORDS["escalated"], tongue)
    what = row["what_zh"] if tongue == "zh" else row["what_en"]
    return [
        str(row["id"]),
        _when(row["since"]),
        until,
        f"{row['site']}/{row['entrance']}",
        telling.named(telling.ALERTS, row["kind"], tongue),
        row["severity"],
        str(row["count"]),
        who,
        f"{what} ({row['note']})" if row["note"] else what,
    ]


@alerts.command()
@configured
@click.argument("number", metavar="ID", type=int)
@by
@note
def ack(*, config: Config, number: int, by: str, note: str) -> None:
    """Take an alert on, so that everybody knows whose it is. 受理告警"""
    with acting(config) as store:
        store.acknowledge(number, by, note)


@alerts.command()
@configured
@click.argument("number", metavar="ID", type=int)
@by
@note
def resolve(*, config: Config, number: int, by: str, note: str) -> None:
    """End an alert by hand. 人工解除告警"""
    with acting(config) as store:
        store.resolve(number, by, note)


@alerts.group()
def silence() -> None:
    """Let nobody be called about some alerts for a while. 静音"""


@silence.command()
@configured
@by
@click.option("--reason", required=True, help="Why. 原因")
@click.option("--for", "length", required=True, callback=_length, metavar="LENGTH", help="How long: 90m, 2h, 3d. 时长")
@click.option("--kind", type=click.Choice(tuple(telling.ALERTS)), default=None, help="Only this kind. 种类")
@in_region
@click.option("--site", default=None, help="Only this site. 场所")
@click.option("--entrance", callback=place, metavar="SITE/ENTRANCE", help="Only this entrance. 入口")
def add(
    *, config: Config, by: str, reason: str, length: timedelta, kind: str | None, region: str, site: str | None,
    entrance: Place | None,
) -> None:  # fmt: skip
    """Silence a kind, a region, a site or an entrance; what is said together must be true together. 添加静音"""
    if site and entrance:
        raise click.UsageError("--site or --entrance, not both")
    where = entrance or Place(site or "", "")
    until = datetime.now(tz=UTC) + length
    with acting(config) as store:
        number = store.silence(
            by, reason, until, kind=kind or "", site=where.site, entrance=where.entrance, region=region
        )
    click.echo(f"{number} {telling.clock(until)}")


@silence.command("list")
@configured
@click.option("--all", "every", is_flag=True, help="Also those that are over. 包括已结束的")
@formed
def list_silences(*, config: Config, every: bool, form: Form) -> None:
    """List silences, the newest first. 静音列表"""
    with reading(config) as store:
        rows = store.silences(None if every else datetime.now(tz=UTC))
    show(form, SILENCES, rows, [
        [str(row["id"]), deeds.scope(row, form.tongue), _when(row["until"]), row["by"], row["reason"]] for row in rows
    ])  # fmt: skip


@silence.command()
@configured
@click.argument("number", metavar="ID", type=int)
@by
def end(*, config: Config, number: int, by: str) -> None:
    """End a silence before its time. 取消静音"""
    with acting(config) as store:
        store.end_silence(number, by)


@click.group()
def journal() -> None:
    """Read and check what was done about alerts, entrances, regions and users. 操作日志"""


@journal.command("list")
@configured
@click.option("--before", type=click.IntRange(min=1), help="Go on from this entry to older ones. 更早的记录")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many. 条数")
@formed
def entries(*, config: Config, before: int | None, limit: int, form: Form) -> None:
    """List entries, the newest first. 日志列表"""
    with reading(config) as store:
        rows = store.journal_entries(limit=limit, before=before)
    show(form, JOURNAL, rows, [_entry(row, form.tongue) for row in rows])


def _entry(row: dict[str, Any], tongue: Language) -> list[str]:
    what = row["what"]
    told = (deeds.change(what, tongue), deeds.subject(what, tongue), deeds.details(what, tongue))
    return [str(row["seq"]), _when(row["at"]), row["who"] or say(WORDS["itself"], tongue), *told]


@journal.command()
@configured
@click.option("--head", callback=_head, metavar="SEQ:HASH", help="Where it ended at some earlier time. 早先的末条")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def verify(*, config: Config, head: Head | None, lang: str | None) -> None:
    """Check that nothing was changed, taken out or cut off; print where it ends. 校验日志

    Without --head a journal whose end was cut off looks whole: keep heads elsewhere. menshen/journal says each.
    """
    with reading(config) as store:
        problem, ends = broken(store.journal(), head), store.journal_head()
    if problem:
        raise click.ClickException(harmless(problem))
    click.echo(f"{say(WORDS['whole'], language(lang))}: {ends.seq}:{ends.hash}")


def _when(text: str) -> str:
    return telling.clock(datetime.fromisoformat(text))
