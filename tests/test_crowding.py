"""A queue and a spoilt poster before a real gate, through its camera's process and mosquitto, to alerts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.broker import Broker
from tests.test_path import DAY, World, at_work


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    yield from at_work(
        tmp_path,
        broker,
        crowd={"mode": "on", "threshold": 3, "hold_s": 1, "line": 0.8},
        poster={"watch": "in_view", "missing_s": 4, "foreign_s": 4},
    )


def test_a_queue_and_another_places_poster_become_alerts(world: World) -> None:
    world.until("policy/applied", version=world.policy, problem="")
    until = int(time.time()) + DAY
    ours = world.issue(until=until, kind="entrance", place="expo/north")
    world.stage.do(f"poster {ours}")
    world.until("state", waiting=0)
    world.stage.do("waiting 4")
    assert world.until("alert/crowding", severity="warning")["what"]["zh"]
    world.stage.do("waiting 0")
    world.stage.do(f"poster {world.issue(until=until, kind='entrance', place='expo/south')}")
    assert "sticker" in world.until("alert/poster_foreign", severity="critical")["what"]["en"]
    world.stage.do("near yes")
    world.until("state", too_near=True)
    assert not world.released()
