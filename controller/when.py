"""A moment as people write it on the command line, and as they read it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click


def begin(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Read ISO 8601 as seconds since 1970; without an offset it is this machine's time, a day alone its midnight."""
    return None if text is None else _read(text, timedelta())


def end(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Read the same, but a day alone is meant to its last second."""
    return None if text is None else _read(text, timedelta(days=1))


def _read(text: str, day: timedelta) -> int:
    try:
        moment = datetime.fromisoformat(text)
        return int((moment + day if _is_day(text) else moment).timestamp())
    except (ValueError, OverflowError, OSError) as error:
        raise click.BadParameter(
            f"{text!r} is no time; write 2026-09-21, 2026-09-21T18:00 or 2026-09-21T18:00+08:00"
        ) from error


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def written(at: int | None) -> str:
    """Write seconds since 1970 in this machine's time, with its offset."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at, tz=UTC).astimezone().isoformat(sep=" ", timespec="minutes")
