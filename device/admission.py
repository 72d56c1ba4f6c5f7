"""Who is let in, by a code, by a guard's hand or by a command: the relay, the answer, and the passage expected of it.

What is done here has been kept before, or is kept here first; the parts come last.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from device.byhand import Admit
from device.clock import Clock
from device.codes import Checked
from device.config import RulesSection
from device.entries import Entries
from device.flow import Flow
from device.passback import Passing
from device.post import Post
from device.record import Record
from device.verdict import Verdict, decide
from device.way import Way
from device.wire import messages

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A code that was judged, and what was kept of it: `seq` None is that it could not be."""

    verdict: Verdict
    checked: Checked
    data: bytes
    code: str  # its keyed hash
    seq: int | None
    passing: Passing | None


class Admission:
    """Carries out what was decided, and counts it."""

    def __init__(
        self,
        rules: RulesSection,
        *,
        record: Record,
        clock: Clock,
        way: Way,
        post: Post,
        entries: Entries,
        flow: Flow,
    ) -> None:
        self._rules = rules
        self._record = record
        self._clock = clock
        self._way = way
        self._post = post
        self._entries = entries
        self._flow = flow
        self.grants = self.refusals = 0
        self._granted = (b"", b"", clock.mono())  # the last code granted: its identity, its bytes, and when

    def by_code(self, judged: Judged) -> None:
        """Answer a code, and let in whom it admits. Who is not recorded is the guard's, or as the operator chose."""
        verdict, checked, seq = judged.verdict, judged.checked, judged.seq
        good = verdict.outcome == "grant"
        if seq is None:
            verdict = decide([*verdict.reasons, "not_kept"])
            good = good and self._rules.unkept == "release" and not checked.guard
        if good:
            self._entries.granted(seq, judged.passing, sensed=self._flow.sensed)
        else:
            self._entries.give_back(judged.passing)
            self._turned_away(judged, verdict)
        self._answer(verdict, checked, seq, good=good)
        if good:
            self._granted = (checked.identity, judged.data, self._clock.mono())

    def still_shown(self, checked: Checked, data: bytes) -> bool:
        """Tell whether this is the next picture of a rotating screen that was granted a moment ago."""
        identity, shown, at = self._granted
        same = not checked.reasons and checked.identity == identity and data != shown
        return same and self._clock.mono() - at <= self._rules.screen_s

    def by_command(self, seq: int) -> None:
        """Let one person through because an operator says so: a grant, whose event is a command."""
        self._way.release()
        now = self._clock.mono()
        self._way.answer("grant", now)
        self._flow.granted(seq, now)
        self.grants += 1

    def by_hand(self, admit: Admit | None) -> None:
        """Let in whom a guard lets in: on disk first, with who did it, then the parts. None: nobody was."""
        if admit is None:
            return
        instant = self._clock.read()
        passing = self._entries.by_hand(admit.code, instant)
        kept = self._entries.keep(passing)
        seq = self._record.keep(
            messages.Scan,
            instant=instant,
            event_type="grant",
            code=admit.code,
            scheme="manual",
            symbology="",
            people=admit.people,
            direction=passing.direction if passing and kept else None,
            by=admit.who,
            why=admit.why,
            answers=admit.scan,
            took_ms=0.0,
        )
        now = self._clock.mono()
        if seq is None or not self._way.released():
            self._entries.give_back(passing)
            self._way.answer("refer", now)
            return
        self._way.answer("grant", now)
        self._entries.granted(seq, passing, sensed=self._flow.sensed)
        self._flow.granted(seq, now, admit.people)
        self.grants += 1

    def _turned_away(self, judged: Judged, verdict: Verdict) -> None:
        if not judged.checked.guard:
            referred, people = verdict.outcome == "refer", judged.checked.people
            self._post.hand.turned_away(judged.seq, judged.code, self._clock.mono(), referred=referred, people=people)

    def _answer(self, verdict: Verdict, checked: Checked, seq: int | None, *, good: bool) -> None:
        """Move the parts; a guard's badge checks in and releases nothing. Green is shown only for what is recorded."""
        guard = checked.guard
        admitted = good and guard is None
        shown = verdict.outcome if not admitted or self._way.released() else "refer"
        now = self._clock.mono()
        self._way.answer(shown, now, verdict.reasons, staff=guard is not None)
        self.grants += good
        self.refusals += not good
        if admitted:
            self._post.hand.admitted()
            self._flow.granted(seq, now, checked.people)
            if seq is None:
                self._record.unrecorded()
        elif verdict.outcome == "grant" and guard is not None:
            self.by_hand(self._post.badge(guard, now))
        log.info("%s: %s %s %s", verdict.outcome, checked.scheme, " ".join(verdict.reasons), checked.detail)
