"""How fast a controller takes events in, beside what others do with the same stream, all in one run:

    python -m bench.ingest                  # two or three minutes
    python -m bench.ingest --gates 1000

A real mosquitto; a controller process with all rules on, which commits before it acknowledges; a process that speaks
for many gates, with packets encoded beforehand and a gate's window. As fast as it goes, then at 10, 50 and 90 % of it.
Beside it: (a) the script many people write, paho's callback with one sqlite3 commit a message; (b) executemany of the
very rows the controller stored, into the same tables, committed as durably; (c) mosquitto_sub, which only prints.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.speaker import Spoken, places, spoken
from controller.broker import Broker
from controller.database import now
from controller.store import Store
from controller.turns import BATCH
from device.wire.link import Wire
from device.wire.messages import EVENTS

AHEAD: Final = 1500  # events under way in all; mosquitto queues 1,000 for a client behind what the sockets hold
READY_S: Final = 60.0
SHARES: Final = (0.1, 0.5, 0.9)
JOURNALS: Final = ("delete", "wal")  # sqlite's own default, and the controller's; synchronous is FULL in both


class Row(NamedTuple):
    """One line of the table."""

    what: str
    events: int
    seconds: float
    cpu: float  # seconds of the processor that it took itself
    broker: float
    speaker: float
    latencies: list[float]
    again: int
    lost: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


class Stream(NamedTuple):
    """What all listeners hear."""

    wire: Wire
    broker: int  # its process
    gates: int


def threads_s(pid: int) -> list[float]:
    """Return the seconds of the processor that each thread of a process has taken, the first one first."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name))
    return [int((each / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9 for each in tasks]


def cpu_s(pid: int) -> float:
    """Return the same for all of them that are left."""
    return sum(threads_s(pid))


@contextmanager
def controller(folder: Path, wire: Wire, gates: int, more: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run one that knows the gates, until it is ready and then for as long as the block."""
    settings = folder / "controller.toml"
    settings.write_text(
        f'[store]\npath = "{folder}/controller.db"\n[web]\nenabled = false\n'
        f'[wire]\nhost = "{wire.host}"\nport = {wire.port}\n{more}'
    )
    with Store(folder / "controller.db") as store, store.transaction():
        store.db.conn.executemany(
            "INSERT OR IGNORE INTO entrances (site, name, registered_at) VALUES (?, ?, '2026-11-24T01:15:02.120Z')",
            places(gates),
        )
    told = folder / "controller.log"
    before = told.read_bytes().count(b"ready: ") if told.exists() else 0
    with told.open("ab") as log:
        command = [sys.executable, "-m", "menshen", "controller", "run", "--config", str(settings)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + READY_S
            while told.read_bytes().count(b"ready: ") == before:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise click.ClickException(f"the controller is not ready: {told.read_text()[-1000:]}")
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def stored(folder: Path) -> tuple[int, int]:
    """Return how many events there are, and how many are missing between the first and the last of a spool."""
    with Store(folder / "controller.db", read_only=True) as store:
        return store.db.execute(  # type: ignore[no-any-return]
            "SELECT sum(n), sum(last - n) FROM (SELECT count(*) AS n, max(seq) AS last FROM events GROUP BY spool_id)"
        ).fetchone()


def script(wire: Wire, path: Path, journal: str, taken: ctypes.c_ulonglong, up: Any) -> None:
    """Do what many do: paho's callback, json, one INSERT and one commit."""
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA journal_mode = {journal}")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE events (topic TEXT, seq INTEGER, at TEXT, event_type TEXT, payload TEXT)")

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain or message.topic.endswith("status"):
            return
        said = json.loads(message.payload)
        row = (message.topic, said["seq"], said["at"], said["event_type"], message.payload.decode())
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
        db.commit()
        taken.value += 1

    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = on_message
    client.on_subscribe = lambda *_: up.set()
    client.connect(wire.host, wire.port)
    client.subscribe("menshen/#")
    client.loop_forever()


def printed(wire: Wire, taken: ctypes.c_ulonglong, up: Any) -> None:
    """Let mosquitto_sub print into a pipe, and count lines."""
    command = [
        "mosquitto_sub", "-V", "5", "-h", wire.host, "-p", str(wire.port), "-F", "%t %p",
        *(word for kind in EVENTS for word in ("-t", f"menshen/+/+/{kind}")),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        time.sleep(0.5)  # it says nothing when it is there
        up.set()
        while raw := process.stdout.read1(1 << 20):  # type: ignore[union-attr]
            taken.value += raw.count(b"\n")


def beside(what: str, stream: Stream, events: int, work: Callable[..., None], *given: Any) -> Row:
    """Measure a listener in a process of its own, which counts what it has taken."""
    wire, broker, gates = stream
    taken, up = RawValue(ctypes.c_ulonglong, 0), multiprocessing.Event()
    process = multiprocessing.get_context("fork").Process(target=work, args=(wire, *given, taken, up))
    process.start()
    try:
        up.wait(READY_S)
        before, relayed = _family_s(process.pid or 0), cpu_s(broker)
        said = spoken(wire, gates, 1, events, ahead=AHEAD, taken=taken)
        cpu = _family_s(process.pid or 0) - before
    finally:
        for child in _children(process.pid or 0):
            os.kill(child, 15)
        process.terminate()
        process.join()
    return Row(what, events, said.seconds, cpu, cpu_s(broker) - relayed, said.cpu, [], said.again, said.missing)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _family_s(pid: int) -> float:
    return sum(map(cpu_s, [pid, *_children(pid)]))


def raw(folder: Path, gates: int) -> Row:
    """Insert the rows that the controller stored into the same tables, BATCH of them in a transaction."""
    with Store(folder / "controller.db", read_only=True) as store:
        rows = store.db.execute("SELECT * FROM events ORDER BY rowid").fetchall()
        spools = store.db.execute("SELECT * FROM spools").fetchall()
    with Store(folder / "raw.db") as store:
        with store.transaction():
            for place in places(gates):
                store.entrance(place)
            store.db.conn.executemany("INSERT INTO spools VALUES (?, ?, ?, ?, ?, ?)", spools)
        began, cpu = time.monotonic(), time.process_time()
        for first in range(0, len(rows), BATCH):
            with store.transaction():
                store.db.conn.executemany(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows[first : first + BATCH]
                )
        seconds = time.monotonic() - began
    return Row("(b) executemany", len(rows), seconds, time.process_time() - cpu, 0.0, 0.0, [], 0, 0)


def ours(folder: Path, stream: Stream, events: int, seconds: float) -> Iterator[Row]:
    """Measure the controller: as fast as it goes, and then at shares of that."""
    wire, broker, gates = stream
    with controller(folder, wire, gates) as process:
        first = 1

        def measure(what: str, count: int, rate: float) -> Row:
            nonlocal first
            count -= count % gates
            before, relayed = threads_s(process.pid), cpu_s(broker)
            said: Spoken = spoken(wire, gates, first, count, rate=rate, ahead=AHEAD)
            cpu = [now_ - then for now_, then in zip(threads_s(process.pid), before, strict=False)]
            first += count // gates
            kept, gaps = stored(folder)
            lost = (first - 1) * gates - kept + gaps
            what += f" (desk {1e6 * cpu[0] / count:.0f}, link {1e6 * max(cpu[1:]) / count:.0f})"
            return Row(
                what, count, said.seconds, sum(cpu), cpu_s(broker) - relayed, said.cpu, sorted(said.latencies),
                said.again, lost,
            )  # fmt: skip

        measure("warm", max(gates, events // 10), 0)
        full = measure("controller, saturated", events, 0)
        yield full
        for share in SHARES:
            rate = share * full.rate
            yield measure(f"at {share:.0%}", max(gates, int(rate * seconds)), rate)


def show(row: Row) -> None:
    """Print one line."""
    ms = [1000 * each for each in row.latencies]
    times = [f"{ms[min(len(ms) - 1, int(share * len(ms)))]:.1f}" if ms else "" for share in (0.5, 0.95, 0.99)]
    micro = [f"{1e6 * each / row.events:.0f}" if each else "" for each in (row.cpu, row.broker, row.speaker)]
    lost = row.lost if row.latencies else ""
    click.echo(
        f"| {row.what} | {row.events} | {row.rate:.0f} | {' | '.join(times)} | {' | '.join(micro)} |"
        f" {row.again or ''} | {lost} |"
    )


@click.command()
@click.option("--gates", default=100, show_default=True)
@click.option("--events", default=60_000, show_default=True, help="As fast as it goes.")
@click.option("--script-events", default=6_000, show_default=True, help="For (a), which is slow.")
@click.option("--seconds", default=10.0, show_default=True, help="At each share of what is possible.")
def main(*, gates: int, events: int, script_events: int, seconds: float) -> None:
    """Measure, and print a table and the ratios that count."""
    click.echo(f"{now():%Y-%m-%d %H:%M}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {gates} gates")
    click.echo("| what | events | events/s | median ms | p95 | p99 | µs CPU/event | broker | speaker | again | lost |")
    click.echo("|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="menshen-bench-") as name:
        folder = Path(name)
        broker = Broker(folder)
        broker.start()
        stream = Stream(broker.wire, _children(os.getpid())[0], gates)
        try:
            rows = []
            for row in ours(folder, stream, events, seconds):
                rows.append(row)
                show(row)
            full = rows[0]
            scripts = []
            for journal in JOURNALS:
                path = folder / f"{journal}.db"
                what = f"(a) a commit a message, {journal}"
                scripts.append(beside(what, stream, script_events, script, path, journal))
                show(scripts[-1])
            plain = raw(folder, gates)
            show(plain)
            sub = beside("(c) mosquitto_sub", stream, events, printed)
            show(sub)
        finally:
            broker.stop()
    click.echo(f"load {os.getloadavg()[0]:.1f}")
    for each in scripts:
        click.echo(f"{full.rate / each.rate:.1f} x the rate of {each.what}")
    for each in (plain, sub):
        cpu = full.cpu / full.events / (each.cpu / each.events)
        click.echo(f"{full.rate / each.rate:.0%} of the rate of {each.what}, {cpu:.1f} x its CPU an event")
    if any(row.lost for row in rows):
        raise click.ClickException("events were lost")


if __name__ == "__main__":
    main()
