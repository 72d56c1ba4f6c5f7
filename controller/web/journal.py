"""The journal: every change of an alert, and who made it."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from controller import telling
from controller.history import LARGEST
from controller.web.pages import page
from controller.web.visit import Visit

PAGE: Final = 100


def journal(visit: Visit) -> Response:
    """A page of the journal, the newest entry first."""
    visit.need("journal")
    asked = visit.request.query_params.get("before", "")
    before = int(asked) if asked.isdecimal() and int(asked) < LARGEST else None
    with visit.house.readers.lent() as store:
        rows = store.journal_entries(limit=PAGE, before=before)
        head = store.journal_head()
    return page(
        visit,
        "journal.html",
        rows=[_row(row, visit) for row in rows],
        head=head,
        older=rows[-1]["seq"] if len(rows) == PAGE else 0,
    )


def _row(row: dict[str, Any], visit: Visit) -> dict[str, Any]:
    what = row["what"]
    kind = what.get("kind", "")
    return {
        **row,
        "change": what.get("change", ""),
        "about": telling.named(telling.ALERTS, kind, visit.tongue) if kind else "",
        "where": what.get("entrance", "") if "site" not in what else _scope(what),
        "until": what.get("until"),
        "how": what.get("how", ""),
    }


def _scope(what: dict[str, Any]) -> str:
    return "/".join(part for part in (what.get("site", ""), what.get("entrance", "")) if part)
