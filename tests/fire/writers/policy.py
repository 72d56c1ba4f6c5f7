"""What a gate holds to decide with: a policy that it said it applies is in force when the power comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from device.policy import Policy
from device.wire.messages import Desired, encode
from tests.fire.writers import arguments, said, say

VERSIONS: Final = 40


def write(folder: Path, _synchronous: str) -> None:
    """Take one policy after the other, each longer than the last."""
    policy = Policy(folder / "policy.json", b"")
    for version in range(1, VERSIONS):
        taken = policy.offer(encode(Desired(version=version, listed=tuple(f"{each:032x}" for each in range(version)))))
        if not taken:
            raise RuntimeError(policy.problem)
        say("applied", policy.desired.version)


def find(folder: Path, shown: bytes) -> str:
    """Read the policy as a gate that starts, and tell what is wrong with it."""
    policy = Policy(folder / "policy.json", b"")
    if policy.problem:
        return f"unreadable: {policy.problem}"
    return "lost" if policy.desired.version < int(said(shown).get("applied", 0)) else ""


if __name__ == "__main__":
    write(*arguments())
