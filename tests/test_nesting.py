"""How deep JSON is: counted without reading it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.wire.nesting import DEEPEST, too_deep


@pytest.mark.parametrize("wrap", [("[", "]"), ('{"a":', "}"), ('[{"]":', "}]")])
def test_it_is_told_by_the_level(wrap: tuple[str, str]) -> None:
    opening, closing = wrap
    times = DEEPEST // (opening.count("[") + opening.count("{"))
    assert not too_deep(f"{opening * times}1{closing * times}".encode())
    assert too_deep(f"{opening * (times + 1)}1{closing * (times + 1)}".encode())


def test_brackets_in_strings_are_text() -> None:
    assert not too_deep(json.dumps({"a": '[{"' * 1000, "\\": "\\", "b": ["[" * 1000]}).encode())


def test_an_open_end_is_as_deep_as_it_gets() -> None:
    assert too_deep(b"[" * 1_000_000)
    assert too_deep(b'{"a":' * 5000)
    assert not too_deep(b"")
    assert not too_deep(b"]" * 5000)
    assert not too_deep(b'"' + b'\\"[' * 300_000)  # a string that never ends, and takes no longer than another


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_people_write_is_never_too_deep(value: object) -> None:
    assert not too_deep(json.dumps(value).encode())
