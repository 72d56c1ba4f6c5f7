"""`menshen test`: everything that must hold, one check after the other."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
CHECKS: Final = {
    "ruff check": ("ruff", "check"),
    "ruff format": ("ruff", "format", "--check"),
    "mypy": ("mypy",),
    "pytest": ("pytest", "--numprocesses", "2", "--dist", "loadfile"),
}


@click.command()
@click.option("--keep-going", is_flag=True, help="Go on after a check that failed. 失败后继续")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def test(*, keep_going: bool, pytest_args: tuple[str, ...]) -> None:
    """Check everything: style, types, tests. What follows -- goes to pytest. 运行全部检查"""
    missing = [words[0] for words in CHECKS.values() if importlib.util.find_spec(words[0]) is None]
    if missing:
        raise click.ClickException(
            f"{', '.join(missing)} not installed here: start {ROOT / 'menshen'} test, which does it"
        )
    failed: list[int] = []
    for name, words in CHECKS.items():
        code = _check(name, [*words, *(pytest_args if name == "pytest" else ())])
        if code:
            failed.append(code)
            if not keep_going:
                break
    sys.exit(failed[0] if failed else 0)


def _check(name: str, words: list[str]) -> int:
    """Run one check in the root, its output going where ours goes; return its exit code."""
    click.secho(f"{name} ...", bold=True)
    began = time.monotonic()
    code = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode
    said = click.style(f"failed with exit code {code}", fg="red") if code else click.style("ok", fg="green")
    click.echo(f"{name}: {said} after {time.monotonic() - began:.1f} s")
    return code
