"""The journal: what happened in the kernel, each event once."""

from collections.abc import Sequence

import peewee
from aviary.persistence.tables import JournalRow, Query, clean
from aviary.persistence.values import Page, Record, number_of

KEPT = 200_000
"""Entries that are kept; older ones are forgotten."""

TRIM_EVERY = 1_000
"""Entries between two looks at how many there are."""


class Entry(Record):
    """One event. `at` is in Unix seconds."""

    id: str
    at: float
    kind: str
    address: str
    incarnation: int = 0
    reason: str = ""
    crash_id: str | None = None
    message_kind: str | None = None
    mailbox: int = 0
    detail: str = ""


class Journal:
    """The journal of one database."""

    def __init__(self, database: peewee.Database, kept: int = KEPT) -> None:
        self._database = database
        self._kept = kept
        # A server that never lives long has to look, too.
        self._since_trim = TRIM_EVERY

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; those that are known already are left as they are."""
        rows = [{**entry.model_dump(exclude={"id"}), "event_id": entry.id} for entry in entries]
        with self._database.atomic():
            for start in range(0, len(rows), 50):
                query: Query = JournalRow.insert_many(rows[start : start + 50]).on_conflict_ignore()
                query.bind(self._database).execute()
            self._since_trim += len(rows)
            if self._since_trim >= TRIM_EVERY:
                self._since_trim = 0
                self._trim()

    def search(
        self,
        *,
        kind: str | None = None,
        address: str | None = None,
        crash_id: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Entry]:
        """A page, newest first; `address` means that actor and all below it, times are Unix seconds."""
        query: Query = JournalRow.select()
        if kind is not None:
            query = query.where(JournalRow.kind == kind)
        if address is not None:
            below = clean(f"{address}/")
            # Not LIKE, which takes no notice of case.
            start = peewee.fn.SUBSTR(JournalRow.address, 1, len(below))
            query = query.where((JournalRow.address == address) | (start == peewee.Value(below, converter=False)))
        if crash_id is not None:
            query = query.where(JournalRow.crash_id == crash_id)
        if since is not None:
            query = query.where(JournalRow.at >= since)
        if until is not None:
            query = query.where(JournalRow.at <= until)
        total = query.bind(self._database).count()
        place = number_of(cursor)
        if place is not None:
            query = query.where(JournalRow.id < place)
        rows = list(query.order_by(JournalRow.id.desc()).limit(limit + 1).bind(self._database))
        more = len(rows) > limit
        rows = rows[:limit]
        return Page[Entry](
            data=tuple(_value(row) for row in rows),
            limit=limit,
            has_more=more,
            next_cursor=str(rows[-1].id) if more else None,
            total_count=total,
        )

    def _trim(self) -> None:
        edge: Query = JournalRow.select(JournalRow.id).order_by(JournalRow.id.desc()).offset(self._kept).limit(1)
        for row in edge.bind(self._database):
            old: Query = JournalRow.delete().where(JournalRow.id <= row.id)
            old.bind(self._database).execute()


def _value(row: Query) -> Entry:
    columns = {name: getattr(row, name) for name in Entry.model_fields if name != "id"}
    return Entry(id=row.event_id, **columns)
