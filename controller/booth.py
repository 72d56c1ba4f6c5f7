"""The kiosk's page: shows what the parts of the emulated gate do, and passes on what people do before it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from controller import telling
from controller.doors import HERE
from controller.tray import TRAY
from controller.world import ActError, Happened, World
from device.wire.hardened import LOOPBACK, Hardened
from device.wire.messages import EVENTS, MessageError, Text, decode
from device.wire.plain import harmless
from device.wire.serving import files, server
from device.wire.words import Language

PAGE: Final = Path(__file__).with_name("page")
FILES: Final = {"/": "kiosk.html"} | {f"/{name}": name for name in ("kiosk.css", "kiosk.js", "kiosk.svg")}
FRAMES: Final = "frame-src http://127.0.0.1:* http://localhost:*; media-src 'self' blob:; frame-ancestors 'none'"
OURS: Final = "x-menshen"  # a header that a page from elsewhere cannot send here
LINE_MAX: Final = 8000  # bytes of an act; a certificate in a code is long
PICTURE_MAX: Final = 8_000_000  # bytes of a picture
LOOK_S: Final = 0.1  # seconds between two looks at the world
PULSE_S: Final = 2.0  # seconds after which it is told though nothing happened
TONGUES: Final[tuple[Language, ...]] = ("zh", "en")
PICTURE: Final = re.compile(rb"\xff\xd8\xff|\x89PNG|BM|RIFF....WEBP", re.DOTALL)


class Booth:
    """The page at work in this thread, until interrupted."""

    def __init__(self, world: World, port: int, tongue: Language) -> None:
        """Take the port at once; raise OSError where another program has it."""
        self._world = world
        self._tongue = tongue
        self._folder = world.folder
        self._uploads = 0
        self._socket = socket.create_server((HERE, port))
        self._server = server(self._app(), goodbye_s=1)

    @property
    def port(self) -> int:
        """Return the TCP port, also where any was asked for with 0."""
        return int(self._socket.getsockname()[1])

    def run(self) -> None:
        """Answer until interrupted."""
        self._server.run([self._socket])

    def stop(self) -> None:
        """End it from another thread."""
        self._server.should_exit = True

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                *files(PAGE, FILES),
                Route("/setup", self._setup),
                Route("/world", self._follow),
                Route("/act", self._act, methods=["POST"]),
                Route("/picture", self._picture, methods=["POST"]),
                Route("/frame", self._frame, methods=["POST"]),
            ],
            middleware=[
                Middleware(Hardened, policy=FRAMES, camera=True),
                Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False),
            ],
        )

    async def _setup(self, _: Request) -> Response:
        tray = [{"name": name, "zh": item.title.zh, "en": item.title.en} for name, item in TRAY.items()]
        return _json({"language": self._tongue, "screen": self._world.screen_port, "tray": tray})

    async def _follow(self, _: Request) -> Response:
        return StreamingResponse(self._changes(), media_type="text/event-stream")

    async def _changes(self) -> AsyncIterator[bytes]:
        """Yield how the world is, and what happened since it was told last."""
        told, at = 0, 0.0
        yield b"retry: 500\n\n"
        while True:
            count, now = self._world.count, time.monotonic()
            if count != told or now - at >= PULSE_S:
                past = [_told(each) for each in self._world.since(told)]
                said = {"now": now, "past": past, **_state(self._world)}
                told, at = count, now
                yield b"data: " + msgspec.json.encode(said) + b"\n\n"
            await asyncio.sleep(LOOK_S)

    async def _act(self, request: Request) -> Response:
        body = await _body(request, LINE_MAX)
        if body is None:
            return _json({"problem": "not an act"}, 400)
        return await self._done(" ".join(body.decode("utf-8", "replace").splitlines()))

    async def _picture(self, request: Request) -> Response:
        """Let the camera see a picture that somebody uploaded."""
        body = await _body(request, PICTURE_MAX)
        if body is None or not PICTURE.match(body):
            return _json({"problem": "JPEG, PNG, WebP or BMP, up to 8 MB 图片格式不支持或过大"}, 400)
        self._uploads += 1
        path = self._folder / f"upload-{self._uploads % 2}"
        await run_in_threadpool(_replace, path, body)
        return await self._done(f"picture {path}")

    async def _frame(self, request: Request) -> Response:
        """Let the camera see the next picture of a laptop's."""
        body = await _body(request, PICTURE_MAX)
        if body is None or not PICTURE.match(body):
            return _json({"problem": "not a picture"}, 400)
        path = self._folder / "laptop"
        first = not path.exists()
        await run_in_threadpool(_replace, path, body)
        return await self._done(f"picture {path}") if first or "start" in request.query_params else _json({})

    async def _done(self, line: str) -> Response:
        try:
            await run_in_threadpool(self._world.act, line)
        except ActError as error:
            return _json({"problem": harmless(str(error), 400)}, 409)
        return _json({})


async def _body(request: Request, most: int) -> bytes | None:
    """Return what was sent by our own page; None when it was not, or is too much."""
    if OURS not in request.headers:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            return None
    return bytes(body)


def _json(said: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(said), status, media_type="application/json")


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(path)


def _state(world: World) -> dict[str, Any]:
    return {
        "pins": dict(world.pins),
        "lamp": world.lamp,
        "power": world.power,
        "network": world.network,
        "alerts": [_alert(kind, alert) for kind, alert in sorted(world.alerts.items())],
    }


def _alert(kind: str, alert: dict[str, Any]) -> dict[str, Any]:
    name, what = telling.ALERTS.get(kind, Text(kind, kind)), alert.get("what", {})
    return {"kind": kind, "zh": what.get("zh") or name.zh, "en": what.get("en") or name.en}


def _told(each: Happened) -> dict[str, Any]:
    """Return one thing that happened as the page needs it, events in words."""
    said: dict[str, Any] = {"at": each.at, "what": each.what, "name": each.name}
    if each.what == "event":
        with contextlib.suppress(MessageError):
            event = decode(EVENTS[each.name], msgspec.json.encode(each.detail))  # type: ignore[index]
            style = telling.STYLES.get(event.event_type, "")
            words = {
                tongue: f"{telling.headline(event, tongue)}  {telling.details(event, tongue)}" for tongue in TONGUES
            }
            return said | words | {"style": style}
    if each.what == "act":
        said["name"] = harmless(each.name, 80)
    if each.what == "alert":
        name = telling.ALERTS.get(each.name, Text(each.name, each.name))
        said |= {"zh": name.zh, "en": name.en}
    return said | each.detail
