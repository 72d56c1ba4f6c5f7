from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from jinja2 import Environment
from jinja2.sandbox import SandboxedEnvironment

from controller import rules
from controller.broker import Broker
from controller.config import Config, HomeAssistantSection, IdentitySection
from controller.homeassistant import Seen, discovery, documents, object_id
from controller.installation import Installation
from controller.store import Store
from device.commands import Commands
from device.wire.link import Wire
from device.wire.messages import Alert, Info, Place, Text
from menshen import main
from tests.attacker import connect, publish, subscribe
from tests.bystanders import PLACE, Ear, Gate, configured, running
from tests.guarded import Ear as GuardedEar
from tests.guarded import Guarded, guarded

ON = HomeAssistantSection(enabled=True, commands=True, language="en")
CONFIG = "homeassistant/device/menshen_expo_north/config"
ALERTS = "homeassistant/device/menshen_expo_north/alerts"
# What Home Assistant 2024.11 and later takes of each platform, beside what all take: its own schemas refuse any other.
COMMON = {
    "platform", "name", "unique_id", "state_topic", "value_template", "availability_topic", "availability_template",
    "entity_category", "device_class", "json_attributes_topic", "qos",
}  # fmt: skip
TAKES = {
    "sensor": COMMON | {"options", "state_class"},
    "binary_sensor": COMMON,
    "event": COMMON | {"event_types"},
    "button": (COMMON - {"state_topic", "value_template"}) | {"command_topic", "command_template", "retain"},
}
NEEDS = {"sensor": "state_topic", "binary_sensor": "state_topic", "event": "event_types", "button": "command_topic"}


def seen(**fields: Any) -> Seen:
    return Seen(**({"place": PLACE, "zh": "北门", "en": "North gate", "commands": ("open", "identify")} | fields))


def alert(kind: str, severity: Any = "warning") -> Alert:
    at = datetime(2026, 11, 24, 1, 15, tzinfo=UTC)
    what, then = Text("无人", "nobody"), Text("派人", "send one")
    return Alert(
        kind=kind, site="expo", entrance="north", severity=severity, since=at, updated=at, count=1, what=what,
        next_step=then,
    )  # fmt: skip


def components(settings: HomeAssistantSection = ON, **fields: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = discovery(seen(**fields), settings, alerts=ALERTS)["components"]
    return found


def test_every_entity_has_what_its_platform_needs_and_nothing_it_refuses() -> None:
    for name, entity in components().items():
        platform = entity["platform"]
        assert NEEDS[platform] in entity, name
        assert entity.keys() <= TAKES[platform], name
        assert entity["unique_id"].startswith("menshen_expo_north_")


def test_every_alert_and_every_kind_of_event_has_an_entity() -> None:
    found = components()
    assert {f"alert_{kind}" for kind in rules.RULES} <= found.keys()
    assert found["event_scan"]["event_types"] == ["grant", "refer", "refuse"]
    assert found["event_passage"]["event_types"] == ["passed", "not_passed", "forced", "tailgated"]


def test_names_are_in_the_language_asked_for() -> None:
    assert components()["staffing"]["name"] == "Staffing"
    assert components(HomeAssistantSection(language="zh"))["staffing"]["name"] == "值守"
    assert discovery(seen(en=""), ON, alerts=ALERTS)["device"]["name"] == "北门"


def test_an_alert_is_on_while_it_is_open_and_off_otherwise() -> None:
    said = json.loads(documents(seen(alerts=(alert("fire", "critical"), alert("tamper"))), ON)[ALERTS])
    assert (said["count"], said["worst"]) == (2, "critical")
    found = components()
    states = {
        name: Environment(autoescape=False).from_string(entity["value_template"]).render(value_json=said)  # noqa: S701
        for name, entity in found.items() if name.startswith("alert_")
    }  # fmt: skip
    assert {name for name, state in states.items() if state == "ON"} == {"alert_fire", "alert_tamper"}
    assert set(states.values()) == {"ON", "OFF"}


def test_alerts_do_not_depend_on_the_gate_being_there() -> None:
    found = components()
    assert "availability_topic" not in found["alert_gate_offline"]
    assert found["staffing"]["availability_topic"] == "menshen/expo/north/status"


@pytest.mark.parametrize(
    ("settings", "commands", "buttons"),
    [
        (ON, ("open", "identify"), {"command_open", "command_identify"}),
        (ON, ("identify",), {"command_identify"}),
        (ON, (), set()),
        (HomeAssistantSection(), ("open", "identify"), set()),
    ],
)
def test_there_is_a_button_only_where_gate_and_operator_allow_it(
    settings: HomeAssistantSection, commands: tuple[str, ...], buttons: set[str]
) -> None:
    found = components(settings, commands=commands)
    assert {name for name, entity in found.items() if entity["platform"] == "button"} == buttons


def rendered(template: str, at: datetime) -> bytes:
    """Render a button's template as Home Assistant does: in a sandbox, and with what it lends its templates."""
    lent = SandboxedEnvironment(autoescape=False)  # it makes JSON, of nothing that comes from outside
    lent.globals |= {"utcnow": lambda: at, "timedelta": timedelta}
    return lent.from_string(template).render().encode()


def test_what_a_button_says_is_obeyed_once_and_the_next_press_again() -> None:
    template = components()["command_identify"]["command_template"]
    gate = Commands(PLACE, ("identify",), now=0)
    at = datetime(2026, 11, 24, 1, 15, 2, tzinfo=UTC)
    first, second = rendered(template, at), rendered(template, at)
    judged = [
        gate.judge("identify", said, here=True, retained=False, now=now, wall=at, clock="synced").reason
        for said, now in ((first, 60), (first, 62), (second, 64))
    ]
    assert judged == ["", "repeated", ""]


def test_what_a_button_says_is_for_one_entrance_alone() -> None:
    template = components()["command_open"]["command_template"]
    at = datetime(2026, 11, 24, 1, 15, 2, tzinfo=UTC)
    south = Commands(Place("expo", "south"), ("open",), now=0)
    asked = south.judge("open", rendered(template, at), here=True, retained=False, now=60, wall=at, clock="synced")
    assert asked.reason == "foreign"


def test_ids_cannot_meet() -> None:
    assert object_id(Place("aa-bb", "cc")) != object_id(Place("aa", "bb-cc"))


@pytest.fixture
def config(broker: Broker, tmp_path: Path) -> Config:
    made = msgspec.structs.replace(configured(broker, tmp_path, grace_s=60), homeassistant=ON)
    with Store(Path(made.store.path)) as store:
        store.register(PLACE, "北门", "North gate")
    return made


def test_a_device_is_said_follows_its_gate_and_goes_with_its_entrance(
    broker: Broker, config: Config, gate: Gate
) -> None:
    ear = Ear(broker, "homeassistant/#")
    with running(config):
        said = json.loads(ear.until(lambda heard: heard.topic == CONFIG).payload)
        assert said["device"]["name"] == "North gate"
        assert "command_identify" not in said["components"]
        gate.retain("info", Info(version="0.2", python="3", parts={}, commands=("identify", "fly")))
        later = json.loads(ear.until(lambda heard: heard.topic == CONFIG).payload)
        assert later["device"]["sw_version"] == "0.2"
        assert "command_identify" in later["components"]
        gate.raw("scan", b"nonsense")
        ear.until(lambda heard: heard.topic == ALERTS and b'"quarantine"' in heard.payload)
    with Store(Path(config.store.path)) as store:
        store.unregister(PLACE)
    with running(config):  # what was removed while it did not run goes, too
        for topic in (CONFIG, ALERTS):
            ear.until(lambda heard, topic=topic: heard.topic == topic and not heard.payload)  # type: ignore[misc]
    ear.stop()


def test_a_broker_that_forgot_everything_is_told_again(broker: Broker, config: Config) -> None:
    with running(config):
        first = Ear(broker, CONFIG)
        first.until(lambda heard: heard.topic == CONFIG)
        first.stop()
        broker.stop()
        broker.start()
        again = Ear(broker, CONFIG)
        again.until(lambda heard: heard.topic == CONFIG)
        again.stop()


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as started:
        yield started


def told(on: Guarded, *words: str) -> str:
    """Run `menshen controller reader` here."""
    path = on.folder / "controller.toml"
    path.write_text(
        f'[store]\npath = "{on.folder}/controller.db"\n[identity]\nfolder = "{on.installation.folder}"\n',
        encoding="utf-8",
    )
    asked = ["controller", "reader", *words, "--config", str(path)]
    result = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def pair(on: Guarded, folder: str, name: str = "ha") -> Path:
    """Return key and certificate of a reader in one file."""
    made = on.folder / f"{folder}.pem"
    made.write_bytes(b"".join((on.folder / folder / f"{name}.{end}").read_bytes() for end in ("key", "crt")))
    return made


def wire(on: Guarded, folder: str) -> Wire:
    """Return how a reader reaches the broker."""
    ca, certificate = str(on.folder / folder / "ca.crt"), str(pair(on, folder))
    return Wire(host="127.0.0.1", port=on.installation.doors.gates, ca=ca, certificate=certificate)


def test_a_reader_hears_everything_but_policies_and_says_only_what_it_was_given(on: Guarded) -> None:
    assert f"{on.installation.doors.gates}" in told(on, "ha", "--command", "identify", "--out", f"{on.folder}/ha")
    controller = GuardedEar(on.installation.wire, "menshen/+/+/alert/+")
    listener = GuardedEar(wire(on, "ha"), "menshen/#")
    assert controller.link.say("menshen/expo/north/policy/desired", b"secret", qos=1, retain=True)
    assert controller.link.say("menshen/expo/north/alert/fire", b"open", qos=1)
    assert listener.until("menshen/expo/north/alert/fire", b"open") == []
    listener.link.stop()
    controller.link.stop()
    for topic, answer in {
        "menshen/expo/north/cmd/identify": "puback 0x10",
        "homeassistant/status": "puback 0x10",
        "menshen/expo/north/cmd/open": "puback 0x87",
        "menshen/expo/north/scan": "puback 0x87",
        "homeassistant/device/menshen_expo_north/config": "puback 0x87",
    }.items():
        with on.attacker(pair(on, "ha")) as reader:
            assert reader.ask(connect(), publish(topic)) == answer, topic


def test_a_reader_is_known_to_a_new_broker_and_revoked_at_once(on: Guarded) -> None:
    told(on, "ha", "--out", f"{on.folder}/ha")
    on.broker.stop()
    on.broker.start()
    with on.attacker(pair(on, "ha")) as reader:
        assert reader.ask(connect(), subscribe("menshen/#")) == "suback 0x01"
        told(on, "ha", "--revoke")
        assert str(reader.hear()) == "disconnect 0x98"
    with on.attacker(pair(on, "ha")) as reader:
        assert reader.ask(connect(), subscribe("menshen/#")) == "suback 0x87"


def test_a_new_key_for_a_reader_ends_the_earlier_one(on: Guarded) -> None:
    told(on, "ha", "--out", f"{on.folder}/ha")
    told(on, "ha", "--out", f"{on.folder}/ha2")
    with on.attacker(pair(on, "ha")) as earlier, on.attacker(pair(on, "ha2")) as later:
        assert earlier.ask(connect(), subscribe("menshen/#")) == "suback 0x87"
        assert later.ask(connect(), subscribe("menshen/#")) == "suback 0x01"


def test_a_guarded_controller_may_say_devices(on: Guarded, tmp_path: Path) -> None:
    config = Config(
        store=msgspec.structs.replace(Config().store, path=str(tmp_path / "controller.db")),
        wire=on.installation.wire,
        identity=IdentitySection(folder=str(on.installation.folder)),
        homeassistant=ON,
    )
    with Store(Path(config.store.path)) as store:
        store.register(PLACE)
    ear = Ear(on.broker, "+/device/+/config", "+/device/+/alerts")
    with running(config):
        ear.until(lambda heard: heard.topic == CONFIG)
        ear.until(lambda heard: heard.topic == ALERTS)
    ear.stop()


def test_readers_leave_gates_alone(on: Guarded) -> None:
    name, _ = on.admit(PLACE)
    told(on, "ha", "--out", f"{on.folder}/ha")
    with Installation(on.installation.folder) as installation:
        assert installation.ledger.names() == [name]
    assert on.registrar.agree()
    with on.attacker(pair(on, "ha")) as reader:
        assert reader.ask(connect(), subscribe("menshen/#")) == "suback 0x01"
