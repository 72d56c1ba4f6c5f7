"""The messages as an AsyncAPI 3 document, made from the classes themselves: each topic and who says it."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import click
import msgspec

from controller import digest, journal
from device.wire import messages
from device.wire.messages import COMMAND, EVENTS, OLDEST, REPLY, ROOT, SEQ, SPOOL, VERBS, Message

Document = dict[str, Any]
SCHEMAS: Final = "#/components/schemas/{name}"


class Word(NamedTuple):
    """One topic: below an entrance, or a whole one where it begins with ours."""

    word: str
    message: type[Message]
    by: Literal["gate", "controller"]
    retained: bool
    qos: int


WORDS: Final = (
    Word("status", messages.Status, "gate", retained=True, qos=1),
    Word("info", messages.Info, "gate", retained=True, qos=1),
    Word("state", messages.State, "gate", retained=True, qos=1),
    Word("health", messages.Health, "gate", retained=True, qos=1),
    *(Word(kind, event, "gate", retained=False, qos=0) for kind, event in EVENTS.items()),
    Word("policy/applied", messages.Applied, "gate", retained=True, qos=1),
    Word(f"{REPLY}<verb>", messages.Reply, "gate", retained=False, qos=1),
    Word("ack", messages.Ack, "controller", retained=False, qos=0),
    Word("alert/<kind>", messages.Alert, "controller", retained=True, qos=1),
    Word(digest.topic("<site>"), digest.Digest, "controller", retained=True, qos=1),
    Word(journal.TOPIC, journal.Head, "controller", retained=True, qos=1),
    Word("occupancy", messages.Inside, "controller", retained=True, qos=1),
    Word("seen", messages.Elsewhere, "controller", retained=False, qos=0),
    Word("policy/desired", messages.Desired, "controller", retained=True, qos=1),
    Word(f"{COMMAND}<verb>", messages.Command, "controller", retained=False, qos=1),
)
PARAMETERS: Final[dict[str, Document]] = {
    "site": {"description": "id of the site: 2 to 32 of a-z and 0-9, single hyphens inside", "examples": ["expo"]},
    "entrance": {"description": "id of the entrance within the site, written alike", "examples": ["north"]},
    "verb": {"description": "what is to be done", "enum": list(VERBS)},
    "kind": {"description": "kind of alert; docs/operating.md has them all", "examples": ["unstaffed_entrance"]},
}


def document() -> Document:
    """Return it, from the side of a gate: it sends what it says. A site's own topics are for whoever listens."""
    references, schemas = msgspec.json.schema_components([word.message for word in WORDS], ref_template=SCHEMAS)
    payloads = {word.message.__name__: found for word, found in zip(WORDS, references, strict=True)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "menshen 门神",
            "version": importlib.metadata.version("menshen"),
            "description": "What the gate of one entrance says and hears over MQTT 5. docs/messages.md has examples.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "localhost:8883",
                "protocol": "secure-mqtt",
                "protocolVersion": "5",
                "security": [{"$ref": "#/components/securitySchemes/certificate"}],
            }
        },
        "channels": {name(word): _channel(word) for word in WORDS},
        "operations": {operation: described for word in WORDS for operation, described in _operations(word)},
        "components": {
            "messages": {word.message.__name__: _message(word, payloads[word.message.__name__]) for word in WORDS},
            "schemas": _portable(schemas),
            "securitySchemes": {
                "certificate": {"type": "X509", "description": "a client's certificate, which is also its name"}
            },
        },
    }


def name(word: Word) -> str:
    """Return how the document calls a channel."""
    return re.sub(r"\W+", "-", word.word).strip("-")


def _channel(word: Word) -> Document:
    topic = word.word if word.word.startswith(f"{ROOT}/") else f"{ROOT}/<site>/<entrance>/{word.word}"
    address = re.sub(r"<(\w+)>", r"{\1}", topic)
    message = word.message.__name__
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "parameters": {key: PARAMETERS[key] for key in re.findall(r"{(\w+)}", address)},
    }


def _operations(word: Word) -> Iterator[tuple[str, Document]]:
    gate = word.by == "gate"
    yield (
        f"{'say' if gate else 'hear'}-{name(word)}",
        {
            "action": "send" if gate else "receive",
            "channel": {"$ref": f"#/channels/{name(word)}"},
            "messages": [{"$ref": f"#/channels/{name(word)}/messages/{word.message.__name__}"}],
            "bindings": {"mqtt": {"qos": word.qos, "retain": word.retained}},
        },
    )


def _message(word: Word, payload: Document) -> Document:
    described: Document = {
        "name": word.message.__name__,
        "summary": (word.message.__doc__ or "").strip().partition("\n")[0],
        "payload": payload,
    }
    if word.word in EVENTS:
        described["headers"] = {
            "type": "object",
            "description": "MQTT user properties, which hold even where the payload cannot be read",
            "properties": {
                SPOOL: {"type": "string"},
                SEQ: {"type": "string", "pattern": "^[0-9]+$"},
                OLDEST: {"type": "string", "pattern": "^[0-9]+$", "description": "the lowest seq the gate still has"},
            },
        }
    return described


def _portable(schemas: Document) -> Document:
    """Write patterns as everybody reads them: Python's end of text is nobody else's."""
    text = json.dumps(schemas).replace(json.dumps(r"\Z")[1:-1], "$")
    portable: Document = json.loads(text)
    return portable


def written() -> str:
    """Return the document as docs/asyncapi.json has it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


@click.command("asyncapi")
def command() -> None:
    """Print the messages as an AsyncAPI 3 document. 打印 AsyncAPI 3 消息文档"""
    click.echo(written(), nl=False)
