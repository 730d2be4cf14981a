"""The OpenAPI document, derived from the rows."""

import sys
from functools import cache
from types import SimpleNamespace
from typing import Any, get_type_hints

from aviary.actors.core.message import Message
from aviary.http.routing import Page, Row
from aviary.http.startup_responder import VERSION
from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

REF = "#/components/schemas/{model}"

PROBLEM = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}

VALIDATION_PROBLEM = {
    "type": "object",
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
                    "msg": {"type": "string"},
                    "input": {},
                    "ctx": {"type": "object"},
                },
                "required": ["type", "loc", "msg", "input"],
            },
        }
    },
    "required": ["detail"],
}

PROBLEMS = {
    "400": ("Problem", "Refused"),
    "401": ("Problem", "Not authenticated"),
    "404": ("Problem", "Not found"),
    "409": ("Problem", "Contradicts the present state"),
    "413": ("Problem", "The body is too large"),
    "422": ("ValidationProblem", "The request makes no sense"),
    "500": ("Problem", "An actor died of the request; the text names its crash"),
    "503": ("Problem", "Not now, and nothing was done: see Retry-After"),
    "504": ("Problem", "No answer: it may have been done. Of an order `order_id` and `state` are told"),
}
"""What may be answered to any request, besides a row's own status."""


class _Schemas(GenerateJsonSchema):
    """Decimals are written as numbers."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return {"type": "number"} if self.mode == "serialization" else super().decimal_schema(schema)


def document_of(rows: tuple[Row, ...], pages: tuple[Page, ...] = ()) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1; of the pages those with a summary."""
    schemas: dict[str, Any] = {"Problem": PROBLEM, "ValidationProblem": VALIDATION_PROBLEM}
    paths: dict[str, Any] = {}
    for page in pages:
        if page.summary:
            paths.setdefault(page.path, {})[page.method.lower()] = operation_of_page(page)
    for row in sorted(rows, key=lambda row: (row.path, row.method)):
        paths.setdefault(row.path, {})[row.method.lower()] = operation_of(row, schemas)
    tags = {row.tag for row in rows} | {"server"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aviary",
            "version": VERSION,
            "description": "Keeps Hummingbot trading systems alive; answers the clients of Hummingbot API.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"HTTPBasic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"HTTPBasic": []}],
        "tags": [{"name": tag} for tag in sorted(tags)],
    }


def operation_of_page(page: Page) -> dict[str, Any]:
    """One operation that no actor answers."""
    content = {"application/json": {"schema": {"type": "object"}}}
    operation: dict[str, Any] = {
        "operationId": operation_id(page.method, page.path),
        "tags": ["server"],
        "summary": page.summary,
        "responses": {"200": {"description": "Done", "content": content}},
    }
    if page.open:
        operation["security"] = []
    return operation


def operation_of(row: Row, schemas: dict[str, Any]) -> dict[str, Any]:
    """One operation; the schemas it refers to are added to `schemas`."""
    schema = row.message.model_json_schema(ref_template=REF, schema_generator=_Schemas)
    schemas.update(schema.pop("$defs", {}))
    properties: dict[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", []))
    sent_as = {field: name for name, field in row.names.items()}
    in_path = {row.names.get(name, name): name for name in row.placeholders}
    rest = {
        field: sent_as.get(field, field) for field in properties if field not in {*in_path, *row.fixed, row.whole}
    }
    in_query = {field: name for field, name in rest.items() if not row.takes_body or name in row.query}
    in_body = {field: name for field, name in rest.items() if field not in in_query and row.whole is None}
    operation: dict[str, Any] = {
        "operationId": operation_id(row.method, row.path),
        "tags": [row.tag],
        "summary": row.summary or first_line(row.message.__doc__),
        "parameters": [
            *(parameter(name, "path", properties[field], required=True) for field, name in in_path.items()),
            *(
                parameter(name, "query", properties[field], required=field in required)
                for field, name in in_query.items()
            ),
        ],
        "responses": responses_of(row, schemas),
    }
    if row.whole is not None:
        operation["requestBody"] = body_of(properties[row.whole], needed=row.whole in required)
    elif in_body:
        needed = sorted(name for field, name in in_body.items() if field in required)
        fields = {name: properties[field] for field, name in in_body.items()}
        body: dict[str, Any] = {"type": "object", "properties": fields}
        operation["requestBody"] = body_of(body | ({"required": needed} if needed else {}), needed=bool(needed))
    if row.open:
        operation["security"] = []
    return operation


def operation_id(method: str, path: str) -> str:
    """A name that no other operation has: a path with a slash at its end is another one than without."""
    steps = [step.strip("{}").replace("-", "_") for step in path.split("/")[1:]]
    return "_".join([method.lower(), *(step or "root" for step in steps)])


def parameter(name: str, place: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """A parameter of the path or the query."""
    return {"name": name, "in": place, "required": required, "schema": schema}


def responses_of(row: Row, schemas: dict[str, Any]) -> dict[str, Any]:
    """What may be answered."""
    reply = reply_of(row.message) if row.reply is None else get_type_hints(row.reply).get("return", Any)
    return {
        str(row.status): {
            "description": "Done",
            "content": {"application/json": {"schema": schema_of(reply, schemas)}},
        },
        **{
            status: {
                "description": text,
                "content": {"application/json": {"schema": {"$ref": REF.format(model=model)}}},
            }
            for status, (model, text) in PROBLEMS.items()
        },
    }


def schema_of(reply: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a reply's type; empty if anything may come."""
    if reply is Any or reply is object:
        return {}
    try:
        schema = TypeAdapter(reply).json_schema(ref_template=REF, mode="serialization", schema_generator=_Schemas)
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {}
    schemas.update(schema.pop("$defs", {}))
    return schema


@cache
def reply_of(message: type[Message[Any]]) -> Any:
    """The type that a message declares as its reply."""
    for base in message.__mro__:
        generic = getattr(base, "__pydantic_generic_metadata__", {})
        if generic.get("origin") is Message:
            return resolved(generic["args"][0], message)
    return Any


def resolved(reply: Any, message: type[Message[Any]]) -> Any:
    """A type that may have been named before it was defined, in the message's module."""
    holder = SimpleNamespace(__annotations__={"reply": reply})
    return get_type_hints(holder, globalns=vars(sys.modules[message.__module__]))["reply"]


def body_of(schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    """A JSON request body."""
    return {"required": needed, "content": {"application/json": {"schema": schema}}}


def first_line(text: str | None) -> str:
    """The first line of a docstring."""
    return (text or "").strip().split("\n")[0]
