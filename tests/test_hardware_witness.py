"""What mock pins do is told as it happens, and a change of several at once is one."""

from __future__ import annotations

import queue
import threading
import time

from hardware.witness import Levels, Witness


def test_levels_are_told_at_first_and_then_what_changed() -> None:
    told: queue.SimpleQueue[tuple[float, Levels]] = queue.SimpleQueue()
    pins = {"relay": False, "buzzer": True}
    witness = Witness(lambda: dict(pins), lambda at, levels: told.put((at, levels)))
    witness.thread.start()
    begun, levels = told.get(timeout=5)
    assert levels == pins
    pins["relay"] = True
    at, levels = told.get(timeout=5)
    assert levels == {"relay": True}
    assert begun < at <= time.monotonic()
    witness.stop()
    assert not witness.thread.is_alive()


def test_what_lasts_for_one_look_only_is_not_told() -> None:
    looks, over, told = [False, False, True, False, False, True, True, True], threading.Event(), list[Levels]()

    def look() -> Levels:
        if len(looks) == 1:
            over.set()
            return {"lamp": looks[0]}
        return {"lamp": looks.pop(0)}

    witness = Witness(look, lambda _, levels: told.append(levels))
    witness.thread.start()
    assert over.wait(timeout=5)
    witness.stop()
    assert told == [{"lamp": False}, {"lamp": True}]
