"""Home Assistant's view of the entrances: one MQTT device each, found by itself, said and taken back by the controller.

What is said is compared with what is on the broker, so that a restart, a lost broker or an entrance removed meanwhile
come out right. Home Assistant from 2024.11 on reads a whole device from one document.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import queue
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from msgspec import Struct

from controller import rules, telling
from controller.config import HomeAssistantSection
from controller.store import Store
from device.wire import words
from device.wire.link import Heard, Link, LinkChanged, LinkSaid, Wire
from device.wire.messages import (
    COMMAND,
    COMMAND_S,
    EVENTS,
    VERBS,
    Alert,
    ClockState,
    Info,
    MessageError,
    Place,
    Staffing,
    Text,
    Verb,
    decode,
)
from device.wire.words import Language, say

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0  # between looks at what the store knows
OURS: Final = "menshen_"  # what our devices' ids begin with
SEVERITIES: Final = ("none", "info", "warning", "critical")
OF_THE_GATE: Final = frozenset(
    {"quarantine", "clock_unsure", "stale_trust", "unknown_entrance", "cloned_gate", "unauthorized_client", "flooding"}
)  # alerts for whoever looks after the machine

NAMES: Final[dict[str, Text]] = {
    "alerts": Text("告警", "Alerts"),
    "online": Text("在线", "Online"),
    "staffing": Text("值守", "Staffing"),
    "staffing_since": Text("值守状态始于", "Staffing since"),
    "grants": Text("放行次数", "Grants"),
    "refusals": Text("拒绝次数", "Refusals"),
    "passages": Text("通过人次", "Passages"),
    "unscanned": Text("未扫码通过", "Unscanned passages"),
    "waiting": Text("排队人数", "People waiting"),
    "inside": Text("场内人数", "People inside"),
    "spool_depth": Text("待上传记录", "Events waiting"),
    "clock": Text("时钟", "Clock"),
    "faults": Text("故障数", "Faults"),
    "version": Text("版本", "Version"),
}
# A static payload would be refused: every command needs an id of its own and its end. The gate has the last word.
PRESSED: Final = (
    "{{% set now = utcnow() %}}"
    '{{"v":1,"id":"ha-{{{{ (now.timestamp() * 1000) | int }}}}-{{{{ range(10000, 100000) | random }}}}",'
    '"to":"{place}","by":"Home Assistant",'
    '"expires_at":"{{{{ (now + timedelta(seconds={seconds:g})).isoformat() }}}}"}}'
)

Document = dict[str, Any]


class Seen(Struct, frozen=True, kw_only=True):
    """What is known of one entrance, as far as Home Assistant is told."""

    place: Place
    zh: str = ""
    en: str = ""
    version: str = ""
    commands: tuple[Verb, ...] = ()  # those its gate obeys
    alerts: tuple[Alert, ...] = ()


def object_id(place: Place) -> str:
    """Return a name no other entrance has: ids hold no underscore."""
    return f"{OURS}{place.site}_{place.entrance}"


def documents(seen: Seen, settings: HomeAssistantSection) -> dict[str, bytes]:
    """Return what is retained about one entrance, by topic."""
    branch = f"{settings.prefix}/device/{object_id(seen.place)}"
    worst = max((SEVERITIES.index(alert.severity) for alert in seen.alerts), default=0)
    summary = {
        "count": len(seen.alerts),
        "worst": SEVERITIES[worst],
        "open": {alert.kind: telling.about(alert, settings.language) for alert in seen.alerts},
    }
    return {
        f"{branch}/config": _json(discovery(seen, settings, alerts=f"{branch}/alerts")),
        f"{branch}/alerts": _json(summary),
    }


def discovery(seen: Seen, settings: HomeAssistantSection, *, alerts: str) -> Document:
    """Return the device as Home Assistant wants to be told of it."""
    tongue, own = settings.language, object_id(seen.place)
    titles = (seen.zh, seen.en)
    title = titles[tongue == "en"] or titles[tongue == "zh"] or str(seen.place)
    device = {"identifiers": [own], "name": title, "manufacturer": "menshen", "model": str(seen.place)}
    if seen.version:
        device["sw_version"] = seen.version
    origin = {"name": "menshen", "sw_version": importlib.metadata.version("menshen")}
    entities = {
        **_states(seen.place, tongue),
        **_alerts(alerts, tongue),
        **_events(seen.place, tongue),
        **(_buttons(seen, tongue) if settings.commands else {}),
    }
    components = {name: {**entity, "unique_id": f"{own}_{name}"} for name, entity in entities.items()}
    return {"device": device, "origin": origin, "components": components}


def _states(place: Place, tongue: Language) -> dict[str, Document]:
    """Return what the gate retains. Only what it says itself is unavailable while it is offline."""
    status, state = place.topic("status"), place.topic("state")
    there = {"availability_topic": status, "availability_template": "{{ value_json.state }}"}

    def sensor(name: str, *, topic: str = state, value: str = "", **more: object) -> Document:
        value = value or f"{{{{ value_json.{name} }}}}"
        return {
            "platform": "sensor", "name": say(NAMES[name], tongue), "state_topic": topic, "value_template": value,
            **there, **more,
        }  # fmt: skip

    def count(name: str) -> Document:
        return sensor(name, state_class="total_increasing")

    online = {
        "platform": "binary_sensor", "name": say(NAMES["online"], tongue), "device_class": "connectivity",
        "state_topic": status, "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
        "entity_category": "diagnostic",
    }  # fmt: skip
    return {
        "online": online,
        "staffing": sensor("staffing", device_class="enum", options=list(get_args(Staffing))),
        "staffing_since": sensor("staffing_since", device_class="timestamp"),
        **{name: count(name) for name in ("grants", "refusals", "passages", "unscanned")},
        **{name: sensor(name, state_class="measurement") for name in ("waiting", "inside")},
        "spool_depth": sensor("spool_depth", state_class="measurement", entity_category="diagnostic"),
        "clock": sensor("clock", device_class="enum", options=list(get_args(ClockState)), entity_category="diagnostic"),
        "faults": sensor(
            "faults", topic=place.topic("health"), value="{{ value_json.faults | count }}",
            json_attributes_topic=place.topic("health"), entity_category="diagnostic",
        ),
        "version": sensor("version", topic=place.topic("info"), entity_category="diagnostic"),
    }  # fmt: skip


def _alerts(topic: str, tongue: Language) -> dict[str, Document]:
    """Return the open alerts: all in one, and each kind by itself. The controller says them, gate or no gate."""
    worst = {
        "platform": "sensor", "name": say(NAMES["alerts"], tongue), "state_topic": topic,
        "value_template": "{{ value_json.worst }}", "device_class": "enum", "options": list(SEVERITIES),
        "json_attributes_topic": topic,
    }  # fmt: skip
    kinds = {
        f"alert_{kind}": {
            "platform": "binary_sensor", "name": telling.named(telling.ALERTS, kind, tongue),
            "device_class": "problem", "state_topic": topic,
            "value_template": f"{{{{ 'ON' if '{kind}' in value_json.open else 'OFF' }}}}",
            **({"entity_category": "diagnostic"} if kind in OF_THE_GATE else {}),
        }
        for kind in rules.RULES
    }  # fmt: skip
    return {"alerts": worst, **kinds}


def _events(place: Place, tongue: Language) -> dict[str, Document]:
    """Return the events, which name their own type."""
    return {
        f"event_{kind}": {
            "platform": "event", "name": say(telling.KINDS[kind], tongue), "state_topic": place.topic(kind),
            "event_types": list(get_args(get_type_hints(message)["event_type"])),
        }
        for kind, message in EVENTS.items()
    }  # fmt: skip


def _buttons(seen: Seen, tongue: Language) -> dict[str, Document]:
    return {
        f"command_{verb}": {
            "platform": "button", "name": say(words.VERBS[verb], tongue),
            "command_topic": seen.place.topic(f"{COMMAND}{verb}"), "qos": 1, "retain": False,
            "command_template": PRESSED.format(place=seen.place, seconds=COMMAND_S),
            "availability_topic": seen.place.topic("status"), "availability_template": "{{ value_json.state }}",
            **({"device_class": "identify"} if verb == "identify" else {}),
        }
        for verb in VERBS if verb in seen.commands
    }  # fmt: skip


def look(store: Store) -> Iterator[Seen]:
    """Return what is known now of the registered entrances."""
    open_alerts: dict[Place, list[Alert]] = {}
    for alert in store.open_alerts().values():
        open_alerts.setdefault(Place(alert.site, alert.entrance), []).append(alert)
    rows = store.db.query("SELECT site, name, title_zh, title_en, info FROM entrances WHERE registered_at IS NOT NULL")
    for row in rows:
        place = Place(row["site"], row["name"])
        info = _info(row["info"])
        yield Seen(
            place=place,
            zh=row["title_zh"],
            en=row["title_en"],
            version=info.version if info else "",
            commands=tuple(verb for verb in VERBS if info and verb in info.commands),
            alerts=tuple(open_alerts.get(place, ())),
        )


def _info(kept: str | None) -> Info | None:
    try:
        return decode(Info, kept.encode()) if kept else None
    except MessageError:
        return None


def _json(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True).encode()


class HomeAssistant:
    """Says the devices, in a thread with a connection of its own: nothing of it is in the desk's way."""

    def __init__(self, database: Path, wire: Wire, settings: HomeAssistantSection) -> None:
        self._settings = settings
        self._store = Store(database, read_only=True)
        self._inbox: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
        topics = tuple(f"{settings.prefix}/device/+/{word}" for word in ("config", "alerts"))
        self._link = Link(wire, name=f"homeassistant-{secrets.token_hex(4)}", hear=topics, put=self._inbox.put)
        self._held: dict[str, bytes] = {}  # what the broker has of ours
        self._look_at = 0.0  # monotonic seconds
        self._thread = threading.Thread(target=self._run, name="homeassistant", daemon=True)

    @property
    def threads(self) -> list[threading.Thread]:
        """Return those that have to be alive."""
        return [self._thread, self._link.thread]

    def start(self) -> None:
        """Begin."""
        self._link.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what was said stays on the broker, as what is true of the entrances."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._link.stop()
        self._store.close()

    def _run(self) -> None:
        while self._take():
            if self._link.up and time.monotonic() >= self._look_at:
                self._agree()
                self._look_at = time.monotonic() + EVERY_S

    def _take(self) -> bool:
        """Take what comes within the time; False when told to stop."""
        try:
            said = self._inbox.get(timeout=max(0.0, min(EVERY_S, self._look_at - time.monotonic())) or EVERY_S)
        except queue.Empty:
            return True
        if isinstance(said, LinkChanged):
            self._held.clear()
            self._look_at = time.monotonic() + EVERY_S  # what the broker holds comes first
        elif isinstance(said, Heard):
            if said.payload:
                self._held[said.topic] = said.payload
            else:
                self._held.pop(said.topic, None)
        return said is not None

    def _agree(self) -> None:
        """Make the broker hold what is known now, and nothing of entrances that are not ours any more."""
        wanted: dict[str, bytes] = {}
        for seen in look(self._store):
            wanted |= documents(seen, self._settings)
        for topic, payload in wanted.items():
            if self._held.get(topic) != payload:
                self._say(topic, payload)
        for topic in _gone(self._held, wanted):
            log.info("Home Assistant: %s is taken back", topic)
            self._say(topic, b"")

    def _say(self, topic: str, payload: bytes) -> None:
        if self._link.say(topic, payload, qos=1, retain=True):
            self._held[topic] = payload


def _gone(held: Iterable[str], wanted: Iterable[str]) -> list[str]:
    wanted = set(wanted)
    return [topic for topic in held if f"/device/{OURS}" in topic and topic not in wanted]
