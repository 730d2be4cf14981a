"""The database's actors: what a damaged, full or lost database means to whoever asks them."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aviary.actors.core.refusal import ActorCrashed, Invalid, Unavailable
from aviary.actors.core.system import System
from aviary.actors.keeping.database import ALARM, DAMAGE_ALARM, Database, DatabaseInspector, DatabaseReader
from aviary.actors.messages.database import Fetch, InspectDatabase, Transact
from aviary.config.clock import pause
from aviary.persistence.bots import Bot
from aviary.persistence.repositories import Repositories
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from kept_rows import a_bot
from poison import KILLS, assert_nothing_is_set_aside

PATIENCE = 20.0
LOOK = 0.02
QUICK = Backoff(first=0.05, cap=0.2)


class Keepers:
    """The database's branch of a tree, in threads of its own."""

    def __init__(self, path: Path, url: str | None = None) -> None:
        self.path = path
        self.system = System.live()
        self._tree = Tree(
            self.system,
            SupervisorSpec(
                park=True,
                intensity=None,
                children=(
                    ChildSpec("database", lambda: Database(url, path), backoff=QUICK),
                    ChildSpec("reader", lambda: DatabaseReader(url, path), backoff=QUICK),
                    ChildSpec("inspector", lambda: DatabaseInspector(url, path), backoff=QUICK),
                ),
            ),
        )

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._tree.start(), self.system.kernel.loop).result(PATIENCE)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._tree.stop(), self.system.kernel.loop).result(PATIENCE)
        self.system.shutdown()

    def write[R](self, work: Callable[[Repositories], R]) -> R:
        return self.system.ask_blocking("database", Transact(work=work), timeout=PATIENCE)

    def read[R](self, work: Callable[[Repositories], R]) -> R:
        return self.system.ask_blocking("reader", Fetch(work=work), timeout=PATIENCE)

    def alarm(self, name: str) -> str | None:
        standing = self.system.alarms.standing()
        return next((alarm.message for alarm in standing if alarm.name == name), None)

    def until_alarm(self, name: str) -> str:
        for _ in range(int(PATIENCE / LOOK)):
            message = self.alarm(name)
            if message is not None:
                return message
            pause(LOOK)
        raise AssertionError(f"there is no alarm {name}")


@pytest.fixture
def keepers(tmp_path: Path) -> Iterator[Keepers]:
    opened = Keepers(tmp_path / "a.sqlite")
    yield opened
    opened.stop()


def padded(name: str) -> Bot:
    return a_bot(name, spec={"pad": "x" * 2000})


def fill(path: Path) -> None:
    before = Keepers(path)
    before.start()
    for number in range(100):
        before.write(lambda r, n=number: r.bots.add(padded(f"b-{n}")))  # type: ignore[misc]
    before.stop()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def test_a_file_that_is_no_database_is_told_by_an_alarm_and_asking_waits_for_a_good_one(
    keepers: Keepers, tmp_path: Path
) -> None:
    good = tmp_path / "good.sqlite"
    fill(good)
    keepers.path.write_bytes(b"not a database" * 1000)

    keepers.start()

    assert "file is not a database" in keepers.until_alarm(ALARM)
    good.replace(keepers.path)
    assert keepers.write(lambda r: r.bots.get("b-7")) is not None
    assert keepers.alarm(ALARM) is None


def test_damage_inside_the_file_is_found_while_the_rest_goes_on(keepers: Keepers) -> None:
    fill(keepers.path)
    damaged = bytearray(keepers.path.read_bytes())
    damaged[-6000:-3000] = b"\x55" * 3000
    keepers.path.write_bytes(damaged)

    keepers.start()

    assert keepers.until_alarm(DAMAGE_ALARM)
    assert keepers.write(lambda r: r.orders.live()) == ()


def test_damage_that_is_met_again_and_again_is_refused_and_sets_nothing_aside(keepers: Keepers) -> None:
    fill(keepers.path)
    damaged = bytearray(keepers.path.read_bytes())
    half = len(damaged) // 2
    damaged[half:] = b"\x55" * (len(damaged) - half)
    keepers.path.write_bytes(damaged)
    keepers.start()

    for _ in range(KILLS):
        with pytest.raises(Unavailable, match="the database is damaged"):
            keepers.write(lambda r: r.bots.list())
        with pytest.raises(Unavailable, match="the database is damaged"):
            keepers.read(lambda r: r.bots.list())

    assert_nothing_is_set_aside(keepers.system)


def test_a_database_server_that_hangs_up_again_and_again_sets_nothing_aside(
    postgresql_url: str, tmp_path: Path
) -> None:
    keepers = Keepers(tmp_path / "unused", postgresql_url)
    keepers.start()

    try:
        for number in range(KILLS):
            keepers.write(lambda r, n=number: r.bots.add(a_bot(f"b-{n}")))  # type: ignore[misc]
            for ask in (keepers.write, keepers.read):
                with pytest.raises(Unavailable, match="can't be reached"):
                    ask(lambda r: r.bots._database.execute_sql("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert len(keepers.write(lambda r: r.bots.list())) == KILLS
        assert_nothing_is_set_aside(keepers.system)
    finally:
        keepers.stop()


def test_a_sound_file_raises_no_alarm(keepers: Keepers) -> None:
    keepers.start()

    inspected = keepers.system.ask_blocking("inspector", InspectDatabase(), timeout=PATIENCE)

    assert inspected is None
    assert keepers.system.alarms.standing() == ()


def test_a_disk_that_is_full_refuses_what_is_written_and_answers_what_is_read(keepers: Keepers) -> None:
    keepers.start()
    keepers.write(lambda r: r.bots.add(padded("first")))
    pages = keepers.write(lambda r: r.bots._database.execute_sql("PRAGMA page_count").fetchone()[0])
    keepers.write(lambda r: r.bots._database.execute_sql(f"PRAGMA max_page_count = {pages}").fetchone())

    with pytest.raises(Unavailable, match="full"):
        for number in range(100):
            keepers.write(lambda r, n=number: r.bots.add(padded(f"b-{n}")))  # type: ignore[misc]

    assert "full" in str(keepers.alarm(ALARM))
    assert keepers.read(lambda r: r.bots.get("first")) is not None
    # The connection was dropped, and with it the bound: there is room again.
    assert keepers.write(lambda r: r.bots.add(padded("last")))
    assert keepers.alarm(ALARM) is None


def test_what_no_column_holds_is_refused_and_ends_nothing(keepers: Keepers) -> None:
    keepers.start()

    for _ in range(4):
        with pytest.raises(Invalid, match="can't hold"):
            keepers.read(lambda r: r.bots._database.execute_sql("SELECT ?", (2**70,)).fetchall())
        with pytest.raises(Invalid, match="can't hold"):
            keepers.write(lambda r: r.bots._database.execute_sql("SELECT ?", (2**70,)).fetchall())
        with pytest.raises(Invalid, match="can't hold"):
            keepers.read(lambda r: r.bots._database.execute_sql("SELECT ?", ("\ud800",)).fetchall())

    assert keepers.read(lambda r: r.bots.get("b")) is None
    for address in ("database", "reader"):
        cell = keepers.system.cell(address)
        assert cell is not None
        assert (cell.incarnation, cell.poison) == (1, {})


def test_work_that_fails_is_undone_and_ends_nothing(keepers: Keepers) -> None:
    keepers.start()

    def fail(r: Repositories) -> None:
        r.bots.add(a_bot("half"))
        raise KeyError("a row that nobody expected")

    for _ in range(4):
        for ask in (keepers.read, keepers.write):
            with pytest.raises(ActorCrashed):
                ask(fail)

    assert keepers.write(lambda r: r.bots.add(a_bot("whole")))
    for address in ("database", "reader"):
        cell = keepers.system.cell(address)
        assert cell is not None
        assert (cell.incarnation, cell.poison) == (1, {})
