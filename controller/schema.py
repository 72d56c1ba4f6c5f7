"""The tables and views of the controller's database, and how an older database becomes a newer one.

A change is a new function at the end; a function that ran somewhere is never edited. Times are UTC as
`2026-11-24T01:15:02.120Z`, so that text order is time order.
"""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database, Migrations

from controller.regions import TABLES as REGIONS

migrations: Final = Migrations("menshen")


@migrations()
def begin(db: Database) -> None:
    """Make the first tables."""
    db.executescript(ENTRANCES)
    db.executescript(EVENTS)
    db.executescript(ALERTS)
    db.executescript(TRUST)
    db.executescript(VIEWS)


@migrations()
def commands(db: Database) -> None:
    """Show commands."""
    db.execute(COMMANDS)


@migrations()
def mend(db: Database) -> None:
    """Mend the times of events whose gate did not know the time yet, once it does."""
    db.executescript(MENDING)


@migrations()
def trust_others(db: Database) -> None:
    """Make the tables of what is believed of the codes of other issuers."""
    db.executescript(OTHERS)


@migrations()
def count_quarantined(db: Database) -> None:
    """Keep the last run of messages in quarantine at each entrance, as that of abnormal codes."""
    for column in ("since TEXT", "last TEXT", "count INTEGER NOT NULL DEFAULT 0", "reason TEXT NOT NULL DEFAULT ''"):
        db.execute(f"ALTER TABLE entrances ADD COLUMN quarantined_{column}")


@migrations()
def people(db: Database) -> None:
    """Make room for who goes through: how often a pass admits, who was let in where, who is inside, who is expected."""
    db.executescript(PEOPLE)


@migrations()
def own_alerts(db: Database) -> None:
    """Let people take alerts on and silence them, and keep every change of an alert in a chain."""
    db.executescript(OWNED)


@migrations()
def count_more(db: Database) -> None:
    """Keep runs of anything in a table of their own, and count passages."""
    db.executescript(COURSES)
    for name in ("abnormal", "quarantined", "unscanned", "conflict"):
        db.execute(
            f"INSERT INTO runs SELECT id, '{name}', {name}_since, {name}_last, {name}_count, {name}_reason"  # noqa: S608
            f" FROM entrances WHERE {name}_last IS NOT NULL"
        )
        for column in ("since", "last", "count", "reason"):
            db.execute(f"ALTER TABLE entrances DROP COLUMN {name}_{column}")


@migrations()
def regions(db: Database) -> None:
    """Let sites lie in regions, and silences be about them."""
    db.executescript(REGIONS)


@migrations()
def know_again(db: Database) -> None:
    """Keep what would be another after a restart: which event told when a machine began; since when a site is full."""
    for column in ("boots ADD COLUMN spool_id INTEGER", "boots ADD COLUMN seq INTEGER"):
        db.execute(f"ALTER TABLE {column}")
    db.execute("ALTER TABLE occupancy ADD COLUMN over_since TEXT")  # by our clock; NULL: it is not full


ENTRANCES: Final = """
CREATE TABLE entrances (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    title_zh TEXT NOT NULL DEFAULT '',
    title_en TEXT NOT NULL DEFAULT '',
    registered_at TEXT, -- NULL: it spoke, but nobody registered it
    heard_at TEXT, -- when it first spoke
    online INTEGER, -- 1, 0, NULL: never said
    online_since TEXT, -- since when `online` is what it is
    offline_reason TEXT NOT NULL DEFAULT '',
    state TEXT, -- the documents it retains on the broker, as last said
    health TEXT,
    info TEXT,
    policy TEXT,
    staffing TEXT GENERATED ALWAYS AS (json_extract(state, '$.staffing')),
    staffing_since TEXT GENERATED ALWAYS AS (json_extract(state, '$.staffing_since')),
    open_faults INTEGER GENERATED ALWAYS AS (json_array_length(health, '$.faults')),
    policy_version INTEGER GENERATED ALWAYS AS (json_extract(policy, '$.version')),
    policy_problem TEXT GENERATED ALWAYS AS (json_extract(policy, '$.problem')),
    abnormal_since TEXT, -- the last run of abnormal codes: its first, its last, how many, why the last
    abnormal_last TEXT,
    abnormal_count INTEGER NOT NULL DEFAULT 0,
    abnormal_reason TEXT NOT NULL DEFAULT '',
    UNIQUE (site, name)
);
"""

EVENTS: Final = """
CREATE TABLE spools (
    id INTEGER PRIMARY KEY,
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    spool TEXT NOT NULL, -- the name a gate gave the file it keeps events in
    committed_seq INTEGER NOT NULL DEFAULT 0, -- every event up to this one is here, or lost
    lost INTEGER NOT NULL DEFAULT 0, -- events the gate no longer had when it first spoke here, or nobody could read
    begun_at TEXT NOT NULL,
    UNIQUE (entrance_id, spool)
);
CREATE TABLE events (
    spool_id INTEGER NOT NULL REFERENCES spools (id),
    seq INTEGER NOT NULL, -- order always comes from this
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    kind TEXT NOT NULL,
    event_type TEXT NOT NULL,
    at TEXT NOT NULL, -- the gate's clock, as far as `clock` lets it be believed
    received_at TEXT NOT NULL, -- the controller's clock
    boot TEXT NOT NULL,
    mono REAL NOT NULL, -- seconds since that boot
    clock TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (spool_id, seq)
);
CREATE INDEX events_received ON events (received_at);
CREATE INDEX events_of_entrance ON events (entrance_id); -- each also in order of arrival, which is the rowid's
CREATE INDEX events_of_kind ON events (kind);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the largest is how many there ever were; only the newest are kept
    received_at TEXT NOT NULL,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    size INTEGER NOT NULL,
    head TEXT NOT NULL -- the first 256 bytes, in hex
);
"""

ALERTS: Final = """
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
    severity TEXT NOT NULL,
    since TEXT NOT NULL,
    updated TEXT NOT NULL,
    resolved_at TEXT,
    resolution TEXT, -- over; unknown: the gate is offline, so nobody can tell
    count INTEGER NOT NULL,
    what_zh TEXT NOT NULL,
    what_en TEXT NOT NULL,
    next_zh TEXT NOT NULL,
    next_en TEXT NOT NULL
);
CREATE UNIQUE INDEX one_open_alert ON alerts (entrance_id, kind) WHERE state = 'open';
CREATE INDEX alerts_updated ON alerts (updated);
"""

TRUST: Final = """
CREATE TABLE policies (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL, -- only grows; 0: nothing was ever desired
    changed_at TEXT
);
INSERT INTO policies VALUES (1, 0, NULL);
CREATE TABLE issuer_keys (key TEXT PRIMARY KEY, public TEXT NOT NULL, trusted_at TEXT NOT NULL);
CREATE TABLE listed_codes (hash TEXT PRIMARY KEY, listed_at TEXT NOT NULL);
CREATE TABLE revocations (cti TEXT PRIMARY KEY, revoked_at TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE passes (
    cti TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    places TEXT NOT NULL, -- JSON
    not_before INTEGER, -- seconds since 1970, UTC
    not_after INTEGER,
    rotating INTEGER NOT NULL,
    issued_at TEXT NOT NULL,
    revoked_at TEXT -- as in revocations, which also hold passes this database did not issue
);
"""

OTHERS: Final = """
CREATE TABLE trust_lists (
    scheme TEXT NOT NULL,
    name TEXT NOT NULL,
    list TEXT NOT NULL, -- JSON, as a policy carries it
    added_at TEXT NOT NULL,
    PRIMARY KEY (scheme, name)
);
CREATE TABLE admissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the first that fits counts
    admission TEXT NOT NULL UNIQUE, -- JSON, as a policy carries it
    added_at TEXT NOT NULL
);
"""

VIEWS: Final = """
CREATE VIEW timeline AS SELECT -- every event, newest first, with its names
    e.rowid AS arrival, e.at, n.site, n.name AS entrance, e.kind, e.event_type, e.payload,
    e.clock, e.received_at, s.spool, e.seq
    FROM events e JOIN spools s ON s.id = e.spool_id JOIN entrances n ON n.id = e.entrance_id
    ORDER BY e.rowid DESC;
CREATE VIEW scans AS SELECT
    at, site, entrance, event_type AS outcome,
    (SELECT group_concat(value, ', ') FROM json_each(payload, '$.reasons')) AS reasons,
    json_extract(payload, '$.kind') AS pass_kind,
    json_extract(payload, '$.scheme') AS scheme,
    json_extract(payload, '$.symbology') AS symbology,
    json_extract(payload, '$.temperature') AS temperature,
    json_extract(payload, '$.celsius') AS celsius,
    json_extract(payload, '$.code') AS code_hash,
    json_extract(payload, '$.took_ms') AS took_ms,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'scan';
CREATE VIEW passages AS SELECT
    at, site, entrance, event_type AS outcome,
    json_extract(payload, '$.direction') AS direction,
    json_extract(payload, '$.scan') AS scan_seq,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'passage';
CREATE VIEW duties AS SELECT
    at, site, entrance, event_type AS change,
    json_extract(payload, '$.who') AS who,
    json_extract(payload, '$.by') AS told_by,
    (SELECT group_concat(value, ', ') FROM json_each(payload, '$.on_duty')) AS on_duty,
    json_extract(payload, '$.since') AS since,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'duty';
CREATE VIEW faults AS SELECT
    at, site, entrance, event_type AS change,
    json_extract(payload, '$.fault') AS fault,
    json_extract(payload, '$.detail') AS detail,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'fault';
CREATE VIEW open_alerts AS SELECT
    n.site, n.name AS entrance, a.kind, a.severity, a.since, a.count,
    a.what_zh, a.what_en, a.next_zh, a.next_en, a.updated
    FROM alerts a JOIN entrances n ON n.id = a.entrance_id WHERE a.state = 'open' ORDER BY a.since;
"""

COMMANDS: Final = """
CREATE VIEW commands AS SELECT
    at, site, entrance, event_type AS outcome,
    json_extract(payload, '$.verb') AS verb,
    json_extract(payload, '$.by') AS asked_by,
    json_extract(payload, '$.reason') AS reason,
    json_extract(payload, '$.count') AS count,
    json_extract(payload, '$.command') AS command,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'command'
"""

MENDING: Final = """
CREATE TABLE boots ( -- starts of a gate's machine in which NTP checked its clock
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    boot TEXT NOT NULL,
    began REAL NOT NULL, -- seconds since 1970 at which `mono` was 0, by the first event with a checked clock
    PRIMARY KEY (entrance_id, boot)
);
INSERT INTO boots SELECT entrance_id, boot, began FROM (
    SELECT entrance_id, boot, (julianday(at) - 2440587.5) * 86400 - mono AS began, min(rowid)
    FROM events WHERE clock = 'synced' GROUP BY entrance_id, boot
);
ALTER TABLE entrances ADD COLUMN clock_unsure_since TEXT; -- by the controller's clock; NULL: it is sure
DROP VIEW timeline;
CREATE VIEW timeline AS SELECT -- every event, newest first, with its names; `clock` is mended where `at` was
    e.rowid AS arrival,
    CASE WHEN b.began IS NULL THEN e.at ELSE strftime('%Y-%m-%dT%H:%M:%fZ', b.began + e.mono, 'unixepoch') END AS at,
    n.site, n.name AS entrance, e.kind, e.event_type, e.payload,
    CASE WHEN b.began IS NULL THEN e.clock ELSE 'mended' END AS clock,
    e.received_at, s.spool, e.seq
    FROM events e JOIN spools s ON s.id = e.spool_id JOIN entrances n ON n.id = e.entrance_id
    LEFT JOIN boots b ON e.clock = 'unset' AND b.entrance_id = e.entrance_id AND b.boot = e.boot
    ORDER BY e.rowid DESC;
DROP VIEW duties;
CREATE VIEW duties AS SELECT
    at, site, entrance, event_type AS change,
    json_extract(payload, '$.who') AS who,
    json_extract(payload, '$.by') AS told_by,
    (SELECT group_concat(value, ', ') FROM json_each(payload, '$.on_duty')) AS on_duty,
    CASE clock WHEN 'mended' THEN strftime('%Y-%m-%dT%H:%M:%fZ', julianday(at)
        + julianday(json_extract(payload, '$.since')) - julianday(json_extract(payload, '$.at')))
        ELSE json_extract(payload, '$.since') END AS since,
    clock, received_at, spool, seq
    FROM timeline WHERE kind = 'duty';
"""

PEOPLE: Final = """
ALTER TABLE passes ADD COLUMN uses INTEGER NOT NULL DEFAULT 0; -- 0: any number of times
ALTER TABLE passes ADD COLUMN people INTEGER NOT NULL DEFAULT 1;
ALTER TABLE entrances ADD COLUMN unscanned_since TEXT; -- the run of people who went in unscanned, like abnormal codes
ALTER TABLE entrances ADD COLUMN unscanned_last TEXT;
ALTER TABLE entrances ADD COLUMN unscanned_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entrances ADD COLUMN unscanned_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE entrances ADD COLUMN conflict_since TEXT; -- the run of codes let in here and, without going out, elsewhere
ALTER TABLE entrances ADD COLUMN conflict_last TEXT;
ALTER TABLE entrances ADD COLUMN conflict_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entrances ADD COLUMN conflict_reason TEXT NOT NULL DEFAULT '';
CREATE TABLE passings ( -- who was let through, where re-entry is watched
    spool TEXT NOT NULL,
    seq INTEGER NOT NULL, -- of the scan
    site TEXT NOT NULL,
    entrance TEXT NOT NULL,
    code TEXT NOT NULL, -- its keyed hash
    direction TEXT NOT NULL,
    at TEXT NOT NULL,
    people INTEGER NOT NULL,
    void INTEGER NOT NULL DEFAULT 0, -- nobody went
    PRIMARY KEY (spool, seq)
);
CREATE INDEX passings_of_code ON passings (site, code, at);
CREATE INDEX passings_of_time ON passings (at);
CREATE TABLE occupancy (site TEXT PRIMARY KEY, inside INTEGER NOT NULL, day TEXT NOT NULL);
CREATE TABLE roster (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    expected TEXT NOT NULL UNIQUE, -- JSON, as a policy carries it
    added_at TEXT NOT NULL
);
"""

OWNED: Final = """
ALTER TABLE alerts ADD COLUMN raised_at TEXT; -- by the controller's clock; `since` is when what it is about began
ALTER TABLE alerts ADD COLUMN acknowledged_at TEXT; -- NULL: nobody has taken it on
ALTER TABLE alerts ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN escalated_at TEXT; -- when nobody had taken it on in time
ALTER TABLE alerts ADD COLUMN resolved_by TEXT NOT NULL DEFAULT ''; -- empty: by itself
ALTER TABLE alerts ADD COLUMN note TEXT NOT NULL DEFAULT ''; -- of whoever acknowledged or resolved it last
ALTER TABLE alerts ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0; -- 1: resolved by hand, and still true since
UPDATE alerts SET raised_at = updated;
CREATE INDEX dismissed_alerts ON alerts (entrance_id, kind) WHERE dismissed;
CREATE TABLE silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, -- empty, as the next two: any
    site TEXT NOT NULL,
    entrance TEXT NOT NULL,
    until TEXT NOT NULL, -- also when somebody ended it
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX silences_until ON silences (until);
CREATE TABLE journal ( -- every change of an alert; see `menshen journal verify`
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    who TEXT NOT NULL, -- an operator's name; empty: the controller itself
    what TEXT NOT NULL, -- JSON, and nothing in it names anybody else
    previous TEXT NOT NULL, -- the hash of the entry before; of the first: zeros
    hash TEXT NOT NULL -- SHA-256 over all of these
);
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal BEGIN SELECT raise(ABORT, 'the journal only grows'); END;
CREATE TRIGGER journal_is_not_cut BEFORE DELETE ON journal BEGIN SELECT raise(ABORT, 'the journal only grows'); END;
DROP VIEW open_alerts;
CREATE VIEW open_alerts AS SELECT
    a.id, n.site, n.name AS entrance, a.kind, a.severity, a.since, a.count,
    a.what_zh, a.what_en, a.next_zh, a.next_en, a.updated, a.acknowledged_by, a.note, a.escalated_at
    FROM alerts a JOIN entrances n ON n.id = a.entrance_id WHERE a.state = 'open' ORDER BY a.since;
"""

COURSES: Final = """
CREATE TABLE runs ( -- what happened again and again at an entrance, with no long pause: its last run
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    name TEXT NOT NULL, -- what; see controller/rules/course.py
    since TEXT NOT NULL,
    last TEXT NOT NULL,
    count INTEGER NOT NULL,
    reason TEXT NOT NULL, -- of the last
    PRIMARY KEY (entrance_id, name)
) WITHOUT ROWID;
CREATE TABLE walks ( -- who went through within the last hours
    entrance_id INTEGER NOT NULL REFERENCES entrances (id),
    slot INTEGER NOT NULL, -- seconds since 1970, by 300
    passages INTEGER NOT NULL,
    unscanned INTEGER NOT NULL, -- of these, without a grant
    PRIMARY KEY (entrance_id, slot)
) WITHOUT ROWID;
CREATE INDEX walks_of_slot ON walks (slot);
"""
