"""`menshen test` itself, on a small tree of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a root with one passing test, and the command beside it."""
    tests = tmp_path / "tests"
    tests.mkdir()
    shutil.copy(ROOT / "tests" / "command.py", tests)
    (tests / "__init__.py").touch()
    (tests / "test_sum.py").write_text(
        "def test_sum() -> None:\n    assert 1 + 1 == 2\n\n\ndef test_other() -> None: ...\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.ruff]\nline-length = 120\n\n[tool.mypy]\nstrict = true\nfiles = ["tests/test_sum.py"]\n'
    )
    return tmp_path


def menshen_test(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start the command; mypy's cache is shared, for the standard library is the same for every tree."""
    script = "from tests.command import test; test(prog_name='menshen test')"
    env = os.environ | {"MYPY_CACHE_DIR": str(tree.parent / "mypy")}
    words = (sys.executable, "-c", script, *words)
    return subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_every_check_is_named_and_timed(tree: Path) -> None:
    done = menshen_test(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("ruff check", "ruff format", "mypy", "pytest"):
        assert f"{name}: ok after " in done.stdout
    assert "2 passed" in done.stdout


def test_the_first_failure_ends_it(tree: Path) -> None:
    (tree / "tests" / "test_sum.py").write_text("import os\n")
    done = menshen_test(tree)
    assert done.returncode == 1
    assert "ruff check: failed with exit code 1" in done.stdout
    assert "mypy" not in done.stdout


def test_keep_going_runs_the_rest_and_still_fails(tree: Path) -> None:
    (tree / "tests" / "test_sum.py").write_text("import os\n\n\ndef test_sum() -> None: ...\n")
    done = menshen_test(tree, "--keep-going")
    assert done.returncode == 1
    assert "ruff check: failed with exit code 1" in done.stdout
    assert "1 passed" in done.stdout


def test_words_after_two_dashes_go_to_pytest(tree: Path) -> None:
    done = menshen_test(tree, "--", "-k", "other")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
