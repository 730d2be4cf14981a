import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence import tables
from aviary.persistence.database import open_database
from aviary.persistence.fills import Fill
from aviary.persistence.migrations import MIGRATIONS, Migration, SchemaChanged, migrate
from aviary.persistence.repositories import Repositories
from kept_rows import a_bot

RELEASED = {
    1: "bf530fa6a32cb5df1fb86eae8d50548b115b586452b930464bb01ae010a299c0",
    2: "8d64b5e52cec61dba068d6021b55d5a9eaf4f2a3c9004e1c240c1b36faaa30c5",
    3: "7d8c85c8f1a18cfe4a5cf27f52827a325bff606b68ddc739105033cc8e13bc66",
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


def test_fills_of_an_earlier_release_stay_and_both_sides_of_their_trades_may_be_kept(
    database_url: str, tmp_path: Path
) -> None:
    database = open_database(database_url, tmp_path / "unused.sqlite")
    with database.connection_context():
        migrate(database, FakeClock(), MIGRATIONS[:1])
        kept = Repositories(database)
        where = {"account": "a", "connector": "s", "trading_pair": "BTC-USDT", "timestamp": 1.0}
        terms = {"trade_id": "1", "side": "BUY", "amount": "1", "price": "1"}
        bought, sold = (
            Fill.model_validate({**where, **terms, "client_order_id": name}) for name in ("bought", "sold")
        )
        kept.fills.record(bought, at=1.0)

        migrate(database, FakeClock())
        for fill in (bought, sold, sold):
            kept.fills.record(fill, at=2.0)

        assert [len(kept.fills.of_order("a", "s", name)) for name in ("bought", "sold")] == [1, 1]


def test_two_databases_are_open_in_one_process(tmp_path: Path) -> None:
    opened = [open_database(None, tmp_path / name) for name in ("a", "b")]
    for database in opened:
        database.connect()
        migrate(database, FakeClock())

    Repositories(opened[0]).bots.add(a_bot("desk"))

    assert [[bot.name for bot in Repositories(database).bots.list()] for database in opened] == [["desk"], []]
    for database in opened:
        database.close()
