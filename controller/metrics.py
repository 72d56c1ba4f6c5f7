"""Numbers for Prometheus: what the store knows of each entrance, how the desk does, how notifiers do.

Read when they are asked for, and cheaply: events are counted from where the last look ended, so that no question grows
with the database. What is labelled is bounded by entrances, kinds and types; nothing that a person shows is a label.
"""

from __future__ import annotations

import importlib.metadata
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller.database import now
from controller.postman import Postman
from controller.rules import RULES
from controller.store import Store
from device.wire.serving import Serving

HERE: Final = "127.0.0.1"  # Prometheus is here as well, or a proxy that knows who may see this
AT_ONCE: Final = 10  # callers
PLACE: Final = ("site", "entrance")
COUNTED: Final = ("grants", "refusals", "passages", "unscanned", "spool_depth", "waiting", "inside")  # of a State
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MESSAGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Pace:
    """How the desk does, told by it after each batch; costs it some microseconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "menshen_desk_batch_seconds", "From taking a batch to its alerts said", buckets=SECONDS, registry=registry
        )
        self._messages = Histogram(
            "menshen_desk_batch_messages", "Messages in a batch", buckets=MESSAGES, registry=registry
        )

    def note(self, messages: int, seconds: float) -> None:
        """Take one batch."""
        self._seconds.observe(seconds)
        self._messages.observe(messages)


class Entrances(Collector):
    """What the store knows."""

    def __init__(self, database: Path) -> None:
        self._store = Store(database, read_only=True)
        self._turn = threading.Lock()
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        (self._seen,) = self._store.db.execute("SELECT coalesce(max(rowid), 0) FROM events").fetchone()

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def describe(self) -> Iterable[Metric]:
        """Name nothing before it is asked for: there may be no entrance yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask the store."""
        with self._turn:
            yield from self._entrances()
            yield from self._spools()
            yield self._events()
            yield self._alerts()
            yield self._regions()

    def _entrances(self) -> Iterator[Metric]:
        online = GaugeMetricFamily("menshen_gate_online", "1: the gate is online", labels=PLACE)
        staffed = GaugeMetricFamily(
            "menshen_entrance_staffing", "1 for what the gate says of its guard", labels=(*PLACE, "staffing")
        )
        faults = GaugeMetricFamily("menshen_gate_open_faults", "Open faults of the gate", labels=PLACE)
        unsure = GaugeMetricFamily("menshen_gate_clock_unsure", "1: the gate does not know the time", labels=PLACE)
        policy = GaugeMetricFamily("menshen_gate_policy_version", "Policy the gate holds", labels=PLACE)
        counted = {
            name: GaugeMetricFamily(f"menshen_gate_{name}", f"{name} as the gate says, since its start", labels=PLACE)
            for name in COUNTED
        }
        rows = self._store.db.query(
            "SELECT site, name, online, staffing, open_faults, policy_version, clock_unsure_since, state"
            " FROM entrances WHERE registered_at IS NOT NULL"
        )
        for row in rows:
            place = (row["site"], row["name"])
            online.add_metric(place, float(row["online"] or 0))
            faults.add_metric(place, float(row["open_faults"] or 0))
            unsure.add_metric(place, float(row["clock_unsure_since"] is not None))
            policy.add_metric(place, float(row["policy_version"] or 0))
            if row["staffing"]:
                staffed.add_metric((*place, row["staffing"]), float(bool(row["online"])))
            state = json.loads(row["state"]) if row["state"] else {}
            for name, family in counted.items():
                if state.get(name) is not None:
                    family.add_metric(place, float(state[name]))
        yield from (online, staffed, faults, unsure, policy, *counted.values())
        yield GaugeMetricFamily(
            "menshen_policy_version", "Policy the gates are to hold", value=float(self._store.version())
        )

    def _spools(self) -> Iterator[Metric]:
        kept = CounterMetricFamily("menshen_events_committed", "Events of a gate committed or lost", labels=PLACE)
        lost = CounterMetricFamily("menshen_events_lost", "Events that can never come", labels=PLACE)
        rows = self._store.db.execute(
            "SELECT n.site, n.name, sum(s.committed_seq), sum(s.lost) FROM spools s"
            " JOIN entrances n ON n.id = s.entrance_id GROUP BY n.id"
        )
        for site, entrance, committed, gone in rows:
            kept.add_metric((site, entrance), committed)
            lost.add_metric((site, entrance), gone)
        (quarantined,) = self._store.db.execute("SELECT coalesce(max(id), 0) FROM quarantine").fetchone()
        yield from (kept, lost)
        yield CounterMetricFamily("menshen_quarantined", "Messages nobody could read", value=quarantined)

    def _events(self) -> Metric:
        """Count what came since the last look; events are never deleted, so their rowids only grow."""
        rows = self._store.db.execute(
            "SELECT n.site, n.name, e.kind, e.event_type, count(*), max(e.rowid) FROM events e"
            " JOIN entrances n ON n.id = e.entrance_id WHERE e.rowid > ? GROUP BY n.id, e.kind, e.event_type",
            (self._seen,),
        ).fetchall()
        for site, entrance, kind, event_type, count, last in rows:
            self._counts[site, entrance, kind, event_type] += count
            self._seen = max(self._seen, last)
        events = CounterMetricFamily("menshen_events", "Events kept since the start", labels=(*PLACE, "kind", "type"))
        for labels, count in self._counts.items():
            events.add_metric(labels, count)
        return events

    def _alerts(self) -> Metric:
        found = GaugeMetricFamily("menshen_alert_open", "1: the alert is open", labels=(*PLACE, "kind", "severity"))
        for alert in self._store.open_alerts().values():
            found.add_metric((alert.site, alert.entrance, alert.kind, alert.severity), 1)
        return found

    def _regions(self) -> Metric:
        """One for each site, to be joined on it: as a label of all the others it would begin them anew with a move."""
        lies = GaugeMetricFamily("menshen_site_region", "1: the site lies in the region", labels=("site", "region"))
        for site, region in self._store.lies().items():
            lies.add_metric((site, region), 1)
        return lies


class Post(Collector):
    """How the notifiers do."""

    def __init__(self, postmen: Iterable[Postman]) -> None:
        self._postmen = tuple(postmen)

    def describe(self) -> Iterable[Metric]:
        """Name nothing before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Ask each of them."""
        sent = CounterMetricFamily("menshen_notifier_sent", "Messages that got through", labels=("notifier",))
        failed = CounterMetricFamily("menshen_notifier_failed", "Attempts that did not", labels=("notifier",))
        failing = GaugeMetricFamily("menshen_notifier_failing_seconds", "Since it fails; 0: well", labels=("notifier",))
        at = now()
        for each in self._postmen:
            since = each.record.failing_since
            sent.add_metric((each.name,), each.record.sent)
            failed.add_metric((each.name,), each.record.failed)
            failing.add_metric((each.name,), (at - since).total_seconds() if since else 0)
        yield from (sent, failed, failing)


class Desktop(Collector):
    """What waits for the desk, and what runs."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._waiting = waiting

    def describe(self) -> Iterable[Metric]:
        """Name nothing before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Count what waits."""
        yield GaugeMetricFamily("menshen_desk_waiting", "Messages the desk has not taken yet", value=self._waiting())
        version = {"version": importlib.metadata.version("menshen")}
        yield InfoMetricFamily("menshen_controller", "What runs here", value=version)
        yield GaugeMetricFamily("menshen_rules", "Kinds of alert", value=len(RULES))


def app(registry: CollectorRegistry) -> Starlette:
    """Return the page /metrics, to be served by itself or mounted in another's pages."""

    def page(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/metrics", page)])


class Meter(Serving):
    """All of it at work: the numbers, and a port of their own where one is set."""

    def __init__(self, database: Path, *, port: int, postmen: Iterable[Postman], waiting: Callable[[], int]) -> None:
        """Take the port at once; raise OSError where another program has it."""
        self.registry = CollectorRegistry()
        self.pace = Pace(self.registry)
        self._entrances = Entrances(database)
        for collector in (self._entrances, Post(postmen), Desktop(waiting)):
            self.registry.register(collector)
        listening = socket.create_server((HERE, port))
        super().__init__(app(self.registry), listening, name="metrics", at_once=AT_ONCE)

    @property
    def threads(self) -> list[threading.Thread]:
        """Return those that have to be alive."""
        return [self.thread]

    def stop(self) -> None:
        """Answer what was asked, and end."""
        super().stop()
        self._entrances.close()
