"""Who lives in the storm: actors that do everything an actor may do, and write down what they did.

They write it into the `Chronicle` directly and not by way of the kernel, so that an act of the dead is seen.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from aviary.actors.core.actor import Actor
from aviary.actors.core.context import ActorContext
from aviary.actors.core.life import Life
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed, Conflict, Refusal
from kernel_stage import Player, World

NEWS = "news"
"""The topic that every citizen listens to."""

BEAT, ROUND = 2.0, 5.0
"""Seconds between two beats, and between two rounds."""

DEAF_FOR = 20.0
"""Seconds for which a deaf task takes no notice of its cancellation."""


class Word(Message[int]):
    """Is written down at once."""

    n: int


class Query(Message[int]):
    """Is answered with its number, after others had their turn."""

    n: int


class Slow(Message[int]):
    """Is answered with its number by a handler that takes `seconds`."""

    n: int
    seconds: float = 0.0


class Owed(Message[int]):
    """Is answered later, after `seconds`, or never if that is less than 0; the others' turn comes meanwhile."""

    n: int
    seconds: float = 0.0
    end: str = "done"


class Price(Message[int]):
    """The newest of each name counts."""

    n: int
    name: str

    def conflation_key(self) -> Hashable:
        return self.name


class Doom(Message[None]):
    """Ends the life, in one of many ways."""

    n: int
    how: str = "refuse"


class Curse(Doom):
    """Another kind of deadly message, with patience of its own."""

    handler_limit = 0.5


class Errand(Message[str]):
    """Ask somebody else, and wait for the answer or until `patience` is over."""

    n: int
    to: str
    patience: float


class Hire(Message[None]):
    """Have a task of some sort do something in the background."""

    n: int
    what: str
    seconds: float


class Appoint(Message[None]):
    """Send yourself a message once, in `delay` seconds, unless that is taken back."""

    n: int
    delay: float
    taken_back: bool = False


class Cry(Message[None]):
    """Publish news."""

    n: int


class Beat(Message[None]):
    """A duty of the life that is named, every `BEAT` seconds."""

    soul: int


class Round(Message[None]):
    """Another duty, every `ROUND` seconds."""

    soul: int


class Due(Message[None]):
    """An appointment of the life that is named."""

    soul: int
    ticket: int


@dataclass
class Appointment:
    """What became of one."""

    soul: int
    life: Life
    due: float
    taken_back: bool
    kept: int = 0


class Chronicle(World):
    """What the citizens find in their world, and what they did there. `soul` is the number of an object."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.begun: list[tuple[str, int, int]] = []
        """Address, number and soul, in the order in which handling began."""
        self.handled: Counter[int] = Counter()
        """How often the handling of each number came to its end."""
        self.beats: list[tuple[str, int, str, float]] = []
        self.heard: list[int] = []
        self.acts: list[tuple[int, float]] = []
        self.appointments: dict[int, Appointment] = {}
        self.bound: dict[int, Life] = {}
        self.releases: Counter[int] = Counter()
        self.trouble: dict[str, float] = {}
        """Until when a citizen's beats fail."""
        self.factories: defaultdict[str, deque[object]] = defaultdict(deque)
        """What comes of a citizen's next factories; after the last one they make one."""
        self.living: Actor | None = None
        """One that lives already, for the factories that hand out such a one."""
        self.faults: list[str] = []

    def number(self) -> int:
        self.sent += 1
        return self.sent


class Citizen(Player):
    """Does everything that an actor may do."""

    world: Chronicle
    release_timeout = 2.0

    def __init__(self, world: Chronicle) -> None:
        super().__init__(world)
        self.soul = world.made

    # The course of its life

    def bind(self, life: Life, system: ActorContext) -> None:
        super().bind(life, system)
        self.world.bound[self.soul] = life

    async def prepare(self) -> object:
        self.system.bus.subscribe(NEWS, lambda _topic, _news: self.hear())
        self.every(BEAT, Beat(soul=self.soul))
        self.every(ROUND, Round(soul=self.soul), first=0.5)
        self.spawn(self.act(), "act")
        return await super().prepare()

    async def release(self) -> None:
        self.world.releases[self.soul] += 1
        self.try_to_send("while it lets go")
        if self.world.stops.get(self.name) == "deaf":
            await self.be_deaf(DEAF_FOR)
        await super().release()

    async def receive(self, message: Message[Any]) -> object:
        world, soul = self.world, self.soul
        self.check_alive(type(message).__name__)
        match message:
            case Beat() | Round():
                if message.soul != soul:
                    world.faults.append(f"{self.address}: {message!r} of another life than {soul}")
                if self.clock.monotonic() < world.trouble.get(self.name, 0.0):
                    raise OSError("unreachable")
                world.beats.append((self.address, soul, type(message).__name__, self.clock.monotonic()))
                return None
            case Due():
                self.keep(message)
                return None
        world.begun.append((self.address, message.n, soul))  # type: ignore[attr-defined]
        answer: object = None
        match message:
            case Owed():
                return self.defer(self.owe(message))
            case Query():
                await asyncio.sleep(0)
                answer = message.n
            case Slow():
                await asyncio.sleep(message.seconds)
                answer = message.n
            case Word() | Price():
                answer = message.n
            case Doom():
                await self.die(message.how)
                if message.how == "deaf" and not self._bound_life.alive:
                    return "too late, and not told to anybody"
            case Errand():
                answer = await self.run(message)
            case Hire():
                self.hire(message)
            case Appoint():
                self.appoint(message)
            case Cry():
                self.publish(NEWS, message)
            case _:
                raise TypeError(type(message).__name__)
        self.check_alive("the end of a handler")
        world.handled[message.n] += 1
        return answer

    # What it does

    async def die(self, how: str) -> None:
        match how:
            case "deaf":
                await self.be_deaf(DEAF_FOR)
            case "foreign fence":
                raise Fenced
            case "callback":
                asyncio.get_running_loop().call_soon(_exit)
            case _:
                await super().die(how)

    async def owe(self, message: Owed) -> int:
        if message.seconds < 0:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(message.seconds)
        self.check_alive("a deferred answer")
        self.world.handled[message.n] += 1
        match message.end:
            case "error":
                raise ValueError(message.end)
            case "exit":
                raise SystemExit(1)
            case "refuse":
                raise Conflict(message.end)
            case "finish":
                self.finish()
        return message.n

    async def run(self, errand: Errand) -> str:
        query = Query(n=self.world.number())
        try:
            answer = await self.ask(errand.to, query, timeout=errand.patience)
        except (Refusal, ActorCrashed) as no:
            return type(no).__name__
        if answer != query.n:
            self.world.faults.append(f"{query!r} was answered with {answer!r}")
        return "answered"

    def hire(self, message: Hire) -> None:
        self.spawn(getattr(self, f"task_{message.what}")(message.seconds), message.what)

    def appoint(self, message: Appoint) -> None:
        due = self.clock.monotonic() + message.delay
        kept = Appointment(self.soul, self.life, due, message.taken_back)
        self.world.appointments[message.n] = kept
        cancel = self.schedule(message.delay, Due(soul=self.soul, ticket=message.n))
        if message.taken_back:
            cancel()

    def keep(self, due: Due) -> None:
        appointment = self.world.appointments[due.ticket]
        appointment.kept += 1
        if due.soul != self.soul or appointment.soul != self.soul:
            self.world.faults.append(f"{self.address}: {due!r} was kept by {self.soul}")

    def hear(self) -> None:
        if self.system.clock is not None:  # raises `Fenced` if it is no more
            self.world.heard.append(self.soul)

    # In the background

    async def act(self) -> None:
        while True:
            await asyncio.sleep(0.7)
            self.check_alive("a background task")
            self.world.acts.append((self.soul, self.clock.monotonic()))

    async def task_crash(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise ValueError("background")

    async def task_exit(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise SystemExit(2)

    async def task_finish(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.finish()

    async def task_tell(self, seconds: float) -> None:
        for _ in range(5):
            await asyncio.sleep(seconds)
            self.check_alive("a background task")
            self.tell(self.address, Word(n=self.world.number()))

    async def task_deaf(self, seconds: float) -> None:
        await self.be_deaf(DEAF_FOR + seconds)

    async def be_deaf(self, seconds: float) -> None:
        """Go on for a while whatever happens, and try to act once it is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            try:
                await asyncio.sleep(until - loop.time())
            except asyncio.CancelledError:
                self.try_to_send("deaf to its end")
        self.try_to_send("after its end")

    # What it must not

    def check_alive(self, what: str) -> None:
        if not self._bound_life.alive:
            self.world.faults.append(f"{self.address}#{self.incarnation}: {what} went on after the end")

    def try_to_send(self, when: str) -> None:
        if self._bound_life.alive:
            # One that cancels itself is not at its end yet.
            return
        try:
            self.tell(self.address, Word(n=0))
        except Fenced:
            return
        self.world.faults.append(f"{self.address}#{self.incarnation} could send {when}")


class Desk(Citizen):
    """The same, of which a request that fails fails alone."""

    keeps_nothing = True


def _exit() -> None:
    raise SystemExit(4)
