"""From a request to a message: where each field comes from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args, get_origin

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from aviary.http.json import BadJson, loads
from aviary.http.names import name_problem
from aviary.http.numbers import absurd_numbers, takes_only_numbers, unfit_texts
from aviary.http.problems import InvalidRequest, problem
from pydantic import ValidationError

if TYPE_CHECKING:
    from aviary.actors.core.message import Message
    from aviary.http.routing import Row

ENCODINGS = frozenset({"", "identity", "gzip", "deflate", "br"})
"""How a body may be encoded; aiohttp undoes it."""

_MANY = frozenset({tuple, list, frozenset, set})


async def bind(row: Row, request: web.Request) -> Message[Any]:
    """The row's message, from a request. Raises `InvalidRequest`."""
    fields = _Fields(row)
    for name in row.placeholders:
        fields.put_name("path", name, request.match_info[name])
    fields.close_own()
    for name in dict.fromkeys(request.query):
        if not row.takes_body or name in row.query:
            many = fields.takes_many(name)
            fields.put("query", name, request.query.getall(name) if many else request.query[name])
    if row.takes_body:
        fields.put_body(await read_body(request))
    return fields.message()


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


class _Fields:
    """The fields of a message as they come in.

    The path's and the row's own come first, and nothing that is sent in the query or body replaces them.
    """

    def __init__(self, row: Row) -> None:
        self._row = row
        self._values: dict[str, Any] = dict(row.fixed)
        self._origins: dict[str, tuple[str, str]] = {}
        self._problems: list[dict[str, Any]] = []
        self._own: frozenset[str] = frozenset()

    def close_own(self) -> None:
        self._own = frozenset(self._values)

    def takes_many(self, name: str) -> bool:
        """Whether a query parameter may be repeated."""
        info = self._row.message.model_fields.get(self._field(name))
        if info is None:
            return False
        annotations = (info.annotation, *get_args(info.annotation))
        return any(get_origin(annotation) in _MANY for annotation in annotations)

    def put_name(self, place: str, name: str, value: str) -> None:
        wrong = name_problem(value)
        if wrong is not None:
            self._problems.append(problem("string_pattern_mismatch", [place, name], wrong, value))
        self.put(place, name, value)

    def put(self, place: str, name: str, value: object) -> None:
        field = self._field(name)
        if field in self._row.message.model_fields and field not in self._own:
            self._values[field] = value
            self._origins[field] = (place, name)

    def put_body(self, body: object) -> None:
        whole = self._row.whole
        if whole is not None:
            self._origins[whole] = ("body", "")
            if body is not None:
                self._values[whole] = body
        elif isinstance(body, Mapping):
            for name, value in body.items():
                if name not in self._row.query:
                    self.put("body", name, value)
        elif body is not None:
            text = "Input should be a valid dictionary or object to extract fields from"
            self._problems.append(problem("model_attributes_type", ["body"], text))

    def message(self) -> Message[Any]:
        for field, value in self._values.items():
            if isinstance(value, bool) and takes_only_numbers(self._row.message.model_fields[field].annotation):
                text = "Input should be a number"
                self._problems.append(problem("number_type", self._location((field,)), text, value))
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
        where = self._location(error["loc"] or ("",))
        # A body that is taken as a whole has no name that would tell whether it is secret.
        given = None if error["loc"] == (self._row.whole,) else error.get("input")
        return problem(error["type"], where, error["msg"], given, error.get("ctx"))

    def _location(self, where: tuple[str | int, ...]) -> list[str | int]:
        field, *rest = where
        row = self._row
        elsewhere = "body" if row.takes_body and self._sent_as(str(field)) not in row.query else "query"
        place, name = self._origins.get(str(field), (elsewhere, self._sent_as(str(field))))
        return [place, *([name] if name else []), *rest]

    def _field(self, name: str) -> str:
        return self._row.names.get(name, name)

    def _sent_as(self, field: str) -> str:
        return next((name for name, target in self._row.names.items() if target == field), field)
