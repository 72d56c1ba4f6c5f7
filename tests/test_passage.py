"""Who went on whose grant, and who on none."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.crossing import Crossing
from device.passage import TAILGATE_S, Direction, Passages, Scanned, Went
from tests import walkers
from tests.walkers import Edge


def passages(scanned: Scanned = "in", *, sensed: bool = True) -> Passages:
    return Passages(release_s=8, sensed=sensed, scanned=scanned)


def test_a_passage_uses_the_grant_it_was_given() -> None:
    way = passages()
    way.granted(41, 0)
    way.granted(42, 2)
    assert way.went("in", 2.5) == Went("passed", "in", 41)
    assert way.went("in", 3) == Went("passed", "in", 42)


def test_nobody_came() -> None:
    way = passages()
    way.granted(41, 0)
    assert way.look(7.9) == []
    assert way.look(8) == [Went("not_passed", "unknown", 41)]
    assert way.look(9) == []


def test_two_on_one_release_and_one_on_none() -> None:
    way = passages()
    way.granted(41, 0)
    way.went("in", 1)
    assert way.went("in", 2) == Went("tailgated", "in", None)
    assert way.went("in", 1 + TAILGATE_S + 1) == Went("forced", "in", None)


def test_one_who_was_through_before_a_grant_did_not_go_on_it() -> None:
    way = passages()
    way.granted(41, 5.0)
    assert way.went("in", 4.9) == Went("forced", "in", None)
    assert way.went("in", 6) == Went("passed", "in", 41)


def test_one_who_leaves_needs_no_grant_and_uses_none() -> None:
    way = passages()
    way.granted(41, 0)
    assert way.went("out", 1) == Went("passed", "out", None)
    assert way.went("in", 2) == Went("passed", "in", 41)


@pytest.mark.parametrize(
    ("scanned", "direction", "outcome"),
    [
        ("in", "in", "passed"), ("in", "out", "passed"),
        ("out", "out", "passed"), ("out", "in", "forced"),
        ("both", "in", "passed"), ("both", "out", "passed"),
    ],
)  # fmt: skip
def test_which_way_a_grant_is_for(scanned: Scanned, direction: Direction, outcome: str) -> None:
    way = passages(scanned)
    way.granted(41, 0)
    went = way.went(direction, 1)
    assert went.event_type == outcome
    assert (went.scan is None) is (outcome == "forced" or (scanned, direction) == ("in", "out"))


@pytest.mark.parametrize(("scanned", "direction"), [("in", "in"), ("out", "out"), ("out", "in"), ("both", "out")])
def test_without_a_grant_it_is_forced(scanned: Scanned, direction: Direction) -> None:
    assert passages(scanned).went(direction, 1).event_type == "forced"


def test_a_party_goes_on_one_code_and_one_more_does_not() -> None:
    way = passages()
    way.granted(41, 0, people=3)
    assert [way.went("in", at).left for at in (1, 8, 15)] == [2, 1, 0], "each of them has the whole time"
    assert way.went("in", 16).event_type == "tailgated"


def test_those_of_a_party_who_did_not_come_are_counted() -> None:
    way = passages()
    way.granted(41, 0, people=5)
    way.went("in", 1)
    assert way.look(9) == [Went("not_passed", "unknown", 41, people=4)]
    assert way.went("in", 20) == Went("forced", "in", None)


def test_without_a_sensor_nothing_is_claimed() -> None:
    way = passages(sensed=False)
    way.granted(41, 0)
    assert way.look(100) == []


@given(st.lists(st.sampled_from(["grant", "party", "in", "out", "wait"])))
def test_nobody_goes_twice_on_a_grant_and_none_is_forgotten(life: list[str]) -> None:
    way, now, granted, told = passages(), 0.0, 0, list[Went]()
    for act in life:
        now += 5 if act == "wait" else 0.5
        told += way.look(now)
        if act in ("grant", "party"):
            granted += 1 if act == "grant" else 3
            way.granted(granted, now, people=1 if act == "grant" else 3)
        elif act != "wait":
            told.append(way.went("in" if act == "in" else "out", now))
    told += way.look(now + 8)
    assert sum(went.people for went in told if went.scan is not None) == granted
    assert [went for went in told if went.event_type in ("forced", "tailgated") and went.scan] == []


def test_a_grant_from_before_events_were_counted_anew_is_used_like_any_other() -> None:
    way = passages()
    way.granted(41, 0)
    way.granted(None, 1)
    way.renumber()
    way.granted(1, 2)
    assert [way.went("in", 3) for _ in range(2)] == [Went("passed", "in", None)] * 2
    assert way.look(10) == [Went("not_passed", "unknown", 1)]


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_thirty_unscanned_among_a_thousand_are_thirty(seed: int) -> None:
    """A thousand go in as edges of two beams: they stride, hesitate, follow closely, turn back, and others leave."""
    chance, now = random.Random(seed), 0.0
    unscanned = set(chance.sample(range(1000), 30))
    happens: list[tuple[float, int | Edge]] = []
    turned_back = left = 0
    person = 0
    while person < 1000:
        if chance.random() < 0.1:
            turned_back += 1
            happens.append((now, 5000 + turned_back))
            walks = [walkers.undecided(chance, now + 0.5)]
            happens += [(edge[0], edge) for walk in walks for edge in walkers.edges(chance, walk)]
            now = max(walks[-1].end, now + 8) + 1
        if chance.random() < 0.2:
            left += 1
            walk = walkers.turned(chance.choice(walkers.THROUGH)(chance, now))
            happens += [(edge[0], edge) for edge in walkers.edges(chance, walk)]
            now = walk.end + 0.5
        walks = [chance.choice(walkers.THROUGH)(chance, now + 0.3)]
        if person < 999 and chance.random() < 0.2:
            walks = walkers.close(chance, now + 0.3)
        for number in range(len(walks)):
            if person + number not in unscanned:
                happens.append((now + number * 0.1, person + number + 1))
        happens += [(edge[0], edge) for edge in walkers.edges(chance, *walks)]
        person += len(walks)
        now = walks[-1].end + chance.uniform(0.3, 5)
    crossing, way, told = Crossing(), passages(), list[Went]()
    for at, what in sorted(happens, key=lambda each: each[0]):
        told += [way.went(*crossed) for crossed in crossing.look(at)]
        told += [] if crossing.standing(at) else way.look(at)
        if isinstance(what, int):
            way.granted(what, at)
        else:
            crossing.edge(what[1], what[0], broken=what[2])
    told += [way.went(*crossed) for crossed in crossing.look(now + 10)] + way.look(now + 20)
    counts = Counter(went.event_type for went in told if went.direction != "out")
    assert counts["forced"] + counts["tailgated"] == 30
    assert counts == Counter(passed=970, not_passed=turned_back, forced=counts["forced"], tailgated=counts["tailgated"])
    assert [went.direction for went in told].count("out") == left
    assert left > 50
    assert turned_back > 50
