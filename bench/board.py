"""How long the operators' pages take with many stored events: python -m bench.board --events 10000000."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final

import click

from controller.database import stamp
from controller.store import Store
from device.wire.messages import Place
from tests.boarders import Past, running

PATHS: Final = (
    "/", "/board", "/entrances/site-7/gate-7", "/alerts", "/alerts?state=", "/events", "/events?type=forced",
    "/events?entrance=site-7/gate-7", "/events?text=nowhere&kind=duty", "/fleet", "/api/v1/entrances",
)  # fmt: skip
PORTION: Final = 500_000  # events in one transaction
FILL: Final = """
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :events - 1)
INSERT INTO events SELECT
    i % :entrances + 1, i / :entrances + 1, i % :entrances + 1,
    CASE WHEN (i / :entrances) % 2 THEN 'passage' ELSE 'scan' END,
    CASE WHEN (i / :entrances) % 2 THEN 'passed' WHEN i % 17 = 0 THEN 'refuse' ELSE 'grant' END,
    strftime('%Y-%m-%dT%H:%M:%fZ', :begin + i * :step, 'unixepoch'),
    strftime('%Y-%m-%dT%H:%M:%fZ', :begin + i * :step, 'unixepoch'), 'b0', i * :step, 'synced',
    CASE WHEN (i / :entrances) % 2
    THEN json_object('v', 1, 'spool', 'a1b2c3', 'seq', i / :entrances + 1, 'boot', 'b0', 'at', '2026-11-24T01:15:02Z',
        'mono', 1.5, 'clock', 'synced', 'event_type', 'passed', 'direction', 'in')
    ELSE json_object('v', 1, 'spool', 'a1b2c3', 'seq', i / :entrances + 1, 'boot', 'b0', 'at', '2026-11-24T01:15:02Z',
        'mono', 1.5, 'clock', 'synced', 'event_type', 'grant', 'code', hex(randomblob(32)), 'scheme', 'ms1',
        'symbology', 'QRCode', 'celsius', 36.2 + i % 10 / 10.0, 'temperature', 'normal', 'took_ms', 9.5) END
FROM n
"""


@click.command()
@click.option("--events", default=1_000_000, show_default=True)
@click.option("--entrances", default=1000, show_default=True)
@click.option("--days", default=14, show_default=True, help="Over which they are spread.")
@click.option("--times", default=40, show_default=True, help="Each page is asked for so often.")
def main(*, events: int, entrances: int, days: int, times: int) -> None:
    """Fill a database, and ask for each page again and again."""
    with tempfile.TemporaryDirectory(prefix="menshen-bench-") as name:
        folder = Path(name)
        began = time.monotonic()
        _fill(folder / "controller.db", events, entrances, days)
        click.echo(f"{events} events of {entrances} entrances in {time.monotonic() - began:.0f} s")
        with running(folder, Past(folder / "controller.db")) as office:
            visitor = office.visitor("administrator 1")
            for path in PATHS:
                took = []
                for _ in range(times):
                    start = time.perf_counter()
                    answered = visitor.get(path)[0]
                    took.append((time.perf_counter() - start) * 1000)
                    if answered != HTTPStatus.OK:
                        raise click.ClickException(f"{path}: {answered}")
                p95 = statistics.quantiles(took, n=20)[-1]
                click.echo(f"{path:40} median {statistics.median(took):7.1f} ms   p95 {p95:7.1f} ms")


def _fill(path: Path, events: int, entrances: int, days: int) -> None:
    past, now = Past(path), datetime.now(tz=UTC)
    with Store(path) as store:
        store.db.execute("PRAGMA cache_size = -1000000")  # KiB; else its indexes are written over and over
        places = [Place(f"site-{number % 20}", f"gate-{number}") for number in range(entrances)]
        for place in places:
            store.register(place, "", "")
        with store.transaction():
            for number in range(1, entrances + 1):
                store.db.execute("INSERT INTO spools VALUES (?, ?, 'a1b2c3', 0, 0, ?)", (number, number, stamp(now)))
        step = days * 86400 / events
        begin = (now - timedelta(days=days)).timestamp()
        for first in range(0, events, PORTION):
            with store.transaction():
                last = min(first + PORTION, events)
                given = {"first": first, "events": last, "entrances": entrances, "begin": begin, "step": step}
                store.db.execute(FILL, given)
    past.online(*places[::25], at=now, staffing="unstaffed")
    past.online(*(place for number, place in enumerate(places) if number % 25), at=now)


if __name__ == "__main__":
    main()
