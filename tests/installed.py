"""A gate on emulated parts, as an installer leaves it, and what every finding of the doctor keeps."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from device import config as configuration
from device.config import Config
from device.doctor import CHECKS
from device.wire.checkup import Finding
from device.wire.link import Wire
from hardware.levels import Levels
from hardware.scene import Scene, save
from menshen import main
from tests.fire.gate import configure

CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")


@dataclass
class Installed:
    """A gate on emulated parts, as somebody installed it."""

    folder: Path
    wire: Wire = field(default_factory=lambda: Wire(host="127.0.0.1", port=1))

    def __post_init__(self) -> None:
        self.path = configure(self.folder, "north", self.wire)
        self.scene = self.folder / "scene.json"
        self.show()
        emulated = f'driver = "emulated"\nsource = "{self.scene}"\n'
        wired = "beam_outer = 25\nbeam_inner = 16\nturnstile_passed = 26\nfire = 12\ntamper = 6\ndoor = 4\n"
        text = self.path.read_text(encoding="utf-8").replace('driver = "mock"\n', f'driver = "mock"\n{wired}')
        text = text.replace("[wire]\n", f'[wire]\nca = "{self.wire.ca}"\ncertificate = "{self.wire.certificate}"\n')
        text += f"[camera]\n{emulated}width = 640\nheight = 360\n[thermometer]\n{emulated}"
        self.path.write_text(text, encoding="utf-8")
        self.data = self.folder / "north"

    @property
    def config(self) -> Config:
        return configuration.load(self.path)

    def show(self, **scene: Any) -> None:
        save(self.scene, Scene(**scene))

    def press(self, pin: int, *, level: bool) -> None:
        levels = Levels(self.data / "pins")
        levels.press(pin, level=level)
        levels.close()

    def doctor(self, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
        """Run the command; return its exit code, and what it found by check."""
        done = CliRunner().invoke(main, ["doctor", "--config", str(self.path), "--json", *words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        rows = json.loads(done.stdout)
        return done.exit_code, {row["check"]: row for row in rows}


def told(found: Finding, name: str, state: str) -> Finding:
    """Check what every finding keeps: it is named, and unless all is well it says what to do, in both languages."""
    assert (found.name, found.state) == (name, state), found
    assert found.name in CHECKS
    if state in ("warn", "fail"):
        assert CHINESE.search(found.fix.zh), found.fix
        assert found.fix.en
        assert not CHINESE.search(found.fix.en)
    return found
