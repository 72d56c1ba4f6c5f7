"""Histories of commands on their way to a gate, drawn at random, and what must hold in each whatever happens.

The network holds back, keeps, doubles, misdirects and invents; the gate is restarted and its clock is set. A machine
whose clock is synced is at most a second wrong here, so that two of them differ by what `device.commands` allows.
"""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeAlias

from hypothesis import strategies as st

from device.commands import PACE_S, REMEMBERED, SKEW_S, WARY_S
from device.wire.messages import COMMAND_S, MAX_PAYLOAD, ClockState, Command, Place, encode

HERE: Final = Place("expo", "north")
ALLOWED: Final = ("open", "identify")
NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)  # when the true time is 0
YEAR_S: Final = 365 * 86400.0
BELIEVED: Final = {"open": {"synced"}, "identify": {"synced", "holdover"}}
SHORT: Final = st.sampled_from([0.0, 0.2, 1.0, 4.0, 9.0, 11.0, 13.0])


class Send(NamedTuple):
    """Somebody says a command, and the network hands it on after a while, so many times."""

    verb: str = "open"
    to: str = str(HERE)
    life_s: float = COMMAND_S
    sender_ahead: float = 0.0
    delay_s: float = 0.2
    copies: int = 1
    retained: bool = False
    here: bool = True


class Again(NamedTuple):
    """The network hands on once more what was said some time ago."""

    which: int
    retained: bool = False


class Garbage(NamedTuple):
    """Something comes that is no command."""

    payload: bytes


class Wait(NamedTuple):
    """Time goes by."""

    seconds: float


class Restart(NamedTuple):
    """The gate's program starts again."""


class ClockIs(NamedTuple):
    """The gate's clock becomes this one."""

    state: ClockState
    ahead: float


class Flood(NamedTuple):
    """More commands come than a gate remembers, none of them good."""


Act: TypeAlias = Send | Again | Garbage | Wait | Restart | ClockIs | Flood


class Gate(Protocol):
    """A gate at work, its clocks in our hand. `now` is its monotonic time."""

    now: float
    ahead: float
    state: ClockState

    def deliver(self, verb: str, payload: bytes, *, here: bool, retained: bool) -> bool:
        """Hand it a message; True when it did what the verb says."""

    def restart(self) -> None:
        """Begin anew."""


def clocks() -> st.SearchStrategy[ClockIs]:
    """Draw a clock: synced ones are right, others may be anything."""
    wild = st.sampled_from([-3600.0, -30.0, -9.0, 0.0, 9.0, 30.0, 400 * 86400.0, -400 * 86400.0])
    return st.one_of(
        st.builds(ClockIs, st.just("synced"), st.sampled_from([-1.0, 0.0, 1.0])),
        st.builds(ClockIs, st.sampled_from(["holdover", "unset"]), wild),
    )


def bombs() -> st.SearchStrategy[bytes]:
    """Draw what breaks parsers, or a command with something wrong in it."""
    good = encode(command("f" * 16, 10.0))
    return st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b"null",
                b"[" * 4296,
                b"{" * (MAX_PAYLOAD - 1),
                b'{"a":' * 3000,
                b"9" * 15000,
                b"x" * (MAX_PAYLOAD + 1),
                good + b" " * MAX_PAYLOAD,
                good.replace(b'"v":1', b'"v":2'),
                good.replace(b"}", b',"direction":"out"}'),
                good.replace(b"f" * 16, b"f" * 65),
                good.replace(b"f" * 16, b"../../cmd/open"),
                good.replace(b"guard 7", b"\\u001b[2J"),
                good.replace(b"guard 7", b"\\ud800"),
                good.replace(b"+00:00", b"").replace(b"Z", b""),
                good.replace(b"2026", b"NaN"),
            ]
        ),
    )


def histories() -> st.SearchStrategy[list[Act]]:
    """Draw what happens to one gate, in order."""
    send = st.builds(
        Send,
        verb=st.sampled_from(["open", "open", "open", "identify", "shut", "opEn", "a" * 40]),
        to=st.sampled_from([str(HERE), str(HERE), str(HERE), "expo/south", "north", "expo/north/"]),
        life_s=st.sampled_from([COMMAND_S, COMMAND_S, 1.0, 0.0, -5.0, 20.0, 60.0, YEAR_S]),
        sender_ahead=st.sampled_from([0.0, 0.0, 1.0, -1.0]),
        delay_s=SHORT,
        copies=st.integers(1, 3),
        retained=st.integers(0, 4).map(lambda drawn: drawn == 0),
        here=st.integers(0, 6).map(lambda drawn: drawn > 0),
    )
    plain = st.tuples(st.sampled_from(ALLOWED), SHORT, st.integers(1, 2)).map(
        lambda drawn: Send(drawn[0], delay_s=drawn[1], copies=drawn[2])
    )
    return st.lists(
        st.one_of(
            plain,
            send,
            st.builds(Again, st.integers(0, 20), st.booleans()),
            st.builds(Wait, st.one_of(SHORT, st.sampled_from([15.0, 100.0, YEAR_S - 15.0]))),
            st.builds(Garbage, bombs()),
            clocks(),
            st.just(Restart()),
            st.integers(0, 9).map(lambda drawn: Wait(20.0) if drawn else Flood()),
        ),
        min_size=8,
        max_size=40,
    )


def command(mark: str, expires: float, to: str = str(HERE)) -> Command:
    """Return a command that expires at a true time."""
    return Command(id=mark, to=to, by="guard 7", expires_at=NOON + timedelta(seconds=expires))


class Said(NamedTuple):
    """A command on the network."""

    send: Send
    mark: str
    expires: float
    payload: bytes


class Life:
    """One gate lives through a history; what must not happen fails. `tally` counts what did."""

    def __init__(self, gate: Gate, tally: Counter[str]) -> None:
        self._gate = gate
        self._tally = tally
        self._marks = (f"{number:016x}" for number in itertools.count())
        self._said: list[Said] = []
        self._obeyed: Counter[str] = Counter()
        self._answered: set[str] = set()  # ids that were handed to the gate since it started
        self._began = self._obeyed_at = gate.now
        self._last = self._forgotten = -YEAR_S  # when the last obeyed one expires, now and before the last flood
        gate.state, gate.ahead = "synced", 0.0

    def live(self, acts: list[Act]) -> None:
        """Do all of it."""
        self._gate.now += WARY_S
        for act in acts:
            self._do(act)
        self._tally["histories"] += 1

    def _do(self, act: Act) -> None:
        match act:
            case Wait(seconds):
                self._gate.now += seconds
            case ClockIs(state, ahead):
                self._gate.state, self._gate.ahead = state, ahead
            case Restart():
                self._gate.restart()
                self._began = self._obeyed_at = self._gate.now
                self._answered.clear()
            case Garbage(payload):
                for verb in ALLOWED:
                    assert not self._gate.deliver(verb, payload, here=True, retained=False)
            case Flood():
                self._flood()
            case Again(which, retained) if self._said:
                self._hand_on(self._said[which % len(self._said)], retained=retained)
            case Send():
                self._send(act)

    def _flood(self) -> None:
        for _ in range(REMEMBERED + 1):
            late = encode(command(next(self._marks), self._gate.now - 99 * YEAR_S))
            assert not self._gate.deliver("open", late, here=True, retained=False)
        self._answered &= self._obeyed.keys()  # the rest it has forgotten
        self._forgotten = self._last

    def _send(self, send: Send) -> None:
        mark, expires = next(self._marks), self._gate.now + send.sender_ahead + send.life_s
        said = Said(send, mark, expires, encode(command(mark, expires, send.to)))
        self._said.append(said)
        self._gate.now += send.delay_s
        for _ in range(send.copies):
            self._hand_on(said, retained=send.retained)

    def _hand_on(self, said: Said, *, retained: bool) -> None:
        must = self._must(said, retained=retained)
        did = self._gate.deliver(said.send.verb, said.payload, here=said.send.here, retained=retained)
        assert did or not must, f"{said} is good and was refused"
        if did:
            self._check(said, retained=retained)
            self._obeyed_at = self._gate.now
            self._last = max(self._last, said.expires)
        self._tally["obeyed" if did else "refused"] += 1
        self._answered.add(said.mark)

    def _check(self, said: Said, *, retained: bool) -> None:
        """Hold what was done against what may be done."""
        send, late_s = said.send, self._gate.now - said.expires
        self._obeyed[said.mark] += 1
        assert not retained
        assert send.here
        assert send.to == str(HERE)
        assert send.verb in ALLOWED
        assert self._gate.now - self._obeyed_at >= 1, "two were obeyed at once"
        assert self._gate.state in BELIEVED[send.verb]
        if self._gate.state == "synced":
            assert late_s < 2, "a late one was obeyed"
            assert -late_s <= 14, "one that waits was obeyed"
        if send.verb == "open":
            assert self._obeyed[said.mark] == 1, "it was obeyed twice"
        assert said.mark not in self._answered, "it was answered before"

    def _must(self, said: Said, *, retained: bool) -> bool:
        """Tell whether nothing at all speaks against it: a gate that refuses everything is safe, and useless."""
        send, gate = said.send, self._gate
        return (
            not retained
            and send.here
            and send.to == str(HERE)
            and send.verb in ALLOWED
            and gate.state == "synced"
            and said.mark not in self._answered
            and SKEW_S < said.expires - gate.now <= COMMAND_S
            and said.expires > self._forgotten
            and gate.now - self._began >= WARY_S
            and gate.now - self._obeyed_at >= PACE_S
        )
