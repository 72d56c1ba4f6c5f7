"""How every page of ours is served: quietly, bounded, and where need be in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

END_S = 10.0  # seconds a thread may take to answer what was asked and end


def server(app: ASGIApp, *, at_once: int | None = None, goodbye_s: int | None = None) -> uvicorn.Server:
    """Return a server that logs nothing by itself and says nothing of itself.

    More than `at_once` callers are told to come back; at its end open answers have `goodbye_s` seconds. None: no
    bound.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=at_once,
            timeout_graceful_shutdown=goodbye_s,
        )
    )


def files(folder: Path, names: Mapping[str, str]) -> list[Route]:
    """Return routes that answer with files of a folder, as they are: a path to ask for, and the file's name."""
    return [Route(path, _file(folder / name)) for path, name in names.items()]


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return FileResponse(path)

    return page


class Serving:
    """Pages on a socket that is taken already, answered from a thread."""

    def __init__(self, app: ASGIApp, listening: socket.socket, *, name: str, at_once: int) -> None:
        self._socket = listening
        self._server = server(app, at_once=at_once)
        self.thread = threading.Thread(target=self._server.run, args=([listening],), name=name, daemon=True)

    @property
    def port(self) -> int:
        """Return the TCP port, also where any was asked for with 0."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self.thread.start()

    def stop(self) -> None:
        """Answer what was asked, and end."""
        self._server.should_exit = True
        if self.thread.is_alive():
            self.thread.join(timeout=END_S)
        self._socket.close()
