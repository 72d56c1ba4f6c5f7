"""The live board: every entrance, or those of a region, the worst first."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from controller import overview
from controller.database import now
from controller.regions import above, is_one, way
from controller.web.pages import page
from controller.web.visit import RefusedError, Visit

CARDS: Final = 60  # in full; more than anybody takes in, and quick to write


def board(visit: Visit) -> Response:
    """The whole board, or that of `?region=...`; `?wall=1` leaves out what nobody can click from afar."""
    return page(visit, "board.html", **_standing(visit))


def entrances(visit: Visit) -> Response:
    """Only what moves, for a board that is shown already."""
    return page(visit, "entrances.html", **_standing(visit))


def _standing(visit: Visit) -> dict[str, object]:
    at, asked = now(), visit.request.query_params
    here, wall = asked.get("region", ""), "wall" in asked
    if here and not is_one(here):
        raise RefusedError(400, "not_a_form")
    with visit.house.readers.lent() as store:
        found = overview.entrances(store, at, visit.person, region=here)
        titles = store.regions()
    regions = overview.regions(found, titles)
    if here and here not in {each.region for each in regions}:
        titles = {}  # nobody learns what a region is called in which they see nothing
    alerts = [alert for each in found for alert in each.alerts]
    return {
        "found": found[:CARDS],
        "rest": found[CARDS:],
        "count": {rank: sum(each.rank == rank for each in found) for rank in overview.RANKS},
        "newest": max(alerts, key=lambda alert: alert.since, default=None),
        "at": at,
        "titles": titles,
        "trail": way(here),
        "regions": [each for each in regions if above(each.region) == here],
        "wall": wall,
        "query": _query(here, wall=wall),
    }


def _query(region: str, *, wall: bool) -> str:
    """Write what a part of the board needs to be the same part again."""
    asked = ({"wall": "1"} if wall else {}) | ({"region": region} if region else {})
    return f"?{urlencode(asked)}" if asked else ""
