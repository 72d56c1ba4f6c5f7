"""The command `menshen region`: the tree of regions, and which site lies in which.

A running controller and the board notice at once.
"""

from __future__ import annotations

from typing import Final

import click

from controller import deeds, regions
from controller.accounts import AccountError, Accounts
from controller.alertbook import acting
from controller.config import Config, configured
from controller.regions import PREFIX, RegionError, within
from controller.tables import Form, formed, reading, show
from device.wire.messages import Text
from device.wire.plain import harmless
from device.wire.words import say

HEADS: Final[dict[str, Text]] = {
    "region": Text("区域", "region"),
    "title": Text("名称", "title"),
    "sites": Text("场所", "sites"),
    "below": Text("含下级场所", "sites with those below"),
}


@click.group()
def region() -> None:
    """Say which regions there are, and which site lies in which. 区域"""


def _region(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Read ids with slashes between."""
    if text is not None and not regions.is_one(text):
        raise click.BadParameter(
            f"{text[:80]!r} is no region: ids from the top down, {regions.LEVELS} at most, such as "
            "zhejiang/hangzhou/xihu; each is 2 to 32 of a-z and 0-9, with single hyphens inside"
        )
    return text


@region.command()
@configured
@click.argument("name", metavar="REGION", callback=_region)
@click.option("--zh", default="", help="Its name in Chinese. 中文名称")
@click.option("--en", default="", help="Its name in English. 英文名称")
@deeds.by
def add(*, config: Config, name: str, zh: str, en: str, by: str) -> None:
    """Add a region such as zhejiang/hangzhou, or change its names. 添加区域，或修改名称"""
    with acting(config) as store:
        store.add_region(name, harmless(zh), harmless(en), by)
    click.echo(f"{name} 已添加 / is there")


@region.command()
@configured
@click.argument("name", metavar="REGION", callback=_region)
@deeds.by
def remove(*, config: Config, name: str, by: str) -> None:
    """Remove a region in which nothing lies, and that nobody is limited to. 删除区域"""
    with acting(config) as store:
        store.known_regions([name])
        named = [
            *_limited(config, name),
            *(f"web.oidc.grant {each.group}" for each in config.web.oidc.grant if f"{PREFIX}{name}" in each.reach),
            *(f"notify.route {each.name}" for each in config.notify.route if name in each.regions),
        ]
        if named:
            raise RegionError(f"{name} is still named by {', '.join(named)}: change these first")
        store.remove_region(name, by)
    click.echo(f"{name} 已删除 / is removed")


def _limited(config: Config, name: str) -> list[str]:
    """Return the users whose reach names a region."""
    try:
        with Accounts.beside(config.store.path) as accounts:
            return [f"user {person.name}" for person, _ in accounts.people() if f"{PREFIX}{name}" in person.reach]
    except AccountError as error:
        raise click.ClickException(str(error)) from error


@region.command()
@configured
@click.argument("site")
@click.argument("name", metavar="[REGION]", required=False, callback=_region)
@click.option("--none", "nowhere", is_flag=True, help="Let it lie in no region. 不属于任何区域")
@deeds.by
def assign(*, config: Config, site: str, name: str | None, nowhere: bool, by: str) -> None:
    """Let a site lie in a region; who may see it follows at once. 将场所划归区域"""
    if (name is None) != nowhere:
        raise click.UsageError("say either the region or --none")
    with acting(config) as store:
        store.assign(site, name or "", by)
    click.echo(f"{site} → {name or '-'}")


@region.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List regions, and the sites in each. 区域列表"""
    with reading(config) as store:
        titles, lies = store.regions(), store.lies()
    within_each = {name: [site for site, where in lies.items() if where == name] for name in titles}
    rows = [
        {
            "region": name,
            "title_zh": title.zh,
            "title_en": title.en,
            "sites": within_each[name],
            "below": sum(within(where, name) for where in lies.values()),
        }
        for name, title in titles.items()
    ]
    cells = [
        [name, say(title, form.tongue), ", ".join(within_each[name]), str(row["below"])]
        for (name, title), row in zip(titles.items(), rows, strict=True)
    ]
    show(form, HEADS, rows, cells)
