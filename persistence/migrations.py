"""Numbered changes of the schema, applied in order at start."""

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import peewee
from aviary.config.clock import Clock
from aviary.persistence import tables


class SchemaTooNew(Exception):
    """The database was written by a newer release, which may have meant something else by its columns."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One change; `apply` runs inside a transaction."""

    number: int
    name: str
    apply: Callable[[peewee.Database], None]


def _create_everything(database: peewee.Database) -> None:
    with database.bind_ctx(tables.ALL):
        database.create_tables(tables.ALL)


MIGRATIONS: tuple[Migration, ...] = (Migration(1, "create everything", _create_everything),)


def migrate(
    database: peewee.Database, clock: Clock, migrations: tuple[Migration, ...] = MIGRATIONS
) -> tuple[int, ...]:
    """Apply what is missing; answers the numbers that were applied.

    A SQLite file that holds data is copied beside itself first. Raises `SchemaTooNew`.
    """
    with database.bind_ctx((tables.MigrationRow,)):
        database.create_tables((tables.MigrationRow,))
        applied = {row.number for row in tables.MigrationRow.select()}
        newest = migrations[-1].number
        if applied and max(applied) > newest:
            raise SchemaTooNew(f"the database has schema {max(applied)}, this release knows {newest}")
        missing = [migration for migration in migrations if migration.number not in applied]
        if missing and applied:
            back_up(database, max(applied))
        for migration in missing:
            with database.atomic():
                migration.apply(database)
                tables.MigrationRow.create(
                    number=migration.number, name=migration.name, applied_at=clock.now()
                )
    return tuple(migration.number for migration in missing)


def back_up(database: peewee.Database, schema: int) -> Path | None:
    """Copy a SQLite file beside itself; PostgreSQL's backups are its operator's."""
    if not isinstance(database, peewee.SqliteDatabase) or database.database in {None, ":memory:"}:
        return None
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[no-untyped-call]
    source = Path(str(database.database))
    target = source.with_name(f"{source.name}.schema-{schema}.backup")
    shutil.copy2(source, target)
    return target


def integrity_problems(database: peewee.Database) -> tuple[str, ...]:
    """What a damaged SQLite file says of itself; empty if it is sound."""
    if not isinstance(database, peewee.SqliteDatabase):
        return ()
    try:
        rows = database.execute_sql("PRAGMA integrity_check").fetchall()  # type: ignore[no-untyped-call]
    except (peewee.DatabaseError, sqlite3.DatabaseError) as error:
        return (str(error),)
    lines = [str(row[0]) for row in rows]
    return () if lines == ["ok"] else tuple(lines)
