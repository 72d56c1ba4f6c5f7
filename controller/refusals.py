"""What mosquitto's log tells of attempts that it refused, and of gates that are there twice.

Its debug log is the only place where mosquitto 2.0 speaks of them. A topic in it is whatever somebody sent; mosquitto
lets no control character through, but nothing else here is to be believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from controller.authority import AuthorityError, place_of

Kind = Literal[
    "publish",  # to a topic that is not theirs
    "subscribe",
    "will",  # on a topic that is not theirs; the broker keeps it to itself
    "handshake",  # a wrong, old or missing certificate, an older TLS, or none
    "protocol",  # what no honest client says, such as an oversize packet or a wildcard in a topic
    "twice",  # two connections with one key; once may be a gate that came back before its old one was missed
    "connected",  # no refusal: a name to be compared with those in force
]

LONGEST: Final = 200  # characters of what was refused; the rest is not worth keeping
STAMP: Final = re.compile(r"^[0-9T:+-]+: ")
ASKED: Final = re.compile(r"\t(.*) \(QoS \d\)$")
HUNG_UP: Final = "unexpected eof while reading"  # OpenSSL's word for a client that just went away
LINES: Final[tuple[tuple[Kind, str], ...]] = (
    ("publish", r"Denied PUBLISH from (?P<who>\S+) \(.*?, '(?P<what>.*?)(', \.\.\. \(\d+ bytes\)\))?$"),
    ("twice", r"Client (?P<who>\S+) already connected, closing (?P<what>old connection)"),
    ("protocol", r"Client (?P<who>\S+) disconnected due to (?P<what>.*)\.$"),
    ("protocol", r"Bad socket read/write on client (?P<who>\S+): (?P<what>.*)\.$"),
    ("handshake", r"OpenSSL Error\[0\](?P<who>): (?P<what>.*)"),
    ("handshake", r"Client connection from (?P<who>\S+) failed: (?P<what>.*)\.$"),
    ("connected", r"New client connected from (?P<what>\S+) as \S+ \(.*u'(?P<who>\S+)'\)"),
)
# Four lines in five: what mosquitto says of all that goes well.
CHATTER: Final = re.compile(r"(Sending|Received|\t|No will|Will message|\S+ \d )")


class Refusal(NamedTuple):
    """One attempt: what it was, by whom as far as is known, and its topic or reason; for `connected`, from where."""

    kind: Kind
    who: str
    what: str


class Reader:
    """Reads the log line by line. mosquitto is one thread, so what belongs together stands together."""

    def __init__(self) -> None:
        self._before = ""
        self._who = ""  # who connected or subscribed last
        self._asked = ""  # a topic that was asked for; the next line says whether it was granted

    def read(self, line: str) -> Iterator[Refusal]:
        """Take the next line, and yield what it tells."""
        said = STAMP.sub("", line.rstrip("\n"), count=1)
        before, self._before = self._before, said
        asked, self._asked = self._asked, ""
        if asked and not (said.startswith(f"{self._who} ") and said.endswith(f" {asked}")):
            yield Refusal("subscribe", self._who, asked[:LONGEST])
        if said.startswith("Received SUBSCRIBE from "):
            self._who = said.rpartition(" ")[2]
        elif said.startswith("\t") and before.startswith("Will message specified"):
            if _foreign(self._who, said[1:]):
                yield Refusal("will", self._who, said[1 : LONGEST + 1])
        elif found := ASKED.match(said):
            self._asked = found[1]
        else:
            yield from self._other(said)

    def _other(self, said: str) -> Iterator[Refusal]:
        for kind, pattern in LINES:
            found = re.match(pattern, said)
            if found and HUNG_UP not in said:
                self._who = found["who"]
                yield Refusal(kind, found["who"], found["what"][:LONGEST])
                return


def worth_keeping(line: str) -> bool:
    """Tell whether a line is more than debug chatter."""
    return not CHATTER.match(STAMP.sub("", line, count=1))


def _foreign(name: str, topic: str) -> bool:
    """Tell whether a gate has no business with a topic; programs of the controller's own are not asked."""
    try:
        return not topic.startswith(place_of(name).topic(""))
    except AuthorityError:
        return False
