"""Where one installation is reached: by gates under its name, by its own programs on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from device.wire import enrolment
from device.wire.link import Wire

FILE: Final = "doors.json"
HERE: Final = "127.0.0.1"


class Doors(Struct, frozen=True, forbid_unknown_fields=True):
    """The name of this machine, and its ports, which are TCP."""

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    gates: int = 8883  # the broker, for gates; MQTT over TLS as IANA has it
    own: int = 8884  # the broker, for the controller's programs
    enrol: int = enrolment.PORT  # where new gates ask for a certificate


def read(folder: Path) -> Doors:
    """Return the doors of an installation; raise OSError or MsgspecError where they cannot be read."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Doors)


def wire(folder: Path, doors: Doors) -> Wire:
    """Return how the controller's own programs reach the broker."""
    ca, pair = str(folder / "ca.crt"), str(folder / "controller.pem")
    return Wire(host=HERE, port=doors.own, ca=ca, certificate=pair)
