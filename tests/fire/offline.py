"""A gate finds its controller again after two weeks: how quickly its backlog comes over, and what that holds up.

    python -m tests.fire.offline --events 140000

Meanwhile people go on coming, most of them with a code that is refused: each must be an alert at once, and none of
those who were refused long ago.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from device.spool import Spool
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import Alert, AnyEvent, Kind, Passage, Place, Scan, decode, encode
from tests.fire.found import rows
from tests.fire.processes import Processes

TWO_WEEKS: Final = 140_000  # events: 5,000 people a day, each scanned and passing
LIVE_S: Final = 0.1  # between those who come now
PATIENCE_S: Final = 60.0
REFUSED_EVERY: Final = 51  # of the scans in the backlog
BEFORE: Final = "0123456789ab"  # an earlier boot
LONG_AGO: Final = datetime.now(tz=UTC).replace(microsecond=0) - timedelta(days=14)
DRAINED: Final = f"""
SELECT n.name, count(*), min(received_at), max(received_at) FROM events e JOIN entrances n ON n.id = e.entrance_id
    WHERE boot = '{BEFORE}' GROUP BY n.name
"""  # noqa: S608
LIVE: Final = f"""
SELECT n.name, at, received_at, event_type FROM events e JOIN entrances n ON n.id = e.entrance_id
    WHERE boot <> '{BEFORE}' AND kind = 'scan' ORDER BY e.rowid
"""  # noqa: S608


class Drained(NamedTuple):
    """What came over. Lateness is in seconds from the code to the database, and from the code to its alert."""

    events: int
    rate: float  # events a second
    live: list[float]
    alerts: list[float]
    refused: int  # of those who came now, also just before there was a connection
    alerted: int

    def __str__(self) -> str:
        return (
            f"{self.events} events at {self.rate:.0f} a second; meanwhile {len(self.live)} live ones, the 99th of 100 "
            f"after {p99(self.live):.2f} s, the last after {max(self.live):.2f} s; {len(self.alerts)} of them alerts, "
            f"the 99th of 100 after {p99(self.alerts):.2f} s; {self.alerted} refusals alerted of {self.refused}"
        )


def p99(late: list[float]) -> float:
    """Return what 99 of 100 did not exceed."""
    return sorted(late)[int(0.99 * len(late))]


def event(spool: Spool, seq: int) -> AnyEvent:
    """Return what happens at an entrance: somebody is let in, and goes in."""
    at = LONG_AGO + timedelta(seconds=4 * seq)
    if seq % 2 == 0:
        return Passage(
            spool=spool.id, seq=seq, boot=BEFORE, at=at, mono=4.0 * seq, clock="synced",
            event_type="passed", direction="in", scan=seq - 1,
        )  # fmt: skip
    refused = seq % REFUSED_EVERY == 0
    return Scan(
        spool=spool.id, seq=seq, boot=BEFORE, at=at, mono=4.0 * seq, clock="synced",
        event_type="refuse" if refused else "grant", reasons=("invalid_time",) if refused else (),
        code=f"{seq:032x}", scheme="ms1", symbology="QRCode", kind="visitor",
        temperature="normal", celsius=36.6, took_ms=31.41,
    )  # fmt: skip


def fill(folder: Path, events: int) -> int:
    """Keep the backlog, and return how many bytes it takes."""
    spool = Spool(folder / "spool.db", durable=False)
    for seq in range(1, events + 1):
        kind: Kind = "scan" if seq % 2 else "passage"
        spool.put(kind, lambda seq: encode(event(spool, seq)))
    size = sum(path.stat().st_size for path in folder.glob("spool.db*"))
    spool.close()
    return size


def run(folder: Path, events: int, gates: int = 1) -> Drained:
    """Let gates with so many events each find their controller again, while people go on coming."""
    processes = Processes(folder, gates=gates, each_s=LIVE_S, events=TWO_WEEKS)
    for gate in processes.gates:
        fill(folder / gate, events)
    heard: list[tuple[datetime, Heard]] = []

    def note(each: LinkSaid) -> None:
        if isinstance(each, Heard) and each.payload:
            heard.append((datetime.now(tz=UTC), each))

    ear = Link(processes.broker.wire, name="ear", hear=(Place("expo", "+").topic("alert/abnormal_code"),), put=note)
    try:
        processes.begin()
        ear.start()
        deadline = time.monotonic() + PATIENCE_S + events * gates / 1000
        while sum(count for _, count, *_ in rows(folder, DRAINED)) < events * gates and time.monotonic() < deadline:
            processes.check()
            time.sleep(LIVE_S)
    finally:
        ear.stop()
        processes.stop()
    return _measured(folder, heard)


def _measured(folder: Path, heard: list[tuple[datetime, Heard]]) -> Drained:
    drained = rows(folder, DRAINED)
    begun = {entrance: datetime.fromisoformat(first) for entrance, _, first, _ in drained}
    ended = {entrance: datetime.fromisoformat(last) for entrance, *_, last in drained}
    count = sum(count for _, count, *_ in drained)
    alerts = [(at, decode(Alert, each.payload)) for at, each in heard]
    live, late, refused = list[float](), list[float](), Counter[str]()
    for entrance, at, received, outcome in rows(folder, LIVE):
        came = datetime.fromisoformat(at)
        refused[entrance] += outcome == "refuse"
        if not begun[entrance] < came < ended[entrance]:
            continue
        live.append((datetime.fromisoformat(received) - came).total_seconds())
        if outcome == "refuse":
            told = (at for at, alert in alerts if alert.entrance == entrance and alert.count >= refused[entrance])
            late.extend((at - came).total_seconds() for at in islice(told, 1))
    return Drained(
        events=count,
        rate=count / (max(ended.values()) - min(begun.values())).total_seconds(),
        live=live,
        alerts=late,
        refused=refused.total(),
        alerted=sum({alert.entrance: alert.count for _, alert in alerts}.values()),
    )


def main() -> None:
    """Measure once, and say what came of it."""
    parser = argparse.ArgumentParser(description="Bring a long backlog over while people go on coming.")
    parser.add_argument("--events", type=int, default=TWO_WEEKS, help="that each gate kept meanwhile")
    parser.add_argument("--gates", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="menshen-offline-") as folder:
        print(run(Path(folder), chosen.events, chosen.gates))


if __name__ == "__main__":
    main()
