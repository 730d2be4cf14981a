"""From a request to a message: where each field comes from, and what is wrong with it."""

import re
from collections.abc import Mapping
from typing import Any, get_origin

from aiohttp import web
from aviary.actors.core.message import Message
from aviary.http.json import BadJson, loads
from aviary.http.routing import Row
from pydantic import ValidationError

MAX_NAME = 200
"""Characters of a name in a path."""

_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]+\Z")

_SECRET = re.compile(r"(?i)secret|password|passphrase|private|api_?key|token|mnemonic")


class InvalidRequest(Exception):
    """The request makes no sense; `problems` is the list that the released server's clients expect."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


async def bind(row: Row, request: web.Request) -> Message[Any]:
    """The row's message, from a request. Raises `InvalidRequest`."""
    values: dict[str, Any] = dict(row.fixed)
    origins: dict[str, tuple[str, str]] = {}
    problems: list[dict[str, Any]] = []

    def put(place: str, name: str, value: object) -> None:
        field = row.names.get(name, name)
        if field in row.message.model_fields:
            values[field] = value
            origins[field] = (place, name)

    for name in row.placeholders:
        value = request.match_info[name]
        problem = name_problem(value)
        if problem is not None:
            problems.append(
                {"type": "string_pattern_mismatch", "loc": ["path", name], "msg": problem, "input": value[:MAX_NAME]}
            )
        put("path", name, value)
    for name in request.query:
        field = row.names.get(name, name)
        if row.takes_body and name not in row.query:
            continue
        many = _takes_many(row, field)
        put("query", name, request.query.getall(name) if many else request.query[name])
    if row.takes_body:
        body = await read_body(request)
        if row.whole is not None:
            values[row.whole] = body
            origins[row.whole] = ("body", "")
        elif isinstance(body, Mapping):
            for name, value in body.items():
                if name not in row.query:
                    put("body", name, value)
        elif body is not None:
            problems.append(_dict_expected(body))
    if problems:
        raise InvalidRequest(problems)
    try:
        return row.message.model_validate(values)
    except ValidationError as error:
        raise InvalidRequest([_problem(row, origins, one) for one in error.errors(include_url=False)]) from None


def name_problem(value: str) -> str | None:
    """What is wrong with a name that a path carries, `None` if nothing is."""
    if len(value) > MAX_NAME:
        return f"Name should have at most {MAX_NAME} characters"
    if value in {".", ".."} or ".." in value.split("/") or not _NAME.match(value):
        return "Name should have no path separators, no control characters and not be '.' or '..'"
    return None


async def read_body(request: web.Request) -> Any:
    """The decoded JSON body, `None` if there is none. Raises `InvalidRequest`."""
    text = await request.read()
    if not text.strip():
        return None
    try:
        return loads(text)
    except BadJson as error:
        problem = {
            "type": "json_invalid",
            "loc": ["body", 0],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": str(error)},
        }
        raise InvalidRequest([problem]) from None


def _takes_many(row: Row, field: str) -> bool:
    info = row.message.model_fields.get(field)
    return info is not None and get_origin(info.annotation) in {tuple, list, frozenset, set}


def _dict_expected(body: object) -> dict[str, Any]:
    return {
        "type": "model_attributes_type",
        "loc": ["body"],
        "msg": "Input should be a valid dictionary or object to extract fields from",
        "input": None if isinstance(body, str) else body,
    }


def _problem(row: Row, origins: Mapping[str, tuple[str, str]], error: Any) -> dict[str, Any]:
    field, *rest = error["loc"] or ("",)
    place, name = origins.get(str(field), ("body" if row.takes_body and field not in row.query else "query", str(field)))
    location: list[Any] = [place, *([name] if name else []), *rest]
    problem: dict[str, Any] = {"type": error["type"], "loc": location, "msg": error["msg"]}
    secret = any(_SECRET.search(str(part)) for part in location)
    problem["input"] = None if secret else _shown(error.get("input"))
    context = error.get("ctx")
    if context and not secret:
        problem["ctx"] = {key: str(value) for key, value in context.items()}
    return problem


def _shown(value: object) -> object:
    # What was sent is shown so that it can be found again; never a whole body, which may hold keys.
    if isinstance(value, str):
        return value[:MAX_NAME]
    return value if isinstance(value, int | float | bool) or value is None else None
