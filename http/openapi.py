"""The OpenAPI document, derived from the rows."""

from functools import cache
from typing import Any, get_args

from aviary.actors.core.message import Message
from aviary.http.health import VERSION
from aviary.http.routing import Row
from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

REF = "#/components/schemas/{model}"

PROBLEM = {
    "type": "object",
    "properties": {"detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]}},
    "required": ["detail"],
}


def document_of(rows: tuple[Row, ...]) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: (row.path, row.method)):
        paths.setdefault(row.path, {})[row.method.lower()] = operation_of(row, schemas)
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
        "tags": [{"name": tag} for tag in sorted({row.tag for row in rows})],
    }


def operation_of(row: Row, schemas: dict[str, Any]) -> dict[str, Any]:
    """One operation; the schemas it refers to are added to `schemas`."""
    schema = row.message.model_json_schema(ref_template=REF)
    schemas.update(schema.pop("$defs", {}))
    properties: dict[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", []))
    outside = {row.names.get(name, name): name for name in row.placeholders}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": properties.get(field, {"type": "string"})}
        for field, name in outside.items()
    ]
    sent_as = {field: name for name, field in row.names.items()}
    rest = {field: value for field, value in properties.items() if field not in outside and field not in row.fixed}
    in_query = {
        field for field in rest if not row.takes_body or sent_as.get(field, field) in row.query
    }
    parameters += [
        {"name": sent_as.get(field, field), "in": "query", "required": field in required, "schema": rest[field]}
        for field in rest
        if field in in_query and field != row.whole
    ]
    operation: dict[str, Any] = {
        "operationId": f"{row.method.lower()}_{row.path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}",
        "tags": [row.tag],
        "summary": row.summary or first_line(row.message.__doc__),
        "parameters": parameters,
        "responses": responses_of(row, schemas),
    }
    if row.whole is not None:
        operation["requestBody"] = body_of(properties.get(row.whole, {}), needed=row.whole in required)
    elif row.takes_body:
        fields = {sent_as.get(field, field): value for field, value in rest.items() if field not in in_query}
        if fields:
            needed = sorted(sent_as.get(field, field) for field in rest if field in required - in_query)
            operation["requestBody"] = body_of(
                {"type": "object", "properties": fields, "required": needed}, needed=bool(needed)
            )
    if row.open:
        operation["security"] = []
    return operation


def responses_of(row: Row, schemas: dict[str, Any]) -> dict[str, Any]:
    """What may be answered."""
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    texts = {"401": "Not authenticated", "404": "Not found", "422": "Invalid", "503": "Not now: see Retry-After"}
    reply = {} if row.reply is not None else reply_schema(row.message, schemas)
    return {
        str(row.status): {"description": "Done", "content": {"application/json": {"schema": reply}}},
        **{status: {"description": text, "content": problem} for status, text in texts.items()},
    }


def reply_schema(message: type[Message[Any]], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a message's reply; empty if it is not one of JSON."""
    reply = reply_of(message)
    if reply is None or reply is Any:
        return {}
    try:
        schema = TypeAdapter(reply).json_schema(ref_template=REF, mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        return {}
    schemas.update(schema.pop("$defs", {}))
    return schema


@cache
def reply_of(message: type[Message[Any]]) -> Any:
    """The type that a message declares as its reply."""
    for base in message.__mro__:
        arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
        if base.__name__.startswith("Message[") and arguments:
            return arguments[0]
        for parent in getattr(base, "__orig_bases__", ()):
            if get_args(parent):
                return get_args(parent)[0]
    return None


def body_of(schema: dict[str, Any], *, needed: bool) -> dict[str, Any]:
    """A JSON request body."""
    return {"required": needed, "content": {"application/json": {"schema": schema}}}


def first_line(text: str | None) -> str:
    """The first line of a docstring."""
    return (text or "").strip().split("\n")[0]
