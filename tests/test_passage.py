"""Who went through, which way, and on whose grant."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.passage import STRIDE_S, TAILGATE_S, Beam, Crossing, Passages, Went

Edge = tuple[Beam, bool]
IN: list[Edge] = [("outer", True), ("inner", True), ("outer", False), ("inner", False)]
OUT: list[Edge] = [("inner", True), ("outer", True), ("inner", False), ("outer", False)]
QUICK: list[Edge] = [("outer", True), ("outer", False), ("inner", True), ("inner", False)]
STEP_BACK: list[Edge] = [("outer", True), ("inner", True), ("inner", False), ("outer", False)]
LOITER: list[Edge] = [("outer", True), ("outer", False)]
CLOSE: list[Edge] = [
    ("outer", True), ("inner", True), ("outer", False), ("outer", True),
    ("inner", False), ("inner", True), ("outer", False), ("inner", False),
]  # fmt: skip


def walk(crossing: Crossing, edges: list[Edge], start: float = 0.0, step: float = 0.3) -> list[str]:
    said = [crossing.edge(beam, start + n * step, broken=broken) for n, (beam, broken) in enumerate(edges)]
    return [direction for direction in said if direction]


@pytest.mark.parametrize(
    ("edges", "said"),
    [(IN, ["in"]), (OUT, ["out"]), (QUICK, ["in"]), (STEP_BACK, []), (LOITER, []), (CLOSE, ["in", "in"])],
)
def test_beams_tell_who_went_which_way(edges: list[Edge], said: list[str]) -> None:
    assert walk(Crossing(), edges) == said


def test_one_who_stepped_back_is_not_counted_with_the_next() -> None:
    crossing = Crossing()
    walk(crossing, LOITER)
    assert walk(crossing, [("inner", True), ("inner", False)], start=10) == []
    assert walk(crossing, OUT, start=20) == ["out"]


def test_a_bouncing_beam_is_one_edge() -> None:
    doubled = [edge for edge in IN for _ in range(3)]
    assert walk(Crossing(), doubled, step=0.01) == ["in"]


@given(st.lists(st.sampled_from(["in", "out", "back", "loiter"]), max_size=30), st.floats(0.02, 0.6))
def test_any_sequence_of_people_is_counted_right(people: list[str], step: float) -> None:
    crossing, now, said = Crossing(), 0.0, []
    for person in people:
        edges = {"in": IN, "out": OUT, "back": STEP_BACK, "loiter": LOITER}[person]
        said += walk(crossing, edges, now, step)
        now += len(edges) * step + STRIDE_S + 0.1
    assert said == [person for person in people if person in ("in", "out")]


def test_a_passage_uses_the_grant_it_was_given() -> None:
    passages = Passages(release_s=8, sensed=True)
    passages.granted(41, 0)
    passages.granted(42, 1)
    assert passages.went("in", 2) == Went("passed", "in", 41)
    assert passages.went("in", 3) == Went("passed", "in", 42)


def test_nobody_came() -> None:
    passages = Passages(release_s=8, sensed=True)
    passages.granted(41, 0)
    assert passages.look(7.9) == []
    assert passages.look(8) == [Went("not_passed", "unknown", 41)]
    assert passages.look(9) == []


def test_two_on_one_release_and_one_on_none() -> None:
    passages = Passages(release_s=8, sensed=True)
    passages.granted(41, 0)
    passages.went("in", 1)
    assert passages.went("in", 2) == Went("tailgated", "in", None)
    assert passages.went("in", 1 + TAILGATE_S + 1) == Went("forced", "in", None)


def test_one_who_leaves_needs_no_grant_and_uses_none() -> None:
    passages = Passages(release_s=8, sensed=True)
    passages.granted(41, 0)
    assert passages.went("out", 1) == Went("passed", "out", None)
    assert passages.went("in", 2) == Went("passed", "in", 41)


def test_without_a_sensor_nothing_is_claimed() -> None:
    passages = Passages(release_s=8, sensed=False)
    passages.granted(41, 0)
    assert passages.look(100) == []


def test_thirty_unscanned_among_a_thousand_are_thirty() -> None:
    chance, passages, now = random.Random(7), Passages(release_s=8, sensed=True), 0.0
    unscanned = set(chance.sample(range(1000), 30))
    found = 0
    for person in range(1000):
        now += chance.uniform(0.5, 5)
        if person not in unscanned:
            passages.granted(person + 1, now)
        found += passages.went("in", now + 0.4).event_type in ("forced", "tailgated")
        assert passages.look(now + 0.4) == []
    assert found == 30


def test_a_grant_from_before_events_were_counted_anew_is_used_like_any_other() -> None:
    passages = Passages(release_s=8, sensed=True)
    passages.granted(41, 0)
    passages.granted(None, 1)
    passages.renumber()
    passages.granted(1, 2)
    assert [passages.went("in", 3) for _ in range(2)] == [Went("passed", "in", None)] * 2
    assert passages.look(10) == [Went("not_passed", "unknown", 1)]
