"""The command `menshen entrance`: which entrances are ours, and whose gate may speak for them.

A running controller notices within a second or two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from controller import card, deeds, telling
from controller.config import Config, configured
from controller.database import StoreError
from controller.enrol import claim_command, offer, revoke_command, withdraw
from controller.regions import within
from controller.store import Store
from controller.tables import Form, formed, in_region, known, place, reading, show
from device.wire.messages import Place, Text
from device.wire.plain import harmless
from device.wire.words import Language, say

HEADS: Final[dict[str, Text]] = {
    "entrance": Text("入口", "entrance"),
    "title": Text("名称", "title"),
    "region": Text("区域", "region"),
    "registered": Text("登记", "registered"),
    "online": Text("在线", "online"),
    "staffing": Text("值守", "staffing"),
    "faults": Text("故障", "faults"),
    "policy": Text("策略", "policy"),
}
STATES: Final[dict[str, Text]] = {
    "staffed": Text("有人", "staffed"),
    "grace": Text("暂离", "away for a moment"),
    "unstaffed": Text("无人", "unstaffed"),
    "off_hours": Text("非值守时段", "off hours"),
    "online": Text("在线", "online"),
    "offline": Text("离线", "offline"),
    "never": Text("从未", "never"),
    "no": Text("否", "no"),
    "unknown": Text("未知", "unknown"),
}


@click.group()
def entrance() -> None:
    """Register entrances. 登记入口"""


entrance.add_command(claim_command)
entrance.add_command(revoke_command)
entrance.add_command(card.command)


@contextmanager
def _writing(config: Config) -> Iterator[Store]:
    try:
        store = Store(Path(config.store.path))
        with store:
            yield store
    except StoreError as error:
        raise click.ClickException(str(error)) from error


@entrance.command()
@configured
@click.argument("where", metavar="SITE/ENTRANCE", callback=place)
@click.option("--zh", default="", help="Its name in Chinese. 中文名称")
@click.option("--en", default="", help="Its name in English. 英文名称")
@click.option("--claim", is_flag=True, help="Also a claim code for its gate. 同时生成门机领取码")
@deeds.by
def add(*, config: Config, where: Place, zh: str, en: str, claim: bool, by: str) -> None:
    """Register an entrance, or change its names. 登记入口，或修改名称"""
    with _writing(config) as store:
        store.register(where, harmless(zh), harmless(en), by=by)
    click.echo(f"{where} 已登记 / is registered")
    if claim:
        offer(config, where, by)
    elif config.identity.folder:
        click.echo(f"下一步，给它的门机身份 / next, an identity for its gate: menshen entrance claim {where}")


@entrance.command()
@configured
@click.argument("where", metavar="SITE/ENTRANCE", callback=place)
@deeds.by
def remove(*, config: Config, where: Place, by: str) -> None:
    """Forget an entrance and revoke its gate; its events stay. 注销入口并吊销门机，保留其记录"""
    with _writing(config) as store:
        if not store.unregister(where, by=by):
            raise click.ClickException(f"{where} is not registered; `menshen entrance list` shows what is")
    click.echo(f"{where} 已注销 / is no longer registered")
    if config.identity.folder:
        withdraw(config, where, by)


@entrance.command("list")
@configured
@in_region
@formed
def list_(*, config: Config, region: str, form: Form) -> None:
    """List entrances, registered or heard. 入口列表"""
    with reading(config) as store:
        known(store, region)
        rows = [row for row in store.entrances() if not region or within(row["region"], region)]
    show(form, HEADS, rows, [_cells(row, form.tongue) for row in rows])


def _cells(row: dict[str, Any], tongue: Language) -> list[str]:
    titles = (row["title_zh"], row["title_en"])
    online = "never" if row["online"] is None else "online" if row["online"] else "offline"
    staffing = row["staffing"] if row["online"] and row["staffing"] else "unknown"
    return [
        f"{row['site']}/{row['entrance']}",
        titles[tongue == "en"] or titles[tongue == "zh"],
        row["region"] or "-",
        telling.clock(datetime.fromisoformat(row["registered_at"]))
        if row["registered_at"]
        else say(STATES["no"], tongue),
        say(STATES[online], tongue),
        say(STATES[staffing], tongue),
        str(row["open_faults"] or 0),
        "-" if row["policy_version"] is None else f"{row['policy_version']} {row['policy_problem']}".strip(),
    ]
