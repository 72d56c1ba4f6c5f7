"""What is spooled reaches the controller in order, whatever happens in between."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.courier import PATIENCE_S, WINDOW, Acked, Courier, Kept, Window
from device.spool import Spool
from device.wire.link import Heard, LinkChanged, LinkSaid
from device.wire.messages import OLDEST, SEQ, SPOOL, Ack, Place, encode

PLACE = Place("expo", "north")


def test_a_window_goes_out_and_moves_with_the_acknowledgements() -> None:
    window = Window(acked=10)
    assert window.room(last=10) == (10, 0)
    assert window.room(last=5000) == (10, WINDOW)
    window.sent(10 + WINDOW, now=0)
    assert window.room(last=5000) == (10 + WINDOW, 0)
    assert window.ack(20, now=0.1)
    assert window.room(last=5000) == (10 + WINDOW, 10)


def test_silence_goes_back_with_growing_patience() -> None:
    window, now, waits = Window(acked=0), 0.0, []
    for _ in range(6):
        window.sent(2, now)
        begun = now
        while not window.look(now):
            now += 0.25
        waits.append(now - begun)
        assert window.room(last=2) == (0, 2)
    assert waits == [1, 2, 4, 8, 8, 8]
    assert waits[0] == PATIENCE_S[0]


def test_an_old_acknowledgement_changes_nothing() -> None:
    window = Window(acked=10)
    window.sent(20, now=0)
    assert not window.ack(9, now=0.5)
    assert window.room(last=20) == (20, 0)
    assert window.look(now=1)


def test_a_repeated_acknowledgement_goes_back_once_for_one_loss() -> None:
    window = Window(acked=10)
    window.sent(20, now=0)
    assert not window.ack(10, now=0.5)
    assert window.room(last=20) == (10, 10)
    window.sent(20, now=0.51)
    window.ack(10, now=0.52)
    assert window.room(last=20) == (20, 0)


def test_a_loss_halves_the_window_and_acknowledgements_widen_it_again() -> None:
    window = Window(acked=0)
    window.back()  # nothing was under way, so nothing was lost
    widths = []
    for now in range(20, 120, 10):
        after, room = window.room(last=10_000)
        widths.append(room)
        window.sent(after + room, now)
        assert window.look(now + 9)
    assert widths == [256, 128, 64, 32, 16, 8, 4, 2, 1, 1]
    for seq in range(1, 100):
        window.sent(seq, 200)
        window.ack(seq, 200)
    assert window.room(last=10_000) == (99, WINDOW)


@given(st.lists(st.tuples(st.sampled_from(["send", "ack", "wait", "drop"]), st.integers(0, 400)), max_size=60))
def test_a_window_never_skips_and_never_overfills(acts: list[tuple[str, int]]) -> None:
    window, now, received, last = Window(acked=0), 0.0, 0, 1000
    for act, number in acts:
        now += 0.1
        if act in ("send", "drop"):
            after, room = window.room(last)
            upto = after + min(room, number)
            assert upto - window.acked <= WINDOW
            for seq in range(after + 1, upto + 1):
                window.sent(seq, now)
                if act == "send" and seq == received + 1:
                    received = seq
        elif act == "ack":
            window.ack(received, now)
        else:
            now += number / 40
            window.look(now)
    # However much was dropped, patience and acknowledgements bring the rest over.
    for _ in range(100):
        now += PATIENCE_S[1]
        window.look(now)
        after, room = window.room(last)
        for seq in range(after + 1, after + room + 1):
            window.sent(seq, now)
            received = max(received, seq) if seq == received + 1 else received
        window.ack(received, now)
    assert received == last


class Wire:
    """A controller at the end of a line that loses, doubles and reorders."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.taken: list[int] = []
        self.faults = 0
        self.hear: list[queue.SimpleQueue[Kept | LinkSaid | None]] = []
        self.held: bytes | None = None

    def say(self, topic: str, payload: bytes, *, headers: dict[str, str] | None = None) -> bool:
        assert topic == PLACE.topic("scan")
        assert headers is not None
        assert headers[SEQ] == payload.decode()
        assert headers[SPOOL] == self.spool
        assert int(headers[OLDEST]) <= int(payload)
        fate = self.chance.random()
        if fate < 0.03:
            self.faults += 1
        elif fate < 0.05:
            self.faults += 1
            self.held = payload
        else:
            self._take(payload)
            if fate < 0.08:
                self.faults += 1
                self._take(payload)
            if self.held is not None:
                self._take(self.held)
                self.held = None
        return True

    def _take(self, payload: bytes) -> None:
        if int(payload) == len(self.taken) + 1:
            self.taken.append(int(payload))
        if self.chance.random() < 0.5:
            ack = encode(Ack(spool="s" if self.chance.random() < 0.05 else self.spool, seq=len(self.taken)))
            self.hear[0].put(Heard(topic=PLACE.topic("ack"), payload=ack))

    spool = ""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    kept = Spool(tmp_path / "spool.db")
    yield kept
    kept.close()


def test_a_bad_line_loses_doubles_and_reorders_nothing(spool: Spool, tmp_path: Path) -> None:
    wire = Wire(seed=3)
    wire.spool = spool.id
    said: queue.SimpleQueue[Acked] = queue.SimpleQueue()
    courier = Courier(
        path=tmp_path / "spool.db", place=PLACE, say=wire.say, tell=said.put
    )  # fmt: skip
    wire.hear.append(courier.inbox)
    courier.thread.start()
    courier.inbox.put(LinkChanged(up=True))
    for _ in range(150):
        courier.inbox.put(Kept(spool.id, spool.put("scan", lambda seq: str(seq).encode())))
    deadline, acked = time.monotonic() + 60, 0
    while acked < 150 and time.monotonic() < deadline:
        acked = said.get(timeout=30).seq
    courier.stop()
    assert wire.taken == list(range(1, 151))
    assert wire.faults > 5
    assert not courier.thread.is_alive()


def test_what_happens_now_goes_before_what_was_sealed(spool: Spool, tmp_path: Path) -> None:
    """Acknowledge nothing but what is asked for: the windows of both spools go out, and the oldest is next to go on."""
    said: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()

    def say(topic: str, payload: bytes, *, headers: dict[str, str] | None = None) -> bool:
        assert (topic, payload) == (PLACE.topic("scan"), b"")
        assert headers is not None
        said.put((headers[SPOOL], int(headers[SEQ])))
        return True

    names, many = [], 300
    courier = Courier(path=tmp_path / "spool.db", place=PLACE, say=say, tell=lambda _: None)
    for count in (many, many, 2):
        for _ in range(count):
            spool.put("scan", lambda _: b"")
        reel = spool.reels[-1]
        courier.inbox.put(Kept(reel.id, reel.last, reel.forgotten, reel.begins))
        names.append(reel.id)
        spool.seal()
    oldest, second, live = names
    courier.inbox.put(LinkChanged(up=True))
    courier.thread.start()
    heard = [said.get(timeout=10) for _ in range(2 + WINDOW)]
    assert heard == [(live, 1), (live, 2)] + [(oldest, seq) for seq in range(1, WINDOW + 1)]
    for name, seq in ((live, 2), (oldest, many)):
        courier.inbox.put(Heard(topic=PLACE.topic("ack"), payload=encode(Ack(spool=name, seq=seq))))
    while (next_ := said.get(timeout=10))[0] != second:
        assert next_[0] == oldest
    assert next_ == (second, 1)
    courier.stop()


def test_an_acknowledgement_beyond_what_was_kept_is_not_believed(spool: Spool, tmp_path: Path) -> None:
    said: queue.SimpleQueue[Acked] = queue.SimpleQueue()
    courier = Courier(
        path=tmp_path / "spool.db", place=PLACE,
        say=lambda *_args, **_how: True, tell=said.put,
    )  # fmt: skip
    courier.thread.start()
    courier.inbox.put(Kept(spool.id, spool.put("scan", lambda seq: str(seq).encode())))
    for seq in (99, 1):
        ack = encode(Ack(spool=spool.id, seq=seq))
        courier.inbox.put(Heard(topic=PLACE.topic("ack"), payload=ack))
    courier.inbox.put(Heard(topic=PLACE.topic("ack"), payload=b"not json"))
    assert said.get(timeout=10) == Acked(spool.id, 1)
    courier.stop()
