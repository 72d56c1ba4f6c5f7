"""One entrance: how it stands, its day as charts, and what happened last."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from controller import history, overview
from controller.database import now
from controller.store import Store
from controller.web.events import lines
from controller.web.pages import page
from controller.web.visit import RefusedError, Visit
from device.wire.messages import MessageError, Place

LINES = 30  # of its newest events


def place(visit: Visit, store: Store) -> Place:
    """Return which entrance is asked for; raise RefusedError for one beyond this visitor's reach, or no one's."""
    asked = visit.request.path_params
    try:
        found = Place.parse(f"{asked['site']}/{asked['entrance']}")
    except MessageError as error:
        raise RefusedError(404, "not_found") from error
    if not visit.person.reaches(found, store.region_of(found.site)):
        raise RefusedError(404, "not_found")
    return found


def entrance(visit: Visit) -> Response:
    """The page of one entrance on one day."""
    at = now()
    begins = history.day_of(visit.request.query_params.get("day", ""), at)
    with visit.house.readers.lent() as store:
        where = place(visit, store)
        standing = _standing(store, visit, where)
        titles = store.regions()
        found = history.events(store, history.Wanted(entrance=str(where)), visit.person, limit=LINES)
        day = history.day(store, where, begins, at)
    return page(
        visit,
        "entrance.html",
        each=standing,
        titles=titles,
        query="",
        lines=lines(found.rows, visit.tongue),
        day=day,
        today=begins == history.midnight(at),
        date=history.next_day(begins, 0),
        before=history.next_day(begins, -1),
        after=history.next_day(begins, 1),
    )


def day(visit: Visit) -> Response:
    """The day's numbers, for the charts."""
    at = now()
    begins = history.day_of(visit.request.query_params.get("day", ""), at)
    with visit.house.readers.lent() as store:
        where = place(visit, store)
        _standing(store, visit, where)
        found = history.day(store, where, begins, at)
    return Response(msgspec.json.encode(found), media_type="application/json")


def _standing(store: Store, visit: Visit, where: Place) -> overview.Entrance:
    found = overview.entrances(store, now(), visit.person, where)
    if not found:
        raise RefusedError(404, "not_found")
    return found[0]
