"""The folder of one installation: its authority, its book, its broker, and the doors by which they are reached."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Annotated, Final, Self

import click
import msgspec
from msgspec import Meta, Struct

from controller import mosquitto
from controller.authority import Authority, AuthorityError, replace_secret
from controller.broker import Broker, BrokerError
from controller.ledger import Ledger
from device.wire import enrolment
from device.wire.link import Wire

FOLDER: Final = Path("/var/lib/menshen/authority")
HERE: Final = "127.0.0.1"


class Doors(Struct, frozen=True, forbid_unknown_fields=True):
    """Where this machine is reached: by gates under its name, by its own programs on loopback. Ports are TCP."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    gates: int = 8883  # the broker, for gates; MQTT over TLS as IANA has it
    own: int = 8884  # the broker, for the controller's programs
    enrol: int = enrolment.PORT  # where new gates ask for a certificate


class Installation:
    """What `menshen controller init` made."""

    def __init__(self, folder: Path) -> None:
        """Open it; raise AuthorityError naming the fix."""
        self.folder = folder.absolute()
        self.authority = Authority(folder)
        try:
            self.doors = msgspec.json.decode((folder / "doors.json").read_bytes(), type=Doors)
        except (OSError, msgspec.MsgspecError) as error:
            raise AuthorityError(f"{folder}/doors.json: {error}; `menshen controller init` writes it anew") from error
        try:
            self.ledger = Ledger(self.folder / "ledger.db")
        except (OSError, sqlite3.Error) as error:
            raise AuthorityError(f"{folder}/ledger.db: {error}; run this as the owner of the folder") from error

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
        replace_secret(folder / "doors.json", msgspec.json.encode(doors))
        return cls(folder)

    @property
    def wire(self) -> Wire:
        """Return how the controller's own programs reach the broker."""
        ca, pair = str(self.folder / "ca.crt"), str(self.folder / "controller.pem")
        return Wire(host=HERE, port=self.doors.own, ca=ca, certificate=pair)

    def prepare(self) -> Path:
        """Write the roles for mosquitto's next start, from the book, and return its configuration."""
        mosquitto.write_roles(self.folder / "broker", self.ledger.names())
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


folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="签发机构所在目录"
)


@click.command()
@folder_option
@click.option("--host", default=socket.getfqdn, help="Name or address by which gates reach this machine. 本机地址")
@click.option("--gates", type=click.IntRange(1, 65535), default=8883, show_default=True, help="Broker's port for gates")
@click.option("--own", type=click.IntRange(1, 65535), default=8884, show_default=True, help="Broker's port on loopback")
@click.option("--enrol", type=click.IntRange(1, 65535), default=enrolment.PORT, show_default=True, help="入网端口")
def init(*, folder: Path, host: str, gates: int, own: int, enrol: int) -> None:
    """Make the authority and a hardened broker; again, write the broker anew. 创建签发机构和加固的 mosquitto 配置"""
    try:
        made = Installation.make(folder, Doors(host=host, gates=gates, own=own, enrol=enrol))
    except (AuthorityError, BrokerError) as error:
        raise click.ClickException(str(error)) from error
    made.close()
    click.echo(
        f"{made.folder}: gates reach this machine as {host}. For controller.toml / 请写入 controller.toml：\n\n[wire]"
    )
    for name in ("host", "port", "ca", "certificate"):
        click.echo(f"{name} = {msgspec.json.encode(getattr(made.wire, name)).decode()}")
