"""Our devices in a real Home Assistant, where HOMEASSISTANT_PYTHON names the Python of an environment that has one.

python3.13 -m venv /tmp/ha && /tmp/ha/bin/pip install homeassistant==2025.4.4 paho-mqtt==2.1.0 \
        home-assistant-frontend==20250411.0
HOMEASSISTANT_PYTHON=/tmp/ha/bin/python ./menshen test -- tests/test_homeassistant_core.py
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from controller import rules
from controller.broker import Broker
from controller.config import HomeAssistantSection
from controller.store import Store
from device.wire.messages import Command, Health, Info, OpenFault, decode
from tests.bystanders import PLACE, WHEN, Ear, Gate, configured, running, scan, state

PYTHON = os.environ.get("HOMEASSISTANT_PYTHON", "")
ON = HomeAssistantSection(enabled=True, commands=True, language="en")
PROGRAM = Path(__file__).with_name("homeassistant_core.py")


@pytest.mark.skipif(not PYTHON, reason="HOMEASSISTANT_PYTHON names no Python that has Home Assistant")
def test_home_assistant_finds_the_device_shows_its_states_and_presses_its_buttons(
    broker: Broker, tmp_path: Path, gate: Gate
) -> None:
    config = msgspec.structs.replace(configured(broker, tmp_path, grace_s=60), homeassistant=ON)
    with Store(Path(config.store.path)) as store:
        store.register(PLACE, "北门", "North gate")
    commands = Ear(broker, PLACE.topic("cmd/+"))
    with running(config):
        gate.online()
        gate.retain("state", state(staffing="unstaffed", grants=41))
        gate.retain("health", Health(faults=(OpenFault("tamper", WHEN, ""),)))
        gate.retain("info", Info(version="0.2", python="3", parts={}, commands=("identify", "open")))
        asked = [PYTHON, str(PROGRAM), str(broker.wire.port), str(tmp_path / "ha")]
        out = tmp_path / "out.txt"
        with out.open("wb") as file:
            core = subprocess.Popen(asked, stdout=file, stderr=subprocess.STDOUT)
        seq = 0
        while core.poll() is None:
            seq += 1
            gate.event(scan(seq, "revoked"))
            gate.ack(within_s=1)
    said = out.read_text(encoding="utf-8")
    assert "STATES" in said, said[-2000:]
    found = json.loads(said.split("STATES ", 1)[1].splitlines()[0])
    assert found["binary_sensor.north_gate_online"]["state"] == "on"
    assert found["sensor.north_gate_staffing"]["state"] == "unstaffed"
    assert found["sensor.north_gate_grants"]["state"] == "41"
    assert found["sensor.north_gate_alerts"]["worst"] == "critical"
    assert found["event.north_gate_scan"]["event_type"] == "refuse"
    on = {name for name, each in found.items() if each.get("device_class") == "problem" and each["state"] == "on"}
    assert on == {"binary_sensor.north_gate_tamper", "binary_sensor.north_gate_unstaffed_entrance"}
    problems = [name for name, each in found.items() if each.get("device_class") == "problem"]
    assert len(problems) == len(rules.RULES)
    for verb in ("identify", "open"):
        heard = commands.until(lambda each, verb=verb: each.topic == PLACE.topic(f"cmd/{verb}"))  # type: ignore[misc]
        command = decode(Command, heard.payload)
        assert command.to == str(PLACE)
        assert timedelta() < command.expires_at - datetime.now(tz=UTC) <= timedelta(seconds=10)
    commands.stop()
