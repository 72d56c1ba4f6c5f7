"""`./menshen`: from a clone to the program, started as a newcomer would, with no network and without apt.

The environments are made from the cache that the launcher of this very clone filled; where somebody made .venv by hand
there may be none, and those tests say so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
FILES: Final = ("menshen", "menshen.py", "pyproject.toml", "uv.lock", "README.md")
FOLDERS: Final = ("controller", "device", "hardware")
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "menshen"
NOWHERE: Final = "http://127.0.0.1:9"  # port 9, discard: nobody answers

Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a start with no network and no apt, on the Python that runs this test."""
    path = f"{sys.base_prefix}/bin{os.pathsep}{os.environ['PATH']}"
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    network = dict.fromkeys((*proxies, *map(str.upper, proxies)), NOWHERE)
    return {**os.environ, "PATH": path, "MENSHEN_NO_APT": "1", **network, **more}


def start(launcher: Path, *words: str, cwd: Path | None = None, **more: str) -> Done:
    env = environment(**more)
    return subprocess.run(
        [launcher, *words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def make_clone(folder: Path) -> Path:
    """Copy what a launcher needs and return the copy of the launcher."""
    folder.mkdir()
    for name in FILES:
        shutil.copy2(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "menshen"


def says_its_version(done: Done) -> bool:
    return done.returncode == 0 and done.stdout.startswith("menshen, version ") and done.stdout.count("\n") == 1


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return make_clone(tmp_path / "a clone 门神")


@pytest.fixture(scope="module")
def cache() -> Path:
    """Return the cache that makes a start without network possible."""
    if not list(CACHE.glob("uv-*")):
        pytest.skip(f"{CACHE} is cold: ./menshen was never started here")
    return CACHE


@pytest.fixture(scope="module")
def made(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a launcher that has been started once."""
    launcher = make_clone(tmp_path_factory.mktemp("made") / "a clone 门神")
    first = start(launcher, "--version", XDG_CACHE_HOME=str(cache.parent))
    assert says_its_version(first), first.stderr
    return launcher


def test_a_second_start_is_quick_and_silent(made: Path) -> None:
    before = os.times()
    done = start(made, "--version")
    after = os.times()
    assert says_its_version(done)
    assert done.stderr == ""
    # The processor's time, which does not grow while the machine is busy with something else.
    assert sum(after[2:4]) - sum(before[2:4]) < 1


def test_it_may_be_called_from_anywhere_through_a_link(made: Path, tmp_path: Path) -> None:
    link = tmp_path / "men"
    link.symlink_to(made)
    assert says_its_version(start(link, "--version", cwd=Path("/")))


def test_words_and_exit_code_are_passed_on(made: Path) -> None:
    done = start(made, "no such word")
    assert done.returncode == 2
    assert "No such command 'no such word'" in done.stderr


@pytest.mark.usefixtures("cache")
def test_a_killed_start_is_repaired_even_by_two_at_once(clone: Path) -> None:
    first = subprocess.Popen([clone, "--version"], env=environment(), stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((clone.parent / ".venv").glob("lib/python3*/site-packages/click")):
        assert first.poll() is None, "it ended before anything was installed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    two = [
        subprocess.Popen(
            [clone, "--version"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for each in two:
        out, err = each.communicate(timeout=300)
        assert each.returncode == 0, err
        assert out.startswith("menshen, version ")


def test_a_folder_that_moved_and_changed_is_brought_up(made: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(made.parent, moved, symlinks=True)
    project = moved / "pyproject.toml"
    project.write_text(project.read_text().replace('\nversion = "', '\nversion = "9.'))
    done = start(moved / "menshen", "--version")
    assert says_its_version(done), done.stderr
    assert "version 9." in done.stdout


@pytest.mark.parametrize(("library", "package"), [("libzbar.so.0", "libzbar0"), ("libGL.so.1", "libgl1")])
def test_what_the_system_lacks_is_named_with_the_line_to_run(
    clone: Path, tmp_path: Path, library: str, package: str
) -> None:
    broken = tmp_path / "lib"
    broken.mkdir()
    (broken / library).touch()
    done = start(clone, "--version", LD_LIBRARY_PATH=str(broken))
    assert done.returncode == 1
    assert done.stdout == ""
    lacks, _, line = done.stderr.splitlines()[-3:]
    assert package in lacks
    assert "apt-get update && apt-get install --yes --no-install-recommends" in line
    assert package in line.strip("'").split()
    assert not (clone.parent / ".venv" / "bin").exists()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder for PATH that holds what every system has, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("cat", "cksum", "dirname", "flock", "grep", "readlink", "sh"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return folder


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0"])
def test_an_unfit_python_is_named_with_the_fix(clone: Path, tools: Path, version: str) -> None:
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo Python {version}\n')
    python.chmod(0o755)
    done = start(clone, "--version", PATH=str(tools))
    assert done.returncode == 1
    assert f"needs 64-bit Python 3.11, 3.12 or 3.13; here is Python {version}." in done.stderr
    assert "apt-get install python3" in done.stderr


def test_no_python_at_all_is_named_too(clone: Path, tools: Path) -> None:
    done = start(clone, "--version", PATH=str(tools))
    assert done.returncode == 1
    assert "here is none." in done.stderr


def test_a_cold_start_without_network_says_what_it_needs(clone: Path, tmp_path: Path) -> None:
    done = start(clone, "--version", XDG_CACHE_HOME=str(tmp_path / "cold"), PIP_RETRIES="0")
    assert done.returncode == 1
    assert "the first start needs the network" in done.stderr
