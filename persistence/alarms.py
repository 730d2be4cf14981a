"""Alarms: what stood when, told also after the process that raised it has gone."""

import peewee
from aviary.persistence.tables import AlarmRow, Query
from aviary.persistence.values import Record

KEPT = 1_000
"""Alarms that are over and are kept."""


class AlarmRecord(Record):
    """An alarm. `message` is its last one, `count` how often it was raised; times are Unix seconds."""

    name: str
    message: str
    since: float
    count: int = 1
    cleared_at: float | None = None


class Alarms:
    """The alarms of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def save(self, alarm: AlarmRecord) -> None:
        """Write an alarm as it is now; the name and the beginning tell it from others."""
        row = alarm.model_dump()
        with self._database.atomic():
            is_it = (AlarmRow.name == alarm.name, AlarmRow.since == alarm.since)
            if self._run(AlarmRow.update(**row).where(*is_it)) == 0:
                self._run(AlarmRow.insert(**row))
            if alarm.cleared_at is not None:
                self._trim()

    def end_all(self, *, at: float) -> int:
        """End what still stands; for the start, when nothing of an earlier process is true. How many."""
        return self._run(AlarmRow.update(cleared_at=at).where(AlarmRow.cleared_at.is_null()))

    def standing(self) -> tuple[AlarmRecord, ...]:
        """The alarms that stand, oldest first."""
        return self._fetch(AlarmRow.select().where(AlarmRow.cleared_at.is_null()).order_by(AlarmRow.id))

    def history(self, *, limit: int) -> tuple[AlarmRecord, ...]:
        """The alarms that are over, newest end first."""
        query: Query = AlarmRow.select().where(AlarmRow.cleared_at.is_null(False))
        return self._fetch(query.order_by(AlarmRow.cleared_at.desc(), AlarmRow.id.desc()).limit(limit))

    def _trim(self) -> None:
        over: Query = AlarmRow.select(AlarmRow.id).where(AlarmRow.cleared_at.is_null(False))
        surplus: Query = over.order_by(AlarmRow.cleared_at.desc(), AlarmRow.id.desc()).offset(KEPT).limit(KEPT)
        old = [row.id for row in surplus.bind(self._database)]
        if old:
            self._run(AlarmRow.delete().where(AlarmRow.id.in_(old)))

    def _run(self, query: Query) -> int:
        changed: int = query.bind(self._database).execute()
        return changed

    def _fetch(self, query: Query) -> tuple[AlarmRecord, ...]:
        return tuple(
            AlarmRecord(**{name: getattr(row, name) for name in AlarmRecord.model_fields})
            for row in query.bind(self._database)
        )
