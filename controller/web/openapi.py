"""The API's description, OpenAPI 3.1, made from the questions themselves."""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from controller.web.api import QUESTIONS, ROOT, Problem, Question

REFERENCE: Final = "#/components/schemas/{name}"


def described(_request: Request) -> Response:
    """Answer with it; anybody may know what could be asked."""
    return Response(msgspec.json.encode(document()), media_type="application/json")


def document() -> dict[str, Any]:
    """Return the whole description."""
    kinds = [*(question.answer for question in QUESTIONS), *(question.asked for question in QUESTIONS), Problem]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    answers = schemas[: len(QUESTIONS)]
    paths: dict[str, Any] = {}
    for question, answer in zip(QUESTIONS, answers, strict=True):
        asked = components[question.asked.__name__]
        where = ROOT + question.path.replace(":int", "")
        paths.setdefault(where, {})[question.method.lower()] = _operation(question, asked, answer)
    said = {question.asked.__name__ for question in QUESTIONS if question.method == "POST"}
    parameters = {question.asked.__name__ for question in QUESTIONS} - said
    return {
        "openapi": "3.1.0",
        "info": {"title": "menshen", "version": importlib.metadata.version("menshen")},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in parameters},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(question: Question, asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    problem = _content({"$ref": REFERENCE.format(name=Problem.__name__)})
    said: dict[str, Any] = {
        "summary": question.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if number else "string"}}
            for name, number in re.findall(r"{(\w+)(:int)?}", question.path)
        ],
        "responses": {
            "200": {"description": "the answer", "content": _content(answer)},
            "4XX": {"description": "why there is none", "content": problem},
        },
    }
    if question.method == "GET":
        said["parameters"] += [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in asked["properties"].items()
        ]
    else:
        said["requestBody"] = {"content": _content({"$ref": REFERENCE.format(name=question.asked.__name__)})}
    return said


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
