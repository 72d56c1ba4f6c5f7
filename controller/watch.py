"""The command `menshen watch`: what happens at the entrances, live, a line for each event and alert."""

from __future__ import annotations

import queue
import secrets
import time
from datetime import UTC, datetime
from typing import Final, NoReturn

import click
from rich.console import Console
from rich.text import Text as Line

from controller import telling
from controller.config import Config, configured
from controller.digest import is_digest
from controller.journal import TOPIC as JOURNAL
from controller.rules import INHIBITED_BY
from device.wire.link import Heard, Link, LinkChanged, LinkDied, LinkSaid
from device.wire.messages import EVENTS, Alert, AnyEvent, MessageError, Place, Text, decode, parse_topic
from device.wire.plain import harmless
from device.wire.words import Language, language, say

PATIENCE_S: Final = 10.0  # for a broker to answer
ALERT: Final = "alert/"

WORDS: Final[dict[str, Text]] = {
    "open": Text("告警", "ALERT"),
    "over": Text("解除", "resolved"),
    "unknown": Text("不详", "unknown"),
    "cannot_tell": Text("设备离线，无法得知", "the gate is offline, nobody can tell"),
    "lost": Text("连接中断，正在重连", "the connection is lost; trying again"),
    "back": Text("已连接", "connected"),
    "unreadable": Text("无法读懂的消息", "a message nobody can read"),
    "acknowledged": Text("已受理：{who}", "taken on by {who}"),
    "escalated": Text("已升级，无人受理", "escalated, nobody took it on"),
    "silenced": Text("静音至 {until}", "silenced until {until}"),
}


class Lines:
    """Shows what is heard. Coloured in a terminal, plain otherwise."""

    def __init__(self, tongue: Language, *, site: str | None = None, console: Console | None = None) -> None:
        self._tongue = tongue
        self._site = site
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._seen: dict[tuple[Place, str], int] = {}  # the last seq shown of each spool: gates repeat themselves
        self._open: dict[tuple[Place, str], Alert] = {}

    def show(self, heard: Heard) -> None:
        """Show a message, if it is one for people."""
        if heard.topic == JOURNAL or is_digest(heard.topic):
            return
        try:
            place, word = parse_topic(heard.topic)
            if self._site not in (None, place.site):
                return
            if word in EVENTS and not heard.retained:
                self._event(place, decode(EVENTS[word], heard.payload))
            elif word.startswith(ALERT):
                self._alert(place, word.removeprefix(ALERT), heard.payload)
        except MessageError as error:
            self._line(self._now(), heard.topic, say(WORDS["unreadable"], self._tongue), str(error), "dim")

    def note(self, word: str, detail: str = "") -> None:
        """Show something about the watching itself."""
        self._line(self._now(), "-", say(WORDS[word], self._tongue), detail, "dim")

    def _event(self, place: Place, event: AnyEvent) -> None:
        if event.seq <= self._seen.get((place, event.spool), 0):
            return
        self._seen[place, event.spool] = event.seq
        self._line(
            telling.clock(event.at, day=False),
            str(place),
            telling.headline(event, self._tongue),
            telling.details(event, self._tongue),
            telling.STYLES.get(event.event_type, ""),
        )

    def _alert(self, place: Place, kind: str, payload: bytes) -> None:
        name = telling.named(telling.ALERTS, kind, self._tongue)
        if payload:
            alert = decode(Alert, payload)
            if self._open.get((place, kind)) == alert:
                return
            self._open[place, kind] = alert
            head = " ".join([say(WORDS["open"], self._tongue), name, *self._marks(alert)])
            style = "dim" if alert.silenced_until or alert.state == "acknowledged" else telling.STYLES[alert.severity]
            self._line(
                telling.clock(alert.updated, day=False), str(place), head, telling.about(alert, self._tongue), style
            )
        elif self._open.pop((place, kind), None):
            self._over(place, kind, name)

    def _marks(self, alert: Alert) -> list[str]:
        """Return whose an alert is, that it is nobody's and should be, or that nobody wants to be called about it."""
        marks = []
        if alert.state != "raised":
            marks.append(say(WORDS[alert.state], self._tongue).format(who=alert.acknowledged_by))
        if alert.silenced_until:
            until = telling.clock(alert.silenced_until, day=False)
            marks.append(say(WORDS["silenced"], self._tongue).format(until=until))
        return [f"[{mark}]" for mark in marks]

    def _over(self, place: Place, kind: str, name: str) -> None:
        """Show that an alert is no longer open; with its gate offline that is no good news."""
        unknown = any((place, other) in self._open for other in INHIBITED_BY.get(kind, ()))
        word, detail, style = ("unknown", "cannot_tell", "yellow") if unknown else ("over", "", "green")
        text = say(WORDS[detail], self._tongue) if detail else ""
        self._line(self._now(), str(place), f"{say(WORDS[word], self._tongue)} {name}", text, style)

    def _line(self, at: str, place: str, head: str, detail: str, style: str) -> None:
        line = Line.assemble((at, "dim"), "  ", (harmless(place), "bold"), "  ", (harmless(head), style))
        if detail:
            line.append(f"  {harmless(detail)}")
        self._console.print(line)

    @staticmethod
    def _now() -> str:
        return telling.clock(datetime.now(tz=UTC), day=False)


@click.command()
@configured
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
@click.option("--site", help="Only this site. 只看一个场所")
def watch(*, config: Config, lang: str | None, site: str | None) -> None:
    """Follow events and alerts live; Ctrl-C ends it. 实时查看事件和告警，Ctrl-C 结束"""
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = Link(config.wire, name=f"watch-{secrets.token_hex(4)}", hear=("menshen/#",), put=inbox.put)
    link.start()
    try:
        follow(inbox, Lines(language(lang), site=site), f"{config.wire.host}:{config.wire.port}")
    except KeyboardInterrupt:
        pass
    finally:
        link.stop()


def follow(
    inbox: queue.SimpleQueue[LinkSaid], lines: Lines, broker: str, *, patience_s: float = PATIENCE_S
) -> NoReturn:
    """Show what is heard until interrupted; raise ClickException when nobody answers, or the connection died."""
    deadline: float | None = time.monotonic() + patience_s
    while True:
        try:
            said = inbox.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty as error:
            raise click.ClickException(
                f"no MQTT broker lets us listen at {broker} within {patience_s:g} s; see [wire], or start mosquitto"
            ) from error
        match said:
            case LinkChanged(up=True):
                deadline = None
                lines.note("back", broker)
            case LinkChanged(up=False, reason=reason):
                lines.note("lost", reason)
            case LinkDied(reason=reason):
                raise click.ClickException(f"the connection died: {reason}")
            case Heard():
                lines.show(said)
