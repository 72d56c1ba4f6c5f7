"""One question to an identity provider: over before a moment that is set, and no larger than it may be."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from controller.oidc.settings import DEFAULT_PORT, safe
from device.codes import jose
from device.codes.jose import JoseError

MAX_ANSWER: Final = 256 * 1024  # bytes; tokens of people in very many groups are long
OK: Final = 200


class CallError(RuntimeError):
    """The provider gave no answer that can be used; the text says what it did instead."""


class Answer(NamedTuple):
    """What it says, and when, by its own clock."""

    status: int
    said: dict[str, Any]
    at: datetime | None


def context(ca: str) -> ssl.SSLContext:
    """Return whom to believe that they are the provider. Raise CallError."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise CallError(f"web.oidc.ca: {ca} cannot be used: {error}") from error


def call(
    url: str,
    until: float,
    trusted: ssl.SSLContext,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask for one JSON object, until a moment of the monotonic clock. It goes where it is told, and no further.

    Raise CallError. An answer that is an error in the provider's own words is one as well.
    """
    if not safe(url):
        raise CallError(f"{url!r} is no https address")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORT[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host, port)
    asked = {"Accept": "application/json", "Connection": "close", **(headers or {})}
    body = None
    if form is not None:
        body, asked["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    try:
        with _line(host, port, until, trusted if parts.scheme == "https" else None) as line:
            connection.sock = line
            connection.request("POST" if form is not None else "GET", path, body, asked)
            with connection.getresponse() as response:
                said = response.read(MAX_ANSWER + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() >= until
        raise CallError(f"{url}: {'no answer in time' if late else error or type(error).__name__}") from error
    finally:
        connection.close()
    return Answer(response.status, read(url, response.status, said), _date(response.getheader("Date", "")))


@contextmanager
def _line(host: str, port: int, until: float, trusted: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """Open a line that is cut when the time is over, also on a provider that says a byte now and then."""
    plain = socket.create_connection((host, port), timeout=_left(until))
    line = trusted.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) if trusted else plain
    alarm = threading.Timer(_left(until), _cut, (line,))
    alarm.daemon = True
    alarm.start()
    try:
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        yield line
    finally:
        alarm.cancel()
        line.close()


def _left(until: float) -> float:
    return max(0.001, until - time.monotonic())


def _cut(line: socket.socket) -> None:
    """Wake whoever waits on the line; an encrypted one without its farewell, which would wait as well."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def read(url: str, status: int, said: bytes) -> dict[str, Any]:
    """Return the JSON object that an answer is; raise CallError."""
    if len(said) > MAX_ANSWER:
        raise CallError(f"{url}: answers with more than {MAX_ANSWER} bytes")
    try:
        found = jose.loads(said)
    except JoseError as error:
        raise CallError(f"{url}: answers with HTTP status {status}, and what it says is {error}") from error
    if status != OK:
        raise CallError(f"{url}: answers with HTTP status {status}, {found.get('error', 'without a word')!s:.80}")
    return found


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None
