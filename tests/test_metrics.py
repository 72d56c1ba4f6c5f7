from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from controller.broker import Broker, free_port
from controller.config import MetricsSection, NotifySection, Route
from controller.metrics import Meter
from controller.store import Store
from device.wire.messages import Health, OpenFault
from tests.bystanders import PLACE, WHEN, Gate, configured, running, scan, state, wait

ROOT = Path(__file__).parents[1]
RULES, BOARD = ROOT / "docs/prometheus-rules.yml", ROOT / "docs/grafana.json"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(port: int) -> Samples:
    """Ask as Prometheus would."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    assert response.status == 200
    text = response.read().decode()
    connection.close()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def at_north(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset({"site": "expo", "entrance": "north", **labels}.items())


@pytest.fixture
def everything(broker: Broker, tmp_path: Path, gate: Gate) -> Iterator[Samples]:
    """Run a controller with all there is to count, and ask it once things have happened."""
    (tmp_path / "urls").write_text("json://127.0.0.1:1/", encoding="ascii")
    (tmp_path / "urls").chmod(0o600)
    config = msgspec.structs.replace(
        configured(broker, tmp_path),
        metrics=MetricsSection(port=free_port()),
        notify=NotifySection(route=(Route(name="duty-room", urls=str(tmp_path / "urls")),)),
    )
    with Store(Path(config.store.path)) as store:
        store.register(PLACE)
        store.add_region("zhejiang", "", "", "chief 1")
        store.assign("expo", "zhejiang", "chief 1")
    with running(config) as built:
        gate.online()
        gate.retain("state", state(staffing="unstaffed", spool_depth=7))
        gate.retain("health", Health(faults=(OpenFault("tamper", WHEN, ""),)))
        for seq in (1, 2):
            gate.event(scan(seq), oldest=1)
        gate.event(scan(9, "invalid"), oldest=9)
        gate.acked(9)
        assert built.meter
        port, found = built.meter.port, scraped(built.meter.port)

        def complete() -> bool:
            nonlocal found
            found = scraped(port)
            return at_north("menshen_alert_open", kind="tamper", severity="critical") in found

        wait(complete)
        gate.event(scan(10))
        gate.acked(10)
        found = scraped(port)
        yield found


def test_what_happened_is_counted_once_and_by_entrance(everything: Samples) -> None:
    assert everything[at_north("menshen_events_total", kind="scan", type="grant")] == 3
    assert everything[at_north("menshen_events_total", kind="scan", type="refuse")] == 1
    assert everything[at_north("menshen_events_committed_total")] == 10
    assert everything[at_north("menshen_events_lost_total")] == 6
    assert everything[at_north("menshen_gate_online")] == 1
    assert everything[at_north("menshen_entrance_staffing", staffing="unstaffed")] == 1
    assert everything[at_north("menshen_gate_spool_depth")] == 7
    assert everything["menshen_site_region", frozenset({("site", "expo"), ("region", "zhejiang")})] == 1
    assert everything["menshen_desk_batch_seconds_count", frozenset()] >= 3
    assert everything["menshen_desk_waiting", frozenset()] <= 1, "at most what it has just said itself"


def metrics_in(expressions: list[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"\bmenshen_\w+", text)}


def test_rules_and_board_ask_for_what_there_is(everything: Samples) -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    asked = metrics_in([rule["expr"] for rule in rules])
    drawn = metrics_in([target["expr"] for panel in board["panels"] for target in panel["targets"]])
    assert len(asked) >= 8
    assert len(drawn) >= 8
    there = {name for name, _ in everything}
    assert (asked | drawn) - there == set()


def test_every_panel_has_a_place_of_its_own() -> None:
    panels = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    taken = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool comes with apt-get install prometheus")
def test_promtool_agrees_with_the_rules() -> None:
    checked = subprocess.run(
        [shutil.which("promtool") or "", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_counting_goes_on_where_the_last_look_ended(tmp_path: Path) -> None:
    """Not from the beginning: a look would take longer with each stored event."""
    path = tmp_path / "controller.db"
    with Store(path) as store:
        entrance = store.entrance(PLACE)
        spool = store.spool(entrance, "a1b2c3", WHEN).id

        def keep(seq: int) -> None:
            row = (spool, seq, entrance, "scan", "grant", "", "", "b0", 0.0, "synced", "{}")
            store.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            store.db.conn.commit()

        keep(1)
        meter = Meter(path, port=0, postmen=(), waiting=lambda: 0)
        labels = {"site": "expo", "entrance": "north", "kind": "scan", "type": "grant"}
        counts = []
        for seq in (2, 3):
            counts.append(meter.registry.get_sample_value("menshen_events_total", labels))
            keep(seq)
        counts.append(meter.registry.get_sample_value("menshen_events_total", labels))
        assert counts == [None, 1, 2]
        plan = store.db.execute(
            "EXPLAIN QUERY PLAN SELECT count(*) FROM events e JOIN entrances n ON n.id = e.entrance_id"
            " WHERE e.rowid > 1 GROUP BY n.id, e.kind, e.event_type"
        ).fetchall()
        assert any("USING INTEGER PRIMARY KEY (rowid>?)" in row[3] for row in plan), plan
        meter.stop()
