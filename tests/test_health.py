"""Faults said once."""

from __future__ import annotations

from datetime import UTC, datetime

from device.health import Faults

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_fault_is_said_when_it_changes() -> None:
    faults = Faults()
    assert faults.raised("camera_black", "dark", NOW)
    assert not faults.raised("camera_black", "dark", NOW)
    assert [fault.fault for fault in faults.health().faults] == ["camera_black"]
    assert faults.cleared("camera_black")
    assert not faults.cleared("camera_black")
    assert faults.health().faults == ()
