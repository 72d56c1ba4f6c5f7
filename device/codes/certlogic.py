"""CertLogic, the one rule language for schemes that need rules: an expression and data in, a value out. Pure.

It is the public language of the EU's certificate rules: JsonLogic's safe part, with dates. An expression comes by
policy and the data from a code somebody holds up, so whatever either holds, an answer costs a bounded number of steps,
or there is none: CertLogicError, one class. Whoever asks takes no answer for "no".
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Final

MAX_STEPS: Final = 10_000  # for all rules of a country together: none has been seen to take 100
MAX_DEPTH: Final = 64  # expressions in expressions
MAX_INTEGER: Final = 2**53  # JSON's own safe range
MAX_TEXT: Final = 64  # characters of a date
UVCI_PREFIX: Final = "URN:UVCI:"

_DATE: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?", re.ASCII)
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|([+-])([0-9]{1,2}):?([0-9]{2})?)?",
    re.ASCII,
)
_PATH: Final = re.compile(r"[^.]+(?:\.[^.]+)*")


class CertLogicError(ValueError):
    """An expression that has no value here: one class, whether it is wrong, asks for too much, or meets wrong data."""


class Steps:
    """What is left to spend on one code, however many expressions look at it."""

    def __init__(self, left: int = MAX_STEPS) -> None:
        """Begin with all of it."""
        self.left = left

    def spend(self, steps: int = 1) -> None:
        """Take steps; raise CertLogicError when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise CertLogicError("the rules take too many steps")


def evaluate(expression: Any, data: Any, steps: Steps | None = None) -> Any:
    """Return the expression's value: JSON, or a `datetime` where the last step made one. Raise CertLogicError else."""
    return _Evaluation(steps or Steps()).value(expression, data, MAX_DEPTH)


def check(expression: Any) -> None:
    """Return when this is an expression of the language; raise CertLogicError naming what is not, without data."""
    _check(expression, MAX_DEPTH)


def paths(expression: Any) -> frozenset[str]:
    """Name all data that an expression, once checked, may look at: its paths, those inside `reduce` among them."""
    if isinstance(expression, list):
        return frozenset().union(*map(paths, expression))
    if isinstance(expression, dict):
        ((operator, operands),) = expression.items()
        return frozenset({operands}) if operator == "var" else paths(operands)
    return frozenset()


def truth(value: Any) -> bool:
    """Say whether a value counts as true; raise CertLogicError for the many that count as neither."""
    if value is None or isinstance(value, bool | int | str | list | dict):
        return bool(value)
    raise CertLogicError(f"a {type(value).__name__} is neither true nor false")


def moment(text: str) -> datetime:
    """Read a date or time as the language writes them, to the millisecond; a year or month alone is its last day."""
    if len(text) > MAX_TEXT:
        raise CertLogicError(f"a text of {len(text)} characters is no date")
    try:
        if found := _DATE.fullmatch(text):
            year, month = int(found[1]), int(found[2] or 12)
            last = calendar.monthrange(year, month)[1]
            return datetime(year, month, int(found[3] or last), tzinfo=UTC)
        if found := _TIME.fullmatch(text):
            day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
            offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
            milli = int((fraction or "")[:3].ljust(3, "0"))
            clock = timedelta(hours=int(hour), minutes=int(minute), seconds=int(second), milliseconds=milli)
            if clock >= timedelta(days=1) or int(minute) > 59 or int(second) > 59:  # noqa: PLR2004
                raise CertLogicError(f"{text!r} is no time of day")
            begin = datetime.combine(date.fromisoformat(day), datetime.min.time(), timezone(offset))
            return (begin + clock).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CertLogicError(f"{text!r} is no date: {error}") from error
    raise CertLogicError(f"{text!r} is no date")


def later(when: datetime, amount: int, unit: str) -> datetime:
    """Add to a time. A day that the new month lacks becomes its last: 29 February and a year are 28 February."""
    try:
        if unit in ("day", "hour"):
            return when + timedelta(**{f"{unit}s": amount})
        if unit in ("month", "year"):
            months = when.year * 12 + when.month - 1 + amount * (12 if unit == "year" else 1)
            year, month = months // 12, months % 12 + 1
            return when.replace(year=year, month=month, day=min(when.day, calendar.monthrange(year, month)[1]))
    except (ValueError, OverflowError, calendar.IllegalMonthError) as error:
        raise CertLogicError(f"{amount} {unit}s from {when:%Y-%m-%d} is no date") from error
    raise CertLogicError(f"{unit!r} is no unit of time: year, month, day or hour")


def fragment(uvci: str, index: int) -> str | None:
    """Return a part of a certificate's identifier; parts are separated by / # and :, and counted after the prefix."""
    parts = re.split("[/#:]", uvci.removeprefix(UVCI_PREFIX))
    return parts[index] if 0 <= index < len(parts) else None


class _Evaluation:
    """One evaluation and the steps it has left."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def value(self, expression: Any, data: Any, depth: int) -> Any:
        self.steps.spend()
        if depth <= 0:
            raise CertLogicError(f"the rule is more than {MAX_DEPTH} levels deep")
        match expression:
            case str() | bool():
                return expression
            case int():
                return _integer(expression)
            case list():
                return [self.value(item, data, depth - 1) for item in expression]
            case {"var": path} if len(expression) == 1:
                return _look_up(path, data)
            case dict() if len(expression) == 1:
                ((operator, operands),) = expression.items()
                _check_operation(operator, operands)
                return self.operation(operator, operands, data, depth - 1)
        raise CertLogicError("an expression is a literal, a list, or an object with one operator")

    def operation(self, operator: str, operands: list[Any], data: Any, depth: int) -> Any:
        """Evaluate operands as the operator asks: `if` and `and` leave out what does not matter."""
        if operator == "if":
            guard, then, otherwise = operands
            return self.value(then if truth(self.value(guard, data, depth)) else otherwise, data, depth)
        if operator == "and":
            value = None
            for operand in operands:
                value = self.value(operand, data, depth)
                if not truth(value):
                    return value
            return value
        if operator == "reduce":
            return self.reduction(operands, data, depth)
        values = [self.value(operand, data, depth) for operand in operands]
        if operator in _COMPARISONS:
            return _compare(operator, values)
        return _OPERATIONS[operator](self, *values)

    def reduction(self, operands: list[Any], data: Any, depth: int) -> Any:
        items, accumulator = (self.value(operands[at], data, depth) for at in (0, 2))
        if items is None:
            return accumulator
        if not isinstance(items, list):
            raise CertLogicError("only a list can be reduced")
        for item in items:
            world = {"accumulator": accumulator, "current": item, "data": data}
            accumulator = self.value(operands[1], world, depth)
        return accumulator

    def member(self, value: Any, items: Any) -> bool:
        if items is None:
            return False
        if not isinstance(items, list):
            raise CertLogicError("only a list has members")
        self.steps.spend(len(items) // 2)  # one is quicker than a step
        return any(_same(value, item) for item in items)


def _look_up(path: Any, data: Any) -> Any:
    _check_path(path)
    for step in path.split(".") if path else ():
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isascii() and step.isdecimal() and len(step) < 9:  # noqa: PLR2004
            data = data[int(step)] if int(step) < len(data) else None
        else:
            return None
    return data


def _same(one: Any, other: Any) -> bool:
    """Say whether two plain values are equal, as JSON has it: 1 is not true, and nothing inside lists is compared."""
    scalars = isinstance(one, bool | int | str | None) and isinstance(other, bool | int | str | None)
    return scalars and type(one) is type(other) and bool(one == other)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CertLogicError(f"a {type(value).__name__} stands where a whole number belongs")
    if abs(value) > MAX_INTEGER:
        raise CertLogicError("a number is beyond 2^53")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CertLogicError(f"a {type(value).__name__} stands where text belongs")
    return value


def _instant(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise CertLogicError("only times made by plusTime or dccDateOfBirth can be compared as times")
    return value


# Each comparison: what its operands must be, and how two neighbours must stand to each other.
_COMPARISONS: Final[dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], bool]]]] = {
    "<": (_integer, lambda one, other: one < other),
    ">": (_integer, lambda one, other: one > other),
    "<=": (_integer, lambda one, other: one <= other),
    ">=": (_integer, lambda one, other: one >= other),
    "before": (_instant, lambda one, other: one < other),
    "after": (_instant, lambda one, other: one > other),
    "not-after": (_instant, lambda one, other: one <= other),
    "not-before": (_instant, lambda one, other: one >= other),
}


def _compare(operator: str, values: list[Any]) -> bool:
    kind, holds = _COMPARISONS[operator]
    known = [kind(value) for value in values]
    return all(holds(*pair) for pair in pairwise(known))


def _extract(uvci: Any, index: Any) -> str | None:
    return None if uvci is None else fragment(_text(uvci), _integer(index))


_OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "===": lambda _run, one, other: _same(one, other),
    "in": _Evaluation.member,
    "+": lambda _run, one, other: _integer(_integer(one) + _integer(other)),
    "!": lambda _run, value: not truth(value),
    "plusTime": lambda _run, text, amount, unit: later(moment(_text(text)), _integer(amount), _text(unit)),
    "dccDateOfBirth": lambda _run, text: moment(_text(text)),
    "extractFromUVCI": lambda _run, uvci, index: _extract(uvci, index),
    "extractFromUCI": lambda _run, uvci, index: _extract(uvci, index),
}
_OPERANDS: Final[dict[str, tuple[int, int]]] = {  # how many each takes, at least and at most
    "if": (3, 3),
    "and": (2, MAX_STEPS),
    "reduce": (3, 3),
    "===": (2, 2),
    "in": (2, 2),
    "+": (2, 2),
    "!": (1, 1),
    "plusTime": (3, 3),
    "dccDateOfBirth": (1, 1),
    "extractFromUVCI": (2, 2),
    "extractFromUCI": (2, 2),
    **dict.fromkeys(_COMPARISONS, (2, 3)),
}


def _check_operation(operator: Any, operands: Any) -> None:
    if operator not in _OPERANDS:
        raise CertLogicError(f"{operator!r} is no operator of CertLogic")
    least, most = _OPERANDS[operator]
    if not isinstance(operands, list) or not least <= len(operands) <= most:
        raise CertLogicError(f"{operator!r} takes a list of {least} operands" + (" or more" if most > least else ""))


def _check_path(path: Any) -> None:
    if not isinstance(path, str) or (path and not _PATH.fullmatch(path)):
        raise CertLogicError("var takes a path, such as payload.v.0.dt")


def _check(expression: Any, depth: int) -> None:
    if depth <= 0:
        raise CertLogicError(f"the rule is more than {MAX_DEPTH} levels deep")
    match expression:
        case str() | bool():
            pass
        case int():
            _integer(expression)
        case list():
            for item in expression:
                _check(item, depth - 1)
        case {"var": path} if len(expression) == 1:
            _check_path(path)
        case dict() if len(expression) == 1:
            ((operator, operands),) = expression.items()
            _check_operation(operator, operands)
            for operand in operands:
                _check(operand, depth - 1)
        case _:
            raise CertLogicError("an expression is a literal, a list, or an object with one operator")
