"""A route is a row: method, path, message, address, and status where it is not 200."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Refusal

_PLACEHOLDER = re.compile(r"{(\w+)}")

ASK_TIMEOUT = 30.0
"""Seconds that an answer may take before the client is told to come back."""

MAX_BODY = 1_000_000
"""Bytes of a request's body; the largest configuration has some thousands."""

NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Row:
    """One route.

    The message's fields come from the path's placeholders, from the query, and from the body: all of a
    GET's or DELETE's other fields are looked for in the query, those of the other methods in the JSON
    body but for the names in `query`. `names` maps a placeholder, query or body name to a field of another
    name; `whole` is the field that takes the whole body. Fields not sent keep the message's defaults;
    unknown ones are ignored, since released clients send some.

    `address` may name fields in braces. `reply` shapes the answer, given it and the message. `refusals`
    overrides the status of a kind of refusal, and `missing` the text of a 404 for an address that does not
    exist; it may name fields in braces. An `open` route asks for no password.

    For the document: `answers` is the type of the answer, where neither the message nor `reply` declares it, and
    `example` shows fields of this route's example, where the message's own does not fit.
    """

    method: str
    path: str
    message: type[Message[Any]]
    address: str
    status: int = 200
    summary: str = ""
    timeout: float = ASK_TIMEOUT
    query: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    whole: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    reply: Callable[[Any, Any], Any] | None = None
    refusals: Mapping[type[Refusal], int] = field(default_factory=lambda: NOTHING)
    missing: str | None = None
    open: bool = False
    answers: Any = None
    example: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def tag(self) -> str:
        """The router that the path belongs to."""
        return self.path.strip("/").split("/")[0] or "server"

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names in the path's braces."""
        return tuple(_PLACEHOLDER.findall(self.path))

    @property
    def address_fields(self) -> tuple[str, ...]:
        """The names in the address's braces."""
        return tuple(_PLACEHOLDER.findall(self.address))

    @property
    def takes_body(self) -> bool:
        """Whether a JSON body is read."""
        return self.whole is not None or self.method in {"POST", "PUT", "PATCH"}


@dataclass(frozen=True, slots=True)
class Page:
    """A route whose answer no actor gives: pages, documents, health, websockets. `why` says why."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    why: str
    open: bool = False
    summary: str = ""
    """What the document says of it; without one it is not in the document."""
    answers: Mapping[int, Any] = field(default_factory=lambda: NOTHING)
    """The types of its answers by status."""


class RouteConflict(ValueError):
    """Two rows claim the same method and path."""


def check_rows(rows: tuple[Row, ...]) -> None:
    """Raise `RouteConflict` or `ValueError` for a table that makes no sense."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        shape = (row.method, _PLACEHOLDER.sub("{}", row.path))
        if shape in seen:
            raise RouteConflict(f"{row.method} {row.path} is there twice")
        seen.add(shape)
        known = set(row.message.model_fields)
        named = {row.names.get(name, name) for name in (*row.placeholders, *row.address_fields)}
        unknown = named - known
        if unknown:
            raise ValueError(f"{row.method} {row.path}: {row.message.__name__} has no field {sorted(unknown)}")
