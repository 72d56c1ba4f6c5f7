"""Secrets stay where they are kept: not in a log, a command line, an environment, nor a file that others may read."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from controller import issuer
from controller.broker import Broker
from device.codes import ms1
from device.enrol import enrol
from device.identity import Identity
from device.wire.enrolment import ClaimCode
from tests.bystanders import Ear, wait
from tests.office import Office

MENSHEN = (sys.executable, "-m", "menshen", "-v")
CARD = "membership 4711-0815"


def forms(secret: bytes) -> dict[str, bytes]:
    """Return a secret as it is, and as it may have been written down."""
    pem = re.sub(rb"-----.*?-----|\s", b"", secret)
    return {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        **{f"base64 at {shift}": base64.b64encode(bytes(shift) + secret)[4 if shift else 0 : -4] for shift in range(3)},
        "repr": repr(secret)[2:-1].encode(),
        "escaped": json.dumps(secret.decode("latin-1"))[1:-1].encode(),
        **({"PEM": pem[-40:]} if pem != secret else {}),
    }


class Place(NamedTuple):
    """Somewhere a secret was looked for."""

    name: str
    data: bytes


def processes(pids: list[int]) -> Iterator[Place]:
    """Yield what anybody may list of processes and of all that they started."""
    every = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
    parents = {}
    for pid, path in every.items():
        try:
            parents[pid] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    ours = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    for pid in sorted(ours):
        for word in ("cmdline", "environ", "comm"):
            try:
                yield Place(f"{word} of {pid}", (every[pid] / word).read_bytes())
            except (OSError, KeyError):
                continue


def files(folder: Path) -> list[Place]:
    """Return every file."""
    return [Place(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


def open_to_others(folder: Path) -> Iterator[Place]:
    """Yield every file that others may read, as far as its own mode says."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            yield Place(str(path.relative_to(folder)), path.read_bytes())


class World(NamedTuple):
    """Everything that ran, with all it was asked to log; its secrets, and where they must not be."""

    folder: Path
    secrets: dict[str, bytes]
    places: list[Place]
    listed: list[Place]  # of processes, while they ran


class Cast:
    """Programs of ours, as a person would start them, with their logs in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []
        self.listed: list[Place] = []

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        """Start one that goes on."""
        with (self.folder / f"{name}.log").open("w") as log:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "menshen", "-v", *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    text=True,
                )
            )
        return self.running[-1]

    def run(self, *words: str, said: str = "") -> str:
        """Run one to its end; return what it printed, and keep what it logged."""
        with (self.folder / "commands.log").open("a") as log:
            process = subprocess.Popen(
                [*MENSHEN, *words, "--config", str(self.folder / "controller.toml")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
            self.look()
            out = process.communicate(said, timeout=60)[0]
            assert process.returncode == 0, (words, out)
        return out

    def look(self) -> None:
        """Note what can be listed of them now."""
        self.listed += processes([process.pid for process in self.running])

    def stop(self) -> None:
        """End all."""
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.communicate(timeout=20)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the whole life of a site: keys, passes, a gate that reads them, an identity that is claimed."""
    folder = tmp_path_factory.mktemp("secrets")
    before = os.umask(0o022)  # the usual one, which lets everybody read what is not guarded
    broker, cast = Broker(folder), Cast(folder)
    broker.start()
    try:
        yield live(folder, broker, cast)
    finally:
        os.umask(before)
        cast.stop()
        broker.stop()


def live(folder: Path, broker: Broker, cast: Cast) -> World:
    wire = f'[wire]\nhost = "127.0.0.1"\nport = {broker.wire.port}\n'
    (folder / "controller.toml").write_text(
        f'[store]\npath = "{folder}/controller.db"\n'
        f'[passes]\nissuer = "{folder}/issuer"\nsite_key = "{folder}/site.key"\n{wire}'
    )
    (folder / "gate.toml").write_text(
        f'[gate]\nsite = "expo"\nentrance = "north"\nclock = "battery"\n'
        f'data = "{folder}/gate"\nsite_key = "{folder}/site.key"\n'
        f'[camera]\ndriver = "emulated"\nsource = "{folder}/scene.json"\nfps = 15\n[pins]\ndriver = "mock"\n' + wire
    )
    subprocess.run(
        [*MENSHEN, "pass", "site-key", str(folder / "site.key")],
        check=True,
        capture_output=True,
    )
    cast.start("controller", "controller", "run", "--config", str(folder / "controller.toml"))
    cast.run("entrance", "add", "expo/north")
    cast.run("pass", "key")
    bare = cast.run("pass", "issue", "--subject", "visitor 1", "--for", "expo").splitlines()[0]
    badge = cast.run("pass", "issue", "--kind", "staff", "--subject", "guard 7", "--for", "expo").splitlines()[0]
    rotating = cast.run(
        "pass",
        "issue",
        "--subject",
        "visitor 2",
        "--for",
        "expo",
        "--rotating",
        "--holder",
        str(folder / "visitor.holder"),
    ).splitlines()[0]
    cast.run("pass", "card", "-", said=CARD + "\n")
    ear = Ear(broker, "#")
    gate = cast.start("gate", "gate", "run", "--stage", "--config", str(folder / "gate.toml"))
    ear.until(
        lambda heard: heard.topic == "menshen/expo/north/policy/applied" and b'"version":0' not in heard.payload,
        within_s=30,
    )
    assert gate.stdin
    for code in (bare, badge, rotating, CARD, "MS1:" + bare[4:-9] + "AAAAAAAAA"):
        gate.stdin.write(f"show {code}\n")
        gate.stdin.flush()
        ear.until(lambda heard: heard.topic == "menshen/expo/north/scan", within_s=30)
        cast.look()
    wait(lambda: len(json.loads(cast.run("events", "--kind", "scan", "--json"))) == 5)
    heard = b"\n".join(each.topic.encode() + b" " + each.payload for each in ear.all)
    ear.stop()
    shown = ("pass", "show", ms1.read(bare.encode()).body.id.hex())
    for words in (("pass", "list"), shown, ("events", "--csv")):
        with (folder / "printed.log").open("a") as log:
            log.write(cast.run(*words))
    secrets = {
        "the site key": (folder / "site.key").read_bytes(),
        "the issuer's key": issuer.load(folder / "issuer").private_bytes_raw(),
        "the issuer's key file": (folder / "issuer" / issuer.FILE).read_bytes(),
        "the holder's key": base64.b64decode(json.loads((folder / "visitor.holder").read_bytes())["private"]),
        "a pass": bare.encode(), "a badge": badge.encode(), "a screen": rotating.encode(), "a card": CARD.encode(),
    }  # fmt: skip
    (folder / "scene.json").unlink(missing_ok=True)  # what stands for the world before the lens
    return World(folder, secrets, [Place("what MQTT carried", heard)], cast.listed)


def found(secrets: dict[str, bytes], places: Iterator[Place] | list[Place]) -> list[str]:
    """Return where a secret stands in any of its forms."""
    return [
        f"{name} ({form}) in {place.name}"
        for place in places
        for name, secret in secrets.items()
        for form, written in forms(secret).items()
        if len(written) >= 12 and written in place.data
    ]


def test_no_secret_is_in_a_log_or_on_the_wire(world: World) -> None:
    logs = [Place(path.name, path.read_bytes()) for path in world.folder.glob("*.log")]
    assert {place.name for place in logs} >= {"controller.log", "gate.log", "commands.log", "printed.log"}
    assert b"grant: ms1" in next(place.data for place in logs if place.name == "gate.log")
    assert found(world.secrets, logs + world.places) == []


def test_no_secret_can_be_listed_with_the_processes(world: World) -> None:
    kinds = {place.name.split()[0] for place in world.listed}
    assert kinds == {"cmdline", "environ", "comm"}
    assert any(b"menshen" in place.data and b"gate" in place.data for place in world.listed)
    assert found(world.secrets, world.listed) == []


def test_no_secret_is_in_a_file_that_others_may_read(world: World) -> None:
    public = list(open_to_others(world.folder))
    assert any("controller.toml" in place.name for place in public), "some files are open"
    assert found(world.secrets, public) == []


def test_no_code_is_in_any_file_but_those_that_are_meant_to_hold_it(world: World) -> None:
    names = ("a pass", "a badge", "a screen", "a card")
    codes = {name: world.secrets[name] for name in names}
    assert found(codes, [each for each in files(world.folder) if each.name != "visitor.holder"]) == []


def test_what_is_private_is_its_owners_alone(world: World) -> None:
    for path in (world.folder / "site.key", world.folder / "issuer" / issuer.FILE, world.folder / "visitor.holder"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for name in ("controller.db", "gate/spool.db", "gate/policy.json"):
        for path in world.folder.glob(f"{name}*"):
            assert not path.stat().st_mode & 0o077, f"{path} names people, or their hashes"


def test_the_search_finds_what_is_there(world: World) -> None:
    for name, secret in world.secrets.items():
        for written in forms(secret).values():
            assert found({name: secret}, [Place("x", b"before" + written + b"after")])
    key = base64.b64encode(b"pad" + world.secrets["the site key"] + b"more")
    assert found({"k": world.secrets["the site key"]}, [Place("x", key)])


def test_an_identity_is_claimed_without_a_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    office = Office(tmp_path)
    try:
        claim: ClaimCode = office.claim()
        with caplog.at_level("DEBUG"):
            enrol(claim, tmp_path / "gate")
            office.post("/enrol", json.dumps({"place": "expo/north", "csr": claim.code, "mac": claim.code}).encode())
        key = Identity.load(tmp_path / "gate").key
        secrets = {
            "claim": claim.code.encode(),
            "claim, bare": claim.code.replace("-", "").encode(),
            "key": key.private_numbers().private_value.to_bytes(32, "big"),
            "key file": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "authority": (office.installation.folder / "ca.key").read_bytes(),
        }
        office.post("/enrol", b"{}")
        logs = [Place("log", caplog.text.encode())]
        assert caplog.text
        assert found(secrets, logs) == []
        assert found(secrets, open_to_others(tmp_path)) == []
        assert found({"claim": claim.code.encode()}, files(tmp_path)) == []
        assert found(secrets, processes([os.getpid()])) == []
    finally:
        office.stop()
