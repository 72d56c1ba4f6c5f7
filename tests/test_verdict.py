"""What a gate answers to a code and a temperature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codes import Checked, Claim
from device.verdict import REFERRED, Verdict, decide, judge
from device.wire.messages import PassKind
from device.wire.words import REASONS


def code(*reasons: str, kind: PassKind = "visitor") -> Checked:
    claim = Claim(identity=b"a", kind=kind, subject="a", not_before=0, not_after=1, places=("expo",))
    return Checked("ms1", b"a", claim, reasons)


def test_a_good_code_is_granted() -> None:
    assert judge(code(), clock="synced", temperature="off", mode="off") == Verdict("grant")


@pytest.mark.parametrize("reason", ["invalid", "revoked", "invalid_time", "wrong_entrance", "screen_expired"])
def test_a_bad_code_is_refused_and_says_why(reason: str) -> None:
    assert judge(code(reason), clock="synced", temperature="off", mode="off") == Verdict("refuse", (reason,))


def test_the_poster_at_the_door_admits_nobody() -> None:
    assert judge(code(kind="entrance"), clock="synced", temperature="off", mode="off") == Verdict("refuse", ("rules",))


@pytest.mark.parametrize("temperature", ["high", "unknown", "recheck"])
def test_a_temperature_is_the_guards_to_settle_where_it_is_required(temperature: str) -> None:
    verdict = judge(code(), clock="synced", temperature=temperature, mode="require")  # type: ignore[arg-type]
    assert verdict == Verdict("refer", (f"temperature_{temperature}",))
    assert judge(code(), clock="synced", temperature=temperature, mode="advise").outcome == "grant"  # type: ignore[arg-type]


def test_an_unset_clock_refers_and_never_calls_a_code_expired() -> None:
    assert judge(code(), clock="unset", temperature="off", mode="off") == Verdict("refer", ("clock_unsure",))
    verdict = judge(code("invalid_time"), clock="unset", temperature="off", mode="off")
    assert verdict == Verdict("refer", ("clock_unsure",))


def test_an_unset_clock_cannot_tell_how_old_trust_is() -> None:
    for reason in ("stale_trust", "clock_unsure"):
        verdict = judge(code(reason), clock="unset", temperature="off", mode="off")
        assert verdict == Verdict("refer", ("clock_unsure",))
    assert judge(code("stale_trust"), clock="synced", temperature="off", mode="off").outcome == "refer"


def test_an_unset_clock_does_not_excuse_a_revoked_code() -> None:
    verdict = judge(code("revoked", "invalid_time"), clock="unset", temperature="off", mode="off")
    assert verdict == Verdict("refuse", ("revoked", "clock_unsure"))


@given(st.lists(st.sampled_from(sorted(REASONS))))
def test_only_no_reason_at_all_is_a_grant(reasons: list[str]) -> None:
    outcome = decide(reasons).outcome
    assert (outcome == "grant") == (not reasons)
    assert (outcome == "refuse") == bool(set(reasons) - REFERRED)
