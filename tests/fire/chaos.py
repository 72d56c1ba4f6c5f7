"""Gates, broker and controller under fire: killed where they stand, their lines torn, silent or slow. What arrived?

    python -m tests.fire.chaos --gates 3 --events 3000 --seeds 1 2 3

Every event that a gate kept, and so may have shown, must be in the controller's database: once, whole and in order.
Which faults come is up to the seed; where they fall is up to the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from controller.broker import free_port
from device.wire.link import Wire
from tests.fire.found import Found, find, settled
from tests.fire.processes import Processes
from tests.fire.proxy import Line, Proxy

EACH_S: Final = 0.02  # between codes at one gate
BACKLOG: Final = 20  # events that wait until a spool is sealed: few, so that it happens often
PAUSE_S: Final = (0.1, 1.0)  # between faults
DOWN_S: Final = (0.0, 1.0)  # how long what was killed stays so
CRAWL_S: Final = (0.5, 2.0)  # how long the line is slow
DELAY_S: Final = 0.2  # for a piece on a slow line, at most
EVENTS_S: Final = 0.2  # for each event of a gate, until all are kept
SETTLE_S: Final = 60.0  # from the last fault until everything has arrived
LOOK_S: Final = 0.2


class Outcome(NamedTuple):
    """What a run came to."""

    faults: Counter[str]
    found: Found
    seconds: float

    def __str__(self) -> str:
        fallen = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        return f"{self.found} under {self.faults.total()} faults ({fallen}) in {self.seconds:.0f} s"


class Chaos:
    """The faults, one coroutine each; its name is what it is counted as."""

    def __init__(self, processes: Processes, proxy: Proxy, luck: random.Random) -> None:
        self._processes = processes
        self._proxy = proxy
        self._luck = luck
        self._kinds = (
            self.gate_killed, self.controller_killed, self.broker_killed,
            self.reset, self.black_hole, self.half_open, self.latency,
        )  # fmt: skip

    async def next(self) -> str:
        """Do one of them; return its name."""
        kind = self._luck.choice(self._kinds)
        await kind()
        await asyncio.sleep(self._luck.uniform(*PAUSE_S))
        return kind.__name__

    async def gate_killed(self) -> None:
        """Cut one gate's power, and give it back."""
        await self._kill(self._luck.choice(self._processes.gates))

    async def controller_killed(self) -> None:
        """Kill the controller, whatever it is committing."""
        await self._kill("controller")

    async def _kill(self, name: str) -> None:
        self._processes.kill(name)
        await asyncio.sleep(self._luck.uniform(*DOWN_S))
        self._processes.start(name)

    async def broker_killed(self) -> None:
        """Kill the broker and all it held; it keeps nothing on disk."""
        self._processes.broker.kill()
        await asyncio.sleep(self._luck.uniform(*DOWN_S))
        await asyncio.to_thread(self._processes.broker.start)

    async def reset(self) -> None:
        """Tear connections down."""
        for line in self._some():
            line.reset()

    async def black_hole(self) -> None:
        """Swallow all that connections carry, until their ends give up."""
        for line in self._some():
            line.silent = True

    async def half_open(self) -> None:
        """Let the broker lose connections whose other ends believe in them."""
        for line in self._some():
            line.half_close()

    async def latency(self) -> None:
        """Carry every piece late for a while."""
        self._proxy.delay_s = lambda: self._luck.uniform(0, DELAY_S)
        await asyncio.sleep(self._luck.uniform(*CRAWL_S))
        self._proxy.delay_s = lambda: 0.0

    def _some(self) -> list[Line]:
        """Choose one connection, or take all of them."""
        lines = list(self._proxy.lines)
        return lines if self._luck.random() < 1 / 3 else self._luck.sample(lines, min(1, len(lines)))


@asynccontextmanager
async def standing(folder: Path, gates: int, events: int) -> AsyncIterator[tuple[Processes, Proxy]]:
    """Run everything: gates that keep `events` each, controller and broker, and the line between them."""
    port = free_port()
    processes = Processes(
        folder, Wire(host="127.0.0.1", port=port), gates=gates, each_s=EACH_S, events=events, backlog=BACKLOG
    )
    proxy = Proxy(processes.broker.wire.port)
    await proxy.start(port)
    try:
        processes.begin()
        yield processes, proxy
    finally:
        await asyncio.to_thread(processes.stop)
        await proxy.stop()


async def run(folder: Path, *, gates: int, events: int, seed: int) -> Outcome:
    """Let it rain faults until every gate kept its events, then wait until they arrived, and look at what did."""
    begun, faults = time.monotonic(), Counter[str]()
    async with standing(folder, gates, events) as (processes, proxy), asyncio.timeout(SETTLE_S + EVENTS_S * events):
        chaos = Chaos(processes, proxy, random.Random(seed))
        while not processes.fed():
            faults[await chaos.next()] += 1
            processes.check()
        async with asyncio.timeout(SETTLE_S):
            while not settled(folder):
                processes.check()
                await asyncio.sleep(LOOK_S)
    return Outcome(faults, find(folder), time.monotonic() - begun)


def main() -> None:
    """Run once with each seed; end with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Set everything under fire and see what arrives.")
    parser.add_argument("--gates", type=int, default=3)
    parser.add_argument("--events", type=int, default=3000, help="that each gate keeps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    chosen = parser.parse_args()
    whole = True
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory(prefix="menshen-chaos-") as folder:
            outcome = asyncio.run(run(Path(folder), gates=chosen.gates, events=chosen.events, seed=seed))
        print(f"seed {seed}: {outcome}", flush=True)
        whole = whole and outcome.found.whole
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
