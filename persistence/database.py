"""Opening the database: SQLite under the home folder, or PostgreSQL by its address."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import peewee
from aviary.persistence.values import UnreadableRow

BUSY_TIMEOUT = 5.0
"""Seconds that a SQLite connection waits for another one's lock."""

CONNECT_TIMEOUT = 5
"""Seconds that a connection to PostgreSQL may take to open."""

SILENCE_TIMEOUT = 10
"""Seconds after which a connection to PostgreSQL that answers nothing counts as lost."""

POSTGRESQL_OPTIONS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host"})
"""What may follow the question mark of an address; `ssl`, asyncpg's word, is understood as `sslmode`."""

PASSING_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_INTERRUPT,
    }
)
"""SQLite's primary result codes that speak of the surroundings, not of the statement."""

MISSING = re.compile(
    r"(?:no such table: |relation \")"
    r"(?:orders|fills|bots|bot_runs|controller_performance|journal|migrations)\b"
)
"""How both databases say that a table of ours is not there: there is no code that tells it from any wrong statement."""

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's primary result codes that speak of the file itself."""


class DatabaseUnavailable(Exception):
    """The database can't be reached now; another try may go through."""


class DamagedDatabase(Exception):
    """The file is no database any more, or a part of it can't be read: it is to be replaced by a copy."""


class BadDatabaseUrl(ValueError):
    """A DATABASE_URL that can't be used; the text never shows its password."""


def open_database(url: str | None, path: Path, *, read_only: bool = False) -> peewee.Database:
    """A database handle, not yet connected: each thread gets a connection of its own at first use.

    Without `url` it is the SQLite file at `path`. As in SQLAlchemy's addresses, which the released
    server takes, `sqlite:///a` is relative and `sqlite:////a` absolute, and the driver after a plus
    sign (`postgresql+asyncpg`) says nothing of the database. What is opened `read_only` refuses to write.
    Raises `BadDatabaseUrl`.
    """
    if url is None:
        return _sqlite(path, read_only=read_only)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The parser's own words may quote a part of the password.
        raise BadDatabaseUrl("not an address; special characters of a password are written as %XX") from None
    scheme = parts.scheme.split("+")[0]
    if scheme == "sqlite":
        file = unquote(parts.path.removeprefix("/"))
        if not file or file == ":memory:":
            raise BadDatabaseUrl("no file is named")
        return _sqlite(Path(file), read_only=read_only)
    if scheme in {"postgres", "postgresql"}:
        return _postgresql(parts, port, read_only=read_only)
    raise BadDatabaseUrl(f"unknown kind of database: {scheme!r}")


def _postgresql(parts: SplitResult, port: int | None, *, read_only: bool) -> peewee.PostgresqlDatabase:
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise BadDatabaseUrl("no database is named")
    if parts.fragment:
        raise BadDatabaseUrl("'#' is written as %23")
    options: dict[str, Any] = {"sslmode" if key == "ssl" else key: value for key, value in parse_qsl(parts.query)}
    unknown = sorted(set(options) - POSTGRESQL_OPTIONS)
    if unknown:
        raise BadDatabaseUrl(f"unknown options: {', '.join(unknown)}")
    return peewee.PostgresqlDatabase(
        name,
        user=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        host=options.pop("host", None) or parts.hostname,
        port=port,
        connect_timeout=CONNECT_TIMEOUT,
        # A server that vanished without a word would otherwise hold the thread for many minutes.
        tcp_user_timeout=SILENCE_TIMEOUT * 1000,
        keepalives_idle=SILENCE_TIMEOUT // 2,
        keepalives_interval=1,
        keepalives_count=SILENCE_TIMEOUT // 2,
        prefer_psycopg3=True,
        options="-c default_transaction_read_only=on" if read_only else None,
        **options,
    )


def _sqlite(path: Path, *, read_only: bool) -> peewee.SqliteDatabase:
    path.parent.mkdir(parents=True, exist_ok=True)
    return peewee.SqliteDatabase(
        str(path),
        timeout=BUSY_TIMEOUT,
        # A transaction that reads first and then writes is refused at once, without any waiting, if
        # somebody else wrote in between; one that takes the lock at its beginning waits for it.
        lock_type="IMMEDIATE",
        pragmas={
            "journal_mode": "wal",
            # An intent must be on the disk before the exchange is asked, also if the power fails then.
            "synchronous": "full",
            "foreign_keys": 1,
            "busy_timeout": int(BUSY_TIMEOUT * 1000),
            "wal_autocheckpoint": 1000,
            "query_only": int(read_only),
        },
    )


@contextmanager
def reachable(database: peewee.Database) -> Iterator[None]:
    """Turn trouble with the connection into `DatabaseUnavailable`, with the file into `DamagedDatabase`.

    The broken connection is dropped: the next use opens a new one. Goes around the outermost
    transaction. Other errors, a statement that is wrong for instance, stay what they are.
    """
    try:
        if database.is_closed():
            database.connect()
        yield
    except UnreadableRow as error:
        raise DamagedDatabase(f"a row can't be read: {error}") from error
    except (peewee.DatabaseError, peewee.InterfaceError, sqlite3.DatabaseError) as error:
        trouble = _trouble(database, error)
        if trouble is None:
            raise
        if not database.is_closed():
            database.close()
        raise trouble from error


def _trouble(database: peewee.Database, error: BaseException) -> DatabaseUnavailable | DamagedDatabase | None:
    words = str(error).partition("\n")[0] or type(error).__name__
    if MISSING.match(words):
        return DatabaseUnavailable(f"it is not set up ({words})")
    if not isinstance(database, peewee.SqliteDatabase):
        passes = isinstance(error, peewee.OperationalError | peewee.InterfaceError)
        return DatabaseUnavailable(words) if passes else None
    # Misuse of the driver has no code. The low byte is the primary code, the rest the extended one.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in PASSING_TROUBLE:
        return DatabaseUnavailable(words)
    if code in DAMAGE:
        return DamagedDatabase(words)
    # peewee's error wraps the driver's. And when the disk is full SQLite undoes the transaction by itself, so
    # that what is seen is the failure to undo it once more.
    return None if error.__context__ is None else _trouble(database, error.__context__)
