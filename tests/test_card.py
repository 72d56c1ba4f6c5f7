"""The language card: drawn by a command, and taken for nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from device.wire.card import CARDS, language
from device.wire.words import Language
from menshen import main
from tests.pictures import texts


@pytest.mark.parametrize("tongue", get_args(Language))
def test_a_card_is_drawn_and_read(tmp_path: Path, tongue: Language) -> None:
    out = tmp_path / "card.png"
    done = CliRunner().invoke(main, ["entrance", "language", tongue, "--out", str(out)])
    assert done.exit_code == 0, done.output
    drawn = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    assert texts(np.asarray(drawn, np.uint8)) == [CARDS[tongue]]
    assert language(CARDS[tongue].encode()) == tongue


@pytest.mark.parametrize(
    "data", [b"", b"menshen:", b"menshen:fr", b"MENSHEN:EN", b"menshen:en ", b"menshen:en\0", b"MS1:"]
)
def test_what_only_looks_like_a_card_is_none(data: bytes) -> None:
    assert language(data) is None
