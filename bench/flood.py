"""How fast an event becomes an alert while another gate says all it can: real processes, a real mosquitto.

python -m bench.flood --seconds 20
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from typing import Final, NamedTuple

import click

from controller.broker import Broker
from controller.database import now
from controller.store import Store
from device.wire.link import Heard, Link, LinkSaid, Wire
from device.wire.messages import OLDEST, SEQ, SPOOL, Ack, Alert, Place, Scan, Status, decode, encode, parse_topic
from tests.attacker import connect, packet, text

QUIET: Final = tuple(Place("expo", f"quiet-{number}") for number in range(4))
LOUD: Final = Place("expo", "loud")
PACE_S: Final = 0.05  # between two wrong codes, at one of the quiet gates after another
AGAIN_S: Final = 1.0  # what is not acknowledged after this is said again, as a gate does
WINDOW: Final = 256
RATES: Final = (3000, 10_000, 30_000)  # messages a second of a device that does not care about acknowledgements


class Taken(NamedTuple):
    """What came of it."""

    latencies: list[float]
    again: int
    flood_said: int


def scan(place: Place, seq: int) -> Scan:
    """Return one wrong code."""
    return Scan(
        spool=f"sp-{place.entrance}", seq=seq, boot="b0", at=now(), mono=1.0, clock="synced", event_type="refuse",
        reasons=("revoked",), code=f"{seq:032x}", scheme="ms1", symbology="QRCode", took_ms=5.0,
    )  # fmt: skip


def say(link: Link, place: Place, seq: int) -> None:
    """Say it as a gate does."""
    event = scan(place, seq)
    link.say(place.topic("scan"), encode(event), headers={SPOOL: event.spool, SEQ: str(seq), OLDEST: "1"})


def blurt(wire: Wire, rate: int, over: Flag, said: multiprocessing.Queue[int]) -> None:
    """Say so many events a second, whatever anybody answers; as bytes made beforehand, so that it costs little here."""
    with socket.create_connection((wire.host, wire.port)) as broker:
        broker.sendall(connect("loud"))
        broker.recv(100)
        count, began = 0, time.monotonic()
        while not over.is_set():
            due = int(rate * (time.monotonic() - began)) - count
            if due > 0:
                broker.sendall(b"".join(published(LOUD, count + number) for number in range(1, due + 1)))
                count += due
            time.sleep(0.002)
    said.put(count)


def published(place: Place, seq: int) -> bytes:
    """Return a wrong code as it goes over the wire."""
    event = scan(place, seq)
    pairs = {SPOOL: event.spool, SEQ: str(seq), OLDEST: "1"}
    beside = b"".join(b"\x26" + text(name) + text(value) for name, value in pairs.items())
    return packet(0x30, text(place.topic("scan")) + packet(0, beside)[1:] + encode(event))


def flood(wire: Wire, window: int, over: Flag, said: multiprocessing.Queue[int]) -> None:
    """Say events as fast as the connection takes them, `window` ahead of what is acknowledged, as a gate does."""
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = Link(wire, name="loud", hear=(LOUD.topic("ack"),), put=inbox.put)
    link.start()
    while not link.up:
        time.sleep(0.01)
    seq = acked = count = 0
    moved = time.monotonic()
    while not over.is_set():
        while not inbox.empty():
            heard = inbox.get()
            if isinstance(heard, Heard):
                acked, moved = max(acked, decode(Ack, heard.payload).seq), time.monotonic()
        if time.monotonic() - moved > AGAIN_S:
            seq, moved = acked, time.monotonic()
        if seq >= acked + window:
            time.sleep(0.001)
            continue
        seq = max(seq, acked) + 1
        say(link, LOUD, seq)
        count += 1
    said.put(count)
    link.stop()


def measure(wire: Wire, seconds: float) -> tuple[list[float], int]:
    """Say wrong codes at the quiet gates, and wait for what the controller says of each; return seconds it took."""
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    hear = tuple(place.topic(word) for place in QUIET for word in ("alert/abnormal_code", "ack"))
    link = Link(wire, name="quiet", hear=hear, put=inbox.put)
    link.start()
    while not link.up:
        time.sleep(0.01)
    for place in QUIET:
        link.say(place.topic("status"), encode(Status(state="online")), qos=1, retain=True)
    said: dict[tuple[Place, int], float] = {}
    waiting: dict[tuple[Place, int], float] = {}
    _warm(link, inbox)
    latencies, again, number, end = [], 0, len(QUIET), time.monotonic() + seconds
    due = time.monotonic()
    while time.monotonic() < end or (waiting and time.monotonic() < end + 10):
        if time.monotonic() >= due and time.monotonic() < end:
            due += PACE_S
            place, seq = QUIET[number % len(QUIET)], number // len(QUIET) + 1
            number += 1
            said[place, seq] = waiting[place, seq] = time.monotonic()
            say(link, place, seq)
        for (place, seq), at in sorted(waiting.items(), key=lambda item: item[0][1]):
            if time.monotonic() - at > AGAIN_S:
                waiting[place, seq] = time.monotonic()
                again += 1
                say(link, place, seq)
        try:
            heard = inbox.get(timeout=max(0.0, min(due - time.monotonic(), 0.01)))
        except queue.Empty:
            continue
        if isinstance(heard, Heard) and heard.payload and "alert" in heard.topic:
            alert = decode(Alert, heard.payload)
            place = Place(alert.site, alert.entrance)
            for key in [key for key in waiting if key[0] == place and key[1] <= alert.count]:
                del waiting[key]
                latencies.append(time.monotonic() - said[key])
    link.stop()
    return latencies + [float("inf")] * len(waiting), again


def _warm(link: Link, inbox: queue.SimpleQueue[LinkSaid]) -> None:
    """Say the first event of each until it has become an alert: the controller is at work, and has met everybody."""
    left = set(QUIET)
    while left:
        for place in left:
            say(link, place, 1)
        end = time.monotonic() + AGAIN_S
        while left and (wait_s := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                heard = inbox.get(timeout=wait_s)
                if isinstance(heard, Heard) and heard.payload and "alert" in heard.topic:
                    left.discard(parse_topic(heard.topic)[0])


def run(seconds: float, *, window: int = 0, rate: int = 0) -> Taken:
    """Measure once, beside a gate with a window, or a device with a rate, or nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        broker.start()
        settings = folder / "controller.toml"
        settings.write_text(
            f'[store]\npath = "{folder}/controller.db"\n[alerts]\nupdate_s = 0\n'
            f'[wire]\nhost = "{broker.wire.host}"\nport = {broker.wire.port}\n'
        )
        with Store(folder / "controller.db") as store:
            for place in (*QUIET, LOUD):
                store.register(place)
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-m", "menshen", "controller", "run", "--config", str(settings)]
            controller = subprocess.Popen(command, stderr=log)
            over, count = multiprocessing.Event(), multiprocessing.Queue()
            how = (blurt, rate) if rate else (flood, window)
            loud = multiprocessing.Process(target=how[0], args=(broker.wire, how[1], over, count))
            try:
                if window or rate:
                    loud.start()
                time.sleep(3)
                latencies, again = measure(broker.wire, seconds)
                over.set()
                said = count.get(timeout=30) if window or rate else 0
            finally:
                over.set()
                controller.terminate()
                controller.wait(timeout=20)
                if window or rate:
                    loud.join(timeout=20)
                broker.stop()
        return Taken(latencies, again, said)


@click.command()
@click.option("--seconds", default=20.0, show_default=True)
def main(seconds: float) -> None:
    """Measure without a flood, beside a gate that keeps to its window, and beside one that keeps to nothing."""
    click.echo("| beside | alerts | median ms | p95 | p99 | max | said again | flood, events/s |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for name, window, rate in (
        ("nobody", 0, 0),
        (f"a gate with a backlog, window {WINDOW}", WINDOW, 0),
        *((f"a device that says {rate}/s whatever comes", 0, rate) for rate in RATES),
    ):
        taken = run(seconds, window=window, rate=rate)
        ms = sorted(1000 * each for each in taken.latencies)
        p95, p99 = (ms[min(len(ms) - 1, round(share * len(ms)))] for share in (0.95, 0.99))
        worst, flooded = ms[-1], taken.flood_said / (seconds + 3)
        click.echo(
            f"| {name} | {len(ms)} | {statistics.median(ms):.0f} | {p95:.0f} | {p99:.0f} | {worst:.0f} |"
            f" {taken.again} | {flooded:.0f} |"
        )


if __name__ == "__main__":
    main()
