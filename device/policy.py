"""What the controller wants this gate to hold, kept on the gate's own disk: it decides with this when alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from device.codes.trust import Trust
from device.file import replace
from device.roster import Roster
from device.wire.messages import Applied, Desired, decode, encode
from device.wire.plain import harmless


class Policy:
    """The policy in force. An offer is taken whole or not at all, and is on disk before it is in force."""

    def __init__(self, path: Path, site_key: bytes) -> None:
        self._path = path
        self._site_key = site_key
        self.desired = Desired(version=0)
        self.trust = Trust.from_policy(self.desired, site_key)
        self.roster = Roster()
        self.problem = ""
        if path.exists():
            try:
                desired = decode(Desired, path.read_bytes())
                self.trust, self.roster = Trust.from_policy(desired, site_key), Roster(desired.roster)
                self.desired = desired
            except (OSError, ValueError) as error:
                self.problem = f"{path} cannot be used, waiting for the controller: {harmless(str(error))}"

    def offer(self, payload: bytes) -> bool:
        """Take a policy; True when it is newer and now in force. `problem` says why one was refused."""
        try:
            desired = decode(Desired, payload)
            trust, roster = Trust.from_policy(desired, self._site_key), Roster(desired.roster)
            newer = desired.version > self.desired.version
            if newer:
                replace(self._path, encode(desired))
        except (ValueError, OSError) as error:  # a MessageError, a TrustError, or hours that cannot be read
            self.problem = harmless(str(error))  # it may quote what was offered, and goes out again
            return False
        self.problem = ""
        if newer:
            self.desired, self.trust, self.roster = desired, trust, roster
        elif desired.version < self.desired.version:
            self.problem = f"version {desired.version} is older than {self.desired.version}, which stays in force"
        return newer

    def applied(self, at: datetime) -> Applied:
        """Return what to tell the controller."""
        return Applied(version=self.desired.version, at=at, problem=self.problem)
