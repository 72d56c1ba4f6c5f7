"""Events: searched, a page at a time, and as CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.responses import Response

from controller import history, telling
from controller.history import Wanted
from controller.web.pages import page
from controller.web.visit import RefusedError, Visit
from device.wire.messages import EVENTS, KINDS, MessageError, decode
from device.wire.plain import cell, harmless
from device.wire.words import Language, say

EXPORTED: Final = 5000  # rows of one file
HEADS: Final = ("at", "entrance", "kind", "event_type", "details")
W = TypeVar("W", bound=msgspec.Struct)


class Line(NamedTuple):
    """One event as people read it."""

    at: str
    entrance: str
    kind: str
    event_type: str
    what: str
    details: str


def lines(rows: list[dict[str, Any]], tongue: Language) -> list[Line]:
    """Write events as the terminal does."""
    return [_line(row, tongue) for row in rows]


def _line(row: dict[str, Any], tongue: Language) -> Line:
    where, kind = f"{row['site']}/{row['entrance']}", row["kind"]
    try:
        event = decode(EVENTS[kind], json.dumps(row["payload"]).encode())
    except (KeyError, MessageError):  # written by another version
        return Line(row["at"], where, kind, row["event_type"], harmless(row["event_type"]), "")
    what = harmless(telling.headline(event, tongue))
    return Line(
        row["at"], where, kind, event.event_type, what, harmless(telling.details(event, tongue, clock=row["clock"]))
    )


def wanted(query: QueryParams, kind: type[W]) -> W:
    """Read what is asked for; raise RefusedError for what nobody can ask."""
    given = {name: value.strip() for name, value in query.items() if value.strip()}
    known = {field.name for field in msgspec.structs.fields(kind)}
    try:
        return msgspec.convert({name: given[name] for name in known & set(given)}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RefusedError(400, "not_a_form") from error


def asked(what: msgspec.Struct, **more: object) -> str:
    """Write a filter as a query, with other values where they are given."""
    values = msgspec.structs.asdict(what) | more
    return urlencode({name: value for name, value in values.items() if value})


def events(visit: Visit) -> Response:
    """A page of events."""
    what = wanted(visit.request.query_params, Wanted)
    with visit.house.readers.lent() as store:
        found = history.events(store, what, visit.person)
        regions, titles = history.regions(store, visit.person), store.regions()
    return page(
        visit,
        "events.html",
        lines=lines(found.rows, visit.tongue),
        what=what,
        regions=regions,
        titles=titles,
        kinds={kind: say(telling.KINDS[kind], visit.tongue) for kind in KINDS},
        types={name: say(text, visit.tongue) for name, text in telling.TYPES.items()},
        older=asked(what, before=found.older) if found.older else "",
        query=asked(what, before=0),
    )


def exported(visit: Visit) -> Response:
    """The same as CSV."""
    visit.need("export")
    what = wanted(visit.request.query_params, Wanted)
    with visit.house.readers.lent() as store:
        found = history.events(store, what, visit.person, limit=EXPORTED)
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(HEADS)
    for line in lines(found.rows, visit.tongue):
        writer.writerow([cell(text) for text in (line.at, line.entrance, line.kind, line.what, line.details)])
    names = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return Response("\ufeff" + written.getvalue(), media_type="text/csv; charset=utf-8", headers=names)
