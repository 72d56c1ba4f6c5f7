"""The controller's database, as its own program and as a stranger sees it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.alerts import Changes
from controller.config import RulesSection
from controller.database import StoreError, stamp
from controller.facts import Facts, Finding
from controller.intake import Intake
from controller.policies import Pass
from controller.quarantine import Quarantine
from controller.store import QUARANTINE_ROWS, Store
from device.codes.trust import TrustError
from device.wire.link import Heard
from device.wire.messages import (
    Admission,
    Applied,
    Commanded,
    Duty,
    Event,
    Fault,
    Health,
    OpenFault,
    Passage,
    Status,
    Text,
    TrustedKey,
    TrustList,
    encode,
)
from tests.bystanders import PLACE, WHEN, scan, state

KEY = TrustedKey(key="56475aa75463474c", public="A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")  # RFC 8037, appendix A
COMMON: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "at": WHEN, "mono": 2.5, "clock": "synced"}
EVENTS: list[tuple[str, Event]] = [
    ("scan", scan(1, "invalid_time", "temperature_high", kind="visitor", celsius=38.1, temperature="high")),
    ("scan", scan(2)),
    ("passage", Passage(seq=3, event_type="passed", direction="in", scan=2, **COMMON)),
    ("duty", Duty(seq=4, event_type="check_in", who="guard 7", by="badge", on_duty=("guard 7",), since=WHEN, **COMMON)),
    ("fault", Fault(seq=5, event_type="raised", fault="camera_black", detail="is the lens covered?", **COMMON)),
    ("command", Commanded(seq=6, event_type="refused", verb="open", by="guard 7", reason="late", **COMMON)),
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "controller.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def fill(store: Store) -> None:
    store.register(PLACE, "北门", "North gate")
    with store.transaction():
        intake = Intake(store, Quarantine(store), rules=RulesSection(), at=WHEN)
        intake.hear(Heard(topic=PLACE.topic("status"), payload=encode(Status(state="online"))))
        intake.hear(Heard(topic=PLACE.topic("state"), payload=encode(state(staffing="unstaffed"))))
        for kind, event in EVENTS:
            intake.hear(Heard(topic=PLACE.topic(kind), payload=encode(event)))
        intake.hear(Heard(topic=PLACE.topic("scan"), payload=b"\x1b]0;owned\x07"))
        intake.keep()
        finding = Finding(severity="warning", since=WHEN, what=Text("异常码", "odd"), next_step=Text("看", "look"))
        store.save(Changes({(1, "abnormal_code"): finding}, {}, {}), WHEN)


def test_a_crowd_is_known_as_the_gate_said_it_last(store: Store) -> None:
    store.register(PLACE)

    def said(**crowd: Any) -> Facts:
        with store.transaction():
            intake = Intake(store, Quarantine(store), rules=RulesSection(), at=WHEN)
            intake.hear(Heard(topic=PLACE.topic("state"), payload=encode(state(**crowd))))
            intake.keep()
        return store.facts(WHEN)[1]

    assert said().crowded_since is None
    facts = said(waiting=6, crowded_since=WHEN)
    assert (facts.waiting, facts.crowded_since) == (6, WHEN)
    facts = said(waiting=7, crowded_since=datetime(1, 1, 1, tzinfo=UTC))
    assert facts.waiting == 6, "a time that is none is quarantined"
    assert said(waiting=1).crowded_since is None


def test_a_commit_is_on_disk_and_keys_hold(store: Store) -> None:
    asked = ("journal_mode", "synchronous", "foreign_keys")
    assert [store.db.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == ["wal", 2, 1]
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        store.spool(store.entrance(PLACE) + 1, "a1b2c3", WHEN)
    assert not store.facts(WHEN)


def test_one_alert_is_open_for_an_entrance_and_kind_whatever_a_program_does(store: Store) -> None:
    fill(store)
    again = (
        "INSERT INTO alerts (id, entrance_id, kind, state, severity, since, updated, count, what_zh, what_en, next_zh,"
        " next_en) SELECT 99, entrance_id, kind, ?, severity, since, updated, 1, '', '', '', ''"
    )
    with pytest.raises(sqlite3.IntegrityError):
        store.db.execute(f"{again} FROM alerts", ["open"])
    store.db.execute(f"{again} FROM alerts", ["resolved"])


def test_a_database_from_the_future_is_refused(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('menshen', 'levitate', '')"
        )
    for read_only in (False, True):
        with pytest.raises(StoreError, match=r"newer menshen \(levitate\); install that version"):
            Store(path, read_only=read_only)


def test_an_older_database_is_brought_forward_by_whoever_writes(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at)"
        )
    with pytest.raises(StoreError, match="older menshen; start `menshen controller run`"):
        Store(path, read_only=True)
    with Store(path) as store:
        fill(store)
    with Store(path) as store, Store(path, read_only=True) as reading:
        assert store.entrances() == reading.entrances() != []


@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_database_of_ours_is_refused(path: Path, read_only: bool) -> None:  # noqa: FBT001
    path.parent.mkdir()
    path.write_bytes(b"GIF89a" * 500)
    with pytest.raises(StoreError, match=r"cannot be used as the database: file is not a database; see \[store\] path"):
        Store(path, read_only=read_only)
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE recipes (id)")
    with pytest.raises(StoreError, match="some other program"):
        Store(path, read_only=read_only)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be used"):
        Store(path, read_only=read_only)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "below").write_text("a file")
    with pytest.raises(StoreError, match="File exists"):
        Store(tmp_path / "below" / "controller.db")


def test_reading_neither_makes_nor_changes(path: Path) -> None:
    with pytest.raises(StoreError, match="no database yet; start `menshen controller run`"):
        Store(path, read_only=True)
    assert not path.parent.exists()
    Store(path).close()
    with Store(path, read_only=True) as reading, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.register(PLACE)


def test_registering_again_changes_only_the_titles(store: Store) -> None:
    store.register(PLACE, "北", "North")
    first = store.entrances()[0]
    store.register(PLACE, "北门", "North gate")
    assert store.entrances() == [first | {"title_zh": "北门", "title_en": "North gate"}]
    assert store.registered() == [PLACE]
    assert store.unregister(PLACE)
    assert not store.registered()
    assert not store.entrances()


def test_only_the_newest_of_the_quarantine_is_kept(store: Store) -> None:
    with store.transaction():
        for number in range(QUARANTINE_ROWS + 5):
            store.quarantine("menshen/a/b/c", f"reason {number}", bytes(300), WHEN)
    rows = store.db.execute(
        "SELECT count(*), min(id), max(id), max(size), max(length(head)) FROM quarantine"
    ).fetchone()
    assert rows == (QUARANTINE_ROWS, 6, QUARANTINE_ROWS + 5, 300, 512)


def test_what_is_desired_grows_and_one_bad_entry_changes_nothing(store: Store) -> None:
    assert store.desired().version == 0
    store.trust_key(KEY)
    first = store.desired()
    assert first.version >= int(time.time()) - 5
    store.trust_key(KEY)
    assert store.desired() == first
    store.revoke("4f0a6c1d2e3b5a79")
    store.list_code("00112233445566778899aabbccddeeff")
    later = store.desired()
    assert later.version >= first.version + 2
    assert (later.keys, later.revoked) == ((KEY,), ("4f0a6c1d2e3b5a79",))
    for bad in (
        lambda: store.revoke("everything"),
        lambda: store.list_code("secret"),
        lambda: store.trust_key(TrustedKey(key="00", public="")),
    ):
        with pytest.raises(TrustError):
            bad()
    assert store.desired() == later


def test_what_others_say_is_desired_once_and_whole(store: Store) -> None:
    listed = TrustList(scheme="jws", name="expo", issued_at=WHEN, good_for_s=60)
    store.trust_list(listed)
    assert store.admit(Admission(scheme="jws"))
    version = store.version()
    assert not store.admit(Admission(scheme="jws"))
    with pytest.raises(TrustError, match="jws/other: it is good for -1 s"):
        store.trust_list(TrustList(scheme="jws", name="other", issued_at=WHEN, good_for_s=-1))
    assert store.version() == version
    desired = store.desired()
    assert (desired.lists, desired.admit) == ((listed,), (Admission(scheme="jws"),))
    assert desired.issued_at is not None
    assert store.distrust_list("jws", "expo")
    assert not store.distrust_list("jws", "expo")
    assert store.withdraw(1)
    assert not store.withdraw(1)


def test_a_gate_that_says_its_trust_is_stale_is_a_fact(store: Store) -> None:
    fill(store)
    (entrance,) = store.facts(WHEN)
    for fault, stale in (("stale_trust", True), ("camera_black", False)):
        health = Health(faults=(OpenFault(fault, WHEN, "shc/clinic"),))
        with store.transaction():
            store.document(entrance, "health", health)
        found = store.facts(WHEN)[entrance].stale
        assert found == (OpenFault("stale_trust", WHEN, "shc/clinic") if stale else None)


def test_an_issued_pass_is_kept_once(store: Store) -> None:
    issued = Pass(
        cti="4f0a6c1d2e3b5a79", kind="visitor", subject="访客 1", places=("expo", "expo/north"), not_before=1,
        not_after=None, rotating=True, issued_at=WHEN,
    )  # fmt: skip
    store.record_pass(issued)
    store.record_pass(msgspec.structs.replace(issued, subject="someone else"))
    assert store.pass_(issued.cti) == issued
    store.revoke(issued.cti)
    revoked = store.pass_(issued.cti)
    assert revoked
    assert revoked.revoked_at
    assert store.pass_("0000000000000000") is None


def test_every_view_reads_as_it_is_named(store: Store) -> None:
    fill(store)
    asked = {name: next(store.db.view(name).rows) for name in store.db.view_names()}
    assert set(asked) == {"timeline", "scans", "passages", "duties", "faults", "commands", "open_alerts"}
    place = {"site": "expo", "entrance": "north"}
    assert place.items() <= asked["scans"].items()
    refused = next(store.db.query("SELECT * FROM scans WHERE outcome = 'refuse'"))
    assert (refused["reasons"], refused["celsius"], refused["pass_kind"]) == (
        "invalid_time, temperature_high", 38.1, "visitor"
    )  # fmt: skip
    assert (asked["passages"]["scan_seq"], asked["passages"]["at"]) == (2, stamp(WHEN))
    assert (asked["duties"]["who"], asked["duties"]["on_duty"]) == ("guard 7", "guard 7")
    assert (asked["faults"]["fault"], asked["faults"]["change"]) == ("camera_black", "raised")
    refused = asked["commands"]
    assert [refused[name] for name in ("outcome", "verb", "asked_by", "reason", "count")] == [
        "refused", "open", "guard 7", "late", 1
    ]  # fmt: skip
    assert (asked["open_alerts"]["what_zh"], asked["open_alerts"]["entrance"]) == ("异常码", "north")
    assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_stranger_opens_it_with_datasette(store: Store, path: Path) -> None:
    fill(store)

    def get(page: str) -> Any:
        command = [sys.executable, "-m", "datasette", str(path), "--get", page]
        return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    described = get("/controller.json")
    tables = {table["name"]: table for table in described["tables"] if not table["hidden"]}
    assert {"entrances", "events", "spools", "alerts", "quarantine"} <= tables.keys()
    assert tables["events"]["primary_keys"] == ["spool_id", "seq"]
    outgoing = {key["other_table"] for key in tables["events"]["foreign_keys"]["outgoing"]}
    assert outgoing == {"entrances", "spools"}
    scans = get("/controller/scans.json?_shape=array")
    assert [(row["outcome"], row["site"], row["entrance"], row["seq"]) for row in scans] == [
        ("grant", "expo", "north", 2),
        ("refuse", "expo", "north", 1),
    ]
    entrance = get("/controller/entrances.json?_shape=array")[0]
    assert (entrance["title_zh"], entrance["staffing"]) == ("北门", "unstaffed")


def test_a_gate_that_is_there_and_holds_an_older_policy_is_behind(store: Store) -> None:
    fill(store)
    assert store.facts(WHEN)[1].behind_since is None, "nothing was ever desired"
    store.revoke("4f0a6c1d2e3b5a79")
    behind = store.facts(WHEN)[1]
    assert behind.behind_since is not None
    assert behind.behind_since > WHEN
    store.document(1, "policy", Applied(version=store.version() - 1, at=WHEN, problem="no room"))
    assert store.facts(WHEN)[1].behind_why == "no room"
    store.document(1, "policy", Applied(version=store.version(), at=WHEN))
    assert store.facts(WHEN)[1].behind_since is None
