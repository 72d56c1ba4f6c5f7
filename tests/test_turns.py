"""Every gate has its turn, whatever another does."""

from __future__ import annotations

import itertools
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.turns import BATCH, BATCH_S, SHARE, WAITING, Turns
from device.wire.link import Heard
from device.wire.messages import Place

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")


def said(place: Place, number: int, word: str = "scan") -> Heard:
    return Heard(topic=place.topic(word), payload=str(number).encode())


def taken(turns: Turns) -> list[Heard]:
    batches: list[Heard] = []
    while turns:
        batches += turns.take()
    return batches


def hear(turns: Turns, heard: Heard) -> None:
    """Let a message come in as the connection and the desk do."""
    if turns.admit(heard.topic):
        turns.put(heard)


def test_a_gate_that_floods_does_not_delay_another() -> None:
    turns = Turns()
    for number in range(5000):
        hear(turns, said(NORTH, number))
    hear(turns, said(SOUTH, 0))
    first = list(itertools.islice(turns.take(), SHARE + 1))
    assert first[-1] == said(SOUTH, 0)
    assert turns.refused() == {"menshen/expo/north": 5000 - WAITING}
    assert turns.refused() == {}
    assert len(taken(turns)) == WAITING - SHARE


def test_what_was_worked_off_makes_room() -> None:
    turns = Turns()
    for number in range(3 * WAITING):
        hear(turns, said(NORTH, number))
        if number % WAITING == WAITING - 1:
            taken(turns)
    assert turns.refused() == {}


def test_a_gate_alone_has_the_whole_batch() -> None:
    turns = Turns()
    for number in range(WAITING):
        hear(turns, said(NORTH, number))
    assert len(list(turns.take())) == BATCH


def test_a_batch_ends_when_its_time_is_over() -> None:
    turns = Turns()
    for number in range(WAITING):
        hear(turns, said(NORTH, number))
    began, count = time.monotonic(), 0
    for _ in turns.take():
        count += 1
        time.sleep(0.002)
    assert SHARE <= count < BATCH
    assert time.monotonic() - began < BATCH_S + SHARE * 0.02
    assert len(taken(turns)) == WAITING - count, "the rest comes next"


def test_of_what_is_retained_the_newest_is_never_dropped() -> None:
    turns = Turns()
    for number in range(WAITING):
        hear(turns, said(NORTH, number))
    for number in range(3000):
        hear(turns, said(NORTH, number, "state"))
        hear(turns, said(NORTH, number, "health"))
    hear(turns, said(NORTH, 3000, "anything/else"))
    all_ = taken(turns)
    assert all_[WAITING:] == [said(NORTH, 2999, "state"), said(NORTH, 2999, "health")]
    assert turns.refused() == {"menshen/expo/north": 1}


def test_many_gates_all_come_to_their_turn() -> None:
    turns = Turns()
    places = [Place("expo", f"gate{number}") for number in range(50)]
    for place in places:
        for number in range(100):
            hear(turns, said(place, number))
    seen = {each.topic for each in itertools.islice(turns.take(), SHARE * len(places))}
    assert len(seen) == len(places)


@settings(deadline=None)  # an instant is not what is tested
@given(st.lists(st.tuples(st.sampled_from(["north", "south", "west"]), st.integers(1, 400)), max_size=12))
def test_within_a_gate_the_order_stays_and_nothing_is_lost_below_the_limit(bursts: list[tuple[str, int]]) -> None:
    turns, put, got, number = Turns(), dict[str, list[bytes]](), dict[str, list[bytes]](), 0
    for name, count in bursts:
        for _ in range(count):
            number += 1
            hear(turns, said(Place("expo", name), number))
            put.setdefault(f"menshen/expo/{name}/scan", []).append(str(number).encode())
        for heard in turns.take():
            got.setdefault(heard.topic, []).append(heard.payload)
    for heard in taken(turns):
        got.setdefault(heard.topic, []).append(heard.payload)
    if not turns.refused():
        assert got == put
    for topic, payloads in got.items():
        assert payloads == sorted(payloads, key=int), topic
