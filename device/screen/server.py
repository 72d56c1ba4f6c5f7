"""The screen's own process: takes what the gate says from a pipe and serves it as a page, to a browser on this machine.

Every message is answered with its number once the pages have it; so the gate's side knows that this process lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from device.kin import belong_to
from device.preview import Preview
from device.screen.phrases import face
from device.shown import Shown
from device.wire import serving
from device.wire.hardened import LOOPBACK, Hardened

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).with_name("page")
FILES: Final = {"/": "screen.html"} | {f"/{name}": name for name in ("screen.css", "screen.js", "icon.svg")}
PULSE_S: Final = 2.0  # seconds between two signs of life on an open page
AT_ONCE: Final = 32  # connections; one display needs three

# A page of this machine may show the screen in a frame, as the emulated kiosk does.
FRAMED: Final = "frame-ancestors http://127.0.0.1:* http://localhost:*"


class Screen:
    """The page and what it says now. All of it lives in one event loop."""

    def __init__(self, language: str, preview: Preview | None) -> None:
        self._language = language
        self._preview = preview
        self._shown = Shown(state="closed")
        self._changed = asyncio.Event()

    def show(self, shown: Shown) -> None:
        """Have every open page say something else."""
        self._shown = shown
        self._changed.set()
        self._changed = asyncio.Event()

    def app(self, hosts: tuple[str, ...]) -> Starlette:
        """Return the pages, answered only under these names: a page elsewhere cannot be made to look like ours."""
        return Starlette(
            routes=[
                *serving.files(PAGE, FILES),
                Route("/shown", self._follow),
                Route("/live.jpg", self._live),
            ],
            middleware=[
                Middleware(Hardened, policy=FRAMED),
                Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            ],
        )

    async def _follow(self, _: Request) -> Response:
        return StreamingResponse(self._faces(), media_type="text/event-stream")

    async def _faces(self) -> AsyncIterator[bytes]:
        """Yield what is shown, now and whenever it changes, and in between a sign of life."""
        yield b"retry: 500\n\n"
        while True:
            changed = self._changed
            said = face(self._shown) | {
                "language": self._language,
                "spoken": self._shown.language or "",
                "live": self._preview is not None,
                "closed": face(Shown(state="closed")),
            }
            yield b"data: " + msgspec.json.encode(said) + b"\n\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), PULSE_S)

    async def _live(self, request: Request) -> Response:
        client = request.client.host if request.client else ""
        if self._preview is None or not is_loopback(client):
            return Response(status_code=404)
        jpeg = self._preview.look()
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=204)


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(pipe: Connection, *, parent: int, host: str, port: int, language: str, preview: str) -> None:
    """Be the process, until the pipe ends. It ends with `parent`, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    belong_to(parent, "menshen-screen")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        pipe.send(f"{host}:{port} cannot be had: {error.strerror}; choose another [screen] port")
        raise SystemExit(1) from error
    place = Preview(preview) if preview else None
    asyncio.run(_serve(pipe, listening, Screen(language, place), hosts=(*LOOPBACK, host)))


async def _serve(pipe: Connection, listening: socket.socket, screen: Screen, *, hosts: tuple[str, ...]) -> None:
    server = serving.server(screen.app(hosts), at_once=AT_ONCE, goodbye_s=1)
    loop = asyncio.get_running_loop()

    def take(number: int, shown: Shown) -> None:
        screen.show(shown)
        pipe.send(number)

    def hear() -> None:
        with contextlib.suppress(EOFError, OSError):  # the gate is gone, and with it the reason to be here
            while True:
                number, shown = pipe.recv()
                loop.call_soon_threadsafe(take, number, shown)
        server.should_exit = True

    threading.Thread(target=hear, name="pipe", daemon=True).start()
    await server.serve(sockets=[listening])
