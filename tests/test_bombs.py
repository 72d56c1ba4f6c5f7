"""Whatever reads from outside refuses a bomb at once, in little memory and with its one class of error."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import pytest

from tests.fire import bombs
from tests.fire.bombs import MOST_BYTES, MOST_S, Reading, RefusedError, cost

ALIKE = {
    "Passage",
    "Duty",
    "Fault",
    "Status",
    "Info",
    "Ack",
    "Alert",
    "Applied",
    "Reply",
}  # in the long form


def names() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return [name for name in bombs.readers(Path(folder)) if name.removeprefix("decode ") not in ALIKE]


@pytest.mark.parametrize("name", names())
def test_a_bomb_costs_next_to_nothing(name: str) -> None:
    found = bombs.child(name)
    assert len(found.costs) > 150
    assert [each for each in found.costs if each.error] == []
    assert max(each.seconds for each in found.costs) <= MOST_S
    assert max(each.peak for each in found.costs) <= MOST_BYTES
    assert found.grown <= MOST_BYTES


def slow(data: bytes) -> None:
    hashlib.pbkdf2_hmac("sha256", data[:64], b"salt", 500_000)
    raise RefusedError(data)


def large(data: bytes) -> None:
    raise RefusedError(len(data * 10))


@pytest.mark.parametrize(
    "reading", [Reading(slow, RefusedError), Reading(large, RefusedError), Reading(json.loads, RefusedError)]
)
def test_a_reader_that_is_hurt_is_noticed(reading: Reading) -> None:
    found = cost("x", reading, "y", b"[" * 1_000_000)
    assert found.seconds > MOST_S or found.peak > MOST_BYTES or "RecursionError" in found.error
