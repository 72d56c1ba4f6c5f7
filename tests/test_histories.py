"""Histories of a desk that is killed again and again, beside one that is not: both end with the same.

The long form: python -m pytest tests/test_histories.py --hypothesis-profile long
"""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.alarms import AlertError
from controller.alerts import Changes, Key
from controller.config import AlertsSection, RulesSection
from controller.desk import Desk
from controller.journal import TOPIC as JOURNAL
from controller.store import Store
from device.wire.link import Heard, LinkChanged
from device.wire.messages import (
    Alert,
    Health,
    Message,
    OpenFault,
    Passage,
    Place,
    Status,
    decode,
    encode,
)
from tests.bystanders import PLACE, WHEN, scan, state

PLACES = (PLACE, Place("expo", "south"))
RULES = RulesSection(unused_grants=2, scan_rate_passages=3)
ALERTS = AlertsSection(update_s=0, again_s=600)


class Killed(BaseException):
    """It ended here."""


class Mortal(Store):
    """A store under whose hands the program may die in the middle of a transaction."""

    dying = False

    def save(self, changes: Changes, at: datetime) -> None:
        super().save(changes, at)
        if self.dying:
            raise Killed


class Act(NamedTuple):
    """Something happens: to an entrance, after some seconds, of a kind, more exactly so."""

    entrance: int
    after_s: float
    what: str
    which: int
    kill: str = ""  # within the transaction; after it, before all is said; or after that


class World:
    """A desk, its database, and what a broker would have retained and handed on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = WHEN
        self.retained: dict[str, bytes] = {}
        self.heard: list[tuple[str, Alert | None]] = []
        self.journal_heads: list[bytes] = []
        self._seq = [0, 0]
        self._documents: dict[str, Heard] = {}
        self._words_left: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.store = Mortal(self.path)
        self.store.db.execute("PRAGMA synchronous = OFF")
        self.desk = Desk(
            store=self.store, rules=RULES, alerts=ALERTS, inbox=queue.SimpleQueue(), say=self.say,
            clock=lambda: self.at,
        )  # fmt: skip
        self.desk._link(LinkChanged(up=True))

    def say(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        if self._words_left is not None:
            self._words_left -= 1
            if self._words_left < 0:
                raise Killed
        if retain:
            assert qos == 1
            self.retained[topic] = payload
        if "/alert/" in topic:
            self.heard.append((topic, decode(Alert, payload) if payload else None))
        if topic == JOURNAL:
            self.journal_heads.append(payload)
        return True

    def live(self, act: Act, *, mortal: bool) -> None:
        """Let it happen, and end the desk where the act says so; the gate then sends again what was not committed."""
        self.at += timedelta(seconds=act.after_s)
        heard = list(self._said(act))
        kill = act.kill if mortal else ""
        self.store.dying = kill == "within"
        self._words_left = act.which if kill == "between" else None
        try:
            self.desk._work(heard, tick=True)
        except Killed:
            pass
        finally:
            self.store.dying, self._words_left = False, None
        if kill:
            self.store.close()
            self._begin()
            alerts = [
                Heard(topic=topic, payload=payload, retained=True)
                for topic, payload in self.retained.items()
                if payload
            ]
            self.desk._work([*alerts, *self._documents.values(), *heard], tick=True)

    def _said(self, act: Act) -> Iterator[Heard]:
        place = PLACES[act.entrance]
        match act.what:
            case "wrong" | "good" | "hot":
                reasons = {"wrong": ("revoked",), "good": (), "hot": ("temperature_high",)}[act.what]
                for _ in range(1 + act.which % 3):
                    yield self._event(act.entrance, "scan", *reasons, code=f"code{act.which % 2}")
            case "walk":
                outcome = ("passed", "forced", "not_passed")[act.which % 3]
                yield self._passage(act.entrance, outcome)
            case "staffing":
                staffing = ("staffed", "unstaffed")[act.which % 2]
                yield self._document(place, "state", state(staffing=staffing, staffing_since=self.at))
            case "health":
                names = ((), ("fire",), ("camera_lost",), ("tamper", "thermometer_lost"))[act.which % 4]
                faults = tuple(OpenFault(name, self.at, "") for name in names)
                yield self._document(place, "health", Health(faults=faults))
            case "status":
                yield self._document(place, "status", Status(state=("online", "offline")[act.which % 2]))
            case "silence":
                until = self.at + timedelta(seconds=60 * (act.which + 1))
                kind = ("unstaffed_entrance", "", "abnormal_code")[act.which % 3]
                self._person().silence("guard 7", "painting", until, kind=kind, site="expo", at=self.at)
            case _:
                self._alert(act)

    def _alert(self, act: Act) -> None:
        store = self._person()
        chosen = sorted(store.open_alerts(at=self.at).values(), key=lambda alert: (alert.kind, alert.entrance))
        if chosen:
            alert = chosen[act.which % len(chosen)]
            (store.acknowledge if act.what == "ack" else store.resolve)(alert.id, "guard 7", "noted", at=self.at)

    def _person(self) -> Store:
        """Return the store as another program has it; here that need not be another connection."""
        return self.store

    def _event(self, entrance: int, kind: str, *reasons: str, **other: Any) -> Heard:
        self._seq[entrance] += 1
        event = scan(self._seq[entrance], *reasons, at=self.at, **other)
        return Heard(topic=PLACES[entrance].topic(kind), payload=encode(event))

    def _passage(self, entrance: int, outcome: Any) -> Heard:
        self._seq[entrance] += 1
        event = Passage(
            spool="a1b2c3", seq=self._seq[entrance], boot="b0", at=self.at, mono=1.5, clock="synced",
            event_type=outcome,
        )  # fmt: skip
        return Heard(topic=PLACES[entrance].topic("passage"), payload=encode(event))

    def _document(self, place: Place, word: str, message: Message) -> Heard:
        heard = Heard(topic=place.topic(word), payload=encode(message))
        self._documents[heard.topic] = Heard(topic=heard.topic, payload=heard.payload, retained=True)
        return heard

    def open(self) -> dict[Key, Alert]:
        return self.store.open_alerts(at=self.at)

    def meanings(self) -> dict[str, list[Any]]:
        """Return what listeners learned of each alert, one thing after the other, repetitions left out."""
        learned: dict[str, list[Any]] = {}
        for topic, alert in self.heard:
            said = learned.setdefault(topic, [])
            meaning = alert and msgspec.structs.replace(alert, updated=WHEN)
            if not said and meaning is None:
                continue
            if not said or said[-1] != meaning:
                said.append(meaning)
        return learned


def timeless(alerts: Iterable[Alert]) -> list[Alert]:
    """Return them in order, whenever they were last written."""
    return sorted((msgspec.structs.replace(alert, updated=WHEN) for alert in alerts), key=lambda alert: alert.id)


acts = st.builds(
    Act,
    entrance=st.integers(0, 1),
    after_s=st.sampled_from([0.1, 5, 40, 130, 590, 700]),
    what=st.sampled_from(
        ["wrong", "wrong", "good", "hot", "walk", "walk", "staffing", "health", "status", "silence", "ack", "resolve"]
    ),
    which=st.integers(0, 5),
    kill=st.sampled_from(["", "", "within", "between", "after"]),
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("histories") / "fresh.db"
    with Store(path) as store:
        for place in PLACES:
            store.register(place)
        store.db.execute("UPDATE entrances SET registered_at = ?", ["2026-11-24T01:15:02.120Z"])
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@settings(
    max_examples=max(150, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(acts, min_size=1, max_size=14))
def test_a_desk_that_is_killed_anywhere_has_the_same_open_alerts(fresh: Path, history: list[Act]) -> None:
    worlds = []
    for name in ("whole", "killed"):
        path = fresh.with_name(f"{name}.db")
        for each in fresh.parent.glob(f"{name}.db*"):
            each.unlink()
        shutil.copy(fresh, path)
        worlds.append(World(path))
    whole, killed = worlds
    try:
        for act in history:
            for world in worlds:
                with_kills = world is killed
                try:
                    world.live(act, mortal=with_kills)
                except AlertError:
                    raise AssertionError("what is open can be acted on") from None
            assert killed.open() == whole.open()
            assert killed.store.silences(whole.at) == whole.store.silences(whole.at)
            for world in worlds:
                shown = [decode(Alert, said) for topic, said in world.retained.items() if "/alert/" in topic and said]
                assert timeless(shown) == timeless(world.open().values()), "what is retained is what is open"
        learned = killed.meanings()
        for topic, meanings in whole.meanings().items():
            later = iter(learned[topic])
            assert all(each in later for each in meanings), "what is learned is learned in the same order"
        for meanings in learned.values():
            ids = [each.id for each in meanings if each]
            assert ids == sorted(ids), "what was taken back does not return"
        assert [entry[1:4] for entry in killed.store.journal()] == [entry[1:4] for entry in whole.store.journal()]
        assert killed.retained.get(JOURNAL) == encode(killed.store.journal_head())
    finally:
        for world in worlds:
            world.store.close()
