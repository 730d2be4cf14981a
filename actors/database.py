"""The database's keeper: one thread that writes, in order, and a few that read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import ThreadActor
from aviary.actors.core.refusal import Unavailable
from aviary.actors.messages.database import Fetch, Transact
from aviary.persistence.database import DatabaseUnavailable, open_database, reachable
from aviary.persistence.migrations import integrity_problems, migrate
from aviary.persistence.repositories import Repositories

if TYPE_CHECKING:
    from pathlib import Path

    import peewee

ALARM = "database"
"""The alarm that stands while the database can't be reached."""

RETRY_AFTER = 2.0
"""Seconds after which an asker may try again."""


class DamagedDatabase(Exception):
    """The file says of itself that it is damaged."""


class Database(ThreadActor):
    """Runs transactions one after another on its own thread."""

    def __init__(self, url: str | None, path: Path) -> None:
        super().__init__()
        self._url = url
        self._path = path
        self._database: peewee.Database | None = None

    def prepare(self) -> None:
        """Open, check and migrate the database."""
        self._database = database = open_database(self._url, self._path)
        with reachable(database):
            problems = integrity_problems(database)
            if problems:
                raise DamagedDatabase("; ".join(problems[:3]))
            applied = migrate(database, self.clock)
        if applied:
            self.system.record("operator", self.address, reason=f"schema changes applied: {applied}")
        self._repositories = Repositories(database)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Transact(work=work) | Fetch(work=work):
                return self._run(work)
            case _:
                return super().receive(message)

    def _run(self, work: Any) -> Any:
        database = self._database
        if database is None:
            raise RuntimeError("not prepared")
        try:
            with reachable(database), database.atomic():
                answer = work(self._repositories)
        except DatabaseUnavailable as error:
            self.system.alarms.raise_(ALARM, str(error))
            raise Unavailable(f"the database can't be reached: {error}", RETRY_AFTER) from error
        self.system.alarms.clear(ALARM)
        return answer

    def release(self) -> None:
        """Close this thread's connection."""
        if self._database is not None and not self._database.is_closed():
            self._database.close()


class DatabaseReader(ThreadActor):
    """One of the readers: a connection and a thread of its own, so that a long search holds nobody up."""

    def __init__(self, url: str | None, path: Path) -> None:
        super().__init__()
        self._url = url
        self._path = path
        self._database: peewee.Database | None = None

    def prepare(self) -> None:
        """Open a connection."""
        self._database = open_database(self._url, self._path)
        self._repositories = Repositories(self._database)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Fetch(work=work) if self._database is not None:
                try:
                    with reachable(self._database):
                        return work(self._repositories)
                except DatabaseUnavailable as error:
                    raise Unavailable(f"the database can't be reached: {error}", RETRY_AFTER) from error
            case _:
                return super().receive(message)

    def release(self) -> None:
        """Close this thread's connection."""
        if self._database is not None and not self._database.is_closed():
            self._database.close()


READERS = ("database-reader-1", "database-reader-2")
"""The addresses of the readers."""

_turns = itertools.count()


def a_reader() -> str:
    """The address of the reader whose turn it is."""
    return READERS[next(_turns) % len(READERS)]
