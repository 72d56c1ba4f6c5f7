from __future__ import annotations

import base64
import hashlib

from controller.oidc.errands import LONGEST_S, MOST_OF_ADDRESS, Errands

HERE = "10.0.0.1"
NOW = 1000.0


def test_who_comes_back_is_who_left_once_and_in_time() -> None:
    errands = Errands()
    left = errands.leave("/alerts", HERE, NOW)
    assert left
    errand, held = left
    assert len({errand.state, errand.nonce, errand.verifier, held}) == 4
    assert base64.urlsafe_b64decode(errand.challenge + "=") == hashlib.sha256(errand.verifier.encode()).digest()
    assert errands.back(errand.state, "", NOW) is None
    assert errands.back(errand.state, errand.state, NOW) is None
    assert errands.back("", held, NOW) is None
    assert errands.back(errand.state, held, NOW + LONGEST_S - 1) == errand
    assert errands.back(errand.state, held, NOW) is None
    late = errands.leave("/", HERE, NOW)
    assert late
    assert errands.back(late[0].state, late[1], NOW + LONGEST_S) is None


def test_an_address_has_so_many_on_their_way_and_no_more() -> None:
    errands = Errands()
    first = errands.leave("/", HERE, NOW)
    assert first
    for _ in range(MOST_OF_ADDRESS - 1):
        assert errands.leave("/", HERE, NOW)
    assert errands.leave("/", HERE, NOW) is None
    assert errands.leave("/", "10.0.0.2", NOW)
    assert errands.back(first[0].state, first[1], NOW)
    assert errands.leave("/", HERE, NOW)
    assert errands.leave("/", HERE, NOW) is None
    assert errands.leave("/", HERE, NOW + LONGEST_S)


def test_what_is_remembered_has_an_end() -> None:
    errands = Errands(most=3)
    left = [errands.leave("/", f"address {number}", NOW) for number in range(4)]
    back = [each and errands.back(each[0].state, each[1], NOW) for each in left]
    assert [bool(each) for each in back] == [False, True, True, True]
