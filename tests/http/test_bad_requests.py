"""What every route refuses before any actor is asked: names, bodies, types, numbers, lengths, and targets."""

from __future__ import annotations

import gzip
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import orjson
import pytest
from aviary.http.fields import fields_of
from aviary.http.routes.all import ROWS
from front_end import FrontEnd, front_end
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aviary.http.routing import Row
    from pydantic.fields import FieldInfo

GOOD = {"connector_name": "sandbox", "name": "sandbox", "bot_run_id": "1", "controller_type": "generic"}
"""What makes a path whole where another part of it is bad; any other name will do for the rest."""

BAD_NAMES = ("..%2F..%2Fetc", "%2Fetc%2Fpasswd", "..%5C..", "a%00b", "a%0Ab", "%0a", "n" * 300, "%2E%2E", "%2E")
"""Encoded, as they stand in a path."""

BAD_BODIES = (
    b"{",
    b'{"a": ',
    b"[1, 2",
    b'"\\ud800"',
    b"\xff\xfe\x00",
    b"nul",
    b"{'a': 1}",
    b'{"a": 1} x',
    b"[" * 100_000,
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (300, 2000)),
)
"""No JSON at all, or nested too deep."""

WRONG_BODIES = (b"[]", b"[{}]", b"7", b"true", b'"text"')
"""JSON, but no object."""

ABSURD_IN_BODY = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e400",
    b"-1e400",
    b"1" + b"0" * 400,
    b'"NaN"',
    b'"Infinity"',
    b"-1",
)

ABSURD_IN_QUERY = ("NaN", "inf", "1e400", "-1e400", "1" + "0" * 400, "-1", "many", "", "0x10")

MOMENTS = frozenset({"start_time", "end_time"})

BODIED = [row for row in ROWS if row.takes_body]
WRITERS = [row for row in BODIED if row.whole is None]


def target(row: Row, **instead: str) -> str:
    path = row.path
    for name in row.placeholders:
        path = path.replace(f"{{{name}}}", instead.get(name, GOOD.get(name, "nosuch")))
    return path


def fields(row: Row) -> list[tuple[str, str]]:
    """The fields that a client may send in the body or query, with what they are called there."""
    return [(sent.field, sent.name) for sent in fields_of(row) if sent.place != "path" and sent.name]


def mentions(annotation: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether a type speaks of one of these."""
    inner = getattr(annotation, "__value__", annotation)
    return inner in kinds or get_origin(inner) in kinds or any(mentions(part, kinds) for part in get_args(inner))


def typed(row: Row, *kinds: Any) -> list[str]:
    """What the fields of these types are called in the body or query."""
    return [called for field, called in fields(row) if mentions(row.message.model_fields[field].annotation, kinds)]


def listed(annotation: Any) -> Iterator[Any]:
    """The values that a type lists."""
    inner = getattr(annotation, "__value__", annotation)
    for part in get_args(inner):
        yield from [part] if get_origin(inner) is Literal else listed(part)


def good(info: FieldInfo) -> Any:
    """A value that a field takes."""
    field = TypeAdapter(Annotated[info.annotation, info])
    for value in ("nosuch", "BTC-USDT", *listed(info.annotation), 1, ["BTC-USDT"], {"sandbox": {"key": "secret"}}):
        with suppress(ValidationError):
            field.validate_python(value)
            return value
    raise AssertionError(f"no good value is known for {info}")


def company(row: Row) -> dict[str, Any]:
    """Good values of the fields that a row's body must have, so that what is bad beside them is all that is."""
    required = {called: row.message.model_fields[field] for field, called in fields(row)}
    return {
        called: good(info) for called, info in required.items() if info.is_required() and called not in row.query
    }


def body(row: Row, name: str, text: bytes) -> bytes:
    """A body that is good but for one field, which is written as it stands."""
    others = b"".join(
        b"%s: %s, " % (orjson.dumps(key), orjson.dumps(value))
        for key, value in company(row).items()
        if key != name
    )
    return b"{%s%s: %s}" % (others, orjson.dumps(name), text)


class Refusals:
    """Sends to a server that has no actors, and keeps what was not refused as it should have been."""

    def __init__(self, front: FrontEnd) -> None:
        self._front = front
        self._tried = 0
        self._wrong: list[str] = []

    async def names(self, name: str, row: Row, where: str, content: bytes | None = None) -> None:
        """Expect a 422 that names a field, or the body for what is no JSON yet."""
        await self._send({422}, row.method, where, content, {name, "body.0"})

    async def refuses(
        self, among: set[int], method: str, where: str, content: bytes | None = None, **headers: str
    ) -> None:
        """Expect one of these statuses."""
        await self._send(among, method, where, content, set(), **headers)

    async def _send(
        self, among: set[int], method: str, where: str, content: bytes | None, names: set[str], **headers: str
    ) -> None:
        self._tried += 1
        status, answer, _ = await self._front.call(
            method,
            where,
            data=content,
            headers={"Content-Type": "application/json", **headers},
            allow_redirects=False,
        )
        detail = answer.get("detail") if isinstance(answer, dict) else None
        places = [".".join(map(str, one["loc"])) for one in detail] if isinstance(detail, list) else []
        is_named = not names or any(name in place for name in names for place in places)
        text = str(answer)
        if status not in among or not detail or not is_named or "Traceback" in text or 'File "' in text:
            self._wrong.append(f"{method} {where[:80]} {(content or b'')[:60]!r} -> {status} {text[:200]}")

    def check(self) -> None:
        """Everything was refused, there was something to refuse, and nothing died of it."""
        assert self._wrong == []
        assert self._tried > 0
        assert self._front.system.statistics().crashes == 0


@asynccontextmanager
async def refusals() -> AsyncIterator[Refusals]:
    async with front_end(ROWS) as front:
        sender = Refusals(front)
        yield sender
        sender.check()


async def test_a_tricky_name_in_a_path_is_refused_by_name() -> None:
    async with refusals() as sender:
        for row in ROWS:
            for name in row.placeholders:
                for bad in BAD_NAMES:
                    content = b"{}" if row.takes_body else None
                    await sender.names(f"path.{name}", row, target(row, **{name: bad}), content)


async def test_a_body_that_is_not_json_is_refused() -> None:
    async with refusals() as sender:
        for row in BODIED:
            for content in BAD_BODIES:
                await sender.names("body", row, target(row), content)


async def test_a_body_that_is_no_object_is_refused() -> None:
    async with refusals() as sender:
        for row in WRITERS:
            for content in WRONG_BODIES:
                await sender.names("body", row, target(row), content)


async def test_a_field_of_a_wrong_type_is_named() -> None:
    async with refusals() as sender:
        for row in WRITERS:
            for _, name in fields(row):
                if name not in row.query and name not in typed(row, Any, dict):
                    for value in ({"deep": {"er": 1}}, [[["x"]]]):
                        await sender.names(name, row, target(row), body(row, name, orjson.dumps(value)))


async def test_an_absurd_number_in_a_body_is_refused() -> None:
    async with refusals() as sender:
        for row in WRITERS:
            for name in typed(row, int, float, Decimal):
                for number in ABSURD_IN_BODY if name not in row.query else ():
                    await sender.names(name, row, target(row), body(row, name, number))


async def test_an_absurd_number_in_a_query_is_named() -> None:
    async with refusals() as sender:
        for row in ROWS:
            for name in typed(row, int, float, Decimal) if not row.takes_body else ():
                # A moment that may be left out may be left empty.
                for number in ABSURD_IN_QUERY if name not in MOMENTS else filter(None, ABSURD_IN_QUERY):
                    await sender.names(f"query.{name}", row, f"{target(row)}?{name}={number}")


def texts(row: Row) -> list[str]:
    """Fields of a body that are texts and nothing larger."""
    larger = typed(row, dict, list, tuple)
    return [name for name in typed(row, str) if name not in row.query and name not in larger]


@pytest.mark.parametrize("text", ["n" * 5000, "a\x00b"], ids=["long", "nul"])
async def test_a_text_that_is_too_long_or_holds_a_nul_is_named(text: str) -> None:
    async with refusals() as sender:
        for row in WRITERS:
            for name in texts(row):
                await sender.names(name, row, target(row), body(row, name, orjson.dumps(text)))


ODD_TARGETS = (
    "/nosuch",
    "//",
    "/accounts/../supervision/tree/..",
    "/accounts//credentials",
    "/accounts/%2e%2e/credentials",
    "/%00",
    "/controllers/configs/..%2f..%2f..%2fetc%2fpasswd",
    "/" + "a/" * 500,
)


async def test_a_target_that_leads_nowhere_is_refused() -> None:
    async with refusals() as sender:
        for where in ODD_TARGETS:
            for method in ("GET", "POST", "DELETE", "PATCH", "TRACE"):
                await sender.refuses({400, 404, 405, 422}, method, where)


async def test_a_body_that_grows_when_it_is_unpacked_is_refused() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    async with refusals() as sender:
        for content, encoding in ((bomb, "gzip"), (b"not packed", "gzip"), (b"{}", "br"), (bomb[:100], "deflate")):
            among = {413, 422}
            await sender.refuses(among, "POST", "/trading/orders", content, **{"Content-Encoding": encoding})
