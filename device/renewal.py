"""Renews this gate's certificate by itself, in a thread of its own, long before it ends. It only puts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from device.enrol import LEFT, EnrolError, renew_if_due
from device.identity import Identity, IdentityError

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
OVERDUE: Final = LEFT - timedelta(days=2)  # a controller that was away for a day is no fault


@dataclass(frozen=True)
class CertificateEnds:
    """How it stands with the certificate; empty: nothing has to be done about it."""

    detail: str


def _today() -> datetime:
    return datetime.now(tz=UTC)


class Renewal:
    """Looks at once, and then every hour. `renewed` is called when there is a new certificate to connect with."""

    def __init__(
        self,
        folder: Path,
        *,
        put: Callable[[CertificateEnds], None],
        renewed: Callable[[], None],
        now: Callable[[], datetime] = _today,
        every_s: float = EVERY_S,
    ) -> None:
        self._folder = folder
        self._put = put
        self._renewed = renewed
        self._now = now
        self._every_s = every_s
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    def stop(self) -> None:
        """End the thread, without waiting for a controller that does not answer."""
        self._over.set()
        if self.thread.is_alive():
            self.thread.join(timeout=1)

    def _run(self) -> None:
        while not self._over.is_set():
            self._put(CertificateEnds(self._look()))
            self._over.wait(self._every_s)

    def _look(self) -> str:
        """Renew what is due; return what somebody has to see to."""
        now = self._now()
        try:
            if renew_if_due(self._folder, now):
                log.info("the certificate is renewed")
                self._renewed()
        except (EnrolError, IdentityError) as error:
            return self._overdue(now, str(error))
        return ""

    def _overdue(self, now: datetime, problem: str) -> str:
        try:
            left = Identity.load(self._folder).until - now
        except IdentityError as error:
            return str(error)
        log.warning("the certificate cannot be renewed yet: %s", problem)
        return f"{max(0, left.days)} days left: {problem}" if left < OVERDUE else ""
