"""Every promise of docs/security.md names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\w+\.py)::(\w+)`", PAGE)))
PROVISIONS = 13
PROMISES = [
    "Codes",
    "What is sent to hurt",
    "Who may speak",
    "Commands and time",
    "What moves",
    "Secrets",
    "What is forgotten",
]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_promise_is_proved_by_a_test_that_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name.startswith("test_")


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


@pytest.mark.parametrize("heading", PROMISES)
def test_no_promise_is_without_a_test(heading: str) -> None:
    assert rows(heading)
    for promise in rows(heading):
        assert re.search(r"`tests/\w+\.py::\w+`", promise[-1]), promise


@pytest.mark.parametrize("heading", ["ETSI EN 303 645", "EN 60839-11-1", "GB 50396-2007"])
def test_what_is_met_says_by_which_test(heading: str) -> None:
    for row in rows(heading):
        met = row[-2].startswith("met") or ": met" in row[-2]
        assert met == ("::" in row[-1]) or row[-2].startswith("not met"), row
        assert met or row[-2].startswith(("not met", "not applicable")), row


def test_all_thirteen_provisions_are_answered() -> None:
    answered = [row[0].split()[0] for row in rows("ETSI EN 303 645")]
    assert answered == [*(f"5.{number}" for number in range(1, PROVISIONS + 1)), "6"]


def test_the_page_names_many_tests() -> None:
    assert len(NAMED) > 30
