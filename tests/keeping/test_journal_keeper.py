"""The journal's keeper over a real database that crashes, refuses, and is flooded beside."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.actors.core.simulation import Simulation
from aviary.actors.keeping import journal
from aviary.actors.keeping.database import Database
from aviary.actors.keeping.journal import ALARM, Backlog, JournalKeeper
from aviary.actors.messages.database import Transact
from aviary.actors.messages.journal import FlushJournal
from aviary.persistence.database import open_database
from aviary.persistence.journal import Entry
from aviary.persistence.repositories import Repositories
from aviary.supervisors.backoff import IMMEDIATE, Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import RestartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.tree import keep_journal

OUTAGES: dict[str, Callable[[], Exception]] = {
    "crashes": lambda: OSError("the disk is gone"),
    "refuses": lambda: Unavailable("the database can't be reached"),
}


class Die(Message[None]):
    """Ends the child."""


class Drop(Message[None]):
    """Is never handled by anybody."""


class Mortal(AsyncActor):
    def receive(self, message: Any) -> Any:
        if isinstance(message, Die):
            raise ValueError("the crash that matters")
        return super().receive(message)


class Home:
    """A database, its journal, and a child that dies when told to, in one thread on virtual time."""

    def __init__(self, sim: Simulation, path: Path) -> None:
        self.sim = sim
        self.system = sim.system
        self.path = path
        self.trouble: Callable[[], Exception] | None = None
        self.told: list[str] = []
        """The ids of everything that happened."""
        self.system.bus.subscribe("kernel", lambda _topic, event: self.told.append(event.id))  # type: ignore[attr-defined]
        keep_journal(self.system)
        home = self

        class Flaky(Database):
            def receive(self, message: Any) -> Any:
                if home.trouble is not None and isinstance(message, Transact):
                    raise home.trouble()
                return super().receive(message)

        spec = SupervisorSpec(
            park=True,
            intensity=None,
            children=(
                ChildSpec(
                    "database",
                    lambda: Flaky(None, path),
                    backoff=IMMEDIATE,
                    settings=CellSettings(poison_after=10_000),
                ),
                ChildSpec("journal", lambda: JournalKeeper("database"), backoff=Backoff(first=0.2)),
                ChildSpec(
                    "child", Mortal, backoff=IMMEDIATE, settings=CellSettings(poison_after=10_000, mailbox=1)
                ),
            ),
        )
        self.tree = Tree(self.system, spec)
        sim.run(self.tree.start())

    def die(self, times: int = 1) -> None:
        for _ in range(times):
            self.system.tell("child", Die())
            self.sim.settle()

    def drop(self, times: int) -> None:
        for number in range(times):
            self.system.tell(f"nobody-{number}", Drop())

    def stored(self) -> list[Entry]:
        """What is in the journal, oldest first."""
        database = open_database(None, self.path)
        with database:
            return list(Repositories(database).journal.search(limit=100_000).data)[::-1]

    def alarms(self) -> list[str]:
        return [alarm.name for alarm in self.system.alarms.standing()]


@pytest.fixture(params=[0, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    with Simulation(request.param, shuffle=request.param > 0) as sim:
        yield Home(sim, tmp_path / "a.sqlite")


@pytest.mark.parametrize("how", OUTAGES)
def test_a_database_that_is_out_of_order_for_an_hour_costs_nothing_but_delay(home: Home, how: str) -> None:
    home.sim.advance(1.0)
    home.trouble = OUTAGES[how]
    for _ in range(60):
        home.die()
        home.sim.advance(60.0)
    before = len(home.stored())
    cell = home.system.cell("journal")
    assert cell is not None
    assert "events are not being stored" in (cell.degraded or "")

    home.trouble = None
    home.sim.advance(60.0)

    assert Counter(entry.id for entry in home.stored()) == Counter(home.told)
    assert len(home.stored()) >= before + 60 * 3
    assert (cell.incarnation, cell.degraded, cell.poison) == (1, None, {})


def test_a_database_that_is_away_is_tried_ever_more_patiently(home: Home) -> None:
    tries: list[float] = []

    def away() -> Exception:
        tries.append(home.sim.clock.monotonic())
        return Unavailable("away")

    home.sim.advance(1.0)
    home.trouble = away
    home.die()
    home.sim.advance(600.0)

    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps[:4] == pytest.approx([2.0, 4.0, 8.0, 16.0], abs=journal.FLUSH_PERIOD * 1.1)
    assert max(gaps) <= journal.LAST_RETRY + journal.FLUSH_PERIOD * 1.1
    assert len(tries) > 15


def test_a_flood_beside_them_costs_no_crash_no_start_and_no_alarm(home: Home) -> None:
    for number in range(30):
        home.drop(1_000)
        home.die()
        home.system.alarms.raise_(f"alarm-{number}", "trouble")
        home.sim.advance(0.05)
    home.sim.advance(60.0)

    kept = Counter(entry.id for entry in home.stored())
    assert kept == Counter(home.told)
    kinds = Counter(entry.kind for entry in home.stored())
    assert (kinds["crash"], kinds["restart"], kinds["alarm"]) == (30, 30, 30)
    assert kinds["start"] == 30 + len(home.system.tree())


def test_what_does_not_fit_is_counted_in_the_journal_and_dead_letters_go_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.sim.run(home.system.ask("aviary", TerminateChild(name="journal"), timeout=10))
    monkeypatch.setattr(journal, "BUFFERED", 200)
    home.trouble = OUTAGES["refuses"]
    home.sim.run(home.system.ask("aviary", RestartChild(name="journal"), timeout=10))
    home.die(10)
    home.drop(500)
    home.sim.advance(30.0)

    assert home.alarms() == [ALARM]
    home.trouble = None
    home.sim.advance(60.0)

    assert home.alarms() == []
    stored = home.stored()
    missing = set(home.told) - {entry.id for entry in stored}
    told = [entry for entry in stored if entry.address == "journal" and entry.kind == "dead_letter"]
    assert [entry.message_kind for entry in told] == ["KernelEventRecorded"]
    assert told[0].reason.startswith(f"{len(missing)} events are not in the journal")
    assert len(missing) > 300
    assert sum(entry.kind == "crash" for entry in stored) == 10
    assert [
        entry.reason.split(":")[0] for entry in stored if entry.address == ALARM and entry.kind == "alarm"
    ] == [
        "raised",
        "cleared",
    ]


def test_a_journal_that_is_started_anew_writes_nothing_twice(home: Home) -> None:
    home.die(3)
    home.sim.advance(1.0)
    for _ in range(3):
        home.sim.run(home.system.ask("aviary", TerminateChild(name="journal"), timeout=10))
        home.die(2)
        home.sim.run(home.system.ask("aviary", RestartChild(name="journal"), timeout=10))
        home.sim.advance(1.0)

    assert Counter(entry.id for entry in home.stored()) == Counter(home.told)


def test_what_stops_in_an_orderly_shutdown_is_in_the_journal(home: Home) -> None:
    home.sim.advance(1.0)

    home.sim.run(home.tree.stop())

    assert [entry.kind for entry in home.stored() if entry.address == "child"] == ["start", "stop"]


def test_a_full_mailbox_of_work_holds_no_event_up(home: Home) -> None:
    home.sim.advance(1.0)
    cell = home.system.cell("journal")
    assert cell is not None
    for _ in range(cell.mailbox.capacity):
        home.system.tell("journal", FlushJournal())

    home.system.record("operator", "child", reason="it matters")
    home.sim.advance(1.0)

    assert "it matters" in {entry.reason for entry in home.stored()}


def test_a_backlog_never_holds_more_than_its_bound(home: Home) -> None:
    backlog = Backlog(10)
    home.drop(50)
    home.die(20)

    for event in home.system.events():
        backlog.keep(event)
        assert len(backlog) <= 10

    kept = backlog.first(100)
    assert len(kept) == 10
    assert backlog.left_out == len(home.system.events()) - 10
    assert "dead_letter" not in {event.kind for event in kept}
    assert list(kept) == [event for event in home.system.events() if event in kept]
    backlog.written(kept)
    assert not backlog
