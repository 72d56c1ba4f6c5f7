"""What a doctor found, for gate and controller alike: one thing looked at, its state, and the fix in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text as Cell

from device.wire.messages import Text
from device.wire.plain import harmless
from device.wire.words import Language, say

State = Literal["ok", "warn", "fail", "skipped"]
LONGEST: Final = 1000  # characters of what a check found
NOTHING: Final = Text("", "")
HEADS: Final = (
    Text("检查", "check"),
    Text("结果", "result"),
    Text("说明，以及怎么办", "what was found, and what to do"),
)
MARKS: Final[dict[State, tuple[str, str, Text]]] = {
    "ok": ("✓", "green", Text("正常", "ok")),
    "warn": ("!", "yellow", Text("注意", "warn")),
    "fail": ("✗", "bold red", Text("故障", "fail")),
    "skipped": ("-", "dim", Text("未查", "skipped")),
}


class Finding(NamedTuple):
    """What one check found. `fix` says what to do unless all is well."""

    name: str
    state: State
    detail: Text
    fix: Text = NOTHING


def both(said: object) -> Text:
    """Return what has one form in both languages: a number, a path, an error of the system."""
    return Text(str(said), str(said))


def row(found: Finding, tongue: Language) -> dict[str, Any]:
    """Return a finding for programs."""
    return {
        "check": found.name,
        "state": found.state,
        "detail": harmless(say(found.detail, tongue), LONGEST),
        "fix": "" if found.state == "ok" else say(found.fix, tongue),
    }


def table(findings: Iterable[Finding], names: Mapping[str, Text], tongue: Language) -> Table:
    """Return the findings for people."""
    made = Table(*(say(head, tongue) for head in HEADS), box=SIMPLE)
    for found in findings:
        mark, colour, word = MARKS[found.state]
        text = Cell(harmless(say(found.detail, tongue), LONGEST))
        if found.state != "ok" and found.fix.en:
            text.append(f"\n→ {say(found.fix, tongue)}", style=colour)
        made.add_row(say(names[found.name], tongue), Cell(f"{mark} {say(word, tongue)}", style=colour), text)
    return made
