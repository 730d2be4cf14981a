"""The OpenAPI document, derived from the rows and from what their messages say of themselves."""

import inspect
import json
import sys
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, get_type_hints
from urllib.parse import quote, urlencode

from aviary.actors.core.message import Message
from aviary.http.fields import Fields, Sent, fields_of
from aviary.http.names import MAX_NAME, NAME
from aviary.http.outcomes import OUTCOMES, headers, outcomes_of, response, responses
from aviary.http.problems import Problem, ValidationProblem
from aviary.http.routing import MAX_BODY, Page, Row
from aviary.http.schemas import Schemas, without_null
from aviary.http.startup_responder import VERSION

ABOUT = """Keeps Hummingbot trading systems alive; answers the clients of Hummingbot API.

Amounts are in base units and prices in quote units unless something else is said. A Decimal may be sent as a number or \
as a text, and is answered as a number. Texts hold no NUL and no half surrogates; integers have at most 64 bits; decimals \
lie between 1e-60 and 1e60. Fields that are not named here are ignored.
"""

TAGS = {
    "accounts": "Accounts, and the keys that they hold for exchanges",
    "bot-orchestration": "Bots: deploying, starting, watching, stopping and archiving them",
    "connectors": "What the connectors are and what they take",
    "controllers": "Controllers: their code, their configurations, and those of deployed bots",
    "market-data": "Prices, order books, candles, trades and funding",
    "portfolio": "What the accounts hold",
    "sandbox": "The simulated exchange",
    "scripts": "Scripts: their code and their configurations",
    "server": "Whether the server lives and serves",
    "supervision": "The tree of actors, and what happened in it",
    "trading": "Orders, trades and positions",
}


def document_of(rows: tuple[Row, ...], pages: tuple[Page, ...] = (), max_body: int = MAX_BODY) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1; of the pages those with a summary. `max_body` is in bytes."""
    told = tuple(page for page in pages if page.summary)
    schemas = Schemas(
        taken=[row.message for row in rows],
        given=[
            Problem,
            ValidationProblem,
            *(answer_of(row) for row in rows),
            *(answer for page in told for answer in page.answers.values()),
        ],
    )
    paths: dict[str, Any] = {}
    for page in told:
        paths.setdefault(page.path, {})[page.method.lower()] = operation_of_page(page, schemas)
    for row in sorted(rows, key=lambda row: (row.path, row.method)):
        paths.setdefault(row.path, {})[row.method.lower()] = operation_of(row, schemas)
    problems = responses(schemas, max_body)
    tags = {row.tag for row in rows} | {"server"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Aviary", "version": VERSION, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas.components([paths, problems]),
            "responses": problems,
            "securitySchemes": {"HTTPBasic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"HTTPBasic": []}],
        "tags": [{"name": tag, **({"description": TAGS[tag]} if tag in TAGS else {})} for tag in sorted(tags)],
    }


def operation_of_page(page: Page, schemas: Schemas) -> dict[str, Any]:
    """One operation that no actor answers."""
    operation: dict[str, Any] = {
        "operationId": operation_id(page.method, page.path),
        "tags": ["server"],
        "summary": page.summary,
        "description": f"{page.summary}.",
        "responses": {
            **{str(status): page_answer(status, schemas.of(answer)) for status, answer in page.answers.items()},
            "405": response(405),
        },
        "x-codeSamples": [_code_sample(page.method, page.path, {}, {}, None, log_in=not page.open)],
    }
    if page.open:
        operation["security"] = []
    return operation


def page_answer(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    """What a page answers, with what is told of its status anywhere else."""
    if status == HTTPStatus.OK:
        return {"description": "Done", "content": _json(schema)}
    return {"description": OUTCOMES[status].text, "headers": headers(OUTCOMES[status]), "content": _json(schema)}


def operation_of(row: Row, schemas: Schemas) -> dict[str, Any]:
    """One operation."""
    fields = fields_of(row)
    taken = schemas.of_message(row.message)
    example = example_of(row, fields, taken)
    operation: dict[str, Any] = {
        "operationId": operation_id(row.method, row.path),
        "tags": [row.tag],
        "summary": row.summary or first_line(row.message.__doc__),
        "description": inspect.cleandoc(row.message.__doc__ or row.summary),
        "parameters": [
            parameter(row, sent, taken["properties"][sent.field], example.get(sent.field))
            for sent in fields
            if sent.place != "body"
        ],
        "responses": responses_of(row, schemas),
    }
    body = body_of(fields, taken, example)
    if body is not None:
        operation["requestBody"] = body
    if row.open:
        operation["security"] = []
    operation["x-codeSamples"] = [
        _code_sample(
            row.method,
            row.path,
            {sent.name: example.get(sent.field, "") for sent in fields if sent.place == "path"},
            {sent.name: example[sent.field] for sent in fields if sent.place == "query" and sent.field in example},
            None if body is None else body["content"]["application/json"].get("example"),
            log_in=not row.open,
        )
    ]
    return operation


def operation_id(method: str, path: str) -> str:
    """A name that no other operation has: a path with a slash at its end is another one than without."""
    steps = [step.strip("{}").replace("-", "_") for step in path.split("/")[1:]]
    return "_".join([method.lower(), *(step or "root" for step in steps)])


def example_of(row: Row, fields: Fields, taken: Mapping[str, Any]) -> dict[str, Any]:
    """A request that works, by field: what has to be sent, and what the row or else the message shows besides."""
    shown = row.example or next(iter(taken.get("examples", ())), {})
    example: dict[str, Any] = {}
    for sent in fields:
        one = taken["properties"][sent.field]
        if sent.field in shown:
            example[sent.field] = shown[sent.field]
        elif sent.required or sent == fields.whole:
            found = [*one.get("examples", ()), *one.get("enum", ())]
            if found:
                example[sent.field] = found[0]
    return example


def parameter(row: Row, sent: Sent, schema: Mapping[str, Any], example: Any) -> dict[str, Any]:
    """A parameter of the path or the query. One that is not sent is null: there is no word for it in an address."""
    shown = without_null(schema)
    text = shown.pop("description", "")
    if sent.place == "path":
        shown.pop("default", None)
    elif shown.get("default", False) is None:
        del shown["default"]
    if sent.place == "path" or sent.name in row.address_fields:
        shown = _as_name(shown)
    more = {} if example is None else {"example": example}
    return {
        "name": sent.name,
        "in": sent.place,
        "required": sent.required,
        "description": text,
        "schema": shown,
        **more,
    }


def _as_name(schema: dict[str, Any]) -> dict[str, Any]:
    """The limits of what becomes part of an address, besides those of its type."""
    if schema.get("type") != "string" or "enum" in schema or "pattern" in schema:
        return schema
    longest = min(schema.get("maxLength", MAX_NAME), MAX_NAME)
    return {**schema, "pattern": NAME, "minLength": schema.get("minLength", 1), "maxLength": longest}


def body_of(fields: Fields, taken: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON body of a request; none if no field is sent in it."""
    properties: Mapping[str, Any] = taken["properties"]
    if fields.whole is not None:
        field = fields.whole.field
        shown = {"example": example[field]} if field in example else {}
        text = properties[field].get("description", "")
        return {
            **({"description": text} if text else {}),
            "required": fields.whole.required,
            "content": {"application/json": {"schema": properties[field], **shown}},
        }
    sent_in_it = list(dict.fromkeys(fields.body.values()))
    if not sent_in_it:
        return None
    needed = sorted(sent.name for sent in sent_in_it if sent.required)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {sent.name: properties[sent.field] for sent in sent_in_it},
        **({"required": needed} if needed else {}),
    }
    shown = {sent.name: example[sent.field] for sent in sent_in_it if sent.field in example}
    return {"required": bool(needed), "content": {"application/json": {"schema": schema, "example": shown}}}


def responses_of(row: Row, schemas: Schemas) -> dict[str, Any]:
    """What may be answered."""
    return {
        str(row.status): {"description": "Done", "content": _json(schemas.of(answer_of(row)))},
        **{str(status): response(status) for status in outcomes_of(row)},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _code_sample(
    method: str,
    path: str,
    in_path: Mapping[str, Any],
    query: Mapping[str, Any],
    body: Any,
    *,
    log_in: bool,
) -> dict[str, Any]:
    for name, value in in_path.items():
        path = path.replace("{" + name + "}", quote(str(value), safe=""))
    sent = f"?{urlencode({name: _text(value) for name, value in query.items()}, doseq=True)}" if query else ""
    words = ["curl", *(["-u admin:$PASSWORD"] if log_in else []), *([f"-X {method}"] if method != "GET" else [])]
    words.append(f"'http://127.0.0.1:8000{path}{sent}'")
    if body is not None:
        text = json.dumps(body).replace("'", "'\\''")
        words.append(f"-H 'Content-Type: application/json' -d '{text}'")
    return {"lang": "Shell", "label": "curl", "source": " ".join(words)}


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def answer_of(row: Row) -> Any:
    """The type of the answer to a row: its own word for it, else what shapes it, else the message's."""
    if row.answers is not None:
        return row.answers
    return reply_of(row.message) if row.reply is None else get_type_hints(row.reply).get("return", Any)


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
    return get_type_hints(holder, globalns=vars(sys.modules[message.__module__]), include_extras=True)["reply"]


def first_line(text: str | None) -> str:
    """The first line of a docstring."""
    return (text or "").strip().split("\n")[0]
