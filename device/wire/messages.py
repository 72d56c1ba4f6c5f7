"""Every word gate and controller say: topics and payloads. The speaker owns the words; both ends use these classes.

A payload is one JSON object with `"v": 1`. Times are UTC, RFC 3339. Nothing a person shows becomes part of a topic.
"""

from __future__ import annotations

import functools
import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from device.wire.hours import Expected

ROOT: Final = "menshen"
MAX_PAYLOAD: Final = 16 * 1024  # bytes; a larger event is refused before it is spooled
MAX_POLICY: Final = 1024 * 1024  # bytes; some 29,000 listed codes, and as much as the broker carries
# MQTT user properties on every event, which hold even where its payload cannot be read: which one it is, and the lowest
# seq its spool still holds.
SPOOL: Final = "spool"
SEQ: Final = "seq"
OLDEST: Final = "oldest"
LONGEST_QUOTE: Final = 80  # characters of what was said instead of a place
ID_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*\Z"  # not $, which a newline may follow
Id = Annotated[str, Meta(pattern=ID_PATTERN, min_length=2, max_length=32)]

Kind = Literal["scan", "passage", "duty", "fault", "command"]
KINDS: Final[tuple[Kind, ...]] = ("scan", "passage", "duty", "fault", "command")

Verb = Literal["open", "identify"]
VERBS: Final[tuple[Verb, ...]] = ("open", "identify")
COMMAND: Final = "cmd/"  # before the verb in a topic, as is the next
REPLY: Final = "reply/"
COMMAND_S: Final = 10.0  # seconds a command may be good for; a longer one is a late command waiting

Moment = Annotated[datetime, Meta(tz=True)]
# Text that may name a person or what a person holds; a purge leaves no byte of it. Nothing else in an event does.
PERSONAL: Final = "personal"
Personal = Annotated[str, Meta(extra={PERSONAL: True})]

People = Annotated[int, Meta(ge=1, le=9)]  # who go in together on one code
Outcome = Literal["grant", "refer", "refuse"]
Temperature = Literal["normal", "recheck", "high", "unknown", "off"]
ClockState = Literal["synced", "holdover", "unset"]
Staffing = Literal["staffed", "grace", "unstaffed", "off_hours"]  # grace: nobody here, not yet for long enough
PassKind = Literal["visitor", "staff", "entrance"]
Scheme = Literal["pretix", "jws", "shc", "hc1"]  # codes of others, believed by what a policy says of them
SCHEMES: Final[tuple[Scheme, ...]] = ("pretix", "jws", "shc", "hc1")
Algorithm = Literal["EdDSA", "ES256", "PS256", "HS256"]  # RFC 7518's and RFC 8037's names


class MessageError(ValueError):
    """A topic or payload that is not one of ours; the text says why, and never repeats the payload."""


class Place(NamedTuple):
    """One entrance of one site, and its branch of the topic tree."""

    site: str
    entrance: str

    @classmethod
    @functools.lru_cache(maxsize=4096)  # asked of every message that arrives; what is no place is not kept
    def parse(cls, text: str) -> Place:
        """Read `site/entrance`, checking both ids."""
        site, _, entrance = text.partition("/")
        for part in (site, entrance):
            if not (2 <= len(part) <= 32 and re.fullmatch(ID_PATTERN, part)):  # noqa: PLR2004
                raise MessageError(
                    f"{text[:LONGEST_QUOTE]!r} is not SITE/ENTRANCE: each is 2 to 32 of a-z and 0-9, "
                    "with single hyphens inside, such as expo/north-gate"
                )
        return cls(site, entrance)

    def __str__(self) -> str:
        return f"{self.site}/{self.entrance}"

    def topic(self, word: str) -> str:
        """Return the topic of this entrance for `word`, such as `scan` or `alert/gate_offline`."""
        return f"{ROOT}/{self.site}/{self.entrance}/{word}"


def parse_topic(topic: str) -> tuple[Place, str]:
    """Take `menshen/<site>/<entrance>/<word...>` apart; raise MessageError for any other topic."""
    parts = topic.split("/", 3)
    if len(parts) != 4 or parts[0] != ROOT:  # noqa: PLR2004
        raise MessageError("the topic is not menshen/<site>/<entrance>/<word>")
    return Place.parse(f"{parts[1]}/{parts[2]}"), parts[3]


class Message(Struct, frozen=True, kw_only=True):
    """What every payload starts with."""

    v: Literal[1] = 1


class Text(Struct, frozen=True):
    """One sentence for people, in both languages."""

    zh: str
    en: str


class Event(Message, frozen=True, kw_only=True):
    """What every spooled event carries. `seq` has no gaps within a `spool`; order always comes from it."""

    spool: str
    seq: Annotated[int, Meta(ge=1)]
    boot: str
    at: datetime
    mono: Annotated[float, Meta(ge=0, le=1e9)]  # thirty years without a restart
    clock: ClockState

    @property
    def id(self) -> str:
        """Name this event for people and programs."""
        return f"{self.spool}-{self.seq}"


class Scan(Event, frozen=True, kw_only=True):
    """A code was read and judged. `code` is a keyed hash (HMAC-SHA256, per site), never the code's text."""

    event_type: Outcome
    reasons: tuple[str, ...] = ()
    code: Personal
    scheme: str
    symbology: str
    kind: PassKind | None = None
    people: People = 1  # who may go through on it
    direction: Literal["in", "out"] | None = None  # which way, where re-entry is watched
    uses: Annotated[int, Meta(ge=0, le=10_000)] = 0  # how often its code admits; 0: any number of times
    by: tuple[Personal, ...] = ()  # the guards who decided it by hand; more than one: it was one of them
    why: Literal["", "referred", "overridden", "without_code"] = ""  # what they decided
    answers: int | None = None  # the seq of the scan that they decided on
    temperature: Temperature = "off"
    celsius: float | None = None
    trust_age_s: int | None = None  # since the oldest list it was judged by was issued
    took_ms: float


class Passage(Event, frozen=True, kw_only=True):
    """Someone went through, or did not. `scan` is the seq of the grant it belongs to: a scan, or a command to open."""

    event_type: Literal["passed", "not_passed", "forced", "tailgated"]
    direction: Literal["in", "out", "unknown"] = "unknown"
    scan: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    people: People = 1  # of a party, who did not go


class Duty(Event, frozen=True, kw_only=True):
    """Who guards the entrance changed, or nobody has for longer than the grace time."""

    event_type: Literal["check_in", "check_out", "handover", "missed", "unstaffed", "staffed"]
    who: Personal = ""
    after: Personal = ""  # who was on duty before a handover
    off_roster: bool = False  # nobody expected them here now
    by: Literal["badge", "button", "rule"] = "rule"
    on_duty: tuple[Personal, ...] = ()
    since: datetime


class Fault(Event, frozen=True, kw_only=True):
    """A part or the gate itself went wrong, or works again."""

    event_type: Literal["raised", "cleared"]
    fault: str
    detail: Personal = ""


class Commanded(Event, frozen=True, kw_only=True):
    """A command was obeyed, or refused for `reason`. `by` and `command` are its sender and id, as far as it was read.

    A refusal that repeats itself is kept once and then once a minute, with how many there were since as `count`.
    """

    event_type: Literal["obeyed", "refused"]
    verb: str = ""
    by: Personal = ""
    command: str = ""
    reason: str = ""
    count: int = 1


AnyEvent = Scan | Passage | Duty | Fault | Commanded
EVENTS: Final[dict[Kind, type[AnyEvent]]] = {
    "scan": Scan, "passage": Passage, "duty": Duty, "fault": Fault, "command": Commanded,
}  # fmt: skip
KIND_OF: Final[dict[type[AnyEvent], Kind]] = {event: kind for kind, event in EVENTS.items()}


class Status(Message, frozen=True, kw_only=True):
    """Retained: the gate's birth and its last will."""

    state: Literal["online", "offline"]
    reason: str = ""


class Info(Message, frozen=True, kw_only=True):
    """Retained: what runs at this entrance."""

    version: str
    python: str
    parts: dict[str, str]
    commands: tuple[str, ...] = ()  # the verbs this gate obeys


class State(Message, frozen=True, kw_only=True):
    """Retained: how the entrance is now."""

    at: datetime
    staffing: Staffing
    staffing_since: datetime
    on_duty: tuple[Personal, ...]
    grants: int
    refusals: int
    passages: int
    unscanned: int
    spool_depth: int
    clock: ClockState
    waiting: Annotated[int, Meta(ge=0, le=1000)] | None = None  # people, by estimate; None: nobody can tell
    crowded_since: datetime | None = None  # None: it is not crowded
    too_near: bool = False  # somebody stands before the 1-metre line
    inside: int | None = None  # the site, as far as this gate knows


class OpenFault(Struct, frozen=True):
    """A fault that has not been cleared."""

    fault: str
    since: datetime
    detail: str


class Health(Message, frozen=True, kw_only=True):
    """Retained: the faults open at this entrance."""

    faults: tuple[OpenFault, ...]


class Ack(Message, frozen=True, kw_only=True):
    """The controller has committed this spool up to and including `seq`."""

    spool: str
    seq: int


class Alert(Message, frozen=True, kw_only=True):
    """Retained on alert/<kind>: the open alert. An empty payload means it is resolved."""

    kind: str
    site: str
    entrance: str
    severity: Literal["info", "warning", "critical"]
    since: datetime
    updated: datetime
    count: int
    what: Text
    next_step: Text
    id: int = 0
    state: Literal["raised", "acknowledged", "escalated"] = "raised"
    acknowledged_by: str = ""
    note: str = ""
    escalated_at: datetime | None = None  # nobody had acknowledged it in time
    silenced_until: datetime | None = None  # nobody wants to be called about it till then


class TrustedKey(Struct, frozen=True):
    """An issuer's public key: Ed25519, 32 bytes in base64; `key` is its id in hex."""

    key: Annotated[str, Meta(min_length=1)]
    public: Annotated[str, Meta(min_length=1)]


class IssuerKey(Struct, frozen=True, kw_only=True):
    """A key of another issuer. `public` is its SubjectPublicKeyInfo, DER in base64."""

    kid: str  # as its scheme writes it: a JWK's `kid`; hc1: base64 of 8 bytes; pretix: none, so empty
    alg: Algorithm  # the only one it is ever used with
    public: str = ""
    secret: str = ""  # HS256 alone, in base64: whoever holds it, every gate included, can also sign
    issuer: str = ""  # its URL or name; a code that names another is not believed
    country: str = ""  # ISO 3166-1 alpha-2
    not_after: Moment | None = None
    usage: tuple[str, ...] = ()  # what it may sign, in its scheme's words; none: anything


class TrustList(Struct, frozen=True, kw_only=True):
    """What one source says of a scheme at one time; its next issue replaces it whole."""

    scheme: Scheme
    name: str  # tells the lists of a scheme apart
    issued_at: Moment
    good_for_s: int | None = None  # seconds until it is too old to admit by; None: it does not age
    keys: tuple[IssuerKey, ...] = ()
    revoked: tuple[str, ...] = ()  # shc: KID/RID or KID/RID.TIME; all others: 128 bits of a SHA-256 in hex
    blocked: tuple[str, ...] = ()  # the same, for codes that may come back
    rules: tuple[dict[str, Any], ...] = ()  # hc1: business rules in CertLogic
    value_sets: dict[str, tuple[str, ...]] = {}  # hc1: what the rules look values up in


class Admission(Struct, frozen=True, kw_only=True):
    """Which genuine codes of a scheme admit. The first whose claims all match counts; where none does, none admits."""

    scheme: Scheme
    claims: dict[str, tuple[str | int | bool, ...]] = {}  # name: the values that will do
    kind: PassKind = "visitor"
    places: tuple[str, ...] = ()  # `site` or `site/entrance`; none: every one
    uses: Annotated[int, Meta(ge=0, le=10_000)] = 0  # how often each admits; 0: any number of times


class Desired(Message, frozen=True, kw_only=True):
    """Retained on policy/desired: what the controller wants this gate to hold. Versions only grow."""

    version: int
    issued_at: Moment | None = None
    keys: tuple[TrustedKey, ...] = ()
    # What each entry must be is `Trust`'s to say. Their least lengths alone keep a policy from being a bomb: a megabyte
    # of empty texts would become many.
    revoked: tuple[Annotated[str, Meta(min_length=16)], ...] = ()
    listed: tuple[Annotated[str, Meta(min_length=32)], ...] = ()
    lists: tuple[TrustList, ...] = ()
    admit: tuple[Admission, ...] = ()
    roster: tuple[Expected, ...] = ()


class Applied(Message, frozen=True, kw_only=True):
    """Retained on policy/applied: what this gate holds, and why it refused what it was last offered."""

    version: int
    at: datetime
    problem: str = ""


class Elsewhere(Message, frozen=True, kw_only=True):
    """Said on seen, to the other gates of a site: a code was let through at one of them. `void`: nobody went."""

    id: str  # of the scan
    code: str  # its keyed hash
    direction: Literal["in", "out"]
    at: Moment
    entrance: Id
    void: bool = False


class Inside(Message, frozen=True, kw_only=True):
    """Retained on occupancy: how many are inside the site, by all of its gates."""

    inside: int
    capacity: int = 0  # 0: no limit
    at: Moment


class Command(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Said on cmd/<verb>, never retained: do this, now. `by` is who wants it, as the sender says.

    A field that the gate does not know might be a condition, so it refuses.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+\Z", min_length=8, max_length=64)]
    to: str  # SITE/ENTRANCE, once more: a bridge between brokers may have changed the topic
    by: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z", max_length=64)]
    expires_at: Annotated[datetime, Meta(tz=True)]


class Reply(Message, frozen=True, kw_only=True):
    """Said on reply/<verb>, never retained: what became of the command with this id; "" when none could be read."""

    id: str
    outcome: Literal["done", "refused"]
    reason: str = ""


M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Return the payload of a message; raise MessageError where it is larger than the wire allows."""
    try:
        payload = msgspec.json.encode(message)
    except UnicodeEncodeError as error:
        raise MessageError(f"a {type(message).__name__} holds text that is not valid Unicode") from error
    if len(payload) > MAX_PAYLOAD and not isinstance(message, Desired):
        raise MessageError(f"a {type(message).__name__} of {len(payload)} bytes is over the limit of {MAX_PAYLOAD}")
    return payload


def decode(kind: type[M], payload: bytes) -> M:
    """Read a payload as `kind`. Raise MessageError, one class whatever is wrong with it."""
    limit = MAX_POLICY if kind is Desired else MAX_PAYLOAD
    if len(payload) > limit:
        raise MessageError(f"{len(payload)} bytes are over the limit of {limit}")
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a {kind.__name__}: {error}") from error
