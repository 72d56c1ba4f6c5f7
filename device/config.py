"""Every setting of a gate: default, unit, range and meaning stand together.

`menshen gate settings` prints them all as a commented file; an unknown key or a value out of range is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec
from msgspec import Meta, Struct

from device import settings
from device.codes.upstream import Fallback
from device.passback import ReentrySection
from device.poster import Watch
from device.wire.hours import Interval
from device.wire.link import Wire
from device.wire.messages import Id, Verb

named = click.option(  # what every command of a gate takes, as `path`
    "--config", "path", type=click.Path(path_type=Path), default="/etc/menshen/gate.toml", show_default=True,
    help="The gate's configuration. 配置文件",
)  # fmt: skip

Pin = Annotated[int, Meta(ge=2, le=27, description="BCM number of a GPIO pin")]


def _text(meaning: str, *samples: object) -> Meta:
    return Meta(description=meaning, examples=list(samples))


class GateSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Which entrance this is."""

    site: Annotated[Id, _text("id of the site: 2 to 32 of a-z and 0-9, single hyphens inside", "expo")]
    entrance: Annotated[Id, _text("id of the entrance within the site, written alike", "north-gate")]
    timezone: Annotated[str, _text("IANA name; duty hours are read in it")] = "Asia/Shanghai"
    language: Annotated[Literal["zh", "en"], _text("what people at the gate read first")] = "zh"
    data: Annotated[str, _text("folder for the spool and the trust this gate holds")] = "/var/lib/menshen"
    clock: Annotated[
        Literal["ntp", "battery"],
        _text("ntp: time is believed once NTP has checked it; battery: the machine's clock has one, and is right"),
    ] = "ntp"
    site_key: Annotated[str, _text("file with the site's secret, 32 bytes or more; it keys the hash of every code")] = (
        "/etc/menshen/site.key"
    )


class CameraSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The camera that reads codes."""

    driver: Annotated[Literal["picamera2", "usb", "film", "emulated"], _text("which camera")] = "picamera2"
    source: Annotated[str, _text("usb: device number or path; film: file or folder; emulated: the scene file")] = ""
    width: Annotated[int, Meta(ge=160, le=4096, description="pixels")] = 1280
    height: Annotated[int, Meta(ge=120, le=4096, description="pixels")] = 720
    fps: Annotated[int, Meta(ge=1, le=120, description="frames a second")] = 30
    stall_s: Annotated[float, Meta(ge=0.5, le=60, description="seconds without a frame before it is restarted")] = 3.0


class DecoderSection(Struct, frozen=True, forbid_unknown_fields=True):
    """How hard to look for codes in a frame."""

    budget_ms: Annotated[
        float, Meta(ge=1, le=1000, description="milliseconds of looking per frame, beyond the quick looks")
    ] = 4.0
    gone_s: Annotated[float, Meta(ge=0.2, le=60, description="seconds out of view until it may be reported again")] = (
        2.0
    )


class ThermometerSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The contactless thermometer. It screens; it is not a medical device."""

    driver: Annotated[Literal["mlx90614", "emulated", "none"], _text("which thermometer")] = "none"
    source: Annotated[str, _text("emulated: the scene file")] = ""
    bus: Annotated[int, Meta(ge=0, le=20, description="I2C bus number")] = 1
    mode: Annotated[Literal["off", "advise", "require"], _text("advise notes; require refers high and unknown")] = "off"
    high_c: Annotated[float, Meta(ge=35, le=42, description="degrees Celsius, high from here on")] = 37.3
    low_c: Annotated[float, Meta(ge=20, le=36, description="degrees Celsius, below it measure again")] = 34.0
    offset_c: Annotated[
        float, Meta(ge=-5, le=5, description="degrees Celsius added to every reading, as calibrated")
    ] = 0.0
    wait_s: Annotated[
        float, Meta(ge=0, le=10, description="seconds a good code waits for a temperature where it is required")
    ] = 3.0
    drift_c: Annotated[
        float,
        Meta(ge=0, le=50, description="degrees Celsius between wall and sensor for two hours mean drift; 0: never"),
    ] = 10.0


class PinsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The GPIO pins, and what stands behind them. 0 in an optional pin means: not wired."""

    driver: Annotated[Literal["lgpio", "mock"], _text("lgpio on a Pi; mock anywhere, for emulated parts")] = "lgpio"
    relay: Pin = 17
    lamp_red: Pin = 22
    lamp_green: Pin = 23
    lamp_blue: Pin = 24
    buzzer: Pin = 18
    staff_button: Pin = 5
    beam_outer: Annotated[int, Meta(ge=0, le=27, description="BCM number, 0: not wired")] = 0
    beam_inner: Annotated[int, Meta(ge=0, le=27, description="BCM number, 0: not wired")] = 0
    turnstile_passed: Annotated[int, Meta(ge=0, le=27, description="BCM number, 0: not wired")] = 0
    door: Annotated[
        int, Meta(ge=0, le=27, description="contact that opens with the door; BCM number, 0: not wired")
    ] = 0
    presence: Annotated[int, Meta(ge=0, le=27, description="BCM number, 0: not wired")] = 0
    fire: Annotated[int, Meta(ge=0, le=27, description="contact that opens on fire; BCM number, 0: not wired")] = 0
    tamper: Annotated[
        int, Meta(ge=0, le=27, description="contact that opens with the lid; BCM number, 0: not wired")
    ] = 0

    @property
    def closed(self) -> tuple[int, ...]:
        """The contacts that are closed while all is well."""
        return (self.fire, self.tamper, self.door)


class TurnstileSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The turnstile."""

    pulse_ms: Annotated[int, Meta(ge=100, le=500, description="milliseconds the relay is held")] = 300
    release_s: Annotated[float, Meta(ge=1, le=60, description="seconds a grant waits for someone to go through")] = 8.0
    scanned: Annotated[
        Literal["in", "out", "both"],
        _text("which way a code is asked for; through an exit nobody comes in, out of an entrance everybody may go"),
    ] = "in"
    held_s: Annotated[
        float, Meta(ge=2, le=119, description="seconds someone may stand in the beams, or the door stand open")
    ] = 20.0
    free_exit: Annotated[
        bool,
        _text("true: people leave by the door of pins.door without a code, so that its opening alone is not forced"),
    ] = False


class DutySection(Struct, frozen=True, forbid_unknown_fields=True):
    """When the entrance must be guarded. Outside these hours nobody is missed."""

    hours: Annotated[
        tuple[Interval, ...],
        _text(
            "intervals; days as mon-fri or sat,sun; times as HH:MM",
            (Interval("mon-fri", "08:00", "18:00"), Interval("sat,sun", "09:00", "17:00")),
        ),
    ] = ()
    grace_s: Annotated[float, Meta(ge=1, le=3600, description="seconds unguarded before it is flagged")] = 120.0
    shift_s: Annotated[float, Meta(ge=60, le=86400, description="seconds a check-in counts")] = 43200.0
    handover_s: Annotated[
        float, Meta(ge=0, le=3600, description="seconds between two guards' badges that make it a handover")
    ] = 300.0
    prompt_s: Annotated[
        float, Meta(ge=0, le=86400, description="seconds on average from one prompt to the next; 0: none")
    ] = 0.0
    pat_s: Annotated[float, Meta(ge=5, le=600, description="seconds to answer a prompt by the staff button")] = 60.0
    decide_s: Annotated[
        float, Meta(ge=1, le=600, description="seconds a guard may admit whom the gate did not, by hand")
    ] = 30.0
    rotating_badges: Annotated[
        bool, _text("only a badge with a fresh screen counts: a photographed one is nothing")
    ] = False


class RulesSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What the entrance asks of a person."""

    answer_s: Annotated[float, Meta(ge=0.2, le=30, description="seconds the lamp shows a verdict")] = 3.0
    screen_s: Annotated[float, Meta(ge=5, le=300, description="seconds a rotating screen stays good")] = 30.0
    skew_s: Annotated[float, Meta(ge=0, le=120, description="seconds two clocks may differ")] = 5.0
    pieces_s: Annotated[float, Meta(ge=5, le=300, description="seconds from one piece of a code to the next")] = 30.0
    unkept: Annotated[
        Literal["refer", "release"],
        _text("who has a good code while nothing can be recorded: refer to the guard, or release unrecorded"),
    ] = "refer"


class CrowdSection(Struct, frozen=True, forbid_unknown_fields=True):
    """How many people wait: an estimate by picture, codes and beam, which lets in and keeps out nobody."""

    mode: Annotated[Literal["off", "on"], _text("on: estimate it, and raise crowding")] = "off"
    threshold: Annotated[int, Meta(ge=2, le=50, description="people who wait from which on it is crowded")] = 4
    hold_s: Annotated[float, Meta(ge=0, le=3600, description="seconds it must last, and be over as long")] = 20.0
    line: Annotated[
        float,
        Meta(ge=0, le=0.98, description="where the 1-metre line lies in the picture: its row / the height; 0: none"),
    ] = 0.0


class PosterSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The entrance's own printed code."""

    watch: Annotated[
        Watch, _text("in_view: it hangs before this camera; daily: a guard holds it up once a day; off: nobody looks")
    ] = "off"
    missing_s: Annotated[
        float, Meta(ge=4, le=86400, description="in_view: seconds without movement in which it was not read")
    ] = 600.0
    foreign_s: Annotated[
        float, Meta(ge=4, le=86400, description="in_view: seconds another code may stay before the camera")
    ] = 300.0
    check: Annotated[
        str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", description="daily: held up for this time, HH:MM")
    ] = "08:00"
    grace_s: Annotated[float, Meta(ge=0, le=36000, description="daily: seconds later it may be held up")] = 1800.0


class UpstreamSection(Struct, frozen=True, forbid_unknown_fields=True):
    """A server that judges codes which no gate can judge alone. Codes that the gate knows never wait for it."""

    url: Annotated[str, _text("where it answers a POST; empty: nobody is asked")] = ""
    owns: Annotated[tuple[str, ...], _text("how the texts begin that it is asked about")] = ()
    answer_s: Annotated[float, Meta(ge=0.2, le=10, description="seconds it may take")] = 2.0
    fallback: Annotated[Fallback, _text("what becomes of a code without an answer")] = "refer"
    field: Annotated[str, _text("the member of its answer that says the colour")] = "colour"
    green: Annotated[tuple[str, ...], _text("what it calls green, which admits")] = ("green",)
    yellow: Annotated[tuple[str, ...], _text("what it calls yellow, which is referred")] = ("yellow",)
    red: Annotated[tuple[str, ...], _text("what it calls red, which is refused")] = ("red",)
    token: Annotated[str, _text("file with a bearer token, where it wants one")] = ""
    ca: Annotated[str, _text("file with its authority's certificate; empty: those of the system")] = ""


class ScreenSection(Struct, frozen=True, forbid_unknown_fields=True):
    """The visitor's screen, a page that a browser on a small display shows. It speaks gate.language first."""

    enabled: Annotated[bool, _text("true where there is a display; without one nothing runs for it")] = False
    host: Annotated[
        str, _text("address it is served at; beyond this machine the page is without the live picture", "127.0.0.1")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port")] = 8480


class CommandsSection(Struct, frozen=True, forbid_unknown_fields=True):
    """What the controller may command. Whoever has its key can then do it from afar."""

    allow: Annotated[
        tuple[Verb, ...],
        _text('"identify" shows and sounds which gate this is; "open" lets one person through, so add it knowingly'),
    ] = ("identify",)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """One gate."""

    gate: GateSection
    wire: Wire = msgspec.field(default_factory=Wire)
    camera: CameraSection = CameraSection()
    decoder: DecoderSection = DecoderSection()
    thermometer: ThermometerSection = ThermometerSection()
    pins: PinsSection = PinsSection()
    turnstile: TurnstileSection = TurnstileSection()
    duty: DutySection = DutySection()
    rules: RulesSection = RulesSection()
    reentry: ReentrySection = ReentrySection()
    commands: CommandsSection = CommandsSection()
    upstream: UpstreamSection = UpstreamSection()
    crowd: CrowdSection = CrowdSection()
    poster: PosterSection = PosterSection()
    screen: ScreenSection = ScreenSection()


def load(path: Path) -> Config:
    """Read a gate's configuration; raise SettingsError naming what to change."""
    config = settings.load(Config, path)
    try:
        ZoneInfo(config.gate.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise settings.SettingsError(
            f"{path}: gate.timezone: {config.gate.timezone!r} is no IANA time zone, such as Asia/Shanghai"
        ) from error
    if config.thermometer.low_c >= config.thermometer.high_c:
        raise settings.SettingsError(f"{path}: thermometer.low_c must be below thermometer.high_c")
    used: dict[int, str] = {}
    for name in msgspec.structs.fields(config.pins):
        number = getattr(config.pins, name.name)
        if isinstance(number, int) and number:
            if number in used:
                raise settings.SettingsError(f"{path}: pins.{name.name} and pins.{used[number]} are both {number}")
            used[number] = name.name
    return config
