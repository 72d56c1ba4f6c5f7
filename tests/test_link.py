from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import msgspec
import pytest

from controller.broker import Broker, free_port
from device.wire.link import Heard, Link, LinkChanged, LinkSaid
from tests.guarded import guarded

WORDS = 8_000


def test_a_link_over_tls_stays_up_while_another_thread_says_much(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    with guarded(tmp_path) as on:
        link = Link(on.installation.wire, name="talker", hear=("menshen/#",), put=inbox.put)
        link.start()
        assert inbox.get(timeout=10) == LinkChanged(up=True)
        for number in range(WORDS):
            assert link.say("menshen/expo/north/ack", b"x" * 200, qos=number % 2)
            if number % 100 == 0:
                time.sleep(0.001)  # the other thread's turn: both are at work at once
        assert link.say("menshen/expo/north/ack", b"last", qos=1)
        while (said := inbox.get(timeout=20)) != Heard(topic="menshen/expo/north/ack", payload=b"last"):
            assert isinstance(said, Heard)
        link.stop()


def test_more_than_a_broker_carries_is_not_said_and_ends_no_connection(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    with guarded(tmp_path) as on:
        link = Link(on.installation.wire, name="talker", hear=("menshen/#",), put=inbox.put)
        link.start()
        assert inbox.get(timeout=10) == LinkChanged(up=True)
        assert not link.say("menshen/expo/north/policy/desired", b"x" * 1_048_576, qos=1)
        assert link.say("menshen/expo/north/policy/desired", b"x", qos=1)
        assert inbox.get(timeout=10) == Heard(topic="menshen/expo/north/policy/desired", payload=b"x")
        link.stop()
    assert inbox.empty()


@pytest.mark.parametrize("answers", [True, False])
def test_a_link_that_is_told_to_stop_while_it_connects_stops(broker: Broker, *, answers: bool) -> None:
    wire = broker.wire if answers else msgspec.structs.replace(broker.wire, port=free_port())
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = Link(wire, name="late", hear=(), put=inbox.put)
    told, begin = threading.Event(), threading.Event()

    def connecting(*_: object) -> None:
        told.set()
        begin.wait(10)

    link._client.on_pre_connect = connecting
    link.start()
    assert told.wait(10)
    stopping = threading.Thread(target=link.stop)
    stopping.start()
    while not link._over.is_set():
        time.sleep(0.001)
    time.sleep(0.05)  # for its goodbye, which connecting takes back
    begin.set()
    stopping.join()
    assert not link.thread.is_alive()
