"""What every page of ours says to a browser: nothing comes from elsewhere, and none is used elsewhere."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")  # names under which a browser on this machine asks
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


class Hardened:
    """Adds it to every answer. `policy` is what this page needs beside POLICY; `camera` lets it ask for one."""

    def __init__(self, app: ASGIApp, *, policy: str, camera: bool = False) -> None:
        self._app = app
        headers = {
            "content-security-policy": f"{POLICY}; {policy}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": f"camera=({'self' if camera else ''}), microphone=(), geolocation=()",
            "cache-control": "no-store",
        }
        self._headers = {name.encode(): value.encode() for name, value in headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the answer on with the headers in the place of its own."""

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0].lower() not in self._headers]
                message["headers"] = [*kept, *self._headers.items()]
            await send(message)

        await self._app(scope, receive, hardened)
