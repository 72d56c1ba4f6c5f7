"""The command `menshen controller reader`: lets a program of somebody else's, such as Home Assistant, listen."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import click

from controller.authority import READER_LIFE, AuthorityError, mark, replace_secret
from controller.config import Config, configured
from controller.installation import Installation, opened
from controller.ledger import Reader
from controller.roles import Roles, RolesError
from device.wire.messages import ID_PATTERN, VERBS, Verb

LONGEST: Final = 32  # characters of a name


def admit(installation: Installation, name: str, *, prefix: str, commands: tuple[Verb, ...], folder: Path) -> Reader:
    """Give a program a key and a certificate in a folder, and note what it may do; an earlier one of its name ends.

    The mark in its client's name is random, so that what the new one may do is never the earlier one's as well.
    """
    reader = Reader(
        name=name,
        mark=mark(),
        prefix=prefix,
        commands=commands,
        until=int(time.time() + READER_LIFE.total_seconds()),
    )
    key, certificate = installation.authority.reader(reader.client)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_secret(folder / f"{name}.key", key)
        replace_secret(folder / f"{name}.crt", certificate)
        replace_secret(folder / "ca.crt", installation.authority.pem.encode())
    except OSError as error:
        raise AuthorityError(f"{folder}: {error}; say another folder with --out") from error
    installation.ledger.admitted(reader)
    return reader


def _named(_context: click.Context, _option: click.Parameter, name: str) -> str:
    if not (re.fullmatch(ID_PATTERN, name) and len(name) <= LONGEST):
        raise click.BadParameter(f"{LONGEST} of a-z and 0-9 at most, with single hyphens inside, such as homeassistant")
    return name


@click.command("reader")
@configured
@click.argument("name", callback=_named)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for its key and certificate; ./NAME. 输出目录")
@click.option("--command", "commands", multiple=True, type=click.Choice(VERBS), help="A command it may say. 可下的指令")
@click.option("--revoke", is_flag=True, help="Let it listen no longer. 吊销")
def command(*, config: Config, name: str, out: Path | None, commands: tuple[Verb, ...], revoke: bool) -> None:
    """Let a program such as Home Assistant listen, with a certificate of its own. 给第三方程序一个只读身份"""
    with opened(config) as installation:
        if revoke:
            if not installation.ledger.dismissed(name):
                known = ", ".join(reader.name for reader in installation.ledger.readers()) or "nobody"
                raise click.ClickException(f"no reader is called {name}; there is {known}")
            _tell(installation)
            click.echo(f"{name} 已吊销 / is revoked")
            return
        folder = out or Path(name)
        try:
            admit(installation, name, prefix=config.homeassistant.prefix, commands=commands, folder=folder)
        except AuthorityError as error:
            raise click.ClickException(str(error)) from error
        _tell(installation)
        doors = installation.doors
    click.echo(
        f"{folder}: {name}.crt, {name}.key, ca.crt\n经纪人 / broker: {doors.host}:{doors.gates}, TLS, MQTT 5; "
        f"{READER_LIFE.days} 天内有效 / good for {READER_LIFE.days} days"
    )


def _tell(installation: Installation) -> None:
    """Make the broker follow the book; where it does not answer, its next start will."""
    try:
        with Roles(installation.wire) as roles:
            roles.agree(installation.ledger.names(), installation.ledger.readers())
    except RolesError as error:
        click.echo(
            f"{error}\n它启动时，或控制端连上时会知道 / it will know when it starts, or the controller does", err=True
        )
