"""The database's keeper: one thread that writes, in order, and a few that read."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import peewee
from aviary.actors.core.actor import ThreadActor
from aviary.actors.core.refusal import Invalid, Unavailable
from aviary.actors.messages.database import Fetch, InspectDatabase, InspectionDue, LookAtDatabase, Transact
from aviary.persistence.database import DamagedDatabase, DatabaseUnavailable, open_database, reachable
from aviary.persistence.migrations import SchemaChanged, SchemaTooNew, integrity_problems, migrate
from aviary.persistence.repositories import Repositories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = "database"
"""The address of the one who writes."""

ALARM = "database"
"""The alarm that stands while the database can't be reached, or is damaged."""

DAMAGE_ALARM = "database/damage"
"""The alarm that stands once a part of the database was found damaged."""

INSPECTION_INTERVAL = 86_400.0
"""Seconds between two inspections of the whole file."""

DAMAGED_INTERVAL = 30.0
"""Seconds between two inspections of a file that is damaged: a copy may have taken its place."""

RETRY_AFTER = 2.0
"""Seconds after which an asker may try again."""

LOOK_PERIOD = 1.0
"""Seconds between two looks whether trouble is to be tried again."""

LAST_RETRY = 10.0
"""Seconds until the next try, at most; each waits twice as long as the one before."""

STEPS_BETWEEN_LOOKS = 100_000
"""Steps of SQLite's machine between two looks whether an inspection is to be broken off: some milliseconds."""


UNFIT = (peewee.DataError, OverflowError, UnicodeEncodeError)
"""Errors of values that no column holds: numbers of more than 64 bits, texts with NUL or half a character."""


@contextmanager
def _fitting() -> Iterator[None]:
    """Turn what one asker's values bring about into a refusal: nothing was written, and the next asker is served."""
    try:
        yield
    except UNFIT as error:
        raise Invalid(f"the database can't hold that: {str(error).partition(chr(10))[0]}") from error


class _Connected(ThreadActor):
    """Has a connection to the database, on its own thread."""

    keeps_nothing = True

    def __init__(self, url: str | None, path: Path) -> None:
        super().__init__()
        self._url = url
        self._path = path
        self._database: peewee.Database | None = None

    def release(self) -> None:
        """Close this thread's connection."""
        if self._database is not None and not self._database.is_closed():
            self._database.close()


class Database(_Connected):
    """Runs transactions one after another on its own thread; one that fails is undone."""

    def prepare(self) -> None:
        """Only begin: what needs a database that is away waits for it, and nothing else does."""
        self._database = open_database(self._url, self._path)
        self._repositories: Repositories | None = None
        self._tries = 0
        """In vain, since the last success."""
        self._next_try = 0.0
        self.degrade("it is being opened")
        self.every(LOOK_PERIOD, LookAtDatabase(), first=0.0)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Transact(work=work):
                return self._run(work)
            case LookAtDatabase():
                return self._look()
            case _:
                return super().receive(message)

    def _look(self) -> None:
        """Open it, or see whether the trouble is over; nobody may ask for long."""
        if self._repositories is not None and self._tries == 0:
            return
        if self.clock.monotonic() < self._next_try:
            return
        try:
            self._run(lambda r: r.bots.get(""))
        except Unavailable:
            # It is told, and tried again.
            return

    def _run(self, work: Any) -> Any:
        database = self._database
        if database is None:
            raise RuntimeError("not prepared")
        with self._trouble_told(), reachable(database):
            repositories = self._repositories or self._set_up(database)
            with _fitting(), database.atomic():
                answer = work(repositories)
        if self._tries or self._bound_life.cell.degraded:
            self._tries = 0
            self.recover()
        self.system.alarms.clear(ALARM)
        return answer

    def _set_up(self, database: peewee.Database) -> Repositories:
        applied = migrate(database, self.clock)
        if applied:
            self.system.record("operator", self.address, reason=f"schema changes applied: {applied}")
        self._repositories = Repositories(database)
        return self._repositories

    @contextmanager
    def _trouble_told(self) -> Iterator[None]:
        try:
            yield
        except DatabaseUnavailable as error:
            raise self._told(str(error), f"the database can't be reached: {error}") from error
        except (DamagedDatabase, SchemaTooNew, SchemaChanged) as trouble:
            # Not a crash: the question is not to blame, and neither are those that follow.
            word = "is damaged" if isinstance(trouble, DamagedDatabase) else "is not ours"
            told = f"the database {word}: {trouble}"
            raise self._told(told, told) from trouble

    def _told(self, alarm: str, answer: str) -> Unavailable:
        # The file, or the schema, may be another one when it is back.
        self._repositories = None
        self._next_try = self.clock.monotonic() + min(LAST_RETRY, 2.0**self._tries)
        self._tries = min(self._tries + 1, 10)
        self.system.alarms.raise_(ALARM, alarm)
        self.degrade(answer)
        return Unavailable(answer, RETRY_AFTER)


class DatabaseInspector(ThreadActor):
    """Reads the whole SQLite file at each start and once a day, on a connection of its own; sooner while it is damaged.

    That takes seconds where there are millions of orders, and nobody waits for it.
    """

    def __init__(self, url: str | None, path: Path) -> None:
        super().__init__()
        self._url = url
        self._path = path

    def prepare(self) -> None:
        """Begin soon: what starts after this one does not wait."""
        self._last = -INSPECTION_INTERVAL
        self.every(DAMAGED_INTERVAL, InspectionDue(), first=0.0)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case InspectDatabase():
                return self._inspect()
            case InspectionDue():
                return self._inspect() if self._is_due() else None
            case _:
                return super().receive(message)

    def _stopping(self) -> bool:
        # The process could not end before SQLite is done with the file.
        cell = self.system.cell(self.address)
        return cell is None or cell.state in {"stopping", "stopped"}

    def _is_due(self) -> bool:
        damaged = any(alarm.name == DAMAGE_ALARM for alarm in self.system.alarms.standing())
        return damaged or self.clock.monotonic() - self._last >= INSPECTION_INTERVAL

    def _inspect(self) -> None:
        database = open_database(self._url, self._path)
        try:
            with reachable(database):
                if isinstance(database, peewee.SqliteDatabase):
                    database.connection().set_progress_handler(self._stopping, STEPS_BETWEEN_LOOKS)  # type: ignore[no-untyped-call]
                problems = integrity_problems(database)
        except DatabaseUnavailable as error:
            self.degrade(f"the database could not be inspected: {error}")
            return
        except DamagedDatabase as damage:
            problems = (str(damage),)
        finally:
            database.close()
        self.recover()
        self._last = self.clock.monotonic()
        if problems:
            self.system.alarms.raise_(DAMAGE_ALARM, "; ".join(problems[:3]))
        else:
            self.system.alarms.clear(DAMAGE_ALARM)


class DatabaseReader(_Connected):
    """One of the readers: a connection and a thread of its own, so that a long search holds nobody up."""

    def prepare(self) -> None:
        """Open a connection."""
        self._database = open_database(self._url, self._path, read_only=True)
        self._repositories = Repositories(self._database)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case Fetch(work=work) if self._database is not None:
                try:
                    with reachable(self._database), _fitting():
                        return work(self._repositories)
                except DatabaseUnavailable as error:
                    raise Unavailable(f"the database can't be reached: {error}", RETRY_AFTER) from error
                except DamagedDatabase as damage:
                    told = f"the database is damaged: {damage}"
                    self.system.alarms.raise_(DAMAGE_ALARM, told)
                    raise Unavailable(told, RETRY_AFTER) from damage
            case _:
                return super().receive(message)


READERS = ("database-reader-1", "database-reader-2")
"""The addresses of the readers."""

_turns = itertools.count()


def a_reader() -> str:
    """The address of the reader whose turn it is."""
    return READERS[next(_turns) % len(READERS)]
