"""Alters genuine codes in every way a forger may think of, and shows each to a gate that should believe none.

    python -m tests.fire.forgery --count 100000

Accepted means: `device.codes.verify` returns a claim and no reason against it. A genuine code has one text, so a
different one that is accepted is a failure even where it claims the very same: two texts of one code could be told
apart by whoever counts, revokes or compares them. An alteration that happens to give a genuine text is not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import base45
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device import codes
from device.codes import Checked, ms1
from device.codes.trust import Trust, keyed_hash, trusted
from device.sight import Code
from device.wire.messages import Desired, Place
from tests.fire.alterations import DAY, HOLDER, ISSUER, NOW, OTHER, Dice, Scheme, alter

HERE: Final = Place("expo", "north")
SITE_KEY: Final = bytes(32)
CARD: Final = b"a listed card"
TRUST: Final = Trust.from_policy(
    Desired(
        version=1,
        keys=(trusted(ISSUER.public_key()), trusted(OTHER.public_key())),
        listed=(keyed_hash(SITE_KEY, CARD),),
    ),
    SITE_KEY,
)

Judge = Callable[[bytes], Checked]


def _ms1() -> Iterator[bytes]:
    def issue(key: Ed25519PrivateKey, **terms: Any) -> str:
        usual: dict[str, Any] = {
            "kind": "visitor",
            "subject": "visitor 1",
            "places": ("expo",),
            "not_before": NOW,
            "not_after": NOW + DAY,
        }
        return ms1.issue(key, **(usual | terms))

    rotating = [issue(key, holder=HOLDER.public_key(), cti=bytes(8)) for key in (ISSUER, OTHER)]
    texts = [
        issue(ISSUER, cti=bytes(range(8))),
        issue(OTHER, cti=bytes(range(1, 9))),
        issue(ISSUER, kind="staff", subject="guard 7", places=("expo/north", "fair"), cti=bytes(range(2, 10))),
        *(ms1.present(text, HOLDER, at) for text in rotating for at in (NOW, NOW + 3)),
    ]
    yield from (text.encode() for text in texts)


# One line a scheme: further ones, whose message is COSE or any other bytes, are altered in the same ways.
SCHEMES: Final = {
    "ms1": Scheme(
        tuple(_ms1()), lambda text: bytes(base45.b45decode(text[4:])), lambda raw: b"MS1:" + base45.b45encode(raw)
    ),
}


def judge(text: bytes) -> Checked:
    """Judge as a gate does."""
    code = Code(data=text, text=text.decode(errors="replace"), symbology="QRCode")
    return codes.verify(code, TRUST, HERE, NOW, screen_s=30, skew_s=5)


def accepted(checked: Checked) -> bool:
    """Tell whether a gate would open."""
    return checked.claim is not None and not checked.reasons


def forgeries(count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield so many altered texts of all schemes, each another and none genuine."""
    dice, seen = Dice(seed), {text for scheme in SCHEMES.values() for text in scheme.genuine} | {CARD}
    marks = {hashlib.blake2b(text, digest_size=16).digest() for text in seen}
    for scheme in itertools.cycle(SCHEMES.values()):
        if count <= 0:
            return
        how, text = alter(scheme, dice)
        mark = hashlib.blake2b(text, digest_size=16).digest()
        if mark not in marks:
            marks.add(mark)
            count -= 1
            yield how, text


class Outcome(NamedTuple):
    """What came of showing them."""

    tried: Counter[str]
    accepted: list[tuple[str, bytes]]

    def __str__(self) -> str:
        return f"{self.tried.total()} altered codes, {len(self.accepted)} accepted; by how: " + ", ".join(
            f"{how.strip('_')} {count}" for how, count in self.tried.most_common()
        )


def run(count: int, seed: int = 1, judge: Judge = judge, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Show so many, and return what was accepted."""
    outcome = Outcome(Counter(), [])
    for number, (how, text) in enumerate(forgeries(count, seed), 1):
        outcome.tried[how] += 1
        if accepted(judge(text)):
            outcome.accepted.append((how, text))
        progress(number)
    return outcome


def main() -> None:
    """Run; end with 1 when something was accepted."""
    parser = argparse.ArgumentParser(description="Alter genuine codes and see whether a gate believes one.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()

    def progress(number: int) -> None:
        if number % 10_000 == 0:
            print(f"{number} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    outcome = run(chosen.count, chosen.seed, progress=progress)
    print(outcome)
    for how, text in outcome.accepted[:20]:
        print(how, text)
    sys.exit(1 if outcome.accepted else 0)


if __name__ == "__main__":
    main()
