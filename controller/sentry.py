"""Runs mosquitto, reads what it says, and notes in the book who was refused; and the command that lists them.

It reads from a pipe, so that the debug log, mosquitto's only word on refusals, wears out no disk. What is noted is
gathered for a second: whoever is refused a thousand times costs one row and one write.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import click

from controller import telling
from controller.authority import CONTROLLER
from controller.broker import BrokerError, find
from controller.config import Config, configured
from controller.installation import opened
from controller.ledger import Ledger, Noted
from controller.refusals import Kind, Reader, worth_keeping
from controller.tables import Form, formed, show
from device.wire.messages import Text
from device.wire.words import Language

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
HEADS: Final[dict[str, Text]] = {
    "kind": Text("种类", "kind"),
    "who": Text("谁", "who"),
    "what": Text("内容", "what"),
    "since": Text("开始", "since"),
    "last": Text("最近", "last"),
    "times": Text("次数", "times"),
}


class Sentry:
    """Reads the log of one mosquitto. `read` waits for nothing, since mosquitto would wait as well."""

    def __init__(self, ledger: Ledger, *, pause_s: float = 600, now: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._pause_s = pause_s
        self._now = now
        self._reader = Reader()
        self._noted: dict[tuple[Kind, str], Noted] = {}
        self._turn = threading.Lock()

    def read(self, line: str) -> None:
        """Take one line of the log."""
        for kind, who, what in self._reader.read(line):
            at = int(self._now())
            with self._turn:
                before = self._noted.get((kind, who), Noted(kind, who, what, at, at, 0))
                self._noted[kind, who] = before._replace(what=what, last_at=at, times=before.times + 1)

    def write(self) -> None:
        """Put what was gathered into the book; of those that merely connected, those whose name is not in force."""
        with self._turn:
            noted, self._noted = self._noted, {}
        if noted:
            welcome = {CONTROLLER, *self._ledger.names(), *(reader.client for reader in self._ledger.readers())}
            refused = [each for each in noted.values() if each.kind != "connected" or each.who not in welcome]
            self._ledger.refused(
                [each._replace(kind="revoked") if each.kind == "connected" else each for each in refused],
                pause_s=self._pause_s,
            )


@click.command()
@configured
def broker(*, config: Config) -> None:
    """Run the hardened mosquitto until stopped, and note who is refused. 运行加固的 mosquitto"""
    with opened(config) as installation:
        sentry, over = Sentry(installation.ledger, pause_s=config.rules.refused_hold_s), threading.Event()
        try:
            process = subprocess.Popen(
                [find(), "-c", str(installation.prepare())], stderr=subprocess.PIPE, text=True, errors="replace"
            )
        except BrokerError as error:
            raise click.ClickException(str(error)) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: process.terminate())
        writer = threading.Thread(target=_write, args=(sentry, over), name="sentry")
        writer.start()
        try:
            for line in process.stderr or ():
                sentry.read(line)
                if worth_keeping(line):
                    click.echo(line, err=True, nl=False)
        finally:
            process.terminate()  # it would go on unwatched where nobody takes our own words any more
            over.set()
            writer.join()
    sys.exit(process.wait())


def _write(sentry: Sentry, over: threading.Event) -> None:
    while not over.wait(EVERY_S):
        try:
            sentry.write()
        except sqlite3.Error as error:
            log.error("refusals of the last second are lost: %s", error)  # noqa: TRY400 the broker goes on
    sentry.write()


@click.command()
@configured
@formed
def refusals(*, config: Config, form: Form) -> None:
    """List what the broker refused, the newest first, strangers as well. 被拒绝的连接和消息"""
    with opened(config) as installation:
        noted = installation.ledger.refusals()
    show(form, HEADS, [each._asdict() for each in noted], [_cells(each, form.tongue) for each in noted])


def _cells(noted: Noted, tongue: Language) -> list[str]:
    first, last = (telling.clock(datetime.fromtimestamp(at, tz=UTC)) for at in (noted.first_at, noted.last_at))
    return [telling.named(telling.REFUSALS, noted.kind, tongue), noted.who, noted.what, first, last, str(noted.times)]
