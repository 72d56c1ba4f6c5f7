"""The command `menshen kiosk`: a gate to play with on a page, or, headless, scenarios played against it."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from controller.broker import BrokerError
from controller.scenario import Line, ScenarioError, play, read
from controller.troupe import TroupeError, end_in_order
from controller.world import ActError, World
from device.wire.words import Language, language

PORT: Final = 8490
INTERRUPTED: Final = 130  # as shells say it
MEMORY: Final = Path("/dev/shm")  # noqa: S108 pictures from a laptop's camera are kept on no disk where there is one


@contextmanager
def opened(tongue: Language = "zh") -> Iterator[World]:
    """Bring up a world in a folder that is gone afterwards."""
    where = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="menshen-kiosk-", dir=where) as folder:
        world = World(Path(folder), tongue)
        try:
            world.open()
            yield world
        except (BrokerError, TroupeError, ActError) as error:
            raise click.ClickException(str(error)) from error
        finally:
            world.close()


@click.command()
@click.option(
    "--play", "scenarios", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True, metavar="FILE",
    help="Play a scenario without a page, and end; may be given more than once. 播放场景文件",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Of the page. 页面端口")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def kiosk(*, scenarios: tuple[Path, ...], port: int, lang: str | None) -> None:
    """Play with a gate and the world around it; Ctrl-C ends it. 在网页上体验一台模拟门机"""
    logging.getLogger().setLevel(logging.ERROR)  # what matters is shown; the rest is in the folder's logs
    end_in_order()
    try:
        if scenarios:
            _play([(path, _read(path)) for path in scenarios])
        else:
            _serve(port, language(lang))
    except KeyboardInterrupt:
        click.echo()
        sys.exit(INTERRUPTED if scenarios else 0)  # not all came true


def _read(path: Path) -> list[Line]:
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except (ScenarioError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error


def _play(scenarios: list[tuple[Path, list[Line]]]) -> None:
    """Play each in a world of its own."""
    missed = 0
    for path, lines in scenarios:
        click.secho(f"{path}", bold=True)
        with opened() as world:
            try:
                play(world, lines, str(path), lambda text: click.echo(f"  {text}"))
            except ScenarioError as error:
                click.secho(f"  ! {error}", fg="red")
                missed += 1
    click.secho(f"{len(scenarios)} 场，{missed} 场不符 / {len(scenarios)} played, {missed} went wrong")
    sys.exit(1 if missed else 0)


def _serve(port: int, tongue: Language) -> None:
    from controller.booth import Booth  # noqa: PLC0415 a scenario needs no page

    with opened(tongue) as world:
        try:
            booth = Booth(world, port, tongue)
        except OSError as error:
            raise click.ClickException(f"port {port} cannot be had: {error.strerror}; choose another --port") from error
        page = f"http://127.0.0.1:{booth.port}/"
        click.secho(page, bold=True)
        click.echo("Open this page in a browser; Ctrl-C ends it. 用浏览器打开此页；Ctrl-C 结束")
        if "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
            click.launch(page)
        booth.run()
