"""A running system on threads of its own, many who send to it at the same time, and ends at any moment.

How much is sent is drawn from a seed and bounded by a count; in what order it happens is the machine's. Whatever that
is, the accounts must be right. Every wait is for something that must come, with a deadline that no sane run reaches.
"""

import asyncio
import itertools
import logging
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import pykka
from aviary.actors.core.actor import Actor, AsyncActor, ThreadActor
from aviary.actors.core.cell import CellSettings
from aviary.actors.core.events import TOPIC, KernelEvent
from aviary.actors.core.exits import Killed
from aviary.actors.core.life import Life, Stop
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Conflict, DeadlineExceeded, Refusal
from aviary.actors.core.system import System
from aviary.supervisors.backoff import IMMEDIATE
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import RestartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from storm_books import Books, kept_books

DEADLINE = 120.0
"""Seconds after which something that must come will not."""

RELEASE_TIMEOUT = 0.2
"""Seconds after which a hung thread that is ended is left behind; nothing here takes time to let go."""

SWITCHES = 1e-5
"""Seconds between two switches of threads: many more than usual, so that more of their orders are seen."""

PRODUCERS = 4

HANGS = 2
"""Hung threads that each producer brings about: they can't be killed, and wait for the end of the storm."""


class Word(Message[int]):
    n: int
    sender: int


class Query(Message[int]):
    n: int
    sender: int


class Owed(Message[int]):
    """Is answered later, where that can be."""

    n: int
    sender: int


class Errand(Message[int]):
    """Ask somebody else, who asks only those further on."""

    n: int
    sender: int
    to: str


class Doom(Message[None]):
    n: int
    sender: int
    how: str


class Hang(Message[None]):
    """Blocks its thread until the storm is over."""

    handler_limit = 0.2

    n: int
    sender: int


class Beat(Message[None]):
    soul: int


class World:
    """What everybody writes down, from whatever thread."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.souls = itertools.count(1)
        self.begun: list[tuple[int, int, int]] = []
        """Soul, sender and number, in the order in which handling began."""
        self.handled: list[int] = []
        self.faults: list[str] = []
        self.over = threading.Event()

    def check_beat(self, beat: Beat, soul: int) -> None:
        if beat.soul != soul:
            self.faults.append(f"{beat!r} of another life than {soul}")


class OnThread(ThreadActor):
    """Has a thread of its own."""

    release_timeout = RELEASE_TIMEOUT

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.soul = next(world.souls)

    def prepare(self) -> None:
        self.every(0.05, Beat(soul=self.soul))

    def receive(self, message: Message[Any]) -> object:
        world = self.world
        if isinstance(message, Beat):
            return world.check_beat(message, self.soul)
        world.begun.append((self.soul, message.sender, message.n))  # type: ignore[attr-defined]
        match message:
            case Doom(how="refuse"):
                raise Conflict("no")
            case Doom(how="exit"):
                raise SystemExit(1)
            case Doom(how="finish"):
                self.finish()
            case Doom():
                raise ValueError(message.how)
            case Errand():
                answer(lambda query: self.ask(message.to, query, timeout=DEADLINE), world, 0)
            case Hang():
                world.over.wait(DEADLINE)
        world.handled.append(message.n)  # type: ignore[attr-defined]
        return message.n  # type: ignore[attr-defined]


class OnLoop(AsyncActor):
    """Runs on a loop, with others."""

    dispatcher = "left"
    release_timeout = RELEASE_TIMEOUT

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.soul = next(world.souls)

    async def prepare(self) -> None:
        self.every(0.05, Beat(soul=self.soul))

    async def receive(self, message: Message[Any]) -> object:
        world = self.world
        if isinstance(message, Beat):
            return world.check_beat(message, self.soul)
        world.begun.append((self.soul, message.sender, message.n))  # type: ignore[attr-defined]
        match message:
            case Owed():
                return self.defer(self.owe(message))
            case Doom(how="refuse"):
                raise Conflict("no")
            case Doom(how="exit"):
                raise SystemExit(1)
            case Doom(how="finish"):
                self.finish()
            case Doom(how="task"):
                self.spawn(self.fail(), "failing")
            case Doom():
                raise ValueError(message.how)
            case Errand():
                query = Query(n=next(world.numbers), sender=0)
                with suppress(Refusal, ActorCrashed):
                    check_answer(world, query, await self.ask(message.to, query, timeout=DEADLINE))
            case Hang():
                await asyncio.get_running_loop().create_future()
        world.handled.append(message.n)  # type: ignore[attr-defined]
        return message.n  # type: ignore[attr-defined]

    async def owe(self, message: Owed) -> int:
        await asyncio.sleep(0.001)
        self.world.handled.append(message.n)
        return message.n

    async def fail(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("background")


class OnAnotherLoop(OnLoop):
    dispatcher = "right"


class OnTheKernelsLoop(OnLoop):
    dispatcher = "kernel"


def answer(ask: Callable[[Query], int], world: World, sender: int) -> None:
    """Ask, and see that the answer, if there is one, is the right one and comes before the deadline."""
    query = Query(n=next(world.numbers), sender=sender)
    try:
        check_answer(world, query, ask(query))
    except DeadlineExceeded as late:
        world.faults.append(f"{query!r} was not answered: {late}")
    except (Refusal, ActorCrashed, pykka.ActorDeadError):
        return


def check_answer(world: World, asked: Query | Owed, got: object) -> None:
    if got != asked.n:
        world.faults.append(f"{asked!r} was answered with {got!r}")


class ThreadStorm:
    """A tree of all kinds of actors, and those who trouble it."""

    def __init__(self, seed: int, books: Books) -> None:
        self.seed = seed
        self.books = books
        self.world = World()
        self.events: list[KernelEvent] = []
        self.futures: list[tuple[pykka.Future[Any], Owed]] = []
        self.system = System.live()
        self.system.bus.subscribe(TOPIC, lambda _topic, event: self.events.append(event))  # type: ignore[arg-type]
        self.leaves: list[str] = []
        chance = Random(seed)
        kinds = [OnThread, OnLoop, OnAnotherLoop, OnTheKernelsLoop, OnThread, OnLoop]
        single = tuple(self.child("", f"a{i}", kind, chance) for i, kind in enumerate(kinds))
        group = SupervisorSpec(
            strategy=chance.choice(["one_for_one", "one_for_all", "rest_for_one"]),
            intensity=None,
            children=tuple(self.child("group/", f"b{i}", kind, chance) for i, kind in enumerate(kinds[:3])),
        )
        nested = ChildSpec(
            "group", lambda: Supervisor(group), kind="supervisor", backoff=IMMEDIATE, settings=SUPERVISOR_SETTINGS
        )
        self.tree = Tree(self.system, SupervisorSpec(intensity=None, children=(*single, nested)))

    def child(self, path: str, name: str, kind: type[Any], chance: Random) -> ChildSpec:
        self.leaves.append(f"{path}{name}")
        settings = CellSettings(
            mailbox=chance.choice([10, 100, 100_000, 100_000]),
            poison_after=chance.choice([2, 1_000_000]),
            poison_quarantine=0.05,
        )
        make: Callable[[], Actor] = lambda: kind(self.world)  # noqa: E731 - typed
        return ChildSpec(name, make, backoff=IMMEDIATE, shutdown=chance.choice([0, 5.0]), settings=settings)

    def on_kernel[R](self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self.system.kernel.loop).result(DEADLINE)

    # The storm

    def run(self, messages: int) -> None:
        """Blow, with so many messages from each producer; then check."""
        self.on_kernel(self.tree.start())
        threads = [
            threading.Thread(target=self.produce, args=(sender, messages), name=f"producer-{sender}", daemon=True)
            for sender in range(1, PRODUCERS + 1)
        ]
        for thread in threads:
            thread.start()
        join(threads)
        self.world.over.set()
        assert self.books.wait_until_settled(DEADLINE) == []
        self.check_that_all_run()
        self.on_kernel(self.tree.stop())
        # Whoever still has to say how something ended is one of these.
        join([thread for thread in threading.enumerate() if thread.name.startswith("actor-")])
        self.system.shutdown()
        self.check()

    def produce(self, sender: int, messages: int) -> None:
        chance = Random(self.seed * PRODUCERS + sender)
        try:
            hangs = {chance.randrange(messages) for _ in range(HANGS)}
            for count in range(messages):
                if count in hangs:
                    self.system.tell(chance.choice(self.leaves), Hang(n=next(self.world.numbers), sender=sender))
                self.act(sender, chance)
        except BaseException as error:
            self.world.faults.append(f"producer {sender}: {error!r}")
            raise

    def act(self, sender: int, chance: Random) -> None:
        system, world = self.system, self.world
        address = chance.choice(self.leaves)
        draw = chance.random()
        if draw < 0.75:
            system.tell(address, Word(n=next(world.numbers), sender=sender))
        elif draw < 0.80:
            answer(lambda query: system.ask_blocking(address, query, timeout=DEADLINE), world, sender)
        elif draw < 0.82:
            # Gives up, sooner than it is answered or not.
            with suppress(Refusal, ActorCrashed):
                system.ask_blocking(address, Query(n=next(world.numbers), sender=sender), timeout=0.0002)
        elif draw < 0.87:
            system.tell(address, Owed(n=next(world.numbers), sender=sender))
        elif draw < 0.91:
            here = chance.randrange(len(self.leaves) - 1)
            to = chance.choice(self.leaves[here + 1 :])
            system.tell(self.leaves[here], Errand(n=next(world.numbers), sender=sender, to=to))
        elif draw < 0.95:
            self.refer(address, sender, chance)
        elif draw < 0.98:
            how = chance.choice(["error", "exit", "finish", "task", "refuse"])
            system.tell(address, Doom(n=next(world.numbers), sender=sender, how=how))
        elif draw < 0.99:
            if (life := self.life(address)) is not None:
                life.end(Killed())
        elif draw < 0.995:
            system.tell(address, Stop())
        else:
            path, _, name = address.rpartition("/")
            for order in (TerminateChild(name=name), RestartChild(name=name)):
                with suppress(Refusal):
                    system.ask_blocking(path or "aviary", order, timeout=DEADLINE)

    def refer(self, address: str, sender: int, chance: Random) -> None:
        """Do what pykka's users do with a reference."""
        if (life := self.life(address)) is None:
            return
        reference = life.actor.actor_ref
        with suppress(pykka.ActorDeadError):
            match chance.randrange(4):
                case 0:
                    reference.tell(Word(n=next(self.world.numbers), sender=sender))
                case 1:
                    owed = Owed(n=next(self.world.numbers), sender=sender)
                    self.futures.append((reference.ask(owed, block=False), owed))
                case 2:
                    answer(lambda query: reference.ask(query, timeout=DEADLINE), self.world, sender)
                case _:
                    reference.stop(block=False)

    def life(self, address: str) -> Life | None:
        cell = self.system.cell(address)
        life = None if cell is None else cell.life
        return life if isinstance(life, Life) else None

    # What must be true

    def check_that_all_run(self) -> None:
        for address in self.leaves:
            path, _, name = address.rpartition("/")
            with suppress(Refusal):
                # Somebody's order to start it may have come before that of somebody else to stop it.
                self.system.ask_blocking(path or "aviary", RestartChild(name=name), timeout=DEADLINE)
            query = Query(n=next(self.world.numbers), sender=0)
            got = self.system.ask_blocking(address, query, timeout=DEADLINE)
            check_answer(self.world, query, got)
        assert self.books.wait_until_settled(DEADLINE) == []

    def check(self) -> None:
        assert self.world.faults == []
        handled = Counter(self.world.handled)
        assert self.books.faults(handled) == []
        self.check_that_tells_add_up(handled)
        for future, owed in self.futures:
            with suppress(Refusal, ActorCrashed, pykka.ActorDeadError):
                check_answer(self.world, Query(n=owed.n, sender=0), future.get(timeout=0))
        assert self.world.faults == []
        self.check_order()
        self.check_lives()
        assert self.system.statistics().dead_letters == self.books.dead_letters()
        assert self.system.statistics().abandoned_threads == 0

    def check_that_tells_add_up(self, handled: Counter[int]) -> None:
        told = [entry for entry in self.books.of(Word, Owed, Errand, Doom, Hang) if entry.envelope.reply is None]
        dead = sum(bool(entry.dead) for entry in told)
        assert dead + sum(not entry.dead and handled[entry.number] for entry in told) == len(told)

    def check_order(self) -> None:
        """Each life begins what one sender sent it in the order of sending."""
        last: defaultdict[tuple[int, int], int] = defaultdict(int)
        for soul, sender, n in self.world.begun:
            # Those of nobody in particular were sent by several.
            if sender:
                assert last[soul, sender] < n, (soul, sender, n)
                last[soul, sender] = n

    def check_lives(self) -> None:
        """Every life that began ended once; entries of several threads may be in either order."""
        starts = Counter((event.address, event.incarnation) for event in self.events if event.kind == "start")
        kinds = {"stop", "crash", "hung"}
        ends = Counter((event.address, event.incarnation) for event in self.events if event.kind in kinds)
        assert {life: count for life, count in (*starts.items(), *ends.items()) if count != 1} == {}
        assert set(starts) - set(ends) == set()
        counts = Counter(event.kind for event in self.events)
        statistics = self.system.statistics()
        assert (counts["crash"], counts["hung"]) == (statistics.crashes, statistics.hung)


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(DEADLINE)
    assert [thread.name for thread in threads if thread.is_alive()] == []


@contextmanager
def thread_storm(seed: int) -> Iterator[ThreadStorm]:
    """A storm that is about to blow."""
    log = logging.getLogger("aviary.kernel")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCHES)
    with kept_books() as books:
        blowing = ThreadStorm(seed, books)
        try:
            yield blowing
        finally:
            blowing.world.over.set()
            blowing.system.shutdown()
            sys.setswitchinterval(interval)
            log.setLevel(level)
