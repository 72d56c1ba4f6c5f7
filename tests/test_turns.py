"""Every gate has its turn, whatever another does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.turns import BATCH, SHARE, WAITING, Turns
from device.wire.link import Heard
from device.wire.messages import Place

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")


def said(place: Place, number: int, word: str = "scan") -> Heard:
    return Heard(topic=place.topic(word), payload=str(number).encode())


def taken(turns: Turns) -> list[Heard]:
    batches = []
    while turns:
        batches += turns.take()
    return batches


def test_a_gate_that_floods_does_not_delay_another() -> None:
    turns = Turns()
    for number in range(5000):
        turns.put(said(NORTH, number))
    turns.put(said(SOUTH, 0))
    first = turns.take()
    assert said(SOUTH, 0) in first
    assert len(first) == SHARE + 1
    assert turns.dropped == 5000 - WAITING
    assert len(taken(turns)) == WAITING - SHARE


def test_a_gate_alone_has_the_whole_batch() -> None:
    turns = Turns()
    for number in range(WAITING):
        turns.put(said(NORTH, number))
    assert len(turns.take()) == BATCH


def test_of_what_is_retained_the_newest_is_never_dropped() -> None:
    turns = Turns()
    for number in range(WAITING):
        turns.put(said(NORTH, number))
    for number in range(3000):
        turns.put(said(NORTH, number, "state"))
    all_ = taken(turns)
    assert all_[-1] == said(NORTH, 2999, "state")
    assert len(all_) == WAITING


def test_many_gates_all_come_to_their_turn() -> None:
    turns = Turns()
    places = [Place("expo", f"gate{number}") for number in range(50)]
    for place in places:
        for number in range(100):
            turns.put(said(place, number))
    seen = {each.topic for each in turns.take() + turns.take() + turns.take() + turns.take() + turns.take()}
    assert len(seen) == len(places)


@given(st.lists(st.tuples(st.sampled_from(["north", "south", "west"]), st.integers(1, 400)), max_size=12))
def test_within_a_gate_the_order_stays_and_nothing_is_lost_below_the_limit(bursts: list[tuple[str, int]]) -> None:
    turns, put, got, number = Turns(), dict[str, list[bytes]](), dict[str, list[bytes]](), 0
    for name, count in bursts:
        for _ in range(count):
            number += 1
            turns.put(said(Place("expo", name), number))
            put.setdefault(f"menshen/expo/{name}/scan", []).append(str(number).encode())
        for heard in turns.take():
            got.setdefault(heard.topic, []).append(heard.payload)
    for heard in taken(turns):
        got.setdefault(heard.topic, []).append(heard.payload)
    if turns.dropped == 0:
        assert got == put
    for topic, payloads in got.items():
        assert payloads == sorted(payloads, key=int), topic
