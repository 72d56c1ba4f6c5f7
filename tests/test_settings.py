"""Settings: what a typo, a wrong value or a missing file is answered with, and the example that ships."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from device.config import Config, GateSection, load
from device.settings import SettingsError, example
from device.wire.hours import Interval

ROOT = Path(__file__).resolve().parents[1]
GATE = '[gate]\nsite = "expo"\nentrance = "north-gate"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gate.toml"


def complaint(file: Path, text: str) -> str:
    """Return what is said about a file with this text."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    return said.removeprefix(f"{file}: ")


def test_a_small_file_is_enough(file: Path) -> None:
    file.write_text(GATE)
    assert load(file) == Config(gate=GateSection(site="expo", entrance="north-gate"))


def test_settings_are_read(file: Path) -> None:
    file.write_text(
        GATE + '[turnstile]\npulse_ms = 500\n[duty]\nhours = [{days = "sat", from = "09:00", to = "17:30"}]\n'
    )
    config = load(file)
    assert config.turnstile.pulse_ms == 500
    assert config.duty.hours == (Interval("sat", "09:00", "17:30"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[turnstyle]\n", "unknown setting turnstyle; did you mean turnstile?"),
        ("[turnstile]\npuls_ms = 300\n", "unknown setting turnstile.puls_ms; did you mean turnstile.pulse_ms?"),
        (
            '[duty]\nhours = [{days = "sat"}, {days = "sun", form = "09:00"}]\n',
            "unknown setting duty.hours[1].form; did you mean duty.hours[1].from?",
        ),
        (
            "[turnstile]\nxyzzy = 1\n",
            "unknown setting turnstile.xyzzy; known here: free_exit, held_s, pulse_ms, release_s, scanned",
        ),
    ],
)
def test_an_unknown_setting_is_named_with_the_nearest(file: Path, text: str, said: str) -> None:
    assert complaint(file, GATE + text) == said


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[turnstile]\npulse_ms = 50\n", ("turnstile.pulse_ms: ", "allowed: 100 to 500", "milliseconds")),
        ("[thermometer]\nhigh_c = nan\n", ("thermometer.high_c: ", "allowed: 35 to 42", "degrees Celsius")),
        ("[thermometer]\nhigh_c = 1e999\n", ("thermometer.high_c: ", "allowed: 35 to 42")),
        ("[pins]\nrelay = 1\n", ("pins.relay: ", "allowed: 2 to 27", "BCM number")),
        ("[camera]\ndriver = 'webcam'\n", ("camera.driver: ", "'webcam'", "emulated, film, picamera2, usb")),
        ("[camera]\nfps = '30'\n", ("camera.fps: Expected `integer`, got `string`", "allowed: 1 to 120")),
        ("[wire]\nport = true\n", ("wire.port: Expected `integer`, got `boolean`",)),
        ("wire = 3\n", ("gate.wire",)),  # it stands below [gate], where no wire is known
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(file: Path, text: str, parts: tuple[str, ...]) -> None:
    said = complaint(file, GATE + text)
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    ("hours", "start"),
    [
        ('[{days = "mon-fri", from = 08:00:00}]', "duty.hours[0].from: Expected `string`, got `time`"),
        ('[{from = "8"}]', "duty.hours[0]: from '8'"),
        ('[{days = "mondays"}]', "duty.hours[0]: days 'mondays': write mon-fri"),
        ('{days = "mon-fri"}', "duty.hours: Expected `array`, got `table`"),
        ("[3]", "duty.hours[0]: Expected `table`, got `integer`"),
    ],
)
def test_wrong_hours_are_answered_with_a_sample(file: Path, hours: str, start: str) -> None:
    said = complaint(file, f"{GATE}[duty]\nhours = {hours}\n")
    assert said.startswith(start)
    assert 'such as [{ days = "mon-fri", from = "08:00", to = "18:00" }' in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "gate: must be set"),
        ('[gate]\nsite = "expo"\n', "gate.entrance: must be set; id of the entrance"),
        ('[gate]\nsite = ""\nentrance = "north"\n', "gate.site: Expected `string` of length >= 2; id of the site"),
        ('[gate]\nsite = "expo\\n"\nentrance = "north"\n', "gate.site: Expected `string` matching"),
        ('[gate]\nsite = "Expo"\nentrance = "north"\n', "gate.site: Expected `string` matching"),
        ("[gate\n", "not a TOML file: "),
        (GATE + GATE, "not a TOML file: "),
        ("a = " + "[" * 100_000, "not a TOML file: nested too deep"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(file: Path, text: str, said: str) -> None:
    assert complaint(file, text).startswith(said)


def test_a_file_that_is_not_text_says_so(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not a TOML file"):
        load(file)


@pytest.mark.parametrize("name", ["nowhere.toml", "."])
def test_a_file_that_cannot_be_read_names_the_option(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read .*; say where it is with --config"):
        load(tmp_path / name)


@pytest.mark.parametrize("zone", ["Asia/Beijing", "", "Asia", "../../etc/passwd", "a\\u0000b", "x" * 5000])
def test_a_time_zone_nobody_knows_is_refused(file: Path, zone: str) -> None:
    said = complaint(file, f'{GATE}timezone = "{zone}"\n')
    assert said.startswith("gate.timezone: ")
    assert said.endswith("is no IANA time zone, such as Asia/Shanghai")


def test_two_parts_on_one_pin_are_refused(file: Path) -> None:
    assert complaint(file, GATE + "[pins]\nbuzzer = 17\n") == "pins.buzzer and pins.relay are both 17"


def test_pins_that_are_not_wired_do_not_clash(file: Path) -> None:
    file.write_text(GATE + "[pins]\nbeam_outer = 0\nbeam_inner = 0\n")
    assert load(file).pins.beam_outer == 0


def test_a_low_temperature_above_the_high_one_is_refused(file: Path) -> None:
    said = complaint(file, GATE + "[thermometer]\nlow_c = 36\nhigh_c = 35\n")
    assert said == "thermometer.low_c must be below thermometer.high_c"


def test_the_example_that_ships_is_what_the_program_knows() -> None:
    shipped = (ROOT / "systemd" / "gate.toml").read_text(encoding="utf-8")
    assert shipped == example(Config), "write it anew: ./menshen gate settings > systemd/gate.toml"


def test_the_example_can_be_used_as_it_is() -> None:
    assert load(ROOT / "systemd" / "gate.toml") == Config(gate=GateSection(site="expo", entrance="north-gate"))


def test_every_line_of_the_example_can_be_uncommented(file: Path) -> None:
    lines = [line.removeprefix("# ") for line in example(Config).splitlines() if " = " in line or line.startswith("[")]
    file.write_text("\n".join(lines), encoding="utf-8")
    config = load(file)
    assert [interval.days for interval in config.duty.hours] == ["mon-fri", "sat,sun"]
    assert config == Config(gate=config.gate, duty=config.duty)
    sections = msgspec.structs.astuple(config)
    assert len(lines) == len(sections) + sum(len(msgspec.structs.fields(section)) for section in sections)
