"""The pages' own process: it may die, and nobody waits for it; it ends with its controller, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from controller.broker import Broker, free_port
from controller.config import Config, StoreSection, WebSection
from controller.store import Store
from controller.web.process import Web
from tests.boarders import Visitor
from tests.bystanders import Gate, scan, wait


def answering(port: int) -> Callable[[], bool]:
    visitor = Visitor(port)

    def answers() -> bool:
        try:
            return visitor.get("/sign-in")[0] == 200
        except OSError:
            return False

    return answers


def test_the_process_is_started_again_and_ends_with_its_keeper(tmp_path: Path) -> None:
    path = tmp_path / "controller.db"
    Store(path).close()
    config = Config(store=StoreSection(path=str(path)), web=WebSection(enabled=True, port=free_port()))
    web, answers = Web(config, pause_s=0.1), answering(config.web.port)
    web.start()
    wait(answers)
    assert web._process
    first = web._process.pid
    web._process.kill()
    wait(lambda: bool(web._process and web._process.pid != first and answers()))
    web.stop()
    assert not answers()


def test_the_desk_never_waits_for_the_pages_and_they_end_with_a_killed_controller(
    tmp_path: Path, broker: Broker, gate: Gate
) -> None:
    port = free_port()
    config = tmp_path / "controller.toml"
    config.write_text(
        f'[store]\npath = "{tmp_path}/controller.db"\n[wire]\nport = {broker.wire.port}\n'
        f"[web]\nenabled = true\nport = {port}\n",
        encoding="utf-8",
    )
    words = [sys.executable, "-m", "menshen", "controller", "run", "--config", str(config)]
    answers = answering(port)
    with (tmp_path / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as controller:
        try:
            wait(answers)
            pages = [
                pid
                for thread in Path(f"/proc/{controller.pid}/task").iterdir()
                for pid in map(int, (thread / "children").read_text().split())
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ]
            assert len(pages) == 1
            os.kill(pages[0], signal.SIGSTOP)
            gate.event(scan(1))
            gate.acked(1)
            os.kill(pages[0], signal.SIGCONT)
            wait(answers)
        finally:
            controller.kill()
    wait(lambda: not answers())
