"""What the events of one entrance add up to, for the rules to look at. Pure: the same from a gate or from the store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from controller.config import RulesSection
from controller.facts import Run
from controller.rules.codes import reason_of
from controller.rules.way import UNSCANNED
from device.wire.messages import Event, Passage, Scan

MINUTE: Final = timedelta(minutes=1)
REMEMBERED: Final = 10_000  # wrong codes of all sites; the longest unseen is forgotten first

# What is counted: abnormal codes, messages in quarantine, abnormal codes with no grant between, such rows that were too
# long, high temperatures, grants that nobody used, people who went in unscanned, codes let in twice, and messages that
# are more than an entrance has. `spoke` is any event at all, as it came in; `minute` those that had just happened.
HOLDS: Final[dict[str, str]] = {
    "abnormal": "abnormal_hold_s",
    "quarantined": "quarantine_hold_s",
    "in_a_row": "repeated_hold_s",
    "repeated": "repeated_hold_s",
    "hot": "temperature_hold_s",
    "unused": "unused_hold_s",
    "unscanned": "unscanned_hold_s",
    "conflict": "unscanned_hold_s",
    "flood": "flood_hold_s",
}


class Tries:
    """How often each wrong code was tried at a site, in a row. In memory alone: it is about what people hold."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], Run] = {}

    def wrong(self, site: str, code: str, at: datetime, hold: timedelta) -> Run:
        """Count one more; after a pause it is counted anew."""
        before = self._runs.pop((site, code), None)
        if before is None or at - before.last >= hold:
            before = Run(since=at, last=at, count=0, reason="")
        self._runs[site, code] = run = msgspec.structs.replace(
            before, last=max(at, before.last), count=before.count + 1
        )
        if len(self._runs) > REMEMBERED:
            del self._runs[next(iter(self._runs))]
        return run

    def good(self, site: str, code: str) -> None:
        """Forget what was granted after all."""
        self._runs.pop((site, code), None)


class Course:
    """Runs of one entrance, as they were and as they go on. `changed` are those that did; `walked` counts by slot."""

    def __init__(self, site: str, runs: Mapping[str, Run], rules: RulesSection, tries: Tries) -> None:
        self.runs = dict(runs)
        self.changed: set[str] = set()
        self._site = site
        self._rules = rules
        self._tries = tries

    def go_on(self, name: str, reason: str, at: datetime, now: datetime, times: int = 1) -> None:
        """Add to a run; what comes from a gate that was offline may be over long since."""
        hold = self._hold(name)
        if now - at >= hold:
            return
        run = self.runs.get(name)
        if run is None or at - run.last >= hold:
            run = Run(since=at, last=at, count=0, reason=reason)
        last = max(run.last, at)
        self._put(
            name,
            Run(
                since=min(run.since, at),
                last=last,
                count=run.count + times,
                reason=reason if last == at else run.reason,
            ),
        )

    def take(self, event: Event, at: datetime, now: datetime) -> None:
        """Count what an event says. `at` is when it happened, as far as anybody knows."""
        spoke = self.runs.get("spoke") or Run(since=now, last=now, count=0, reason="")
        self._put("spoke", Run(since=spoke.since, last=now, count=spoke.count + 1, reason=""))
        if now - at < MINUTE:  # what was kept while a gate was offline may be any number
            self._live(now)
        if isinstance(event, Scan):
            self._scan(event, at, now)
        elif isinstance(event, Passage) and event.event_type == "not_passed":
            self.go_on("unused", "", at, now)
        elif isinstance(event, Passage) and event.event_type in UNSCANNED:
            self.go_on("unscanned", event.event_type, at, now)

    def _live(self, now: datetime) -> None:
        minute = self.runs.get("minute")
        if minute is None or not timedelta() <= now - minute.since < MINUTE:
            minute = Run(since=now, last=now, count=0, reason="")
        self._put("minute", Run(since=minute.since, last=now, count=minute.count + 1, reason=""))
        if minute.count >= self._rules.flood_per_minute:
            self.go_on("flood", "", now, now)

    def _scan(self, scan: Scan, at: datetime, now: datetime) -> None:
        if "temperature_high" in scan.reasons:
            self.go_on("hot", "", at, now)
        if scan.event_type == "grant":
            self._tries.good(self._site, scan.code)
            if self.runs.pop("in_a_row", None):
                self.changed.add("in_a_row")
            return
        reason = reason_of(scan)
        if reason is None:
            return
        self.go_on("abnormal", reason, at, now)
        self.go_on("in_a_row", reason, at, now)
        hold = self._hold("repeated")
        if now - at >= hold:
            return
        tried = [self._tries.wrong(self._site, scan.code, at, hold)] if scan.code else []
        longest = max([self.runs["in_a_row"], *tried], key=lambda run: run.count)
        if longest.count >= self._rules.repeated_tries:
            self._put("repeated", msgspec.structs.replace(longest, last=at, reason=reason))

    def _put(self, name: str, run: Run) -> None:
        self.runs[name] = run
        self.changed.add(name)

    def _hold(self, name: str) -> timedelta:
        return timedelta(seconds=getattr(self._rules, HOLDS[name]))
