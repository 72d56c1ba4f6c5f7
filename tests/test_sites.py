"""What the gates of a site are told, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.config import Capacity, PeopleSection
from controller.database import now
from controller.flow import Move
from controller.sites import Sites
from controller.store import Store
from device.wire.messages import Elsewhere, Place

NORTH, SOUTH, MUSEUM = Place("expo", "north"), Place("expo", "south"), Place("museum", "north")
LIMITED = PeopleSection(capacity=(Capacity(site="museum", people=5),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "controller.db") as opened:
        for place in (NORTH, SOUTH, MUSEUM):
            opened.register(place)
        yield opened


class Mouth:
    """Keeps the topics of what is said."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def __call__(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        assert payload
        assert (qos, retain) == ((1, True) if topic.endswith("occupancy") else (0, False))
        self.topics.append(topic)
        return True

    def since(self) -> list[str]:
        topics, self.topics = self.topics, []
        return topics


def test_a_site_that_can_be_full_is_told_at_once_and_others_at_a_tick(store: Store) -> None:
    mouth, at = Mouth(), now()
    sites = Sites(store, LIMITED, mouth)
    for inside in (1, 2, 3):
        store.moved([Move("expo", 1, LIMITED.day(at)), Move("museum", 1, LIMITED.day(at))])
        sites.count(at)
        sites.tell([], at, tick=False)
        assert mouth.since() == [MUSEUM.topic("occupancy")], inside
    sites.tell([], at, tick=True)
    assert mouth.since() == [NORTH.topic("occupancy"), SOUTH.topic("occupancy")]
    sites.tell([], at, tick=True)
    assert mouth.since() == []
    sites.greet()
    sites.tell([], at, tick=True)
    assert sorted(mouth.since()) == sorted(place.topic("occupancy") for place in (NORTH, SOUTH, MUSEUM))


def test_who_went_through_is_told_to_the_others_before_the_first_tick(store: Store) -> None:
    mouth, at = Mouth(), now()
    went = Elsewhere(id="a1b2c3-1", code="00ff", direction="in", at=at, entrance="north")
    Sites(store, PeopleSection(), mouth).tell([(NORTH, went)], at, tick=False)
    assert mouth.since() == [SOUTH.topic("seen")]
