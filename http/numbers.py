"""Values that no message means: numbers that are not finite, and what databases or JSON can't hold."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, get_args

from pydantic import BaseModel

MAX_EXPONENT = 60
"""Of ten, both ways. The largest number in use is 1e56, an exchange's way to say "no limit"; a decimal of
a million digits would cost minutes to write down."""

MAX_INTEGER = 2**63 - 1
"""The largest integer of SQL and of most JSON readers."""

type Location = tuple[str | int, ...]


def takes_only_numbers(annotation: Any) -> bool:
    """Whether a field's type has numbers and no truth values, which Python would take for 0 and 1."""
    kinds = frozenset(_kinds(annotation))
    return bool(kinds & {int, float, Decimal}) and not kinds & {bool, Any, object}


def _kinds(annotation: Any) -> Iterator[Any]:
    named = getattr(annotation, "__value__", annotation)
    parts = get_args(named)
    if not parts:
        yield named
    for part in parts:
        if isinstance(part, type) or get_args(part) or hasattr(part, "__value__") or part is Any:
            yield from _kinds(part)


def absurd_numbers(value: object, where: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every absurd number inside a message, with where it is and what is wrong with it."""
    match value:
        case bool() | str() | bytes() | None:
            return
        case int():
            if abs(value) > MAX_INTEGER:
                yield where, "Input should be an integer of at most 64 bits"
        case float():
            if not isfinite(value):
                yield where, "Input should be a finite number"
        case Decimal():
            if not value.is_finite():
                yield where, "Input should be a finite number"
            elif value and abs(value.adjusted()) > MAX_EXPONENT:
                yield where, f"Input should be a number between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}"
        case BaseModel():
            for name, item in value:
                yield from absurd_numbers(item, (*where, name))
        case Mapping():
            for key, item in value.items():
                yield from absurd_numbers(item, (*where, str(key)))
        case list() | tuple() | set() | frozenset():
            for index, item in enumerate(value):
                yield from absurd_numbers(item, (*where, index))
        case _:
            return


def unfit_texts(value: object, where: Location = ()) -> Iterator[Location]:
    """Every text inside a message that a database may not hold, by where it is; values and names alike."""
    match value:
        case str():
            if _is_unfit(value):
                yield where
        case BaseModel():
            for name, item in value:
                yield from unfit_texts(item, (*where, name))
        case Mapping():
            for key, item in value.items():
                yield from unfit_texts(str(key), where)
                yield from unfit_texts(item, (*where, str(key)))
        case list() | tuple() | set() | frozenset():
            for index, item in enumerate(value):
                yield from unfit_texts(item, (*where, index))
        case _:
            return


def _is_unfit(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text
