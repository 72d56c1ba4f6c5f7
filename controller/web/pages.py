"""Templates and what they may call: every word in the visitor's language, every text harmless."""

from __future__ import annotations

import shlex
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from controller import regions, telling
from controller.rights import TITLES, Act
from controller.web.phrases import PHRASES
from controller.web.visit import Visit, local, theme, tongue
from device.wire import words
from device.wire.messages import Text
from device.wire.plain import harmless
from device.wire.words import Language, say

HERE: Final = Path(__file__).parent
PAGES: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
NAV: Final[tuple[tuple[str, str, Act], ...]] = (
    ("board", "/", "see"), ("alerts", "/alerts", "see"), ("events", "/events", "see"), ("fleet", "/fleet", "see"),
    ("journal", "/journal", "journal"),
)  # fmt: skip


def _phrase(language: Language, name: str) -> str:
    return say(PHRASES[name], language)


def _say(language: Language, text: Text) -> str:
    return harmless(say(text, language))


def _when(moment: datetime | str | None) -> str:
    """Write a moment in this machine's time: the hour alone where it is today."""
    if moment is None:
        return "-"
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    written = telling.clock(at)
    return written[11:] if written[:10] == telling.clock(datetime.now().astimezone())[:10] else written[:16]


def _iso(moment: datetime | str | None) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else moment or ""


def _words(language: Language) -> dict[str, Any]:
    kinds: dict[str, Text] = {name: text for name, text in telling.KINDS.items()}  # noqa: C416 mypy wants it so
    return {
        "t": partial(_phrase, language),
        "phrases": PHRASES,
        "say": partial(_say, language),
        "place_in": lambda region, titles: _say(language, regions.title(region, titles)),
        "kind_of": lambda name: telling.named(telling.ALERTS, name, language),
        "event_kind": lambda name: telling.named(kinds, name, language),
        "event_type": lambda name: harmless(telling.named(telling.TYPES, name, language)),
        "reason": lambda name: harmless(words.reason(name, language)),
        "role": lambda name: say(TITLES[name], language),
        "when": _when,
        "iso": _iso,
        "plain": harmless,
        "shell": lambda text: shlex.quote(harmless(text)),
    }


def page(visit: Visit, template: str, /, **more: Any) -> HTMLResponse:
    """Write a page, or a part of one, for somebody who has signed in."""
    return _write(visit.request, template, visit.tongue, {"person": visit.person, "form": visit.form, **more})


def plain_page(request: Request, template: str, /, *, status: int = 200, **more: Any) -> HTMLResponse:
    """Write a page for anybody."""
    return _write(request, template, tongue(request), {"person": None, "form": "", **more}, status)


def _write(
    request: Request, template: str, language: Language, values: dict[str, Any], status: int = 200
) -> HTMLResponse:
    here = local(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    common = {"lang": language, "theme": theme(request), "here": here, "path": request.url.path, "nav": NAV}
    text = PAGES.get_template(template).render(common | _words(language) | {"wall": False} | values)
    return HTMLResponse(text.encode("utf-8", "replace"), status)
