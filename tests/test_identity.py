"""The whole way by commands: an installation, a claim code held to a camera, a gate at work, its end, its successor."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import pytest
import zxingcpp
from click.testing import CliRunner
from cryptography import x509
from cryptography.x509.oid import NameOID

from controller.authority import Authority
from controller.broker import free_port
from controller.config import SYSTEM, VARIABLE, load
from controller.doors import Doors
from controller.troupe import Troupe
from device.codes.trust import make_site_key
from device.identity import Identity
from device.wire.messages import Place
from hardware import scene
from hardware.scene import Scene
from menshen import main
from tests.attacker import Attacker, connect
from tests.guarded import HERE, Ear

NORTH: Final = Place("expo", "north")
PATIENCE_S: Final = 40.0


def until(condition: Callable[[], Any], what: Callable[[], str]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
    return found


class Site:
    """One machine for all of it. What a person types is typed here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.troupe = Troupe(folder)
        self.config = folder / "controller.toml"
        self.gate = folder / "north.toml"
        self.doors = Doors(host=HERE, gates=free_port(), own=free_port(), enrol=free_port())
        self.identity = folder / "north" / "identity"
        make_site_key(folder / "site.key")
        self.config.write_text(
            f'[store]\npath = "{folder}/controller.db"\n[identity]\nfolder = "{folder}/authority"\n', encoding="utf-8"
        )
        self.gate.write_text(
            f'[gate]\nsite = "expo"\nentrance = "north"\ndata = "{folder}/north"\nsite_key = "{folder}/site.key"\n'
            f'[camera]\ndriver = "emulated"\nsource = "{folder}/scene.json"\nfps = 15\n[decoder]\ngone_s = 0.3\n'
            '[pins]\ndriver = "mock"\n',
            encoding="utf-8",
        )
        self.shown = 0

    def type(self, *words: str, config: Path | None = None, said: str | None = None) -> str:
        done = CliRunner().invoke(main, [*words, "--config", str(config or self.config)], input=said)
        assert done.exit_code == 0, done.output
        return done.output

    def start_broker(self) -> None:
        self.troupe.start("broker", "controller", "broker", "--config", str(self.config))
        self.troupe.answers("broker", self.doors.gates)

    def claim(self) -> str:
        """Ask for a claim code; return what its picture holds."""
        self.type("entrance", "claim", "expo/north", "--out", str(self.folder / "claim.png"))
        (code,) = zxingcpp.read_barcodes(cv2.imread(str(self.folder / "claim.png"), cv2.IMREAD_GRAYSCALE))
        return code.text

    def age(self) -> None:
        """Put a certificate of 61 days ago in the place of today's."""
        mine = Identity.load(self.identity)
        name = str(mine.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        then = datetime.now(tz=UTC) - timedelta(days=61)
        aged = Authority(self.folder / "authority").gate(mine.key.public_key(), name, now=then)
        Identity(mine.key, x509.load_pem_x509_certificate(aged.encode())).keep(self.identity)

    def show(self) -> None:
        """Hold up a new code, until the gate has answered it."""
        self.shown += 1
        self.troupe.tell("north", f"show code number {self.shown}")
        until(lambda: self.log("north").count(" refuse: ") >= self.shown, lambda: self.log("north"))

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def scans(self) -> int:
        return len(json.loads(self.type("events", "--kind", "scan", "--json")))

    def came_back(self) -> int:
        """Return how often the revoked gate has connected."""
        noted = json.loads(self.type("controller", "refusals", "--json"))
        return sum(each["times"] for each in noted if each["kind"] == "revoked")

    def commanded(self, verb: str) -> str:
        """Tell the gate to do something; return what became of it."""
        words = ["command", "expo/north", verb, "--by", "guard 7", "--json", "--config", str(self.config)]
        return str(json.loads(CliRunner().invoke(main, words).output)["outcome"])

    def alert(self, kind: str) -> bool:
        return bool(json.loads(self.type("alerts", "--open", "--kind", kind, "--json")))

    def copies(self, number: int) -> None:
        """Connect so many times with a copy of the gate's key and certificate, each pushing off the one before."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.identity / "ca.crt")
        context.load_cert_chain(self.identity / "gate.pem")
        with ExitStack() as open_:
            for _ in range(number):
                copy = open_.enter_context(Attacker(self.doors.gates, context))
                assert copy.ask(connect()) == "connack 0x00"
                assert copy.version() == "TLSv1.3"

    def unheard(self) -> None:
        """Hold up a code; nobody is to hear of it."""
        ear = Ear(load(self.config).wire, "menshen/#")
        self.show()
        ear.link.say(NORTH.topic("ack"), b"after it", qos=1)
        heard = [topic for topic, _ in ear.until(NORTH.topic("ack"), b"after it")]
        ear.link.stop()
        assert NORTH.topic("scan") not in heard


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    built = Site(tmp_path)
    yield built
    built.troupe.stop()


def test_a_gate_is_claimed_works_is_revoked_and_is_replaced(site: Site) -> None:
    ports = {name: str(getattr(site.doors, name)) for name in ("gates", "own", "enrol")}
    options = [word for name, port in ports.items() for word in (f"--{name}", port)]
    site.type("controller", "init", "--host", HERE, *options)
    site.start_broker()
    site.troupe.start("controller", "controller", "run", "--config", str(site.config))
    site.troupe.answers("controller", site.doors.enrol)

    assert "menshen entrance claim expo/north" in site.type("entrance", "add", "expo/north")
    scene.save(site.folder / "scene.json", Scene(code=site.claim(), noise=6, angle=7))
    said = site.type("gate", "enrol", "--camera", config=site.gate)
    wire = said[said.index("[wire]") :]
    with site.gate.open("a", encoding="utf-8") as file:
        file.write(wire)
    scene.save(site.folder / "scene.json", Scene())

    site.age()
    site.troupe.start_gate("north")
    until(lambda: "guards with policy" in site.log("north"), lambda: site.log("north"))
    until(lambda: "the certificate is renewed" in site.log("north"), lambda: site.log("north"))
    assert Identity.load(site.identity).until > datetime.now(tz=UTC) + timedelta(days=80)
    site.show()
    until(lambda: site.scans() == 1, lambda: site.log("north") + site.log("controller"))
    assert site.commanded("identify") in ("done", "refused")  # it has just started; but it was heard, and so are we
    assert f"link up: {HERE}:{site.doors.gates}" in site.log("north")

    site.copies(1)
    until(lambda: "twice" in site.type("controller", "refusals", "--json"), lambda: site.log("broker"))
    assert not site.alert("cloned_gate")
    site.copies(5)
    until(lambda: site.alert("cloned_gate"), lambda: site.type("controller", "refusals"))

    until(lambda: site.log("north").count("link up") >= 2, lambda: site.log("north"))
    begun = time.monotonic()
    site.type("entrance", "revoke", "expo/north")
    until(lambda: "no link: Administrative action" in site.log("north"), lambda: site.log("north"))
    print(f"cut off {time.monotonic() - begun:.2f} s after the command was typed")
    site.unheard()
    until(site.came_back, lambda: site.log("north"))
    site.unheard()  # after a reconnect
    process = site.troupe.running.pop("broker")
    process.terminate()
    process.communicate(timeout=10)
    before = site.came_back()
    site.start_broker()
    until(lambda: site.came_back() > before, lambda: site.log("north"))
    site.unheard()  # after a restart of the broker
    assert site.scans() == 1
    until(lambda: site.alert("unauthorized_client"), lambda: site.type("controller", "refusals"))
    kinds = {each["kind"] for each in json.loads(site.type("controller", "refusals", "--json"))}
    assert {"twice", "revoked", "subscribe"} <= kinds

    # The same device is given a new identity while it runs: it connects with it, and nothing that happened is lost.
    site.type("gate", "enrol", config=site.gate, said=site.claim() + "\n")
    until(lambda: site.scans() == site.shown, lambda: site.log("north") + site.log("controller"))


def test_without_an_installation_the_commands_say_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f'[store]\npath = "{tmp_path}/controller.db"\n', encoding="utf-8")
    for words in (["entrance", "revoke", "expo/north"], ["controller", "refusals"], ["controller", "broker"]):
        refused = CliRunner().invoke(main, [*words, "--config", str(config)])
        assert refused.exit_code == 1
        assert "`menshen controller init` makes an installation and says what to set" in refused.output
    made = CliRunner().invoke(main, ["controller", "init", "--host", HERE, "--config", str(config)])
    assert f'[identity]\nfolder = "{tmp_path}/authority"' in made.output
    with config.open("a", encoding="utf-8") as file:
        file.write(made.output[made.output.index("[identity]") :])
    assert msgspec.structs.astuple(load(config).wire)[:2] == (HERE, 8884)
    unknown = CliRunner().invoke(main, ["entrance", "claim", "expo/north", "--config", str(config)])
    assert "no database yet" in unknown.output
    added = CliRunner().invoke(main, ["entrance", "add", "expo/north", "--claim", "--config", str(config)])
    assert "menshen gate enrol --camera" in added.output
    unknown = CliRunner().invoke(main, ["entrance", "claim", "expo/south", "--config", str(config)])
    assert "expo/south is not registered: menshen entrance add expo/south --claim" in unknown.output
    removed = CliRunner().invoke(main, ["entrance", "remove", "expo/north", "--config", str(config)])
    assert "the broker does not answer" in removed.output


@pytest.mark.skipif(SYSTEM.exists(), reason="this machine runs a controller")
def test_a_trial_without_any_configuration_finds_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".local/share/menshen"
    assert load(None).identity.folder == ""
    made = CliRunner().invoke(main, ["controller", "init", "--host", HERE, "--own", "1"])
    assert made.exit_code == 0, made.output
    found = load(None)
    assert found.identity.folder == str(home / "authority")
    assert (found.wire.port, found.wire.certificate) == (1, str(home / "authority/controller.pem"))
    added = CliRunner().invoke(main, ["entrance", "add", "expo/north", "--claim"])
    assert "menshen gate enrol" in added.output


def test_a_name_too_long_for_a_certificate_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path}/controller.db"\n[identity]\nfolder = "{tmp_path}/authority"\n', encoding="utf-8"
    )
    assert CliRunner().invoke(main, ["controller", "init", "--host", HERE, "--config", str(config)]).exit_code == 0
    words = ["entrance", "add", f"{'a' * 30}/{'b' * 30}", "--claim", "--config", str(config)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "choose a shorter id" in refused.output


def test_two_places_that_say_where_the_broker_is_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text('[wire]\nport = 1884\n[identity]\nfolder = "authority"\n', encoding="utf-8")
    refused = CliRunner().invoke(main, ["watch", "--config", str(config)])
    assert "identity.folder says where the broker is: leave out [wire]" in refused.output
