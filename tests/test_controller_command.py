"""An operator's command: what is said, what is heard, and what is printed when nobody answers."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.broker import Broker, free_port
from controller.command import LINGER_S, Answer, ask
from device.wire.link import Heard, Link, LinkChanged, LinkSaid, Wire
from device.wire.messages import COMMAND_S, Command, Reply, decode, encode
from menshen import main
from tests.attacker import Attacker, connect, publish, subscribe
from tests.bystanders import PATIENCE_S, PLACE, Ear
from tests.guarded import guarded
from tests.test_remote import Running, edges


def run(port: int, folder: Path, *words: str) -> Result:
    place = folder / "controller.toml"
    place.write_text(f'[wire]\nhost = "127.0.0.1"\nport = {port}\n', encoding="utf-8")
    said = ["command", *words, "--config", str(place)]
    return CliRunner().invoke(main, said, env={"LANG": "en_US.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""})


@contextmanager
def answering(broker: Broker, answer: Callable[[Command], list[bytes]]) -> Iterator[Ear]:
    """Be a gate that answers one command in any way."""
    ear = Ear(broker, PLACE.topic("cmd/+"))

    def work() -> None:
        heard = ear.until(lambda heard: heard.payload != b"")
        for payload in answer(decode(Command, heard.payload)):
            ear.link.say(PLACE.topic("reply/open"), payload, qos=1)

    thread = threading.Thread(target=work)
    thread.start()
    yield ear
    thread.join()
    ear.stop()


def test_a_gate_does_it_and_says_so(tmp_path: Path, broker: Broker) -> None:
    running = Running(tmp_path, broker)
    with running.gate() as gate:
        done = run(broker.wire.port, tmp_path, "expo/north", "open", "--by", "guard 7", "--json")
        assert (done.exit_code, edges(gate) > 0) == (0, True)
        said = json.loads(done.output)
        assert (said["entrance"], said["verb"], said["by"]) == ("expo/north", "open", "guard 7")
        assert (said["outcome"], said["reason"]) == ("done", "")
    running.stop()


def test_a_gate_that_refuses_says_why_in_ones_own_language(tmp_path: Path, broker: Broker) -> None:
    with answering(broker, lambda command: [encode(Reply(id=command.id, outcome="refused", reason="clock_unsure"))]):
        result = run(broker.wire.port, tmp_path, "expo/north", "open", "--by", "guard 7", "--lang", "zh")
    assert (result.exit_code, result.output) == (1, "expo/north: 放行一人: 未执行：设备时钟不可靠\n")


def test_a_guarded_broker_lets_it_through_both_ways(tmp_path: Path) -> None:
    with guarded(tmp_path) as on:
        _, pair = on.admit(PLACE)
        inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
        gate = Link(on.wire(pair), name="gate", hear=(PLACE.topic("cmd/+"),), put=inbox.put)
        gate.start()
        assert inbox.get(timeout=PATIENCE_S) == LinkChanged(up=True)

        def answer() -> None:
            said = inbox.get(timeout=PATIENCE_S)
            assert isinstance(said, Heard)
            mark = decode(Command, said.payload).id
            gate.say(PLACE.topic("reply/open"), encode(Reply(id=mark, outcome="done")), qos=1)

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(on.installation.wire, PLACE, "open", mark="0123456789abcdef", by="guard 7", valid_s=5) == Answer(
            "done"
        )
        thread.join()
        gate.stop()
        with on.attacker(pair.path) as speaker:
            assert speaker.ask(connect(), publish(PLACE.topic("command"))) == "puback 0x10"  # nobody listens


def test_what_is_said_is_good_for_as_long_as_it_is_waited_for(tmp_path: Path, broker: Broker) -> None:
    def done(command: Command) -> list[bytes]:
        left = command.expires_at.timestamp() - time.time()
        assert 2 < left <= 3
        assert (command.to, command.by) == ("expo/north", "值班员 7")
        return [b"?", encode(Reply(id="someone-else", outcome="done")), encode(Reply(id=command.id, outcome="done"))]

    with answering(broker, done) as ear:
        result = run(broker.wire.port, tmp_path, "expo/north", "open", "--by", "值班员 7", "--wait", "3")
        assert (result.exit_code, result.output) == (0, "expo/north: open: done\n")
    assert [heard.retained for heard in ear.all] == [False]


def test_without_an_answer_nobody_knows_and_nobody_hears_it_later(tmp_path: Path, broker: Broker) -> None:
    """Somebody subscribed for good comes back after it has expired; what was kept for longer is all he gets."""
    kept, where = b"\x11\xff\xff\xff\xff", PLACE.topic("cmd/open")
    with Attacker(broker.wire.port, None) as sleeper:
        assert sleeper.ask(connect("sleeper", properties=kept), subscribe(where)) == "suback 0x01"
    began = time.monotonic()
    result = run(broker.wire.port, tmp_path, "expo/north", "open", "--by", "guard 7", "--wait", "1", "--json")
    assert (result.exit_code, json.loads(result.output)["outcome"]) == (1, "unknown")
    assert time.monotonic() - began >= 1 + LINGER_S
    assert "not known whether it was done" in Answer("unknown").text("en")
    with Attacker(broker.wire.port, None) as sender:
        sender.ask(connect("sender"), publish(where, b"kept for longer"))
    with Attacker(broker.wire.port, None) as sleeper:
        assert sleeper.ask(connect("sleeper", properties=kept, resume=True)) == "connack 0x00"
        assert b"kept for longer" in sleeper.hear().body


def test_without_a_broker_nothing_is_said() -> None:
    nowhere = Wire(host="127.0.0.1", port=free_port())
    answer = ask(nowhere, PLACE, "open", mark="0123456789abcdef", by="guard 7", valid_s=1, patience_s=0.3)
    assert answer == Answer("unsaid")
    assert "nothing was said" in answer.text("en")


@pytest.mark.parametrize(
    "words",
    [
        ("expo", "open", "--by", "guard 7"),
        ("expo/north", "shut", "--by", "guard 7"),
        ("expo/north", "open"),
        ("expo/north", "open", "--by", ""),
        ("expo/north", "open", "--by", "\x1b[2J"),
        ("expo/north", "open", "--by", "x" * 65),
        ("expo/north", "open", "--by", "guard 7", "--wait", str(COMMAND_S + 1)),
    ],
)
def test_what_no_gate_would_take_is_not_said(words: tuple[str, ...], tmp_path: Path, broker: Broker) -> None:
    result = run(broker.wire.port, tmp_path, *words)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
