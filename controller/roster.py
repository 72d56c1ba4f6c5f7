"""The command `menshen roster`: which guards are expected where and when. The gates are told with their policy."""

from __future__ import annotations

from typing import Final

import click

from controller.config import Config, configured
from controller.passbook import opened
from controller.tables import Form, formed, reading, show
from device.wire.hours import Expected, Interval
from device.wire.messages import MessageError, Place, Text

HEADS: Final[dict[str, Text]] = {
    "id": Text("编号", "id"),
    "who": Text("人员", "who"),
    "place": Text("地点", "place"),
    "days": Text("日期", "days"),
    "from": Text("开始", "from"),
    "to": Text("结束", "to"),
}


@click.group()
def roster() -> None:
    """Say which guards are expected. 排班表"""


@roster.command()
@configured
@click.argument("who")
@click.option("--for", "place", required=True, metavar="SITE[/ENTRANCE]", help="Where. 地点")
@click.option("--days", default="mon-sun", show_default=True, help="As mon-fri or sat,sun. 星期")
@click.option("--from", "start", default="00:00", show_default=True, help="HH:MM by the gate's clock. 开始")
@click.option("--to", "end", default="00:00", show_default=True, help="At or before --from: on the next day. 结束")
def add(*, config: Config, who: str, place: str, days: str, start: str, end: str) -> None:
    """Expect a guard, named as the staff badge names them. 添加排班"""
    try:
        Place.parse(place if "/" in place else f"{place}/any")
        Interval(days, start, end)
    except MessageError as error:
        raise click.UsageError(f"--for: {error}") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with opened(config) as store:
        new = store.expect(Expected(who, place, days, start, end))
    click.echo("已加入排班 / is expected" if new else "早已在排班表上 / is expected already")


@roster.command()
@configured
@click.argument("number", metavar="ID", type=int)
def remove(*, config: Config, number: int) -> None:
    """Expect a guard no longer. 删除排班"""
    with opened(config) as store:
        if not store.expect_no_longer(number):
            raise click.ClickException(f"nothing has the id {number}; `menshen roster list` shows what has which")
    click.echo("已删除 / is no longer expected")


@roster.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List who is expected where and when. 排班列表"""
    with reading(config) as store:
        rows = [
            {"id": str(n), "who": each.who, "place": each.place, "days": each.days, "from": each.start, "to": each.end}
            for n, each in store.roster().items()
        ]
    show(form, HEADS, rows, [list(row.values()) for row in rows])
