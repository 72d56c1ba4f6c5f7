"""What people do about alerts: acknowledge, note, resolve, silence. Each is one short transaction, in their name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller import history, telling
from controller.alarms import LONGEST_NOTE, AlertError
from controller.database import now
from controller.regions import RegionError
from controller.rights import Person, Scope
from controller.store import Store
from controller.web import board, visit
from controller.web.visit import RefusedError, Visit

SPANS: Final[dict[str, int]] = {"1": 1, "4": 4, "12": 12, "24": 24, "168": 168}  # hours a form offers


class Noted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody adds to it."""

    note: Annotated[str, Meta(max_length=LONGEST_NOTE)] = ""


class Quiet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nobody wants to be called about, for how long and why; an empty name stands for any."""

    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_NOTE)]
    hours: Annotated[float, Meta(gt=0, le=90 * 24)]
    kind: str = ""
    entrance: Annotated[str, Meta(description="SITE or SITE/ENTRANCE")] = ""
    region: Annotated[str, Meta(description=history.REGION)] = ""


def acknowledge(visitor: Visit, number: int, note: str) -> None:
    """Take an alert on."""
    visitor.need("acknowledge")
    with _writing(visitor) as store:
        _its(store, number, visitor.person)
        store.acknowledge(number, visitor.person.name, note)


def resolve(visitor: Visit, number: int, note: str) -> None:
    """End an alert by hand."""
    visitor.need("resolve")
    with _writing(visitor) as store:
        _its(store, number, visitor.person)
        store.resolve(number, visitor.person.name, note)


def silence(visitor: Visit, asked: Quiet) -> int:
    """Let nobody be called about some alerts for a while; return the silence's id."""
    visitor.need("silence")
    site, _, entrance = asked.entrance.partition("/")
    scope = Scope(asked.region, site, entrance)
    until = now() + timedelta(hours=asked.hours)
    with _writing(visitor) as store:
        if not visitor.person.has(scope, store.lies()) or asked.kind not in ("", *telling.ALERTS):
            raise RefusedError(403, "beyond_reach")
        return store.silence(visitor.person.name, asked.reason, until, kind=asked.kind, **scope._asdict())


def end_silence(visitor: Visit, number: int) -> None:
    """Let people be called again."""
    visitor.need("silence")
    with _writing(visitor) as store:
        found = [each for each in store.silences(now()) if each["id"] == number]
        if not found or not visitor.person.has(_scope(found[0]), store.lies()):
            raise RefusedError(404, "not_found")
        store.end_silence(number, visitor.person.name)


def seen_silences(store: Store, person: Person) -> list[dict[str, Any]]:
    """Return the silences in force that touch what somebody may see."""
    lies = store.lies()
    return [each for each in store.silences(now()) if person.touches(_scope(each), lies)]


def _scope(silence: dict[str, Any]) -> Scope:
    return Scope(silence["region"], silence["site"], silence["entrance"])


def _writing(visitor: Visit) -> Store:
    return Store(Path(visitor.house.config.store.path))


def _its(store: Store, number: int, person: Person) -> None:
    """Raise RefusedError for an alert that is none, or beyond somebody's reach."""
    place = history.place_of_alert(store, number)
    if place is None or not person.reaches(place, store.region_of(place.site)):
        raise RefusedError(404, "not_found")


Done = Callable[[Visit, dict[str, str]], object]


def form(done: Done) -> Callable[[Request], Any]:
    """Make a form's target: only from a page of ours, and back to where it came from."""

    async def answer(request: Request) -> Response:
        given = await visit.fields(request)
        visitor = await run_in_threadpool(visit.visit, request)
        if visitor is None:
            return RedirectResponse("/sign-in", 303)
        visit.carries(request, given, visitor.form)
        try:
            await run_in_threadpool(done, visitor, given)
        except (AlertError, RegionError) as error:
            raise RefusedError(409, "cannot", str(error)) from error
        if request.headers.get("hx-request"):
            return await run_in_threadpool(board.entrances, visitor)
        return RedirectResponse(visit.local(given.get("to", "/")), 303)

    return answer


def _number(visitor: Visit) -> int:
    return int(visitor.request.path_params["number"])


def _quiet(given: dict[str, str]) -> Quiet:
    reason = " ".join(given.get("reason", "").split())
    return Quiet(
        reason=reason,
        hours=SPANS.get(given.get("hours", ""), 1),
        kind=given.get("kind", ""),
        entrance=given.get("entrance", "").strip(),
        region=given.get("region", "").strip(),
    )


def _note(given: dict[str, str]) -> str:
    return " ".join(given.get("note", "").split())


acknowledged: Final = form(lambda visitor, given: acknowledge(visitor, _number(visitor), _note(given)))
resolved: Final = form(lambda visitor, given: resolve(visitor, _number(visitor), _note(given)))
silenced: Final = form(lambda visitor, given: silence(visitor, _quiet(given)))
unsilenced: Final = form(lambda visitor, _given: end_silence(visitor, _number(visitor)))
