"""Walking a long list: each page begins where the last row of the one before stands.

Rows that arrive meanwhile shift nothing: a walk meets every row that was there at its start once.
"""

from collections.abc import Callable

import peewee
from aviary.persistence.tables import Query
from aviary.persistence.values import Page, cursor_of, place_of

COUNTED = 10_000
"""Rows up to which a list is counted: counting a million takes a second and more, for each page."""


def newest_first[Item](
    database: peewee.Database,
    query: Query,
    *,
    at: Query,
    number: Query,
    limit: int,
    cursor: str | None,
    value: Callable[[Query], Item],
) -> Page[Item]:
    """A page of `query`, ordered by the columns `at`, then `number`, that `value` makes items of."""
    total = query.limit(COUNTED).bind(database).count()
    place = place_of(cursor)
    if place is not None:
        query = query.where((at < place[0]) | ((at == place[0]) & (number < place[1])))
    query = query.order_by(at.desc(), number.desc()).limit(limit + 1)
    rows = list(query.bind(database))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        data=tuple(value(row) for row in rows),
        limit=limit,
        has_more=more,
        next_cursor=cursor_of(getattr(rows[-1], at.name), rows[-1].id) if more else None,
        total_count=total,
    )
