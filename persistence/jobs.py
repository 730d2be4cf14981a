"""Long jobs as step machines: each step is written down before it is taken."""

from typing import Any, Literal

import orjson
import peewee
from aviary.persistence.tables import JobRow, Query
from aviary.persistence.values import Record
from pydantic import Field

KEPT = 1_000
"""Jobs that came to an end and are kept."""


class Job(Record):
    """A job's present step. `detail` is whatever the job needs to go on from here."""

    id: str
    kind: str
    subject: str
    step: str
    state: Literal["running", "done", "failed"] = "running"
    detail: dict[str, Any] = Field(default_factory=dict)
    updated_at: float


class Jobs:
    """The jobs of one database."""

    def __init__(self, database: peewee.Database) -> None:
        self._database = database

    def save(self, job: Job) -> None:
        """Write a job's present step, whether it is new or known."""
        row = {**job.model_dump(), "detail": orjson.dumps(job.detail).decode()}
        with self._database.atomic():
            known: Query = JobRow.update(**row).where(JobRow.id == job.id)
            if known.bind(self._database).execute() == 0:
                new: Query = JobRow.insert(**row)
                new.bind(self._database).execute()
            if job.state != "running":
                self._trim()

    def get(self, number: str) -> Job | None:
        """One job."""
        query: Query = JobRow.select().where(JobRow.id == number)
        return next((_value(row) for row in query.bind(self._database)), None)

    def unfinished(self, kind: str | None = None) -> tuple[Job, ...]:
        """The jobs that have not come to an end, oldest first."""
        query: Query = JobRow.select().where(JobRow.state == "running")
        if kind is not None:
            query = query.where(JobRow.kind == kind)
        return tuple(_value(row) for row in query.order_by(JobRow.updated_at, JobRow.id).bind(self._database))

    def _trim(self) -> None:
        ended: Query = JobRow.select(JobRow.id).where(JobRow.state != "running")
        surplus: Query = ended.order_by(JobRow.updated_at.desc(), JobRow.id.desc()).offset(KEPT).limit(KEPT)
        old = [row.id for row in surplus.bind(self._database)]
        if old:
            query: Query = JobRow.delete().where(JobRow.id.in_(old))
            query.bind(self._database).execute()


def _value(row: Query) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        step=row.step,
        state=row.state,
        detail=orjson.loads(row.detail),
        updated_at=row.updated_at,
    )
