"""What the tests of signing in through an identity provider share: a board with one, and who goes there and back."""

from __future__ import annotations

import http.client
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from controller.oidc.emulated import CLIENT, SECRET, Emulated, Fault
from controller.rights import Person
from controller.store import Store
from tests.boarders import Pages, Past, Visitor, running

GUARD = Person(name="guard 7", role="guard", reach=("expo",))
TROUBLES: tuple[Fault, ...] = ("slow", "drip", "html", "broken", "huge")


class Board:
    """A board with an identity provider, and who goes from one to the other."""

    def __init__(self, office: Pages, provider: Emulated) -> None:
        self.office = office
        self.provider = provider
        office.accounts.add(GUARD)
        office.accounts.bind(GUARD.name, provider.issuer, "guard-7")

    def visitor(self) -> Visitor:
        return Visitor(self.office.config.web.port)

    def leave(self, visitor: Visitor, to: str = "/") -> str:
        """Press the button; return where the browser is sent."""
        status, page = visitor.post("/sign-in/provider", to=to)
        assert status == 200, page
        return way(page)

    def back(self, sent: str, **typed: str) -> str:
        """Sign in over there; return where the browser is sent back to."""
        asked = dict(parse_qsl(urlsplit(sent).query)) | {"subject": "guard-7", "go": "yes"} | typed
        connection = http.client.HTTPConnection(urlsplit(sent).netloc, timeout=20)
        connection.request("POST", "/authorize", urlencode(asked))
        answer = connection.getresponse()
        connection.close()
        assert answer.status == 302
        found = answer.headers["Location"]
        return found.removeprefix(self.office.config.web.oidc.url)

    def sign_in(self, visitor: Visitor, **typed: str) -> tuple[int, str]:
        return visitor.get(self.back(self.leave(visitor), **typed))


def way(page: str) -> str:
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
    assert found, page
    return unescape(found[1])


def secret(folder: Path, text: str = SECRET, mode: int = 0o600) -> str:
    path = folder / "oidc.secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def at_board(folder: Path, provider: Emulated, **oidc: Any) -> Any:
    with Store(folder / "controller.db"):
        pass
    given = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": secret(folder), "answer_s": 1.0} | oidc
    return running(folder, Past(folder / "controller.db"), **given)


def board_visitor(office: Pages) -> Visitor:
    return Visitor(office.config.web.port)
