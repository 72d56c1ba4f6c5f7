from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from controller.asyncapi import WORDS, document, name, written
from menshen import main
from tests.test_docs import examples

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
# Where the schema of the AsyncAPI project is, as its npm package @asyncapi/specs has it: schemas/3.0.0.json.
PUBLISHED = os.environ.get("ASYNCAPI_SCHEMA", "")


def test_the_document_that_ships_is_the_one_that_is_printed() -> None:
    printed = CliRunner().invoke(main, ["controller", "asyncapi"])
    shipped = (ROOT / "docs/asyncapi.json").read_text(encoding="utf-8")
    assert printed.output == written() == shipped


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref")
        yield from (found for each in value.values() for found in references(each))
    elif isinstance(value, list):
        yield from (found for each in value for found in references(each))


def test_every_reference_leads_somewhere() -> None:
    made = document()
    found = set(references(made))
    for reference in found:
        at: Any = made
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]
    assert len(found) > len(WORDS)


def test_every_parameter_of_an_address_is_explained() -> None:
    for channel in document()["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == channel["parameters"].keys()


def test_channels_are_those_of_the_page_with_the_same_qos_and_keeping() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| (\d) \| (gate|controller)[^|]*\| (\w+) \|$", PAGE, re.MULTILINE)
    assert {(word, kept == "yes", int(qos), by, message) for word, kept, qos, by, message in rows} == {
        (word.word, word.retained, word.qos, word.by, word.message.__name__) for word in WORDS
    }
    assert len({name(word) for word in WORDS}) == len(WORDS)


def validator(message: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**document(), "$ref": f"#/components/schemas/{message}"})


EXAMPLES = examples()


@pytest.mark.parametrize(("message", "payload"), EXAMPLES, ids=lambda value: value if value.isalpha() else "")
def test_every_example_of_a_message_is_valid_and_a_wrong_one_is_not(message: str, payload: str) -> None:
    good = json.loads(payload)
    validator(message).validate(good)
    with pytest.raises(jsonschema.ValidationError):
        validator(message).validate({**good, "v": 2})


def test_patterns_are_as_everybody_reads_them() -> None:
    assert "\\Z" not in json.dumps(document())
    assert '"pattern": "^[A-Za-z0-9-]+$"' in json.dumps(document())


def test_schemas_are_schemas() -> None:
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft7Validator.check_schema(schema)  # what AsyncAPI 3 builds on


@pytest.mark.skipif(not PUBLISHED, reason="ASYNCAPI_SCHEMA names no schemas/3.0.0.json of npm's @asyncapi/specs")
def test_the_published_schema_agrees() -> None:
    schema = json.loads(Path(PUBLISHED).read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(document())
    assert not validator.is_valid({**document(), "channels": {"status": {"adress": 1}}})
