"""Following what happens, live."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, get_args, get_type_hints

import click
import pytest
from rich.console import Console

from controller import rules, telling
from controller.broker import Broker, free_port
from controller.watch import Lines, follow
from device.wire.link import Heard, Link, LinkDied, LinkSaid, Wire
from device.wire.messages import EVENTS, Alert, Commanded, Duty, Fault, Message, Passage, Place, Text, encode
from tests.bystanders import PATIENCE_S, PLACE, WHEN, Gate, scan, state

COMMON: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "at": WHEN, "mono": 2.5, "clock": "synced"}


def alert(kind: str, **other: Any) -> Alert:
    fields: dict[str, Any] = {
        "kind": kind, "site": "expo", "entrance": "north", "severity": "warning", "since": WHEN, "updated": WHEN,
        "count": 1, "what": Text("出事了", "it happened"), "next_step": Text("去看看", "go and see"),
    }  # fmt: skip
    return Alert(**(fields | other))


class Shown:
    """What somebody who watches reads."""

    def __init__(self, tongue: Any = "en", **how: Any) -> None:
        self._out = io.StringIO()
        self._lines = Lines(tongue, console=Console(file=self._out, highlight=False, soft_wrap=True), **how)

    def hear(self, word: str, message: Message | bytes, place: Place = PLACE, *, retained: bool = False) -> str:
        """Let something be heard; return what is shown of it, without the time."""
        payload = message if isinstance(message, bytes) else encode(message)
        self._out.seek(0)
        self._out.truncate()
        self._lines.show(Heard(topic=place.topic(word), payload=payload, retained=retained))
        return self._out.getvalue()[10:].rstrip("\n")


def test_each_event_is_a_line() -> None:
    shown = Shown()
    assert shown.hear("scan", scan(1, "revoked", kind="staff")) == "expo/north  refuse  revoked, staff, ms1"
    assert shown.hear("passage", Passage(seq=2, event_type="forced", direction="in", **COMMON)) == (
        "expo/north  went through unscanned  in"
    )
    assert shown.hear("duty", Duty(seq=3, event_type="check_in", who="guard 7", since=WHEN, **COMMON)) == (
        "expo/north  checked in  guard 7"
    )
    by_button = Duty(seq=3, event_type="check_in", who="button", by="button", since=WHEN, **COMMON)
    assert Shown("zh").hear("duty", by_button) == "expo/north  签到  按钮"
    nobodys = scan(9, "invalid", scheme="unknown", celsius=36.5)
    assert Shown().hear("scan", nobodys) == "expo/north  refuse  not a valid code, 36.5 °C"
    assert shown.hear("fault", Fault(seq=4, event_type="cleared", fault="clock_unset", **COMMON)) == (
        "expo/north  cleared  the clock is not set"
    )
    refused = Commanded(seq=5, event_type="refused", verb="open", by="guard 7", reason="late", count=3, **COMMON)
    assert shown.hear("command", refused) == "expo/north  command refused  open, guard 7, too late, ×3"
    assert Shown("zh").hear("command", refused) == "expo/north  指令未执行  放行一人，guard 7，指令已过期，×3"
    assert Shown("zh").hear("scan", scan(1, "revoked", kind="staff")) == "expo/north  拒绝  已吊销，工作人员，ms1"


def test_what_only_programs_need_is_not_shown() -> None:
    shown = Shown()
    assert shown.hear("state", state()) == ""
    assert shown.hear("ack", b"{}") == ""
    assert shown.hear("policy/desired", b"{}") == ""
    assert shown.hear("scan", scan(1), retained=True) == ""


def test_what_a_gate_repeats_is_shown_once() -> None:
    shown = Shown()
    assert shown.hear("scan", scan(7))
    assert shown.hear("scan", scan(7)) == ""
    assert shown.hear("scan", scan(6)) == ""
    assert shown.hear("scan", scan(8))
    assert shown.hear("scan", scan(1, spool="another"))


def test_an_alert_is_shown_when_it_opens_changes_and_ends() -> None:
    shown = Shown()
    assert shown.hear("alert/abnormal_code", b"") == ""
    assert shown.hear("alert/abnormal_code", alert("abnormal_code"), retained=True) == (
        "expo/north  ALERT abnormal code  it happened; go and see"
    )
    assert shown.hear("alert/abnormal_code", alert("abnormal_code")) == ""
    assert shown.hear("alert/abnormal_code", alert("abnormal_code", count=2))
    assert shown.hear("alert/abnormal_code", b"") == "expo/north  resolved abnormal code"
    assert shown.hear("alert/abnormal_code", b"") == ""


def test_whose_an_alert_is_and_that_nobody_is_called_about_it_is_shown() -> None:
    said = {"zh": Shown("zh"), "en": Shown()}
    until = datetime.now(tz=UTC) + timedelta(hours=1)
    at = telling.clock(until, day=False)

    def hear(tongue: str, **how: Any) -> str:
        return said[tongue].hear("alert/fire", alert("fire", **how)).partition("  ")[2].partition("  ")[0]

    assert hear("en") == "ALERT fire"
    assert hear("en", state="escalated") == "ALERT fire [escalated, nobody took it on]"
    assert hear("en", state="acknowledged", acknowledged_by="guard 7") == "ALERT fire [taken on by guard 7]"
    assert hear("en", silenced_until=until) == f"ALERT fire [silenced until {at}]"
    assert hear("zh", state="acknowledged", acknowledged_by="guard 7", silenced_until=until) == (
        f"告警 消防联动 [已受理：guard 7] [静音至 {at}]"
    )
    assert hear("zh", state="escalated") == "告警 消防联动 [已升级，无人受理]"


@pytest.mark.parametrize(
    ("how", "colour"),
    [
        ({}, "\x1b[33m"),
        ({"state": "escalated"}, "\x1b[33m"),
        ({"state": "acknowledged", "acknowledged_by": "guard 7"}, "\x1b[2m"),
        ({"silenced_until": WHEN}, "\x1b[2m"),
    ],
)
def test_what_is_somebodys_stands_back_in_a_terminal_alone(how: dict[str, Any], colour: str) -> None:
    assert "\x1b" not in Shown().hear("alert/fire", alert("fire", **how))
    out = io.StringIO()
    lines = Lines("en", console=Console(file=out, force_terminal=True, color_system="standard"))
    lines.show(Heard(topic=PLACE.topic("alert/fire"), payload=encode(alert("fire", **how))))
    assert f"{colour}ALERT fire" in out.getvalue()


def test_an_alert_that_ends_because_nobody_can_tell_is_not_over() -> None:
    shown = Shown()
    shown.hear("alert/unstaffed_entrance", alert("unstaffed_entrance"))
    shown.hear("alert/gate_offline", alert("gate_offline"))
    assert shown.hear("alert/unstaffed_entrance", b"") == (
        "expo/north  unknown unstaffed entrance  the gate is offline, nobody can tell"
    )


def test_another_site_is_not_shown() -> None:
    shown = Shown(site="expo")
    assert shown.hear("scan", scan(1))
    assert shown.hear("scan", scan(1), Place("park", "north")) == ""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("duty", Duty(seq=1, event_type="check_in", who="\x1b[2J\x9b31m\u202e[red]", since=WHEN, **COMMON)),
        ("scan", b'{"v":1,"event_type":"\\u001b[2J"}'),
        ("alert/\u202e\x85", alert("abnormal_code", what=Text("\x1b[2J", "\x1b[2J\n\rall is well"))),
    ],
)
def test_nothing_that_is_heard_moves_the_cursor(word: str, message: Message | bytes) -> None:
    line = Shown().hear(word, message)
    assert line.isprintable()
    assert line


def test_colour_is_for_terminals() -> None:
    out = io.StringIO()
    lines = Lines("en", console=Console(file=out, force_terminal=True, color_system="standard"))
    lines.show(Heard(topic=PLACE.topic("scan"), payload=encode(scan(1, "revoked"))))
    assert "\x1b[31mrefuse" in out.getvalue()


@contextmanager
def watching(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], SimpleQueue[str]]]:
    settings = folder / "controller.toml"
    settings.write_text(f'[wire]\nhost = "127.0.0.1"\nport = {port}\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "menshen", "watch", "--lang", "zh", "--config", str(settings)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def test_the_command_follows_a_broker_until_it_is_interrupted(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    gate.left("alert/gate_offline", encode(alert("gate_offline")))
    with watching(tmp_path, broker.wire.port) as (process, lines):
        assert "已连接" in lines.get(timeout=PATIENCE_S)
        assert "出事了" in lines.get(timeout=PATIENCE_S)
        gate.event(scan(1, "invalid"))
        assert "无效码" in lines.get(timeout=PATIENCE_S)
        broker.stop()
        assert "连接中断" in lines.get(timeout=PATIENCE_S)
        broker.start()
        assert "已连接" in lines.get(timeout=PATIENCE_S)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert "Traceback" not in (process.stderr.read() if process.stderr else "")


def test_without_a_broker_it_says_so_and_ends() -> None:
    inbox: SimpleQueue[LinkSaid] = SimpleQueue()
    link = Link(Wire(host="127.0.0.1", port=free_port()), name="watch", hear=("menshen/#",), put=inbox.put)
    link.start()
    with pytest.raises(click.ClickException, match=r"no MQTT broker .* at gate-house within 0\.3 s") as said:
        follow(inbox, Lines("en"), "gate-house", patience_s=0.3)
    link.stop()
    assert said.value.exit_code == 1


def test_a_dead_connection_ends_it() -> None:
    inbox: SimpleQueue[LinkSaid] = SimpleQueue()
    inbox.put(LinkDied(reason="no more memory"))
    with pytest.raises(click.ClickException, match="no more memory"):
        follow(inbox, Lines("en"), "gate-house")


def test_every_kind_of_alert_and_event_has_words_in_both_languages() -> None:
    assert rules.RULES.keys() | rules.OWN.keys() == telling.ALERTS.keys()
    types = {name for message in EVENTS.values() for name in get_args(get_type_hints(message)["event_type"])}
    assert types <= telling.TYPES.keys()
