"""Opening the database: SQLite under the home folder, or PostgreSQL by its address."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee

BUSY_TIMEOUT = 5.0
"""Seconds that a SQLite connection waits for another one's lock."""

CONNECT_TIMEOUT = 5
"""Seconds that a connection to PostgreSQL may take to open."""


class DatabaseUnavailable(Exception):
    """The database can't be reached now; another try may go through."""


class BadDatabaseUrl(ValueError):
    """A DATABASE_URL that can't be used; the text never shows its password."""


def open_database(url: str | None, path: Path) -> peewee.Database:
    """A database handle, not yet connected: each thread gets a connection of its own at first use.

    Without `url` it is the SQLite file at `path`. `postgresql+asyncpg://`, as the released server
    writes it, means the same as `postgresql://`. Raises `BadDatabaseUrl`.
    """
    if url is None:
        return _sqlite(path)
    parts = urlsplit(url)
    scheme = parts.scheme.split("+")[0]
    if scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path.removeprefix("/"))))
    if scheme not in {"postgres", "postgresql"}:
        raise BadDatabaseUrl(f"unknown kind of database: {parts.scheme!r}")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise BadDatabaseUrl("no database is named")
    options = dict(parse_qsl(parts.query))
    return peewee.PostgresqlDatabase(
        name,
        user=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        host=options.pop("host", None) or parts.hostname,
        port=parts.port,
        connect_timeout=CONNECT_TIMEOUT,
        prefer_psycopg3=True,
        autoconnect=True,
    )


def _sqlite(path: Path) -> peewee.SqliteDatabase:
    path.parent.mkdir(parents=True, exist_ok=True)
    return peewee.SqliteDatabase(
        str(path),
        timeout=BUSY_TIMEOUT,
        pragmas={
            "journal_mode": "wal",
            # An intent must be on the disk before the exchange is asked, also if the power fails then.
            "synchronous": "full",
            "foreign_keys": 1,
            "busy_timeout": int(BUSY_TIMEOUT * 1000),
            "wal_autocheckpoint": 1000,
        },
    )


@contextmanager
def reachable(database: peewee.Database) -> Iterator[None]:
    """Turn the driver's connection errors into `DatabaseUnavailable`, and drop the broken connection."""
    try:
        if database.is_closed():
            database.connect()
        yield
    except (peewee.OperationalError, peewee.InterfaceError) as error:
        if not database.is_closed():
            database.close()
        raise DatabaseUnavailable(f"{type(error).__name__} in {threading.current_thread().name}") from error
