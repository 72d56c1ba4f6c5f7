"""The disk is full, broken or read-only: a gate still answers, lets nobody in whom it cannot record, and recovers."""

from __future__ import annotations

import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from controller.broker import Broker
from device.spool import FLOOR, Reader, Spool, SpoolError
from device.wire.messages import Fault, Health, Place, decode
from tests.bystanders import Ear
from tests.fire import recording
from tests.fire.gate import CARD, configure
from tests.fire.trouble import cannot_mount, failing, fill, read_only, small_disk

SOON_S = 5.0
PLACE = Place("expo", "north")
Trouble = Callable[["Standing"], AbstractContextManager[None]]
needs_strace = pytest.mark.skipif(bool(recording.missing()), reason=recording.missing())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, a little larger than what a spool leaves free."""
    (tmp_path / "tried").mkdir()
    if reason := cannot_mount(tmp_path / "tried"):
        pytest.skip(reason)
    with small_disk(tmp_path / PLACE.entrance, FLOOR + 6 * 1024 * 1024) as folder:
        yield folder


def put(spool: Spool, size: int = 300) -> int:
    return spool.put("scan", lambda seq: b"%d" % seq + b"x" * size)


def put_all(spool: Spool) -> None:
    while True:
        put(spool)


def test_a_spool_alone_on_its_disk_never_locks_itself_out(disk: Path) -> None:
    spool = Spool(disk / "spool.db")
    for _ in range(3):
        before = spool.last
        with pytest.raises(SpoolError):
            put_all(spool)
        assert spool.last > before + 1000
        assert spool.depth == spool.last - spool.forgotten
        spool.forget(spool.last)
    reader = Reader(disk / "spool.db")
    assert put(spool) == spool.last == reader.after(spool.forgotten, 10)[-1].seq
    reader.close()
    spool.close()


def test_a_spool_on_a_disk_that_others_filled_says_so_and_goes_on_later(disk: Path) -> None:
    spool = Spool(disk / "spool.db")
    kept = [put(spool) for _ in range(10)]
    others = fill(disk)
    for _ in range(3):
        with pytest.raises(SpoolError, match="free on its disk"):
            put(spool)
    others.unlink()
    kept += [put(spool) for _ in range(10)]
    assert kept == list(range(1, 21))
    spool.close()


def test_a_spool_whose_own_row_is_damaged_is_put_aside_and_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    put(spool)
    spool._opened().execute("UPDATE spool SET id = x'00ff'")
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert "kept as spool.db.broken-" in spool.mended
    assert put(spool) == 1
    spool.close()


SPOOL = """
import sys
from pathlib import Path
from device.spool import Spool, SpoolError
spool = Spool(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    try:
        if line.startswith("put"):
            print("kept", spool.put("scan", lambda seq: b"%d" % seq + b"x" * 5000), flush=True)
        else:
            spool.forget(int(line))
            print("forgot", spool.forgotten, flush=True)
    except SpoolError as error:
        print("failed", spool.last, flush=True)
"""


class Child:
    """A process that is told by lines and answers by lines."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.put(line.strip())
        self.lines.put("it ended")

    def do(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ask(self, line: str) -> str:
        self.do(line)
        return self.lines.get(timeout=20)

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        code = self._process.wait(timeout=20)
        self._listener.join(timeout=20)
        for end in (self._process.stdin, self._process.stdout):
            assert end
            end.close()
        assert code in (0, -number)


@needs_strace
@pytest.mark.parametrize(
    ("call", "error"),
    [("fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EROFS")],
)
def test_a_spool_whose_disk_fails_keeps_only_what_it_says_and_goes_on(call: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    child = Child("-c", SPOOL, str(path))
    assert child.lines.get(timeout=20) == "ready"
    assert [child.ask("put") for _ in range(3)] == ["kept 1", "kept 2", "kept 3"]
    with failing(child.pid, call, error, path, path.with_name("spool.db-wal")):
        assert [child.ask("put") for _ in range(3)] == ["failed 3"] * 3
        assert child.ask("2") == "failed 3"
    assert [child.ask("put") for _ in range(2)] == ["kept 4", "kept 5"]
    assert child.ask("2") == "forgot 2"
    child.stop()
    spool, reader = Spool(path), Reader(path)
    assert (spool.mended, spool.last) == ("", 5)
    assert [(event.seq, event.payload[:1]) for event in reader.after(0, 10)] == [(3, b"3"), (4, b"4"), (5, b"5")]
    reader.close()
    spool.close()


OPEN = """
import sys
from pathlib import Path
from device.spool import Spool
spool = Spool(Path(sys.argv[1]))
print("failed" if spool.problem else spool.last)
"""


@needs_strace
@pytest.mark.parametrize("when", ["1", "2", "3", "1+", "2+"])
def test_a_spool_that_cannot_be_read_for_a_moment_is_not_given_up(when: str, tmp_path: Path) -> None:
    path = killed(tmp_path / "gate", events=1200)
    strace = [recording.STRACE, "-f", "-o/dev/null", "-etrace=pread64", f"-P{path}"]
    inject = f"-einject=pread64:error=EIO:when={when}"
    opened = subprocess.run([*strace, inject, sys.executable, "-c", OPEN, str(path)], capture_output=True, check=True)
    assert opened.stdout.decode().strip() in ("1200", "failed")
    assert [each.name for each in path.parent.glob("*broken*")] == []
    spool = Spool(path)
    assert (spool.last, spool.mended) == (1200, "")
    spool.close()


def killed(folder: Path, events: int) -> Path:
    """Return the spool of a gate that was killed: its log is long, and not yet taken over."""
    folder.mkdir()
    spool = Spool(folder / "running.db", durable=False)
    for _ in range(events):
        put(spool)
    for suffix in ("", "-wal"):
        shutil.copy(folder / f"running.db{suffix}", folder / f"spool.db{suffix}")
    spool.close()
    return folder / "spool.db"


class Standing(Child):
    """A whole gate but for its camera, and an ear at its broker."""

    def __init__(self, config: Path, broker: Broker) -> None:
        self.spool = config.with_suffix("") / "spool.db"
        self.ear = Ear(broker, PLACE.topic("health"))
        super().__init__("-m", "tests.fire.gate", str(config))

    def answers(self) -> list[str]:
        """Return what relay and lamp do until the lamp is white."""
        said = [""]
        while said[-1] != "lamp white":
            said.append(self.lines.get(timeout=20))
            assert said[-1] != "it ended"
        return said[1:]

    def shown(self) -> list[str]:
        """Show a good card; return what relay and lamp do until the lamp waits again."""
        self.do(CARD)
        return self.answers()

    def faults(self, *names: str, since: float | None = None) -> float:
        """Wait until exactly these faults are said to be open; return how many seconds it took, from now or before."""
        begun = since or time.monotonic()
        self.ear.until(
            lambda heard: {each.fault for each in decode(Health, heard.payload).faults} - {"clock_unset"} == set(names)
        )
        return time.monotonic() - begun

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.ear.stop()
        super().stop(number)


@contextmanager
def standing(config: Path, broker: Broker) -> Iterator[Standing]:
    gate = Standing(config, broker)
    try:
        gate.answers()
        yield gate
    finally:
        gate.stop()


@pytest.fixture
def gate(broker: Broker, disk: Path) -> Iterator[Standing]:
    with standing(configure(disk.parent, PLACE.entrance, broker.wire), broker) as one:
        yield one


@contextmanager
def full(gate: Standing) -> Iterator[None]:
    """Let others take the whole disk, then give it back."""
    others = fill(gate.spool.parent)
    yield
    others.unlink()


def broken(call: str, error: str) -> Trouble:
    def trouble(gate: Standing) -> AbstractContextManager[None]:
        return failing(gate.pid, call, error, gate.spool, gate.spool.with_name("spool.db-wal"))

    return trouble


TROUBLES = [
    pytest.param(full, id="full"),
    pytest.param(broken("pwrite64", "ENOSPC"), id="cannot grow", marks=needs_strace),
    pytest.param(broken("fdatasync", "EIO"), id="cannot sync", marks=needs_strace),
    pytest.param(broken("pwrite64", "EROFS"), id="read-only", marks=needs_strace),
]
GRANTED = ["relay", "lamp green", "lamp white"]
UNRECORDED = ["relay", "lamp amber", "lamp white"]
REFERRED = ["lamp amber", "lamp white"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_gate_whose_disk_fails_answers_and_admits_nobody(gate: Standing, trouble: Trouble) -> None:
    assert gate.shown() == GRANTED
    with trouble(gate):
        failed = time.monotonic()
        assert gate.shown() == REFERRED
        assert gate.faults("spool_failed", since=failed) < SOON_S
        assert gate.shown() == REFERRED
    works = time.monotonic()
    assert gate.shown() == GRANTED
    assert gate.faults(since=works) < SOON_S
    reader = Reader(gate.spool)
    kept = [event for event in reader.after(0, 100) if event.kind == "scan"]
    reader.close()
    assert len(kept) == 2


@pytest.mark.parametrize("trouble", TROUBLES[::2])
def test_a_disk_that_works_again_is_noticed_though_nobody_comes(gate: Standing, trouble: Trouble) -> None:
    with trouble(gate):
        assert gate.shown() == REFERRED
        gate.faults("spool_failed")
    assert gate.faults() < SOON_S


def test_a_disk_that_fills_up_is_noticed_though_nobody_comes(broker: Broker, disk: Path) -> None:
    config = configure(disk.parent, PLACE.entrance, broker.wire)
    with standing(config, broker) as gate:
        others = fill(disk)
        assert gate.faults("spool_failed") < SOON_S
        others.unlink()
        assert gate.faults() < SOON_S


def test_a_disk_that_becomes_read_only_is_noticed_though_nobody_comes(gate: Standing, disk: Path) -> None:
    with read_only(disk):
        assert gate.faults("spool_failed") < SOON_S
    assert gate.faults() < SOON_S


def test_a_gate_told_to_release_lets_in_unrecorded_and_says_how_many(broker: Broker, disk: Path) -> None:
    config = configure(disk.parent, PLACE.entrance, broker.wire)
    with config.open("a") as settings:
        settings.write('unkept = "release"\n')
    with standing(config, broker) as gate:
        others = fill(disk)
        assert [gate.shown(), gate.shown()] == [UNRECORDED, UNRECORDED]
        gate.do("a code that nobody listed")
        assert gate.answers() == ["lamp red", "lamp white"]
        others.unlink()
        gate.faults("spool_failed")
        assert gate.faults() < SOON_S
        assert gate.shown() == GRANTED
    reader = Reader(gate.spool)
    kept = reader.after(0, 100)
    reader.close()
    faults = [decode(Fault, event.payload) for event in kept if event.kind == "fault"]
    assert [each.detail for each in faults if each.event_type == "cleared"] == ["2 let in unrecorded"]
    assert [event.kind for event in kept].count("scan") == 1


def test_a_gate_that_starts_on_a_full_disk_answers_and_recovers(broker: Broker, disk: Path) -> None:
    config = configure(disk.parent, PLACE.entrance, broker.wire)
    with standing(config, broker):
        pass
    others = fill(disk)
    with standing(config, broker) as gate:
        assert gate.shown() == REFERRED
        assert gate.faults("spool_failed") < SOON_S
        others.unlink()
        assert gate.faults() < SOON_S
        assert gate.shown() == GRANTED


@needs_strace
def test_a_gate_that_cannot_read_its_spool_goes_on(broker: Broker, disk: Path) -> None:
    config = configure(disk.parent, PLACE.entrance, broker.wire)
    with standing(config, broker) as gate:
        with broken("pread64", "EIO")(gate):
            for _ in range(3):
                gate.shown()
        assert gate.shown() == GRANTED
