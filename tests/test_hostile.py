"""Whatever somebody shows, sends or types: logs, terminal, tables, JSON and MQTT stay what they are."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import digest, journal
from controller.broker import Broker
from controller.store import Store
from device import config as gates
from device.__main__ import Gate
from device.codes.trust import make_site_key, trusted
from device.policy import Policy
from device.settings import SettingsError, convert
from device.sight import Code, EyeFault, Seen
from device.wire import messages
from device.wire.messages import (
    Alert,
    Applied,
    Desired,
    Duty,
    Fault,
    Info,
    MessageError,
    Place,
    Status,
    TrustedKey,
    decode,
    encode,
)
from device.wire.plain import FORMULA, Plain, cell
from menshen import main
from tests import bystanders
from tests.bystanders import PLACE, WHEN, Ear, scan, state, wait
from tests.corpus import CORPUS

NORTH, ROGUE = PLACE, Place("expo", "rogue")
RECORD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: |  )")
NO_TOPIC = re.compile("[+#\x00-\x1f\x7f-\x9f\ud800-\udfff\U0010ffff]")  # mosquitto cuts such a client off
COMMON: dict[str, Any] = {"spool": "r0", "boot": "b0", "at": WHEN, "mono": 2.5, "clock": "synced"}


def assert_plain(text: str) -> None:
    """Fail when there is anything in the text that does not simply print, line by line."""
    bad = {char for line in text.split("\n") for char in line if not char.isprintable()}
    assert not bad, f"{bad!r} in {text!r}"


def assert_log(text: str) -> None:
    """Fail when a log is not plain, or a line of it is none of ours."""
    assert_plain(text)
    assert not [line for line in text.splitlines() if not RECORD.match(line)]


def assert_table(text: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        for each in row:
            assert_plain(each)
            assert not each.lstrip().startswith(FORMULA)


class World(NamedTuple):
    """A real controller that logs all it can, a real gate, a gate that lies, and somebody who hears everything."""

    folder: Path
    gate: Gate
    rogue: bystanders.Gate
    ear: Ear
    log: Path  # the controller's
    gate_log: Path
    shown: Path  # what `menshen watch` shows

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(self.folder / "controller.toml")])


def started(*words: str, out: Path) -> subprocess.Popen[bytes]:
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "menshen", "-v", *words],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run all of it, with every text of the corpus sent, shown and typed wherever one can be."""
    folder = tmp_path_factory.mktemp("hostile")
    broker = Broker(folder)
    broker.start()
    settings = folder / "controller.toml"
    settings.write_text(
        f'[store]\npath = "{folder}/controller.db"\n[wire]\nhost = "127.0.0.1"\nport = {broker.wire.port}\n'
        f'[passes]\nissuer = "{folder}/issuer"\nsite_key = "{folder}/site.key"\n'
        "[alerts]\nupdate_s = 0\n"  # each reason is quoted, not the last of many
    )
    make_site_key(folder / "site.key")
    issuer = Ed25519PrivateKey.generate()
    with Store(folder / "controller.db") as store:
        store.register(NORTH)
        store.trust_key(trusted(issuer.public_key()))
        version = store.version()
    config = convert(
        gates.Config,
        {
            "gate": {**NORTH._asdict(), "data": str(folder / "gate"), "site_key": str(folder / "site.key")},
            "wire": {"host": broker.wire.host, "port": broker.wire.port},
            "camera": {"driver": "emulated", "source": str(folder / "scene.json")},
            "pins": {"driver": "mock"},
        },
        source="test",
    )
    gate_log = folder / "gate.log"
    handler = logging.FileHandler(gate_log, encoding="utf-8")
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("device").addHandler(handler)
    logging.getLogger("device").setLevel(logging.DEBUG)
    running = [
        started("controller", "run", "--config", str(settings), out=folder / "controller.log"),
        started("watch", "--lang", "en", "--config", str(settings), out=folder / "watch.log"),
    ]
    gate = Gate(config)
    thread = threading.Thread(target=gate.run)
    ear = Ear(broker, "#")
    rogue = bystanders.Gate(broker, ROGUE)
    try:
        wait(lambda: "connected" in (folder / "watch.log").read_text())
        wait(lambda: "ready" in (folder / "controller.log").read_text())
        thread.start()
        topic = NORTH.topic("policy/applied")
        ear.until(lambda heard: heard.topic == topic and decode(Applied, heard.payload).version == version)
        built = World(folder, gate, rogue, ear, folder / "controller.log", gate_log, folder / "watch.log")
        act(built)
        yield built
    finally:
        gate.stop()
        thread.join(timeout=20)
        for process in running:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
        ear.stop()
        rogue.stop()
        broker.stop()
        logging.getLogger("device").removeHandler(handler)
        handler.close()
        logging.getLogger("device").setLevel(logging.NOTSET)


def act(world: World) -> None:
    for text in CORPUS.values():
        data = text.encode("utf-8", "surrogatepass")
        now = time.monotonic()
        world.gate.inbox.put(Seen(code=Code(data=data, text=text, symbology="QRCode"), frame_at=now, read_at=now))
        world.gate.inbox.put(
            Seen(code=Code(data=b"MS1:" + data, text="MS1:" + text, symbology="QRCode"), frame_at=now, read_at=now)
        )
        for raised in (True, False):
            world.gate.inbox.put(EyeFault(fault="camera_black", raised=raised, detail=text))
    command(world, "identify", CORPUS["bidi override"])
    for text in CORPUS.values():
        command(world, "identify", text[:64])
        command(world, text[:20] if not NO_TOPIC.search(text) else "x", "operator 1")
    seq = 0
    for text in CORPUS.values():
        for event in lies(text, seq):
            seq += 1
            headers = {messages.SPOOL: "r0", messages.SEQ: str(seq), messages.OLDEST: "1"}
            world.rogue.raw(messages.KIND_OF[type(event)], raw(event), headers=headers)
        for word, message in documents(text):
            world.rogue.raw(word, raw(message))
        for word in ("scan", "status", "info", "alert/abnormal_code"):
            world.rogue.raw(word, text.encode("utf-8", "surrogatepass"))
        if not NO_TOPIC.search(text):
            world.rogue.raw(text[:50], b"x")
        world.rogue.acked(seq, ROGUE, "r0")
    bad = Desired(version=2**40, keys=(TrustedKey(key=CORPUS["ANSI clear"], public="x"),), listed=("x" * 30000,))
    world.ear.link.say(NORTH.topic("policy/desired"), encode(bad))
    topic = NORTH.topic("policy/applied")
    world.ear.until(lambda heard: heard.topic == topic and decode(Applied, heard.payload).problem != "")
    scans = ("events", "--entrance", "expo/north", "--kind", "scan", "--json", "--limit", "1000")
    wait(lambda: len(json.loads(world.run(*scans).output)) == 2 * len(CORPUS))


def command(world: World, verb: str, by: str) -> None:
    """Command the gate as somebody with this name would."""
    until = (datetime.now(tz=UTC) + timedelta(seconds=5)).isoformat()
    said = {"v": 1, "id": secrets.token_hex(8), "to": str(NORTH), "by": by, "expires_at": until}
    world.ear.link.say(NORTH.topic(f"cmd/{verb}"), json.dumps(said).encode())


def lies(text: str, seq: int) -> list[messages.AnyEvent]:
    """Return events of a gate that lies in every field it can."""
    same = dict.fromkeys(("code", "scheme", "symbology"), text)
    return [
        scan(seq + 1, text, "invalid", spool="r0", boot=text[:50], at=datetime.now(tz=UTC), **same),
        Duty(seq=seq + 2, event_type="check_in", who=text, by="badge", since=WHEN, on_duty=(text, text), **COMMON),
        Fault(seq=seq + 3, event_type="raised", fault=text, detail=text, **COMMON),
    ]


def documents(text: str) -> list[tuple[str, messages.Message]]:
    return [
        ("status", Status(state="online", reason=text)),
        ("info", Info(version=text, python=text, parts={text: text})),
        ("state", state(on_duty=(text,))),
        ("policy/applied", Applied(version=1, at=WHEN, problem=text)),
        ("health", messages.Health(faults=(messages.OpenFault(text, WHEN, text),))),
        ("status", Status(state="offline", reason=text)),
    ]


def raw(message: messages.Message) -> bytes:
    """Encode as a liar would, who does not care for Unicode."""
    try:
        return encode(message)
    except MessageError:
        return json.dumps(json.loads(json.dumps(message, default=_builtins))).encode()


def _builtins(value: Any) -> Any:
    return (
        {name: getattr(value, name) for name in value.__struct_fields__}
        if hasattr(value, "__struct_fields__")
        else value.isoformat()
    )


def test_logs_stay_a_line_a_record(world: World) -> None:
    for path in (world.log, world.gate_log):
        text = path.read_text(encoding="utf-8")
        assert_log(text)
        assert text.count("\n") > 20
    assert "refuse: unknown invalid" in world.gate_log.read_text(encoding="utf-8")


def test_what_is_watched_moves_no_cursor(world: World) -> None:
    wait(lambda: "[bold red]x[/]" in world.shown.read_text(encoding="utf-8"))
    assert_plain(world.shown.read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", [("events", "--limit", "1000"), ("alerts",), ("entrance", "list")], ids=" ".join)
@pytest.mark.parametrize("tongue", ["zh", "en"])
def test_tables_csv_and_json_are_harmless(world: World, words: tuple[str, ...], tongue: str) -> None:
    shown = world.run(*words, "--lang", tongue)
    assert shown.exit_code == 0, shown.output
    assert_plain(shown.output)
    table = world.run(*words, "--csv", "--lang", tongue)
    assert_table(table.output)
    assert len(table.output.splitlines()) == len(json.loads(world.run(*words, "--json").output)) + 1
    assert world.run(*words, "--json").output.isascii()


def test_a_gate_says_nothing_harmful_and_only_on_its_own_branch(world: World) -> None:
    ours = [heard for heard in world.ear.all if heard.topic.startswith(NORTH.topic(""))]
    assert len(ours) > 2 * len(CORPUS)
    for heard in ours:
        if not heard.topic.endswith(("policy/desired", "ack")) and "/cmd/" not in heard.topic:
            assert_plain(heard.payload.decode())
    words = {
        "status", "info", "state", "health", "scan", "fault", "policy/applied", "policy/desired", "ack",
        "alert/abnormal_code", "alert/repeated_abnormal", "command", "reply/identify", "reply/x",
        f"reply/{CORPUS['long'][:20]}",
    }  # fmt: skip
    said = {heard.topic.removeprefix(NORTH.topic("")) for heard in ours}
    assert {word for word in said if not word.startswith("cmd/")} <= words
    known = (NORTH.topic(""), ROGUE.topic(""), journal.TOPIC, digest.topic("expo"))  # these two the controller says
    assert not [heard for heard in world.ear.all if not heard.topic.startswith(known)]


def test_alerts_quote_nothing_that_moves_a_cursor(world: World) -> None:
    alerts = [
        heard
        for heard in world.ear.all
        if heard.topic == ROGUE.topic("alert/abnormal_code") and heard.payload.startswith(b'{"v":1,"kind"')
    ]
    assert len(alerts) > 20
    for heard in alerts:
        alert = decode(Alert, heard.payload)
        assert_plain(alert.what.zh + alert.what.en)


def test_what_a_gate_scans_leaves_it_as_a_hash(world: World) -> None:
    """No text of the corpus that is long enough to be told apart stands in a scan, as itself or escaped."""
    scans = b"".join(heard.payload for heard in world.ear.all if heard.topic == NORTH.topic("scan"))
    for name in ("HTML", "formula", "SQL", "another branch", "ANSI clipboard"):
        assert json.dumps(CORPUS[name])[1:-1].encode() not in scans


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_an_id_is_only_ever_plain(text: str, tmp_path: Path) -> None:
    for place in (f"expo/{text}", f"{text}/north", text, f"expo/north{text}", f"expo/north/{text}"):
        with pytest.raises(MessageError):
            Place.parse(place)
    section = {"site": "expo", "entrance": text, "data": str(tmp_path)}
    with pytest.raises(SettingsError):
        convert(gates.Config, {"gate": section}, source="test")
    shown = CliRunner().invoke(main, ["entrance", "add", f"expo/{text}", "--config", "/dev/null"])
    assert shown.exit_code == 2
    assert_plain(shown.output)


def test_what_is_typed_is_harmless_when_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "controller.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path}/controller.db"\n[passes]\nissuer = "{tmp_path}/issuer"\n'
        f'site_key = "{tmp_path}/site.key"\n'
    )

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(path)])

    assert run("pass", "key").exit_code == 0
    for number, text in enumerate(CORPUS.values()):
        assert run("entrance", "add", f"expo/gate-{number}", f"--zh={text}", f"--en={text}").exit_code == 0
        issued = run("pass", "issue", f"--subject={text}", "--for", "expo")
        assert_plain(issued.output)
        assert issued.exit_code == (0 if text.isprintable() and len(text) <= 64 else 2)
        assert run("pass", "revoke", f"{number:016x}", f"--reason={text}").exit_code == 0
        assert_plain(run("pass", "show", f"{number:016x}").output)
        if not re.search("[\ud800-\udfff]", text):  # as if an older version had let it in
            with Store(tmp_path / "controller.db") as store:
                store.revoke(f"{number + 256:016x}", text)
            assert_plain(run("pass", "show", f"{number + 256:016x}").output)
    for words in (("entrance", "list"), ("pass", "list")):
        assert_plain(run(*words).output)
        assert_table(run(*words, "--csv").output)
        assert run(*words, "--json").output.isascii()
        assert len(json.loads(run(*words, "--json").output)) > len(CORPUS) / 3


def test_a_log_line_is_one_whatever_it_holds() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("test.hostile")
    log.propagate = False
    log.addHandler(handler)
    for text in CORPUS.values():
        log.warning("%s", text)
        try:
            int(text, 1)
        except ValueError as error:
            error.add_note(text)
            log.exception("%s", text, stack_info=True)
    assert_log(out.getvalue())
    assert all(len(line) < 20000 for line in out.getvalue().splitlines())


def test_the_command_line_logs_in_this_way() -> None:
    script = (
        "import logging, click, menshen\n"
        "@menshen.main.command()\ndef hear() -> None: logging.getLogger('x').warning('%s', '\\x1b[2J\\n\\u202e')\n"
        "menshen.COMMANDS['hear'] = ('menshen:hear', '')\nmenshen.hear = hear\nmenshen.main(['hear'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1]
    )
    assert_log(done.stderr)
    assert "\\x1b[2J\\n\\u202e" in done.stderr


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_a_policy_is_refused_in_plain_words(text: str, tmp_path: Path) -> None:
    policy = Policy(tmp_path / "policy.json", bytes(32))
    for offer in (
        {"keys": [{"key": text, "public": text}]}, {"revoked": [text]}, {"listed": [text]}, {"version": text},
    ):  # fmt: skip
        assert not policy.offer(json.dumps({"v": 1, "version": 9, **offer}).encode())
        assert policy.problem
        assert_plain(policy.problem)
        assert len(encode(policy.applied(WHEN))) < messages.MAX_PAYLOAD
    (tmp_path / "policy.json").write_bytes(json.dumps({"v": 1, "version": 9, "listed": [text * 5]}).encode())
    assert_plain(Policy(tmp_path / "policy.json", bytes(32)).problem)


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_a_cell_is_no_formula(text: str) -> None:
    assert_table(io.StringIO(cell(text)).getvalue())
    assert cell("入场 1") == "入场 1"
