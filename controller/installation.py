"""The folder of one installation: its authority, its book, its broker; and the command that makes it."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import click
import msgspec

from controller import doors as door_file
from controller import ledger as ledger_file
from controller import mosquitto
from controller.authority import Authority, AuthorityError, replace_secret
from controller.broker import Broker, BrokerError
from controller.config import AUTHORITY, Config, configured_by, read
from controller.doors import Doors
from controller.ledger import Ledger
from device.wire import enrolment
from device.wire.link import Wire


class Installation:
    """What `menshen controller init` made."""

    def __init__(self, folder: Path) -> None:
        """Open it; raise AuthorityError naming the fix."""
        self.folder = folder.absolute()
        self.authority = Authority(folder)
        try:
            self.doors = door_file.read(folder)
        except (OSError, msgspec.MsgspecError) as error:
            raise AuthorityError(
                f"{folder}/{door_file.FILE}: {error}; `menshen controller init` writes it anew"
            ) from error
        try:
            self.ledger = Ledger(self.folder / ledger_file.FILE)
        except (OSError, sqlite3.Error) as error:
            raise AuthorityError(
                f"{folder}/{ledger_file.FILE}: {error}; run this as the owner of the folder"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the book."""
        self.ledger.close()

    @classmethod
    def make(cls, folder: Path, doors: Doors) -> Installation:
        """Make it, or write it anew with other doors: authority and book stay. Raise AuthorityError or BrokerError."""
        folder = folder.absolute()
        authority = Authority(folder) if (folder / "ca.key").exists() else Authority.make(folder)
        mosquitto.write(folder / "broker", authority, doors.host, gates=doors.gates, own=doors.own)
        replace_secret(folder / "controller.pem", authority.controller())
        replace_secret(folder / door_file.FILE, msgspec.json.encode(doors))
        return cls(folder)

    @property
    def wire(self) -> Wire:
        """Return how the controller's own programs reach the broker."""
        return door_file.wire(self.folder, self.doors)

    def prepare(self) -> Path:
        """Write the roles for mosquitto's next start, from the book, and return its configuration."""
        mosquitto.write_roles(self.folder / "broker", self.ledger.names(), self.ledger.readers())
        return self.folder / "broker" / mosquitto.CONFIG


class GuardedBroker(Broker):
    """The broker of an installation as a process of ours, for demo and tests."""

    def __init__(self, installation: Installation) -> None:
        self.wire = installation.wire
        self._installation = installation
        self._config = installation.folder / "broker" / mosquitto.CONFIG
        self._log = installation.folder / "broker" / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        self._installation.prepare()
        super().start()


@contextmanager
def opened(config: Config) -> Iterator[Installation]:
    """Open the installation for as long as a command works on it; say what is wrong where there is none."""
    if not config.identity.folder:
        raise click.ClickException(
            "identity.folder is not set; `menshen controller init` makes an installation and says what to set"
        )
    try:
        with Installation(Path(config.identity.folder)) as installation:
            yield installation
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@configured_by(read)
@click.option("--host", default=socket.getfqdn, help="Name or address by which gates reach this machine. 本机地址")
@click.option(
    "--gates", type=click.IntRange(1, 65535), default=8883, show_default=True, help="Broker's port for gates. 门机端口"
)
@click.option(
    "--own", type=click.IntRange(1, 65535), default=8884, show_default=True, help="Broker's port on loopback. 本机端口"
)
@click.option(
    "--enrol",
    type=click.IntRange(1, 65535),
    default=enrolment.PORT,
    show_default=True,
    help="Where gates enrol. 入网端口",
)
def init(*, config: Config, host: str, gates: int, own: int, enrol: int) -> None:
    """Make the authority and a hardened broker; again, write the broker anew. 创建签发机构和加固的 mosquitto 配置"""
    folder = Path(config.identity.folder or Path(config.store.path).with_name(AUTHORITY))
    try:
        made = Installation.make(folder, Doors(host=host, gates=gates, own=own, enrol=enrol))
    except (AuthorityError, BrokerError) as error:
        raise click.ClickException(str(error)) from error
    made.close()
    click.echo(f"{made.folder}: gates reach this machine as {host} / 门机以 {host} 访问本机")
    if not config.identity.folder:
        click.echo(
            "For controller.toml, where there is one, in place of [wire] / 请写入 controller.toml，替代 [wire]：\n\n"
            f"[identity]\nfolder = {msgspec.json.encode(str(made.folder)).decode()}"
        )
