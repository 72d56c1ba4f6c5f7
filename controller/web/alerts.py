"""Alerts, open and past: filtered, a page at a time."""

from __future__ import annotations

from starlette.responses import Response

from controller import history, telling
from controller.history import WantedAlerts
from controller.web import acts
from controller.web.events import asked, wanted
from controller.web.pages import page
from controller.web.visit import Visit
from device.wire.words import say


def alerts(visit: Visit) -> Response:
    """A page of alerts; those that are open where nothing else is asked."""
    query = visit.request.query_params
    what = wanted(query, WantedAlerts) if query else WantedAlerts(state="open")
    with visit.house.readers.lent() as store:
        found = history.alerts(store, what, visit.person)
        silences = acts.seen_silences(store, visit.person)
        regions, titles = history.regions(store, visit.person), store.regions()
    return page(
        visit,
        "alerts.html",
        rows=found.rows,
        silences=silences,
        spans=acts.SPANS,
        what=what,
        regions=regions,
        titles=titles,
        kinds={kind: say(text, visit.tongue) for kind, text in telling.ALERTS.items()},
        older=asked(what, before=found.older) if found.older else "",
    )
