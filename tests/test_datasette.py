from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from controller.database import now, stamp
from controller.datasette import QUERIES, TABLES
from controller.store import EventRow, Spool, Store
from menshen import main
from tests.bystanders import PLACE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Keep a scan that was granted, one that was refused, a passage with a grant and one without."""
    kept = tmp_path / "controller.db"
    with Store(kept) as store, store.transaction():
        entrance = store.entrance(PLACE)
        spool = store.spool(entrance, "a1b2c3", now()).id
        at = stamp(now() - timedelta(minutes=1))
        kinds = [("scan", "grant"), ("scan", "refuse"), ("passage", "passed"), ("passage", "forced")]
        rows = [
            EventRow(spool, seq, entrance, kind, name, at, at, "b0", 1.0, "synced", "{}")
            for seq, (kind, name) in enumerate(kinds, 1)
        ]
        store.keep(rows, [Spool(spool, 4, 0)])
    return kept


def printed(path: Path) -> str:
    config = path.with_name("controller.toml")
    config.write_text(f'[store]\npath = "{path}"\n', encoding="utf-8")
    return CliRunner().invoke(main, ["controller", "datasette", "--config", str(config)]).output


def test_every_table_and_view_that_is_described_exists_and_every_view_is_described(path: Path) -> None:
    with Store(path, read_only=True) as store:
        there = {*store.db.table_names(), *store.db.view_names()}
        assert set(TABLES) <= there
        assert set(store.db.view_names()) <= set(TABLES)


def test_datasette_shows_the_descriptions_and_answers_the_questions(path: Path) -> None:
    metadata = path.with_name("metadata.yml")
    metadata.write_text(printed(path), encoding="utf-8")
    assert yaml.safe_load(metadata.read_text(encoding="utf-8"))["title"] == "menshen 门神"

    def get(page: str) -> str:
        command = [sys.executable, "-m", "datasette", str(path), "--metadata", str(metadata), "--get", page]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert "Codes read and judged" in get("/controller/scans")
    (rate,) = json.loads(get("/controller/scan_rate.json?_shape=array"))
    assert (rate["with_a_grant"], rate["without"], rate["percent"]) == (1, 1, 50.0)


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_uses_an_index(path: Path, name: str) -> None:
    with Store(path, read_only=True) as store:
        store.db.execute(QUERIES[name]["sql"]).fetchall()
        plan = [row[3] for row in store.db.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]['sql']}")]
    assert not [step for step in plan if step.startswith(("SCAN e", "SCAN a"))], plan
