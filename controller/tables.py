"""How rows are printed, as tables, JSON or CSV; and the command `menshen events`."""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text as Cell

from controller import telling, when
from controller.config import Config, configured
from controller.database import StoreError, stamp
from controller.regions import RegionError
from controller.store import Store
from device.wire.messages import EVENTS, KINDS, MessageError, Place, Text, decode
from device.wire.plain import cell, harmless
from device.wire.words import Language, language, say

WIDE: Final = 160  # columns where there is no terminal to ask
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

HEADS: Final[dict[str, Text]] = {
    "at": Text("时间", "time"),
    "entrance": Text("入口", "entrance"),
    "kind": Text("种类", "kind"),
    "what": Text("事项", "what"),
    "details": Text("详情", "details"),
}

NOTHING: Final = Text("没有记录", "nothing")

Command = Callable[..., Any]


class Form(NamedTuple):
    """How rows are printed: a table in a language, or JSON or CSV for programs."""

    tongue: Language
    as_json: bool
    as_csv: bool


def formed(command: Command) -> Command:
    """Give a command `--lang`, `--json` and `--csv`; it receives a Form as `form`."""

    @functools.wraps(command)
    def called(*, lang: str | None, as_json: bool, as_csv: bool, **rest: Any) -> Any:
        if as_json and as_csv:
            raise click.UsageError("--json or --csv, not both")
        return command(form=Form(language(lang), as_json, as_csv), **rest)

    for option in (
        click.option("--csv", "as_csv", is_flag=True, help="CSV, for spreadsheets. CSV 格式"),
        click.option("--json", "as_json", is_flag=True, help="JSON, for programs. JSON 格式"),
        click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言"),
    ):
        called = option(called)
    return called


def show(
    form: Form, heads: Mapping[str, Text], rows: Sequence[Mapping[str, Any]], cells: Sequence[Sequence[str]]
) -> None:
    """Print `rows` for programs, or their `cells` under the heads for people."""
    if form.as_json:
        click.echo(json.dumps(rows, indent=1))
    elif form.as_csv:
        written = io.StringIO(newline="")
        writer = csv.writer(written)
        writer.writerow(heads)
        writer.writerows([[cell(text) for text in line] for line in cells])
        click.echo(written.getvalue(), nl=False)
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = WIDE
        table = Table(*(Column(say(head, form.tongue), overflow="fold") for head in heads.values()), box=SIMPLE)
        for line in cells:
            table.add_row(*(Cell(harmless(text)) for text in line))
        console.print(table)
        if not cells:
            click.echo(f"  {say(NOTHING, form.tongue)}")


def place(_context: click.Context, _option: click.Parameter, text: str | None) -> Place | None:
    """Read SITE/ENTRANCE."""
    try:
        return None if text is None else Place.parse(text)
    except MessageError as error:
        raise click.BadParameter(str(error)) from error


def since(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Read `90s`, `30m`, `1h`, `2d` back from now, or a moment."""
    if text is None:
        return None
    back = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if back:
        return stamp(datetime.now(tz=UTC) - timedelta(**{UNITS[back[2]]: int(back[1])}))
    try:
        return stamp(datetime.fromtimestamp(when.begin(context, option, text) or 0, tz=UTC))
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message}, or how long ago: 90s, 30m, 1h, 2d") from error


def in_region(command: Command) -> Command:
    """Give a command `--region`; it receives an empty text where none is said."""
    return click.option("--region", default="", help="Only this region, with all below it. 只看一个区域")(command)


def known(store: Store, region: str) -> str:
    """Return a region that is one; say what is wrong otherwise."""
    try:
        store.known_regions([region] if region else [])
    except RegionError as error:
        raise click.ClickException(str(error)) from error
    return region


@contextmanager
def reading(config: Config) -> Iterator[Store]:
    """Open the store without ever writing; say what is wrong where that fails."""
    try:
        store = Store(Path(config.store.path), read_only=True)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    with store:
        yield store


@click.command()
@configured
@click.option("--entrance", callback=place, metavar="SITE/ENTRANCE", help="Only this entrance. 只看一个入口")
@in_region
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind. 种类")
@click.option(
    "--type",
    "event_type",
    type=click.Choice(list(telling.TYPES)),
    metavar="OUTCOME",
    help="Only this outcome, such as refuse or forced. 结果",
)
@click.option("--since", callback=since, help="Received since: 1h, 2d, or a moment in ISO 8601. 起始时间")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many. 条数")
@formed
def events(
    *, config: Config, entrance: Place | None, region: str, kind: str | None, event_type: str | None,
    since: str | None, limit: int, form: Form,
) -> None:  # fmt: skip
    """List stored events, the newest first. 事件列表"""
    with reading(config) as store:
        rows = store.events(
            place=entrance, kind=kind, event_type=event_type, since=since, limit=limit, region=known(store, region)
        )
    heads = {name: HEADS[name] for name in ("at", "entrance", "kind", "what", "details")}
    show(form, heads, rows, [_event(row, form.tongue) for row in rows])


def _event(row: dict[str, Any], tongue: Language) -> list[str]:
    event = decode(EVENTS[row["kind"]], json.dumps(row["payload"]).encode())
    return [
        telling.clock(datetime.fromisoformat(row["at"])),
        f"{row['site']}/{row['entrance']}",
        say(telling.KINDS[row["kind"]], tongue),
        telling.headline(event, tongue),
        telling.details(event, tongue, clock=row["clock"]),
    ]
