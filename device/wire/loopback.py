"""A small web server on the loopback address, for the emulated services of others: answers until it is closed."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

log = logging.getLogger(__name__)


class Page(BaseHTTPRequestHandler):
    """One question, for whoever answers."""

    server: _Server

    def do_POST(self) -> None:
        """Have it answered."""
        self.server.loopback.answer(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name is its parent's
        """Say it in our log."""
        log.info(format, *args)


class Loopback(ABC):
    """The server, and a thread that waits for questions; each is answered in one of its own, by `answer`."""

    def __init__(self, port: int, *, name: str, page: type[Page] = Page) -> None:
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", port), page)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name, daemon=True)

    @property
    def port(self) -> int:
        """Return where it answers, also where any port was asked for with 0."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Answer until somebody closes it."""
        self._closed.wait()

    @abstractmethod
    def answer(self, page: Page) -> None:
        """Answer one question."""

    def drip(self, page: Page, body: bytes, pause_s: float) -> None:
        """Say a byte now and then, until all is said or somebody closes it."""
        for byte in body:
            page.wfile.write(bytes([byte]))
            if self._closed.wait(pause_s):
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    loopback: Loopback
