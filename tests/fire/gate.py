"""A whole gate in a process of its own, but for its camera: codes come from standard input, or many a second.

    python -m tests.fire.gate CONFIG [EACH_S UNTIL BACKLOG]

Every code on standard input is shown to it once; a line on standard output says what its lamp and relay do. With
EACH_S it is shown another code that often, until UNTIL events are kept, and lets what happens now go before what waits
when that is more than BACKLOG; a line in the .kept file beside CONFIG names
each event that is on disk and may be relied on: its spool, seq and digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from device import config as configuration
from device.__main__ import Gate
from device.codes.trust import keyed_hash, make_site_key
from device.courier import Kept
from device.sight import Code, EyeSaid, Seen
from device.spool import Reader
from device.wire.link import Wire
from device.wire.messages import Desired, encode
from hardware.parts import Colour, Lamp, Turnstile

CARD: Final = "a card that is listed"
LISTED_EVERY: Final = 5


class Feed:
    """Stands for the eye."""

    def __init__(self, codes: Iterator[str], put: Callable[[EyeSaid], None]) -> None:
        self._codes = codes
        self._put = put
        self.thread = threading.Thread(target=self._run, name="eye", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self.thread.start()

    def stop(self) -> None:
        """The thread ends with the process."""

    def _run(self) -> None:
        for code in self._codes:
            now = time.monotonic()
            self._put(Seen(code=Code(data=code.encode(), text=code, symbology="QRCode"), frame_at=now, read_at=now))
        threading.Event().wait()


class SaidLamp:
    """A lamp that says its colour, and otherwise is the one it stands before."""

    def __init__(self, lamp: Lamp) -> None:
        self._lamp = lamp

    def show(self, colour: Colour) -> None:
        """Hold this colour."""
        self._lamp.show(colour)
        print("lamp", colour, flush=True)


class SaidTurnstile:
    """A turnstile that says when it lets somebody in, and otherwise is the one it stands before."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile

    def release(self) -> None:
        """Pulse the relay once."""
        self._turnstile.release()
        print("relay", flush=True)


class Notes:
    """What was kept in all lives of this gate."""

    def __init__(self, path: Path, gate: Gate) -> None:
        self._file = path.open("ab+", buffering=0)
        self._file.seek(0)
        self.count = self._file.read().count(b"\n")
        self._reader = Reader(Path(gate.config.gate.data) / "spool.db")
        self._noted = {reel.id: reel.last for reel in gate.spool.reels}
        self._tell = gate.courier.inbox.put

    def kept(self, kept: Kept) -> None:
        """Note an event that can be read back from the disk, then wake the courier."""
        if kept.seq == self._noted.get(kept.spool, 0):  # said again at the start, or sealed
            self._tell(kept)
            return
        self._noted[kept.spool] = kept.seq
        (event,) = self._reader.after(kept.begins + kept.seq - 1, 1)
        digest = hashlib.sha256(event.payload).hexdigest()
        self._file.write(f"{kept.spool} {kept.seq} {digest}\n".encode())
        self.count += 1
        self._tell(kept)


def often(each_s: float, until: int, notes: Notes) -> Iterator[str]:
    """Yield codes, most of them never seen before, until so many events are kept."""
    number = 0
    while notes.count < until:
        number += 1
        yield f"{os.getpid()} {number} {time.time()}" if number % LISTED_EVERY else CARD
        time.sleep(each_s)


def configure(folder: Path, name: str, wire: Wire) -> Path:
    """Write what a gate needs that admits CARD, its data in a folder of its name; return its configuration."""
    key, data = folder / "site.key", folder / name
    site_key = key.read_bytes() if key.exists() else make_site_key(key)
    data.mkdir(exist_ok=True)
    listed = (keyed_hash(site_key, CARD.encode()),)
    (data / "policy.json").write_bytes(encode(Desired(version=1, listed=listed)))
    path = folder / f"{name}.toml"
    path.write_text(
        f'[gate]\nsite = "expo"\nentrance = "{name}"\ndata = "{data}"\nsite_key = "{folder / "site.key"}"\n'
        'clock = "battery"\n'
        f'[wire]\nhost = "{wire.host}"\nport = {wire.port}\n[pins]\ndriver = "mock"\n'
        "[rules]\nanswer_s = 0.3\n",
        encoding="utf-8",
    )
    return path


def main() -> None:
    """Run the gate until it is asked to end."""
    path = Path(sys.argv[1])
    gate = Gate(configuration.load(path))
    signal.signal(signal.SIGTERM, lambda *_: gate.stop())
    gate.entrance.board = dataclasses.replace(
        gate.board, lamp=SaidLamp(gate.board.lamp), turnstile=SaidTurnstile(gate.board.turnstile)
    )
    codes: Iterator[str] = map(str.rstrip, sys.stdin)
    if sys.argv[2:]:
        notes = Notes(path.with_suffix(".kept"), gate)
        gate.entrance._record._kept = notes.kept
        gate.entrance._record._backlog = int(sys.argv[4])
        codes = often(float(sys.argv[2]), int(sys.argv[3]), notes)
    gate.eye = Feed(codes, gate.inbox.put)  # type: ignore[assignment]
    gate.run()


if __name__ == "__main__":
    main()
