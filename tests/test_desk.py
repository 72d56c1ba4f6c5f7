"""The desk at a real broker, with a real database: alerts, acknowledgements, restarts."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from controller.broker import Broker
from controller.config import AlertsSection, Config, RulesSection
from controller.database import now
from controller.desk import Desk, DeskError, Told
from controller.journal import TOPIC as JOURNAL
from controller.journal import Head, broken
from controller.rules.keys import FLOOD
from controller.store import Store
from controller.turns import WAITING, Turns
from device.wire.link import Heard, LinkChanged, LinkDied
from device.wire.messages import (
    Alert,
    Applied,
    Desired,
    Place,
    Status,
    decode,
    encode,
)
from tests.bystanders import PATIENCE_S, PLACE, WHEN, Ear, Gate, configured, rows, running, scan, state

SEQS = "SELECT seq FROM events ORDER BY rowid"


def registered(config: Config, *places: Place) -> None:
    with Store(Path(config.store.path)) as store:
        for place in places or (PLACE,):
            store.register(place, zh="北门", en="North gate")


def test_abnormal_codes_raise_one_alert_that_ends_by_itself(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path, hold_s=3)
    registered(config)
    with running(config):
        gate.online()
        gate.event(scan(1, "invalid_time", at=now()))
        first = gate.alert("abnormal_code")
        assert (first.site, first.entrance, first.count) == ("expo", "north", 1)
        assert first.what.en == "1 abnormal code: outside its time"
        gate.event(scan(2, "temperature_high", event_type="refer", at=now()))
        gate.event(scan(3, "invalid", "temperature_high", at=now()))
        second = gate.alert("abnormal_code")
        assert (second.count, second.since) == (2, first.since)
        assert "not a valid code" in second.what.en
        assert "无效码" in second.what.zh
        gate.over("abnormal_code")
    later = Ear(broker, PLACE.topic("alert/+"))
    later.stop()
    assert not later.all
    past = rows(config, "SELECT state, count, resolution FROM alerts WHERE kind = 'abnormal_code'")
    assert past == [("resolved", 2, "over")]


def test_an_unguarded_entrance_is_an_alert_until_somebody_comes(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    registered(config)
    with running(config):
        gate.online()
        gate.retain("state", state(staffing="unstaffed", on_duty=()))
        alert = gate.alert("unstaffed_entrance")
        assert alert.since == WHEN
        assert alert.what.zh == "入口无人值守"
        gate.retain("state", state())
        gate.over("unstaffed_entrance")


def test_a_gate_that_does_not_know_the_time_is_an_alert_until_it_does(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = configured(broker, tmp_path)
    registered(config)
    with running(config):
        gate.online()
        gate.retain("state", state(clock="unset", at=datetime(1970, 1, 1, tzinfo=UTC)))
        alert = gate.alert("clock_unsure")
        assert alert.severity == "warning"
        assert alert.since.year > 1970
        gate.retain("state", state(clock="synced"))
        gate.over("clock_unsure")


def test_nobody_can_tell_who_guards_an_entrance_whose_gate_is_offline(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = configured(broker, tmp_path)
    registered(config)
    with running(config):
        gate.online()
        gate.retain("state", state(staffing="unstaffed", on_duty=()))
        gate.alert("unstaffed_entrance")
        gate.offline()
        lost = gate.until(lambda heard: b"critical" in heard.payload)
        assert "staffing is unknown" in decode(Alert, lost.payload).what.en
        gate.over("unstaffed_entrance")
        gate.online()
        gate.over("gate_offline")
        gate.alert("unstaffed_entrance")
    past = rows(
        config, "SELECT kind, resolution FROM alerts WHERE state = 'resolved' AND severity <> 'info' ORDER BY 1"
    )
    assert past == [("gate_offline", "over"), ("unstaffed_entrance", "unknown")]


def test_an_entrance_nobody_registered_is_noticed_and_its_events_are_kept(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.event(scan(1))
        gate.acked(1)
        assert "menshen entrance add expo/north" in gate.alert("unknown_entrance").next_step.zh
        registered(config)
        gate.over("unknown_entrance")
        with Store(Path(config.store.path)) as store:
            assert store.unregister(PLACE)
            assert not store.unregister(PLACE)
        gate.event(scan(2))
        gate.alert("unknown_entrance")
    assert rows(config, SEQS) == [(1,), (2,)]


def test_what_a_gate_left_behind_on_the_broker_is_no_sign_of_it(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    gate.left("status", encode(Status(state="offline", reason="lost")))
    gate.left("state", encode(state()))
    south = Gate(broker, Place("expo", "south"))
    config = configured(broker, tmp_path)
    with running(config):
        south.event(scan(1))
        south.alert("unknown_entrance", south.place)
    south.stop()
    assert rows(config, "SELECT n.name, a.kind FROM alerts a JOIN entrances n ON n.id = a.entrance_id") == [
        ("south", "unknown_entrance")
    ]


def test_a_restart_rebuilds_the_same_alerts_from_the_database(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    registered(config, PLACE, Place("expo", "south"))
    with running(config):
        gate.online()
        gate.retain("state", state(staffing="unstaffed", on_duty=()))
        gate.event(scan(1, "revoked", at=now()))
        before = [gate.alert("unstaffed_entrance"), gate.alert("abnormal_code")]
    gate.stop()
    broker.kill()
    broker.start()
    ear = Ear(broker)
    with running(config):
        after = [ear.alert("unstaffed_entrance"), ear.alert("abnormal_code")]
        ear.alert("gate_offline", Place("expo", "south"))
        ear.acked(1)
    ear.stop()
    assert before == after


def test_a_broker_that_comes_back_empty_is_told_everything_again(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    registered(config)
    with running(config):
        gate.online()
        gate.event(scan(1, "revoked", at=now()))
        gate.alert("abnormal_code")
        broker.kill()
        broker.start()
        gate.acked(1)
        gate.alert("abnormal_code")
        gate.event(scan(2))
        gate.acked(2)


def test_a_gate_that_does_not_come_back_after_its_broker_is_offline(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def say(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        if topic == PLACE.topic("alert/gate_offline") and qos and retain:
            said.put(payload)
        return True

    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        desk = Desk(store=store, rules=RulesSection(offline_grace_s=0), inbox=inbox, say=say, return_s=0.1)
        birth = Heard(topic=PLACE.topic("status"), payload=encode(Status(state="online")))
        for heard in (LinkChanged(up=True), birth, LinkChanged(up=False), LinkChanged(up=True)):
            inbox.put(heard)
        thread = threading.Thread(target=desk.run)
        thread.start()
        try:
            while b"critical" not in said.get(timeout=PATIENCE_S):
                pass
        finally:
            inbox.put(None)
            thread.join()
        assert [facts.offline_reason for facts in store.facts(now()).values()] == ["silent"]


def test_an_alert_resolved_while_nobody_could_be_told_is_taken_back(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    gate.left("alert/abnormal_code", b'{"v":1}')
    with running(configured(broker, tmp_path)):
        gate.over("abnormal_code")
    later = Ear(broker, PLACE.topic("alert/abnormal_code"))
    later.stop()
    assert not later.all


def test_what_is_desired_reaches_registered_gates_as_it_changes(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    desired = PLACE.topic("policy/desired")
    with Store(Path(config.store.path)) as store:
        store.revoke("4f0a6c1d2e3b5a79")
        with running(config):
            gate.event(scan(1))
            gate.alert("unknown_entrance")
            assert not [heard for heard in gate.all if heard.topic == desired]
            store.register(PLACE)
            first = decode(Desired, gate.until(lambda heard: heard.topic == desired).payload)
            assert first == store.desired()
            assert first.revoked == ("4f0a6c1d2e3b5a79",)
            store.list_code("00112233445566778899aabbccddeeff")
            second = decode(Desired, gate.until(lambda heard: heard.topic == desired).payload)
            assert second.version > first.version
            gate.retain("policy/applied", Applied(version=second.version, at=WHEN, problem="no room"))
            gate.event(scan(2))
            gate.acked(2)
        assert [each["policy_version"] for each in store.entrances()] == [second.version]
        assert [each["policy_problem"] for each in store.entrances()] == ["no room"]
    late = Ear(broker, desired)
    assert decode(Desired, late.until(lambda heard: heard.retained).payload) == second
    late.stop()


def test_a_dead_connection_ends_the_desk(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
    with Store(tmp_path / "controller.db") as store:
        desk = Desk(store=store, rules=RulesSection(), inbox=inbox, say=lambda *_args, **_how: False)
        inbox.put(LinkDied(reason="no more memory"))
        with pytest.raises(DeskError, match="no more memory"):
            desk.run()


def test_a_controller_killed_in_the_middle_loses_and_doubles_nothing(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config, many = configured(broker, tmp_path), 600
    settings_ = tmp_path / "controller.toml"
    settings_.write_text(
        f'[store]\npath = "{config.store.path}"\n[wire]\nhost = "{broker.wire.host}"\nport = {broker.wire.port}\n'
    )
    command = [sys.executable, "-m", "menshen", "controller", "run", "--config", str(settings_)]
    process = subprocess.Popen(command)
    acked = 0
    deadline = time.monotonic() + 60
    kills = [150, 400]
    try:
        while acked < many and time.monotonic() < deadline:
            for seq in range(acked + 1, min(acked + 100, many) + 1):
                gate.event(scan(seq), oldest=acked + 1)
            if kills and acked >= kills[0]:
                kills.pop(0)
                process.kill()
                process.wait()
                process = subprocess.Popen(command)
            acked = max(acked, gate.ack(within_s=0.5))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert not kills
    assert rows(config, SEQS) == [(seq,) for seq in range(1, many + 1)]
    assert rows(config, "SELECT committed_seq, lost FROM spools") == [(many, 0)]


def test_a_storm_of_events_is_a_few_messages(tmp_path: Path) -> None:
    said: list[Alert] = []

    def say(topic: str, payload: bytes, **_how: object) -> bool:
        if "/alert/" in topic and payload:
            said.append(decode(Alert, payload))
        return True

    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        rules, alerts = RulesSection(), AlertsSection(update_s=0.5)
        desk = Desk(store=store, rules=rules, alerts=alerts, inbox=queue.SimpleQueue(), say=say)
        desk._link(LinkChanged(up=True))
        began = time.monotonic()
        for first in range(1, 10_001, 100):
            storm = [scan(seq, "revoked", at=now()) for seq in range(first, first + 100)]
            desk._work([Heard(topic=PLACE.topic("scan"), payload=encode(each)) for each in storm], tick=False)
        took_s = time.monotonic() - began
        while [alert.count for alert in said[-2:]] != [10_000] * 2:
            desk._work([], tick=True)
            assert time.monotonic() < began + took_s + PATIENCE_S
        open_ = {alert.kind: alert.count for alert in store.open_alerts().values()}
        assert open_ == {
            "abnormal_code": 10_000,
            "repeated_abnormal": 10_000,
            "flooding": 10_000 - rules.flood_per_minute,
        }
        assert len(said) <= 9 + 3 * took_s / 0.5, "three alerts, each said twice a second at most"
        assert len(list(store.journal())) == 3


def test_a_gate_of_which_too_much_is_refused_floods_until_it_stops(tmp_path: Path) -> None:
    turns, at = Turns(), [WHEN]
    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        desk = Desk(
            store=store, rules=RulesSection(), inbox=queue.SimpleQueue(), say=lambda *_args, **_how: True, turns=turns,
            clock=lambda: at[0],
        )  # fmt: skip
        for _ in range(WAITING + FLOOD):
            turns.admit(PLACE.topic("scan"))
        turns.admit("menshen/no place/scan")
        desk._work([], tick=True)
        (alert,) = (each for each in store.open_alerts().values() if each.kind == "flooding")
        assert (alert.entrance, alert.count) == ("north", FLOOD)
        assert "menshen entrance revoke expo/north" in alert.next_step.zh
        at[0] += timedelta(seconds=600)
        desk._work([], tick=True)
        assert "flooding" not in {each.kind for each in store.open_alerts().values()}


def test_nobody_takes_it_on_and_then_somebody_does(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = msgspec.structs.replace(
        configured(broker, tmp_path), alerts=AlertsSection(update_s=0, escalate_warning_s=0.5)
    )
    registered(config)
    with running(config), Store(Path(config.store.path)) as store:
        gate.online()
        gate.retain("state", state(staffing="unstaffed", on_duty=()))
        first = gate.alert("unstaffed_entrance")
        assert first.state == "raised"
        later = gate.alert("unstaffed_entrance")
        assert later.state == "escalated"
        assert later.escalated_at is not None
        store.acknowledge(first.id, "guard 7", "on my way")
        taken = gate.alert("unstaffed_entrance")
        assert (taken.state, taken.acknowledged_by, taken.note) == ("acknowledged", "guard 7", "on my way")
        number = store.silence("guard 7", "painting", now() + timedelta(hours=1), site="expo")
        assert gate.alert("unstaffed_entrance").silenced_until is not None
        store.end_silence(number, "guard 7")
        assert gate.alert("unstaffed_entrance").silenced_until is None
        store.resolve(first.id, "guard 8")
        gate.over("unstaffed_entrance")
        gate.retain("state", state(staffing="unstaffed", on_duty=(), staffing_since=WHEN + timedelta(minutes=5)))
        assert gate.alert("unstaffed_entrance").id != first.id, "it began anew"
        ear = Ear(broker, JOURNAL)
        head = decode(Head, ear.until(lambda heard: heard.topic == JOURNAL).payload)
        ear.stop()
        assert head.seq >= 5
        assert broken(store.journal(), head) == ""
    entries = rows(
        config, "SELECT json_extract(what, '$.change') FROM journal WHERE what LIKE '%unstaffed%' ORDER BY seq"
    )
    assert [change for (change,) in entries][:5] == ["raised", "escalated", "acknowledged", "resolved", "raised"]
