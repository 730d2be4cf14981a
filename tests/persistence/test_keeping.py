import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import peewee
import pytest
from aviary.config.clock import FakeClock
from aviary.persistence.bots import Bot, BotRun, Performance
from aviary.persistence.database import BadDatabaseUrl, DatabaseUnavailable, open_database, reachable
from aviary.persistence.journal import Entry, Journal
from aviary.persistence.migrations import MIGRATIONS, Migration, SchemaTooNew, integrity_problems, migrate
from aviary.persistence.repositories import Repositories
from kept_rows import a_bot


def test_migrations_are_applied_once(database: peewee.Database) -> None:
    assert migrate(database, FakeClock()) == ()


def test_a_newer_schema_is_refused(database: peewee.Database) -> None:
    later = Migration(MIGRATIONS[-1].number + 1, "later", ())
    migrate(database, FakeClock(), (*MIGRATIONS, later))

    with pytest.raises(SchemaTooNew):
        migrate(database, FakeClock())


def test_a_migration_that_fails_leaves_no_trace(database: peewee.Database) -> None:
    half = Migration(MIGRATIONS[-1].number + 1, "half", ("CREATE TABLE half (id INTEGER)", "CREATE NONSENSE"))

    with pytest.raises((peewee.OperationalError, peewee.ProgrammingError)):
        migrate(database, FakeClock(), (*MIGRATIONS, half))

    assert "half" not in database.get_tables()
    assert migrate(database, FakeClock()) == ()


def test_a_file_with_data_is_copied_before_its_schema_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database = open_database(None, path)
    database.connect()
    migrate(database, FakeClock())
    Repositories(database).bots.add(a_bot("desk"))

    migrate(database, FakeClock(), (*MIGRATIONS, Migration(MIGRATIONS[-1].number + 1, "x", ())))

    copy = sqlite3.connect(next(tmp_path.glob("*.backup")))
    assert copy.execute("SELECT name FROM bots").fetchall() == [("desk",)]
    copy.close()
    database.close()


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    database = open_database(None, path)
    database.connect()
    migrate(database, FakeClock())
    for number in range(200):
        Repositories(database).bots.add(a_bot(f"desk-{number}"))
    database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 3000] = b"\x55" * 3000
    path.write_bytes(damaged)

    database = open_database(None, path)
    database.connect()
    problems = integrity_problems(database)
    database.close()

    assert problems


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://user:hunter2@host/", "nonsense"])
def test_an_address_that_can_not_be_used_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadDatabaseUrl) as refused:
        open_database(url, tmp_path / "a")

    assert "hunter2" not in str(refused.value)


def test_the_released_server_s_way_to_write_the_address_is_understood(tmp_path: Path) -> None:
    database = open_database("postgresql+asyncpg://me:p%40ss@db:5433/aviary", tmp_path / "a")

    assert isinstance(database, peewee.PostgresqlDatabase)
    assert database.database == "aviary"
    assert database.connect_params["password"] == "p@ss"
    assert database.connect_params["port"] == 5433


def test_a_lost_server_is_unavailable_and_not_an_error_of_its_own(tmp_path: Path) -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing", tmp_path / "a")

    with pytest.raises(DatabaseUnavailable), reachable(database):
        pass


def test_a_bot_and_its_runs(records: Repositories) -> None:
    bot = Bot(name="mm", desired="running", spec={"a": [1]}, created_at=1.0, updated_at=1.0)
    assert records.bots.add(bot)
    assert not records.bots.add(bot)

    changed = records.bots.change("mm", at=2.0, desired="stopped", process={"pid": 7})

    assert changed is not None
    assert (changed.desired, changed.process, changed.spec) == ("stopped", {"pid": 7}, {"a": [1]})
    assert records.bots.list("running") == ()
    run = BotRun(
        bot_name="mm",
        instance_name="mm",
        deployed_at=1.0,
        strategy_type="controller",
        strategy_name="v2_with_controllers",
        account_name="desk",
        deployment_config="{}",
    )
    number = records.bots.add_run(run)
    records.bots.change_run(number, run_status="STOPPED", stopped_at=5.0)
    last = records.bots.last_run("mm")
    assert last is not None
    assert (last.id, last.run_status, last.stopped_at) == (number, "STOPPED", 5.0)
    assert records.bots.runs(limit=10, run_status="STOPPED") == ((last,), 1)
    assert records.bots.runs(limit=10, run_status="CREATED") == ((), 0)


def test_reports_of_performance_come_back_newest_first(records: Repositories) -> None:
    for at in (1.0, 3.0, 2.0):
        report = Performance(bot_name="mm", controller_id="c", at=at, performance={"pnl": at})
        records.bots.record_performance(report)

    assert [r.performance["pnl"] for r in records.bots.performance("mm", limit=2)] == [3.0, 2.0]


def test_the_journal_keeps_each_event_once(records: Repositories) -> None:
    entries = [Entry(id=f"e-{n}", at=float(n), kind="crash", address="bots/mm") for n in range(120)]

    records.journal.append(entries)
    records.journal.append(entries[50:])

    assert records.journal.search(limit=10).total_count == 120


def test_the_journal_is_walked_page_by_page(records: Repositories) -> None:
    records.journal.append([Entry(id=f"e-{n}", at=1.0, kind="start", address=f"bots/{n % 2}") for n in range(9)])

    met: list[str] = []
    cursor: str | None = None
    while True:
        page = records.journal.search(address="bots/1", limit=3, cursor=cursor)
        met += [entry.id for entry in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert met == ["e-7", "e-5", "e-3", "e-1"]


def test_the_journal_never_outgrows_its_bound(database: peewee.Database) -> None:
    journal = Journal(database, kept=100)

    for start in range(0, 3000, 500):
        journal.append([Entry(id=f"e-{n}", at=1.0, kind="start", address="a") for n in range(start, start + 500)])

    assert journal.search(limit=1).total_count <= 1_100


WRITER = """
import os, sys
from decimal import Decimal
from pathlib import Path
from aviary.config.clock import FakeClock
from aviary.persistence.database import open_database
from aviary.persistence.migrations import migrate
from aviary.persistence.orders import Order
from aviary.persistence.repositories import Repositories
database = open_database(None, Path(sys.argv[1])); database.connect(); migrate(database, FakeClock())
records = Repositories(database)
for n in range(10_000):
    order = Order(client_order_id=f"c-{n}", account="a", connector="s", trading_pair="BTC-USDT", side="BUY",
        order_type="LIMIT", amount=Decimal(1), price=Decimal(1), created_at=1.0, updated_at=1.0)
    records.orders.record_intent(order)
    os.write(1, b"i%d\\n" % n)
    records.orders.record_outcome("a", "s", f"c-{n}", "open", at=2.0)
    os.write(1, b"o%d\\n" % n)
"""


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7, 20])
def test_what_was_acknowledged_before_a_kill_is_there_afterwards(step: int, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(step + 1)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()

    database = open_database(None, path)
    database.connect()
    assert integrity_problems(database) == ()
    records = Repositories(database)
    for word in acknowledged:
        order = records.orders.get("a", "s", f"c-{word[1:]}")
        assert order is not None
        if word.startswith("o"):
            assert order.state == "open"
    database.close()


def test_the_journal_is_searched_by_branch_crash_and_time(records: Repositories) -> None:
    records.journal.append(
        [
            Entry(id="1", at=1.0, kind="crash", address="bots/mm_1", crash_id="x"),
            Entry(id="2", at=2.0, kind="start", address="bots/mm_1/child"),
            Entry(id="3", at=3.0, kind="start", address="bots/MM_1/child"),
            Entry(id="4", at=4.0, kind="start", address="bots/mmx1/child"),
        ]
    )

    def found(**wanted: object) -> list[str]:
        return [entry.id for entry in records.journal.search(limit=10, **wanted).data]  # type: ignore[arg-type]

    assert found(address="bots/mm_1") == ["2", "1"]
    assert found(crash_id="x") == ["1"]
    assert found(since=2.0, until=3.0) == ["3", "2"]
    assert found(kind="start", address="bots\0") == []


def test_a_server_that_never_lives_long_keeps_the_journal_in_its_bounds(database: peewee.Database) -> None:
    for life in range(60):
        entries = [Entry(id=f"{life}-{n}", at=1.0, kind="crash", address="a") for n in range(5)]
        Journal(database, kept=100).append(entries)

    assert Journal(database).search(limit=1).total_count == 100


def test_an_entry_of_any_text_and_length_is_kept(records: Repositories) -> None:
    odd = "\0\udcff" + "x" * 5_000

    records.journal.append([Entry(id="1", at=1.0, kind="k" * 300, address="a" * 900, reason=odd, detail=odd)])

    kept = records.journal.search(limit=1).data[0]
    assert kept.detail == "\\0\\udcff" + "x" * 5_000


def test_reports_of_performance_stay_in_their_bounds(
    database: peewee.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aviary.persistence.bots.PERFORMANCE_KEPT", 10)
    for life in range(30):
        report = Performance(bot_name="mm", controller_id="c", at=float(life), performance={})
        Repositories(database).bots.record_performance(report)

    reports = Repositories(database).bots.performance(limit=100)
    assert [report.at for report in reports] == [float(at) for at in range(29, 19, -1)]
