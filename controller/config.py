"""Every setting of the controller: default, unit, range and meaning stand together.

`menshen controller settings` prints them all as a commented file; an unknown key or a value out of range is refused by
name. Every command reads them through `configured`.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec
from msgspec import Meta, Struct

from controller import doors
from controller.oidc.settings import OidcSection, complaint
from controller.regions import Path as Region
from device import settings
from device.wire.link import Wire
from device.wire.messages import Id
from device.wire.words import Language

VARIABLE: Final = "MENSHEN_CONTROLLER"
SYSTEM: Final = Path("/etc/menshen/controller.toml")
AUTHORITY: Final = "authority"  # the installation's folder, beside the database


Severity = Literal["info", "warning", "critical"]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class StoreSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Where events and alerts are kept."""

    path: Annotated[str, Meta(description="the SQLite database; any SQLite tool may read it")] = (
        "/var/lib/menshen/controller.db"
    )
    retention_days: Annotated[
        int, Meta(ge=0, le=3650, description="days until nothing that names a person is left; 0: kept for ever")
    ] = 14


class RulesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """When something becomes an alert, and for how long."""

    abnormal_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds an abnormal code keeps its alert open after the last one")
    ] = 600.0
    quarantine_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds a message in quarantine keeps its alert open after the last")
    ] = 600.0
    unscanned_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds one who went in unscanned keeps its alert open after the last")
    ] = 600.0
    passback_s: Annotated[
        float,
        Meta(ge=60, le=1209600, description="seconds within which a code let in twice without going out conflicts"),
    ] = 86400.0
    offline_grace_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a gate may be offline before it is an alert")
    ] = 15.0
    clock_grace_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds a gate may not know the time before it is an alert")
    ] = 60.0
    refused_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds a refused attempt keeps its alert open after the last one")
    ] = 600.0
    repeated_tries: Annotated[
        int, Meta(ge=2, le=5, description="wrong tries in a row, at one entrance or with one code, that are too many")
    ] = 5
    repeated_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds too many wrong tries keep their alert open after the last")
    ] = 600.0
    temperature_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds a high temperature keeps its alert open after the last one")
    ] = 600.0
    scan_rate_low: Annotated[
        float, Meta(ge=0, le=1, description="share of passages with a grant, within an hour, below which is an alert")
    ] = 0.9
    scan_rate_passages: Annotated[
        int, Meta(ge=1, le=100000, description="passages within an hour that make a share worth telling")
    ] = 20
    unused_grants: Annotated[
        int, Meta(ge=1, le=1000, description="grants on which nobody goes through that are an alert")
    ] = 3
    unused_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds an unused grant counts after the last one")
    ] = 600.0
    fault_grace_s: Annotated[float, Meta(ge=0, le=3600, description="seconds a gate has to mend a fault by itself")] = (
        10.0
    )
    drift_grace_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds a gate that is online has to take a new policy")
    ] = 120.0
    flood_per_minute: Annotated[
        int,
        Meta(
            ge=60, le=1000000, description="events of an entrance in one minute, happening then, beyond which it floods"
        ),
    ] = 1200
    flood_hold_s: Annotated[
        float, Meta(ge=1, le=86400, description="seconds a flood keeps its alert open after the last message too many")
    ] = 600.0
    silent_s: Annotated[
        float, Meta(ge=0, le=86400, description="seconds without any event, in open hours, that are an alert; 0: never")
    ] = 14400.0


class AlertsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of an alert that is open."""

    escalate_critical_s: Annotated[
        float, Meta(ge=0, le=86400, description="seconds for somebody to acknowledge a critical alert; 0: for ever")
    ] = 120.0
    escalate_warning_s: Annotated[float, Meta(ge=0, le=86400, description="seconds for a warning, likewise")] = 900.0
    escalate_info_s: Annotated[
        float, Meta(ge=0, le=86400, description="seconds for an alert that only informs, likewise")
    ] = 0.0
    again_s: Annotated[
        float,
        Meta(ge=60, le=604800, description="seconds until what was resolved by hand is raised again if still true"),
    ] = 3600.0
    update_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="seconds between two messages about one alert that only counts on"),
    ] = 5.0

    @property
    def shortest_s(self) -> float:
        """Return the shortest that anybody has to take an alert on; endless where nothing is escalated."""
        given = (self.escalate_critical_s, self.escalate_warning_s, self.escalate_info_s)
        return min((each for each in given if each), default=math.inf)

    def patience_s(self, severity: str) -> float:
        """Return how long somebody has to take an alert on."""
        return {"critical": self.escalate_critical_s, "warning": self.escalate_warning_s}.get(
            severity, self.escalate_info_s
        )


class Capacity(Struct, frozen=True, forbid_unknown_fields=True):
    """How many may be inside a site."""

    site: Id
    people: Annotated[int, Meta(ge=1, le=1_000_000)]


@functools.lru_cache(maxsize=64)  # it takes longer than all else that is asked of a passage
def _day(begins: str, minute: datetime) -> str:
    hours, minutes = begins.split(":")
    return str((minute.astimezone() - timedelta(hours=int(hours), minutes=int(minutes))).date())


class PeopleSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is inside a site, as its gates with beams or a turnstile's word count them."""

    capacity: Annotated[
        tuple[Capacity, ...],
        Meta(
            description="sites that can be full; their gates are told, and decide",
            examples=[(Capacity(site="expo", people=500),)],
        ),
    ] = ()
    day_begins: Annotated[
        str,
        Meta(
            description="HH:MM by this machine's clock, at which nobody is inside: no count stays right for ever",
            pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        ),
    ] = "04:00"

    def day(self, moment: datetime) -> str:
        """Return the day that a moment belongs to."""
        return _day(self.day_begins, moment.replace(second=0, microsecond=0))

    def people(self, site: str) -> int:
        """Return how many may be inside a site; 0: any number."""
        return next((each.people for each in self.capacity if each.site == site), 0)


class IdentitySection(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may speak on the broker."""

    folder: Annotated[
        str,
        Meta(
            description="folder that `menshen controller init` made, which also says where the broker is, in place of "
            "[wire]; without it anybody may speak on the broker",
            examples=["/var/lib/menshen/authority"],
        ),
    ] = ""


class HomeAssistantSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Entrances as devices of Home Assistant, by MQTT discovery; see docs/integrations.md."""

    enabled: Annotated[bool, Meta(description="whether the devices are said at all")] = False
    prefix: Annotated[
        str, Meta(pattern=r"^(?!menshen$)[A-Za-z0-9_-]+\Z", description="the discovery prefix Home Assistant is set to")
    ] = "homeassistant"
    commands: Annotated[
        bool, Meta(description="whether there are buttons for the commands that a gate obeys: [commands] allow, there")
    ] = False
    language: Annotated[Language, Meta(description="of the entities' names")] = "zh"


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """One way out to people."""

    name: Id
    urls: Annotated[str, Meta(description="file with one Apprise URL a line, which nobody else may read")]
    kinds: Annotated[tuple[str, ...], Meta(description="kinds of alert; none: all")] = ()
    severity: Annotated[Severity, Meta(description="the least that is told")] = "warning"
    places: Annotated[tuple[str, ...], Meta(description="site or site/entrance; none, and no regions: all")] = ()
    regions: Annotated[
        tuple[Region, ...], Meta(description="regions with all below them, such as zhejiang/hangzhou, beside places")
    ] = ()
    from_: Annotated[TimeOfDay, Meta(description="HH:MM")] = "00:00"
    to: Annotated[TimeOfDay, Meta(description="HH:MM; the same as from: all day; less: past midnight")] = "00:00"
    language: Annotated[Language, Meta(description="of what is told")] = "zh"
    recovered: Annotated[bool, Meta(description="whether it is also told that an alert is over")] = True
    messages: Annotated[int, Meta(ge=1, le=1000, description="messages in a window; what is more is told together")] = 5
    window_s: Annotated[float, Meta(ge=0, le=86400, description="seconds of a window")] = 60.0


class NotifySection(Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts go, beside MQTT; see docs/integrations.md."""

    timezone: Annotated[str, Meta(description="IANA name; the routes' hours are read in it")] = "Asia/Shanghai"
    route: Annotated[
        tuple[Route, ...],
        Meta(
            description="ways out to people, or each as a table [[notify.route]]; urls: a file with one Apprise URL a "
            "line; severity: the least; from and to: hours; what is more than messages in window_s is told together",
            examples=[(Route(name="duty-room", urls="/etc/menshen/duty-room.urls", places=("expo",)),)],
        ),
    ] = ()


class MetricsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers for Prometheus, on loopback; see docs/integrations.md."""

    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port of /metrics, such as 9478; 0: none")] = 0


class PassesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What signs the passes issued here."""

    issuer: Annotated[str, Meta(description="folder with the issuer's private keys")] = "/var/lib/menshen/issuer"
    site_key: Annotated[
        str, Meta(description="file with the site's secret, 32 bytes or more, the same as the gates'")
    ] = "/etc/menshen/site.key"


class WebSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The operators' pages, which want a name and a password: `menshen user add`."""

    enabled: Annotated[bool, Meta(description="whether the pages are served, by a process of their own")] = False
    host: Annotated[
        str,
        Meta(description="where they are served, unencrypted: for other machines put a proxy with TLS before it"),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="its TCP port")] = 8471
    oidc: OidcSection = OidcSection()


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One controller."""

    store: StoreSection = StoreSection()
    wire: Wire = msgspec.field(default_factory=Wire)
    identity: IdentitySection = IdentitySection()
    rules: RulesSection = RulesSection()
    alerts: AlertsSection = AlertsSection()
    people: PeopleSection = PeopleSection()
    homeassistant: HomeAssistantSection = HomeAssistantSection()
    notify: NotifySection = NotifySection()
    metrics: MetricsSection = MetricsSection()
    passes: PassesSection = PassesSection()
    web: WebSection = WebSection()


def read(path: Path | None) -> Config:
    """Read the file asked for, or $MENSHEN_CONTROLLER, or /etc/menshen/controller.toml; without any, the user's own.

    Raise SettingsError naming what to change.
    """
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None and SYSTEM.exists():
        named = SYSTEM
    config = settings.load(Config, named) if named else _own()
    try:
        ZoneInfo(config.notify.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise settings.SettingsError(
            f"{named}: notify.timezone: {config.notify.timezone!r} is no IANA time zone, such as Asia/Shanghai"
        ) from error
    if wrong := complaint(config.web.oidc):
        raise settings.SettingsError(f"{named}: {wrong}")
    if config.identity.folder and config.wire != Wire():
        raise settings.SettingsError(f"{named}: identity.folder says where the broker is: leave out [wire]")
    return config


def load(path: Path | None) -> Config:
    """Read it for a program at work: [wire] is the installation's, where there is one."""
    config = read(path)
    if not config.identity.folder:
        return config
    folder = Path(config.identity.folder)
    try:
        wire = doors.wire(folder, doors.read(folder))
    except (OSError, msgspec.MsgspecError) as error:
        raise settings.SettingsError(
            f"identity.folder: {folder / doors.FILE}: {error}; run this as the owner of the folder, or let "
            "`menshen controller init` make it"
        ) from error
    return msgspec.structs.replace(config, wire=wire)


def _own() -> Config:
    """Return the defaults for someone who only tries it out: everything below their home."""
    home = Path.home() / ".local/share/menshen"
    click.echo(f"no {SYSTEM} and no --config: keeping everything in {home}", err=True)
    made = (home / AUTHORITY / doors.FILE).exists()
    return Config(
        store=StoreSection(path=str(home / "controller.db")),
        identity=IdentitySection(folder=str(home / AUTHORITY) if made else ""),
        passes=PassesSection(issuer=str(home / "issuer"), site_key=str(home / "site.key")),
    )


def configured_by(reader: Callable[[Path | None], Config]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what gives a command `--config FILE`; it receives a Config as `config`."""

    def called_back(_context: click.Context, _option: click.Parameter, path: Path | None) -> Config:
        try:
            return reader(path)
        except settings.SettingsError as error:
            raise click.ClickException(str(error)) from error

    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        callback=called_back,
        help=f"The controller's configuration; otherwise ${VARIABLE}, then {SYSTEM}. 配置文件",
    )


configured: Final = configured_by(load)
