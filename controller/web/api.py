"""/api/v1: the same questions the pages ask, for programs, under the same rights. Each is described once, here.

A program shows the token of `menshen user token` as `Authorization: Bearer ...`. A signed-in browser may ask as well,
but change nothing: what a form of ours carries would be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from controller import history, overview
from controller.alarms import AlertError
from controller.database import StoreError, now
from controller.history import Day, Wanted, WantedAlerts
from controller.overview import Entrance, Region
from controller.regions import RegionError
from controller.rights import Act
from controller.web import acts, entrance, visit
from controller.web.acts import Noted, Quiet
from controller.web.events import wanted
from controller.web.visit import RefusedError, Visit

ROOT: Final = "/api/v1"
BEARER: Final = "Bearer "


class Nothing(Struct, frozen=True):
    """A question without parameters."""


class InRegion(Struct, frozen=True):
    """Which region."""

    region: Annotated[str, Meta(description=history.REGION)] = ""


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
    raised_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str
    escalated_at: str | None
    resolved_by: str
    note: str


class ASilence(Struct, frozen=True, kw_only=True):
    """What nobody is called about; an empty name stands for any."""

    id: int
    kind: str
    site: str
    entrance: str
    until: str
    reason: str
    by: str
    at: str
    region: str


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


def _entrances(asker: Visit, asked: InRegion) -> list[Entrance]:
    with asker.house.readers.lent() as store:
        return overview.entrances(store, now(), asker.person, region=asked.region)


def _regions(asker: Visit, _asked: Nothing) -> list[Region]:
    with asker.house.readers.lent() as store:
        return overview.regions(overview.entrances(store, now(), asker.person), store.regions())


def _day(asker: Visit, asked: OnDay) -> Day:
    at = now()
    with asker.house.readers.lent() as store:
        return history.day(store, entrance.place(asker, store), history.day_of(asked.day, at), at)


def _events(asker: Visit, asked: Wanted) -> Events:
    with asker.house.readers.lent() as store:
        found = history.events(store, asked, asker.person)
    return Events(events=msgspec.convert(found.rows, list[AnEvent]), older=found.older)


def _alerts(asker: Visit, asked: WantedAlerts) -> Alerts:
    with asker.house.readers.lent() as store:
        found = history.alerts(store, asked, asker.person)
    return Alerts(alerts=msgspec.convert(found.rows, list[AnAlert]), older=found.older)


class Done(Struct, frozen=True):
    """It is done; `id` is what it was done to, or what came of it."""

    id: int


def _acknowledge(asker: Visit, asked: Noted) -> Done:
    number = _number(asker)
    acts.acknowledge(asker, number, asked.note)
    return Done(number)


def _resolve(asker: Visit, asked: Noted) -> Done:
    number = _number(asker)
    acts.resolve(asker, number, asked.note)
    return Done(number)


def _silence(asker: Visit, asked: Quiet) -> Done:
    return Done(acts.silence(asker, asked))


def _silences(asker: Visit, _asked: Nothing) -> list[ASilence]:
    with asker.house.readers.lent() as store:
        return msgspec.convert(acts.seen_silences(store, asker.person), list[ASilence])


def _end_silence(asker: Visit, _asked: Nothing) -> Done:
    number = _number(asker)
    acts.end_silence(asker, number)
    return Done(number)


def _number(asker: Visit) -> int:
    return int(asker.request.path_params["number"])


QUESTIONS: Final = (
    Question("GET", "/entrances", "All entrances, the worst first", InRegion, list[Entrance], "see", _entrances),
    Question("GET", "/regions", "Regions with entrances, the worst first", Nothing, list[Region], "see", _regions),
    Question("GET", "/entrances/{site}/{entrance}/day", "A day by quarters of an hour", OnDay, Day, "see", _day),
    Question("GET", "/events", "Events, the newest first", Wanted, Events, "see", _events),
    Question("GET", "/alerts", "Alerts open and past, the newest first", WantedAlerts, Alerts, "see", _alerts),
    Question("POST", "/alerts/{number:int}/acknowledge", "Take an alert on", Noted, Done, "acknowledge", _acknowledge),
    Question("POST", "/alerts/{number:int}/resolve", "End an alert by hand", Noted, Done, "resolve", _resolve),
    Question("GET", "/silences", "Silences in force", Nothing, list[ASilence], "see", _silences),
    Question("POST", "/silences", "Let nobody be called for a while", Quiet, Done, "silence", _silence),
    Question("POST", "/silences/{number:int}/end", "End a silence", Nothing, Done, "silence", _end_silence),
)  # fmt: skip


def routes() -> list[Route]:
    """Return where each question is asked."""
    return [Route(ROOT + each.path, _answering(each), methods=[each.method]) for each in QUESTIONS]


def _answering(question: Question) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            asker = await run_in_threadpool(_asker, request)
            asker.need(question.act)
            if question.method == "GET":
                asked = wanted(request.query_params, question.asked)
            else:
                asked = await _said(request, question.asked)
            return _json(await run_in_threadpool(question.function, asker, asked))
        except RefusedError as error:
            return _json(Problem(error.word), error.status)
        except (AlertError, RegionError) as error:
            return _json(Problem(str(error)), 409)
        except StoreError as error:
            return _json(Problem(str(error)), 503)

    return answer


async def _said(request: Request, kind: type[Struct]) -> Struct:
    """Read what a program sends; one without a token may be a page of somebody else's, so it may change nothing."""
    if not request.headers.get("authorization", "").startswith(BEARER):
        raise RefusedError(401, "wrong_token")
    try:
        return msgspec.json.decode(await visit.body(request) or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "not_a_form") from error


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
