"""The emulated upstream verifier: a small web server that answers with the colour which the code's text names."""

from __future__ import annotations

import logging
from typing import Any, Final

import click
import msgspec

from device.codes.upstream import MAX_ANSWER
from device.wire.loopback import Loopback, Page

log = logging.getLogger(__name__)

COLOURS: Final = ("green", "yellow", "red")
PORT: Final = 8471
DRIP_S: Final = 1.0


class Verifier(Loopback):
    """Answers on the loopback address until it is closed.

    A text with `green`, `yellow` or `red` in it is that colour, one with `slow` is never answered, one with `drip` a
    byte at a time, one with `broken` with nonsense, and any other is unknown.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port, name="verifier")
        self.asked: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://127.0.0.1:{self.port}/code"

    def answer(self, page: Page) -> None:
        """Answer one question as its text asks for."""
        size = int(page.headers.get("Content-Length", 0))
        question = msgspec.json.decode(page.rfile.read(min(size, MAX_ANSWER)))
        self.asked.append(question)
        self.tokens.append(page.headers.get("Authorization"))
        code = str(question.get("code", ""))
        if "slow" in code:
            self._closed.wait()
            return
        colour = next((colour for colour in COLOURS if colour in code), None)
        answer = b"<html>" if "broken" in code else msgspec.json.encode({"colour": colour})
        page.send_response(200 if colour or "broken" in code or "drip" in code else 404)
        page.send_header("Content-Length", str(len(answer)))
        page.end_headers()
        self._say(page, answer, drip="drip" in code)

    def _say(self, page: Page, answer: bytes, *, drip: bool) -> None:
        try:
            if drip:
                self.drip(page, answer, DRIP_S)
            else:
                page.wfile.write(answer)
        except OSError:
            log.info("the gate hung up")


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where it answers. 端口")
def command(*, port: int) -> None:
    """Answer as an upstream verifier would, with the colour in the code's text. 模拟上游验码服务"""
    verifier = Verifier(port)
    verifier.start()
    click.echo(verifier.url)
    try:
        verifier.wait()
    finally:
        verifier.close()
