import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence import tables
from aviary.persistence.database import open_database
from aviary.persistence.migrations import MIGRATIONS, Migration, SchemaChanged, migrate
from aviary.persistence.repositories import Repositories
from kept_rows import a_bot

RELEASED = {
    1: "bf530fa6a32cb5df1fb86eae8d50548b115b586452b930464bb01ae010a299c0",
    3: "999dcb0d992699cf0cb020dcce2911082f0b93498fedd0a36e803385d7223264",
}


def test_what_was_released_is_never_edited() -> None:
    assert {migration.number: migration.checksum for migration in MIGRATIONS} == RELEASED


@pytest.mark.parametrize("table", [*tables.ALL, tables.MigrationRow])
def test_the_tables_are_as_the_code_thinks_they_are(table: type[tables.Row], database: peewee.Database) -> None:
    meta = table._meta  # type: ignore[attr-defined]

    columns = {column.name: column.null for column in database.get_columns(meta.table_name)}

    assert columns == {field.column_name: field.null for field in meta.sorted_fields}


def test_a_change_that_was_edited_after_its_release_is_refused(database: peewee.Database) -> None:
    edited = Migration(1, MIGRATIONS[0].name, ("CREATE TABLE other (id INTEGER)",))

    with pytest.raises(SchemaChanged):
        migrate(database, FakeClock(), (edited, *MIGRATIONS[1:]))

    assert "other" not in database.get_tables()


def test_two_servers_that_start_at_once_change_the_schema_once(
    database: peewee.Database, database_url: str, tmp_path: Path
) -> None:
    later = Migration(MIGRATIONS[-1].number + 1, "later", ("CREATE TABLE later (id INTEGER)",))
    start = threading.Barrier(4)

    def serve() -> tuple[int, ...]:
        server = open_database(database_url, tmp_path / "unused.sqlite")
        with server.connection_context():
            start.wait(10)
            return migrate(server, FakeClock(), (*MIGRATIONS, later))

    with ThreadPoolExecutor(4) as servers:
        applied = [future.result(20) for future in [servers.submit(serve) for _ in range(4)]]

    assert sorted(applied) == [(), (), (), (later.number,)]
    assert "later" in database.get_tables()


def test_two_databases_are_open_in_one_process(tmp_path: Path) -> None:
    opened = [open_database(None, tmp_path / name) for name in ("a", "b")]
    for database in opened:
        database.connect()
        migrate(database, FakeClock())

    Repositories(opened[0]).bots.add(a_bot("desk"))

    assert [[bot.name for bot in Repositories(database).bots.list()] for database in opened] == [["desk"], []]
    for database in opened:
        database.close()
