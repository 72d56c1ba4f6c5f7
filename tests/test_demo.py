"""What a newcomer sees first: it ends by itself with what should have happened, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.boarders import Visitor
from tests.processes import naming

DEADLINE_S = 90


def demo(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "menshen", "demo", *words],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_demo_ends_by_itself_and_everything_happened(tmp_path: Path) -> None:
    with demo(tmp_path, "--for", "20", "--lang", "en") as running:
        said, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 0, said
    assert "0 things that should have happened did not" in said
    for words in ("unstaffed entrance", "grant", "outside its time", "abnormal code", "checked in"):
        assert words in said
    assert list(tmp_path.iterdir()) == []
    assert list(naming(tmp_path)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_the_demo_removes_all_of_it(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, "--lang", "zh") as running:
        assert running.stdout is not None
        said = running.stdout.readline()
        while "南门" not in said.splitlines()[-1]:
            assert running.poll() is None
            said += running.stdout.readline()
        board = re.search(r"http://127\.0\.0\.1:(\d+)/  demo  (\S+)", said)
        assert board
        visitor = Visitor(int(board[1]))
        assert visitor.post("/sign-in", name="demo", password=board[2])[0] == 303
        assert "North gate" in visitor.get("/")[1]
        assert list(naming(tmp_path))
        running.send_signal(number)
        said, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 0, said
    assert "幕" in said
    deadline = time.monotonic() + 10
    while left := list(naming(tmp_path)):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        visitor.get("/")
