"""Public test vectors that may lie beside the project: found, unpacked, or the test that wants them is skipped."""

from __future__ import annotations

import os
import tarfile
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

NAMED: Final = "MENSHEN_VECTORS"  # an environment variable: where they are, if not in a folder above


def folder() -> Path:
    """Return where the vectors are; skip the test where they are not."""
    above = (parent / "shared" / "vectors" for parent in Path(__file__).resolve().parents)
    named = (Path(os.environ[NAMED]),) if NAMED in os.environ else ()
    for place in chain(named, above):
        if place.is_dir():
            return place
    raise pytest.skip.Exception("no shared/vectors in a folder above")


def unpacked(name: str, into: Path) -> Path:
    """Unpack one archive of them; skip the test where it is not there."""
    archive = folder() / name
    if not archive.exists():
        pytest.skip(f"{archive} is not here")
    with tarfile.open(archive, "r:xz") as tar:
        tar.extractall(into, filter="data")
    return into
