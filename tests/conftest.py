"""What several tests share: a real broker, a gate that speaks there, and an installation whose door is open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from controller.broker import Broker
from tests.bystanders import Gate
from tests.office import Office

settings.register_profile("long", max_examples=20_000, deadline=None)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Run a mosquitto of its own for one test; `stop`, `start` and `kill` it at will, the port stays."""
    mosquitto = Broker(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def gate(broker: Broker) -> Iterator[Gate]:
    """Let a gate that only speaks connect to the broker, as expo/north."""
    speaking = Gate(broker)
    yield speaking
    speaking.stop()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Let gates get their identities from an installation, for all tests of a file."""
    running = Office(tmp_path_factory.mktemp("office"))
    yield running
    running.stop()
