"""One batch on its way into the store: which events are next in their spool, what documents say, what is foreign."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from controller.config import PeopleSection, RulesSection
from controller.courses import counts, slot, unscanned
from controller.database import stamp
from controller.digest import is_digest
from controller.flow import Move, way
from controller.journal import TOPIC as JOURNAL
from controller.quarantine import Quarantine
from controller.rules import reason_of
from controller.rules.course import Course, Tries
from controller.store import EventRow, Spool, Spot, Store
from device.wire.link import Heard
from device.wire.messages import (
    COMMAND,
    EVENTS,
    OLDEST,
    REPLY,
    SEQ,
    SPOOL,
    Applied,
    Elsewhere,
    Event,
    Health,
    Info,
    Kind,
    Message,
    MessageError,
    Passage,
    Place,
    Scan,
    State,
    Status,
    decode,
    parse_topic,
)
from device.wire.plain import harmless

log = logging.getLogger(__name__)

# word: (its message, the column that keeps it)
DOCUMENTS: Final[dict[str, tuple[type[Message], str]]] = {
    "state": (State, "state"),
    "health": (Health, "health"),
    "info": (Info, "info"),
    "policy/applied": (Applied, "policy"),
}
OURS: Final = frozenset({"ack", "policy/desired", "seen", "occupancy"})  # words the controller says itself
ALERT: Final = "alert/"
LARGEST_SEQ: Final = 2**53  # the largest whole number every JSON reader agrees on
YEARS: Final = range(1969, 3000)  # a clock that was never set says 1970; outside of these it is no time at all
LONGEST_AGE_S: Final = 1e9  # of an event; a gate can say anything
LONGEST_REASON: Final = 40  # characters of why a gate is offline


PEOPLE: Final = PeopleSection()


@dataclass
class Progress:
    """How far one spool comes in this batch. Go-back-N's receiving end: in order, or not at all."""

    id: int
    committed: int
    lost: int
    moved: bool = False
    missing: bool = False

    def take(self, seq: int, oldest: int) -> bool:
        """Tell whether this event is the next; what its gate no longer holds can never come, and is not waited for."""
        if oldest > self.committed + 1:
            self.lost += oldest - 1 - self.committed
            self.committed = oldest - 1
            self.moved = True
        if seq == self.committed + 1:
            self.committed = seq
            self.moved = True
            return True
        self.missing = self.missing or seq > self.committed
        return False


class Intake:
    """Made for one batch, inside one transaction. `touched` are the entrances that something was heard of."""

    def __init__(
        self,
        store: Store,
        quarantine: Quarantine,
        *,
        rules: RulesSection,
        at: datetime,
        tries: Tries | None = None,
        people: PeopleSection = PEOPLE,
    ) -> None:
        self.touched: set[int] = set()
        self.told: set[int] = set()  # entrances whose status was heard
        self.greeted: set[Place] = set()  # entrances whose gate came online
        self.spools: dict[tuple[Place, str], Progress] = {}
        self.alerts: list[tuple[Place, str]] = []  # place and kind of alerts that are on the broker
        self.elsewhere: list[tuple[Place, Elsewhere]] = []  # where somebody was let through, for the site's other gates
        self._store = store
        self._people = people
        self._quarantine = quarantine
        self._rules = rules
        self._tries = Tries() if tries is None else tries
        self._passback = timedelta(seconds=rules.passback_s)
        self._scans: list[tuple[Place, int, Scan, datetime]] = []  # that were noted as passings
        self._at = at
        self._received = stamp(at)
        self._entrances: dict[Place, int] = {}
        self._heard: set[int] = set()
        self._courses: dict[int, Course] = {}
        self._walks: Counter[tuple[int, int]] = Counter()
        self._unscanned: Counter[tuple[int, int]] = Counter()
        self._moves: list[Move] = []
        self._boots: set[tuple[int, str]] = set()
        self._rows: list[EventRow] = []

    def hear(self, heard: Heard) -> None:
        """Take one message in; a foreign one goes to quarantine and stops nobody."""
        try:
            self._hear(heard)
        except MessageError as error:
            self._quarantine.put(heard, str(error), self._at)
            self._foreign(heard.topic, harmless(str(error)))

    def refuse(self, gate: str, times: int) -> None:
        """Count what was not let in of a gate, by what its topics begin with."""
        try:
            place, _ = parse_topic(f"{gate}/")
        except MessageError:
            return
        entrance = self._store.entrance(place)
        self.touched.add(entrance)
        self._course(place, entrance).go_on("flood", "", self._at, self._at, times)

    def keep(self) -> None:
        """Write what was gathered."""
        self._store.keep(self._rows, [Spool(each.id, each.committed, each.lost) for each in self.spools.values()])
        # Only now, since a way out or a grant that nobody used may have come behind a way in.
        for place, entrance, scan, at in self._scans:
            if other := self._store.conflict(place, scan, at, self._passback):
                self._course(place, entrance).go_on("conflict", other, self._at, self._at)  # however late it is found
        self._store.moved(self._moves)
        self._store.keep_runs(
            {
                (entrance, name): course.runs.get(name)
                for entrance, course in self._courses.items()
                for name in course.changed
            }
        )
        if self._walks:
            self._store.walk({key: (each, self._unscanned[key]) for key, each in self._walks.items()}, self._at)

    def _hear(self, heard: Heard) -> None:
        if heard.topic == JOURNAL or is_digest(heard.topic):
            return
        place, word = parse_topic(heard.topic)
        if word in OURS or word.startswith((COMMAND, REPLY)):  # what became of a command comes as an event as well
            return
        if word.startswith(ALERT):
            if heard.payload:
                self.alerts.append((place, word.removeprefix(ALERT)))
        elif word in EVENTS:
            self._event(place, word, heard)
        elif not heard.payload:
            log.debug("%s: %s was taken back", place, word)
        elif word == "status":
            self._status(place, heard)
        elif word in DOCUMENTS:
            self._document(place, *DOCUMENTS[word], heard)
        else:
            self._strange(place, heard)

    def _strange(self, place: Place, heard: Heard) -> None:
        """Refuse a word that no gate says. Where a newer gate has such events, what is behind one must come."""
        if SPOOL not in heard.headers or self._pass_over(place, self._entrance(place, heard), heard.headers):
            raise MessageError("no gate says this word")

    def _event(self, place: Place, kind: Kind, heard: Heard) -> None:
        if heard.retained:
            raise MessageError("an event must not be retained")
        entrance = self._entrance(place, heard)
        try:
            event = decode(EVENTS[kind], heard.payload)
            oldest = _oldest(heard.headers, event.seq)
            at = stamp(_checked(event.at))
        except MessageError:
            if not self._pass_over(place, entrance, heard.headers):
                return
            raise
        progress = self._progress(place, entrance, event.spool)
        lost = progress.lost
        taken = progress.take(event.seq, oldest)
        if progress.lost > lost:
            log.warning("%s: %d events of spool %s can never come", place, progress.lost - lost, harmless(event.spool))
        if not taken:
            return
        payload = msgspec.json.encode(event).decode()
        self._rows.append(
            EventRow(
                progress.id, event.seq, entrance, kind, event.event_type, at, self._received, event.boot, event.mono,
                event.clock, payload,
            )
        )  # fmt: skip
        if event.clock == "synced" and (entrance, event.boot) not in self._boots:
            self._boots.add((entrance, event.boot))
            self._store.boot(entrance, event.boot, event.at.timestamp() - event.mono, Spot(progress.id, event.seq))
        began = self._store.began(entrance, event.boot) if event.clock == "unset" else None
        when = happened(event, self._at, began)
        self._course(place, entrance).take(event, when, self._at)
        match event:
            case Scan():
                self._scan(place, entrance, event, when)
            case Passage():
                self._passage(place, entrance, event, when)

    def _scan(self, place: Place, entrance: int, scan: Scan, at: datetime) -> None:
        if reason_of(scan) is None and (told := self._store.passing(place, scan, at)):
            self._scans.append((place, entrance, scan, at))
            self.elsewhere.append((place, told))

    def _passage(self, place: Place, entrance: int, passage: Passage, at: datetime) -> None:
        if counts(passage, at, self._at):
            self._walks[entrance, slot(at)] += 1
            self._unscanned[entrance, slot(at)] += bool(unscanned(passage))
        if told := self._store.unused(place, passage):
            self.elsewhere.append((place, told))
        if change := way(passage):
            self._moves.append(Move(place.site, change, self._people.day(at)))

    def _pass_over(self, place: Place, entrance: int, headers: Mapping[str, str]) -> bool:
        """Count an event that nobody can read as lost, or its gate would send it, and nothing behind it, for ever.

        False: it is none to complain of now, since like any other event it came again, or before its turn.
        """
        spool, seq = headers.get(SPOOL, ""), headers.get(SEQ, "")
        if not (spool and seq.isdecimal() and len(seq) <= len(str(LARGEST_SEQ))):
            return True
        progress = self._progress(place, entrance, spool)
        taken = progress.take(int(seq), _oldest(headers, int(seq)))
        progress.lost += taken
        return taken

    def _status(self, place: Place, heard: Heard) -> None:
        status = decode(Status, heard.payload)
        online = status.state == "online"
        entrance = self._entrance(place, heard, speaks=online)
        self._store.online(entrance, online=online, reason=status.reason[:LONGEST_REASON], at=self._at)
        self.told.add(entrance)
        if online:
            self.greeted.add(place)

    def _document(self, place: Place, message: type[Message], column: str, heard: Heard) -> None:
        document = decode(message, heard.payload)
        entrance = self._entrance(place, heard)
        if isinstance(document, State):
            _checked(document.staffing_since)
            _checked(document.crowded_since or document.at)
            self._store.clock(entrance, unsure=document.clock == "unset", at=self._at)
        if isinstance(document, Health):
            for fault in document.faults:
                _checked(fault.since)
        self._store.document(entrance, column, document)

    def _entrance(self, place: Place, heard: Heard, *, speaks: bool = False) -> int:
        """Return the id of an entrance. What it left behind on the broker is no sign that it is still there."""
        if place not in self._entrances:
            self._entrances[place] = self._store.entrance(place)
        entrance = self._entrances[place]
        if (speaks or not heard.retained) and entrance not in self._heard:
            self._store.heard(entrance, self._at)
            self._heard.add(entrance)
        self.touched.add(entrance)
        return entrance

    def _progress(self, place: Place, entrance: int, spool: str) -> Progress:
        if (place, spool) not in self.spools:
            self.spools[place, spool] = Progress(*self._store.spool(entrance, spool, self._at))
        return self.spools[place, spool]

    def _foreign(self, topic: str, reason: str) -> None:
        """Let it be known where a message came from that nobody can read, as far as its topic says."""
        try:
            place, _ = parse_topic(topic)
        except MessageError:
            return
        entrance = self._store.entrance(place)
        self.touched.add(entrance)
        self._course(place, entrance).go_on("quarantined", reason, self._at, self._at)

    def _course(self, place: Place, entrance: int) -> Course:
        if entrance not in self._courses:
            runs = self._store.runs([entrance]).get(entrance, {})
            self._courses[entrance] = Course(place.site, runs, self._rules, self._tries)
        return self._courses[entrance]


def happened(event: Event, received: datetime, began: float | None) -> datetime:
    """Return when an event happened, and never after it came in: by its gate's clock where that was believed.

    Where it was not, by the monotonic clock since `began`, in seconds since 1970; without either, it came just now.
    """
    if event.clock != "unset":
        return min(event.at, received)
    age_s = 0.0 if began is None else received.timestamp() - began - event.mono
    return received - timedelta(seconds=min(max(0.0, age_s), LONGEST_AGE_S))


def _oldest(headers: Mapping[str, str], seq: int) -> int:
    """Return the lowest seq the gate still holds; without a word of it, nothing is given up."""
    try:
        oldest = int(headers.get(OLDEST, "1"))
    except ValueError as error:
        raise MessageError(f"the property {OLDEST} is no number") from error
    if not 1 <= oldest <= seq <= LARGEST_SEQ:
        raise MessageError(f"not 1 <= {OLDEST} <= seq <= 2**53")
    return oldest


def _checked(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment.year not in YEARS:
        raise MessageError("a time without its zone, or far outside of ours")
    return moment
