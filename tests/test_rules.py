"""The rules: what is true of an entrance now, and what is found in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config import RulesSection
from controller.facts import Facts, Run
from controller.rules import INHIBITED_BY, REFUSED, RULES, findings, gate_offline, reason_of
from controller.rules.gates import OWN_ALERT, gate_fault
from controller.rules.remedies import ANY, REMEDIES
from device.verdict import REFERRED
from device.wire import words
from device.wire.messages import OpenFault, Place, Staffing
from tests.bystanders import PLACE, WHEN, scan

SETTINGS = RulesSection(abnormal_hold_s=600, offline_grace_s=15, clock_grace_s=60)


def before(seconds: float) -> datetime:
    return WHEN - timedelta(seconds=seconds)


def facts(**known: Any) -> Facts:
    online: dict[str, Any] = {
        "registered_at": before(9000),
        "heard_at": before(8000),
        "online": True,
        "online_since": before(8000),
    }
    return Facts(place=PLACE, now=WHEN, **(online | known))


def found(**known: Any) -> set[str]:
    return set(findings(facts(**known), SETTINGS))


def run(last_s: float, count: int = 1, reason: str = "revoked") -> Run:
    return Run(since=before(last_s + 60), last=before(last_s), count=count, reason=reason)


def fault(name: str, ago_s: float = 40) -> OpenFault:
    return OpenFault(name, before(ago_s), "")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, set()),
        ({"staffing": "staffed", "staffing_since": before(50)}, set()),
        ({"staffing": "grace", "staffing_since": before(50)}, set()),
        ({"staffing": "off_hours", "staffing_since": before(50)}, set()),
        ({"staffing": "unstaffed", "staffing_since": before(50)}, {"unstaffed_entrance"}),
        ({"abnormal": run(last_s=599)}, {"abnormal_code"}),
        ({"abnormal": run(last_s=600)}, set()),
        ({"repeated": run(last_s=599, count=5)}, {"repeated_abnormal"}),
        ({"repeated": run(last_s=600, count=5)}, set()),
        ({"hot": run(last_s=599)}, {"temperature_high"}),
        ({"hot": run(last_s=600)}, set()),
        ({"unused": run(last_s=5, count=2)}, set()),
        ({"unused": run(last_s=5, count=3)}, {"granted_not_passed"}),
        ({"unused": run(last_s=600, count=3)}, set()),
        ({"passages": 19, "without_scan": 19}, set()),
        ({"passages": 20, "without_scan": 2}, set()),
        ({"passages": 20, "without_scan": 3}, {"low_scan_rate"}),
        ({"passages": 20, "without_scan": 3, "faults": (fault("fire"),)}, {"fire"}),
        ({"faults": (fault("camera_lost"),)}, {"gate_fault"}),
        ({"faults": (OpenFault("camera_lost", before(9), ""),)}, set()),
        ({"faults": (fault("stale_trust"), fault("clock_unset"))}, set()),
        ({"faults": (fault("camera_lost"),), "online": False, "online_since": before(99)}, {"gate_offline"}),
        ({"behind_since": before(119)}, set()),
        ({"behind_since": before(120)}, {"config_drift"}),
        ({"staffing": "staffed", "staffing_since": before(8000), "online_since": before(14400)}, set()),
        ({"staffing": "staffed", "staffing_since": before(14399), "online_since": before(20000)}, set()),
        ({"staffing": "staffed", "staffing_since": before(14400), "online_since": before(20000)}, {"silent_entrance"}),
        ({"staffing": "off_hours", "staffing_since": before(14400), "online_since": before(20000)}, set()),
        (
            {"staffing": "staffed", "staffing_since": before(14400), "online_since": before(20000),
             "spoke_at": before(14399)},
            set(),
        ),
        ({"takeovers": run(last_s=599, count=4)}, set()),
        ({"takeovers": run(last_s=599, count=5)}, {"cloned_gate"}),
        ({"takeovers": run(last_s=600, count=9)}, set()),
        ({"refused": run(last_s=599, reason="publish")}, {"unauthorized_client"}),
        ({"refused": run(last_s=600, reason="publish")}, set()),
        ({"quarantined": run(last_s=599)}, {"quarantine"}),
        ({"flood": run(last_s=599, count=5000)}, {"flooding"}),
        ({"flood": run(last_s=599, count=4999)}, set()),
        ({"flood": run(last_s=600, count=9999)}, set()),
        ({"quarantined": run(last_s=600)}, set()),
        ({"online": False, "online_since": before(14)}, set()),
        ({"online": False, "online_since": before(15)}, {"gate_offline"}),
        ({"faults": (OpenFault("held_open", before(9), ""),)}, {"held_open"}),
        ({"faults": (OpenFault("beam_blocked", before(9), ""),)}, {"held_open"}),
        ({"unscanned": run(last_s=599, reason="forced")}, {"unscanned_passage"}),
        ({"unscanned": run(last_s=600, reason="forced")}, set()),
        ({"conflict": run(last_s=599, reason="south")}, {"passback_conflict"}),
        ({"conflict": run(last_s=600, reason="south")}, set()),
        ({"over_since": before(1), "inside": 11, "capacity": 10}, {"over_capacity"}),
        ({"inside": 11, "capacity": 10}, set()),
        ({"clock_unsure_since": before(59)}, set()),
        ({"clock_unsure_since": before(60)}, {"clock_unsure"}),
        ({"clock_unsure_since": before(60), "online": False, "online_since": before(20)}, {"gate_offline"}),
        ({"registered_at": None}, {"unknown_entrance"}),
        ({"registered_at": None, "heard_at": None}, set()),
        ({"registered_at": None, "heard_at": None, "online": False, "online_since": before(99)}, set()),
        ({"heard_at": None, "online": None, "online_since": None}, {"gate_offline"}),
        ({"registered_at": before(5), "heard_at": None, "online": None, "online_since": None}, set()),
        ({"registered_at": None, "online": None, "online_since": None}, {"unknown_entrance"}),
        ({"registered_at": None, "online": False, "online_since": before(99)}, {"unknown_entrance", "gate_offline"}),
        ({"faults": (fault("camera_black"), fault("guardian_lost"))}, {"gate_fault"}),
        ({"faults": (fault("camera_black"), fault("fire"))}, {"fire", "gate_fault"}),
        ({"faults": (fault("tamper"),)}, {"tamper"}),
        ({"faults": (fault("fire"),), "online": False, "online_since": before(99)}, {"gate_offline", "fire"}),
    ],
)  # fmt: skip
def test_what_is_found(known: dict[str, Any], expected: set[str]) -> None:
    assert found(**known) == expected


def test_an_offline_gate_leaves_its_staffing_unknown() -> None:
    unstaffed = {"staffing": "unstaffed", "staffing_since": before(90), "online": False}
    assert found(**unstaffed, online_since=before(3)) == {"unstaffed_entrance"}
    assert found(**unstaffed, online_since=before(30)) == {"gate_offline"}
    alert = gate_offline(facts(**unstaffed, online_since=before(30)), SETTINGS)
    assert alert
    assert "staffing is unknown" in alert.what.en
    assert "值守情况未知" in alert.what.zh
    assert alert.since == before(30)


@pytest.mark.parametrize(
    ("known", "severity"),
    [
        ({"online": False, "offline_reason": "lost"}, "critical"),
        ({"online": False, "offline_reason": "silent"}, "critical"),
        ({"online": False, "offline_reason": "stopped"}, "warning"),
        ({"online": None}, "info"),
    ],
)
def test_a_gate_that_was_stopped_is_not_one_that_was_lost(known: dict[str, Any], severity: str) -> None:
    alert = gate_offline(facts(online_since=before(30), **known), SETTINGS)
    assert alert
    assert alert.severity == severity


def test_an_alert_counts_and_names_the_last_reason() -> None:
    alert = findings(facts(abnormal=run(5, count=3)), SETTINGS)["abnormal_code"]
    assert (alert.count, alert.since) == (3, before(65))
    assert alert.what.en == "3 abnormal codes, the last: revoked"
    assert alert.what.zh == "异常码 3 个，最近一个：已吊销"
    strange = findings(facts(abnormal=run(5, reason="x" * 9000)), SETTINGS)["abnormal_code"]
    assert len(strange.what.en) < 100


@pytest.mark.parametrize("kind", ["publish", "subscribe", "will", "protocol", "revoked"])
def test_what_was_refused_is_said_in_words(kind: str) -> None:
    alert = findings(facts(refused=run(5, count=3, reason=kind)), SETTINGS)["unauthorized_client"]
    assert alert.what.en == f"refused by the broker 3 times, the last: {REFUSED[kind].en}"
    assert alert.what.zh.endswith(REFUSED[kind].zh)


def test_fire_and_tamper_are_critical_and_since_when_the_gate_says() -> None:
    for kind in ("fire", "tamper"):
        alert = findings(facts(faults=(fault(kind),)), SETTINGS)[kind]
        assert (alert.severity, alert.since) == ("critical", before(40))


def test_a_crowd_is_told_with_how_many_at_least_and_not_of_an_offline_gate() -> None:
    alert = findings(facts(crowded_since=before(90), waiting=6), SETTINGS)["crowding"]
    assert (alert.severity, alert.since) == ("warning", before(90))
    assert alert.what.en == "crowded: 6 or more wait, by estimate"
    assert "6" in alert.what.zh
    assert "?" in findings(facts(crowded_since=before(90)), SETTINGS)["crowding"].what.en
    assert found(waiting=9) == set(), "whether that is a crowd its gate says"
    assert found(crowded_since=before(90), online=False, online_since=before(99)) == {"gate_offline"}


def test_a_poster_is_an_alert_with_what_the_gate_says_of_it() -> None:
    for kind, severity in (("poster_unreadable", "warning"), ("poster_foreign", "critical")):
        spoilt = OpenFault(kind, before(40), "so it is")
        alert = findings(facts(faults=(spoilt,)), SETTINGS)[kind]
        assert (alert.severity, alert.since) == (severity, before(40))
        assert alert.what.en.endswith(": so it is")
        assert alert.what.zh.endswith("：so it is")
        assert found(faults=(spoilt,), online=False, online_since=before(99)) == {"gate_offline"}


def test_what_is_wrong_with_a_person_or_the_gate_is_no_abnormal_code() -> None:
    assert reason_of(scan(1)) is None
    for reason in REFERRED - {"yellow_code"}:
        assert reason_of(scan(1, reason, event_type="refer")) is None
    assert reason_of(scan(1, "temperature_high", "expired_by_some_later_rule")) == "expired_by_some_later_rule"
    for reason in words.REASONS.keys() - REFERRED - {"unverified", "capacity"}:
        assert reason_of(scan(1, reason)) == reason


def test_every_rule_is_named_after_its_alert() -> None:
    assert list(RULES) == [
        "abnormal_code", "unstaffed_entrance", "gate_offline", "clock_unsure", "unknown_entrance", "stale_trust",
        "cloned_gate", "unauthorized_client", "quarantine",
        "fire", "tamper", "crowding", "poster_unreadable", "poster_foreign",
        "unscanned_passage", "held_open", "over_capacity", "passback_conflict",
        "repeated_abnormal", "temperature_high", "low_scan_rate", "granted_not_passed", "gate_fault", "config_drift",
        "silent_entrance", "flooding",
    ]  # fmt: skip


FAULTS = ("fire", "tamper", "poster_foreign", "held_open", "beam_blocked", "x")
runs = st.none() | st.builds(run, last_s=st.integers(-(10**6), 10**6), count=st.integers(1, 99))
moments = st.none() | st.integers(-(10**7), 10**7).map(before)


@given(
    st.builds(
        Facts,
        place=st.just(Place("expo", "north")),
        now=st.just(WHEN),
        registered_at=moments,
        heard_at=moments,
        online=st.none() | st.booleans(),
        online_since=moments,
        offline_reason=st.text(max_size=5),
        staffing=st.none() | st.sampled_from(get_args(Staffing)),
        staffing_since=moments,
        clock_unsure_since=moments,
        crowded_since=moments,
        waiting=st.none() | st.integers(0, 1000),
        **dict.fromkeys(
            ("abnormal", "refused", "takeovers", "quarantined", "repeated", "hot", "unused", "flood"), runs
        ),
        **dict.fromkeys(("unscanned", "conflict"), runs),
        over_since=moments,
        spoke_at=moments,
        passages=st.integers(20, 50),
        without_scan=st.integers(0, 20),
        without_scan_since=moments,
        behind_since=moments,
        faults=st.lists(st.builds(fault, st.sampled_from(FAULTS)), max_size=3).map(tuple),
    )
)
def test_no_facts_break_a_rule_and_nobody_is_missed_where_nobody_can_tell(known: Facts) -> None:
    now = findings(known, SETTINGS)
    for kind, others in INHIBITED_BY.items():
        assert kind not in now or not now.keys() & set(others)
    assert "unknown_entrance" not in now or known.registered_at is None
    for finding in now.values():
        assert finding.what.zh
        assert finding.what.en
        assert finding.next_step.zh
        assert finding.next_step.en


def test_trust_that_is_too_old_is_a_finding_while_the_gate_says_so() -> None:
    stale = OpenFault("stale_trust", before(60), "too old to admit by: shc/clinic")
    finding = findings(facts(stale=stale), SETTINGS)["stale_trust"]
    assert (finding.severity, finding.since) == ("warning", before(60))
    assert "shc/clinic" in finding.what.en
    assert "shc/clinic" in finding.what.zh
    assert found() == set()
    assert found(stale=stale, online=False, online_since=before(9999)) == {"gate_offline"}, "nobody can tell"


def test_a_fault_says_what_to_do_about_the_gravest_of_them() -> None:
    faults = (fault("screen_lost", 500), fault("camera_black"), fault("unheard_of", 900))
    alert = gate_fault(facts(faults=faults), SETTINGS)
    assert alert
    assert alert.severity == "critical"
    assert alert.what.en.startswith("a fault of the gate: the picture is black")
    assert alert.next_step == REMEDIES["camera_black"]
    other = gate_fault(facts(faults=(fault("unheard_of"),)), SETTINGS)
    assert other
    assert other.next_step == ANY


def test_every_fault_that_is_no_alert_of_its_own_has_its_remedy() -> None:
    assert REMEDIES.keys() == words.FAULTS.keys() - OWN_ALERT
