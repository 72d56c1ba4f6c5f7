"""People counted by their outlines in drawn pictures; when a look is taken, and what it must not be fooled by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from device.sight import Counted
from device.waiting import PERIOD_S, SETTLE, STARVED_S, Person, Place, Waiting, counted, summits
from hardware.camera.drawing import Grain, draw
from hardware.camera.people import LINE_M, row_of
from hardware.parts import Frame, Grey
from hardware.scene import Scene

WIDTH, HEIGHT = 640, 360
GRAIN = Grain(WIDTH, HEIGHT, 2)
LINE = row_of(LINE_M, HEIGHT, WIDTH) / HEIGHT


def seen(**scene: object) -> Grey:
    return GRAIN.over(draw(Scene(**scene), WIDTH, HEIGHT))  # type: ignore[arg-type]


@pytest.fixture
def place() -> Place:
    made = Place()
    for _ in range(SETTLE - 1):
        assert made.people(seen()) is None, "what is there at first may be anything"
    for _ in range(3):
        assert made.people(seen()) == []
    return made


def count(place: Place, picture: Grey) -> int:
    found = place.people(picture)
    assert found is not None
    return len(found)


@pytest.mark.parametrize("people", [1, 2, 3])
def test_a_few_who_stand_apart_are_all_counted(place: Place, people: int) -> None:
    assert count(place, seen(waiting=people)) == people


def test_of_many_some_are_hidden_and_none_is_invented(place: Place) -> None:
    assert 3 <= count(place, seen(waiting=8)) <= 8


def test_whoever_is_served_does_not_wait(place: Place) -> None:
    people = place.people(seen(near=True))
    assert people is not None
    assert counted(people, LINE, 1.0) == Counted(waiting=1, near=1, frame_at=1.0)


def test_people_beyond_the_line_are_not_too_near(place: Place) -> None:
    people = place.people(seen(waiting=5))
    assert people is not None
    assert counted(people, LINE, 1.0).near == 0


def test_without_a_line_nobody_is_too_near() -> None:
    people = [Person(1.0, 1), Person(0.95, 2)]
    assert counted(people, 0, 1.0) == Counted(waiting=1, near=0, frame_at=1.0)
    assert counted(people, 0.9, 1.0).near == 1


@pytest.mark.parametrize(
    ("people", "near"),
    [
        ([Person(0.95, 1)], 0),
        ([Person(0.95, 1), Person(0.95, 2)], 1),
        ([Person(1.0, 1), Person(1.0, 2)], 1),
        ([Person(1.0, 1), Person(1.0, 1)], 0),
        ([Person(1.0, 1), Person(0.95, 1), Person(0.95, 1), Person(0.5, 1)], 2),
    ],
)
def test_one_may_stand_before_the_line_and_what_is_hidden_is_not_held_against_anybody(
    people: list[Person], near: int
) -> None:
    assert counted(people, 0.9, 1.0).near == near


def test_a_bird_is_nobody(place: Place) -> None:
    picture = seen()
    picture[200:214, 300:314] = 20
    assert place.people(picture) == []


def test_light_that_changes_is_no_crowd(place: Place) -> None:
    for light in (0.3, 1.2, 0.6):
        assert place.people(seen(light=light)) == []
        assert count(place, seen(light=light, waiting=2)) == 2


def test_a_camera_that_was_turned_learns_its_new_place(place: Place) -> None:
    elsewhere = np.random.default_rng(1).integers(0, 255, (9, 16), np.uint8).repeat(40, 0).repeat(40, 1)
    assert place.people(GRAIN.over(elsewhere)) is None, "everything differs: nobody can tell"
    for _ in range(SETTLE - 2):
        assert place.people(GRAIN.over(elsewhere)) is None
    for _ in range(3):
        assert place.people(GRAIN.over(elsewhere)) == []


def test_noise_and_dusk_are_nobody(place: Place) -> None:
    grain = Grain(WIDTH, HEIGHT, 9)
    assert place.people(grain.over(draw(Scene(), WIDTH, HEIGHT))) == []
    for step in range(40):
        assert place.people(seen(light=1 - step / 200)) in ([], None)


def test_the_wall_seen_again_is_the_wall(place: Place) -> None:
    for _ in range(30):
        place.people(seen(waiting=3))
    assert place.people(seen()) == [], "whoever leaves leaves no ghost"


def frame(at: float) -> Frame:
    return Frame(seen(), 1, at)


def test_a_look_is_taken_once_a_second_in_time_that_is_left() -> None:
    waiting = Waiting(0)
    taken = [second / 10 for second in range(90) if waiting.look(frame(second / 10), spare_s=9)]
    assert taken == pytest.approx([4, 5, 6, 7, 8]), "and the first ones learn the place"


def test_without_time_left_a_look_is_taken_seldom_and_not_never() -> None:
    waiting = Waiting(0)
    for number in range(SETTLE):
        waiting.look(frame(number * PERIOD_S), spare_s=9)
    assert waiting.look(frame(SETTLE * PERIOD_S), spare_s=9)
    assert not waiting.look(frame((SETTLE + 2) * PERIOD_S), spare_s=0)
    assert waiting.look(frame(SETTLE * PERIOD_S + STARVED_S), spare_s=0)


def heights(*numbers: int) -> NDArray[np.int_]:
    return np.array(numbers)


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        ((5, 9, 9, 5), [1]),
        ((5, 9, 5, 9, 5), [1, 3]),
        ((5, 9, 8, 9, 5), [1]),
        ((9, 9, 2, 9, 1, 9), [0, 3, 5]),
        ((1, 2, 3), [2]),
        ((1, 2, 1), [1]),
        ((9, 5, 5, 5, 9), [0, 4]),
    ],
)
def test_summits_stand_out_on_both_sides(outline: tuple[int, ...], expected: list[int]) -> None:
    assert summits(heights(*outline), 3) == expected
