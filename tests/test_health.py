"""Faults said once, and what systemd hears."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

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


def test_systemd_hears_what_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        say = "from device.health import Systemd; Systemd().say('READY=1')"
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        subprocess.run([sys.executable, "-c", say], env=environment, check=True)
        assert manager.recv(100) == b"READY=1"
