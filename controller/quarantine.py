"""Where messages go that are not ours: kept for whoever wants to look, logged once, and never in the way of others."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import MessageError, parse_topic
from device.wire.plain import harmless

log = logging.getLogger(__name__)

REMEMBERED: Final = 1000  # complaints, so that a flood of nonsense cannot fill the memory


class Quarantine:
    """Keeps the heads of foreign messages in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._logged: set[tuple[str, str]] = set()

    def put(self, heard: Heard, reason: str, at: datetime) -> None:
        """Keep one message; the log hears of each reason once for each entrance."""
        topic, reason = harmless(heard.topic), harmless(reason)
        self._store.quarantine(topic, reason, heard.payload, at)
        complaint = (_origin(heard.topic), reason)
        if complaint not in self._logged:
            if len(self._logged) >= REMEMBERED:
                self._logged.clear()
            self._logged.add(complaint)
            log.warning("%s: in quarantine, this and all alike: %s", topic, reason)


def _origin(topic: str) -> str:
    try:
        return str(parse_topic(topic)[0])
    except MessageError:
        return ""
