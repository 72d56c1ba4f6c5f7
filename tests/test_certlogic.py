"""CertLogic: what a rule says of data, that it costs little whatever it holds, and that the public suites agree."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codes import certlogic
from device.codes.certlogic import MAX_DEPTH, CertLogicError, evaluate, later, moment
from tests.vectors import unpacked


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"var": "a.1.b"}, 2),
        ({"var": "a.9.b"}, None),
        ({"var": "s.0"}, None),
        ({"var": "a.length"}, None),
        ({"if": [{"var": "a"}, "yes", "no"]}, "yes"),
        ({"and": [1, {"var": "none"}, {"+": ["never", "reached"]}]}, None),
        ({"===": [1, True]}, False),
        ({"===": ["x", "x"]}, True),
        ({"in": [True, [1]]}, False),
        ({"in": ["x", {"var": "none"}]}, False),
        ({"<": [1, 2, 2]}, False),
        ({"reduce": [{"var": "n"}, {"+": [{"var": "current"}, {"var": "accumulator"}]}, 0]}, 6),
        ({"reduce": [{"var": "n"}, {"var": "data.s"}, 0]}, "text"),
        ({"extractFromUVCI": ["URN:UVCI:01:AT:1#B", 1]}, "AT"),
        (
            {"not-after": [{"plusTime": ["2021-06-01", 0, "day"]}, {"plusTime": ["2021-06-01T00:00:00Z", 0, "day"]}]},
            True,
        ),
        ({"before": [{"dccDateOfBirth": ["2004"]}, {"plusTime": ["2004-12-31", 0, "hour"]}]}, False),
    ],
)
def test_an_expression_has_its_value(expression: Any, value: Any) -> None:
    found = evaluate(expression, {"a": [1, {"b": 2}], "s": "text", "n": [1, 2, 3]})
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "expression",
    [
        None,
        1.5,
        {},
        {"+": [1, 1], "-": [1, 1]},
        {"cat": ["a", "b"]},
        {"var": 0},
        {"var": "a."},
        {"var": ["a", 1]},
        {"!": []},
        {"if": [True, 1]},
        {"+": [1, "1"]},
        {"+": [1, True]},
        {"+": [2**53, 1]},
        {"<": ["1", "2"]},
        {"in": ["x", "xyz"]},
        {"!": [{"plusTime": ["2021-06-01", 0, "day"]}]},
        {"before": ["2021-06-01", "2021-06-02"]},
        {"plusTime": ["2021-06-01", 1, "week"]},
        {"plusTime": ["2021-06-01", 10**9, "year"]},
        {"plusTime": ["2021-02-30", 0, "day"]},
        {"plusTime": ["2021-02-03T24:00:00Z", 0, "day"]},
        {"plusTime": ["1" * 5000, 0, "day"]},
        {"extractFromUVCI": [1, 1]},
        {"reduce": ["text", 1, 1]},
    ],
)
def test_what_has_no_value_raises_one_class(expression: Any) -> None:
    with pytest.raises(CertLogicError):
        evaluate(expression, {})


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2021-06-01", datetime(2021, 6, 1, tzinfo=UTC)),
        ("2021-06", datetime(2021, 6, 30, tzinfo=UTC)),
        ("2021", datetime(2021, 12, 31, tzinfo=UTC)),
        ("2021-06-01T12:34:56", datetime(2021, 6, 1, 12, 34, 56, tzinfo=UTC)),
        ("2021-06-01T12:34:56.7899999+2", datetime(2021, 6, 1, 10, 34, 56, 789_000, tzinfo=UTC)),
        ("2021-06-01T00:00:00-0330", datetime(2021, 6, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_date_is_read_to_the_millisecond(text: str, when: datetime) -> None:
    assert moment(text) == when


def test_a_month_that_lacks_the_day_ends_on_its_last() -> None:
    leap = datetime(2020, 2, 29, tzinfo=UTC)
    assert later(leap, 1, "year") == datetime(2021, 2, 28, tzinfo=UTC)
    assert later(datetime(2021, 1, 31, tzinfo=UTC), 1, "month") == datetime(2021, 2, 28, tzinfo=UTC)
    assert later(leap, -50, "hour") == datetime(2020, 2, 26, 22, tzinfo=UTC)


def nested(depth: int) -> Any:
    inner: Any = True
    for _ in range(depth):
        inner = {"!": [inner]}
    return inner


def twice(depth: int) -> Any:
    """A value of two to the power of `depth`, by doubling."""
    inner: Any = {"var": "n"}
    for _ in range(depth):
        inner = {"reduce": [{"var": "x"}, inner, 0]} if depth % 2 else [inner, inner]
    return inner


BOMBS = {
    "deep": nested(100_000),
    "loops in loops": {"reduce": [{"var": "x"}, {"reduce": [{"var": "data.x"}, {"var": "data.data.x"}, 0]}, 0]},
    "loops seven deep": twice(7),
    "lists that double": twice(40),
    "numbers that double": {"reduce": [{"var": "x"}, {"+": [{"var": "accumulator"}, {"var": "accumulator"}]}, 1]},
    "lists in lists": {"===": [{"reduce": [{"var": "x"}, [{"var": "accumulator"}, {"var": "accumulator"}], 0]}, 1]},
    "many operands": {"and": [True] * 1_000_000},
    "long look-ups": {"reduce": [{"var": "x"}, {"in": ["y", {"var": "data.x"}]}, 0]},
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_is_meant_to_hurt_costs_little(bomb: Any) -> None:
    data = {"x": list(range(5000)), "n": 1}

    def light() -> None:
        with contextlib.suppress(CertLogicError):
            evaluate(bomb, data)

    took = []
    for _ in range(3):
        began = time.process_time()
        light()
        took.append(time.process_time() - began)
    assert min(took) < 0.05
    tracemalloc.start()
    light()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_rule_may_be_as_deep_as_is_allowed_and_no_deeper() -> None:
    certlogic.check(nested(MAX_DEPTH - 1))
    assert evaluate(nested(MAX_DEPTH - 1), {}) is (MAX_DEPTH % 2 == 1)
    with pytest.raises(CertLogicError, match="levels"):
        certlogic.check(nested(MAX_DEPTH))
    with pytest.raises(CertLogicError, match="levels"):
        evaluate(nested(MAX_DEPTH), {})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2021-06-01", "day"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*certlogic._OPERANDS, "var", "x"]), inner | st.lists(inner, max_size=3), max_size=2
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_no_expression_and_no_data_raise_another_class(expression: Any, data: Any) -> None:
    with contextlib.suppress(CertLogicError):
        evaluate(expression, data)


def test_what_a_rule_looks_at_is_known() -> None:
    rule = {"if": [{"var": "payload.t.0"}, {"in": [{"var": "payload.t.0.tt"}, {"var": "external.valueSets.x"}]}, True]}
    assert certlogic.paths(rule) == {"payload.t.0", "payload.t.0.tt", "external.valueSets.x"}


def test_the_public_semantics_agree(tmp_path: Path) -> None:
    folder = unpacked("certlogic-testsuite.tar.xz", tmp_path) / "certlogic" / "specification"
    ran = skipped = 0
    for path in sorted((folder / "testSuite").glob("*.json")):
        suite = json.loads(path.read_text())
        for case in suite["cases"]:
            for assertion in case["assertions"]:
                expression = assertion.get("certLogicExpression", case.get("certLogicExpression"))
                value, expected = evaluate(expression, assertion["data"]), assertion["expected"]
                assert (type(value), value) == (type(expected), expected), (path.name, expression, assertion)
                ran += 1
                skipped += "skip" in (assertion.get("directive"), suite.get("directive"))
    click.echo(f"CertLogic: {ran} assertions; the suite itself skips {skipped} of them")
    assert ran


def test_the_public_validation_agrees(tmp_path: Path) -> None:
    folder = unpacked("certlogic-testsuite.tar.xz", tmp_path) / "certlogic" / "specification"
    accepted = refused = 0
    for path in sorted((folder / "validation-testSuite").glob("*.json")):
        for case in json.loads(path.read_text())["cases"]:
            try:
                certlogic.check(case["certLogicExpression"])
                accepted += 1
                assert not case["issues"], case
            except CertLogicError:
                refused += 1
                assert case["issues"], case
    click.echo(f"CertLogic: {accepted} expressions accepted, {refused} refused, as its own validation has it")
    assert accepted
    assert refused


def test_the_public_business_rules_agree(tmp_path: Path) -> None:
    folder = unpacked("dgc-business-rules.tar.xz", tmp_path)
    rules = ran = 0
    for path in sorted(folder.glob("*/*/rule.json")):
        rule = json.loads(path.read_text())
        rules += 1
        for test in sorted((path.parent / "tests").glob("*.json")):
            case = json.loads(test.read_text())
            data = {"payload": case.get("payload"), "external": case["external"]}
            assert evaluate(rule["Logic"], data) is case["expected"], test
            ran += 1
    click.echo(f"business rules: {ran} tests of {rules} rules")
    assert ran
