"""The command `menshen controller doctor`: looks whether the operators' side has all it needs, and names the fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console

from controller import health, line
from controller.authority import AuthorityError
from controller.config import Config, load
from controller.database import StoreError
from controller.installation import Installation
from controller.oidc import checkup
from controller.store import Store
from device.settings import SettingsError
from device.wire.checkup import Finding, both, row, table
from device.wire.messages import Text
from device.wire.words import language, say

WIDE: Final = 120  # columns where there is no terminal to ask
CHECKS: Final[dict[str, Text]] = {
    "config": Text("配置", "configuration"),
    "database": Text("数据库", "database"),
    "disk": Text("磁盘空间", "disk space"),
    "fsync": Text("写盘耗时", "time of a write"),
    "clock": Text("时钟", "clock"),
    "backlog": Text("门机积压", "gates' backlog"),
    "notifiers": Text("通知渠道", "notifiers"),
    "provider": Text("身份提供方", "identity provider"),
    "ledger": Text("身份账本", "ledger"),
    "certificates": Text("证书", "certificates"),
    "broker": Text("消息代理", "broker"),
    "round_trip": Text("消息往返", "a message and back"),
    "roles": Text("代理权限", "roles on the broker"),
    "door": Text("入网端口", "door for new gates"),
}
ALL_WELL: Final = Text("全部正常。", "All is well.")


def examine(path: Path | None) -> Iterator[Finding]:
    """Look at one thing after another, and yield what each is like."""
    try:
        config = load(path)
    except SettingsError as error:
        yield Finding("config", "fail", both(error), Text("按上述说明修改", "change what it names"))
        return
    yield Finding("config", "ok", both(path or "-"))
    yield from _kept(config)
    yield health.clock()
    yield from _spoken(config)


def _kept(config: Config) -> Iterator[Finding]:
    database = Path(config.store.path)
    try:
        store = Store(database, read_only=True)
    except StoreError as error:
        start = Text("启动控制端：menshen controller run", "start it: menshen controller run")
        yield Finding("database", "fail", both(error), start)
    else:
        with store:
            yield health.database(store, database)
            yield health.backlog(store)
    yield health.disk(database.parent)
    yield health.fsync(database.parent)
    yield health.notifiers(config)
    yield checkup.examine(config.web.oidc)


def _spoken(config: Config) -> Iterator[Finding]:
    if not config.identity.folder:
        yield Finding(
            "certificates",
            "warn",
            Text("未启用，任何人可在代理上发言", "there are none: anybody may speak on the broker"),
            Text("menshen controller init", "menshen controller init"),
        )
        yield from line.broker(config.wire)
        return
    try:
        installation = Installation(Path(config.identity.folder))
    except AuthorityError as error:
        yield Finding("ledger", "fail", both(error), Text("见上", "as it says"))
        return
    with installation:
        yield health.ledger(installation, datetime.now(tz=UTC))
        yield health.certificates(installation, datetime.now(tz=UTC))
        reached = list(line.broker(config.wire))
        yield from reached
        if reached[-1].state != "fail":
            yield line.roles(installation)
        yield line.door(installation.doors.enrol)


@click.command("doctor")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The controller's configuration. 配置文件")
@click.option("--json", "as_json", is_flag=True, help="One JSON document. JSON 格式")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def command(*, path: Path | None, as_json: bool, lang: str | None) -> None:
    """Look whether the controller has all it needs; name the fix for what it has not. 控制端自检

    Exits with 0 when nothing fails, with 1 otherwise.
    """
    tongue = language(lang)
    findings = list(examine(path))
    failed = [found for found in findings if found.state == "fail"]
    if as_json:
        click.echo(msgspec.json.encode([row(found, tongue) for found in findings]).decode())
    else:
        console = Console(width=None if sys.stdout.isatty() else WIDE)
        console.print(table(findings, CHECKS, tongue))
        names = ", ".join(say(CHECKS[found.name], tongue) for found in failed)
        bad = say(Text(f"故障 {len(failed)} 项：{names}", f"{len(failed)} failed: {names}"), tongue)
        console.print(bad if failed else say(ALL_WELL, tongue))
    sys.exit(1 if failed else 0)
