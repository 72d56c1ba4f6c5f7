"""Builds the controller from its parts: the only place where concretes meet."""

from __future__ import annotations

import logging
import queue
import signal
import sqlite3
from pathlib import Path

import click

from controller.config import Config, configured
from controller.database import StoreError
from controller.desk import Desk, DeskError
from controller.store import Store
from device.settings import example
from device.wire.link import Link, LinkSaid

log = logging.getLogger(__name__)


class Controller:
    """The link, the store and the desk between them."""

    def __init__(self, config: Config) -> None:
        self.inbox: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
        self.store = Store(Path(config.store.path))
        self.link = Link(config.wire, name="controller", hear=("menshen/#",), put=self.inbox.put)
        self.desk = Desk(store=self.store, rules=config.rules, inbox=self.inbox, say=self.link.say)

    def run(self) -> None:
        """Work until stopped; raise DeskError when the connection's thread died."""
        self.link.start()
        try:
            self.desk.run()
        finally:
            self.link.stop()
            self.store.close()

    def stop(self) -> None:
        """Ask it to end; safe from a signal handler or another thread."""
        self.inbox.put(None)


@click.group()
def controller() -> None:
    """Run the operators' side. 运行控制端"""


@controller.command()
@configured
def run(*, config: Config) -> None:
    """Keep events and raise alerts until stopped. 开始接收事件和告警"""
    try:
        built = Controller(config)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: built.stop())
    try:
        built.run()
    except (DeskError, sqlite3.Error) as error:
        raise click.ClickException(f"{config.store.path}: {error}") from error


@controller.command("settings")
def settings_() -> None:
    """Print every setting with its meaning, range and default. 打印全部设置"""
    click.echo(example(Config), nl=False)
