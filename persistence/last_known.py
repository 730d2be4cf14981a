"""What the outside world said last of something, to be told while it is out of reach."""

from typing import Any

import orjson
import peewee
from aviary.persistence.tables import LastKnownRow, Query
from aviary.persistence.values import Record


class Known(Record):
    """What was said; the time is in Unix seconds."""

    facts: dict[str, Any]
    known_at: float


class LastKnown:
    """The last news of each subject in one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def keep(self, subject: str, facts: dict[str, Any], *, at: float) -> None:
        """Keep what was said of a subject at a time, in place of what was before. Facts are JSON values."""
        text = orjson.dumps(facts).decode()
        with self._database.atomic():
            update: Query = LastKnownRow.update(facts=text, known_at=at).where(LastKnownRow.subject == subject)
            if not update.bind(self._database).execute():
                insert: Query = LastKnownRow.insert(subject=subject, facts=text, known_at=at)
                insert.bind(self._database).execute()

    def of(self, subject: str) -> Known | None:
        """What was said of a subject."""
        query: Query = LastKnownRow.select().where(LastKnownRow.subject == subject)
        return next(
            (Known(facts=orjson.loads(row.facts), known_at=row.known_at) for row in query.bind(self._database)),
            None,
        )
