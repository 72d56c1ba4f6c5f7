"""The turnstile as a gate has it: a guardian's process holds the relay, and this keeps one running and gives orders.

A guardian that dies or falls silent is killed, its relay is set as it should be by the gate itself, and another takes
its place. One that outlived the gate before this one, because of a fire, is taken over.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from gpiozero import OutputDevice

from hardware import pins
from hardware.guardian import CLAIM, LEAVE, LONGEST, Charge, Order, Report, peer
from hardware.parts import FireChanged, GuardianChanged, PartError, Tell

log = logging.getLogger(__name__)

START_S: Final = 15.0  # seconds a guardian may take to come up on a slow board
FOUND_S: Final = 2.0  # seconds for one that runs already
SILENT_S: Final = 0.5  # seconds without a sign of life until it is lost
ANSWER_S: Final = 1.0  # seconds a release may take in all, also while one guardian follows another
KILL_S: Final = 2.0
RETRY_S: Final = 1.0  # seconds until another is tried, after one that could not start
ROOT: Final = Path(__file__).resolve().parents[1]


class _Lost(Exception):  # noqa: N818 it is not always an error
    """There is no guardian at the other end any more; the text says how that shows."""


class _Ended(_Lost):
    """It ended, or hung up."""


class _Session:
    """The connection with one guardian."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._socket = connection
        self._process = os.pidfd_open(pid)
        self.report = Report()
        self.asked = 0

    def order(self, number: int, charge: str = "") -> None:
        """Give an order without waiting."""
        self.asked = number
        try:
            self._socket.send(msgspec.json.encode(Order(number=number, charge=charge)), socket.MSG_DONTWAIT)
        except OSError as error:
            raise _Lost(f"it takes no orders: {error.strerror}") from error

    def hear(self, within: float) -> Report:
        """Return the next report; raise _Lost when there is none."""
        if not select.select([self._socket], [], [], within)[0]:
            raise _Lost(f"no sign of life for {within:g} s")
        try:
            said = self._socket.recv(LONGEST, socket.MSG_DONTWAIT)
        except OSError as error:
            raise _Ended(f"its connection broke: {error.strerror}") from error
        if not said:
            raise _Ended("it ended by itself")
        return msgspec.json.decode(said, type=Report)

    def leave(self) -> None:
        """Let the guardian know that this gate is done with it."""
        with contextlib.suppress(OSError, _Lost):
            self.order(LEAVE)
            self._socket.shutdown(socket.SHUT_RDWR)

    def ended(self, within: float) -> bool:
        """Tell whether its process ends in that time."""
        return bool(select.select([self._process], [], [], within)[0])

    def kill(self) -> None:
        """End the guardian at once, and wait until the kernel has taken the pins from it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        if not self.ended(KILL_S):
            log.error("the guardian cannot be killed: it hangs in the kernel; reboot")

    def close(self) -> None:
        """Give the descriptors back."""
        self._socket.close()
        os.close(self._process)


class Keeper:
    """A turnstile that is released by a guardian. Fire, and a guardian that is lost, are told."""

    def __init__(self, charge: Charge, *, factory: Any, tell: Tell) -> None:
        self._charge = charge
        self._factory = factory
        self._tell = tell
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._hand: OutputDevice | None = None
        self._fire = False
        self._session: _Session | None = None
        try:
            self._hear(self._meet())
        except _Lost as lost:
            raise PartError(f"the guardian of the relay was lost as soon as it was there: {lost}") from lost
        self.thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self.thread.start()

    def release(self) -> None:
        """Have the relay pulsed, and return when it is on; raise PartError when it is not.

        An order that was given is not given again to the next guardian: rather nobody gets in than two.
        """
        until = time.monotonic() + ANSWER_S
        with self._changed:
            self._changed.wait_for(lambda: self._session, ANSWER_S)
            session = self._session
            if not session:
                raise PartError("the turnstile is not released: its guardian is being replaced")
            try:
                number = session.asked + 1
                session.order(number)
            except _Lost as error:
                raise PartError(f"the turnstile is not released: its guardian is lost, {error}") from error
            self._changed.wait_for(
                lambda: session is not self._session or session.report.answered >= number,
                until - time.monotonic(),
            )
            answered = session.report.answered >= number
            problem = session.report.problem if answered else "its guardian does not answer"
            if problem:
                raise PartError(f"the turnstile is not released: {problem}")

    def close(self) -> None:
        """Let the guardian end: after a pulse, or after the fire."""
        self._over.set()
        self.thread.join()
        if session := self._session:
            session.leave()
            if not self._fire and not session.ended(self._charge.pulse_ms / 1000 + SILENT_S):
                session.kill()
                self._take()
            session.close()
        self._let_go()
        if not self._fire:
            self._reap()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                if not self._session:
                    self._session = self._meet()
                    self._tell(GuardianChanged(lost=False))
                    log.info("a guardian is back")
                self._hear(self._session)
            except _Lost as lost:
                if self._session:
                    self._replace(self._session, str(lost))
            except PartError as error:
                log.error("%s", error)  # noqa: TRY400 it names the fix
                self._over.wait(RETRY_S)

    def _replace(self, session: _Session, how: str) -> None:
        """Do away with a guardian, and set its relay as it should be."""
        log.error("the guardian of the relay is lost: %s", how)
        with self._changed:
            self._session = None
            self._changed.notify_all()
        session.kill()
        session.close()
        self._take()
        self._tell(GuardianChanged(lost=True, detail=how))

    def _take(self) -> None:
        """Take the relay of a guardian that is dead."""
        try:
            self._hand = OutputDevice(self._charge.relay, initial_value=self._fire, pin_factory=self._factory)
        except Exception:
            log.exception("the relay cannot be reached")  # whatever it is, the next guardian will meet it, too

    def _let_go(self) -> None:
        if self._hand:
            self._hand.close()
            self._hand = None
            pins.free(self._factory, self._charge.relay)

    def _hear(self, session: _Session) -> None:
        """Take one report."""
        report = session.hear(SILENT_S)
        with self._changed:
            self._session, session.report = session, report
            self._changed.notify_all()
        if report.fire != self._fire:
            self._fire = report.fire
            self._tell(FireChanged(fire=report.fire, at=time.monotonic()))

    def _meet(self) -> _Session:
        """Find a guardian or start one, and have it take the pins."""
        how = ""
        for _ in range(3):
            try:
                session, patience = self._call()
            except (ConnectionRefusedError, ProcessLookupError) as error:  # it has ended this very moment
                how = str(error)
                continue
            try:
                session.report = session.hear(patience)
                self._let_go()  # until now; a pin has one owner
                session.order(CLAIM, self._charge.digest)
                while session.report.answered < CLAIM:
                    session.report = session.hear(START_S)
            except _Ended as lost:
                how = str(lost)
                if not session.ended(FOUND_S):  # it has another gate, and shall keep it
                    session.close()
                    raise PartError("the guardian of the relay serves another gate with the same pins") from lost
            except _Lost as lost:
                how = str(lost)
                session.kill()
            else:
                if session.report.claimed:
                    return session
                session.leave()
                session.close()
                self._reap()
                raise PartError(f"the guardian of the relay cannot have its pins: {session.report.problem}")
            session.close()
        raise PartError(f"there is no guardian for the relay: {how}")

    def _call(self) -> tuple[_Session, float]:
        """Connect to the guardian of these pins, started if need be; say how long to wait for its first word."""
        address, kind = self._charge.address, (socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as open_:
            connection, door = open_.enter_context(socket.socket(*kind)), open_.enter_context(socket.socket(*kind))
            try:
                door.bind(address)
                door.listen(1)
                pid, patience = self._start(door), START_S
                connection.connect(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                connection.connect(address)
                (pid, uid), patience = peer(connection), FOUND_S
                if uid != os.getuid():
                    raise PartError(
                        f"process {pid} of another user, {uid}, pretends to be the guardian of the relay: end it"
                    ) from error
            session = _Session(connection, pid)
            door.close()
            open_.pop_all()
        return session, patience

    def _start(self, door: socket.socket) -> int:
        """Start a guardian, and return its process id."""
        self._reap()
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "hardware.guardian", msgspec.json.encode(self._charge).decode()],
            stdin=door.fileno(),
            stdout=subprocess.DEVNULL,  # what reads the gate's words to their end need not wait for the guardian's
            env=os.environ | {"PYTHONPATH": str(ROOT)} | _folder(),
            start_new_session=True,  # Ctrl-C and Ctrl-Z are meant for the gate
        )
        return self._child.pid

    def _reap(self) -> None:
        if self._child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(KILL_S)


def _folder() -> dict[str, str]:
    """Return a folder of its own for lgpio's FIFO, which has the same name in every process."""
    shared = os.environ.get("LG_WD")
    if not shared:
        return {}
    own = Path(shared) / "guardian"
    own.mkdir(exist_ok=True)
    return {"LG_WD": str(own)}
