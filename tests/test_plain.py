"""Nothing a stranger's code says moves an operator's terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.wire.plain import harmless


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("入场 pass-1 é", "入场 pass-1 é"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\r\tc\x00", "a\\nb\\r\\tc\\x00"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
        ("C:\\x1b", "C:\\\\x1b"),
        ("\u200bhidden\ufeff", "\\u200bhidden\\ufeff"),
    ],
)
def test_what_does_not_print_is_written_as_an_escape(text: str, plain: str) -> None:
    assert harmless(text) == plain


def test_long_text_ends_with_an_ellipsis() -> None:
    assert harmless("x" * 200) == "x" * 200
    assert harmless("x" * 201) == "x" * 199 + "…"
    assert len(harmless("\x00" * 4000, 50)) == 50


@given(st.text(alphabet=st.characters(), max_size=300))
def test_whatever_comes_prints_and_is_short(text: str) -> None:
    plain = harmless(text)
    assert plain.isprintable()
    assert len(plain) <= 200
    plain.encode("utf-8")
