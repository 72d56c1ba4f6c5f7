"""Codes altered in every way we know: none is believed, and a careless reader would have believed some."""

from __future__ import annotations

import pytest

from device.codes import Checked, ms1
from device.codes.cwt import PassError
from tests.fire import forgery


@pytest.mark.parametrize("text", [text for scheme in forgery.SCHEMES.values() for text in scheme.genuine])
def test_what_is_altered_was_genuine(text: bytes) -> None:
    assert forgery.accepted(forgery.judge(text))


def test_of_thousands_of_altered_codes_none_is_accepted() -> None:
    outcome = forgery.run(6000)
    print(outcome)
    assert outcome.accepted == []
    assert outcome.tried.total() == 6000
    assert len(outcome.tried) == 16, "every way of altering has its turn"


def careless(text: bytes) -> Checked:
    """Judge like somebody who reads a pass, and forgets to ask whose signature it has."""
    try:
        shown = ms1.read(text)
    except PassError:
        return Checked("ms1", text, None, ("invalid",))
    checked = forgery.judge(forgery.SCHEMES["ms1"].genuine[0])
    return checked._replace(identity=shown.body.id)


def test_a_reader_who_forgets_the_signature_believes_many() -> None:
    ways = {how for how, _ in forgery.run(3000, judge=careless).accepted}
    assert {"_signature", "_foreign", "_kid", "_screen", "parts of two"} <= ways


def test_a_run_can_be_repeated() -> None:
    assert list(forgery.forgeries(300, seed=7)) == list(forgery.forgeries(300, seed=7))
    assert list(forgery.forgeries(300, seed=7)) != list(forgery.forgeries(300, seed=8))
