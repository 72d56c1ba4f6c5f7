"""A line that goes silent without a word: both of its ends notice, and say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.broker import Broker, free_port
from device.wire.link import Link, LinkChanged, LinkSaid, Will, Wire
from device.wire.messages import Place, Status, decode, encode
from tests.bystanders import Ear
from tests.fire.proxy import Line, Proxy

NOTICED_S = 12.0
PATIENCE_S = 20.0
BUSY_S = 0.2
PLACES = Place("expo", "busy"), Place("expo", "idle"), Place("expo", "quiet")
CUT_S = (0.5, 2.5, 4.5)


class End:
    """A gate's end of a line, and what it was told of its connection and when."""

    def __init__(self, wire: Wire, place: Place) -> None:
        self.place = place
        self.told: asyncio.Queue[tuple[bool, float]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        will = Will(topic=place.topic("status"), payload=encode(Status(state="offline", reason="lost")))
        self.link = Link(wire, name=str(place), hear=(place.topic("ack"),), put=self._put, will=will)
        self.link.start()

    def _put(self, said: LinkSaid) -> None:
        if isinstance(said, LinkChanged):
            self._loop.call_soon_threadsafe(self.told.put_nowait, (said.up, time.monotonic()))

    async def next(self, *, up: bool) -> float:
        """Return when it was told that its connection is up, or gone."""
        async with asyncio.timeout(PATIENCE_S):
            said, at = await self.told.get()
        assert said == up
        return at


@asynccontextmanager
async def line(broker: Broker) -> AsyncIterator[tuple[Proxy, Wire]]:
    wire, proxy = Wire(host="127.0.0.1", port=free_port()), Proxy(broker.wire.port)
    await proxy.start(wire.port)
    yield proxy, wire
    await proxy.stop()


async def chat(end: End) -> None:
    """Say something all the time, as a gate does where people come and go."""
    while True:
        end.link.say(end.place.topic("scan"), b"{}")
        await asyncio.sleep(BUSY_S)


def lost(broker: Broker, place: Place) -> float:
    """Return when the broker says that a gate is gone."""
    ear = Ear(broker, place.topic("status"))
    ear.until(lambda heard: decode(Status, heard.payload).reason == "lost", within_s=PATIENCE_S)
    ear.stop()
    return time.monotonic()


async def noticed(broker: Broker) -> list[float]:
    """Swallow what gates and their broker say to each other, with no way back; return how long each end believed it.

    Each line goes silent at another time, for pings, and the broker's look at them, have rhythms of their own.
    """
    async with line(broker) as (proxy, wire):
        ends = [End(wire, place) for place in PLACES]
        for end in ends:
            await end.next(up=True)
        proxy.shut()
        talk = asyncio.create_task(chat(ends[0]))
        took = await asyncio.gather(*(cut(broker, *each) for each in zip(ends, proxy.lines, CUT_S, strict=True)))
        talk.cancel()
        for end in ends:
            await asyncio.to_thread(end.link.stop)
    return [seconds for each in took for seconds in each]


async def cut(broker: Broker, end: End, line: Line, after_s: float) -> tuple[float, float]:
    """Let a line go silent; return for how long its gate and the broker believed in it."""
    will = asyncio.create_task(asyncio.to_thread(lost, broker, end.place))
    await asyncio.sleep(after_s)
    begun, line.silent = time.monotonic(), True
    return await end.next(up=False) - begun, await will - begun


def test_a_half_open_line_is_noticed_at_both_ends(broker: Broker) -> None:
    took = asyncio.run(noticed(broker))
    print("seconds at the gates:", [round(each, 1) for each in took[::2]])
    print("seconds at the broker:", [round(each, 1) for each in took[1::2]])
    assert len(took) == 2 * len(PLACES)
    assert min(took) > 1
    assert max(took) < NOTICED_S
