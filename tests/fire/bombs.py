"""Small inputs that want to become large or slow, and everything that reads what comes from outside.

    python -m tests.fire.bombs [SCALE]

Each reader gets each bomb; what it costs is measured in a process of its own. SCALE 10 makes the bombs ten times as
large.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import logging
import os
import resource
import sys
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import base45

from controller.config import RulesSection
from controller.database import now
from controller.intake import Intake
from controller.oidc import call, idtoken, provider
from controller.oidc.emulated import signer
from controller.oidc.idtoken import Awaited, TokenError
from controller.quarantine import Quarantine
from controller.refusals import Reader
from controller.store import Store
from device.codes import cose, cwt, ms1
from device.codes.cose import CoseError
from device.codes.cwt import PassError
from device.policy import Policy
from device.wire import messages
from device.wire.enrolment import ClaimCode, ClaimError, EnrolRequest, RenewRequest, read
from device.wire.link import Heard
from device.wire.messages import MessageError, decode
from hardware.scene import SceneError, load
from tests.fire.forgery import accepted, judge

MOST_S: Final = 0.050
MOST_BYTES: Final = 5_000_000
LARGEST: Final = 16 * 1024, 1024 * 1024  # what may be read of a message, and of a policy


TOPIC: Final = 65535  # bytes; no MQTT topic is longer


class RefusedError(ValueError):
    """What a reader that does not raise is said to do when it refuses."""


class Reading(NamedTuple):
    """One way in: what it is given, and the one class of error it may answer with."""

    take: Callable[[bytes], object]
    error: type[Exception]


def _judged(data: bytes) -> None:
    if not accepted(judge(data)):
        raise RefusedError


KINDS: Final[tuple[type[messages.Message], ...]] = (
    *messages.EVENTS.values(),
    messages.Status,
    messages.Info,
    messages.State,
    messages.Health,
    messages.Ack,
    messages.Alert,
    messages.Desired,
    messages.Applied,
    messages.Command,
    messages.Reply,
)


def _decoding(kind: type[messages.Message]) -> Reading:
    return Reading(lambda data: decode(kind, data), MessageError)


SHOWN: Final = idtoken.keys({"keys": [signer("ES256").shown()]})


def _proved(token: str) -> object:
    return idtoken.judge(token, SHOWN, Awaited("https://login.example", "menshen", "n"), 0)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "replace"))


def readers(folder: Path) -> dict[str, Reading]:
    """Return every reader of what comes from outside."""
    policy, scene = Policy(folder / "policy.json", bytes(32)), folder / "scene.json"
    store = Store(folder / "controller.db")

    def offered(data: bytes) -> None:
        if not policy.offer(data):
            raise RefusedError(policy.problem)

    def staged(data: bytes) -> None:
        scene.write_bytes(data)
        load(scene)

    def taken(data: bytes) -> None:
        with store.transaction():
            before = store.db.execute("SELECT max(id) FROM quarantine").fetchone()
            intake = Intake(store, Quarantine(store), rules=RulesSection(), at=now())
            headers = {messages.SPOOL: "s", messages.SEQ: "9" * 4300, messages.OLDEST: "1" * 4300}
            intake.hear(Heard(topic="menshen/expo/north/scan", payload=data, headers=headers))
            intake.keep()
            if store.db.execute("SELECT max(id) FROM quarantine").fetchone() != before:
                raise RefusedError

    return {
        "codes.verify": Reading(_judged, RefusedError),
        "ms1.read": Reading(ms1.read, PassError),
        "cose.loads": Reading(cose.loads, CoseError),
        "cose.read": Reading(cose.read, CoseError),
        "cwt.load": Reading(lambda data: cwt.load(cwt.Pass, data), ValueError),
        "enrolment.read": Reading(lambda data: read(EnrolRequest, data), ClaimError),
        "enrolment.read renewal": Reading(lambda data: read(RenewRequest, data), ClaimError),
        "ClaimCode.parse": Reading(_text(ClaimCode.parse), ClaimError),
        "Place.parse": Reading(_text(messages.Place.parse), MessageError),
        "Policy.offer": Reading(offered, RefusedError),
        "scene.load": Reading(staged, SceneError),
        "Intake.hear": Reading(taken, RefusedError),
        "refusals.Reader": Reading(_text(_logged), RefusedError),
        "idtoken.judge": Reading(_text(_proved), TokenError),
        "provider.describe": Reading(lambda data: provider.describe("", call.read("", call.OK, data)), call.CallError),
        **{f"decode {kind.__name__}": _decoding(kind) for kind in KINDS},
    }


def _logged(line: str) -> None:
    """Read lines of mosquitto's log, which quote what somebody sent; it answers whatever they are."""
    for head in (
        "Denied PUBLISH from x (d0, q0, r0, m0, '",
        "\t",
        "Client x disconnected due to ",
        "1: OpenSSL Error[0]: ",
    ):
        list(Reader().read(head + line[:TOPIC]))
    raise RefusedError


def _event(**fields: Any) -> bytes:
    usual = {"v": 1, "spool": "s", "seq": 1, "boot": "b", "at": "2026-11-24T00:00:00Z", "mono": 1.0, "clock": "synced"}
    usual |= {"event_type": "refuse", "code": "c", "scheme": "s", "symbology": "q", "took_ms": 1.0}
    return json.dumps(usual | fields).encode()


def bombs(scale: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield each bomb, in the sizes that readers look at, and larger."""
    for size in (4296 * scale, *(most * scale for most in LARGEST)):
        yield from _json(size)
        for name, head, unit in CBOR:
            yield f"CBOR {name}, {size}", bytes.fromhex(head) + bytes.fromhex(unit) * (2 * size // len(unit))
    zeros = bytes(100_000_000)
    packed = zlib.compress(zeros, 9)
    del zeros
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x", packed)
    for name, data in (
        ("zlib", packed),
        ("gzip", gzip.compress(packed)),
        ("zip", archive.getvalue()),
        ("twice", zlib.compress(packed)),
    ):
        for most in (2800, *LARGEST):
            yield f"{name} of 100 MB, {most}", data[:most]
            yield f"{name} of 100 MB in base45, {most}", b"MS1:" + base45.b45encode(data[:most])
            yield f"{name} of 100 MB as HC1, {most}", b"HC1:" + base45.b45encode(data[:most])


@functools.cache
def made(scale: int) -> list[tuple[str, bytes]]:
    """Return all bombs; made once, before the first child."""
    return list(bombs(scale))


CBOR: Final = [
    ("nested arrays", "", "81"),
    ("nested maps", "", "a100"),
    ("nested tags", "", "c6"),
    ("nested sign1", "", "d2"),
    ("nested indefinite", "", "9f"),
    ("array of 2^60", "9b1000000000000000", "00"),
    ("map of 2^60", "bb1000000000000000", "00"),
    ("bytes of 2^60", "5b1000000000000000", "00"),
    ("text of 2^60", "7b1000000000000000", "61"),
    ("array of 2^31", "9a7fffffff", "80"),
    ("empty arrays", "9a00001000", "80"),
    ("empty maps", "9a00001000", "a0"),
    ("rational", "d81e82016b31653939393939393939", "39"),
    ("decimal", "c4821b7fffffffffffffff", "01"),
    ("bignum", "c259ffff", "ff"),
    ("bignum of bignums", "8f", "c240"),
    ("regular expression", "d82378ff", "28612b292b"),
    ("string references", "d9010082d81900", "d81900"),
    ("cycle", "d81c81d81d00", "d81d00"),
    ("date", "c11b", "ff"),
    ("a COSE of nonsense", "d28440a05a00100000", "81"),
    ("a COSE with a header of nonsense", "d2845a00001000", "81"),
]


def _json(size: int) -> Iterator[tuple[str, bytes]]:
    for name, head, unit, tail in (
        ("nested arrays", b"", b"[", b""),
        ("nested objects", b"", b'{"a":', b""),
        ("nested and closed", b"", b"[", b"]"),
        ("nested in a field", b'{"v":1,"x":', b"[", b""),
        ("digits", b'{"v":1,"seq":', b"9", b""),
        ("exponent", b'{"v":1,"mono":1e', b"9", b""),
        ("zeros", b'{"v":1,"mono":0.', b"0", b""),
        ("one long text", b'{"v":1,"code":"', b"a", b""),
        ("escapes", b'{"v":1,"code":"', b"\\u00e9", b""),
        ("surrogates", b'{"v":1,"code":"', b"\\ud800", b""),
        ("backslashes", b'"', b"\\\\", b""),
        ("keys", b'{"v":1,', b'"v":1,', b""),
        ("numbers", b"[", b"0,", b""),
        ("texts", b'{"v":1,"reasons":[', b'"",', b""),
        ("guards", b'{"v":1,"on_duty":[', b'"",', b""),
        ("listed", b'{"v":1,"version":1,"listed":[', b'"",', b""),
        ("listed in form", b'{"v":1,"version":9,"listed":[', b'"' + b"0" * 31 + b'g",', b'""]}'),
        ("revoked", b'{"v":1,"version":9,"revoked":[', b'"' + b"z" * 16 + b'",', b'""]}'),
        ("keys of issuers", b'{"v":1,"version":1,"keys":[', b'{"key":"","public":""},', b""),
        ("faults", b'{"v":1,"faults":[', b'{"fault":"","since":"2026-11-24T00:00:00Z","detail":""},', b""),
        ("parts", b'{"v":1,"parts":{', b'"a":"",', b""),
        ("spaces", b"", b" ", b""),
        ("bad UTF-8", b'"', b"\xff", b""),
        ("NaN", b"[", b"NaN,", b""),
        ("quotes of a log", b"", b"', ... (", b""),
        ("slashes", b"menshen/", b"/", b""),
        ("hyphens", b"aa", b"-a", b"!"),
        ("blanks of a log", b"", b"(QoS ", b")"),
    ):
        yield f"JSON {name}, {size}", head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail
    yield f"event of {size}", _event(v=2, reasons=[""] * (size // 5))
    yield f"event with a detail of {size}", _event(v=2, scheme="\x00" * (size // 8))


class Cost(NamedTuple):
    """What one bomb cost one reader."""

    reader: str
    bomb: str
    seconds: float
    peak: int  # bytes, as Python's allocator counts them
    error: str  # what was raised instead of the one class, if anything was


def cost(name: str, reading: Reading, bomb: str, data: bytes) -> Cost:
    """Give a reader a bomb, and measure its time and memory."""
    seconds, wrong = _timed(reading, data)
    return Cost(name, bomb, seconds, _peak(reading, data), wrong)


def _timed(reading: Reading, data: bytes) -> tuple[float, str]:
    """Return the seconds of processor it takes; what seems too slow is tried again, for a machine has other work."""
    for attempt in range(3):
        began = time.process_time()
        wrong = _answer(reading, data)
        seconds = time.process_time() - began
        if seconds <= MOST_S or attempt == 2:
            break
    return seconds, wrong


def _peak(reading: Reading, data: bytes) -> int:
    tracemalloc.start()
    _answer(reading, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _answer(reading: Reading, data: bytes) -> str:
    try:
        reading.take(data)
    except reading.error:
        return ""
    except Exception as error:  # noqa: BLE001 that is what is looked for
        return f"{type(error).__name__}: {error}"[:200]
    return "it was taken"


class Child(NamedTuple):
    """What all bombs cost one reader in a process of its own."""

    costs: list[Cost]
    grown: int  # bytes by which the process grew beyond what it needed to begin with


def child(name: str, scale: int = 1) -> Child:
    """Fork, and let the child try one reader with every bomb."""
    made(scale)
    ours, theirs = os.pipe()
    if (number := os.fork()) == 0:
        os.close(ours)
        try:
            said = json.dumps(_tried(name, scale)).encode()
            with os.fdopen(theirs, "wb") as out:
                out.write(said)
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as heard:
        said = heard.read()
    os.waitpid(number, 0)
    costs, grown = json.loads(said)
    return Child([Cost(*each) for each in costs], grown)


def _tried(name: str, scale: int) -> tuple[list[Cost], int]:
    with tempfile.TemporaryDirectory() as folder:
        reading = readers(Path(folder))[name]
        every = made(scale)
        _answer(reading, b"")
        largest = max(every, key=lambda each: len(each[1]))
        bytes(2 * len(largest[1]))  # the bomb itself, and a copy of it as text, are not what a reader adds
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        timed = [_timed(reading, data) for _, data in every]
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        peaks = [_peak(reading, data) for _, data in every]  # last, for counting takes memory of its own
        names = [bomb for bomb, _ in every]
        costs = [
            Cost(name, bomb, seconds, peak, wrong)
            for bomb, (seconds, wrong), peak in zip(names, timed, peaks, strict=True)
        ]
        return costs, grown


def main() -> None:
    """Try all; end with 1 when one cost too much."""
    logging.disable()
    scale, failed, count = int(sys.argv[1]) if sys.argv[1:] else 1, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        names = list(readers(Path(folder)))
    for name in names:
        found = child(name, scale)
        slow, large = max(found.costs, key=lambda each: each.seconds), max(found.costs, key=lambda each: each.peak)
        wrong = [each for each in found.costs if each.error or each.seconds > MOST_S or each.peak > MOST_BYTES]
        failed += found.grown > MOST_BYTES
        failed += len(wrong)
        count += len(found.costs)
        print(
            f"{name:24} {len(found.costs)} bombs, at most {1000 * slow.seconds:.1f} ms ({slow.bomb}), "
            f"{large.peak / 1e6:.2f} MB ({large.bomb}), grew by {found.grown / 1e6:.1f} MB",
            flush=True,
        )
        for each in wrong:
            print("   !", each)
    print(f"{count} bombs, {failed} cost too much or were taken")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
