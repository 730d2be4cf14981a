"""Losing the database, getting it back, and addresses of all kinds."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence.database import BadDatabaseUrl, DatabaseUnavailable, open_database, reachable
from aviary.persistence.migrations import integrity_problems, migrate
from aviary.persistence.repositories import Repositories
from kept_rows import a_bot

only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def kick_everybody_out(database_url: str, tmp_path: Path) -> Callable[[], None]:
    def kick() -> None:
        other = open_database(database_url, tmp_path / "unused.sqlite")
        with other.connection_context():
            other.execute_sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    return kick


@only_postgresql
def test_a_connection_that_was_dropped_heals_at_the_next_use(
    database: peewee.Database, records: Repositories, kick_everybody_out: Callable[[], None]
) -> None:
    kick_everybody_out()

    with pytest.raises(DatabaseUnavailable), reachable(database), database.atomic():
        records.bots.add(a_bot("lost"))
    with reachable(database), database.atomic():
        records.bots.add(a_bot("desk"))

    with reachable(database):
        assert tuple(bot.name for bot in records.bots.list()) == ("desk",)


@only_postgresql
def test_a_transaction_whose_connection_is_dropped_is_undone_as_a_whole(
    database: peewee.Database, records: Repositories, kick_everybody_out: Callable[[], None]
) -> None:
    with pytest.raises(DatabaseUnavailable), reachable(database), database.atomic():
        records.bots.add(a_bot("lost"))
        kick_everybody_out()
        records.bots.add(a_bot("desk"))

    with reachable(database), database.atomic():
        assert tuple(bot.name for bot in records.bots.list()) == ()


def test_a_statement_that_is_wrong_is_not_taken_for_a_lost_database(database: peewee.Database) -> None:
    with pytest.raises(peewee.DatabaseError), reachable(database), database.atomic():
        database.execute_sql("SELECT nothing FROM nowhere")

    with reachable(database):
        assert "orders" in database.get_tables()


def test_each_thread_has_a_connection_of_its_own(database: peewee.Database) -> None:
    met: list[object] = []

    def work() -> None:
        with database.connection_context():
            met.append(database.connection())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)

    assert met
    assert met[0] is not database.connection()


@pytest.fixture
def busy(tmp_path: Path) -> peewee.Database:
    path = tmp_path / "a.sqlite"
    database = open_database(None, path)
    database.connect()
    migrate(database, FakeClock())
    database.execute_sql("PRAGMA busy_timeout = 1")
    return database


def test_a_file_that_somebody_else_holds_is_unavailable_for_now(busy: peewee.Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(DatabaseUnavailable, match="locked"), reachable(busy), busy.atomic():
        pass

    other.close()
    with reachable(busy), busy.atomic():
        assert Repositories(busy).bots.add(a_bot("desk"))
    busy.close()


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    path.write_bytes(b"not a database" * 1000)
    database = open_database(None, path)

    assert integrity_problems(database)


def test_what_is_opened_to_read_refuses_to_write(
    database: peewee.Database, database_url: str, tmp_path: Path
) -> None:
    Repositories(database).bots.add(a_bot("desk"))
    reader = open_database(database_url, tmp_path / "unused.sqlite", read_only=True)

    with reader.connection_context():
        with pytest.raises(peewee.DatabaseError, match=r"readonly|read-only"), reader.atomic():
            Repositories(reader).bots.add(a_bot("other"))
        assert [bot.name for bot in Repositories(reader).bots.list()] == ["desk"]


def test_writes_survive_a_power_failure_too(tmp_path: Path) -> None:
    database = open_database(None, tmp_path / "a.sqlite")
    with database.connection_context():
        full = 2
        assert database.execute_sql("PRAGMA synchronous").fetchone() == (full,)
        assert database.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p#ss@host/x",
        "postgresql://user:hun[ter2@host/x",
        "postgresql://user:hunter2@host:port/x",
        "postgresql://user:hunter2@host/x#y",
        "postgresql://user:hunter2@host/x?sslmod=require",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_with_a_mistake_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadDatabaseUrl) as refused:
        open_database(url, tmp_path / "a")

    assert "hunter2" not in str(refused.value)
    assert "ss@" not in str(refused.value)


@pytest.mark.parametrize("option", ["sslmode=verify-full", "ssl=verify-full"])
def test_what_an_address_says_of_encryption_is_obeyed(option: str, tmp_path: Path) -> None:
    database = open_database(f"postgresql+asyncpg://me@db/aviary?{option}", tmp_path / "a")

    assert database.connect_params["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///a.sqlite", "a.sqlite"),
        ("sqlite+aiosqlite:///b/c.sqlite", "b/c.sqlite"),
        ("sqlite:///my%20bots.sqlite", "my bots.sqlite"),
    ],
)
def test_a_relative_file_is_below_the_working_folder(
    url: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    database = open_database(url, tmp_path / "unused")
    with database.connection_context():
        database.execute_sql("CREATE TABLE x (y INTEGER)")

    assert (tmp_path / file).exists()
