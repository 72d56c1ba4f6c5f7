"""What the thermometer says of the person in front of it: normal, recheck, high or unknown. Pure.

It screens; it is not a medical device. A dead, frozen or implausible sensor is unknown, never normal.

What it reads is skin, and no ambient compensation is applied: see docs/people.md. Instead, a reading is not believed
where the sensor itself is colder or warmer than thermometers of this kind are made for.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from device.wire.messages import Temperature
from hardware.parts import Reading

WINDOW_S: Final = 2.0  # a forehead passes the sensor within this time of the code
FROZEN_S: Final = 10.0  # a living sensor's last digit moves well within this time
FROZEN_READINGS: Final = 20
AMBIENT_C: Final = (16.0, 40.0)  # where such thermometers are to be used, says the FDA
DRIFT_S: Final = 7200.0  # in two hours the lobby is seen at least once between two people
PLAUSIBLE_C: Final = (10.0, 45.0)  # of a forehead or of the lobby behind it; anything else is the sensor


class _Timed(NamedTuple):
    reading: Reading
    at: float


class Forehead:
    """Remembers the last readings. Times are monotonic seconds."""

    def __init__(self, *, low_c: float, high_c: float, offset_c: float = 0.0, drift_c: float = 0.0) -> None:
        self._low_c = low_c
        self._high_c = high_c
        self._offset_c = offset_c
        self._drift_c = drift_c
        self._recent: deque[_Timed] = deque()
        self._same_since: _Timed | None = None
        self._same = 0
        self._near_at: float | None = None  # when it last saw something about as warm as itself

    def add(self, reading: Reading, at: float) -> None:
        """Remember one reading."""
        if self._same_since is None or self._same_since.reading != reading:
            self._same_since, self._same = _Timed(reading, at), 0
        self._same += 1
        near = abs(reading.object_c + self._offset_c - reading.ambient_c) <= self._drift_c
        if near or self._near_at is None or (self._recent and at - self._recent[-1].at > WINDOW_S):
            self._near_at = at
        self._recent.append(_Timed(reading, at))
        while self._recent and at - self._recent[0].at > WINDOW_S:
            self._recent.popleft()

    def frozen(self, now: float) -> bool:
        """Tell whether the sensor has repeated itself to the last digit for too long."""
        since = self._same_since
        return since is not None and self._same >= FROZEN_READINGS and now - since.at >= FROZEN_S

    def drifted(self, now: float) -> bool:
        """Tell whether for hours it saw nothing that was about as warm as it is itself, as a lobby is."""
        return bool(self._drift_c) and self._near_at is not None and now - self._near_at >= DRIFT_S and self.alive(now)

    def alive(self, now: float) -> bool:
        """Tell whether a temperature may come yet: the sensor speaks, and moves."""
        return bool(self._recent) and now - self._recent[-1].at <= WINDOW_S and not self.frozen(now)

    def judge(self, now: float) -> tuple[Temperature, float | None]:
        """Return the state and the highest temperature seen within the last two seconds, in degrees Celsius."""
        seen = [timed.reading for timed in self._recent if now - timed.at <= WINDOW_S]
        if not seen or self.frozen(now) or self.drifted(now):
            return "unknown", None
        cold, warm = AMBIENT_C
        if not all(cold <= reading.ambient_c <= warm for reading in seen):
            return "unknown", None
        hottest = max(reading.object_c for reading in seen) + self._offset_c
        low, high = PLAUSIBLE_C
        if not low <= hottest <= high:
            return "unknown", None
        if hottest < self._low_c:
            return "recheck", round(hottest, 2)
        return ("high" if hottest >= self._high_c else "normal"), round(hottest, 2)
