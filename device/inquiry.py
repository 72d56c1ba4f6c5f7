"""Asks the upstream verifier about a code, in a thread of its own: the entrance goes on with other codes meanwhile.

The entrance keeps the time: whatever holds the thread up, a code without an answer is settled when its time is over.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from device.codes import Checked, upstream
from device.codes.upstream import MAX_ANSWER, AnswerError, Light
from device.config import UpstreamSection
from device.sight import Seen
from device.wire.messages import Place

MOST_WAITING: Final = 16  # codes; one more is settled at once


class InquiryError(ValueError):
    """Settings with which nobody can be asked; the text says what to change."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of a code that was asked about; `problem` says why there was no answer."""

    number: int  # of the question
    seen: Seen
    checked: Checked
    problem: str = ""


class Asked(NamedTuple):
    """A question that waits for its answer."""

    seen: Seen
    until: float  # monotonic seconds


class Line(NamedTuple):
    """A connection's socket, which http.client lets go of early, and the question it was made for."""

    number: int
    socket: socket.socket


class Inquiry:
    """Questions and their answers. `ask`, `settled` and `overdue` are the entrance's; the thread only puts answers."""

    def __init__(self, settings: UpstreamSection, place: Place, tell: Callable[[Answered], None]) -> None:
        self._settings = settings
        self._place = place
        self._tell = tell
        self._server = Server(settings)
        self._waiting: dict[int, Asked] = {}
        self._number = 0
        self._inbox: queue.SimpleQueue[tuple[int, Seen] | None] = queue.SimpleQueue()
        self._line: Line | None = None  # the one that is open now
        self.thread = threading.Thread(target=self._run, name="inquiry", daemon=True)

    def owns(self, data: bytes) -> bool:
        """Tell whether the upstream is to be asked about this text."""
        return upstream.owns(data, self._settings.owns)

    def ask(self, seen: Seen, now: float) -> None:
        """Put a question; its answer, or that there is none, comes in time."""
        self._number += 1
        room = len(self._waiting) < MOST_WAITING
        self._waiting[self._number] = Asked(seen, now + self._settings.answer_s if room else now)
        if room:
            self._inbox.put((self._number, seen))

    def patience(self, most: float, now: float) -> float:
        """Return how long the entrance may wait for something else, at most `most`."""
        return max(0.0, min(most, *(asked.until - now for asked in self._waiting.values()), most))

    def settled(self, answered: Answered) -> bool:
        """Take note of an answer; False when the code was settled without it already."""
        return self._waiting.pop(answered.number, None) is not None

    def overdue(self, now: float) -> Iterator[Answered]:
        """Settle what nobody answered in time."""
        for number, asked in list(self._waiting.items()):
            if now >= asked.until:
                del self._waiting[number]
                self._hang_up(number)
                late = f"{self._server} did not answer within {self._settings.answer_s:g} s"
                yield self._unanswered(number, asked.seen, late)

    def stop(self) -> None:
        """End the thread; what waits is not answered any more."""
        numbers = list(self._waiting)
        self._waiting.clear()
        self._inbox.put(None)
        for number in numbers:
            self._hang_up(number)
        if self.thread.is_alive():
            self.thread.join(timeout=self._settings.answer_s + 1)

    def _hang_up(self, number: int) -> None:
        """Wake the thread from a server that says a byte now and then."""
        line = self._line
        if line and line.number == number:
            with contextlib.suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while (question := self._inbox.get()) is not None:
            number, seen = question
            if number in self._waiting:  # else its time was over before its turn came
                self._tell(self._answer(number, seen))

    def _answer(self, number: int, seen: Seen) -> Answered:
        connection = self._server.connection()
        try:
            connection.connect()
            self._line = Line(number, connection.sock)
            checked = self._server.ask(connection, seen.code.data, self._place)
            return Answered(number=number, seen=seen, checked=checked)
        except (OSError, http.client.HTTPException, AnswerError) as error:
            return self._unanswered(number, seen, f"{self._server}: {error}; is it up, and the network?")
        finally:
            self._line = None
            connection.close()

    def _unanswered(self, number: int, seen: Seen, problem: str) -> Answered:
        checked = upstream.unanswered(seen.code.data, self._settings.fallback)
        return Answered(number=number, seen=seen, checked=checked, problem=problem)


class Server:
    """Where the upstream answers, and how it is spoken with. Raise InquiryError for settings that cannot work."""

    def __init__(self, settings: UpstreamSection) -> None:
        self._settings = settings
        url = urlsplit(settings.url)
        try:
            self._host, self._port = url.hostname or "", url.port
        except ValueError as error:
            raise InquiryError(f"upstream.url: {settings.url!r}: {error}") from error
        if url.scheme not in ("http", "https") or not self._host or url.username or url.fragment:
            raise InquiryError(f"upstream.url: {settings.url!r} is not such as https://verify.example/code")
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if not settings.owns or "" in settings.owns:
            raise InquiryError("upstream.owns: say how the texts begin that it is asked about, such as CODE:")
        self._context = _context(settings.ca) if url.scheme == "https" else None
        self._lights = _lights(settings)
        self._headers = {"Content-Type": "application/json", "Connection": "close"}
        if settings.token:
            self._headers["Authorization"] = f"Bearer {_token(Path(settings.token))}"

    def __str__(self) -> str:
        return f"{self._host}:{self._port}" if self._port else self._host

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that is not open yet."""
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._settings.answer_s)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._settings.answer_s, context=self._context
        )

    def ask(self, connection: http.client.HTTPConnection, data: bytes, place: Place) -> Checked:
        """Put one question. Raise AnswerError, OSError or HTTPException where no answer comes of it."""
        question = {"code": data.decode("utf-8", "replace"), "entrance": str(place)}
        connection.request("POST", self._path, msgspec.json.encode(question), self._headers)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER + 1)
        if len(answer) > MAX_ANSWER:
            raise AnswerError(f"it answers with more than {MAX_ANSWER} bytes")
        return upstream.judge(data, response.status, answer, field=self._settings.field, lights=self._lights)


def _lights(settings: UpstreamSection) -> dict[str, Light]:
    meant: tuple[tuple[Light, tuple[str, ...]], ...] = (
        ("green", settings.green),
        ("yellow", settings.yellow),
        ("red", settings.red),
    )
    lights: dict[str, Light] = {}
    for light, names in meant:
        for name in names:
            if lights.setdefault(name, light) != light:
                raise InquiryError(f"upstream: {name!r} cannot be both {lights[name]} and {light}")
    return lights


def _context(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise InquiryError(f"upstream.ca: {ca} cannot be used: {error}") from error


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise InquiryError(f"upstream.token: {path} cannot be read: {error}") from error
    if not token.isprintable() or not token:
        raise InquiryError(f"upstream.token: {path} holds no token in one line")
    return token
