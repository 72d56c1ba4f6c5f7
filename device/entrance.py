"""The straight path: what the parts say, in order -> verdict, passage, duty -> the spool -> lamp, buzzer, turnstile.

One thread owns it and takes from one inbox; every other thread and process only puts. `take` is the path of one
message and `look` is what time alone brings about; neither waits for a network.
"""

from __future__ import annotations

import logging
import math
import queue
from collections.abc import Callable
from typing import Final

from device.admission import Admission, Judged
from device.clock import DOUBTS, Clock
from device.codes.trust import keyed_hash
from device.config import Config
from device.courier import Acked
from device.credentials import Credentials, Presented
from device.entries import Asked, Entries
from device.flow import Flow
from device.inquiry import Answered, Inquiry
from device.memory import Memory
from device.passage import Went
from device.policy import Policy
from device.post import Post
from device.probe import Measured, Unmeasured
from device.record import Record
from device.remote import Remote
from device.renewal import CertificateEnds
from device.shown import ScreenChanged, Shown, nobody
from device.sight import Counted, EyeFault, Guidance, InView, Seen
from device.standing import Counts, Standing
from device.surroundings import Surroundings
from device.verdict import decide, judge
from device.warmth import Warmth
from device.way import Way
from device.wire import card, messages
from device.wire.link import Heard, LinkChanged, LinkDied
from device.wire.messages import Place
from device.wire.systemd import Systemd
from device.wire.words import Language
from hardware.parts import (
    BeamChanged,
    Board,
    DoorChanged,
    FireChanged,
    GuardianChanged,
    PartSaid,
    PresenceChanged,
    Pressed,
    Released,
    TamperChanged,
    TurnstilePassed,
)

log = logging.getLogger(__name__)

Said = (
    Seen | EyeFault | Guidance | Counted | InView | ScreenChanged | Measured | Unmeasured | PartSaid
    | Heard | LinkChanged | LinkDied | Acked | Answered | CertificateEnds
)  # fmt: skip

TICK_S: Final = 0.25


class Stop(Exception):  # noqa: N818
    """The gate is to end; the text says why, and is empty when it was asked to."""


class Entrance:
    """One entrance at work."""

    def __init__(
        self,
        *,
        config: Config,
        inbox: queue.SimpleQueue[Said | None],
        board: Board,
        record: Record,
        policy: Policy,
        memory: Memory,
        clock: Clock,
        info: messages.Info,
        watch: Callable[[], str] = lambda: "",
        inquiry: Inquiry | None = None,
        show: Callable[[Shown], None] = nobody,
    ) -> None:
        self._inbox = inbox
        self.place = Place(config.gate.site, config.gate.entrance)
        self._config = config
        self.board = board
        self._record = record
        self._policy = policy
        self._clock = clock
        self._watch = watch
        self._credentials = Credentials(
            place=self.place, rules=config.rules, policy=policy, record=record, clock=clock, inquiry=inquiry
        )
        self._systemd = Systemd()
        now = clock.mono()
        self._warmth = Warmth(config.thermometer, record)
        self._entries = Entries(config, record, memory, clock)
        self._flow = Flow(config, record, self._went)
        self._surroundings = Surroundings(config, record, self._credentials.look_at, now)
        self._way = Way(lambda: self.board, record, answer_s=config.rules.answer_s, show=show)
        self._post = Post(config, record=record, policy=policy, clock=clock, way=self._way)
        self._standing = Standing(
            record=record,
            policy=policy,
            clock=clock,
            duty=self._post.duty,
            surroundings=self._surroundings,
            info=info,
        )
        self._admission = Admission(
            config.rules,
            record=record,
            clock=clock,
            way=self._way,
            post=self._post,
            entries=self._entries,
            flow=self._flow,
        )
        self._remote = Remote(
            place=self.place,
            allow=config.commands.allow,
            record=record,
            clock=clock,
            acts={"open": self._admission.by_command, "identify": self._identify},
        )

    def run(self) -> None:
        """Work until told to stop by a None in the inbox; raise Stop with a reason when a part of the gate died."""
        self._begin()
        try:
            while self._next():
                self.look()
        finally:
            self._end()

    def _begin(self) -> None:
        self._way.wait()
        self._record.begin()
        if self._policy.problem:
            self._record.raised("policy_refused", self._policy.problem)
        self._systemd.say("READY=1")
        log.info(
            "%s guards with policy %d, %d events wait", self.place, self._policy.desired.version, self._record.depth
        )

    def _end(self) -> None:
        self._systemd.say("STOPPING=1")
        self._remote.look(math.inf)
        self._way.close()
        self._standing.leave()
        self._record.forget()

    def _next(self) -> bool:
        try:
            said = self._inbox.get(timeout=self._credentials.patience(TICK_S))
        except queue.Empty:
            return True
        if said is None:
            return False
        self.take(said)
        return True

    def take(self, said: Said) -> None:
        """Walk the path of one message."""
        match said:
            case Seen(code=code) if tongue := card.language(code.data):
                self._speak(tongue)
            case Seen() | Answered():
                self._present(self._credentials.take(said))
            case Measured() | Unmeasured():
                self._warmth.take(said)
            case BeamChanged(beam=beam, broken=broken, at=at):
                self._flow.take(said, free=self._way.free)
                self._surroundings.beam(beam, at, broken=broken)
            case TurnstilePassed() | DoorChanged():
                self._flow.take(said, free=self._way.free)
            case Pressed(at=at):
                self._post.pressed(at)
            case Released(at=at):
                self._admission.by_hand(self._post.released(at))
            case PresenceChanged(present=present, at=at):
                self._post.presence(at, present=present)
            case Counted() | InView():
                self._surroundings.take(said)
            case _:
                self._wire(said)

    def look(self) -> None:
        """Do what time alone brings about."""
        now = self._clock.mono()
        self._way.look(now, measuring=self._warmth.waited_for)
        for late in self._credentials.look(now):
            self._present(late)
        for presented in self._warmth.look(now):
            self._judge(presented)
        self._way.placard.collect(self._credentials.progress(now))
        self._flow.look(now)
        self._entries.look(now)
        self._post.look(now)
        self._surroundings.look(now, self._post.local())
        self._way.placard.warn(self._surroundings.warnings)
        self._check()
        self._remote.look(now)
        self._record.look(now, idle=self._inbox.empty())
        self._standing.look(now, self._counts())
        self._systemd.say("WATCHDOG=1")
        if dead := self._watch():
            raise Stop(dead)

    def _counts(self) -> Counts:
        flow = self._flow
        admission = self._admission
        return Counts(admission.grants, admission.refusals, flow.passages, flow.unscanned, self._entries.inside)

    def _present(self, presented: Presented | None) -> None:
        """Judge what was presented, or let it wait for a temperature. None: there is nothing to judge yet."""
        if presented is None:
            return
        if self._admission.still_shown(presented.checked, presented.seen.code.data):
            log.info("the screen of a code that was granted went on to its next picture")
            return
        if self._surroundings.presented(presented, self._post.local()):
            if self._config.poster.watch == "daily":
                self._identify(0)  # it was read; a poster that hangs there is read again and again
            return
        for each in self._warmth.first(presented, self._clock.mono()):
            self._judge(each)

    def _judge(self, presented: Presented) -> None:
        """Keep what is about to be shown, then show it, then say it."""
        seen, checked, instant = presented.seen, presented.checked, presented.instant
        temperature, celsius = self._warmth.judge(self._clock.mono())
        code = keyed_hash(self._policy.trust.site_key, checked.identity)
        asked = Asked() if checked.reasons or checked.guard else self._entries.ask(code, checked.claim, instant)
        verdict = judge(
            checked,
            clock=instant.state,
            temperature=temperature,
            mode=self._config.thermometer.mode,
            rotating_badges=self._config.duty.rotating_badges,
            also=asked.reasons,
            outcomes=self._config.reentry.outcomes,
        )
        passing = asked.passing if verdict.outcome == "grant" else None
        if not self._entries.keep(passing):
            verdict, passing = decide(["not_kept"]), None
        scan = {
            "code": code,
            "scheme": checked.scheme,
            "symbology": seen.code.symbology,
            "kind": checked.claim.kind if checked.claim else None,
            "people": checked.people,
            "direction": passing.direction if passing else None,
            "uses": checked.claim.uses if passing and checked.claim else 0,
            "temperature": temperature,
            "celsius": celsius,
            "trust_age_s": checked.age if instant.state != "unset" else None,
            "took_ms": round((self._clock.mono() - seen.frame_at) * 1000, 2),
        }
        seq = self._record.keep(
            messages.Scan, instant=instant, event_type=verdict.outcome, reasons=verdict.reasons, **scan
        )
        judged = Judged(verdict=verdict, checked=checked, data=seen.code.data, code=code, seq=seq, passing=passing)
        self._admission.by_code(judged)

    def _speak(self, tongue: Language) -> None:
        """Turn the screen to the language of a card, which is nobody's credential: nothing is judged or kept."""
        log.info("a card turns the screen to %s", tongue)
        self._way.speak(tongue, self._clock.mono())

    def _identify(self, _seq: int) -> None:
        """Show and sound which gate this is."""
        self._way.identify(self._clock.mono())

    def _went(self, went: Went) -> None:
        """Take what became of a grant; the next of a party needs the turnstile once more."""
        self._entries.went(went)
        if went.event_type == "passed" and went.left:
            self._way.released()

    def _check(self) -> None:
        """Notice what no part says by itself."""
        instant = self._clock.read()
        for fault, detail in DOUBTS.items():
            self._record.stands(fault, detail if fault == instant.doubt else "")
        stale = self._policy.trust.stale(int(instant.now))
        if stale and instant.state != "unset":
            self._record.raised("stale_trust", f"too old to admit by: {', '.join(stale)}; import them anew")
        else:
            self._record.cleared("stale_trust")

    def _wire(self, said: Said) -> None:
        match said:
            case EyeFault() | Guidance() | FireChanged() | TamperChanged() | GuardianChanged() | ScreenChanged():
                self._way.hear(said)
            case Acked(spool, seq):
                self._record.acknowledged(spool, seq)
                self._make_way(answered=True)
            case CertificateEnds(detail=detail):
                self._record.stands("certificate_ends", detail)
            case LinkChanged(up=up):
                self._entries.connected(up=up)
                if up:
                    self._standing.introduce()
                    self._make_way(answered=False)
            case LinkDied(reason=reason):
                raise Stop(f"the connection's thread died: {reason}")
            case Heard(topic=topic, payload=payload) if topic == self.place.topic("policy/desired"):
                self._standing.offered(payload)
            case Heard() if not self._entries.hear(said):
                self._remote.hear(said)
            case _:
                pass

    def _make_way(self, *, answered: bool) -> None:
        if self._record.make_way(answered=answered):
            self._flow.renumber()
            self._entries.renumber()
