"""Starts a real Home Assistant with MQTT, prints what it made of our devices, and presses every button.

Run by the Python of an environment that has Home Assistant, not by ours: see tests/test_homeassistant_core.py.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

KINDS = ("sensor", "binary_sensor", "event", "button")
ENTRY = {
    "entry_id": "01", "version": 1, "minor_version": 2, "domain": "mqtt", "title": "broker", "options": {},
    "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user", "unique_id": None,
    "disabled_by": None, "created_at": "2026-01-01T00:00:00+00:00", "modified_at": "2026-01-01T00:00:00+00:00",
    "discovery_keys": {}, "subentries": [],
}  # fmt: skip


def configure(folder: Path, port: int) -> None:
    """Write what clicking through the integration's pages would."""
    (folder / ".storage").mkdir(parents=True)
    (folder / "configuration.yaml").write_text("homeassistant:\n  name: test\n", encoding="ascii")
    entry = {**ENTRY, "data": {"broker": "127.0.0.1", "port": port, "protocol": "5", "discovery": True}}
    kept = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
    (folder / ".storage/core.config_entries").write_text(json.dumps(kept), encoding="ascii")


async def live(folder: Path) -> None:
    """Start, wait for a scan to arrive as an event, say everything, press everything, end."""
    from homeassistant import bootstrap, runner  # type: ignore[import-not-found]  # noqa: PLC0415 not in our environment

    hass: Any = await bootstrap.async_setup_hass(runner.RuntimeConfig(config_dir=str(folder), skip_pip=True))
    await hass.async_start()
    async with asyncio.timeout(60):
        while (scan := hass.states.get("event.north_gate_scan")) is None or scan.state == "unknown":  # noqa: ASYNC110 looked at, as people do
            await asyncio.sleep(0.1)
    states = {state.entity_id: state for state in hass.states.async_all(KINDS)}
    said = {name: {"state": state.state, **state.attributes} for name, state in states.items() if "north_gate" in name}
    print("STATES", json.dumps(said, default=str), flush=True)
    for name in (name for name in said if name.startswith("button.")):
        await hass.services.async_call("button", "press", {"entity_id": name}, blocking=True)
    await asyncio.sleep(1)
    await hass.async_stop()


if __name__ == "__main__":
    configure(Path(sys.argv[2]), int(sys.argv[1]))
    asyncio.run(live(Path(sys.argv[2])))
