"""JSON in and out: orjson, with the numbers that the released server's clients expect."""

import codecs
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel, SecretStr

MAX_DEPTH = 100
"""Objects and arrays that a body may nest; a configuration needs a handful."""


class BadJson(ValueError):
    """A body that is not JSON, or nested beyond reason."""


def dumps(value: object) -> bytes:
    """JSON bytes. Decimals become numbers, values their fields, secrets stars, NaN and infinity null.

    What has no place in JSON, such as whole numbers of more than 64 bits, becomes a text: one odd value in what somebody
    once wrote must not hide all the others.
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_tame(value, MAX_DEPTH), default=_plain)


def loads(text: bytes) -> Any:
    """The value of a JSON text. Raises `BadJson`."""
    try:
        value = orjson.loads(text.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise BadJson(str(error)) from None
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise BadJson(f"nested more than {MAX_DEPTH} levels deep")


def _plain(value: object) -> object:
    match value:
        case BaseModel():
            return dict(value)
        case Decimal():
            return float(value)
        case SecretStr():
            return "***"
        case set() | frozenset():
            return sorted(value, key=str)
        case bytes():
            return value.decode("utf-8", errors="replace")
        case _:
            return str(value)


def _tame(value: object, depth: int) -> object:
    match value:
        case BaseModel():
            return _tame(dict(value), depth)
        case dict() if depth:
            return {_text(key): _tame(item, depth - 1) for key, item in value.items()}
        case list() | tuple() if depth:
            return [_tame(item, depth - 1) for item in value]
        case dict() | list() | tuple():
            return "..."
        case bool() | float() | None:
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case str():
            return _text(value)
        case _:
            return _tame(_plain(value), depth) if depth else "..."


def _text(value: object) -> str:
    return str(value).encode(errors="replace").decode()
