"""Two weeks without a network: they fit on the disk, come over quickly, and nothing that happens now waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fire.offline import TWO_WEEKS, Drained, fill, p99, run

BACKLOG = 20_000  # of them are enough to measure
ROOM = 100_000_000  # bytes
# How fast it is and how late is measured by `python -m tests.fire.offline`; here is told apart what waits and what not,
# on whatever machine this runs and whatever else it does.
RATE = 300  # events a second, a tenth of what was measured
SHARE = 0.2  # of the time the backlog takes: what waits behind it comes at its end


def test_two_weeks_fit_on_the_disk(tmp_path: Path) -> None:
    size = fill(tmp_path, BACKLOG) * TWO_WEEKS // BACKLOG
    print(f"{TWO_WEEKS} events take {size / 1e6:.0f} MB")
    assert size < ROOM


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    """Let a gate with a long backlog find its controller again, while people go on coming."""
    found = run(tmp_path_factory.mktemp("offline"), BACKLOG)
    print(found)
    return found


def test_a_backlog_comes_over_quickly(drained: Drained) -> None:
    assert drained.events == BACKLOG
    assert drained.rate > RATE


def test_what_happens_now_does_not_wait_behind_the_backlog(drained: Drained) -> None:
    assert len(drained.live) > 10
    assert p99(drained.live) < SHARE * drained.events / drained.rate


def test_an_alert_for_what_happens_now_does_not_wait_either(drained: Drained) -> None:
    assert len(drained.alerts) > 10
    assert p99(drained.alerts) < SHARE * drained.events / drained.rate


def test_what_was_refused_long_ago_is_no_news(drained: Drained) -> None:
    assert drained.alerted <= drained.refused
