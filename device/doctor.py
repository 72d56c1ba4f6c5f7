"""`menshen doctor`: looks whether a gate has all it needs, and names the fix for what it has not."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.live import Live

from device.__main__ import thermometer
from device.checks import lens, line, machine, papers, parts
from device.clock import machine as clocks
from device.config import Config, named
from device.floor import read
from device.wire.checkup import Finding, row, table
from device.wire.messages import Text
from device.wire.words import language, say

WIDE: Final = 120  # columns where there is no terminal to ask
CHECKS: Final[dict[str, Text]] = {
    "config": Text("配置", "configuration"),
    "site_key": Text("站点密钥", "site key"),
    "certificate": Text("证书", "certificate"),
    "policy": Text("策略", "policy"),
    "board": Text("主板与供电", "board, power"),
    "clock": Text("时钟", "clock"),
    "disk": Text("磁盘", "disk"),
    "wear": Text("存储磨损", "storage wear"),
    "gate": Text("门机程序", "the gate itself"),
    "pins": Text("针脚", "pins"),
    "relay": Text("继电器静止", "relay at rest"),
    "staff_button": Text("值守按钮", "staff button"),
    "beam_outer": Text("外侧光束", "outer beam"),
    "beam_inner": Text("内侧光束", "inner beam"),
    "turnstile_passed": Text("闸机“已通过”", "turnstile's PASS"),
    "fire": Text("消防触点", "fire contact"),
    "door": Text("门磁", "door"),
    "tamper": Text("机箱触点", "enclosure"),
    "pulse": Text("继电器放行", "relay's pulse"),
    "show": Text("灯与蜂鸣器", "lamp, buzzer"),
    "thermometer": Text("测温仪", "thermometer"),
    "camera": Text("摄像头首帧", "first picture"),
    "code": Text("读码", "reading a code"),
    "tcp": Text("网络", "network"),
    "tls": Text("加密", "encryption"),
    "mqtt": Text("消息代理", "broker"),
}
BUSY: Final = Text(
    "门机正在运行，占用针脚与摄像头；要检查它们，先停止：sudo systemctl stop menshen-gate",
    "it runs, and has pins and camera; to look at those, stop it first: sudo systemctl stop menshen-gate",
)
HOLD_UP: Final = Text("请在手臂距离处出示一个码……", "hold up a code at arm's length ...")
IDLE: Final = Text("未在运行", "it does not run")
ALL_WELL: Final = Text("全部正常。", "All is well.")


def examine(
    path: Path, *, pulse: bool = False, show: bool = False, code_s: float = 0, prompt: Callable[[Text], None]
) -> Iterator[Finding]:
    """Look at one thing after another, and yield what each is like as soon as it is known."""
    found, config = papers.config(path)
    yield found
    if config is None:
        return
    now = datetime.now(tz=UTC)
    found, key = papers.site_key(config)
    yield found
    yield papers.certificate(config, now)
    yield papers.policy(config, key, now)
    yield machine.model()
    yield machine.clock(config, clocks(), read(Path(config.gate.data) / "clock.json"))
    yield machine.disk(Path(config.gate.data))
    yield machine.wear()
    running = parts.running(config)
    yield Finding("gate", "skipped", BUSY) if running else Finding("gate", "ok", IDLE)
    if not running:
        yield from _wired(config, prompt if show else None, pulse=pulse)
    yield parts.thermometer(thermometer(config))
    if not running:
        yield lens.first_frame(config.camera)
        if code_s:
            prompt(HOLD_UP)
            yield lens.code(config.camera, code_s)
    yield from line.broker(config, running=running)


def _wired(config: Config, show: Callable[[Text], None] | None, *, pulse: bool) -> Iterator[Finding]:
    found, factory = parts.open_pins(config)
    yield found
    if factory is None:
        return
    yield parts.relay(factory, config)
    yield from parts.inputs(factory, config)
    if show:
        yield parts.show(factory, config, show)
    if pulse:
        yield parts.pulse(factory, config)


@click.command()
@named
@click.option("--show", is_flag=True, help="Show every colour and sound every tune. 依次点灯、鸣响")
@click.option("--pulse", is_flag=True, help="Pulse the relay once: it lets one person through. 放行一次")
@click.option("--code", "code_s", type=click.FloatRange(0, 60), default=0, help="Seconds to hold up a code. 读码秒数")
@click.option("--json", "as_json", is_flag=True, help="One JSON document. JSON 格式")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def doctor(*, path: Path, show: bool, pulse: bool, code_s: float, as_json: bool, lang: str | None) -> None:
    """Look whether a gate has all it needs; name the fix for what it has not. 安装自检

    Exits with 0 when nothing fails, with 1 otherwise.
    """
    tongue = language(lang)

    def prompt(said: Text) -> None:
        click.echo(say(said, tongue), err=True)

    findings: list[Finding] = []
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    watched = console.is_terminal and not as_json
    with _folder(), Live(console=console, auto_refresh=False) if watched else nullcontext() as live:
        for found in examine(path, pulse=pulse, show=show, code_s=code_s, prompt=prompt):
            findings.append(found)
            if live:
                live.update(table(findings, CHECKS, tongue), refresh=True)
    failed = [found for found in findings if found.state == "fail"]
    if as_json:
        click.echo(msgspec.json.encode([row(found, tongue) for found in findings]).decode())
    elif not live:
        console.print(table(findings, CHECKS, tongue))
    if failed and not as_json:
        names = ", ".join(say(CHECKS[found.name], tongue) for found in failed)
        console.print(say(Text(f"故障 {len(failed)} 项：{names}", f"{len(failed)} failed: {names}"), tongue))
    elif not as_json:
        console.print(say(ALL_WELL, tongue))
    sys.exit(1 if failed else 0)


@contextmanager
def _folder() -> Iterator[None]:
    """Give lgpio a folder for its FIFO: whoever runs this by hand need not be where one can be written."""
    if "LG_WD" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="menshen-doctor-") as folder:
        os.environ["LG_WD"] = folder
        try:
            yield
        finally:
            del os.environ["LG_WD"]
