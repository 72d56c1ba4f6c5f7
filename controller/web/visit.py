"""Who asks for a page, in which language, and whether they may: what every page begins with."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller.accounts import Accounts
from controller.config import Config
from controller.rights import Act, Person
from controller.store import Store
from controller.web.away import Away
from controller.web.patience import Patience
from controller.web.readers import Readers
from device.wire.words import Language

SESSION: Final = "menshen"  # the cookies' names
LANGUAGE: Final = "language"
THEME: Final = "theme"
THEMES: Final = ("light", "dark")
MAX_BODY: Final = 16 * 1024  # bytes of a form
FIELDS: Final = 50


class House(NamedTuple):
    """What the pages share."""

    config: Config
    readers: Readers
    accounts: Accounts
    patience: Patience
    away: Away | None = None  # the identity provider, where there is one

    def note(self, by: str, change: str, **what: Any) -> None:
        """Write into the journal what somebody did to a user."""
        with Store(Path(self.config.store.path)) as store:
            store.note(by, change, **what)


class RefusedError(Exception):
    """A page that this visitor does not get; the answer says why."""

    def __init__(self, status: int, word: str, detail: str = "") -> None:
        super().__init__(word)
        self.status = status
        self.word = word
        self.detail = detail


class Visit(NamedTuple):
    """One request of somebody who has signed in, or of a program with a token."""

    request: Request
    house: House
    person: Person
    form: str  # what each form must carry
    tongue: Language

    def need(self, act: Act) -> None:
        """Raise RefusedError where this person's role does not do that."""
        if not self.person.may(act):
            raise RefusedError(403, "not_yours")


def house(request: Request) -> House:
    """Return what the pages share."""
    found: House = request.app.state.house
    return found


def tongue(request: Request) -> Language:
    """Return the language chosen, or the first of the browser's that is ours, or Chinese."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen in ("zh", "en"):
        return "zh" if chosen == "zh" else "en"
    for part in request.headers.get("accept-language", "").lower().split(","):
        if part.strip()[:2] in ("zh", "en"):
            return "zh" if part.strip().startswith("zh") else "en"
    return "zh"


def theme(request: Request) -> str:
    """Return light or dark, or nothing: as the system has it."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else ""


def local(path: str) -> str:
    """Return a path of ours to go back to; the board for anything else."""
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if good else "/"


def visit(request: Request) -> Visit | None:
    """Return who has signed in with this browser."""
    session = house(request).accounts.session(request.cookies.get(SESSION, ""), time.time())
    return session and Visit(request, house(request), session.person, session.form, tongue(request))


Page = Callable[[Visit], Response]


def signed_in(page: Page) -> Callable[[Request], Response]:
    """Make a page of those who have signed in; others are asked to. Runs in a thread, as it asks the database."""

    def answer(request: Request) -> Response:
        visitor = visit(request)
        if visitor is None:
            if request.headers.get("hx-request"):
                return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
            wanted = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse("/sign-in?" + urlencode({"to": local(wanted)}), 303)
        return page(visitor)

    return answer


async def body(request: Request) -> bytes:
    """Read what somebody sends, of bounded size; raise RefusedError."""
    said = b""
    async for part in request.stream():
        said += part
        if len(said) > MAX_BODY:
            raise RefusedError(413, "too_large")
    return said


async def fields(request: Request) -> dict[str, str]:
    """Read a form of ours; raise RefusedError."""
    said = await body(request)
    try:
        text = said.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS, errors="replace"))
    except ValueError as error:
        raise RefusedError(400, "not_a_form") from error


def same_site(request: Request) -> bool:
    """Tell whether a browser says that a page of ours sent this."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("//")[2] != request.headers.get("host"):
        return False
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def carries(request: Request, given: dict[str, str], form: str) -> None:
    """Raise RefusedError for a form that no page of this session made."""
    if not same_site(request) or not secrets.compare_digest(given.get("form", "").encode(), form.encode()):
        raise RefusedError(403, "not_our_form")


def cookie(
    response: Response, request: Request, name: str, value: str, age_s: int, *, seen: bool = False, path: str = "/"
) -> None:
    """Have a browser keep something; `seen`: our script may read it."""
    kept: dict[str, Any] = {"httponly": not seen, "samesite": "lax", "secure": request.url.scheme == "https"}
    response.set_cookie(name, value, max_age=age_s, path=path, **kept)
