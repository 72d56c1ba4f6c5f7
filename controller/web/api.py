"""/api/v1: the same questions the pages ask, for programs, under the same rights. Each is described once, here.

A program shows the token of `menshen user token` as `Authorization: Bearer ...`. A signed-in browser may ask as well,
but change nothing: what a form of ours carries would be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller import history, overview
from controller.database import StoreError, now
from controller.history import Day, Wanted, WantedAlerts
from controller.overview import Entrance
from controller.rights import Act
from controller.web import entrance, visit
from controller.web.events import wanted
from controller.web.visit import RefusedError, Visit

ROOT: Final = "/api/v1"
BEARER: Final = "Bearer "


class Nothing(Struct, frozen=True):
    """A question without parameters."""


class OnDay(Struct, frozen=True):
    """Which day."""

    day: str = ""  # YYYY-MM-DD by the controller's clock; none: today


class AnEvent(Struct, frozen=True, kw_only=True):
    """One event; `at` is mended where `clock` says so, and the payload is as the gate said it."""

    arrival: int
    site: str
    entrance: str
    kind: str
    event_type: str
    at: str
    clock: str
    received_at: str
    payload: dict[str, Any]


class AnAlert(Struct, frozen=True, kw_only=True):
    """One alert, open or past."""

    id: int
    site: str
    entrance: str
    kind: str
    state: str
    severity: str
    since: str
    updated: str
    resolved_at: str | None
    resolution: str | None
    count: int
    what_zh: str
    what_en: str
    next_zh: str
    next_en: str


class Events(Struct, frozen=True, kw_only=True):
    """A page of events, newest first. `older` is what to ask for as `before` next; 0: there are no more."""

    events: list[AnEvent]
    older: int


class Alerts(Struct, frozen=True, kw_only=True):
    """A page of alerts, newest first."""

    alerts: list[AnAlert]
    older: int


class Problem(Struct, frozen=True):
    """Why there is no answer."""

    error: str


class Question(NamedTuple):
    """One thing that can be asked: where, what for, with what, and what comes back."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    asked: type[Struct]
    answer: Any
    act: Act
    function: Callable[[Visit, Any], Any]


def _entrances(asker: Visit, _asked: Nothing) -> list[Entrance]:
    with asker.house.readers.lent() as store:
        return overview.entrances(store, now(), asker.person)


def _day(asker: Visit, asked: OnDay) -> Day:
    where, at = entrance.place(asker), now()
    with asker.house.readers.lent() as store:
        return history.day(store, where, history.day_of(asked.day, at), at)


def _events(asker: Visit, asked: Wanted) -> Events:
    with asker.house.readers.lent() as store:
        found = history.events(store, asked, asker.person)
    return Events(events=msgspec.convert(found.rows, list[AnEvent]), older=found.older)


def _alerts(asker: Visit, asked: WantedAlerts) -> Alerts:
    with asker.house.readers.lent() as store:
        found = history.alerts(store, asked, asker.person)
    return Alerts(alerts=msgspec.convert(found.rows, list[AnAlert]), older=found.older)


QUESTIONS: Final = (
    Question("GET", "/entrances", "All entrances, the worst first", Nothing, list[Entrance], "see", _entrances),
    Question("GET", "/entrances/{site}/{entrance}/day", "A day by quarters of an hour", OnDay, Day, "see", _day),
    Question("GET", "/events", "Events, the newest first", Wanted, Events, "see", _events),
    Question("GET", "/alerts", "Alerts open and past, the newest first", WantedAlerts, Alerts, "see", _alerts),
)  # fmt: skip


def routes() -> list[Route]:
    """Return where each question is asked."""
    return [Route(ROOT + each.path, _answering(each), methods=[each.method]) for each in QUESTIONS]


def _answering(question: Question) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            asker = _asker(request)
            asker.need(question.act)
            return _json(question.function(asker, wanted(request.query_params, question.asked)))
        except RefusedError as error:
            return _json(Problem(error.word), error.status)
        except StoreError as error:
            return _json(Problem(str(error)), 503)

    return answer


def _asker(request: Request) -> Visit:
    """Return who asks: whose token it is, or who has signed in."""
    shown = request.headers.get("authorization", "")
    if not shown.startswith(BEARER):
        seen = visit.visit(request)
        if seen is None:
            raise RefusedError(401, "sign_in")
        return seen
    house = visit.house(request)
    person = house.accounts.bearer(shown.removeprefix(BEARER).strip())
    if person is None:
        raise RefusedError(401, "wrong_token")
    return Visit(request, house, person, "", visit.tongue(request))


def _json(answer: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, media_type="application/json")
