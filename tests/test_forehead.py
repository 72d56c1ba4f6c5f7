"""What the thermometer's readings say of a person."""

from __future__ import annotations

import math

import pytest

from device.forehead import FROZEN_READINGS, FROZEN_S, WINDOW_S, Forehead
from hardware.parts import Reading


def measured(*celsius: float) -> Forehead:
    forehead = Forehead(low_c=34.0, high_c=37.3)
    for number, value in enumerate(celsius):
        forehead.add(Reading(value, 22.0), number * 0.2)
    return forehead


@pytest.mark.parametrize(
    ("celsius", "state"),
    [(36.5, "normal"), (37.29, "normal"), (37.3, "high"), (41.0, "high"), (33.9, "recheck"), (22.0, "recheck")],
)
def test_a_reading_has_a_state(celsius: float, state: str) -> None:
    assert measured(celsius).judge(0.1) == (state, celsius)


@pytest.mark.parametrize("celsius", [-273.15, 9.9, 45.1, 380.0, math.nan])
def test_what_no_forehead_can_be_is_unknown(celsius: float) -> None:
    assert measured(celsius).judge(0.1) == ("unknown", None)


def test_silence_is_unknown() -> None:
    assert measured().judge(0.0) == ("unknown", None)
    assert measured(36.5).judge(WINDOW_S + 0.1) == ("unknown", None)


def test_the_hottest_of_the_last_moments_counts() -> None:
    assert measured(22.1, 37.6, 36.5).judge(0.5) == ("high", 37.6)


def test_a_sensor_stuck_at_one_value_is_unknown_and_recovers() -> None:
    forehead = Forehead(low_c=34.0, high_c=37.3)
    count = max(FROZEN_READINGS, round(FROZEN_S / 0.2)) + 1
    for number in range(count):
        forehead.add(Reading(36.5, 22.0), number * 0.2)
    now = (count - 1) * 0.2
    assert forehead.frozen(now)
    assert forehead.judge(now) == ("unknown", None)
    forehead.add(Reading(36.52, 22.0), now + 0.2)
    assert forehead.judge(now + 0.2) == ("normal", 36.52)


def test_a_living_sensor_is_never_frozen() -> None:
    forehead = Forehead(low_c=34.0, high_c=37.3)
    for number in range(500):
        forehead.add(Reading(36.5 + 0.02 * (number % 2), 22.0), number * 0.2)
        assert not forehead.frozen(number * 0.2)


def test_a_calibration_is_added_to_every_reading() -> None:
    forehead = Forehead(low_c=34.0, high_c=37.3, offset_c=0.5)
    forehead.add(Reading(36.9, 22.0), 0)
    assert forehead.judge(0.1) == ("high", 37.4)


@pytest.mark.parametrize(
    ("ambient", "state"), [(15.9, "unknown"), (16.0, "normal"), (40.0, "normal"), (40.1, "unknown")]
)
def test_where_such_thermometers_are_not_made_for_nothing_is_believed(ambient: float, state: str) -> None:
    forehead = Forehead(low_c=34.0, high_c=37.3)
    forehead.add(Reading(36.5, ambient), 0)
    assert forehead.judge(0.1)[0] == state


def lobby(wall: float, *, hours: float = 3, people: bool = True) -> tuple[Forehead, float]:
    """Look at a wall for hours, and at a forehead now and then."""
    forehead, now = Forehead(low_c=34.0, high_c=37.3, drift_c=10.0), 0.0
    for number in range(int(hours * 3600)):
        now = float(number)
        seen = 36.5 if people and number % 60 < 20 else wall
        forehead.add(Reading(seen + 0.02 * (number % 3), 22.0), now)
    return forehead, now


def test_a_wall_as_warm_as_the_sensor_is_no_drift_however_many_people_come() -> None:
    forehead, now = lobby(23.5)
    assert not forehead.drifted(now)
    assert forehead.judge(now)[0] == "normal" or forehead.judge(now)[0] == "recheck"


def test_a_wall_that_is_never_near_means_drift_and_nothing_is_believed() -> None:
    forehead, now = lobby(33.0)
    assert forehead.drifted(now)
    assert forehead.judge(now) == ("unknown", None)
    forehead.add(Reading(24.0, 22.0), now + 1)
    assert not forehead.drifted(now + 1)


def test_a_sensor_that_was_away_begins_anew() -> None:
    forehead, now = lobby(33.0, hours=1.9)
    assert not forehead.drifted(now)
    forehead.add(Reading(33.0, 22.0), now + 600)
    assert not forehead.drifted(now + 1200)


def test_only_a_living_sensor_is_waited_for() -> None:
    forehead = measured(22.0)
    assert forehead.alive(0.1)
    assert not forehead.alive(WINDOW_S + 0.1)
    assert not measured().alive(0)
