"""Where each field of a row's message is sent, under which name: one reading, for binding and for the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from aviary.http.numbers import takes_only_numbers
from pydantic.json_schema import SkipJsonSchema

if TYPE_CHECKING:
    from aviary.http.routing import Row
    from pydantic.fields import FieldInfo

type Place = Literal["path", "query", "body"]

_MANY = frozenset({tuple, list, frozenset, set})


@dataclass(frozen=True, slots=True)
class Sent:
    """A field as clients send it."""

    field: str
    name: str
    """What clients call it; empty for the whole body."""
    place: Place
    required: bool
    many: bool
    """Whether it takes several values, which a query repeats or separates by commas."""
    number: bool
    """Whether it takes numbers and no truth values."""

    @property
    def location(self) -> list[str | int]:
        """Where it is, as clients are told."""
        return [self.place, self.name] if self.name else [self.place]


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of a row's message that clients send.

    Those that the row fixes are not among them, nor those that are for actors alone: a message hides such a switch by
    `SkipJsonSchema`.
    """

    path: Mapping[str, Sent]
    query: Mapping[str, Sent]
    body: Mapping[str, Sent]
    """By the name that clients send. A field that a row calls otherwise is taken by its own name, too."""
    whole: Sent | None
    """The field that takes the whole body."""
    rest: Place
    """Where a client would send what it forgot."""

    def __iter__(self) -> Iterator[Sent]:
        """Each field once."""
        named = (sent for place in (self.path, self.query, self.body) for name, sent in place.items())
        return iter(dict.fromkeys((*named, *(() if self.whole is None else (self.whole,)))))

    def of(self, field: str) -> Sent:
        """How a field is sent; what no client sends is told of as if one did."""
        found = next((sent for sent in self if sent.field == field), None)
        return found or Sent(field, field, self.rest, required=False, many=False, number=False)


def fields_of(row: Row) -> Fields:
    """The reading of a row."""
    names = {field: name for name, field in row.names.items()}
    path: dict[str, Sent] = {}
    query: dict[str, Sent] = {}
    body: dict[str, Sent] = {}
    whole = None
    in_path = {row.names.get(name, name) for name in row.placeholders}
    for field, info in row.message.model_fields.items():
        name = names.get(field, field)
        if field in in_path:
            path[name] = _sent(field, name, "path", info)
        elif field == row.whole:
            whole = _sent(field, "", "body", info)
        elif field in row.fixed or is_internal(info):
            continue
        elif not row.takes_body or name in row.query:
            query[field] = query[name] = _sent(field, name, "query", info)
        elif row.whole is None:
            body[field] = body[name] = _sent(field, name, "body", info)
    return Fields(path, query, body, whole, "body" if row.takes_body else "query")


def is_internal(info: FieldInfo) -> bool:
    """Whether a field is for actors alone."""
    return any(type(one) is SkipJsonSchema for one in info.metadata)


def _sent(field: str, name: str, place: Place, info: FieldInfo) -> Sent:
    required = place == "path" or info.is_required()
    return Sent(field, name, place, required, _takes_many(info.annotation), takes_only_numbers(info.annotation))


def _takes_many(annotation: Any) -> bool:
    """Whether a type, or one of those that it names or joins, is a collection."""
    if get_origin(annotation) in _MANY:
        return True
    named = getattr(annotation, "__value__", None)
    parts = get_args(annotation) if named is None else (named,)
    return get_origin(annotation) not in {dict, Literal} and any(_takes_many(part) for part in parts)
