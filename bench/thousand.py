"""A thousand entrances on one controller: their connections, what they say all day, a burst, and both ends going away.

    python -m bench.thousand                        # some three minutes
    python -m bench.thousand --gates 3000 --every 5

Each gate is a connection of its own with its own will, and says what a real one says: status, info, state and health,
retained; a code now and then, who went through on it; its state every ten seconds. All are spoken for by one process.
"""

from __future__ import annotations

import os
import random
import resource
import selectors
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from bench.cable import Cable, message
from bench.ingest import controller, cpu_s, stored
from bench.speaker import event, places
from controller.broker import Broker, free_port
from controller.database import now
from device.courier import Window
from device.wire.link import Wire
from device.wire.messages import (
    KIND_OF,
    OLDEST,
    SEQ,
    SPOOL,
    Ack,
    Health,
    Info,
    OpenFault,
    Place,
    Scan,
    State,
    Status,
    encode,
)

STATE_S: Final = 10.0  # between two states of one gate
LOOK_S: Final = 1.0  # between two looks of a gate at what is not acknowledged
PATIENCE_S: Final = 60.0
WRONG: Final = 0.05  # of all codes
GRACE_S: Final = 2.0  # rules.offline_grace_s here
ALERTS: Final = "menshen/+/+/alert/+"


@dataclass
class Gate:
    """One of them: its connection, its spool, and what it waits for."""

    place: Place
    cable: Cable
    window: Window = field(default_factory=lambda: Window(0))
    spool: list[tuple[bytes, float]] = field(default_factory=list)  # packet, and when it was due
    since: datetime = field(default_factory=now)

    def put(self, due: float, *, wrong: bool) -> float:
        """Spool an event and say it; return when."""
        seq = len(self.spool) + 1
        said = event(self.place, seq)
        if isinstance(said, Scan) and wrong:
            said = msgspec.structs.replace(said, event_type="refuse", reasons=("revoked",))
        headers = {SPOOL: said.spool, SEQ: str(seq), OLDEST: str(self.window.acked + 1)}
        self.spool.append((message(self.place.topic(KIND_OF[type(said)]), encode(said), headers), due))
        self.go_on(time.monotonic())
        return due

    def go_on(self, at: float) -> None:
        """Say what the window lets through."""
        self.window.look(at)
        after, room = self.window.room(len(self.spool))
        if room:
            self.window.sent(after + room, at)
            self.cable.say(b"".join(packet for packet, _ in self.spool[after : after + room]))

    def greet(self) -> None:
        """Say what is retained."""
        self.retain("status", Status(state="online"))
        self.retain("info", Info(version="0.1.0", python="3.11.7", parts={"camera": "emulated", "pins": "mock"}))
        self.retain("health", Health(faults=(OpenFault("thermometer_lost", self.since, "no answer"),)))
        self.state()

    def state(self) -> None:
        """Say how the entrance is."""
        count = len(self.spool)
        self.retain(
            "state",
            State(
                at=now(), staffing="staffed", staffing_since=self.since, on_duty=("guard 7",), grants=count, refusals=0,
                passages=count, unscanned=0, spool_depth=count - self.window.acked, clock="synced",
            ),
        )  # fmt: skip

    def retain(self, word: str, said: msgspec.Struct) -> None:
        """Say a document."""
        self.cable.say(message(self.place.topic(word), msgspec.json.encode(said), retain=True))


class Gates:
    """All of them, and an ear for alerts, in one thread."""

    def __init__(self, wire: Wire, count: int) -> None:
        self._wire = wire
        self._ready = selectors.EpollSelector()
        self.all = [self._connect(place) for place in places(count)]
        self._ear = Cable(wire, "ear", [ALERTS])
        self._ready.register(self._ear.socket, selectors.EVENT_READ, None)
        self.lags: list[float] = []  # seconds from when an event was due to its acknowledgement
        self.raised: dict[tuple[str, str], float] = {}  # topic: when an alert was first heard
        self.open: set[str] = set()
        self._looked = 0.0
        begins = sorted(time.monotonic() + random.uniform(0, STATE_S) for _ in self.all)
        self._states = deque(zip(begins, self.all, strict=True))

    def _connect(self, place: Place) -> Gate:
        will = place.topic("status"), encode(Status(state="offline", reason="lost"))
        cable = Cable(self._wire, f"{place.site}.{place.entrance}", [place.topic("ack"), place.topic("cmd/+")], will)
        gate = Gate(place, cable)
        self._ready.register(cable.socket, selectors.EVENT_READ, gate)
        return gate

    def cut(self, gate: Gate) -> None:
        """Let a gate vanish."""
        self._ready.unregister(gate.cable.socket)
        gate.cable.close(cut=True)

    def back(self, gate: Gate) -> None:
        """Let it come back."""
        gate.cable = self._connect(gate.place).cable
        self._ready.modify(gate.cable.socket, selectors.EVENT_READ, gate)
        gate.window.back()
        gate.greet()

    def turn(self, until: float) -> None:
        """Hear for a moment, and let every gate look at its window and its state now and then."""
        for key, _ in self._ready.select(max(0.0, min(until - time.monotonic(), 0.05))):
            self._hear(key.data)
        at = time.monotonic()
        if at - self._looked > LOOK_S:
            self._looked = at
            for gate in self.all:
                gate.cable.flush()
                if gate.window.acked < len(gate.spool):
                    gate.go_on(at)

    def states(self) -> None:
        """Let those whose turn it is say their state."""
        at = time.monotonic()
        while self._states[0][0] <= at:
            due, gate = self._states.popleft()
            gate.state()
            self._states.append((due + STATE_S, gate))

    def _hear(self, gate: Gate | None) -> None:
        at = time.monotonic()
        if gate is None:
            for topic, payload in self._ear.hear():
                (self.open.add if payload else self.open.discard)(topic)
                if payload:
                    _, site, name, _, kind = topic.split("/")
                    self.raised.setdefault((f"{site}/{name}", kind), at)
            return
        for topic, payload in gate.cable.hear():
            if topic.endswith("/ack"):
                ack, before = msgspec.json.decode(payload, type=Ack), gate.window.acked
                if ack.spool == f"sp-{gate.place.entrance}" and gate.window.ack(ack.seq, at):
                    self.lags.extend(at - due for _, due in gate.spool[before : ack.seq])
                    gate.go_on(at)

    def wait(self, condition: Callable[[], bool]) -> float:
        """Go on until something is so; return how many seconds that took. Raise where it does not come about."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > PATIENCE_S:
                raise click.ClickException(f"waited for {PATIENCE_S} s in vain")
            self.turn(time.monotonic() + 0.05)
        return time.monotonic() - began

    @property
    def delivered(self) -> bool:
        """Whether everything is acknowledged."""
        return all(gate.window.acked == len(gate.spool) for gate in self.all)


def at(share: float, values: list[float]) -> str:
    """Return a percentile in milliseconds."""
    ranked = sorted(values)
    return f"{1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]:.0f}" if ranked else "-"


def line(what: str, values: list[float], more: str = "") -> None:
    """Print one line."""
    click.echo(f"| {what} | {len(values)} | {at(0.5, values)} | {at(0.95, values)} | {at(0.99, values)} | {more} |")


def memory(pid: int) -> str:
    """Return how much of the memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return f"{pages * resource.getpagesize() / 2**20:.0f} MB"


def longest(port: int) -> str:
    """Return how long the desk's batches were, ticks included, by its own histogram."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    said = dict(each.rsplit(" ", 1) for each in lines if each.startswith("menshen_desk_batch_seconds_"))
    total = float(said["menshen_desk_batch_seconds_count"])
    upto = [(name.split('"')[1], float(count)) for name, count in said.items() if "_bucket" in name]
    p99 = next(bound for bound, count in upto if count >= 0.99 * total)
    most = next(bound for bound, count in upto if count >= total)
    mean = float(said["menshen_desk_batch_seconds_sum"]) / total
    return f"{total:.0f} batches, mean {1000 * mean:.1f} ms, 99 of 100 within {p99} s, all within {most} s"


def live(gates: Gates, seconds: float, every: float) -> list[float]:
    """Let every gate scan so often, a passage behind each; return what the first wrong codes took to an alert."""
    pace = every / 2 / len(gates.all)  # a scan and a passage each
    order = random.sample(gates.all, len(gates.all))
    wrong: dict[str, float] = {}
    began, number = time.monotonic(), 0
    while (due := began + number * pace) < began + seconds:
        while time.monotonic() < due:
            gates.turn(due)
        gates.states()
        gate = order[number % len(order)]
        bad = len(gate.spool) % 2 == 0 and random.random() < WRONG and str(gate.place) not in wrong
        gate.put(due, wrong=bad)
        if bad or b"refuse" in gate.spool[-1][0]:
            wrong.setdefault(str(gate.place), due)
        number += 1
    gates.wait(lambda: gates.delivered)
    gates.wait(lambda: all((place, "abnormal_code") in gates.raised for place in wrong))
    return [gates.raised[place, "abnormal_code"] - due for place, due in wrong.items()]


@click.command()
@click.option("--gates", "count", default=1000, show_default=True)
@click.option("--every", default=10.0, show_default=True, help="Seconds between two codes at one gate.")
@click.option("--seconds", default=40.0, show_default=True, help="Of everyday life.")
@click.option("--burst", default=20, show_default=True, help="Events of each gate at once.")
def main(*, count: int, every: float, seconds: float, burst: int) -> None:
    """Measure, and print a table."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 2 * count + 500), limit))
    click.echo(f"{now():%Y-%m-%d %H:%M}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {count} gates")
    click.echo("| what | n | median ms | p95 | p99 | |")
    click.echo("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="menshen-bench-") as name:
        folder, port = Path(name), free_port()
        broker = Broker(folder)
        broker.start()
        more = f"[rules]\noffline_grace_s = {GRACE_S}\n[metrics]\nport = {port}\n"
        try:
            with controller(folder, broker.wire, count, more) as process:
                gates = Gates(broker.wire, count)
                for gate in gates.all:
                    gate.greet()
                _day(gates, process.pid, port, seconds, every)
                _storm(gates, burst)
                _leave(gates)
            began = time.monotonic()
            with controller(folder, broker.wire, count, more) as process:
                _return(gates, began, process.pid)
            kept, gaps = stored(folder)
            lost = sum(len(gate.spool) for gate in gates.all) - kept + gaps
            click.echo(f"events: {kept}, lost: {lost}; load {os.getloadavg()[0]:.1f}")
        finally:
            broker.stop()
    if lost:
        raise click.ClickException("events were lost")


def _day(gates: Gates, pid: int, port: int, seconds: float, every: float) -> None:
    live(gates, min(3.0, seconds), every)
    gates.lags.clear()
    gates.raised = {key: when for key, when in gates.raised.items() if key[1] != "abnormal_code"}
    before, began = cpu_s(pid), time.monotonic()
    alerts = live(gates, seconds, every)
    share = (cpu_s(pid) - before) / (time.monotonic() - began)
    line(
        f"every day: {2 * len(gates.all) / every:.0f} events/s, acknowledged",
        gates.lags,
        f"{share:.0%} of a core, {memory(pid)}",
    )
    line("a wrong code, its alert", alerts)
    click.echo(f"desk: {longest(port)}")


def _storm(gates: Gates, burst: int) -> None:
    gates.lags.clear()
    began = time.monotonic()
    for gate in gates.all:
        for _ in range(burst):
            gate.put(began, wrong=False)
    took = gates.wait(lambda: gates.delivered)
    line(f"{burst} events of every gate at once, acknowledged", gates.lags, f"{len(gates.lags) / took:.0f}/s")


def _leave(gates: Gates) -> None:
    gone = random.sample(gates.all, len(gates.all) // 10)
    gates.raised = {key: when for key, when in gates.raised.items() if key[1] != "gate_offline"}
    began = time.monotonic()
    for gate in gone:
        gates.cut(gate)
    lost = {gate.place.topic("alert/gate_offline") for gate in gone}
    gates.wait(lambda: lost <= gates.open)
    times = [gates.raised[str(gate.place), "gate_offline"] - began - GRACE_S for gate in gone]
    line(f"{len(gone)} gates vanish: gate_offline after the {GRACE_S:.0f} s of grace", times)
    for gate in gone:
        gates.back(gate)
    line("they come back: all alerts over", [gates.wait(lambda: not lost & gates.open)])


def _return(gates: Gates, began: float, pid: int) -> None:
    ready = time.monotonic() - began
    for gate in gates.all:
        gate.put(time.monotonic(), wrong=False)
    gates.lags.clear()
    gates.wait(lambda: gates.delivered)
    line("the controller starts again: ready", [ready], memory(pid))
    line("then an event of each gate, acknowledged", gates.lags)


if __name__ == "__main__":
    main()
