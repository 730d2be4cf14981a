"""A random tree of citizens, random faults in it, and what must be true when they are over. All of it from a seed."""

import asyncio
import gc
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import pykka
from aviary.actors.core import loop_life
from aviary.actors.core.actor import Actor
from aviary.actors.core.alarms import parked_alarm, poison_alarm
from aviary.actors.core.cell import Cell, CellSettings
from aviary.actors.core.events import TOPIC, KernelEvent
from aviary.actors.core.exits import Killed
from aviary.actors.core.life import Life, Stop
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.core.simulation import Simulation
from aviary.supervisors.backoff import IMMEDIATE, Backoff
from aviary.supervisors.messages import (
    DeleteChild,
    Reconfigure,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from kernel_stage import Stage, check_journal
from storm_books import Books, kept_books
from storm_citizens import (
    BEAT,
    NEWS,
    ROUND,
    Appoint,
    Chronicle,
    Citizen,
    Cry,
    Curse,
    Desk,
    Doom,
    Errand,
    Hire,
    Owed,
    Price,
    Query,
    Slow,
    Word,
)

STORM = 20.0
"""Virtual seconds of faults."""

CALM = 300.0
"""Virtual seconds after which everything runs again: deaf tasks, hung handlers, some stops, and the longest backoff for
each of a mailbox's messages that ends a life."""

WATCH = 20.0
"""Virtual seconds in which everybody is seen to do its duty in the end."""

MAX_DEFERRED = 40
"""Instead of the kernel's own bound, which would take too long to reach."""

MAILBOXES = (1, 3, 20, loop_life.TURN, loop_life.TURN + 1, 500, 500, 500, 1_000, 1_000)

DOOMS = (
    "error",
    "exit",
    "interrupt",
    "cancel",
    "cancel oneself",
    "task",
    "task exit",
    "task finish",
    "normal",
    "shutdown",
    "callback",
    "foreign fence",
    "refuse",
    "hang",
    "deaf",
)

ENDS = ("kill", "stall", "stop", "reference", "doom", "curse", "task", "terminate", "finish")
"""What may end a life beside a burst."""

HARMLESS: dict[str, Callable[[int], Message[Any]]] = {
    "Word": lambda n: Word(n=n),
    "Query": lambda n: Query(n=n),
    "Slow": lambda n: Slow(n=n),
    "Owed": lambda n: Owed(n=n),
    "Price": lambda n: Price(n=n, name="last"),
    "Doom": lambda n: Doom(n=n),
    "Curse": lambda n: Curse(n=n),
    "Errand": lambda n: Errand(n=n, to="nobody", patience=1.0),
    "Hire": lambda n: Hire(n=n, what="tell", seconds=0.0),
    "Appoint": lambda n: Appoint(n=n, delay=0.0),
    "Cry": lambda n: Cry(n=n),
}
"""One of each kind that kills nobody, by which a kind is pardoned."""

EXPECTED_NOES = {
    "ActorCrashed",
    "Conflict",
    "DeadlineExceeded",
    "Invalid",
    "NoAnswer",
    "NotFound",
    "Unavailable",
    "cancelled",
}


class Storm:
    """A random tree, and random faults in it."""

    def __init__(self, sim: Simulation, seed: int, books: Books) -> None:
        self.sim = sim
        self.chance = Random(seed)
        self.books = books
        self.stage = Stage(sim)
        self.world = self.stage.world = Chronicle()
        self.system = sim.system
        self.loop_errors: list[str] = []
        sim.loop.set_exception_handler(lambda _loop, context: self.loop_errors.append(repr(context)))
        self.events: list[KernelEvent] = []
        self.system.bus.subscribe(TOPIC, self.note)
        self.leaves: list[str] = []
        self.crowd: list[str] = []
        self.specs: dict[str, SupervisorSpec] = {}
        self.asked: list[asyncio.Task[str]] = []
        self.beside: list[asyncio.Task[None]] = []
        self.references: list[tuple[pykka.Future[Any], int | None]] = []
        children = tuple(self.random_child(f"c{i}", "sup", 2) for i in range(3))
        self.specs["sup/crowd"] = SupervisorSpec(dynamic=True, intensity=2, period=5.0)
        crowd = self.stage.nested("crowd", self.specs["sup/crowd"], backoff=Backoff(0.1, cap=5.0))
        self.specs["sup"] = SupervisorSpec(park=True, intensity=4, period=20.0, children=(*children, crowd))
        self.stage.up(self.specs["sup"])

    def note(self, _topic: str, event: object) -> None:
        assert isinstance(event, KernelEvent)
        self.events.append(event)

    @property
    def now(self) -> float:
        return self.system.clock.monotonic()

    # The tree

    def random_child(self, name: str, parent: str, depth: int) -> ChildSpec:
        chance, address = self.chance, f"{parent}/{name}"
        backoff = chance.choice([IMMEDIATE, Backoff(0.1, cap=5.0), Backoff(1.0, cap=8.0, reset=20.0)])
        if depth and chance.random() < 0.55:
            names = [f"{name}-{i}" for i in range(chance.randint(1, 3))]
            self.specs[address] = SupervisorSpec(
                strategy=chance.choice(["one_for_one", "one_for_all", "rest_for_one"]),
                intensity=chance.randint(1, 4),
                children=tuple(self.random_child(inner, address, depth - 1) for inner in names),
            )
            return self.stage.nested(name, self.specs[address], backoff=backoff)
        self.leaves.append(address)
        return self.random_leaf(name, chance.choice(["permanent", "transient"]), backoff)

    def random_leaf(self, name: str, restart: Any, backoff: Backoff) -> ChildSpec:
        chance = self.chance
        return ChildSpec(
            name,
            self.factory_of(name, Desk if chance.random() < 0.25 else Citizen),
            restart=restart,
            backoff=backoff,
            shutdown=chance.choice([0, 1.0, 5.0]),
            start_timeout=3.0,
            settings=self.random_settings(),
        )

    def random_settings(self) -> CellSettings:
        chance = self.chance
        return CellSettings(
            mailbox=chance.choice(MAILBOXES),
            handler_limit=chance.choice([1.0, 5.0]),
            poison_after=chance.choice([1, 2, 3]),
            poison_quarantine=chance.choice([0.0, 0.5, 5.0]),
        )

    def factory_of(self, name: str, kind: type[Citizen]) -> Callable[[], Actor]:
        world = self.world

        def make() -> Any:
            script = world.factories[name]
            match script.popleft() if script else None:
                case None:
                    return kind(world)
                case BaseException() as error:
                    raise error
                case "living":
                    return world.living
                case other:
                    return other

        return make

    # The faults

    async def blow(self) -> None:
        until = self.now + STORM
        operator = self.sim.loop.create_task(self.operate())
        while self.now < until:
            for _ in range(self.chance.randint(1, 6)):
                self.strike()
            await asyncio.sleep(self.chance.choice([0.0, 0.01, 0.3, 1.0]))
        operator.cancel()

    async def operate(self) -> None:
        """Start again and again what rests, or the storm would soon meet nobody."""
        while True:
            await asyncio.sleep(2.0)
            for address in self.leaves:
                parent, name = address.rsplit("/", 1)
                cell = self.system.cell(address)
                if cell is not None and cell.state in {"stopped", "parked"}:
                    with suppress(Refusal):
                        await self.system.ask(parent, RestartChild(name=name), timeout=0.5)

    def strike(self) -> None:
        chance = self.chance
        address = chance.choice(self.crowd if self.crowd and chance.random() < 0.15 else self.leaves)
        parent, name = address.rsplit("/", 1)
        match chance.randrange(24):
            case 0:
                self.burst(address)
            case 1:
                self.debts(address)
            case 2 | 3:
                self.tell(address, Doom(n=self.world.number(), how=chance.choice(DOOMS)))
            case 4:
                self.end(address)
            case 5:
                self.at_any_moment(lambda: self.end(address))
            case 6:
                bad: list[object] = [ValueError("start"), SystemExit(1), asyncio.CancelledError(), "hang", 0.5]
                self.world.starts[name].append(chance.choice([*bad, "ignore"]))
            case 7:
                self.world.stops[name] = chance.choice([ValueError("stop"), 0.5, 20.0, "deaf"])
            case 8:
                worse: list[object] = [ValueError("made"), SystemExit(1), KeyboardInterrupt(), "living", "nothing"]
                self.world.factories[name].append(chance.choice(worse))
            case 9:
                orders = (TerminateChild(name=name), RestartChild(name=name), DeleteChild(name=name))
                # Only what comes and goes is forgotten for good.
                self.ask(parent, chance.choice(orders if address in self.crowd else orders[:2]), 30.0)
            case 10:
                self.reconfigure()
            case 11:
                self.gather()
            case 12:
                what = chance.choice(["crash", "exit", "finish", "tell", "deaf"])
                seconds = chance.choice([0.0, 0.2, 2.0])
                self.tell(address, Hire(n=self.world.number(), what=what, seconds=seconds))
            case 13:
                for _ in range(chance.randint(1, 5)):
                    delay, back = chance.choice([0.0, 0.3, 3.0]), chance.random() < 0.2
                    self.tell(address, Appoint(n=self.world.number(), delay=delay, taken_back=back))
            case 14:
                self.world.trouble[name] = self.now + chance.choice([1.0, 8.0])
            case 15:
                self.refer(address)
            case 16:
                errand = Errand(
                    n=self.world.number(), to=chance.choice(self.leaves), patience=chance.choice([0.1, 3.0])
                )
                self.tell(address, errand)
            case 17:
                self.tell(address, Cry(n=self.world.number()))
            case 18:
                waiting = [task for task in self.asked if not task.done()]
                for task in chance.sample(waiting, min(len(waiting), 5)):
                    task.cancel()
            case 19 | 20 | 21:
                self.query(address, chance.choice([0.01, 1.0, 20.0]))
            case _:
                self.tell(address, Word(n=self.world.number()))

    def burst(self, address: str) -> None:
        """More than one turn of messages at once, and ends before, among and beside them."""
        chance, number = self.chance, self.world.number
        ends = {chance.randrange(300) for _ in range(3)}
        for _ in range(chance.randint(0, 2)):
            self.at_any_moment(lambda: self.end(address))
        for n in range(chance.randint(100, 300)):
            if n in ends:
                self.end(address)
            match chance.randrange(20):
                case 0:
                    self.query(address, chance.choice([0.01, 1.0, 20.0]))
                case 1:
                    seconds = chance.choice([0.0, 0.2, 2.0])
                    self.tell(address, Owed(n=number(), seconds=seconds, end=chance.choice(["done", "refuse"])))
                case 2 | 3:
                    self.tell(address, Price(n=number(), name=chance.choice("ab")))
                case 4:
                    self.tell(address, Slow(n=number(), seconds=chance.choice([0.0, 0.01])))
                case _:
                    self.tell(address, Word(n=number()))

    def debts(self, address: str) -> None:
        """Many answers are owed when the end comes, or it comes before; some more than may be owed."""
        chance = self.chance
        for _ in range(chance.choice([10, MAX_DEFERRED + 20])):
            end = "done" if chance.random() < 0.95 else chance.choice(["error", "refuse", "exit", "finish"])
            owed = {"seconds": chance.choice([0.0, 0.2, 2.0, -1.0]), "end": end}
            self.ask(address, Owed, chance.choice([0.5, 20.0]), **owed)
        if chance.random() < 0.7:
            self.at_any_moment(lambda: self.end(address))

    def at_any_moment(self, happen: Callable[[], None]) -> None:
        turns, seconds = self.chance.choice([0, 1, 2, 3, 5, 10, 20]), self.chance.choice([0.0, 0.0, 0.1, 1.0])

        async def later() -> None:
            await asyncio.sleep(seconds)
            for _ in range(turns):
                await asyncio.sleep(0)
            happen()

        self.beside.append(self.sim.loop.create_task(later()))

    def end(self, address: str) -> None:
        """End the present life of an address in some way, if it has one."""
        chance, number = self.chance, self.world.number
        parent, name = address.rsplit("/", 1)
        cell = self.system.cell(address)
        life = None if cell is None else cell.life
        match chance.choice(ENDS):
            case "kill" if life is not None:
                life.end(Killed())
            case "stall" if isinstance(life, Life):
                self.system.endings.stall(life, "work", 10.0)
            case "stop":
                self.system.tell(address, Stop())
            case "reference" if isinstance(life, Life) and life.alive:
                self.references.append((life.actor.actor_ref.stop(block=False), None))
            case "doom":
                self.tell(address, Doom(n=number(), how=chance.choice(DOOMS)))
            case "curse":
                self.tell(address, Curse(n=number(), how=chance.choice(DOOMS)))
            case "task":
                self.tell(address, Hire(n=number(), what="crash", seconds=0.0))
            case "terminate":
                self.ask(parent, TerminateChild(name=name), 30.0)
                self.ask(parent, RestartChild(name=name), 30.0)
            case "finish":
                self.tell(address, Doom(n=number(), how="normal"))

    def refer(self, address: str) -> None:
        """Do what pykka's users do with a reference to the present life."""
        chance, number = self.chance, self.world.number
        cell = self.system.cell(address)
        life = None if cell is None else cell.life
        if not isinstance(life, Life) or not life.alive:
            return
        self.world.living = life.actor  # type: ignore[assignment]
        reference = life.actor.actor_ref
        for _ in range(chance.randint(1, 8)):
            n = number()
            match chance.randrange(3):
                case 0:
                    reference.tell(Word(n=n))
                case 1:
                    self.references.append((reference.ask(Query(n=n), block=False), n))
                case _:
                    future = reference.ask(Owed(n=n, seconds=chance.choice([0.0, 1.0])), block=False)
                    self.references.append((future, n))
                    if chance.random() < 0.3:
                        # What a blocking ask does when its time-out is over.
                        future.give_up()  # type: ignore[attr-defined]
        if chance.random() < 0.3:
            self.references.append((reference.stop(block=False), None))

    def reconfigure(self) -> None:
        """Give a supervisor another spec with the same children, in another order and with other settings."""
        chance = self.chance
        address = chance.choice(list(self.specs))
        old = self.specs[address]
        children = [
            replace(child, settings=self.random_settings(), shutdown=chance.choice([0, 1.0, 5.0]))
            if child.kind == "worker"
            else child
            for child in old.children
        ]
        chance.shuffle(children)
        self.ask(address, Reconfigure(spec=replace(old, children=tuple(children))), 30.0)

    def gather(self) -> None:
        """Have one more in the crowd, or one that bears the name of one that was there before."""
        name = f"d{self.chance.randrange(6)}"
        leaf = self.random_leaf(name, self.chance.choice(["permanent", "transient", "temporary"]), IMMEDIATE)
        if f"sup/crowd/{name}" not in self.crowd:
            self.crowd.append(f"sup/crowd/{name}")
        self.ask("sup/crowd", StartChild(spec=leaf), 30.0)

    # Sending

    def tell(self, address: str, message: Message[Any]) -> None:
        self.system.tell(address, message)

    def query(self, address: str, timeout: float) -> None:
        self.ask(address, Query, timeout)

    def ask(
        self, address: str, what: Message[Any] | Callable[..., Message[Any]], timeout: float, **more: Any
    ) -> None:
        async def ask() -> str:
            # Numbered when it is sent, for the order of numbers is the order of sending.
            message = what if isinstance(what, Message) else what(n=self.world.number(), **more)
            try:
                answer = await self.system.ask(address, message, timeout=timeout)
            except (Refusal, ActorCrashed) as no:
                return type(no).__name__
            except asyncio.CancelledError:
                return "cancelled"
            if isinstance(message, Query | Owed) and answer != message.n:
                self.world.faults.append(f"{message!r} was answered with {answer!r}")
            return "answered"

        self.asked.append(self.sim.loop.create_task(ask()))

    # Afterwards

    def end_of_faults(self) -> None:
        world = self.world
        for what in (world.starts, world.stops, world.factories, world.trouble):
            what.clear()

    async def rise(self) -> None:
        """What an operator does after a storm: start what was parked or stopped."""
        for _ in range(4):
            for sup in self.specs:
                try:
                    for info in await self.system.ask(sup, WhichChildren(), timeout=60.0):
                        if info.state in {"parked", "absent"}:
                            await self.system.ask(sup, RestartChild(name=info.name), timeout=60.0)
                except Refusal:
                    continue

    def citizens(self) -> list[Cell]:
        """Every address of a citizen that exists."""
        return [cell for cell in self.system.cells() if cell.kind == "worker"]

    async def pardon(self) -> None:
        """Let each kind that is on probation be handled well, one after the other: some mailboxes are small."""
        for cell in self.citizens():
            for kind in tuple(cell.poison):
                if (harmless := HARMLESS.get(kind.__name__)) is not None:
                    with suppress(Refusal):
                        await self.system.ask(cell.address, harmless(self.world.number()), timeout=5.0)

    # What must be true

    def run(self) -> None:
        """Blow, calm down, rise, and check."""
        self.sim.run(self.blow())
        self.end_of_faults()
        self.sim.advance(CALM)
        self.check_that_all_run_but_those_set_aside()
        self.sim.run(self.rise())
        self.sim.advance(CALM)
        self.check_that_all_run()
        self.check_alarms()
        self.check_duties()
        self.check_answers()
        self.check_order()
        self.check_counts()
        self.stage.down()
        self.sim.settle()
        self.check_that_nothing_is_left()

    def check_that_all_run_but_those_set_aside(self) -> None:
        resting = {cell.address for cell in self.system.tree() if cell.state in {"parked", "stopped"}}
        states = {cell.address: cell.state for cell in self.system.tree() if cell.address not in resting}
        assert set(states.values()) == {"running"}, states
        parked = {cell.address for cell in self.system.tree() if cell.state == "parked"}
        alarms = {alarm.name for alarm in self.system.alarms.standing() if alarm.name.startswith("parked")}
        assert alarms == {parked_alarm(address) for address in parked}

    def check_that_all_run(self) -> None:
        assert {cell.address: cell.state for cell in self.system.tree() if cell.state != "running"} == {}
        assert {*self.leaves, *self.specs} <= {cell.address for cell in self.system.cells()}
        for cell in self.citizens():
            n = self.world.number()
            assert self.stage.ask(cell.address, Query(n=n), timeout=1.0) == n

    def check_alarms(self) -> None:
        """What stands, stands for a reason, and goes with it."""
        assert self.poison_alarms() == {
            poison_alarm(cell.address, kind) for cell in self.system.cells() for kind in cell.poison
        }
        self.sim.run(self.pardon())
        self.sim.advance(10.0)
        assert {cell.address: cell.poison for cell in self.system.cells() if cell.poison} == {}
        assert self.system.alarms.standing() == ()

    def poison_alarms(self) -> set[str]:
        return {alarm.name for alarm in self.system.alarms.standing() if alarm.name.startswith("poison")}

    def check_duties(self) -> None:
        """Each present life does all of its duties, and acts and listens, once; no other does anything."""
        world = self.world
        present = {life.actor.soul: cell.address for cell in self.citizens() if (life := cell.life) is not None}  # type: ignore[attr-defined]
        assert len(present) == len(self.citizens())
        beats, acts = len(world.beats), len(world.acts)
        self.sim.advance(WATCH)
        for period, word in ((BEAT, "Beat"), (ROUND, "Round")):
            done = Counter(soul for _, soul, what, _ in world.beats[beats:] if what == word)
            assert set(done) == set(present), (word, done, present)
            wrong = {present[soul]: count for soul, count in done.items() if abs(count - WATCH / period) > 1}
            assert wrong == {}, word
        assert {soul for soul, _ in world.acts[acts:]} == set(present)
        world.heard.clear()
        self.system.bus.publish(NEWS, None)
        assert Counter(world.heard) == Counter(list(present)), "some did not listen, or twice, or after their end"
        self.check_pace()
        for n, appointment in world.appointments.items():
            lives = appointment.life.alive
            expected = {0} if appointment.taken_back else {1} if lives else {0, 1}
            assert appointment.kept in expected, (n, appointment)

    def check_pace(self) -> None:
        """No life ever had more of a duty than its time has room for."""
        done: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
        for _, soul, word, at in self.world.beats:
            done[soul, word].append(at)
        for (soul, word), times in done.items():
            period = BEAT if word == "Beat" else ROUND
            # The first of them may have waited for its handling.
            assert len(times) <= (times[-1] - times[0]) / period + 2, (soul, word, times)

    def check_answers(self) -> None:
        assert [task for task in (*self.asked, *self.beside) if not task.done()] == []
        # One that is cancelled before its first step has asked nothing.
        outcomes = {task.result() for task in self.asked if not task.cancelled()}
        assert outcomes - {"answered"} <= EXPECTED_NOES
        assert [task for task in self.beside if task.exception() is not None] == []
        for future, n in self.references:
            if getattr(future, "given_up", False):
                continue
            try:
                answer = future.get(timeout=0)
            except (Refusal, ActorCrashed, pykka.ActorDeadError):
                continue
            assert n is None or answer == n
        assert self.world.faults == []
        assert self.loop_errors == []

    def check_order(self) -> None:
        """What is sent to an address is begun in that order, whichever life does it; prices bear newer numbers."""
        replaced = {entry.number for entry in self.books.of(Price)}
        last: dict[str, int] = {}
        for address, n, soul in self.world.begun:
            if n not in replaced:
                assert last.get(address, 0) < n, (address, n, soul)
                last[address] = n

    def check_counts(self) -> None:
        check_journal(tuple(self.events))
        kinds = Counter(event.kind for event in self.events)
        counts = self.system.statistics()
        assert (kinds["crash"], kinds["hung"]) == (counts.crashes, counts.hung)
        told = sum(event.count for event in self.events if event.kind == "dead_letter")
        assert told == counts.dead_letters == self.books.dead_letters()
        assert (counts.abandoned_tasks, counts.abandoned_threads) == (0, 0)

    def check_that_nothing_is_left(self) -> None:
        world, books = self.world, self.books
        assert self.system.tree() == ()
        assert books.faults(world.handled) == []
        prices = [entry for entry in books.of(Price) if not entry.was_replaced]
        dead = sum(len(entry.dead) for entry in prices)
        handled = sum(world.handled[entry.number] for entry in books.of(Price))
        assert handled + dead == len(prices)
        badly = {soul: world.releases[soul] for soul in world.bound if world.releases[soul] != 1}
        assert badly == {}, [
            (times, world.bound[soul].cell.address, world.bound[soul].reason) for soul, times in badly.items()
        ]
        # What was never retrieved tells so when it is collected.
        gc.collect()
        assert self.loop_errors == []
        assert [task for task in asyncio.all_tasks(self.sim.loop) if not task.done()] == []
        assert [ref for ref in pykka.ActorRegistry.get_all() if ref.actor_class in {Citizen, Desk}] == []
        assert self.system.bus.has_subscribers(NEWS) is False or self.ends_listening()

    def ends_listening(self) -> bool:
        """Whether the listeners of the dead go at the next news."""
        self.world.heard.clear()
        self.system.bus.publish(NEWS, None)
        return not self.world.heard and not self.system.bus.has_subscribers(NEWS)


@contextmanager
def storm(seed: int) -> Iterator[Storm]:
    """A storm that is about to blow."""
    log = logging.getLogger("aviary.kernel")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with (
            patch.object(loop_life, "MAX_DEFERRED", MAX_DEFERRED),
            kept_books(threading.get_ident()) as books,
            Simulation(seed, shuffle=True) as sim,
        ):
            yield Storm(sim, seed, books)
    finally:
        log.setLevel(level)


def record_of(seed: int) -> tuple[list[KernelEvent], list[tuple[str, int, int]]]:
    """The events of a storm, and what its citizens began, in order."""
    with storm(seed) as blowing:
        blowing.run()
        # A traceback names addresses in memory.
        events = [event.model_copy(update={"detail": ""}) for event in blowing.events]
        return events, list(blowing.world.begun)
