"""A desk that can be killed anywhere: its database, what a broker would have retained, and gates that send again.

Of two such worlds that live through the same acts one is never killed; what differs between them was lost.
"""

from __future__ import annotations

import math
import queue
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import strategies as st

from controller.alerts import Changes, Key
from controller.attempts import sort
from controller.config import AlertsSection, Capacity, PeopleSection, RulesSection
from controller.database import stamp
from controller.desk import Desk, Told
from controller.journal import TOPIC as JOURNAL
from controller.ledger import Noted
from controller.store import Store
from controller.turns import Turns
from device.wire.link import Heard, LinkChanged
from device.wire.messages import (
    OLDEST,
    SEQ,
    SPOOL,
    Alert,
    Applied,
    Event,
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

PLACES: Final = (PLACE, Place("expo", "south"), Place("fair", "west"))  # nobody registered the last
RULES: Final = RulesSection(unused_grants=2, scan_rate_passages=3, repeated_tries=3, drift_grace_s=60)
ALERTS: Final = AlertsSection(update_s=0, again_s=600)
PEOPLE: Final = PeopleSection(capacity=(Capacity(site="expo", people=1),))
BOOTED: Final = WHEN - timedelta(days=9)  # every gate's machine
FAULTS: Final = (
    (), ("fire",), ("camera_lost",), ("tamper", "thermometer_lost"), ("stale_trust", "held_open"),
    ("poster_unreadable", "poster_foreign"),
)  # fmt: skip
WALKS: Final = (
    ("passed", "in"), ("passed", "in"), ("forced", "in"), ("tailgated", "out"), ("not_passed", "unknown"),
    ("passed", "out"),
)  # fmt: skip
STATUSES: Final = (
    Status(state="online"),
    Status(state="offline", reason="lost"),
    Status(state="offline", reason="stopped"),
)


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
    after_s: float  # below 0: the controller's clock is set back
    what: str
    which: int
    # within the transaction; after it, before all is said; after that; or likewise, and it is back when more happens
    kill: str = ""
    tick: bool = True  # the batch is worked off with the second's look at everything, or behind it


class World:
    """A desk, its database, and what a broker would have retained and handed on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = WHEN
        self.retained: dict[str, bytes] = {}
        self.heard: list[tuple[str, Alert | None]] = []
        self.journal_heads: list[bytes] = []
        self.kills = 0
        self._away = False  # the mortal one is; the other looks at everything when that one comes back
        self._noted: dict[tuple[str, Place], Noted] = {}
        self._seq = [0] * len(PLACES)
        self._spools = ["a1b2c3", "d4e5f6", "a7b8c9"]
        self._events: list[Heard] = []  # as their gates may send them again
        self._documents: dict[str, Heard] = {}
        self._words_left: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.store = Mortal(self.path)
        self.store.db.execute("PRAGMA synchronous = OFF")
        self.inbox: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self.desk: Desk | None = Desk(
            store=self.store, rules=RULES, alerts=ALERTS, inbox=self.inbox, say=self.say, people=PEOPLE,
            clock=lambda: self.at, turns=Turns(batch_s=math.inf),
        )  # fmt: skip
        self._told = sort([])
        self._tell_attempts()
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
        back, self._away = self._away, act.kill == "away"
        if self.desk is None:
            self._begin()
            again = self._left()
        else:
            again = []
        heard = list(self._said(act))
        self._tell_attempts()
        if not (act.tick or act.kill or back):
            self._work([], tick=True)
        kill = act.kill if mortal else ""
        self.store.dying = kill == "within"
        self._words_left = act.which if kill == "between" else None
        try:
            self._work([*again, *heard], tick=act.tick or bool(act.kill) or back)
        except Killed:
            pass
        finally:
            self.store.dying, self._words_left = False, None
        if kill:
            self.close()
        if kill and kill != "away":
            self._begin()
            unsure = heard if kill == "within" else [each for each in heard if each in self._events]
            self._work([*self._left(), *unsure], tick=True)

    def _work(self, heard: Sequence[Heard], *, tick: bool) -> None:
        """Hand it to the desk as its link would."""
        assert self.desk
        for each in heard:
            self.inbox.put(each)
        if not self.inbox.empty():
            self.desk._take()
        self.desk._work(self.desk._turns.take(), tick=tick)
        assert not self.desk._turns

    def rest(self) -> None:
        """Let a second pass in which nothing comes."""
        if self.desk is None:
            self._begin()
            self._work(self._left(), tick=True)
        self._work([], tick=True)

    def close(self) -> None:
        """End the desk, if it lives."""
        if self.desk:
            self.desk = None
            self.store.close()
            self.kills += 1

    def _left(self) -> list[Heard]:
        """Return what a broker hands to whoever comes."""
        alerts = [Heard(topic=topic, payload=said, retained=True) for topic, said in self.retained.items() if said]
        return [*alerts, *self._documents.values()]

    def _tell_attempts(self) -> None:
        """Tell what the broker refused lately, as the porter does before all else and whenever it changes."""
        lately = (self.at - timedelta(seconds=RULES.refused_hold_s)).timestamp()
        told = sort(each for each in self._noted.values() if each.last_at >= lately)
        if told != self._told:
            self._told = told
            self.inbox.put(told)

    # What happens

    def _said(self, act: Act) -> Iterator[Heard]:
        yield from self._events_of(act)
        yield from self._documents_of(act)
        if act.what == "refused":
            self._refused(("publish", "twice")[act.which % 2], PLACES[act.entrance], 1 + 3 * (act.which // 2))
        self._by_hand(act)

    def _events_of(self, act: Act) -> Iterator[Heard]:
        entrance, which = act.entrance, act.which
        code = f"{which % 2:02d}ff"
        match act.what:
            case "wrong" | "good" | "hot":
                reasons = {"wrong": ("revoked",), "good": (), "hot": ("temperature_high",)}[act.what]
                yield from (self._scan(entrance, *reasons, code=code) for _ in range(1 + which % 3))
            case "late":  # from a spell offline; as the clock was, or before it was ever set
                ago_s, clock = (20, 400, 700)[which % 3], ("synced", "unset")[which // 3]
                yield self._scan(entrance, "revoked", code="00ff", ago_s=ago_s, clock=clock)
            case "pass":
                way = ("in", "in", "out")[which % 3]
                yield self._scan(entrance, code=code, direction=way, uses=which // 4, ago_s=(0, 300)[which % 2])
            case "walk":
                yield self._walk(entrance, *WALKS[which])
            case "again":
                mine = PLACES[entrance].topic("")
                yield from [each for each in self._events if each.topic.startswith(mine)][-3:]
            case "gap":  # the gate lost what it had not sent
                self._seq[entrance] += 2
                yield self._scan(entrance, "invalid", oldest=self._seq[entrance] + 1)
            case "spool":
                self._seq[entrance], self._spools[entrance] = 0, f"{self._spools[entrance][:5]}{which}"
            case "foreign":
                yield self._foreign(entrance, which)

    def _documents_of(self, act: Act) -> Iterator[Heard]:
        place, which = PLACES[act.entrance], act.which
        match act.what:
            case "staffing":
                staffing = ("staffed", "unstaffed", "grace")[which % 3]
                crowded = self.at if which > 2 else None
                yield self._document(
                    place, "state", state(staffing=staffing, staffing_since=self.at, crowded_since=crowded, waiting=9)
                )
            case "clock":
                yield self._document(place, "state", state(clock=("unset", "synced")[which % 2]))
            case "health":
                faults = tuple(OpenFault(name, self.at, "") for name in FAULTS[which])
                yield self._document(place, "health", Health(faults=faults))
            case "status":
                yield self._document(place, "status", STATUSES[which % 3])
            case "applied":
                applied = Applied(version=self.store.version() - which % 2, at=self.at, problem="full" * (which % 2))
                yield self._document(place, "policy/applied", applied)

    def _by_hand(self, act: Act) -> None:
        """Change what other programs change."""
        store, which = self.store, act.which
        in_force = store.silences(self.at)
        chosen = sorted(store.open_alerts(at=self.at).values(), key=lambda each: (each.kind, each.site, each.entrance))
        match act.what:
            case "policy":
                store.list_code(f"{store.version() + which:032x}")
                store.db.execute(
                    "UPDATE policies SET version = 1 + (SELECT count(*) FROM listed_codes), changed_at = ?",
                    (stamp(self.at),),
                )
                store.db.execute("UPDATE listed_codes SET listed_at = ?", (stamp(self.at),))
                store.db.commit()
            case "silence":
                until = self.at + timedelta(seconds=60 * (which + 1))
                kind = ("unstaffed_entrance", "", "abnormal_code")[which % 3]
                store.silence("guard 7", "painting", until, kind=kind, site="expo", at=self.at)
            case "unsilence" if in_force:
                store.end_silence(in_force[which % len(in_force)]["id"], "guard 7", at=self.at)
            case "ack" | "resolve" if chosen:
                alert = chosen[which % len(chosen)]
                (store.acknowledge if act.what == "ack" else store.resolve)(alert.id, "guard 7", "noted", at=self.at)

    def _refused(self, kind: str, place: Place, times: int) -> None:
        at = int(self.at.timestamp())
        before = self._noted.get((kind, place), Noted(kind, ".".join([*place, "7k3m9"]), "", at, at, 0))
        self._noted[kind, place] = before._replace(last_at=at, times=before.times + times)

    def _foreign(self, entrance: int, which: int) -> Heard:
        if which % 2:
            return Heard(topic=PLACES[entrance].topic("nonsense"), payload=b"{}")
        self._seq[entrance] += 1
        headers = {SPOOL: self._spools[entrance], SEQ: str(self._seq[entrance]), OLDEST: "1"}
        return self._sent(Heard(topic=PLACES[entrance].topic("scan"), payload=b"[]", headers=headers))

    def _scan(self, entrance: int, *reasons: str, **other: Any) -> Heard:
        return self._event(entrance, "scan", lambda **every: scan(every.pop("seq"), *reasons, **every), **other)

    def _walk(self, entrance: int, outcome: str, way: str) -> Heard:
        grant = self._seq[entrance] or None if outcome == "not_passed" else None
        return self._event(entrance, "passage", Passage, event_type=outcome, direction=way, scan=grant)

    def _event(
        self, entrance: int, kind: str, make: Callable[..., Event], *, ago_s: float = 0, oldest: int = 1, **other: Any
    ) -> Heard:
        self._seq[entrance] += 1
        at = self.at - timedelta(seconds=ago_s)
        clock = other.pop("clock", "synced")
        said = datetime(1970, 1, 1, tzinfo=UTC) if clock == "unset" else at
        event = make(
            spool=self._spools[entrance], seq=self._seq[entrance], boot=f"b{entrance}", clock=clock, at=said,
            mono=(at - BOOTED).total_seconds(), **other,
        )  # fmt: skip
        headers = {OLDEST: str(oldest)}
        return self._sent(Heard(topic=PLACES[entrance].topic(kind), payload=encode(event), headers=headers))

    def _sent(self, heard: Heard) -> Heard:
        self._events.append(heard)
        return heard

    def _document(self, place: Place, word: str, message: Message) -> Heard:
        heard = Heard(topic=place.topic(word), payload=encode(message))
        self._documents[heard.topic] = Heard(topic=heard.topic, payload=heard.payload, retained=True)
        return heard

    # What came of it

    def open(self) -> dict[Key, Alert]:
        return self.store.open_alerts(at=self.at)

    def shown(self) -> list[Alert]:
        """Return the alerts that are on the broker."""
        return [decode(Alert, said) for topic, said in self.retained.items() if "/alert/" in topic and said]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that is in the database."""
        tables = [table for table in self.store.db.table_names() if not table.startswith(("_", "sqlite_"))]
        return {table: self.store.db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608

    def kinds(self) -> list[str]:
        """Return the kinds of all alerts that ever were."""
        return [kind for (kind,) in self.store.db.execute("SELECT kind FROM alerts")]

    def meanings(self) -> dict[str, list[Any]]:
        """Return what listeners learned of each alert, one thing after the other, repetitions left out."""
        learned: dict[str, list[Any]] = defaultdict(list)
        for topic, alert in self.heard:
            said = learned[topic]
            meaning = alert and msgspec.structs.replace(alert, updated=WHEN)
            if (said or meaning is not None) and (not said or said[-1] != meaning):
                said.append(meaning)
        return learned


def timeless(alerts: Iterable[Alert]) -> list[Alert]:
    """Return them in order, whenever they were last written."""
    return sorted((msgspec.structs.replace(alert, updated=WHEN) for alert in alerts), key=lambda alert: alert.id)


ACTS: Final = st.builds(
    Act,
    entrance=st.sampled_from([0, 0, 1, 1, 2]),
    after_s=st.sampled_from([0.1, 0.1, 5, 5, 40, 130, 590, 700, 4000, 90_000, -30, -650, -90_000]),
    what=st.sampled_from(
        [
            "wrong", "wrong", "late", "good", "hot", "pass", "pass", "walk", "walk", "again", "gap", "spool", "foreign",
            "staffing", "clock", "health", "status", "applied", "refused",
            "policy", "silence", "unsilence", "ack", "resolve", "resolve", "nothing",
        ]
    ),
    which=st.integers(0, 5),
    kill=st.sampled_from(["", "", "", "within", "between", "after", "away"]),
    tick=st.booleans(),
)  # fmt: skip
