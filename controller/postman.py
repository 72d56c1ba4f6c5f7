"""Carries alerts to one address: a thread that compares what is open with what was told, and tells the difference.

What it has yet to tell is never more than what is open, so nothing has to be queued; a storm, or an address that does
not answer for an hour, becomes one message about what is true then. It has its own thread and its own connection to the
database, so neither a broker nor another address can hold it up.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from controller import routes
from controller.authority import replace_secret
from controller.config import Route
from controller.database import now
from controller.facts import OURS
from controller.routes import Key, News
from controller.store import Store
from device.wire.messages import Alert

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0  # between looks at what is open
FIRST_S: Final = 2.0  # after a failure; then twice as long, each time
LONGEST_S: Final = 300.0
STOP_S: Final = 5.0  # for a message under way when we are to end

Type = Literal["info", "success", "warning", "failure"]  # as Apprise calls them
TYPES: Final[dict[str, Type]] = {"info": "info", "warning": "warning", "critical": "failure"}


class Send(NamedTuple):
    """One address: its name, which gives no secret away, and how a title and a text get there. False: they did not."""

    name: str
    carry: Callable[[str, str, Type], bool]


class Record(Struct, kw_only=True):
    """What one address was told, and how it does; kept in a file across restarts."""

    told: dict[str, str] = {}  # `site/entrance kind`: the severity
    sent: int = 0
    failed: int = 0  # attempts, ever
    last_sent: datetime | None = None
    failing_since: datetime | None = None


class Postman:
    """Serves one address."""

    def __init__(
        self,
        route: Route,
        send: Send,
        *,
        database: Path,
        folder: Path,
        zone: ZoneInfo,
        every_s: float = EVERY_S,
        first_s: float = FIRST_S,
    ) -> None:
        self.name = send.name
        self.record = read(folder, send.name)
        self._route = route
        self._send = send
        self._file = folder / f"{send.name}.json"
        self._store = Store(database, read_only=True)
        self._zone = zone
        self._every_s = every_s
        self._first_s = first_s
        self._sent_at: deque[float] = deque(maxlen=route.messages)  # monotonic seconds
        self._wait_s = 0.0  # after the last failure
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"postman {send.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def leave(self) -> None:
        """Begin no other message."""
        self._over.set()

    def stop(self, within_s: float = STOP_S) -> None:
        """End; a message that takes longer is left behind, and told again after the start."""
        self.leave()
        if self.thread.is_alive():
            self.thread.join(timeout=max(0.0, within_s))
        if not self.thread.is_alive():
            self._store.close()

    def _about_us(self, alert: Alert) -> bool:
        """Tell whether it says that we do not get through, which is for the others to tell."""
        return (alert.site, alert.entrance) == (OURS, self.name)

    def _run(self) -> None:
        while not self._over.wait(self._wait_s or self._every_s):
            self._look()

    def _look(self) -> None:
        at = now()
        alerts = [alert for alert in self._store.open_alerts().values() if not self._about_us(alert)]
        told = {Key(*name.split(" ", 1)): severity for name, severity in self.record.told.items()}
        waiting = routes.news(self._route, told, alerts, at, self._zone, lies=self._store.lies())
        silent = [each for each in waiting if each.alert is None and not self._route.recovered]
        if silent:
            self._note(silent)
        for batch in self._batches([each for each in waiting if each not in silent]):
            if not self._tell(batch):
                break

    def _batches(self, waiting: list[News]) -> list[list[News]]:
        """Return what goes now: each by itself as long as the window has room, or all of it in one message."""
        at = time.monotonic()
        while self._sent_at and at - self._sent_at[0] >= self._route.window_s:
            self._sent_at.popleft()
        room = self._route.messages - len(self._sent_at)
        if not (waiting and room):
            return []
        return [[each] for each in waiting] if len(waiting) <= room else [waiting]

    def _tell(self, batch: list[News]) -> bool:
        titles = routes.titles(self._store.entrances())
        if len(batch) == 1:
            title, text = routes.message(self._route, batch[0], titles, self._zone)
        else:
            title, text = routes.digest(self._route, batch, titles)
        gravest = max((each.severity for each in batch if each.alert), key=routes.RANKS.index, default="")
        try:
            done = self._send.carry(title, text, TYPES.get(gravest, "success"))
        except Exception:  # what a notifier's library may raise is not ours to know; the others go on
            log.exception("notifier %s", self.name)
            done = False
        at = now()
        if not done:
            self.record.failed += 1
            self._wait_s = min(LONGEST_S, 2 * self._wait_s or self._first_s)
            if self.record.failing_since is None:
                log.error("notifier %s does not get through; it is tried again", self.name)
                self.record.failing_since = at
            self._keep()
            return False
        self._sent_at.extend([time.monotonic()] * (1 if len(batch) == 1 else self._route.messages))
        self._wait_s = 0.0
        if self.record.failing_since is not None:
            log.warning("notifier %s gets through again", self.name)
        self.record.failing_since, self.record.last_sent = None, at
        self.record.sent += 1
        self._note(batch)
        return True

    def _note(self, batch: list[News]) -> None:
        """Remember what was told, so that a restart neither says it again nor forgets to say that it is over."""
        told = dict(self.record.told)
        for each in batch:
            if each.alert:
                told[" ".join(each.key)] = each.severity
            else:
                told.pop(" ".join(each.key), None)
        self.record.told = told
        self._keep()

    def _keep(self) -> None:
        try:
            replace_secret(self._file, msgspec.json.encode(self.record))
        except OSError as error:
            log.error("%s: %s; after a restart it is told again what it knows", self._file, error)  # noqa: TRY400


def read(folder: Path, name: str) -> Record:
    """Return what an address was told; nothing where no file says so."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Record)
    return Record()
