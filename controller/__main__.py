"""Builds the controller from its parts: the only place where concretes meet."""

from __future__ import annotations

import logging
import queue
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import click

from controller import asyncapi, datasette, doctor, readers
from controller.authority import AuthorityError
from controller.config import Config, configured
from controller.database import StoreError
from controller.desk import Desk, DeskError, Told
from controller.homeassistant import HomeAssistant
from controller.installation import Installation, init
from controller.metrics import Meter
from controller.notifiers import Notifiers
from controller.oidc import emulated
from controller.porter import Porter
from controller.sentry import broker, refusals
from controller.store import Store
from controller.turns import Turns
from controller.web.process import Web
from device.settings import SettingsError, example
from device.wire.link import Link, LinkChanged, LinkSaid
from device.wire.systemd import Systemd
from device.wire.threads import Fallen

log = logging.getLogger(__name__)

SWITCH_S = 0.001  # after which one thread lets another in, 5 ms unless set: whoever reads must keep up with the broker


class Outlet(Protocol):
    """What lets people and programs know, beside MQTT; none of it is in the desk's way."""

    @property
    def threads(self) -> list[threading.Thread]:
        """Return those that have to be alive."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


class Controller:
    """The link, the store and the desk between them; where gates have identities, the porter as well."""

    def __init__(self, config: Config) -> None:
        self.inbox: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self.porter = _porter(config, self.inbox.put)
        self.store = Store(Path(config.store.path))
        turns = Turns()
        self.link = Link(config.wire, name="controller", hear=("menshen/#",), put=self._heard, admit=turns.admit)
        self.notifiers = Notifiers(config.notify, Path(config.store.path))
        self.meter = _meter(config, self.notifiers, self.inbox.qsize)
        homeassistant = _homeassistant(config)
        self.outlets: list[Outlet] = [each for each in (self.notifiers, self.meter, homeassistant) if each]
        self.fallen = Fallen()
        self._systemd = Systemd()
        self.desk = Desk(
            store=self.store,
            rules=config.rules,
            alerts=config.alerts,
            inbox=self.inbox,
            say=self.link.say,
            turns=turns,
            failing=self.notifiers.failing,
            watch=self._dead,
            retention_days=config.store.retention_days,
            people=config.people,
            pace=self.meter.pace.note if self.meter else None,
            alive=lambda: self._systemd.say("WATCHDOG=1"),
        )

    def _heard(self, said: LinkSaid) -> None:
        self.inbox.put(said)
        if self.porter and isinstance(said, LinkChanged):
            self.porter.inbox.put(said)

    def _dead(self) -> str:
        beside = [*self.outlets, *([self.porter] if self.porter else [])]
        return self.fallen.among([self.link.thread, *(thread for each in beside for thread in each.threads)])

    def run(self) -> None:
        """Work until stopped; raise DeskError when a thread died."""
        if self.porter:
            self.porter.start()
        self.link.start()
        for each in self.outlets:
            each.start()
        self._systemd.say("READY=1")  # whether or not there is a broker yet
        try:
            self.desk.run()
        finally:
            self._systemd.say("STOPPING=1")
            for each in self.outlets:
                each.stop()
            self.link.stop()
            if self.porter:
                self.porter.stop()
            self.store.close()

    def stop(self) -> None:
        """Ask it to end; safe from a signal handler or another thread."""
        self.inbox.put(None)


def _porter(config: Config, tell: Callable[[Told], None]) -> Porter | None:
    if not config.identity.folder:
        return None
    installation = Installation(Path(config.identity.folder))
    try:
        return Porter(installation, tell, hold_s=config.rules.refused_hold_s, keep_days=config.store.retention_days)
    except OSError:
        installation.close()
        raise


def _meter(config: Config, notifiers: Notifiers, waiting: Callable[[], int]) -> Meter | None:
    if not config.metrics.port:
        return None
    return Meter(Path(config.store.path), port=config.metrics.port, postmen=notifiers.postmen, waiting=waiting)


def _homeassistant(config: Config) -> HomeAssistant | None:
    if not config.homeassistant.enabled:
        return None
    return HomeAssistant(Path(config.store.path), config.wire, config.homeassistant)


@click.group()
def controller() -> None:
    """Run the operators' side. 运行控制端"""


@controller.command()
@configured
def run(*, config: Config) -> None:
    """Keep events and raise alerts until stopped. 开始接收事件和告警"""
    try:
        sys.setswitchinterval(SWITCH_S)
        built = Controller(config)
    except (AuthorityError, StoreError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"a port is taken, of the door for new gates or of [metrics]: {error}; is a controller running?"
        ) from error
    threading.excepthook = built.fallen.hook
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: built.stop())
    web = Web(config) if config.web.enabled else None
    if web:
        web.start()
    try:
        built.run()
    except (DeskError, sqlite3.Error) as error:
        raise click.ClickException(f"{config.store.path}: {error}") from error
    finally:
        if web:
            web.stop()


for each in (
    init,
    broker,
    refusals,
    readers.command,
    asyncapi.command,
    datasette.command,
    doctor.command,
    emulated.command,
):
    controller.add_command(each)


@controller.command("settings")
def settings_() -> None:
    """Print every setting with its meaning, range and default. 打印全部设置"""
    click.echo(example(Config), nl=False)
