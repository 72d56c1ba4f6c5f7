"""What gates say, on its way into the store: in order, once, and never stopped by what is foreign."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.broker import Broker
from controller.config import RulesSection
from controller.database import now
from controller.intake import DOCUMENTS, Intake, Progress, happened
from controller.quarantine import Quarantine
from controller.rules import findings
from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import (
    EVENTS,
    MAX_PAYLOAD,
    Applied,
    Duty,
    Passage,
    Place,
    encode,
)
from tests.bystanders import WHEN, Gate, configured, rows, running, scan, state

HOLD_S = 600
SEQS = "SELECT seq FROM events ORDER BY rowid"


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


@pytest.mark.parametrize("payload", [b"", b"not json", b"\xff" * 99, b"x" * (MAX_PAYLOAD + 1), b'{"v":2}'])
def test_an_event_nobody_can_read_does_not_stop_those_behind_it(
    broker: Broker, tmp_path: Path, gate: Gate, payload: bytes
) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.event(scan(1))
        gate.raw("scan", payload, headers={"spool": "a1b2c3", "seq": "2", "oldest": "1"})
        gate.event(scan(3))
        gate.acked(3)
    assert rows(config, SEQS) == [(1,), (3,)]
    assert rows(config, "SELECT committed_seq, lost FROM spools") == [(3, 1)]
    assert rows(config, "SELECT size FROM quarantine") == [(len(payload),)]


def test_a_kind_that_only_a_newer_gate_knows_does_not_stop_those_behind_it(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.event(scan(1))
        gate.raw("weather", b'{"v":1,"event_type":"rain"}', headers={"spool": "a1b2c3", "seq": "2", "oldest": "1"})
        gate.event(scan(3))
        gate.acked(3)
    assert rows(config, SEQS) == [(1,), (3,)]
    assert rows(config, "SELECT topic FROM quarantine") == [("menshen/expo/north/weather",)]


def test_commands_and_answers_under_way_are_let_be(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    with running(config):
        gate.raw("cmd/open", b"?")
        gate.raw("reply/open", b"?")
        gate.event(scan(1))
        gate.acked(1)
    assert rows(config, "SELECT count(*) FROM quarantine") == [(0,)]


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


@pytest.mark.parametrize(
    ("age_s", "clock", "count"),
    [
        (0, "synced", 2),
        (HOLD_S - 9, "holdover", 2),
        (HOLD_S + 1, "synced", 1),
        (14 * 86400, "holdover", 1),
        (14 * 86400, "unset", 2),  # a clock that was never set says nothing about when
        (-86400, "synced", 2),
    ],
)
def test_what_was_refused_long_ago_is_no_news(kept: Store, age_s: float, clock: str, count: int) -> None:
    """One code is refused now; of another, refused before that, we hear only afterwards."""
    at, place = now(), Place("expo", f"gate{abs(age_s):.0f}-{clock}")
    said = [scan(1, "revoked", at=at), scan(2, "invalid", at=at - timedelta(seconds=age_s), clock=clock)]
    with kept.transaction():
        intake = Intake(kept, Quarantine(kept), rules=RulesSection(abnormal_hold_s=HOLD_S), at=at)
        for each in said:
            intake.hear(Heard(topic=place.topic("scan"), payload=encode(each)))
        intake.keep()
    (facts,) = [each for each in kept.facts(at).values() if each.place == place]
    assert facts.abnormal is not None
    assert (facts.abnormal.count, facts.abnormal.last) == (count, at)
    assert facts.abnormal.since == (at - timedelta(seconds=age_s) if count == 2 and 0 < age_s < HOLD_S else at)


@pytest.mark.parametrize(
    ("began_s", "mono", "age_s"),
    [(None, 5.0, 0), (-600.0, 5.0, 595), (-600.0, 700.0, 0), (-600.0, -1e300, 1e9), (-600.0, 1e300, 0)],
)
def test_what_no_clock_was_believed_for_is_as_old_as_its_start_says(
    began_s: float | None, mono: float, age_s: float
) -> None:
    at = now()
    began = began_s and at.timestamp() + began_s
    age = at - happened(scan(1, at=WHEN, mono=mono, clock="unset"), at, began)
    assert age.total_seconds() == pytest.approx(age_s, abs=0.01)


def test_what_was_refused_before_the_clock_was_checked_is_mended_before_it_is_judged(kept: Store) -> None:
    at, place = now(), Place("expo", "mended")
    said = [
        scan(1, at=at, mono=9000.0, clock="synced", spool="live"),
        scan(1, "revoked", at=WHEN, mono=5.0, clock="unset"),
        scan(2, "revoked", at=WHEN, mono=8999.0, clock="unset"),
    ]
    with kept.transaction():
        intake = Intake(kept, Quarantine(kept), rules=RulesSection(abnormal_hold_s=HOLD_S), at=at)
        for each in said:
            intake.hear(Heard(topic=place.topic("scan"), payload=encode(each)))
        intake.keep()
    (facts,) = [each for each in kept.facts(at).values() if each.place == place]
    assert facts.abnormal is not None
    assert facts.abnormal.count == 1


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
    ("anything", b"{}", {}, "word"),
]  # fmt: skip


def test_a_foreign_message_is_put_aside_and_stops_nobody(
    broker: Broker, tmp_path: Path, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured(broker, tmp_path)
    gate.left("scan", encode(scan(1)))
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


LONG_AGO = [
    b'{"v":1,"faults":[{"fault":"fire","since":"%s","detail":""}]}' % since
    for since in (b"0001-01-01T00:00:00", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59Z")
]


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
                st.sampled_from([encode(scan(1)), encode(state()), encode(Applied(version=2**70, at=WHEN)), *LONG_AGO]),
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
        intake = Intake(kept, Quarantine(kept), rules=RulesSection(), at=now())
        for each in said:
            intake.hear(each)
        intake.keep()
    for facts in kept.facts(now()).values():
        assert findings(facts, RulesSection()).keys().isdisjoint({"fire"}), "a time that is none must not be kept"
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


def test_who_went_through_is_counted_for_an_hour(kept: Store) -> None:
    at, place = now(), Place("expo", "walked")
    outcomes = ["passed"] * 3 + ["forced", "tailgated", "not_passed"]
    with kept.transaction():
        intake = Intake(kept, Quarantine(kept), rules=RulesSection(), at=at)
        for seq, outcome in enumerate(outcomes, 1):
            event = Passage(
                spool="a1b2c3", seq=seq, boot="b", at=at, mono=1, clock="synced", event_type=outcome # type: ignore[arg-type]
            )  # fmt: skip
            intake.hear(Heard(topic=place.topic("passage"), payload=encode(event)))
        intake.keep()
    for later_s, expected in ((0, (5, 2)), (2400, (5, 2)), (4000, (0, 0))):
        moment = at + timedelta(seconds=later_s)
        (facts,) = [each for each in kept.facts(moment).values() if each.place == place]
        assert (facts.passages, facts.without_scan) == expected
