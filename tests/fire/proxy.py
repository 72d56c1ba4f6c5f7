"""A bad line: a TCP proxy on loopback whose connections are reset, go silent, half close or crawl when told to."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

CHUNK: Final = 1 << 16  # bytes
RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s: closing says RST, as a box does that lost its memory


class Line:
    """One connection through the proxy: the client's end and the broker's."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter) -> None:
        self._ends = (client, broker)
        self.silent = False  # what either end says is swallowed from now on, also that it has gone

    def reset(self) -> None:
        """Tear the connection down at both ends."""
        for end in self._ends:
            _reset(end)

    def half_close(self) -> None:
        """Let the broker see its end; the client hears nothing any more."""
        self.silent = True
        _reset(self._ends[1])


def _reset(end: asyncio.StreamWriter) -> None:
    if not end.is_closing():
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.close()


class Proxy:
    """Carries connections to one port of loopback. All of it lives in one event loop."""

    def __init__(self, port: int) -> None:
        self.lines: list[Line] = []
        self.delay_s: Callable[[], float] = lambda: 0.0  # for each piece that is carried, either way
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    def shut(self) -> None:
        """Let nobody in any more; the lines there are stay."""
        self._server.close()

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            broker, to_broker = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:  # the broker is down: so is the line
            _reset(to_client)
            return
        line = Line(to_client, to_broker)
        self.lines.append(line)
        try:
            await asyncio.gather(self._carry(client, to_broker, line), self._carry(broker, to_client, line))
        finally:
            self.lines.remove(line)
            line.reset()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, line: Line) -> None:
        """Carry one way until an end goes; then the other may know, unless the line is silent."""
        try:
            while data := await source.read(CHUNK):
                await asyncio.sleep(self.delay_s())
                if not line.silent:
                    sink.write(data)
                    await sink.drain()
        except OSError:  # either end was torn down
            pass
        if not line.silent:
            sink.close()
