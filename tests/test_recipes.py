from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from controller.broker import Broker
from controller.config import Config, Route
from controller.notifiers import addresses
from controller.store import Store
from device import settings
from device.wire.messages import Health, OpenFault, Passage
from tests.bystanders import PLACE, WHEN, Gate, configured, running, scan, state, wait

DOCS = Path(__file__).parents[1] / "docs"
RECIPES = (DOCS / "recipes.md").read_text(encoding="utf-8")
INTEGRATIONS = (DOCS / "integrations.md").read_text(encoding="utf-8")


class Recipe(NamedTuple):
    """A line to run, and how lines of what it prints begin."""

    line: str
    prints: tuple[str, ...]


def recipes() -> Iterator[Recipe]:
    for line, said in re.findall(r"^```sh\n(mosquitto_sub .*)\n((?:# .*\n)+)```", RECIPES, re.MULTILINE):
        yield Recipe(line, tuple(re.findall(r"^# (.*)$", said, re.MULTILINE)))


def begun(recipe: Recipe, port: int, folder: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    """Run a recipe against this broker; return where its words go, and the process."""
    out = folder / f"{len(list(folder.iterdir()))}.txt"
    line = recipe.line.replace("mosquitto_sub", f"mosquitto_sub -p {port}", 1)
    with out.open("wb") as file:
        return out, subprocess.Popen(["/bin/sh", "-c", line], stdout=file, cwd=folder, start_new_session=True)


@pytest.mark.skipif(not shutil.which("mosquitto_sub"), reason="apt-get install mosquitto-clients")
def test_every_recipe_prints_what_the_page_shows(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    """Start them all, let a gate speak before a controller, end them all, and read."""
    config = configured(broker, tmp_path)
    with Store(Path(config.store.path)) as store:
        store.register(PLACE)
    with running(config):
        gate.online()
        gate.retain("state", state(staffing="unstaffed"))
        gate.retain("health", Health(faults=(OpenFault("fire", WHEN, ""),)))
        gate.alert("fire")
        started = [(recipe, *begun(recipe, broker.wire.port, tmp_path)) for recipe in recipes()]
        seq = 0

        def done() -> bool:
            nonlocal seq
            seq += 2
            gate.event(scan(seq - 1, "invalid"))
            passage = Passage(
                spool="a1b2c3", seq=seq, boot="b0", at=WHEN, mono=1.5, clock="synced", event_type="passed"
            )
            gate.event(passage, kind="passage")
            return all(found in out.read_text() for recipe, out, _ in started for found in recipe.prints[:1])

        try:
            wait(done)
        except AssertionError:
            for recipe, out, _ in started:
                print(recipe, out.read_text()[:200])
            raise
        finally:
            for _, _, process in started:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=10)
    for recipe, out, _ in started:
        for found in recipe.prints:
            assert found in out.read_text(), recipe.line
    print(f"{len(started)} recipes ran")
    assert len(started) >= 8


def test_every_configuration_on_the_page_is_one() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", INTEGRATIONS, re.MULTILINE | re.DOTALL)
    for block in blocks:
        made = settings.convert(Config, msgspec.toml.decode(block, type=dict), source="docs/integrations.md")
        assert made != Config()
    assert len(blocks) >= 3


def test_every_address_on_the_page_is_one_that_apprise_knows(tmp_path: Path) -> None:
    block = re.findall(r"^```\n(# .*?)^```", INTEGRATIONS, re.MULTILINE | re.DOTALL)[0]
    path = tmp_path / "urls"
    path.write_text(block.replace("KEY", "k" * 36).replace("TOKEN", "t" * 36).replace("SECRET", "s" * 36), "utf-8")
    path.chmod(0o600)
    assert len(addresses(Route(name="page", urls=str(path)))) == 5


def test_every_setting_of_a_route_is_explained() -> None:
    for field in msgspec.structs.fields(Route):
        assert f"`{field.encode_name}`" in INTEGRATIONS
