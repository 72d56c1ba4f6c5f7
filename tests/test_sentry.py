"""Who is refused by the broker is in the book within a second or two, whatever they sent."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.ledger import Ledger, Noted
from controller.refusals import Reader, Refusal, worth_keeping
from controller.sentry import Sentry
from device.wire.messages import Place
from tests.attacker import connect, publish, subscribe
from tests.guarded import PATIENCE_S, Guarded

NORTH = Place("expo", "north")
NAME = "expo.north.7k3m9"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    book = Ledger(tmp_path / "ledger.db")
    yield book
    book.close()


def read(*lines: str) -> list[Refusal]:
    reader = Reader()
    return [refusal for line in lines for refusal in reader.read(f"2026-11-24T01:15:02: {line}\n")]


def test_what_goes_well_is_no_refusal() -> None:
    assert read(
        f"Received SUBSCRIBE from {NAME}",
        "\tmenshen/expo/north/ack (QoS 1)",
        f"{NAME} 1 menshen/expo/north/ack",
        "\tmenshen/expo/north/cmd/+ (QoS 1)",
        f"{NAME} 1 menshen/expo/north/cmd/+",
        f"Sending SUBACK to {NAME}",
        f"Received PUBLISH from {NAME} (d0, q0, r0, m0, 'menshen/expo/north/scan', ... (300 bytes))",
        "OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading",
        f"Client {NAME} closed its connection.",
    ) == []  # fmt: skip


def test_one_refused_among_granted_subscriptions_is_found() -> None:
    assert read(
        f"Received SUBSCRIBE from {NAME}",
        "\tmenshen/expo/north/ack (QoS 1)",
        f"{NAME} 1 menshen/expo/north/ack",
        "\tmenshen/# (QoS 1)",
        "\t$SYS/# (QoS 1)",
        f"Sending SUBACK to {NAME}",
    ) == [Refusal("subscribe", NAME, "menshen/#"), Refusal("subscribe", NAME, "$SYS/#")]


@pytest.mark.parametrize(
    "topic",
    ["x', ... (2 bytes))", "Client expo.south.00000 already connected, closing old connection.",
     "x (QoS 1)", "Denied PUBLISH from expo.south.00000 (d0, q0, r0, m0, 'y", "\u202egpj"],
)  # fmt: skip
def test_a_topic_that_looks_like_the_log_speaks_for_nobody_else(topic: str) -> None:
    found = read(f"Denied PUBLISH from {NAME} (d0, q1, r0, m1, '{topic}', ... (2 bytes))")
    assert [(each.kind, each.who) for each in found] == [("publish", NAME)]
    asked = read(f"Received SUBSCRIBE from {NAME}", f"\t{topic} (QoS 1)", f"Sending SUBACK to {NAME}")
    assert asked == [Refusal("subscribe", NAME, topic)]


def test_chatter_is_left_out_and_the_rest_is_kept() -> None:
    stamp = "2026-11-24T01:15:02: "
    assert not any(map(worth_keeping, [f"{stamp}Received PINGREQ from x", f"{stamp}Sending PINGRESP to x",
                                       f"{stamp}\tmenshen/# (QoS 1)", f"{stamp}x 1 menshen/#"]))  # fmt: skip
    assert worth_keeping(f"{stamp}Client x disconnected due to oversize packet.")
    assert worth_keeping(f"{stamp}Error: Unable to load server key file")


def test_a_thousand_refusals_of_one_kind_are_one_row(ledger: Ledger) -> None:
    times = iter(range(1000, 4000))
    sentry = Sentry(ledger, now=lambda: next(times))
    for number in range(1000):
        sentry.read(f"1: Denied PUBLISH from {NAME} (d0, q1, r0, m1, 'topic/{number}', ... (2 bytes))")
    assert ledger.refusals() == []
    sentry.write()
    sentry.write()
    assert ledger.refusals() == [Noted("publish", NAME, "topic/999", 1000, 1999, 1000)]
    sentry.read(f"1: Denied PUBLISH from {NAME} (d0, q1, r0, m1, 'x', ... (2 bytes))")
    sentry.write()
    assert ledger.refusals() == [Noted("publish", NAME, "x", 1000, 2000, 1001)]
    assert ledger.refusals(since=2001) == []


def test_after_a_pause_it_is_counted_anew(ledger: Ledger) -> None:
    for at in (0, 599, 1198, 1798):
        ledger.refused([Noted("twice", NAME, "old connection", at, at + 1, 2)], pause_s=600)
        if at == 1198:
            assert ledger.refusals() == [Noted("twice", NAME, "old connection", 0, 1199, 6)]
    assert ledger.refusals() == [Noted("twice", NAME, "old connection", 0, 1799, 8)]
    ledger.refused([Noted("twice", NAME, "old connection", 2399, 2399, 1)], pause_s=600)
    assert ledger.refusals() == [Noted("twice", NAME, "old connection", 2399, 2399, 1)]


def test_a_revoked_name_that_connects_is_noted_and_one_in_force_is_not(ledger: Ledger) -> None:
    ledger.enrolled(NORTH, NAME, at=0, until=9)
    sentry = Sentry(ledger, now=lambda: 5)
    for name in (NAME, "expo.north.00000", "controller"):
        sentry.read(f"1: New client connected from 192.0.2.7:4711 as {name} (p5, c1, k5, u'{name}').")
    sentry.write()
    assert ledger.refusals() == [Noted("revoked", "expo.north.00000", "192.0.2.7:4711", 5, 5, 1)]


def test_the_book_keeps_the_newest_thousand(ledger: Ledger) -> None:
    ledger.refused([Noted("publish", f"expo.north.{number:05d}", "x", number, number, 1) for number in range(1500)])
    kept = ledger.refusals()
    assert (len(kept), kept[0].last_at, kept[-1].last_at) == (1000, 1499, 500)


def test_what_is_forgotten_leaves_no_byte(ledger: Ledger, tmp_path: Path) -> None:
    dice, said = random.Random(0), []  # rows that grow move others, which leave copies behind
    for at in range(1000, 1600):
        who = f"192.0.2.{dice.randrange(200)}"
        said.append(f"menshen/{at}/{'x' * dice.randrange(150)}")
        ledger.refused([Noted("publish", who, said[-1], at, at, 1)])
    recent = {each.what for each in ledger.refusals(1500)}
    many = len(ledger.refusals())
    assert ledger.forget_refusals(1500, dry=True) == many - len(recent)
    assert len(ledger.refusals()) == many
    assert ledger.forget_refusals(1500) == many - len(recent)
    assert ledger.forget_refusals(1500) == 0
    assert {each.what for each in ledger.refusals()} == recent
    left = (tmp_path / "ledger.db").read_bytes()
    assert {each for each in said if each[:13].encode() in left} == recent
    assert ledger.forget_refusals() == len(recent)


def test_an_entrance_is_forgotten_and_one_whose_name_begins_alike_is_not(ledger: Ledger) -> None:
    names = ("expo.north.7k3m9", "expo.north.00000", "expo.north-2.7k3m9", "192.0.2.7", "")
    ledger.refused([Noted("publish", name, "#", 5, 8, 1) for name in names])
    assert ledger.forget_refusals(5, Place("expo", "north")) == 0
    assert ledger.forget_refusals(9, Place("expo", "north")) == 2
    assert {each.who for each in ledger.refusals()} == set(names[2:])


@contextmanager
def watched(on: Guarded) -> Iterator[subprocess.Popen[str]]:
    """Run the broker as `menshen controller broker` does, from when it runs until the block ends."""
    words = [sys.executable, "-c", "from controller.sentry import broker; broker()"]
    config = on.folder / "controller.toml"
    config.write_text(f'[identity]\nfolder = "{on.installation.folder}"\n', encoding="utf-8")
    with subprocess.Popen([*words, "--config", str(config)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while "running" not in (said := process.stderr.readline()):
                assert said, "it ended"
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_broker_runs_and_its_refusals_are_in_the_book(tmp_path: Path) -> None:
    on = Guarded(tmp_path)
    on.broker.stop()
    with watched(on) as process:
        assert process.stderr is not None
        name, north = on.admit(NORTH)
        on.registrar.revoke(NORTH)
        with on.attacker(north.path) as gate:
            assert gate.ask(connect(), publish("menshen/expo/south/scan"), subscribe("#")) == "suback 0x87"
        assert on.knock() == "closed"
        deadline = time.monotonic() + PATIENCE_S
        while {each.kind for each in on.installation.ledger.refusals()} < {
            "publish",
            "subscribe",
            "revoked",
            "handshake",
        }:
            assert time.monotonic() < deadline, on.installation.ledger.refusals()
            time.sleep(0.05)
        assert {each.who for each in on.installation.ledger.refusals() if each.kind != "handshake"} == {name}
        process.send_signal(signal.SIGTERM)
        left = process.stderr.read()
        assert process.wait(timeout=10) == 0
    assert "Denied PUBLISH" in left
    assert "PINGREQ" not in left
    on.stop()


def test_the_broker_does_not_run_on_unwatched(tmp_path: Path) -> None:
    on = Guarded(tmp_path)
    on.broker.stop()
    with watched(on) as process:
        assert process.stderr is not None
        process.stderr.close()  # whoever kept its words is gone
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            assert time.monotonic() < deadline, "it goes on"
            with suppress(OSError):
                on.knock()
    with pytest.raises(ConnectionRefusedError):
        on.knock()
    on.stop()
