"""The desk at a real broker, with a real database."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.broker import Broker
from controller.config import Config, RulesSection
from controller.database import now
from controller.desk import Desk, DeskError
from controller.intake import DOCUMENTS, Intake, Progress
from controller.quarantine import Quarantine
from controller.store import Store
from device.wire.link import Heard, LinkChanged, LinkDied, LinkSaid
from device.wire.messages import (
    EVENTS,
    MAX_PAYLOAD,
    Alert,
    Applied,
    Desired,
    Duty,
    Passage,
    Place,
    Status,
    decode,
    encode,
)
from tests.bystanders import PATIENCE_S, PLACE, WHEN, Ear, Gate, configured, rows, running, scan, state

SEQS = "SELECT seq FROM events ORDER BY rowid"


@pytest.fixture
def gate(broker: Broker) -> Iterator[Gate]:
    speaking = Gate(broker)
    yield speaking
    speaking.stop()


def registered(config: Config, *places: Place) -> None:
    with Store(Path(config.store.path)) as store:
        for place in places or (PLACE,):
            store.register(place, zh="北门", en="North gate")


def test_events_are_kept_in_order_and_acknowledged(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        for seq in (1, 2, 3):
            gate.event(scan(seq))
        gate.acked(3)
    kept = "SELECT n.site, n.name, s.spool, e.seq, e.kind, e.event_type, e.at FROM events e JOIN spools s ON"
    assert rows(config, f"{kept} s.id = e.spool_id JOIN entrances n ON n.id = e.entrance_id") == [
        ("expo", "north", "a1b2c3", seq, "scan", "grant", "2026-11-24T01:15:02.120Z") for seq in (1, 2, 3)
    ]


def test_what_comes_twice_or_too_early_is_kept_once_and_in_order(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        for seq in (2, 1, 1, 3, 4, 3, 2):
            gate.event(scan(seq))
        gate.acked(2)
        for seq in (3, 4, 4):
            gate.event(scan(seq))
        gate.acked(4)
        gate.event(scan(6))
        gate.acked(4)
    assert rows(config, SEQS) == [(1,), (2,), (3,), (4,)]
    assert rows(config, "SELECT committed_seq, lost FROM spools") == [(4, 0)]


def test_what_a_gate_no_longer_holds_is_not_waited_for(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.event(scan(58), oldest=57)
        gate.acked(56)
        gate.event(scan(57), oldest=57)
        gate.event(scan(58), oldest=57)
        gate.acked(58)
    assert rows(config, SEQS) == [(57,), (58,)]
    assert rows(config, "SELECT committed_seq, lost FROM spools") == [(58, 56)]


def test_an_event_that_does_not_say_what_is_left_is_only_taken_in_order(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.event(scan(5), oldest=None)
        gate.acked(0)
        gate.event(scan(1), oldest=None)
        gate.acked(1)
    assert rows(config, SEQS) == [(1,)]


def test_spools_and_entrances_are_told_apart_by_their_topic(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config, south = configured(broker, tmp_path), Gate(broker, Place("expo", "south"))
    with running(config):
        gate.event(scan(1))
        gate.event(scan(1, spool="fresh"))
        south.event(scan(1))
        south.acked(1, south.place)
        gate.acked(1, spool="fresh")
    south.stop()
    assert sorted(rows(config, "SELECT entrance, spool FROM scans")) == [
        ("north", "a1b2c3"),
        ("north", "fresh"),
        ("south", "a1b2c3"),
    ]


BAD = [
    ("scan", b"", {}, "truncated"),
    ("scan", b"\xff\xfe", {}, "malformed"),
    ("scan", b"[" * 4296, {}, "Expected `object`"),
    ("scan", encode(Duty(spool="a1b2c3", seq=1, boot="b", at=WHEN, mono=1, clock="synced", event_type="check_in",
                         since=WHEN)), {}, "event_type"),
    ("scan", b"x" * (MAX_PAYLOAD + 1), {}, "over the limit"),
    ("scan", encode(scan(1)), {"oldest": "2"}, "oldest"),
    ("scan", encode(scan(1)), {"oldest": "²"}, "oldest"),
    ("scan", encode(scan(2**63)), {}, "seq"),
    ("scan", encode(scan(1)).replace(b"02.120000Z", b"02.120000"), {}, "zone"),
    ("scan", encode(scan(1)).replace(b"2026-11-24", b"0001-01-01"), {}, "time"),
    ("state", encode(state()).replace(b'"staffed"', b'"gone\\u001b[2J"'), {}, "staffing"),
    ("cmd/open", b"{}", {}, "word"),
]  # fmt: skip


def test_a_foreign_message_is_put_aside_and_stops_nobody(
    broker: Broker, tmp_path: Path, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured(broker, tmp_path)
    gate.raw("scan", encode(scan(1)), retain=True)
    with running(config):
        for word, payload, headers, _ in BAD:
            gate.raw(word, payload, headers=headers)
        assert gate.link.say("menshen/Expo/北门/scan", b"{}")
        assert gate.link.say("menshen/expo", b"{}")
        gate.raw("scan", b"", headers={})
        gate.event(scan(1))
        gate.acked(1)
    aside = rows(config, "SELECT reason, topic, size, head FROM quarantine ORDER BY id")
    assert len(aside) == len(BAD) + 4
    for (reason, *_), (_, _, _, expected) in zip(aside[1:], BAD, strict=False):
        assert expected in reason
    assert aside[5][2:] == (MAX_PAYLOAD + 1, "78" * 256)
    assert all(text.isprintable() for reason, topic, *_ in aside for text in (reason, topic))
    assert "retained" in aside[0][0]
    complaints = [record.getMessage() for record in caplog.records if "quarantine" in record.getMessage()]
    assert len([each for each in complaints if "truncated" in each]) == 1


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("kept") / "controller.db") as store:
        yield store


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.builds(
            Heard,
            topic=st.builds("menshen/{}/{}/{}".format, st.just("expo"), st.sampled_from(["north", "x", "Ä"]),
                            st.sampled_from([*EVENTS, *DOCUMENTS, "status", "alert/x", "ack", "nonsense"])),
            payload=st.one_of(
                st.binary(max_size=40),
                st.sampled_from([encode(scan(1)), encode(state()), encode(Applied(version=2**70, at=WHEN))]),
                st.from_regex(rb'\A\{"v":1,"state":"(on|off)line","reason":"[^"]{0,9}"\}\Z'),
            ),
            retained=st.booleans(),
            headers=st.dictionaries(st.just("oldest"), st.text(max_size=3)),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_nothing_that_can_be_said_stops_the_intake(kept: Store, said: list[Heard]) -> None:
    with kept.transaction():
        intake = Intake(kept, Quarantine(kept), hold=timedelta(seconds=600), at=now())
        for each in said:
            intake.hear(each)
        intake.keep()
    assert len(kept.facts(now())) == len(kept.facts(now(), kept.facts(now())))


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_a_spool_is_taken_in_order_whatever_comes(arrivals: list[tuple[int, int]]) -> None:
    progress, taken = Progress(1, 0, 0), []
    for seq, oldest in arrivals:
        before = progress.committed
        if progress.take(seq, min(seq, oldest)):
            taken.append(seq)
        assert progress.committed >= before
    assert taken == sorted(set(taken))
    assert len(taken) + progress.lost == progress.committed


def test_abnormal_codes_raise_one_alert_that_ends_by_itself(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path, hold_s=1)
    registered(config)
    with running(config):
        gate.online()
        gate.event(scan(1, "invalid_time"))
        first = gate.alert("abnormal_code")
        assert (first.site, first.entrance, first.count) == ("expo", "north", 1)
        assert first.what.en == "1 abnormal code: outside its time"
        gate.event(scan(2, "temperature_high", event_type="refer"))
        gate.event(scan(3, "invalid", "temperature_high"))
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
    gate.offline()
    gate.retain("state", state())
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
        gate.event(scan(1, "revoked"))
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
        gate.event(scan(1, "revoked"))
        gate.alert("abnormal_code")
        broker.kill()
        broker.start()
        gate.acked(1)
        gate.alert("abnormal_code")
        gate.event(scan(2))
        gate.acked(2)


def test_a_gate_that_does_not_come_back_after_its_broker_is_offline(tmp_path: Path) -> None:
    inbox: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def say(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        if topic == PLACE.topic("alert/gate_offline") and qos and retain:
            said.put(payload)
        return True

    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        desk = Desk(store=store, rules=RulesSection(offline_grace_s=0), inbox=inbox, say=say, return_s=0.1)
        thread = threading.Thread(target=desk.run)
        thread.start()
        birth = Heard(topic=PLACE.topic("status"), payload=encode(Status(state="online")))
        for heard in (LinkChanged(up=True), birth, LinkChanged(up=False)):
            inbox.put(heard)
        assert b"never online" in said.get(timeout=PATIENCE_S)
        assert said.get(timeout=PATIENCE_S) == b""
        inbox.put(LinkChanged(up=True))
        assert b"critical" in said.get(timeout=PATIENCE_S)
        inbox.put(None)
        thread.join()
        assert [facts.offline_reason for facts in store.facts(now()).values()] == ["silent"]


def test_an_alert_resolved_while_nobody_could_be_told_is_taken_back(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    gate.raw("alert/abnormal_code", b'{"v":1}', retain=True)
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
    inbox: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
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


def test_a_passage_and_a_duty_are_events_like_a_scan(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    common: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "at": WHEN, "mono": 2.5, "clock": "unset"}
    with running(config):
        gate.event(Passage(seq=1, event_type="forced", direction="in", **common), kind="passage")
        gate.event(Duty(seq=2, event_type="check_in", who="guard 7", by="badge", since=WHEN, **common), kind="duty")
        gate.acked(2)
    assert rows(config, "SELECT outcome, direction, site, entrance FROM passages") == [
        ("forced", "in", "expo", "north")
    ]
    assert rows(config, "SELECT change, who, told_by FROM duties") == [("check_in", "guard 7", "badge")]
