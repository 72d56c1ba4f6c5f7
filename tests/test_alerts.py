"""What is open, compared with what is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.alerts import Changes, Key, compare, says_the_same
from controller.facts import Finding
from controller.rules import RULES
from controller.store import Store
from device.wire.messages import Alert, Place, Text
from tests.bystanders import WHEN

keys = st.tuples(st.integers(1, 3), st.sampled_from(list(RULES)))
findings = st.builds(
    Finding,
    severity=st.sampled_from(["warning", "critical"]),
    since=st.integers(0, 9).map(lambda minutes: WHEN + timedelta(minutes=minutes)),
    count=st.integers(1, 3),
    what=st.sampled_from([Text("甲", "one"), Text("乙", "two")]),
    next_step=st.just(Text("去看看", "go and see")),
)


def told(key: Key, finding: Finding) -> Alert:
    return Alert(
        kind=key[1], site="expo", entrance=f"gate-{key[0]}", severity=finding.severity, since=finding.since,
        updated=WHEN, count=finding.count, what=finding.what, next_step=finding.next_step,
    )  # fmt: skip


def applied(before: Mapping[Key, Alert], changes: Changes) -> dict[Key, Alert]:
    after = {key: alert for key, alert in before.items() if key not in changes.resolved}
    assert not changes.raised.keys() & before.keys()
    assert changes.changed.keys() <= after.keys()
    return after | {key: told(key, finding) for key, finding in (changes.raised | changes.changed).items()}


@given(st.lists(st.dictionaries(keys, findings, max_size=6), max_size=6))
def test_exactly_what_is_found_is_open(lives: list[dict[Key, Finding]]) -> None:
    alerts: dict[Key, Alert] = {}
    for found in lives:
        alerts = applied(alerts, compare(alerts, found))
        assert alerts.keys() == found.keys()
        assert all(says_the_same(alerts[key], finding) for key, finding in found.items())
        assert compare(alerts, found) == Changes({}, {}, {})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("alerts") / "controller.db") as opened:
        for number in (1, 2, 3):
            assert opened.entrance(Place("expo", f"gate-{number}")) == number
        yield opened


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(keys, findings, max_size=6), max_size=4))
def test_the_store_holds_what_is_found(store: Store, lives: list[dict[Key, Finding]]) -> None:
    for found in [*lives, {}]:
        with store.transaction():
            store.save(compare(store.open_alerts(), found), WHEN)
        shown = {key: msgspec.structs.replace(alert, id=0) for key, alert in store.open_alerts().items()}
        assert shown == {key: told(key, finding) for key, finding in found.items()}


def test_a_moment_reckoned_anew_is_no_news() -> None:
    finding = Finding(severity="warning", since=WHEN, what=Text("甲", "one"), next_step=Text("", ""))
    alert = told((1, "unstaffed_entrance"), finding)
    for seconds, news in ((0.001, False), (-1.9, False), (2.0, True), (-60, True)):
        later = Finding(
            severity="warning", since=WHEN + timedelta(seconds=seconds), what=finding.what, next_step=finding.next_step
        )
        assert bool(compare({(1, "unstaffed_entrance"): alert}, {(1, "unstaffed_entrance"): later}).changed) == news


def test_what_ends_because_nobody_can_tell_is_not_over() -> None:
    finding = Finding(severity="warning", since=WHEN, what=Text("甲", "one"), next_step=Text("", ""))
    unstaffed, coded = (1, "unstaffed_entrance"), (1, "abnormal_code")
    alerts = {key: told(key, finding) for key in (unstaffed, coded)}
    assert compare(alerts, {}).resolved == {unstaffed: "over", coded: "over"}
    assert compare(alerts, {(2, "gate_offline"): finding}).resolved == {unstaffed: "over", coded: "over"}
    assert compare(alerts, {(1, "gate_offline"): finding}).resolved == {unstaffed: "unknown", coded: "over"}
