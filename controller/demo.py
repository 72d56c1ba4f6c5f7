"""Everything at work on one machine: a real mosquitto, the controller, two emulated gates, and people who walk up.

The gates have identities of a throw-away authority, which they come by as any new gate does.

People are pictures: each gate's emulated camera draws the code somebody holds up, and the real decoder reads it. What
should happen is written beside each act; what did happen is heard on MQTT. Nothing is left behind.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import secrets
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from controller import cast
from controller.accounts import Accounts
from controller.authority import AuthorityError
from controller.broker import BrokerError, free_port
from controller.cast import Act, Expected, Programme
from controller.config import Config
from controller.doors import HERE, Doors
from controller.enrol import Registrar
from controller.installation import Installation
from controller.rights import Person
from controller.troupe import PATIENCE_S, Troupe, TroupeError, end_in_order
from controller.watch import Lines
from device import settings
from device.wire.link import Heard, Link, LinkSaid, Wire
from device.wire.messages import MessageError, Place, Text, parse_topic
from device.wire.words import Language, language, say

VISITOR: Final = "demo"  # who may sign in at its board
INVITATION: Final = Text("Ctrl-C 结束演示。看板、姓名、密码：", "Ctrl-C ends it. The board, a name, a password: ")
READING_S: Final = 0.8  # between acts, for people who read along


class Audience:
    """Hears everything on the broker, prints what people care about, and remembers it."""

    def __init__(self, wire: Wire, tongue: Language) -> None:
        self._inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
        self._lines = Lines(tongue)
        self._link = Link(wire, name="demo-audience", hear=("menshen/#",), put=self._inbox.put)

    def start(self) -> None:
        """Begin to listen."""
        self._link.start()

    def until(self, deadline: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield `(site/entrance/word, payload)` as things are heard, until the deadline."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                said = self._inbox.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(said, Heard):
                self._lines.show(said)
                yield from _read(said)

    def listen(self, seconds: float) -> None:
        """Show what is heard for so long."""
        for _ in self.until(time.monotonic() + seconds):
            pass

    def stop(self) -> None:
        """Leave."""
        self._link.stop()


def _read(heard: Heard) -> Iterator[tuple[str, dict[str, Any]]]:
    with contextlib.suppress(MessageError, msgspec.DecodeError):
        place, word = parse_topic(heard.topic)
        yield f"{place.entrance}/{word}", msgspec.json.decode(heard.payload or b"{}", type=dict[str, Any])


class Play:
    """The acts, one after the other, until the time is over."""

    def __init__(self, stage: Troupe, audience: Audience, tongue: Language) -> None:
        self._stage = stage
        self._audience = audience
        self._tongue = tongue
        self.done = 0
        self.missed: list[str] = []

    def run(self, programme: Programme, over: float) -> None:
        """Play the opening once and the round again and again; stop between acts when the time is over."""
        acts: Iterable[Act] = itertools.chain(programme.opening, itertools.cycle(programme.round))
        for act in itertools.takewhile(lambda _: time.monotonic() < over, acts):
            self._perform(act)

    def _perform(self, act: Act) -> None:
        click.secho(f"\n{say(cast.ENTRANCES[act.entrance], self._tongue)}: {say(act.caption, self._tongue)}", bold=True)
        for step in act.steps:
            line = step.line if isinstance(step.line, str) else step.line()
            self._do(act.entrance, line)
            for expected in self._wait(list(step.expected)):
                self.missed.append(f"{act.entrance}: {say(act.caption, self._tongue)} -> {expected}")
                click.secho(f"  ! {self.missed[-1]}", fg="red")
            self._audience.listen(step.pause_s)
        self.done += 1
        self._audience.listen(READING_S)

    def _do(self, entrance: str, line: str) -> None:
        if line == cast.POWER_OFF:
            self._stage.kill(entrance)
        elif line == cast.POWER_ON:
            self._stage.start_gate(entrance)
        elif line:
            self._stage.tell(entrance, line)

    def _wait(self, expected: list[Expected]) -> list[Expected]:
        """Listen until all that is expected was heard; return what was not within the patience."""
        if not expected:
            return []
        for topic, payload in self._audience.until(time.monotonic() + PATIENCE_S):
            expected = [each for each in expected if not each.met(topic, payload)]
            if not expected:
                break
        self._stage.check()
        return expected


@click.command()
@click.option("--for", "seconds", type=click.FloatRange(min=1), help="End by itself after so many seconds. 演示秒数")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def demo(*, seconds: float | None, lang: str | None) -> None:
    """See it all at work; Ctrl-C ends it and removes everything. 现场演示，Ctrl-C 结束并清理"""
    tongue = language(lang)
    logging.getLogger().setLevel(logging.ERROR)  # what matters is shown; the rest is in the folder's logs
    end_in_order()
    with tempfile.TemporaryDirectory(prefix="menshen-demo-") as folder:
        try:
            play = _open(Path(folder), tongue, seconds or float("inf"))
        except (AuthorityError, TroupeError, BrokerError) as error:
            raise click.ClickException(str(error)) from error
    _summary(play, tongue)


def _open(folder: Path, tongue: Language, seconds: float) -> Play:
    """Set the stage, play, and clear it away whatever happens."""
    doors = Doors(host=HERE, gates=free_port(), own=free_port(), enrol=free_port())
    stage = Troupe(folder)
    with Installation.make(folder / "authority", doors) as installation:
        audience = Audience(installation.wire, tongue)
        play = Play(stage, audience, tongue)
        try:
            programme = cast.prepare(folder, Wire(host=HERE, port=doors.gates), installation.folder)
            board = _put_up_board(folder)
            _raise_curtain(stage, installation)
            audience.start()
            click.secho(f"{say(INVITATION, tongue)}{board}", bold=True)
            play.run(programme, time.monotonic() + seconds)
        except KeyboardInterrupt:
            click.echo()
        finally:
            audience.stop()
            stage.stop()
    return play


def _raise_curtain(stage: Troupe, installation: Installation) -> None:
    """Start broker and controller, let the gates get their identities from them, and start the gates."""
    config, doors = str(stage.folder / "controller.toml"), installation.doors
    stage.start("broker", "controller", "broker", "--config", config)
    stage.start("controller", "controller", "run", "--config", config)
    for entrance in cast.ENTRANCES:
        stage.start_enrolling(entrance)
    stage.answers("broker", doors.gates)
    stage.answers("controller", doors.enrol)
    registrar = Registrar.at(installation)
    for entrance in cast.ENTRANCES:
        stage.enrol(entrance, registrar.claim(Place(cast.SITE, entrance)))
    for entrance in cast.ENTRANCES:
        stage.enrolled(entrance)
        stage.start_gate(entrance)


def _put_up_board(folder: Path) -> str:
    """Let whoever watches the demo sign in at a board; return where it is going to be, and as whom."""
    path = folder / "controller.toml"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"[web]\nenabled = true\nport = {free_port()}\n")
    config = settings.load(Config, path)
    password = secrets.token_urlsafe(9)
    with Accounts.beside(config.store.path) as accounts:
        accounts.add(Person(name=VISITOR, role="administrator"))
        accounts.accept(VISITOR, accounts.invite(VISITOR, time.time()), password, time.time())
    return f"http://{config.web.host}:{config.web.port}/  {VISITOR}  {password}"


def _summary(play: Play, tongue: Language) -> None:
    good = play.done and not play.missed
    said = {
        "zh": f"演示了 {play.done} 幕，{len(play.missed)} 处与预期不符。",
        "en": f"{play.done} acts, {len(play.missed)} things that should have happened did not.",
    }
    click.secho(f"\n{said[tongue]}", fg="green" if good else "red")
    for missed in play.missed:
        click.echo(f"  {missed}")
    sys.exit(0 if good else 1)
