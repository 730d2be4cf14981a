"""Every duty of every actor: killed by its own tick until that is set aside, it is done again by itself afterwards."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.accounts import portfolio_history
from aviary.actors.accounts.portfolio_history import PortfolioHistoryKeeper
from aviary.actors.bots.bot import BotActor, Patience
from aviary.actors.bots.store import StoredBot
from aviary.actors.core.actor import Actor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Probe, Simulation
from aviary.actors.keeping import database, disk, journal, service_manager
from aviary.actors.keeping.database import DatabaseInspector
from aviary.actors.keeping.disk import Disk
from aviary.actors.keeping.journal import JournalKeeper
from aviary.actors.keeping.service_manager import ServiceManager
from aviary.actors.markets import feed, feed_registry
from aviary.actors.markets.feed import Feed
from aviary.actors.markets.feed_registry import FeedRegistry
from aviary.actors.messages.bots import CheckPulse
from aviary.actors.messages.database import InspectDatabase
from aviary.actors.messages.feeds import FeedKey
from aviary.actors.messages.journal import FlushJournal
from aviary.actors.messages.portfolio_history import TakeSnapshot, ThinOut
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec

ROOT = Path(__file__).parents[2]
SETTINGS = CellSettings()
INSPECTED = 100.0
"""Seconds between two inspections of the database here; a day of virtual time takes too long."""

BACKOFF = Backoff(first=0.01, cap=0.01, jitter=0.0)


class Store:
    """Of one bot, which is not wanted to run."""

    performance_period = 60.0

    async def load(self, _actor: Actor, name: str) -> StoredBot:
        return StoredBot(name=name, desired="stopped", script_config="none.yml", account="desk")


@dataclass(frozen=True)
class Duty:
    """A duty: whose, by which message, how often, and how long after the start for the first time."""

    message: type[Message[Any]]
    period: float
    make: Callable[[Path], Actor]
    first: float | None = None

    @property
    def begins(self) -> float:
        return self.period if self.first is None else self.first


KEY = FeedKey(kind="order_book", connector="binance", trading_pair="BTC-USDT")
NEVER_DEAD = feed.Patience(stale=1e9, dead=1e9)
PULSE = Patience().pulse

DUTIES = (
    Duty(feed.LookedAtAge, feed.LOOK_PERIOD, lambda _: Feed(KEY, "host", patience=NEVER_DEAD)),
    Duty(feed_registry.SweepDue, feed_registry.SWEEP_PERIOD, lambda _: FeedRegistry(None, "host")),  # type: ignore[arg-type]
    Duty(
        InspectDatabase,
        INSPECTED,
        lambda home: DatabaseInspector(None, home / "a.sqlite"),
        first=0.0,
    ),
    Duty(disk.LookAtDisk, disk.LOOK_PERIOD, lambda home: Disk({home: "*.log"}), first=0.0),
    Duty(service_manager.LookDue, service_manager.LOOK_PERIOD, lambda _: ServiceManager({})),
    Duty(CheckPulse, PULSE, lambda home: BotActor("mm", home, Store(), None)),  # type: ignore[arg-type]
    Duty(FlushJournal, journal.FLUSH_PERIOD, lambda _: JournalKeeper("database")),
    Duty(TakeSnapshot, portfolio_history.LOOK_PERIOD, lambda _: PortfolioHistoryKeeper(), first=5.0),
    Duty(ThinOut, portfolio_history.THIN_PERIOD, lambda _: PortfolioHistoryKeeper(), first=60.0),
)


class Stage:
    """One actor with a duty between neighbours that answer everything, in one thread on virtual time."""

    def __init__(self, sim: Simulation, duty: Duty, home: Path, deaths: int) -> None:
        self.sim = sim
        self.ticks: list[float] = []
        self.deaths = deaths
        """How often the duty is still to kill."""
        spec = SupervisorSpec(
            park=True,
            intensity=None,
            children=(
                ChildSpec("host", Probe),
                ChildSpec("database", Probe),
                ChildSpec("actor", lambda: self.doomed(duty, duty.make(home)), backoff=BACKOFF),
            ),
        )
        sim.run(Tree(sim.system, spec).start())
        cell = sim.system.cell("actor")
        assert cell is not None
        self.cell = cell

    def doomed(self, duty: Duty, actor: Actor) -> Actor:
        receive = actor.receive

        def ticking(message: Any) -> Any:
            if isinstance(message, duty.message):
                self.ticks.append(self.sim.clock.monotonic())
                if self.deaths > 0:
                    self.deaths -= 1
                    raise OSError("the outside world is away")
            return receive(message)

        actor.receive = ticking  # type: ignore[method-assign]
        return actor

    def ticks_in(self, seconds: float) -> int:
        before = len(self.ticks)
        self.sim.advance(seconds)
        return len(self.ticks) - before


@pytest.fixture(autouse=True)
def often_inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "INSPECTION_INTERVAL", INSPECTED)


@pytest.fixture(params=DUTIES, ids=[duty.message.__name__ for duty in DUTIES])
def duty(request: pytest.FixtureRequest) -> Duty:
    found: Duty = request.param
    return found


@pytest.fixture(params=[0, 1, 2], ids=["in order", "shuffled", "shuffled again"])
def sim(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    with Simulation(request.param, shuffle=request.param > 0) as simulation:
        yield simulation


def test_a_duty_that_was_set_aside_is_done_again_by_itself_and_as_often_as_before(
    sim: Simulation, duty: Duty, tmp_path: Path
) -> None:
    stage = Stage(sim, duty, tmp_path, SETTINGS.poison_after)
    sim.advance((duty.begins + 0.1) * SETTINGS.poison_after)
    assert stage.deaths == 0
    assert stage.cell.incarnation == SETTINGS.poison_after + 1

    done = stage.ticks_in(SETTINGS.poison_quarantine + duty.period)

    assert done >= 1
    assert stage.cell.poison == {}
    assert stage.ticks_in(duty.period * 10) == pytest.approx(10, abs=1)
    # Some say that their neighbours are missing here.
    assert stage.cell.state in {"running", "degraded"}
    assert stage.cell.incarnation == SETTINGS.poison_after + 1


def test_a_duty_that_goes_on_killing_is_tried_once_a_quarantine_and_survives_it(
    sim: Simulation, duty: Duty, tmp_path: Path
) -> None:
    stage = Stage(sim, duty, tmp_path, SETTINGS.poison_after + 2)
    sim.advance((duty.begins + SETTINGS.poison_quarantine + 0.1) * (SETTINGS.poison_after + 2))

    assert stage.deaths == 0
    assert stage.cell.poison == {}
    assert stage.ticks_in(duty.period * 10) == pytest.approx(10, abs=1)


def test_a_duty_is_not_done_more_often_after_restarts(sim: Simulation, duty: Duty, tmp_path: Path) -> None:
    stage = Stage(sim, duty, tmp_path, 0)
    for _ in range(5):
        sim.run(sim.system.lives.kill(stage.cell))
        sim.advance(duty.period * 1.5 + 0.1)

    assert stage.cell.incarnation == 6
    assert stage.ticks_in(duty.period * 10) == pytest.approx(10, abs=1)


def calls(*methods: str) -> Iterator[tuple[str, str, ast.Call]]:
    """Calls of a method of `self` in the actors, by file and function."""
    for path in sorted((ROOT / "actors").rglob("*.py")):
        place = path.relative_to(ROOT / "actors")
        if place.parts[0] in {"core", "engine"}:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in methods
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "self"
                ):
                    yield place.as_posix(), function.name, node


def message_of(call: ast.Call) -> str:
    made = call.args[1]
    assert isinstance(made, ast.Call)
    assert isinstance(made.func, ast.Name)
    return made.func.id


def test_every_duty_of_the_product_is_in_this_table() -> None:
    assert {message_of(call) for _, _, call in calls("every")} == {duty.message.__name__ for duty in DUTIES}


def test_duties_are_taken_on_at_the_start() -> None:
    assert [(path, function) for path, function, _ in calls("every") if function != "prepare"] == []


def test_nobody_keeps_the_time_of_a_duty_himself() -> None:
    """What is scheduled once is begun once: in a start, and again only while it did not succeed."""
    scheduled = {(path, function) for path, function, _ in calls("schedule")}

    assert scheduled == {
        ("accounts/registry.py", "prepare"),
        ("bots/registry.py", "prepare"),
        ("bots/registry.py", "_bring_up"),
    }


def test_nobody_tells_himself_what_a_quarantine_would_lose() -> None:
    """A message that is told is dropped while its kind is set aside; one that is scheduled comes afterwards."""
    told = [
        (path, function) for path, function, call in calls("tell") if ast.unparse(call.args[0]) == "self.address"
    ]

    assert told == []
