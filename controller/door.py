"""Where new gates knock: two questions over HTTP, small, few at a time, and one answer for everything that is wrong."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from controller.enrol import EnrolError, Registrar
from device.wire.enrolment import MAX_BYTES, ClaimError, EnrolRequest, Refused, RenewRequest, read
from device.wire.serving import Serving

log = logging.getLogger(__name__)

BODY_S: Final = 5.0  # seconds a caller has to say all it has to say
AT_ONCE: Final = 100  # callers; more are told to come back
REFUSED: Final = Refused(error="refused: ask for a new claim code")

Q = TypeVar("Q", bound=Struct)


def app(registrar: Registrar) -> Starlette:
    """Return the pages: /enrol and /renew."""
    return Starlette(
        routes=[
            Route("/enrol", _page(EnrolRequest, registrar.enrol), methods=["POST"]),
            Route("/renew", _page(RenewRequest, registrar.renew), methods=["POST"]),
        ]
    )


def _page(kind: type[Q], answer: Callable[[Q], Struct]) -> Callable[[Request], object]:
    async def page(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(request)
            said = await run_in_threadpool(answer, read(kind, body))
        except (ClaimError, EnrolError, TimeoutError, ClientDisconnect) as error:
            log.warning("%s refused at %s: %s", request.client.host if request.client else "?", request.url.path, error)
            return _json(REFUSED, 403)
        return _json(said, 200)

    return page


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise ClaimError(f"more than {MAX_BYTES} bytes")
    return body


def _json(said: Struct, status: int) -> Response:
    return Response(msgspec.json.encode(said), status, media_type="application/json")


class Door(Serving):
    """The pages at work, in a thread of their own."""

    def __init__(self, registrar: Registrar, port: int, *, host: str = "") -> None:
        """Take the port at once; raise OSError where another program has it. Without a host: every address."""
        every = not host and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if every or ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, dualstack_ipv6=every)
        super().__init__(app(registrar), listening, name="door", at_once=AT_ONCE)
