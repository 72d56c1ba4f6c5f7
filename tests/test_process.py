"""The pages' own process: it may die, and nobody waits for it."""

from __future__ import annotations

from pathlib import Path

from controller.web.process import Web
from tests.boarders import Visitor, pages
from tests.bystanders import wait


def test_the_process_is_started_again_and_ends_with_its_keeper(tmp_path: Path) -> None:
    with pages(tmp_path) as made:
        config = made.config
    web = Web(config, pause_s=0.1)
    web.start()
    visitor = Visitor(config.web.port)

    def answers() -> bool:
        try:
            return visitor.get("/sign-in")[0] == 200
        except OSError:
            return False

    wait(answers)
    assert web._process
    first = web._process.pid
    web._process.kill()
    wait(lambda: bool(web._process and web._process.pid != first and answers()))
    web.stop()
    assert not answers()
