"""Every setting of the controller: default, unit, range and meaning stand together.

`menshen controller settings` prints them all as a commented file; an unknown key or a value out of range is refused by
name. Every command reads them through `configured`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import click
import msgspec
from msgspec import Meta, Struct

from device import settings
from device.wire.link import Wire

VARIABLE: Final = "MENSHEN_CONTROLLER"
SYSTEM: Final = Path("/etc/menshen/controller.toml")


class StoreSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Where events and alerts are kept."""

    path: Annotated[str, Meta(description="the SQLite database; any SQLite tool may read it")] = (
        "/var/lib/menshen/controller.db"
    )


class RulesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """When something becomes an alert, and for how long."""

    abnormal_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds an abnormal code keeps its alert open after the last one")
    ] = 600.0
    offline_grace_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a gate may be offline before it is an alert")
    ] = 15.0
    clock_grace_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a gate may not know the time before it is an alert")
    ] = 60.0


class PassesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What signs the passes issued here."""

    issuer: Annotated[str, Meta(description="folder with the issuer's private keys")] = "/var/lib/menshen/issuer"
    site_key: Annotated[
        str, Meta(description="file with the site's secret, 32 bytes or more, the same as the gates'")
    ] = "/etc/menshen/site.key"


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One controller."""

    store: StoreSection = StoreSection()
    wire: Wire = msgspec.field(default_factory=Wire)
    rules: RulesSection = RulesSection()
    passes: PassesSection = PassesSection()


def load(path: Path | None) -> Config:
    """Read the file asked for, or $MENSHEN_CONTROLLER, or /etc/menshen/controller.toml; without any, the user's own.

    Raise SettingsError naming what to change.
    """
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None and SYSTEM.exists():
        named = SYSTEM
    return settings.load(Config, named) if named else _own()


def _own() -> Config:
    """Return the defaults for someone who only tries it out: everything below their home."""
    home = Path.home() / ".local/share/menshen"
    click.echo(f"no {SYSTEM} and no --config: keeping everything in {home}", err=True)
    return Config(
        store=StoreSection(path=str(home / "controller.db")),
        passes=PassesSection(issuer=str(home / "issuer"), site_key=str(home / "site.key")),
    )


def _configured(_context: click.Context, _option: click.Parameter, path: Path | None) -> Config:
    try:
        return load(path)
    except settings.SettingsError as error:
        raise click.ClickException(str(error)) from error


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config FILE`; it receives a Config as `config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=_configured,
        help=f"The controller's configuration; otherwise ${VARIABLE}, then {SYSTEM}. 配置文件",
    )(command)
