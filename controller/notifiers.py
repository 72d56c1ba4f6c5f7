"""The addresses that alerts go to, and the commands `menshen notify`. Apprise knows how to reach each of them."""

from __future__ import annotations

import hashlib
import logging
import stat
import time
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any, Final
from zoneinfo import ZoneInfo

import apprise
import click
import msgspec

from controller import postman, telling
from controller.config import Config, NotifySection, Route, configured
from controller.facts import OURS
from controller.postman import Postman, Send, Type
from controller.regions import RegionError
from controller.store import Store
from controller.tables import Form, formed, show
from device.settings import SettingsError
from device.wire.messages import Place, Text
from device.wire.words import say

log = logging.getLogger(__name__)

LONGEST_ROUTE: Final = 23  # characters of a route's name, with the other nine as many as an id may have
FOLDER: Final = "notified"  # beside the database
HEADS: Final[dict[str, Text]] = {
    "name": Text("渠道", "notifier"),
    "state": Text("状态", "state"),
    "sent": Text("已送达", "sent"),
    "last_sent": Text("最近送达", "last"),
    "told": Text("未解除", "open there"),
}
STATES: Final[dict[str, Text]] = {
    "well": Text("正常", "well"),
    "unused": Text("未用过", "never used"),
    "failing": Text("无法送达", "failing"),
}
TRIAL: Final = Text("门神测试通知", "menshen: a test")
ARRIVED: Final = Text("收到本条说明通知渠道可用。", "This came through: the notifier works.")


def addresses(route: Route) -> list[Send]:
    """Return the addresses of a route; raise SettingsError naming what to change."""
    path = Path(route.urls)
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise SettingsError(f"{path}: anybody on this machine may read it, and it holds tokens: chmod o= {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"notify.route {route.name}: {path}: {error.strerror}: one Apprise URL a line") from error
    urls = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not urls:
        raise SettingsError(f"{path}: holds no URL; such as mailtos://... or wecombot://..., one a line")
    return [_address(route, path, number, url) for number, url in enumerate(urls, 1)]


def _address(route: Route, path: Path, number: int, url: str) -> Send:
    """Name an address by its route and what only its URL hashes to, so that another URL is another address."""
    notifier = apprise.Apprise()
    if not notifier.add(url):
        raise SettingsError(f"{path}: URL {number} is none that Apprise knows; see https://appriseit.com/services/")

    def carry(title: str, text: str, kind: Type) -> bool:
        return bool(notifier.notify(title=title, body=text, notify_type=apprise.NotifyType(kind), body_format="text"))

    short = route.name[:LONGEST_ROUTE].rstrip("-")  # what is said of it stands under its name, which is a place's
    whose = url if short == route.name else f"{route.name} {url}"
    return Send(f"{short}-{hashlib.sha256(whose.encode()).hexdigest()[:8]}", carry)


def placed(settings: NotifySection, database: Path) -> None:
    """Raise SettingsError for a route of a region that is none: nobody would ever be told by it."""
    with Store(database, read_only=True) as store:
        for route in settings.route:
            try:
                store.known_regions(route.regions)
            except RegionError as error:
                raise SettingsError(f"notify.route {route.name}: regions: {error}") from error


class Notifiers:
    """All of them, each in a thread of its own."""

    def __init__(self, settings: NotifySection, database: Path) -> None:
        """Read the addresses; raise SettingsError where one cannot be used, or a region is none."""
        folder = database.with_name(FOLDER)
        folder.mkdir(mode=0o700, exist_ok=True)
        placed(settings, database)
        self.postmen = [
            Postman(
                route, send, database=database, folder=folder, zone=ZoneInfo(settings.timezone),
            )
            for route in settings.route
            for send in addresses(route)
        ]  # fmt: skip

    @property
    def threads(self) -> list[Thread]:
        """Return those that have to be alive."""
        return [each.thread for each in self.postmen]

    def start(self) -> None:
        """Begin."""
        for each in self.postmen:
            each.start()

    def stop(self) -> None:
        """End, all of them within the time that one has."""
        deadline = time.monotonic() + postman.STOP_S
        for each in self.postmen:
            each.leave()
        for each in self.postmen:
            each.stop(deadline - time.monotonic())

    def failing(self) -> dict[Place, datetime]:
        """Return which of them do not get through, as places of the controller's own site, and since when."""
        found = ((each.name, each.record.failing_since) for each in self.postmen)
        return {Place(OURS, name): since for name, since in found if since}


@click.group("notify")
def notify() -> None:
    """Where alerts go: WeCom, DingTalk, Feishu, e-mail, ntfy and more. 通知渠道"""


@notify.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List the addresses alerts go to, and how each does. 通知渠道列表"""
    folder = Path(config.store.path).with_name(FOLDER)
    rows = [_row(send.name, folder) for route in config.notify.route for send in _checked(route)]
    cells = [
        [
            row["name"], say(STATES[row["state"]], form.tongue), str(row["sent"]),
            telling.clock(datetime.fromisoformat(row["last_sent"])) if row["last_sent"] else "-",
            str(len(row["told"])),
        ]
        for row in rows
    ]  # fmt: skip
    show(form, HEADS, rows, cells)


def _row(name: str, folder: Path) -> dict[str, Any]:
    record = postman.read(folder, name)
    state = "failing" if record.failing_since else "well" if record.sent else "unused"
    return {"name": name, "state": state, **msgspec.to_builtins(record)}


@notify.command("test")
@configured
@click.argument("name", default="")
def test(*, config: Config, name: str) -> None:
    """Send a test to every address, or to those of one route; exit with 1 where one fails. 发送测试通知"""
    chosen = [route for route in config.notify.route if name in ("", route.name)]
    if not chosen:
        known = ", ".join(route.name for route in config.notify.route)
        there = f"no route is called {name!r}: there is {known}" if known else "no route is set"
        raise click.ClickException(f"{there}; see docs/integrations.md")
    failed = False
    for route in chosen:
        for send in _checked(route):
            done = send.carry(say(TRIAL, route.language), say(ARRIVED, route.language), "info")
            failed = failed or not done
            click.echo(f"{send.name}: {'已送达 / sent' if done else '失败 / failed'}")
    click.get_current_context().exit(1 if failed else 0)


def _checked(route: Route) -> list[Send]:
    try:
        return addresses(route)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
