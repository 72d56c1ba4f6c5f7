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
