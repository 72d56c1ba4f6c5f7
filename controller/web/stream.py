"""Server-sent events: says that something changed, so that a page asks anew. One look at the file serves everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from controller.database import StoreError
from controller.store import Store
from controller.web import visit

LOOK_S: Final = 0.5
QUIET_S: Final = 10.0  # after which it is said all the same: times on the board grow older, and proxies hang up
AT_ONCE: Final = 200  # pages that listen


class Pulse:
    """Counts what was committed, by whichever program, as SQLite's own counter for this connection tells."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._store: Store | None = None
        self._beat = 0
        self._version: int | None = None
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.listeners = 0

    async def after(self, seen: int) -> int:
        """Wait until there is something newer than what was seen, or it has been quiet for long."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: self._beat != seen), QUIET_S)
            except TimeoutError:
                self._beat += 1
            return self._beat

    async def _look(self) -> None:
        """Look as long as somebody listens."""
        while self.listeners:
            version = await run_in_threadpool(self._read)
            if version != self._version:
                self._version = version
                async with self._news:
                    self._beat += 1
                    self._news.notify_all()
            await asyncio.sleep(LOOK_S)

    def _read(self) -> int | None:
        """Ask SQLite whether any other connection has committed; the number means nothing but by changing."""
        try:
            self._store = self._store or Store(self._path, read_only=True)
        except StoreError:
            return None
        return int(self._store.db.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close its connection."""
        if self._store:
            self._store.close()


async def changes(request: Request) -> Response:
    """Say `changed` whenever something did."""
    visitor = await run_in_threadpool(visit.visit, request)
    if visitor is None:
        return Response(status_code=204)  # tells EventSource to give up
    pulse: Pulse = request.app.state.pulse
    if pulse.listeners >= AT_ONCE:
        return Response(status_code=503)
    return StreamingResponse(_told(pulse, request), media_type="text/event-stream")


async def _told(pulse: Pulse, request: Request) -> AsyncIterator[str]:
    pulse.listeners += 1
    try:
        seen = 0
        yield "retry: 2000\n\n"
        while await run_in_threadpool(visit.visit, request):  # whoever is removed hears no more
            seen = await pulse.after(seen)
            yield f"event: changed\nid: {seen}\ndata: {seen}\n\n"
            await asyncio.sleep(LOOK_S)
    finally:
        pulse.listeners -= 1
