"""Builds the gate from its parts: the only place where concretes meet."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from device import backstage, enrol, verifier
from device import config as configuration
from device.clock import Clock, boot, machine
from device.codes.trust import TrustError, read_site_key
from device.config import Config
from device.courier import Courier
from device.display import Display
from device.entrance import Entrance, Said, Stop
from device.eye import Eye
from device.floor import Floor
from device.identity import FILE
from device.inquiry import Inquiry, InquiryError
from device.memory import Memory
from device.policy import Policy
from device.preview import Preview
from device.probe import Probe
from device.record import Record
from device.renewal import Renewal
from device.settings import SettingsError, example
from device.shown import nobody
from device.spool import Spool
from device.timekeeper import Sample
from device.wire.link import Link, LinkSaid, Will
from device.wire.messages import COMMAND, Info, Place, Status, encode
from device.wire.threads import Fallen
from hardware import board as boards
from hardware import pins
from hardware.guardian import Charge
from hardware.keeper import Keeper
from hardware.parts import PartError, Thermometer

log = logging.getLogger(__name__)


def thermometer(config: Config) -> Callable[[], Thermometer] | None:
    """Return what opens the configured thermometer; None where there is none."""
    chosen = config.thermometer
    if chosen.driver == "mlx90614":
        from hardware.thermometer import mlx90614  # noqa: PLC0415 the driver of a part that may not be here

        return lambda: mlx90614.Thermometer(bus=chosen.bus)
    if chosen.driver == "emulated":
        from hardware.thermometer import emulated  # noqa: PLC0415

        return lambda: emulated.Thermometer(source=chosen.source)
    return None


class Gate:
    """One entrance with all its parts, wired and ready to run. Every thread and process puts into one inbox."""

    def __init__(self, config: Config, sample: Callable[[], Sample] = machine) -> None:
        self.config = config
        data = Path(config.gate.data)
        place = Place(config.gate.site, config.gate.entrance)
        policy = Policy(data / "policy.json", read_site_key(Path(config.gate.site_key)))
        self.floor = Floor(data / "clock.json", boot())
        clock = Clock(self.floor, battery=config.gate.clock == "battery", sample=sample)
        self.inbox: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self.spool = Spool(data / "spool.db")
        levels = data / "pins"
        self.memory = Memory(data / "memory.db")
        self.factory = pins.factory(config.pins.driver, levels=levels, closed=config.pins.closed)
        self.keeper = Keeper(
            Charge(
                driver=config.pins.driver,
                relay=config.pins.relay,
                pulse_ms=config.turnstile.pulse_ms,
                fire=config.pins.fire,
                levels=str(levels.absolute()),
            ),
            factory=self.factory,
            tell=self.inbox.put,
        )
        self.board = boards.build(
            factory=self.factory,
            tell=self.inbox.put,
            turnstile=self.keeper,
            turnstile_passed=config.pins.turnstile_passed,
            door=config.pins.door,
            lamp=(config.pins.lamp_red, config.pins.lamp_green, config.pins.lamp_blue),
            buzzer=config.pins.buzzer,
            staff_button=config.pins.staff_button,
            beam_outer=config.pins.beam_outer,
            beam_inner=config.pins.beam_inner,
            presence=config.pins.presence,
            tamper=config.pins.tamper,
        )
        self.link = Link(
            config.wire,
            name=f"{place.site}.{place.entrance}",
            hear=tuple(place.topic(word) for word in ("ack", "policy/desired", "seen", "occupancy", f"{COMMAND}+")),
            put=self._heard,
            as_published=True,
            will=Will(topic=place.topic("status"), payload=encode(Status(state="offline", reason="lost"))),
        )
        self.courier = Courier(
            path=data / "spool.db",
            place=place,
            say=self.link.say,
            tell=self.inbox.put,
        )
        self.fallen = Fallen()
        make = thermometer(config)
        self.probe = Probe(make, self.inbox.put) if make else None
        self.inquiry = Inquiry(config.upstream, place, self.inbox.put) if config.upstream.url else None
        certificate = Path(config.wire.certificate)
        self.renewal = (
            Renewal(certificate.parent, put=self.inbox.put, renewed=self.link.reconnect)
            if certificate.name == FILE  # any other is not ours to renew
            else None
        )
        self.preview = Preview() if config.screen.enabled else None
        picture = self.preview.name if self.preview else ""
        self.eye = Eye(
            config.camera, config.decoder, self.inbox.put, crowd=config.crowd, poster=config.poster, preview=picture
        )
        self.display: Display | None = None
        if config.screen.enabled:
            self.display = Display(config.screen, language=config.gate.language, preview=picture, tell=self.inbox.put)
        self.entrance = Entrance(
            config=config,
            inbox=self.inbox,
            board=self.board,
            record=Record(place=place, spool=self.spool, clock=clock, say=self.link.say, kept=self.courier.inbox.put),
            policy=policy,
            memory=self.memory,
            clock=clock,
            info=_info(config),
            watch=self._dead,
            inquiry=self.inquiry,
            show=self.display.show if self.display else nobody,
        )

    def _heard(self, said: LinkSaid) -> None:
        self.courier.inbox.put(said)
        self.inbox.put(said)

    def _dead(self) -> str:
        parts = (self.courier, self.link, self.eye, self.keeper, self.floor, self.probe, self.inquiry, self.renewal)
        return self.fallen.among(part.thread for part in parts if part)

    def run(self) -> None:
        """Work until stopped; raise Stop with a reason when a part of the gate died."""
        self.courier.thread.start()
        self.link.start()
        if self.probe:
            self.probe.thread.start()
        if self.inquiry:
            self.inquiry.thread.start()
        if self.renewal:
            self.renewal.thread.start()
        self.eye.start()
        if self.display:
            self.display.start()
        try:
            self.entrance.run()
        finally:
            self.close()

    def stop(self) -> None:
        """Ask the gate to end; safe from a signal handler or another thread."""
        self.inbox.put(None)

    def close(self) -> None:
        """Stop every part; what is spooled stays spooled."""
        if self.display:
            self.display.stop()
        self.eye.stop()
        if self.preview:
            self.preview.remove()
        if self.probe:
            self.probe.stop()
        if self.inquiry:
            self.inquiry.stop()
        if self.renewal:
            self.renewal.stop()
        self.courier.stop()
        self.link.stop()
        self.board.close()
        self.floor.stop()
        self.spool.close()
        self.memory.close()


def _info(config: Config) -> Info:
    parts: dict[str, str] = {
        "camera": config.camera.driver,
        "thermometer": config.thermometer.driver,
        "pins": config.pins.driver,
    }
    version = importlib.metadata.version("menshen")
    return Info(version=version, python=platform.python_version(), parts=parts, commands=config.commands.allow)


def _play(gate: Gate) -> None:
    """Let standard input move the emulated world around the gate; its end is the gate's end."""
    backstage.play(gate.factory, gate.config.pins, Path(gate.config.camera.source), sys.stdin, backstage.say)
    gate.stop()


@click.group()
def gate() -> None:
    """Run one entrance. 运行一个入口"""


gate.add_command(verifier.command, "verifier")


@gate.command()
@configuration.named
@click.option("--stage", is_flag=True, help="Read commands for the emulated parts from standard input. 模拟部件")
def run(*, path: Path, stage: bool) -> None:
    """Guard the entrance until stopped. 开始值守"""
    try:
        config = configuration.load(path)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if stage and config.pins.driver != "mock":
        raise click.ClickException(f'{path}: --stage moves emulated parts only: set pins.driver = "mock"')
    try:
        source = Path(config.camera.source)
        built = Gate(config, backstage.clocks(source)) if stage else Gate(config)
    except (TrustError, PartError, InquiryError) as error:
        raise click.ClickException(str(error)) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: built.stop())
    threading.excepthook = built.fallen.hook
    if stage:
        threading.Thread(target=_play, args=(built,), name="stage", daemon=True).start()
    try:
        built.run()
    except Stop as error:
        raise click.ClickException(str(error)) from error


gate.add_command(enrol.command)


@gate.command("settings")
def settings_() -> None:
    """Print every setting with its meaning, range and default. 打印全部设置"""
    click.echo(example(Config), nl=False)
