"""The way to the database: what reads and what writes do not wait for each other."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.system import System
from aviary.actors.keeping.database import READERS, WRITER
from aviary.actors.keeping.records import Records
from aviary.actors.messages.database import Fetch, Transact
from aviary.persistence.bots import Bot
from aviary.persistence.repositories import Repositories
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from databases import database_children

PATIENCE = 20.0
BOT = Bot(name="b", desired="running", spec={}, created_at=1.0, updated_at=1.0)


class Do(Message[Any]):
    """Run this with the records of an actor."""

    work: Callable[[Records], Any]


class Keeping(AsyncActor):
    """An actor that has something to keep."""

    def receive(self, message: Message[Any]) -> object:
        assert isinstance(message, Do)
        return self.defer(message.work(Records(self)))


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System.live()
    children = (*database_children(tmp_path / "a.sqlite"), ChildSpec("keeping", Keeping))
    tree = Tree(system, SupervisorSpec(children=children))
    asyncio.run_coroutine_threadsafe(tree.start(), system.kernel.loop).result(PATIENCE)
    yield system
    asyncio.run_coroutine_threadsafe(tree.stop(), system.kernel.loop).result(PATIENCE)
    system.shutdown()


class Busy:
    """Something that keeps database threads busy until it is let go."""

    def __init__(self, threads: int) -> None:
        self._begun = threading.Barrier(threads + 1)
        self._let_go = threading.Event()

    def __call__(self, _records: Repositories) -> None:
        self._begun.wait(PATIENCE)
        self._let_go.wait(PATIENCE)

    def wait(self) -> None:
        self._begun.wait(PATIENCE)

    def end(self) -> None:
        self._let_go.set()


def add(records: Records) -> Any:
    return records.write(lambda r: r.bots.add(BOT))


def names(records: Records) -> Any:
    return records.read(lambda r: [bot.name for bot in r.bots.list()])


def do(system: System, work: Callable[[Records], Any]) -> Any:
    return system.ask_blocking("keeping", Do(work=work), timeout=PATIENCE)


def test_what_was_written_is_read(system: System) -> None:
    assert do(system, add)

    assert [do(system, names) for _ in READERS] == [["b"] for _ in READERS]


def test_a_read_does_not_wait_for_a_long_write(system: System) -> None:
    do(system, add)
    busy = Busy(1)
    system.tell(WRITER, Transact(work=busy))
    busy.wait()

    assert do(system, names) == ["b"]
    busy.end()


def test_a_write_does_not_wait_for_long_reads(system: System) -> None:
    busy = Busy(len(READERS))
    for reader in READERS:
        system.tell(reader, Fetch(work=busy))
    busy.wait()

    assert do(system, add)
    busy.end()
