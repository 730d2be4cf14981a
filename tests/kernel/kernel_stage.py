"""Neighbours for the kernel's tests: children that do what they are told, and a stage to put them on.

A child's outside world is its `World`: what it finds there at its starts is scripted by the test, and
what it did is written down there, so that nothing has to survive in a dead child's memory.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from aviary.actors.core.actor import Actor, AsyncActor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.events import KernelEvent
from aviary.actors.core.life import Ignore, Life, Stop
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Conflict
from aviary.actors.core.simulation import Simulation
from aviary.supervisors.backoff import IMMEDIATE, Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import ChildInfo, StartChild, WhichChildren
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

SECOND = Backoff(first=1.0, factor=2.0, cap=8.0, jitter=0.0, reset=60.0)


class Note(Message[int]):
    """Is written down, with the incarnation that handled it; the answer is the incarnation."""

    n: int = 0


class Die(Message[None]):
    """Ends the child from within a handler."""

    how: str = "error"


class Odd(Die):
    """Another kind of deadly message."""


class Work(Message[str]):
    """Is answered later, after `seconds`, or never if that is less than 0."""

    seconds: float
    end: str = "done"


class World:
    """What is outside of the children."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.starts: defaultdict[str, deque[object]] = defaultdict(deque)
        """The outcomes of a child's next starts; after the last one they succeed."""
        self.always: dict[str, object] = {}
        """The outcome of every start that has no other."""
        self.stops: dict[str, object] = {}
        """What a child does when it is to let go."""
        self.made = 0

    def did(self, *words: str) -> list[str]:
        """The names of the children that did one of `words`, in order."""
        return [name for word, name, *_ in self.log if word in words]

    def notes(self, name: str) -> list[tuple[int, int]]:
        """The notes that a child handled, each with the incarnation that did."""
        return [
            (n, life)
            for word, who, n, life in (e for e in self.log if len(e) == 4)
            if who == name and word == "note"
        ]


class Player(AsyncActor):
    """A child that does what it is told."""

    def __init__(self, world: World) -> None:
        super().__init__()
        world.made += 1
        self.world = world
        self.memory: list[int] = []

    @property
    def name(self) -> str:
        return self.address.rsplit("/", 1)[-1]

    async def prepare(self) -> object:
        script = self.world.starts[self.name]
        outcome = script.popleft() if script else self.world.always.get(self.name)
        self.world.log.append(("try", self.name, self.incarnation))
        if outcome == "ignore":
            raise Ignore
        if outcome == "hang":
            await asyncio.get_running_loop().create_future()
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, float):
            await asyncio.sleep(outcome)
            outcome = None
        self.world.log.append(("start", self.name, self.incarnation))
        return outcome

    async def receive(self, message: Message[Any]) -> object:
        match message:
            case Note(n=n):
                self.memory.append(n)
                self.world.log.append(("note", self.name, n, self.incarnation))
                return self.incarnation
            case Die(how=how):
                return await self.die(how)
            case Work(seconds=seconds, end=end):
                return self.defer(self.work(seconds, end))
            case _:
                raise TypeError(type(message).__name__)

    async def work(self, seconds: float, end: str) -> str:
        if seconds < 0:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(seconds)
        if end == "error":
            raise ValueError(end)
        if end == "refuse":
            raise Conflict(end)
        if end == "finish":
            self.finish()
        return end

    async def die(self, how: str) -> None:
        match how:
            case "normal":
                self.finish()
            case "shutdown":
                self.tell(self.address, Stop())
            case "error":
                raise ValueError(how)
            case "exit":
                raise SystemExit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case "cancel":
                raise asyncio.CancelledError
            case "cancel oneself":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            case "task":
                self.spawn(self.work(0, "error"), "failing")  # type: ignore[arg-type]
            case "task exit":
                self.spawn(self.die("exit"), "exiting")
            case "task finish":
                self.spawn(self.work(0, "finish"), "finishing")  # type: ignore[arg-type]
            case "hang":
                await asyncio.get_running_loop().create_future()
            case "refuse":
                raise Conflict(how)
            case _:
                raise AssertionError(how)

    async def release(self) -> None:
        match self.world.stops.get(self.name):
            case float(seconds):
                await asyncio.sleep(seconds)
            case BaseException() as error:
                raise error
        self.world.log.append(("stop", self.name, self.incarnation))


class Stubborn(Player):
    """Is busy in a handler that nobody can end politely."""

    release_timeout = 1.0

    async def die(self, how: str) -> None:
        if how != "busy":
            return await super().die(how)
        await asyncio.get_running_loop().create_future()
        return None


class Stage:
    """A tree in a simulation, with one supervisor `sup` to play with."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.system = sim.system
        self.world = World()
        self.tree = Tree(sim.system, SupervisorSpec(intensity=None))

    def child(self, name: str, make: type[Player] = Player, **more: Any) -> ChildSpec:
        """A child of the stage's world that is restarted at once and knows no poison."""
        more.setdefault("backoff", IMMEDIATE)
        more.setdefault("settings", CellSettings(poison_after=1_000))
        return ChildSpec(name, lambda: make(self.world), **more)

    def children(self, names: str, **more: Any) -> tuple[ChildSpec, ...]:
        return tuple(self.child(name, **more) for name in names.split())

    def nested(self, name: str, spec: SupervisorSpec, **more: Any) -> ChildSpec:
        more.setdefault("backoff", IMMEDIATE)
        return ChildSpec(name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS, **more)

    def up(self, spec: SupervisorSpec, **more: Any) -> ChildInfo:
        """Start the root and, under it, the supervisor: a temporary child, so that its end is seen."""
        if self.system.cell("aviary") is None:
            self.sim.run(self.tree.start())
        more.setdefault("restart", "temporary")
        return self.ask("aviary", StartChild(spec=self.nested("sup", spec, **more)))  # type: ignore[no-any-return]

    def down(self) -> None:
        self.sim.run(self.tree.stop())

    def ask(self, address: str, message: Message[Any], timeout: float = 1_000.0) -> Any:
        return self.sim.run(self.system.ask(address, message, timeout=timeout))

    def tell(self, address: str, message: Message[Any]) -> None:
        self.system.tell(address, message)

    def begin(self, address: str, message: Message[Any]) -> asyncio.Task[Any]:
        """Ask, and don't wait for the answer."""
        task = self.sim.loop.create_task(self.system.ask(address, message, timeout=1_000))
        self.sim.settle()
        return task

    def finish(self, task: asyncio.Task[Any]) -> Any:
        async def wait() -> Any:
            return await task

        return self.sim.run(wait())

    def do(self, address: str, message: Message[Any]) -> None:
        """Tell, and let everything happen that needs no time."""
        self.tell(address, message)
        self.sim.settle()

    def which(self, sup: str = "sup") -> dict[str, str]:
        return {info.name: info.state for info in self.ask(sup, WhichChildren())}

    def lives(self, *names: str) -> list[int]:
        """The incarnations that run now, 0 where none does."""
        found = []
        for name in names:
            cell = self.system.cell(f"sup/{name}")
            found.append(0 if cell is None or cell.life is None else cell.life.number)
        return found

    def exists(self, address: str = "sup") -> bool:
        return self.system.cell(address) is not None

    def events(self, *kinds: str, address: str | None = None) -> list[KernelEvent]:
        return [e for e in self.system.events() if e.kind in kinds and address in {None, e.address}]

    def end_of(self, address: str = "sup") -> str:
        """How the last life of an address ended, as its journal entry says."""
        return self.events("stop", "crash", "hung", address=address)[-1].reason


def life_of(stage: Stage, address: str = "sup/a") -> Life:
    """The present life at an address."""
    cell = stage.system.cell(address)
    assert cell is not None
    assert isinstance(cell.life, Life)
    return cell.life


def one_child(stage: Stage, make: type[Player] = Player, **limits: Any) -> None:
    """Start `sup/a`, alone, with these limits; it knows no poison unless they say so."""
    limits.setdefault("poison_after", 1_000)
    child = stage.child("a", make=make, settings=CellSettings(**limits))
    stage.up(SupervisorSpec(intensity=None, children=(child,)))


def check_journal(events: tuple[KernelEvent, ...]) -> None:
    """Every life that began has one beginning, then one end, then perhaps a next life; every id is new."""
    assert len({event.id for event in events}) == len(events)
    running: dict[str, int] = {}
    for event in events:
        if event.kind == "start":
            assert event.address not in running, event
            running[event.address] = event.incarnation
        elif event.kind in {"stop", "crash", "hung"}:
            life = running.pop(event.address, None)
            # Only a start can fail, or be caught on a loop that is stuck, without having been told.
            assert life == event.incarnation or (life is None and event.kind in {"crash", "hung"}), event


def settings(**more: Any) -> CellSettings:
    return CellSettings(**more)


def returning(answer: object) -> Callable[[], Actor]:
    """A factory that makes something else."""
    return lambda: answer  # type: ignore[return-value]
