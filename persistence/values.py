"""What every value that leaves this package shares."""

import math

from pydantic import BaseModel, ConfigDict

LARGEST_NUMBER = 2**63 - 1
"""The largest number that a database can be asked about."""


class Record(BaseModel):
    """Frozen, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page[Item](Record):
    """A part of a list, newest first. `next_cursor` is `None` on the last page and never repeats.

    `total_count` counts what fits the question, no further than each list says it does.
    """

    data: tuple[Item, ...]
    limit: int
    has_more: bool
    next_cursor: str | None
    total_count: int


def cursor_of(at: float, number: int) -> str:
    """The place of a row in a list that is ordered by time, then number, newest first."""
    return f"{at!r}:{number}"


class UnknownCursor(ValueError):
    """A cursor that no page of ours had."""


def place_of(cursor: str | None) -> tuple[float, int] | None:
    """The place that a cursor means; `None`, the first page, for none. Raises `UnknownCursor`."""
    if not cursor:
        return None
    text, _, last = cursor.rpartition(":")
    try:
        at, number = float(text), int(last)
    except ValueError:
        raise UnknownCursor(cursor) from None
    if not math.isfinite(at) or not 0 <= number <= LARGEST_NUMBER:
        raise UnknownCursor(cursor)
    return at, number


def number_of(cursor: str | None) -> int | None:
    """The number that a cursor of a numbered list is; `None`, the first page, for none. Raises `UnknownCursor`."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdecimal()) or int(cursor) > LARGEST_NUMBER:
        raise UnknownCursor(cursor)
    return int(cursor)
