"""The command `menshen user`: who may sign in at the board, and as what."""

from __future__ import annotations

import time
from typing import Final

import click

from controller import deeds
from controller.accounts import INVITE_S, AccountError, Accounts, can_be_called
from controller.alertbook import acting
from controller.config import Config, configured
from controller.regions import PREFIX
from controller.rights import ROLES, TITLES, Person, Role, can_be_reach
from controller.tables import Form, formed, show
from device.wire.messages import ID_PATTERN, Text
from device.wire.words import say

HEADS: Final[dict[str, Text]] = {
    "name": Text("姓名", "name"),
    "role": Text("角色", "role"),
    "reach": Text("范围", "reach"),
    "password": Text("密码", "password"),
    "subject": Text("身份提供方标识", "subject"),
}
EVERY: Final = Text("全部入口", "every entrance")
SET: Final = {True: Text("已设置", "set"), False: Text("未设置", "not yet")}


@click.group()
def user() -> None:
    """Say who may sign in at the board. 看板用户"""


def _opened(config: Config) -> Accounts:
    try:
        return Accounts.beside(config.store.path)
    except AccountError as error:
        raise click.ClickException(str(error)) from error


def _name(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """Refuse a name that no alert or command could carry."""
    if not can_be_called(text):
        raise click.BadParameter("1 to 64 characters that print, such as 'guard 7'")
    return text


def _reach(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Read region:REGION, SITE or SITE/ENTRANCE; whether there is such a region only the database knows."""
    for text in texts:
        if not can_be_reach(text):
            raise click.BadParameter(f"{text!r} is neither SITE nor SITE/ENTRANCE ({ID_PATTERN}) nor {PREFIX}REGION")
    return texts


def _note(config: Config, accounts: Accounts, by: str, change: str, name: str) -> None:
    """Write into the journal what is about to be done to somebody, so that nothing is done that is not in it."""
    if accounts.person(name) is None:
        raise click.ClickException(f"nobody is called {name!r}; `menshen user list` shows who there is")
    with acting(config) as store:
        store.note(by, change, user=name)


def _invite(config: Config, accounts: Accounts, name: str) -> None:
    try:
        token = accounts.invite(name, time.time())
    except AccountError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{name}: 一次性口令，{INVITE_S // 3600} 小时内有效 / one-time token, good for a day: {token}")
    click.echo(f"在此设置密码 / set a password with it at http://{config.web.host}:{config.web.port}/welcome")
    if not config.web.enabled:
        click.echo("看板未启用 / the board is off: set web.enabled = true", err=True)


def _bind(config: Config, accounts: Accounts, name: str, subject: str) -> None:
    try:
        accounts.bind(name, config.web.oidc.issuer, subject)
    except AccountError as error:
        raise click.ClickException(str(error)) from error


@user.command()
@configured
@click.argument("name", callback=_name)
@click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What they may do. 角色")
@click.option(
    "--for",
    "reach",
    multiple=True,
    callback=_reach,
    metavar="region:REGION|SITE[/ENTRANCE]",
    help="Only these. 限定范围",
)
@click.option("--subject", help="Who they are to the identity provider of [web.oidc]; '' undoes it. 身份提供方标识")
@deeds.by
def add(*, config: Config, name: str, role: Role, reach: tuple[str, ...], subject: str | None, by: str) -> None:
    """Add somebody, or change what they may do; prints a token to set a password with. 添加用户"""
    if subject and not config.web.oidc.issuer:
        raise click.ClickException("--subject needs an identity provider: set web.oidc.issuer first")
    with _opened(config) as accounts:
        known = accounts.person(name) is not None
        with acting(config) as store:
            store.known_regions(each.removeprefix(PREFIX) for each in reach if each.startswith(PREFIX))
            store.note(by, "user_changed" if known else "user_added", user=name, role=role, reach=reach)
        if subject is not None:
            _bind(config, accounts, name, subject)
        accounts.add(Person(name=name, role=role, reach=reach))
        if known or subject:
            click.echo(f"{name} 已修改 / is changed" if known else f"{name} 已添加 / is added")
        else:
            _invite(config, accounts, name)


@user.command()
@configured
@click.argument("name")
@deeds.by
def password(*, config: Config, name: str, by: str) -> None:
    """Let somebody set a new password. 重设密码"""
    with _opened(config) as accounts:
        _note(config, accounts, by, "user_invited", name)
        _invite(config, accounts, name)


@user.command()
@configured
@click.argument("name")
@click.option("--label", default="", help="What it is for. 用途")
@deeds.by
def token(*, config: Config, name: str, label: str, by: str) -> None:
    """Print a token with which a program asks /api/v1 in somebody's name. 程序令牌"""
    with _opened(config) as accounts:
        _note(config, accounts, by, "token_made", name)
        try:
            click.echo(accounts.token(name, label, time.time()))
        except AccountError as error:
            raise click.ClickException(str(error)) from error


@user.command()
@configured
@click.argument("name")
@deeds.by
def remove(*, config: Config, name: str, by: str) -> None:
    """Let somebody in no more, at once. 删除用户"""
    with _opened(config) as accounts:
        _note(config, accounts, by, "user_removed", name)
        accounts.remove(name)
    click.echo(f"{name} 已删除 / is removed")


@user.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List who may sign in. 用户列表"""
    with _opened(config) as accounts:
        people, subjects = accounts.people(), accounts.subjects()
    rows = [
        {
            "name": person.name,
            "role": person.role,
            "reach": list(person.reach),
            "password": ready,
            "subject": subjects.get(person.name, ""),
        }
        for person, ready in people
    ]
    cells = [
        [
            person.name,
            say(TITLES[person.role], form.tongue),
            ", ".join(person.reach) or say(EVERY, form.tongue),
            say(SET[ready], form.tongue),
            subjects.get(person.name, ""),
        ]
        for person, ready in people
    ]
    show(form, HEADS, rows, cells)
