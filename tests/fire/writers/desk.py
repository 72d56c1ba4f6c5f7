"""The controller's desk: an event that it acknowledged is in the database when the power comes back."""

from __future__ import annotations

import queue
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from controller.config import RulesSection
from controller.database import StoreError
from controller.desk import Desk, Told
from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import OLDEST, Ack, Place, decode, encode, parse_topic
from tests.bystanders import scan
from tests.fire.writers import arguments, said, say

PLACES: Final = (Place("expo", "north"), Place("expo", "south"), Place("expo", "east"))
BATCHES: Final = (2, 150, 10)  # taken between two starts of a controller
EVENTS: Final = 30  # in a batch, at most
REFUSED_EVERY: Final = 10


def write(folder: Path, synchronous: str) -> None:
    """Take batches from three gates over several starts of a controller."""
    luck, inbox, sent = random.Random(1), queue.SimpleQueue[Told | None](), dict.fromkeys(PLACES, 0)
    for batches in BATCHES:
        with Store(folder / "controller.db") as store:
            store.db.execute(f"PRAGMA synchronous={synchronous}")
            desk = Desk(store=store, rules=RulesSection(), inbox=inbox, say=_say)
            for _ in range(batches):
                for place in luck.choices(PLACES, k=luck.randrange(1, EVENTS)):
                    sent[place] += 1
                    inbox.put(_heard(place, sent[place]))
                inbox.put(None)
                desk.run()


def _heard(place: Place, seq: int) -> Heard:
    event = scan(seq, *(() if seq % REFUSED_EVERY else ("invalid",)))
    return Heard(topic=place.topic("scan"), payload=encode(event), headers={OLDEST: "1"})


def _say(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:  # noqa: ARG001
    place, word = parse_topic(topic)
    if word == "ack":
        say(str(place), decode(Ack, payload).seq)
    return True


def find(folder: Path, shown: bytes) -> str:
    """Open the database as a controller that starts, and tell what is wrong with it."""
    try:
        with Store(folder / "controller.db") as store:
            wrong = {each for place in PLACES for each in _wrong(store, place, said(shown))}
            if store.db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                wrong.add("damaged")
            store.register(PLACES[0])
    except (StoreError, sqlite3.Error) as error:
        return f"unreadable: {error}"
    return ", ".join(sorted(wrong))


def _wrong(store: Store, place: Place, promised: dict[str, str]) -> Iterator[str]:
    committed = sum(seq for _, _, seq in store.spools(place))
    rows = store.db.execute(
        "SELECT seq FROM events e JOIN entrances n ON n.id = e.entrance_id WHERE site = ? AND name = ? ORDER BY seq",
        place,
    )
    if committed < int(promised.get(str(place), 0)):
        yield "lost"
    if [seq for (seq,) in rows] != list(range(1, committed + 1)):
        yield "gap"


if __name__ == "__main__":
    write(*arguments())
