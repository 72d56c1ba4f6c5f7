"""What is written, and how what is asked of many entrances at once is answered."""

from __future__ import annotations

import queue
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from controller.config import RulesSection
from controller.database import now, stamp
from controller.desk import Desk
from controller.store import Store
from device.wire.link import Heard, LinkChanged
from device.wire.messages import KIND_OF, OLDEST, SEQ, SPOOL, Event, Passage, Place, Status, encode
from tests.bystanders import scan, state

GROWS = r"SCAN (runs|walks|n|entrances|s|spools|a|alerts|e|events|passings)\b"
ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1969, 1, 2), datetime(2999, 12, 30), timezones=ZONES))  # noqa: DTZ001 the strategy adds it
def test_times_are_written_to_the_millisecond_as_python_would(moment: datetime) -> None:
    assert stamp(moment) == moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def said(place: Place, event: Event) -> Heard:
    headers = {SPOOL: event.spool, SEQ: str(event.seq), OLDEST: "1"}
    return Heard(topic=place.topic(KIND_OF[type(event)]), payload=encode(event), headers=headers)  # type: ignore[index]


def test_a_batch_asks_about_its_own_entrances_alone(tmp_path: Path) -> None:
    """However many entrances there are: whatever is asked or written for a batch, an index leads to it."""
    asked: list[str] = []
    place, at = Place("expo", "gate-7"), now()
    inbox: queue.SimpleQueue[LinkChanged | Heard | None] = queue.SimpleQueue()
    with Store(tmp_path / "controller.db") as store:
        for number in range(30):
            store.register(Place("expo", f"gate-{number}"))
        desk = Desk(store=store, rules=RulesSection(), inbox=inbox, say=lambda *_, **__: True)  # type: ignore[arg-type]
        desk._link(LinkChanged(up=True))
        desk._work([], tick=True)
        store.db.conn.set_trace_callback(asked.append)
        walked = Passage(
            spool="a1b2c3", seq=2, boot="b0", at=at, mono=2.5, clock="synced", event_type="passed", direction="in"
        )
        desk._work(
            [
                Heard(topic=place.topic("status"), payload=encode(Status(state="online"))),
                Heard(topic=place.topic("state"), payload=encode(state(at=at))),
                said(place, scan(1, "revoked", at=at)),
                said(place, walked),
                said(place, scan(3, at=at, direction="in")),
            ],
            tick=False,
        )
        store.db.conn.set_trace_callback(None)
        assert [kind for _, kind in store.open_alerts()] == ["abnormal_code"]
        for statement in {each for each in asked if each.startswith(("SELECT", "UPDATE", "DELETE"))}:
            plan = [step[3] for step in store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not [step for step in plan if re.match(GROWS, step) and "USING" not in step], f"{statement}\n{plan}"
