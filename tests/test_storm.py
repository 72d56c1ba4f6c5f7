"""A storm over many entrances and kinds is some messages, and a look at many entrances holds nobody up."""

from __future__ import annotations

import queue
import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from controller.config import AlertsSection, Route, RulesSection
from controller.database import now
from controller.desk import PORTION, Desk, Told
from controller.notify import UPDATES, Crier
from controller.postman import Postman, Send
from controller.store import Store
from device.wire.link import Heard, LinkChanged
from device.wire.messages import Alert, Passage, Place, Status, Text, decode, encode
from tests.bystanders import PATIENCE_S, PLACE, WHEN, scan, wait

PLACES = [Place("expo", f"door-{number}") for number in range(100)]
EVENTS = 10_000
COMMON: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "mono": 2.5, "clock": "synced"}


def storm() -> list[Heard]:
    """Return wrong codes, high temperatures and people who went in unscanned, at all entrances at once."""
    drawn, seqs, said = random.Random(7), Counter[Place](), []
    for _ in range(EVENTS):
        place = drawn.choice(PLACES)
        seqs[place] += 1
        kind = drawn.choice(["scan", "scan", "passage"])
        if kind == "scan":
            reasons = drawn.choice([("revoked",), ("temperature_high",)])
            event: Any = scan(seqs[place], *reasons, at=now())
        else:
            event = Passage(seq=seqs[place], event_type="forced", at=now(), **COMMON)
        said.append(Heard(topic=place.topic(kind), payload=encode(event)))
    return said


def test_ten_thousand_events_at_a_hundred_entrances(tmp_path: Path) -> None:
    said = Counter[str]()
    last: dict[str, Alert] = {}

    def say(topic: str, payload: bytes, **_how: object) -> bool:
        if "/alert" in topic:
            said["digest" if topic == "menshen/expo/alerts" else "alert"] += 1
        if "/alert/" in topic:
            last[topic] = decode(Alert, payload)
        return True

    told: list[str] = []

    def carry(title: str, *_: object) -> bool:
        told.append(title)
        return True

    with Store(tmp_path / "controller.db") as store:
        for place in PLACES:
            store.register(place)
        desk = Desk(
            store=store, rules=RulesSection(offline_grace_s=3600), alerts=AlertsSection(update_s=0.5),
            inbox=queue.SimpleQueue(), say=say,
        )  # fmt: skip
        desk._link(LinkChanged(up=True))
        route = msgspec.convert({"name": "duty-room", "urls": "", "window_s": 2}, Route)
        postman = Postman(
            route, Send("duty-1", carry), database=tmp_path / "controller.db", folder=tmp_path,
            zone=ZoneInfo("UTC"), every_s=0.05,
        )  # fmt: skip
        postman.start()
        began, events = time.monotonic(), storm()
        for number in range(0, EVENTS, 500):
            desk._work(events[number : number + 500], tick=number % 1000 == 0)
        took_s = time.monotonic() - began
        alerts = store.open_alerts()
        wait(lambda: len(postman.record.told) == len(alerts))
        postman.stop()
        assert len(alerts) >= 3 * len(PLACES)
        assert len(told) < 50, "tens of messages for people, not thousands"
        assert said["alert"] <= len(alerts) + UPDATES * (took_s + 1), "each once, and some updates"
        assert said["digest"] <= 2 + EVENTS / 1000
        ids = {each.id for each in alerts.values()}
        assert {each.id for each in last.values()} == ids, "what is new is said at once"
        print(f"{EVENTS} events in {took_s:.1f} s, {len(alerts)} alerts, {said}, {len(told)} messages to people")


def alert(place: Place, kind: str, count: int) -> Alert:
    text = Text("甲", "one")
    return Alert(
        id=1, kind=kind, site=place.site, entrance=place.entrance, severity="warning", since=WHEN,
        updated=WHEN + timedelta(seconds=count), count=count, what=text, next_step=text,
    )  # fmt: skip


def test_what_only_counts_on_shares_a_few_messages_a_second_and_none_is_forgotten() -> None:
    said: list[tuple[str, int]] = []

    def say(topic: str, payload: bytes, **_how: object) -> bool:
        said.append((topic, decode(Alert, payload).count))
        return True

    crier, kinds = Crier(say, 5.0), ("abnormal_code", "repeated_abnormal", "temperature_high", "unscanned_passage")
    number = len(PLACES) * len(kinds)
    for second in range(60):
        if second == 30:
            taken = msgspec.structs.replace(alert(PLACES[7], kinds[0], 99), state="acknowledged")
            crier.tell([taken], [], 100.0 + second)
            assert said[-1] == (PLACES[7].topic("alert/abnormal_code"), 99), "what somebody took on is said at once"
        crier.tell([alert(place, kind, second) for place in PLACES for kind in kinds], None, 100.0 + second)
        if second == 0:
            assert len(said) == number, "what is new is said at once"
    assert len(said) <= number + 60 * UPDATES
    assert min(count for _, count in dict(said).items()) >= 59 - number / UPDATES - 1, "each has its turn"
    for second in range(60, 85):
        crier.tell([alert(place, kind, 59) for place in PLACES for kind in kinds], None, 100.0 + second)
    assert set(dict(said).values()) == {59}, "and in the end all is said"


def test_what_comes_in_does_not_wait_for_a_look_at_a_thousand_entrances(tmp_path: Path) -> None:
    said: list[str] = []

    def say(topic: str, payload: bytes, **_how: object) -> bool:  # noqa: ARG001
        said.append(topic)
        return True

    places, at = [Place("expo", f"gate-{number}") for number in range(2 * PORTION + 50)], [WHEN]
    inbox: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
    with Store(tmp_path / "controller.db") as store:
        for place in places:
            store.register(place)
        desk = Desk(
            store=store, rules=RulesSection(offline_grace_s=5), inbox=inbox, clock=lambda: at[0],
            say=say,
        )  # fmt: skip
        for place in places:
            inbox.put(Heard(topic=place.topic("status"), payload=encode(Status(state="online"))))
        inbox.put(LinkChanged(up=True))
        while desk._turn() and not said:
            pass
        for place in places:
            inbox.put(Heard(topic=place.topic("status"), payload=encode(Status(state="offline", reason="lost"))))
        desk._turn()
        at[0] += timedelta(seconds=6)
        until = time.monotonic() + PATIENCE_S
        while not any(topic.endswith("gate_offline") for topic in said):
            assert time.monotonic() < until
            desk._turn()
        found = sum(topic.endswith("gate_offline") for topic in said)
        assert found <= PORTION, "not all of them at once"
        inbox.put(Heard(topic=PLACE.topic("scan"), payload=encode(scan(1))))
        desk._turn()
        assert PLACE.topic("ack") in said
        assert sum(topic.endswith("gate_offline") for topic in said) < len(places), "before the others were looked at"
        while sum(topic.endswith("gate_offline") for topic in said) < len(places):
            assert time.monotonic() < until
            desk._turn()
