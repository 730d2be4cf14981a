"""From a request to a message: where each field comes from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from aviary.http.json import BadJson, loads
from aviary.http.names import name_problem
from aviary.http.numbers import absurd_numbers, unfit_texts
from aviary.http.problems import InvalidRequest, problem
from pydantic import ValidationError

if TYPE_CHECKING:
    from aviary.actors.core.message import Message
    from aviary.http.fields import Fields, Sent
    from aviary.http.routing import Row

ENCODINGS = frozenset({"", "identity", "gzip", "deflate", "br"})
"""How a body may be encoded; aiohttp undoes it."""


async def bind(fields: Fields, row: Row, request: web.Request) -> Message[Any]:
    """The row's message, from a request. Raises `InvalidRequest`."""
    given = _Given(row, fields)
    for name, sent in fields.path.items():
        given.put_name(sent, request.match_info[name])
    if request.query_string:
        for name in dict.fromkeys(request.query):
            if name in fields.query:
                given.put_query(fields.query[name], request.query.getall(name))
    if row.takes_body:
        given.put_body(await read_body(request))
    return given.message()


async def read_body(request: web.Request) -> Any:
    """The decoded JSON body, `None` if there is none. Raises `InvalidRequest`, and 415 for an unknown encoding."""
    if request.headers.get("Content-Encoding", "").strip().lower() not in ENCODINGS:
        raise web.HTTPUnsupportedMediaType(reason="The body's Content-Encoding is none of gzip, deflate and br")
    try:
        text = await request.read()
    except RequestPayloadError:
        # Said to be compressed, or to be longer, and is not.
        raise InvalidRequest([problem("bytes_invalid", ["body"], "The body can't be read")]) from None
    if not text.strip():
        return None
    try:
        return loads(text)
    except BadJson as error:
        wrong = problem("json_invalid", ["body", 0], "JSON decode error", {}, {"error": str(error)})
        raise InvalidRequest([{**wrong, "input": {}}]) from None


class _Given:
    """What a request says of a message's fields. The row's own come first, and nothing that is sent replaces them."""

    def __init__(self, row: Row, fields: Fields) -> None:
        self._row = row
        self._fields = fields
        self._values: dict[str, Any] = dict(row.fixed)
        self._problems: list[dict[str, Any]] = []

    def put_name(self, sent: Sent, value: str) -> None:
        wrong = name_problem(value)
        if wrong is not None:
            self._problems.append(problem("string_pattern_mismatch", sent.location, wrong, value))
        self._put(sent, value)

    def put_query(self, sent: Sent, values: list[str]) -> None:
        if not sent.many:
            self._put(sent, values[0])
        else:
            self._put(sent, [part for value in values for part in value.split(",")])

    def put_body(self, body: object) -> None:
        if self._fields.whole is not None:
            if body is not None:
                self._put(self._fields.whole, body)
        elif isinstance(body, Mapping):
            for name, value in body.items():
                if name in self._fields.body:
                    self._put(self._fields.body[name], value)
        elif body is not None:
            text = "Input should be a valid dictionary or object to extract fields from"
            self._problems.append(problem("model_attributes_type", ["body"], text))

    def _put(self, sent: Sent, value: object) -> None:
        self._values[sent.field] = value
        if sent.number and isinstance(value, bool):
            self._problems.append(problem("number_type", sent.location, "Input should be a number", value))

    def message(self) -> Message[Any]:
        if self._problems:
            raise InvalidRequest(self._problems)
        try:
            message = self._row.message.model_validate(self._values)
        except ValidationError as error:
            raise InvalidRequest([self._told(one) for one in error.errors(include_url=False)]) from None
        self._check_values(message)
        self._check_address(message)
        return message

    def _check_values(self, message: Message[Any]) -> None:
        found = [problem("finite_number", self._location(where), text) for where, text in absurd_numbers(message)]
        text = "Input should be text without NUL and half characters"
        found += [problem("string_unicode", self._location(where), text) for where in unfit_texts(message)]
        if found:
            raise InvalidRequest(found)

    def _check_address(self, message: Message[Any]) -> None:
        found = []
        for name in self._row.address_fields:
            field = self._row.names.get(name, name)
            value = str(getattr(message, field))
            wrong = name_problem(value)
            if wrong is not None:
                found.append(problem("string_pattern_mismatch", self._location((field,)), wrong, value))
        if found:
            raise InvalidRequest(found)

    def _told(self, error: Any) -> dict[str, Any]:
        # A body that is taken as a whole has no name that would tell whether it is secret.
        given = None if error["loc"] == (self._row.whole,) else error.get("input")
        return problem(error["type"], self._location(error["loc"]), error["msg"], given, error.get("ctx"))

    def _location(self, where: tuple[str | int, ...]) -> list[str | int]:
        if not where:
            return [self._fields.rest]
        field, *inside = where
        return [*self._fields.of(str(field)).location, *inside]
