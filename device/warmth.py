"""The temperature of the person in front: readings in, a state for the verdict out, and codes that wait for one."""

from __future__ import annotations

from typing import Final

from device.config import ThermometerSection
from device.credentials import Presented
from device.forehead import Forehead
from device.measuring import Measuring
from device.probe import Measured, Unmeasured
from device.record import Record
from device.wire.messages import Temperature

FROZEN: Final = "it repeats one value to the last digit; switch it off and on"
DRIFTED: Final = "for two hours it saw nothing as warm as a room is; clean its window, see where it points"


class Warmth:
    """One thermometer, and whoever stands before it."""

    def __init__(self, config: ThermometerSection, record: Record) -> None:
        self._mode = config.mode
        self._record = record
        self._forehead = Forehead(
            low_c=config.low_c, high_c=config.high_c, offset_c=config.offset_c, drift_c=config.drift_c
        )
        self._measuring: Measuring[Presented] = Measuring(config.wait_s)

    @property
    def waited_for(self) -> bool:
        """Whether somebody with a good code waits for a temperature."""
        return self._measuring.waiting

    def take(self, said: Measured | Unmeasured) -> None:
        """Take a reading, or that there is none."""
        if isinstance(said, Measured):
            self._forehead.add(said.reading, said.at)
        self._record.stands("thermometer_lost", said.detail if isinstance(said, Unmeasured) else "")

    def judge(self, now: float) -> tuple[Temperature, float | None]:
        """Return the state, and the degrees where there are any."""
        return self._forehead.judge(now) if self._mode != "off" else ("off", None)

    def first(self, presented: Presented, now: float) -> list[Presented]:
        """Return whom to judge now: this one, unless a good code waits for a temperature, which may come yet."""
        wanted = self._mode == "require" and not presented.checked.reasons
        if wanted and self._forehead.alive(now) and not self._measured(now):
            return self._measuring.hold(presented.checked.identity, presented, now)
        return [presented]

    def look(self, now: float) -> list[Presented]:
        """Say what is wrong with the thermometer; return who has waited for long enough."""
        self._record.stands("thermometer_frozen", FROZEN if self._forehead.frozen(now) else "")
        self._record.stands("thermometer_drift", DRIFTED if self._forehead.drifted(now) else "")
        return self._measuring.due(now, measured=self._measured(now))

    def _measured(self, now: float) -> bool:
        return self._forehead.judge(now)[0] in ("normal", "high")
