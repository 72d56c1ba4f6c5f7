"""What people do about alerts: take on, resolve, silence; and the journal that has it all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.alarms import AlertError
from controller.alerts import Changes
from controller.database import now
from controller.facts import Finding
from controller.journal import Entry, Head, broken, seal
from controller.retention import Chosen, Eraser
from controller.store import Store
from device.wire.messages import Alert, Text
from tests.bystanders import PLACE, WHEN

KEY = (1, "unstaffed_entrance")


def finding(severity: str = "warning", count: int = 1) -> Finding:
    return Finding(
        severity=severity,  # type: ignore[arg-type]
        since=WHEN, count=count, what=Text("甲", "one"), next_step=Text("乙", "go"),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "controller.db") as opened:
        opened.register(PLACE)
        raise_(opened)
        yield opened


def raise_(store: Store, severity: str = "warning", count: int = 1) -> None:
    new = {} if KEY in store.open_alerts() else {KEY: finding(severity, count)}
    with store.transaction():
        store.save(Changes(new, {} if new else {KEY: finding(severity, count)}, {}), now())


def alert(store: Store) -> Alert:
    return store.open_alerts()[KEY]


def changes(store: Store) -> list[tuple[str, str]]:
    return [(entry["who"], entry["what"]["change"]) for entry in reversed(store.journal_entries())]


def test_an_alert_is_taken_on_by_somebody_and_resolved(store: Store) -> None:
    store.acknowledge(1, "guard 7", "on my way")
    taken = alert(store)
    assert (taken.state, taken.acknowledged_by, taken.note) == ("acknowledged", "guard 7", "on my way")
    store.resolve(1, "guard 8")
    assert store.open_alerts() == {}
    (row,) = store.alerts(place=None, kind=None, only_open=False, limit=9)
    assert (row["resolution"], row["resolved_by"], row["note"]) == ("by_hand", "guard 8", "on my way")
    assert changes(store) == [("", "raised"), ("guard 7", "acknowledged"), ("guard 8", "resolved")]
    with pytest.raises(AlertError, match="resolved already"):
        store.acknowledge(1, "guard 7")
    with pytest.raises(AlertError, match="no alert 99"):
        store.resolve(99, "guard 7")


@pytest.mark.parametrize("by", ["", " ", "x" * 65, "guard\n7", "\x1b[2J"])
def test_nobody_acts_without_a_name(store: Store, by: str) -> None:
    with pytest.raises(AlertError, match="say who"):
        store.acknowledge(1, by)
    assert alert(store).state == "raised"
    assert changes(store) == [("", "raised")]


def test_what_gets_worse_is_everybodys_again(store: Store) -> None:
    store.acknowledge(1, "guard 7")
    raise_(store, count=2)
    assert alert(store).acknowledged_by == "guard 7", "one more of the same is still theirs"
    raise_(store, severity="critical")
    assert (alert(store).state, alert(store).acknowledged_by) == ("raised", "")
    raise_(store, severity="warning")
    assert [change for _, change in changes(store)] == ["raised", "acknowledged", "worse", "milder"]


@pytest.mark.parametrize(
    ("what", "silenced"),
    [
        ({"kind": "unstaffed_entrance"}, True),
        ({"kind": "gate_offline"}, False),
        ({"site": "expo"}, True),
        ({"site": "fair"}, False),
        ({"site": "expo", "entrance": "north"}, True),
        ({"site": "expo", "entrance": "south"}, False),
        ({"kind": "unstaffed_entrance", "site": "fair"}, False),
    ],
)
def test_a_silence_covers_what_it_names_until_it_ends(store: Store, what: dict[str, str], silenced: bool) -> None:  # noqa: FBT001
    until = now() + timedelta(hours=1)
    number = store.silence("guard 7", "the door is being painted", until, **what)  # type: ignore[arg-type]
    assert alert(store).silenced_until == (until if silenced else None)
    assert store.open_alerts(at=until)[KEY].silenced_until is None
    assert [each["id"] for each in store.silences(now())] == [number]
    store.end_silence(number, "guard 8")
    assert alert(store).silenced_until is None
    assert store.silences(now()) == []
    assert len(store.silences()) == 1
    with pytest.raises(AlertError, match="no silence"):
        store.end_silence(number, "guard 8")
    assert changes(store)[1:] == [("guard 7", "silenced"), ("guard 8", "silence_ended")]


def test_a_silence_has_a_reason_an_end_and_an_aim(store: Store) -> None:
    soon = now() + timedelta(hours=1)
    for reason, until, what in (
        ("", soon, {"kind": "fire"}),
        ("painting", soon, {}),
        ("painting", soon, {"kind": "fire", "entrance": "north"}),
        ("painting", now() - timedelta(seconds=1), {"kind": "fire"}),
        ("painting", now() + timedelta(days=91), {"kind": "fire"}),
    ):
        with pytest.raises(AlertError):
            store.silence("guard 7", reason, until, **what)  # type: ignore[arg-type]
    assert store.silences() == []


def test_the_journal_names_nobody_but_operators(store: Store) -> None:
    store.acknowledge(1, "guard 7", "visitor 4 was rude")
    store.silence("guard 7", "visitor 5 again", now() + timedelta(hours=1), site="expo")
    store.resolve(1, "guard 8", "visitor 6 left")
    said = "\n".join(entry.what + entry.who for entry in store.journal())
    assert "guard 7" in said
    assert "visitor" not in said
    assert json.loads(list(store.journal())[1].what)["noted"] is True


def filled(store: Store) -> list[Entry]:
    for number in range(4):
        store.acknowledge(1, f"guard {number}")
    return list(store.journal())


def test_a_journal_that_nobody_touched_is_whole(store: Store) -> None:
    entries = filled(store)
    head = store.journal_head()
    assert head == Head(seq=5, hash=entries[-1].hash)
    assert broken(entries, head) == ""
    assert broken(entries, Head(seq=3, hash=entries[2].hash)) == "", "an older head is in it"
    assert broken([], Head(seq=0, hash="0" * 64)) == ""


def rewritten(entries: list[Entry]) -> list[Entry]:
    """Chain anew what was tampered with, as somebody who knows how would."""
    last, anew = "0" * 64, []
    for number, entry in enumerate(entries, 1):
        last_hash = seal(number, entry.at, entry.who, entry.what, last)
        anew.append(Entry(number, entry.at, entry.who, entry.what, last, last_hash))
        last = last_hash
    return anew


def test_every_way_to_tamper_is_found(store: Store) -> None:
    entries = filled(store)
    head = store.journal_head()
    for index, entry in enumerate(entries):
        for field in ("at", "who", "what", "previous", "hash"):
            changed = [*entries]
            changed[index] = entry._replace(**{field: getattr(entry, field)[:-1] + "?"})
            assert "changed" in broken(changed), (index, field)
        assert broken(entries[:index] + entries[index + 1 :], head), "taken out"
        assert broken(entries[:index], head), "cut off"
        assert "written anew" in broken(
            rewritten([*entries[:index], entry._replace(who="guard 9"), *entries[index + 1 :]]), head
        )
    assert broken([entries[0], entries[2], entries[1], *entries[3:]]), "exchanged"
    swapped = [entries[1]._replace(seq=1), entries[0]._replace(seq=2), *entries[2:]]
    assert broken(swapped), "exchanged with their numbers"
    assert "cut off" in broken(entries[:-1], head)
    assert broken(entries[:-1]) == "", "which is why its head is said elsewhere"


def test_the_database_itself_refuses_to_change_the_journal(store: Store) -> None:
    for sql in ("UPDATE journal SET who = 'nobody'", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            store.db.execute(sql)
    assert len(list(store.journal())) == 1


def test_an_act_that_fails_leaves_no_entry_and_an_entry_that_fails_no_act(store: Store) -> None:
    store.db.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'disk full'); END")
    with pytest.raises(sqlite3.IntegrityError, match="disk full"):
        store.acknowledge(1, "guard 7")
    assert alert(store).state == "raised"


def test_notes_are_forgotten_and_the_journal_stays(store: Store, tmp_path: Path) -> None:
    today = now()
    store.resolve(1, "guard 7", at=today - timedelta(days=16))
    for days, note in ((15, "old7f3a note"), (13, "young9c2e note")):
        at = today - timedelta(days=days)
        raise_(store)
        store.acknowledge(alert(store).id, "guard 7", note, at=at)
        store.resolve(alert(store).id, "guard 7", at=at)
        store.silence("guard 7", f"why {note}", at + timedelta(hours=1), site="expo", at=at)
    journal, eraser = list(store.journal()), Eraser(store)

    def left() -> bytes:
        assert eraser.empty_log(wait_s=0)
        return b"".join(path.read_bytes() for path in tmp_path.glob("controller.db*"))

    assert b"why old7f3a note" in left()
    assert eraser.small(Chosen(before=today - timedelta(days=14)))["alerts"] == 1
    assert b"old7f3a" not in left()
    assert b"why young9c2e note" in left()
    assert eraser.small(Chosen(place=PLACE))["alerts"] == 1
    assert b"why young9c2e note" in left(), "that silence is about the whole site"
    assert eraser.small(Chosen(before=today))["silences"] == 1
    assert b"young9c2e" not in left()
    assert list(store.journal()) == journal
