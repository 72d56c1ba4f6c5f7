"""Who went through two beams, and which way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.crossing import BLOCKED_S, JOIN_S, STRIDE_S, Beam, Crossing
from tests import walkers
from tests.walkers import Edge

Said = list[tuple[Beam, bool]]
IN: Said = [("outer", True), ("inner", True), ("outer", False), ("inner", False)]
OUT: Said = [("inner", True), ("outer", True), ("inner", False), ("outer", False)]
QUICK: Said = [("outer", True), ("outer", False), ("inner", True), ("inner", False)]
STEP_BACK: Said = [("outer", True), ("inner", True), ("inner", False), ("outer", False)]
LOITER: Said = [("outer", True), ("outer", False)]
CLOSE: Said = [
    ("outer", True), ("inner", True), ("outer", False), ("outer", True),
    ("inner", False), ("inner", True), ("outer", False), ("inner", False),
]  # fmt: skip


def told(crossing: Crossing, edges: list[Edge]) -> list[str]:
    """Tell edges as the gate does: each looked at when it comes, and a while after the last."""
    said = []
    for at, beam, broken in edges:
        crossing.edge(beam, at, broken=broken)
        said += crossing.look(at)
    return [crossed.direction for crossed in [*said, *crossing.look(edges[-1][0] + 2 * JOIN_S)]]


def walk(crossing: Crossing, edges: Said, start: float = 0.0, step: float = 0.3) -> list[str]:
    return told(crossing, [(start + n * step, beam, broken) for n, (beam, broken) in enumerate(edges)])


@pytest.mark.parametrize(
    ("edges", "said"),
    [(IN, ["in"]), (OUT, ["out"]), (QUICK, ["in"]), (STEP_BACK, []), (LOITER, []), (CLOSE, ["in", "in"])],
)
def test_beams_tell_who_went_which_way(edges: Said, said: list[str]) -> None:
    assert walk(Crossing(), edges) == said


def test_one_who_stepped_back_is_not_counted_with_the_next() -> None:
    crossing = Crossing()
    walk(crossing, LOITER)
    assert walk(crossing, [("inner", True), ("inner", False)], start=10) == []
    assert walk(crossing, OUT, start=20) == ["out"]


def test_one_who_waits_outside_is_not_one_who_came_in_when_another_leaves() -> None:
    crossing = Crossing()
    walk(crossing, LOITER)
    assert walk(crossing, OUT, start=0.3 + STRIDE_S + 0.1) == ["out"]


def test_a_bouncing_beam_is_one_edge() -> None:
    chatter = [(beam, state) for beam, broken in IN for state in (broken, not broken, broken)]
    edges = [(n // 3 * 0.3 + n % 3 * 0.004, *edge) for n, edge in enumerate(chatter)]
    crossing = Crossing()
    assert told(crossing, edges) == ["in"]
    assert not crossing.standing(9)


def test_an_arm_behind_a_body_is_no_second_person() -> None:
    arm: list[Edge] = [
        (0.0, "outer", True), (0.2, "inner", True), (0.4, "outer", False), (0.5, "outer", True), (0.55, "outer", False),
        (0.6, "inner", False), (0.7, "inner", True), (0.75, "inner", False),
    ]  # fmt: skip
    crossing = Crossing()
    assert told(crossing, arm) == ["in"]
    assert walk(crossing, IN, start=1.2) == ["in"], "and the next is counted as if nothing had been"


def test_a_beam_that_failed_is_nobody_who_stands_there() -> None:
    crossing = Crossing()
    crossing.edge("outer", 0, broken=True)
    crossing.look(1)
    assert [crossing.standing(now) for now in (1, BLOCKED_S - 1, BLOCKED_S)] == [True, True, False]


def test_a_beam_that_was_blocked_is_no_person() -> None:
    crossing = Crossing()
    crossing.edge("outer", 0, broken=True)
    crossing.edge("inner", 10, broken=True)
    crossing.look(70)
    assert crossing.broken_for(70) == {"outer": 70, "inner": 60}
    assert crossing.standing(70)
    crossing.edge("outer", BLOCKED_S, broken=False)
    crossing.edge("inner", BLOCKED_S + 11, broken=False)
    assert crossing.look(BLOCKED_S + 12) == []
    assert not crossing.standing(BLOCKED_S + 12)
    assert walk(crossing, OUT, start=BLOCKED_S + 20) == ["out"]


@given(st.lists(st.sampled_from(["in", "out", "back", "loiter"]), max_size=30), st.floats(JOIN_S + 0.01, 0.6))
def test_any_sequence_of_people_is_counted_right(people: list[str], step: float) -> None:
    crossing, now, said = Crossing(), 0.0, list[str]()
    for person in people:
        edges = {"in": IN, "out": OUT, "back": STEP_BACK, "loiter": LOITER}[person]
        said += walk(crossing, edges, now, step)
        now += len(edges) * step + STRIDE_S + 0.1
    assert said == [person for person in people if person in ("in", "out")]


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["straight", "hesitant", "back", "close"])))
def test_bodies_that_stride_hesitate_turn_back_and_follow_are_counted_right(
    chance: random.Random, people: list[str]
) -> None:
    crossing, now, said, expected = Crossing(), 0.0, list[str](), list[str]()
    for person in people:
        walks = walkers.come(person, chance, now)
        out = chance.random() < 0.5
        walks = [walkers.turned(each) for each in walks] if out else walks
        said += told(crossing, walkers.edges(chance, *walks))
        expected += {"back": 0, "close": 2}.get(person, 1) * ["out" if out else "in"]
        now = max(each.end for each in walks) + 2 * JOIN_S
    assert said == expected


@given(
    st.lists(st.tuples(st.sampled_from(["outer", "inner"]), st.booleans(), st.floats(0, 3))), st.floats(0, 2 * JOIN_S)
)
def test_no_edges_break_it_and_nobody_is_made_up(edges: list[tuple[Beam, bool, float]], late: float) -> None:
    crossing, now, breaks, counted = Crossing(), 0.0, {"outer": 0, "inner": 0}, 0
    for beam, broken, pause in edges:
        now += pause
        breaks[beam] += broken
        crossing.edge(beam, now, broken=broken)
        counted += len(crossing.look(now + late))
    assert counted <= min(breaks.values())
