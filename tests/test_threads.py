"""Whatever dies inside a gate or a controller is noticed: the process ends, and is started again by systemd."""

from __future__ import annotations

import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from controller.broker import Broker, free_port
from device import config as configuration
from device.__main__ import Gate
from device.courier import Kept
from device.entrance import Stop
from device.probe import Probe
from device.sight import Seen
from device.wire.link import Wire
from device.wire.threads import Fallen
from hardware.parts import Reading
from tests.fire.gate import Feed, configure

NOTICED_S = 10.0
PATIENCE_S = 20.0
GARBAGE = (
    b"\x20\x03\x00\x00\x00\x30\x05\x00\x01\xff\x00a"  # a connection is accepted, and a topic that is no text comes
)


def test_of_all_threads_the_fallen_are_named_first() -> None:
    fallen, over = Fallen(), threading.Thread(target=lambda: None, name="over")
    assert fallen.among([threading.current_thread()]) == ""
    over.start()
    over.join()
    assert fallen.among([over]) == "the over thread died"
    before, threading.excepthook = threading.excepthook, fallen.hook
    tripped = threading.Thread(target=trip, name="tripped")
    tripped.start()
    tripped.join()
    threading.excepthook = before
    assert fallen.among([]) == "the tripped thread died: ArithmeticError: nobody expected this"


def trip() -> None:
    raise ArithmeticError("nobody expected this")


class Broken:
    """A thermometer whose driver has a fault nobody thought of."""

    def read(self) -> Reading:
        trip()
        raise AssertionError

    def close(self) -> None:
        """There is nothing to give back."""


class Process:
    """A gate or a controller, and what it logs."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "menshen", *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        )  # fmt: skip
        self.pid = self._process.pid
        self.said = ""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._lines.put(line.decode(errors="replace"))

    def until(self, said: str) -> None:
        """Wait until it has logged this."""
        while said not in self.said:
            self.said += self._lines.get(timeout=PATIENCE_S)

    def tell(self, raw: bytes) -> None:
        """Write to its standard input."""
        assert self._process.stdin
        self._process.stdin.write(raw)
        self._process.stdin.flush()

    def children(self) -> list[int]:
        """Return the processes it started."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()] + [
            int(pid)
            for task in Path(f"/proc/{self.pid}/task").iterdir()
            if int(task.name) != self.pid
            for pid in (task / "children").read_text().split()
        ]

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        return self._process.wait(timeout=NOTICED_S)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()
        while not self._lines.empty():
            self.said += self._lines.get()
        for end in (self._process.stdin, self._process.stderr):
            assert end
            end.close()


@contextmanager
def foolish() -> Iterator[Wire]:
    """Be a broker that talks nonsense to the first who connects."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def talk() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(GARBAGE)
                client.recv(1000)

        talker = threading.Thread(target=talk, daemon=True)
        talker.start()
        yield Wire(host="127.0.0.1", port=server.getsockname()[1])
        talker.join(timeout=PATIENCE_S)


@pytest.fixture
def emulated(tmp_path: Path, wire: Wire) -> Iterator[Process]:
    """A gate before an emulated camera, and standard input moves what it sees."""
    path = configure(tmp_path, "north", wire)
    with path.open("a") as config:
        config.write(f'[camera]\ndriver = "emulated"\nsource = "{tmp_path / "scene.json"}"\nfps = 5\n')
    gate = Process("gate", "run", "--config", str(path), "--stage")
    gate.until("guards with policy")
    yield gate
    gate.stop()


@pytest.fixture
def wire() -> Wire:
    """Where no broker is: what dies is noticed all the same."""
    return Wire(host="127.0.0.1", port=free_port())


def stage_dies(gate: Process) -> None:
    gate.tell(b"show \xff\xff\n")


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def eye_dies(gate: Process) -> None:
    """Let its process die when no other can be started."""
    while not (eyes := [pid for pid in gate.children() if name_of(pid) == "menshen-eye"]):
        time.sleep(0.02)
    resource.prlimit(gate.pid, resource.RLIMIT_NOFILE, (3, 3))
    for eye in eyes:
        os.kill(eye, signal.SIGKILL)


@pytest.mark.parametrize("poison", [stage_dies, eye_dies], ids=lambda poison: poison.__name__)
def test_a_gate_ends_when_one_of_its_threads_dies(emulated: Process, poison: Callable[[Process], None]) -> None:
    poison(emulated)
    assert emulated.ended() == 1
    emulated.stop()
    assert f"Error: the {poison.__name__.removesuffix('_dies')} thread died" in emulated.said


def test_a_gate_and_a_controller_end_when_the_thread_of_their_connection_dies(tmp_path: Path) -> None:
    with foolish() as wire, foolish() as other:
        controller = tmp_path / "controller.toml"
        controller.write_text(
            f'[store]\npath = "{tmp_path}/controller.db"\n[wire]\nhost = "127.0.0.1"\nport = {other.port}\n'
        )
        processes = [
            Process("gate", "run", "--config", str(configure(tmp_path, "north", wire))),
            Process("controller", "run", "--config", str(controller)),
        ]
        for process in processes:
            assert process.ended() == 1
            process.stop()
            assert "thread died" in process.said
            assert "'utf-8' codec" in process.said


def courier_falls(gate: Gate) -> None:
    gate.courier.inbox.put(Kept(spool=[], seq=1))  # type: ignore[arg-type]


def probe_falls(gate: Gate) -> None:
    gate.probe = Probe(Broken, gate.inbox.put)
    gate.probe.thread.start()


def stranger_falls(_gate: Gate) -> None:
    threading.Thread(target=trip, name="stranger").start()


@pytest.mark.parametrize("poison", [courier_falls, probe_falls, stranger_falls], ids=lambda poison: poison.__name__)
def test_a_gate_ends_when_a_thread_falls(broker: Broker, tmp_path: Path, poison: Callable[[Gate], None]) -> None:
    gate = Gate(configuration.load(configure(tmp_path, "north", broker.wire)))
    gate.eye = Feed(iter(()), gate.inbox.put)  # type: ignore[assignment]
    before, threading.excepthook = threading.excepthook, gate.fallen.hook
    late, soon = threading.Timer(NOTICED_S, gate.stop), threading.Timer(0.3, poison, (gate,))
    late.start()
    soon.start()
    try:
        with pytest.raises(Stop, match=f"the {poison.__name__.removesuffix('_falls')} thread died: "):
            gate.run()
    finally:
        late.cancel()
        soon.join()
        threading.excepthook = before


def test_a_gate_ends_when_the_thread_that_decides_falls(broker: Broker, tmp_path: Path) -> None:
    gate = Gate(configuration.load(configure(tmp_path, "north", broker.wire)))
    gate.eye = Feed(iter(()), gate.inbox.put)  # type: ignore[assignment]
    gate.inbox.put(Seen(code=None, frame_at=0, read_at=0))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        gate.run()
    assert not gate.courier.thread.is_alive()
    assert not gate.link.thread.is_alive()
