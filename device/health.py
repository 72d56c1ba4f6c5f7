"""Faults raised and cleared."""

from __future__ import annotations

import logging
from datetime import datetime

from device.wire.messages import Health, OpenFault

log = logging.getLogger(__name__)


class Faults:
    """The faults open now, each said once when it comes and once when it goes."""

    def __init__(self) -> None:
        self._open: dict[str, OpenFault] = {}

    def raised(self, fault: str, detail: str, at: datetime) -> bool:
        """Open a fault; False when it is open already."""
        if fault in self._open:
            return False
        self._open[fault] = OpenFault(fault, at, detail)
        log.error("fault %s: %s", fault, detail)
        return True

    def cleared(self, fault: str) -> bool:
        """Close a fault; False when it was not open."""
        if self._open.pop(fault, None) is None:
            return False
        log.info("fault %s is over", fault)
        return True

    def detail(self, fault: str) -> str | None:
        """Return what was said of an open fault; None when it is not open."""
        found = self._open.get(fault)
        return found.detail if found else None

    def health(self) -> Health:
        """Return what is open, the oldest first."""
        return Health(faults=tuple(self._open.values()))
