"""What `menshen doctor` looks at: each check is a function that returns what it found, and the fix."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from device.wire.messages import Text

State = Literal["ok", "warn", "fail", "skipped"]
NOTHING: Final = Text("", "")


class Finding(NamedTuple):
    """What one check found. `fix` says what to do unless all is well."""

    name: str
    state: State
    detail: Text
    fix: Text = NOTHING


def both(said: object) -> Text:
    """Return what has one form in both languages: a number, a path, an error of the system or of a driver."""
    return Text(str(said), str(said))
