"""Numbered changes of the schema, applied in order at start."""

import hashlib
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import peewee
from aviary.config.clock import Clock
from aviary.persistence import schema, tables
from aviary.persistence.tables import Query

MIGRATION_LOCK = 7_241_905
"""Key of PostgreSQL's advisory lock that lets one server at a time change the schema; any number will do."""


class SchemaTooNew(Exception):
    """The database was written by a newer release, which may have meant something else by its columns."""


class SchemaChanged(Exception):
    """A change that this database went through is not the one that this release knows by its number."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One change. `{serial}` in a statement stands for a number that the database gives out."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """What tells this change from any other."""
        return hashlib.sha256("\0".join((self.name, *self.statements)).encode()).hexdigest()

    def apply(self, database: peewee.Database) -> None:
        """Carry it out, inside the caller's transaction."""
        sqlite = isinstance(database, peewee.SqliteDatabase)
        serial = schema.SERIAL_SQLITE if sqlite else schema.SERIAL_POSTGRESQL
        for statement in self.statements:
            database.execute_sql(statement.replace("{serial}", serial))  # type: ignore[no-untyped-call]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "create everything", schema.FIRST),
    Migration(2, "count a trade once in each of its orders", schema.FILLS_BY_ORDER),
    Migration(3, "keep what was known last", schema.LAST_KNOWN),
)


def migrate(
    database: peewee.Database, clock: Clock, migrations: tuple[Migration, ...] = MIGRATIONS
) -> tuple[int, ...]:
    """Apply what is missing; answers the numbers that were applied.

    A SQLite file that holds data is copied beside itself first. Raises `SchemaTooNew` and
    `SchemaChanged`; in both cases nothing was written.
    """
    known = _applied(database) if database.table_exists("migrations") else {}
    _check(known, migrations)
    missing = [migration for migration in migrations if migration.number not in known]
    if missing and known:
        back_up(database, max(known))
    return tuple(migration.number for migration in missing if _apply(database, clock, migration))


def _apply(database: peewee.Database, clock: Clock, migration: Migration) -> bool:
    with database.atomic():
        if not isinstance(database, peewee.SqliteDatabase):
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))  # type: ignore[no-untyped-call]
        with database.bind_ctx((tables.MigrationRow,)):
            database.create_tables((tables.MigrationRow,))
        # Another server may have been faster.
        if migration.number in _applied(database):
            return False
        migration.apply(database)
        record: Query = tables.MigrationRow.insert(
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            applied_at=clock.now(),
        )
        record.bind(database).execute()
    return True


def _applied(database: peewee.Database) -> dict[int, str]:
    query: Query = tables.MigrationRow.select()
    return {row.number: row.checksum for row in query.bind(database)}


def _check(known: dict[int, str], migrations: tuple[Migration, ...]) -> None:
    newest = migrations[-1].number
    if known and max(known) > newest:
        raise SchemaTooNew(f"the database has schema {max(known)}, this release knows {newest}")
    for migration in migrations:
        if known.get(migration.number, migration.checksum) != migration.checksum:
            raise SchemaChanged(f"change {migration.number} of the database is not {migration.name!r} as known")


def back_up(database: peewee.Database, number: int) -> Path | None:
    """Copy a SQLite file beside itself; PostgreSQL's backups are its operator's.

    The copy is whole or not there at all: it gets its name after it has reached the disk.
    """
    if not isinstance(database, peewee.SqliteDatabase):
        return None
    source = Path(str(database.database))
    target = source.with_name(f"{source.name}.schema-{number}.backup")
    # Two servers that start at once each make a copy of their own; the last one gets the name.
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
    unfinished = Path(name)
    try:
        with closing(sqlite3.connect(unfinished)) as copy:
            database.connection().backup(copy)  # type: ignore[no-untyped-call]
        os.fsync(handle)
    except BaseException:
        unfinished.unlink()
        raise
    finally:
        os.close(handle)
    unfinished.replace(target)
    return target


def integrity_problems(database: peewee.Database) -> tuple[str, ...]:
    """What a damaged SQLite file says of itself; empty if it is sound."""
    if not isinstance(database, peewee.SqliteDatabase):
        return ()
    try:
        rows = database.execute_sql("PRAGMA integrity_check").fetchall()  # type: ignore[no-untyped-call]
    except (peewee.OperationalError, sqlite3.OperationalError):
        # A file that is locked or out of reach is not damaged.
        raise
    except (peewee.DatabaseError, sqlite3.DatabaseError) as error:
        return (str(error),)
    lines = [str(row[0]) for row in rows]
    return () if lines == ["ok"] else tuple(lines)
