"""Where gates have identities: lets new ones in, makes the broker agree with the book, and tells who was refused.

What was refused long enough ago it forgets.

One thread beside the desk's, since the broker may take ten seconds to answer. It only puts into the desk's inbox.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from controller.attempts import Attempts, sort
from controller.door import Door
from controller.enrol import Registrar
from controller.installation import Installation
from device.wire.link import LinkChanged, LinkSaid
from device.wire.plain import harmless

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0  # between looks into the book
FORGET_S: Final = 3600.0  # between looks for what is old
DAY_S: Final = 86400
AGAIN_S: Final = 30.0  # before a broker that could not be told is told again


class Porter:
    """Stands beside the desk for as long as the controller runs."""

    def __init__(
        self, installation: Installation, tell: Callable[[Attempts], None], *, hold_s: float, keep_days: int = 0
    ) -> None:
        """Take the door's port at once; raise OSError where another program has it."""
        self.inbox: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="porter", daemon=True)
        self._installation = installation
        self._tell = tell
        self._hold_s = hold_s
        self._keep_days = keep_days  # 0: for ever
        self._forget_at = 0.0  # monotonic seconds
        self._registrar = Registrar.at(installation)
        self._door = Door(self._registrar, installation.doors.enrol)
        self._told = Attempts()
        self._logged: dict[tuple[str, str], int] = {}  # kind and name: since when
        self._agree_at: float | None = None  # monotonic seconds; None: the broker is not there, or agrees

    def start(self) -> None:
        """Begin; what was refused before is told at once, so that no alert ends because we were away."""
        self._look()
        self._door.start()
        self.thread.start()

    def stop(self) -> None:
        """Shut the door, and end the thread."""
        self._door.stop()
        self.inbox.put(None)
        if self.thread.is_alive():
            self.thread.join(timeout=15)
        self._installation.close()

    @property
    def threads(self) -> list[threading.Thread]:
        """Return those that have to be alive."""
        return [self.thread, self._door.thread]

    def _run(self) -> None:
        while self._take():
            if self._agree_at is not None and time.monotonic() >= self._agree_at:
                self._agree_at = None if self._registrar.agree() else time.monotonic() + AGAIN_S
            self._look()
            self._forget()

    def _take(self) -> bool:
        """Take what comes within the time; False when told to stop."""
        try:
            said = self.inbox.get(timeout=EVERY_S)
        except queue.Empty:
            return True
        if isinstance(said, LinkChanged):
            self._agree_at = time.monotonic() if said.up else None
        return said is not None

    def _forget(self) -> None:
        """Let the book forget strangers' addresses and what they said, as the desk does with people."""
        if self._keep_days and time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_S
            if forgotten := self._installation.ledger.forget_refusals(int(time.time()) - self._keep_days * DAY_S):
                log.info("kept long enough: %d refusals deleted", forgotten)

    def _look(self) -> None:
        """Tell the desk what changed in the book, and say in the log that something began."""
        noted = self._installation.ledger.refusals(int(time.time() - self._hold_s))
        for each in noted:
            if self._logged.get((each.kind, each.who)) != each.first_at:
                who = harmless(each.who) or "a stranger"
                log.warning("the broker refused %s: %s %s", who, each.kind, harmless(each.what))
        self._logged = {(each.kind, each.who): each.first_at for each in noted}
        if (found := sort(noted)) != self._told:
            self._told = found
            self._tell(found)
