"""What the kernel costs, as ratios measured in one run: `python benchmarks/kernel.py`.

Each figure is the best of several rounds, since what disturbs a measurement only ever adds to it.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pykka
import uvloop
from aviary.actors.core.actor import AsyncActor, ThreadActor
from aviary.actors.core.dispatcher import LoopDispatcher
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import ActorCrashed
from aviary.actors.core.system import System
from aviary.config.clock import SystemClock
from aviary.supervisors.backoff import IMMEDIATE
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import CountChildren, StartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

ROUNDS = 3
ASKS = 20_000
THREAD_ASKS = 3_000
DEADLINE = 300.0

CLOCK = SystemClock()


class Ping(Message[int]):
    """Is answered with the incarnation."""


class Knock(Message[None]):
    """Is told, and does nothing."""


class Die(Message[None]):
    """Kills."""


class AskMany(Message[float]):
    """Asks the echo at `address` so many times, one after the other; the answer is the seconds it took."""

    handler_limit = DEADLINE

    address: str
    count: int


class Echo(AsyncActor):
    """Answers at once."""

    def receive(self, message: Message[Any]) -> int:
        """Answer a ping."""
        if isinstance(message, Ping | Knock):
            return self.incarnation
        raise ValueError("killed")


class FarEcho(Echo):
    """The same on another loop."""

    dispatcher = "feeds"


class ThreadEcho(ThreadActor):
    """The same with a thread."""

    def receive(self, message: Message[Any]) -> int:
        """Answer a ping."""
        if isinstance(message, Ping):
            return self.incarnation
        raise ValueError("killed")


class Asker(AsyncActor):
    """Measures how long asks take, from a loop of actors."""

    async def receive(self, message: AskMany) -> float:
        """Ask so many times."""
        ping = Ping()
        begin = CLOCK.monotonic()
        for _ in range(message.count):
            await self.ask(message.address, ping, timeout=10)
        return CLOCK.monotonic() - begin


class PlainPykka(pykka.ThreadingActor):
    """pykka as it comes."""

    def on_receive(self, message: object) -> object:
        """Answer anything."""
        return message


async def queue_round_trips(count: int) -> float:
    """Seconds for `count` round trips between two tasks over two bare queues."""
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()

    async def echo() -> None:
        while True:
            await back.put(await there.get())

    task = asyncio.ensure_future(echo())
    begin = CLOCK.monotonic()
    for _ in range(count):
        await there.put(1)
        await back.get()
    seconds = CLOCK.monotonic() - begin
    task.cancel()
    return seconds


async def hops(count: int, other: asyncio.AbstractEventLoop) -> float:
    """Seconds for `count` bare round trips to another loop's thread and back."""
    loop = asyncio.get_running_loop()
    begin = CLOCK.monotonic()
    for _ in range(count):
        future = loop.create_future()
        other.call_soon_threadsafe(loop.call_soon_threadsafe, future.set_result, 1)
        await future
    return CLOCK.monotonic() - begin


def thread_hops(count: int) -> float:
    """Seconds for `count` bare round trips between two threads over two queues."""
    there: queue.SimpleQueue[int] = queue.SimpleQueue()
    back: queue.SimpleQueue[int] = queue.SimpleQueue()

    def echo() -> None:
        while (item := there.get()) >= 0:
            back.put(item)

    threading.Thread(target=echo, daemon=True).start()
    begin = CLOCK.monotonic()
    for _ in range(count):
        there.put(1)
        back.get()
    seconds = CLOCK.monotonic() - begin
    there.put(-1)
    return seconds


class Bench:
    """A live tree to measure."""

    def __init__(self) -> None:
        self.system = System.live()
        self.tree = Tree(self.system, SupervisorSpec(intensity=None))
        self.on_kernel(self.tree.start())
        for name, kind in (("asker", Asker), ("echo", Echo), ("far", FarEcho), ("thread", ThreadEcho)):
            self.ask("aviary", StartChild(spec=ChildSpec(name, kind, backoff=IMMEDIATE)))

    def on_kernel[R](self, work: Coroutine[Any, Any, R]) -> R:
        """Run on the kernel's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.system.kernel.loop).result(DEADLINE)

    def ask(self, address: str, message: Message[Any]) -> Any:
        """Ask from this thread."""
        return self.system.ask_blocking(address, message, timeout=DEADLINE)

    def rate(self, address: str, count: int) -> float:
        """Asks per second from an actor to another."""
        return count / min(self.ask("asker", AskMany(address=address, count=count)) for _ in range(ROUNDS))

    def blocking_rate(self, address: str, count: int) -> float:
        """Asks per second from this thread."""

        def once() -> float:
            ping = Ping()
            begin = CLOCK.monotonic()
            for _ in range(count):
                self.system.ask_blocking(address, ping, timeout=10)
            return CLOCK.monotonic() - begin

        return count / min(once() for _ in range(ROUNDS))

    def restart(self, count: int) -> float:
        """Seconds from asking a fatal message to the answer of the next life."""

        def once() -> float:
            begin = CLOCK.monotonic()
            try:
                self.ask("victim", Die())
            except ActorCrashed:
                self.ask("victim", Ping())
            return CLOCK.monotonic() - begin

        limits = SUPERVISOR_SETTINGS.__class__(poison_after=1_000_000)
        self.ask("aviary", StartChild(spec=ChildSpec("victim", Echo, backoff=IMMEDIATE, settings=limits)))
        times = sorted(once() for _ in range(count))
        return times[count // 2]

    def many(self, count: int, *, dynamic: bool) -> tuple[float, float]:
        """Seconds to start, and to stop, so many children."""
        children = tuple(ChildSpec(f"c{i}", Echo) for i in range(count))
        spec = SupervisorSpec(dynamic=dynamic, children=children)
        child = ChildSpec(
            "many", lambda: Supervisor(spec), kind="supervisor", restart="temporary", settings=SUPERVISOR_SETTINGS
        )
        begin = CLOCK.monotonic()
        self.ask("aviary", StartChild(spec=child))
        started = CLOCK.monotonic()
        assert self.ask("many", CountChildren()).active == count
        middle = CLOCK.monotonic()
        self.ask("aviary", TerminateChild(name="many"))
        return started - begin, CLOCK.monotonic() - middle

    def held_up(self, work: Callable[[], object]) -> float:
        """The longest that a bystander waited for an answer, in seconds, while `work` was done."""
        worst, over = 0.0, threading.Event()

        def ask() -> None:
            nonlocal worst
            while not over.is_set():
                for address in ("echo", "calm"):
                    begin = CLOCK.monotonic()
                    self.ask(address, Ping() if address == "echo" else CountChildren())
                    worst = max(worst, CLOCK.monotonic() - begin)
                over.wait(0.002)

        asking = threading.Thread(target=ask)
        asking.start()
        work()
        over.set()
        asking.join()
        return worst

    def bystanders(self) -> tuple[float, float, float]:
        """How long bystanders are held up by nothing, by the stop of 10,000 and by the crash of 1,000 at once."""
        self.start_many("calm", 0)
        self.start_many("crowd", 10_000)
        idle = self.held_up(lambda: threading.Event().wait(1.0))
        stop = self.held_up(lambda: self.ask("aviary", TerminateChild(name="crowd")))
        self.start_many("doomed", 1_000)

        def crash() -> None:
            for i in range(1_000):
                self.system.tell(f"doomed/c{i}", Die())
            for i in range(1_000):
                self.ask(f"doomed/c{i}", Ping())

        crashes = self.held_up(crash)
        self.ask("aviary", TerminateChild(name="doomed"))
        return idle, stop, crashes

    def start_many(self, name: str, count: int) -> None:
        """Start a dynamic supervisor with so many children."""
        children = tuple(ChildSpec(f"c{i}", Echo, backoff=IMMEDIATE) for i in range(count))
        spec = SupervisorSpec(dynamic=True, intensity=None, children=children)
        child = ChildSpec(
            name, lambda: Supervisor(spec), kind="supervisor", restart="temporary", settings=SUPERVISOR_SETTINGS
        )
        self.ask("aviary", StartChild(spec=child))

    def tells(self, address: str, count: int) -> float:
        """Tells per second from this thread to an actor, until it has handled them all."""

        def once() -> float:
            knock = Knock()
            begin = CLOCK.monotonic()
            for _ in range(count // 500):
                for _ in range(500):
                    self.system.tell(address, knock)
                self.ask(address, Ping())
            return CLOCK.monotonic() - begin

        return count / min(once() for _ in range(ROUNDS))

    def close(self) -> None:
        """Stop everything."""
        self.on_kernel(self.tree.stop())
        self.system.shutdown()


def plain_pykka(count: int) -> float:
    """Asks per second of a pykka actor as it comes."""
    ref = PlainPykka.start()

    def once() -> float:
        begin = CLOCK.monotonic()
        for _ in range(count):
            ref.ask(1)
        return CLOCK.monotonic() - begin

    rate = count / min(once() for _ in range(ROUNDS))
    ref.stop()
    return rate


def pykka_tells(count: int) -> float:
    """Tells per second to a pykka actor as it comes, until it has handled them all."""
    ref = PlainPykka.start()

    def once() -> float:
        begin = CLOCK.monotonic()
        for _ in range(count // 500):
            for _ in range(500):
                ref.tell(1)
            ref.ask(1)
        return CLOCK.monotonic() - begin

    rate = count / min(once() for _ in range(ROUNDS))
    ref.stop()
    return rate


def best(count: int, work: Callable[[], Awaitable[float]]) -> float:
    """Round trips per second, on a loop like the actors' own."""

    async def rounds() -> float:
        return min([await work() for _ in range(ROUNDS)])

    return count / uvloop.run(rounds())


def row(what: str, rate: float, of: str = "", baseline: float = 0.0, bar: str = "") -> None:
    """Print a line of the table."""
    ratio = f"{rate / baseline:5.2f} of {of}" if baseline else ""
    print(f"{what:<46}{rate:>12,.0f} /s {1e6 / rate:>8.1f} us   {ratio:<34}{bar}")


def main() -> None:
    """Measure, and print a table."""
    logging.getLogger("aviary.kernel").setLevel(logging.CRITICAL)
    bench = Bench()
    far = LoopDispatcher("bare", CLOCK)
    # By turns, so that what else the machine does meets both alike.
    turns = [(best(ASKS, lambda: queue_round_trips(ASKS)), bench.rate("echo", ASKS)) for _ in range(ROUNDS)]
    bare, near = (max(rates) for rates in zip(*turns, strict=True))
    bare_hop = best(THREAD_ASKS, lambda: hops(THREAD_ASKS, far.loop))
    bare_thread = THREAD_ASKS / min(thread_hops(THREAD_ASKS) for _ in range(ROUNDS))
    pykkas = plain_pykka(THREAD_ASKS)

    row("bare asyncio.Queue there and back, one loop", bare)
    row("ask, same loop", near, "the bare queues", bare, f"bar 0.50: {'met' if near >= bare / 2 else 'MISSED'}")
    row("bare call to another loop and back", bare_hop)
    far_rate = bench.rate("far", THREAD_ASKS)
    row("ask, across loops", far_rate, "the bare call", bare_hop)
    row("bare queue.SimpleQueue there and back", bare_thread)
    row("plain pykka ask", pykkas, "the bare queues", bare_thread)
    row("ask a thread actor from a thread", bench.blocking_rate("thread", THREAD_ASKS), "plain pykka", pykkas)
    row("ask a thread actor from a loop", bench.rate("thread", THREAD_ASKS), "the bare call", bare_hop)
    row("ask an async actor from a thread", bench.blocking_rate("echo", THREAD_ASKS), "plain pykka", pykkas)
    row("ask, across loops", far_rate, "plain pykka", pykkas)
    row("tell pykka's own, to the last answer", pykka_tells(20_000))
    row("tell across threads, to the last answer", bench.tells("echo", 20_000), "pykka's", pykka_tells(20_000))
    idle, stop, crashes = bench.bystanders()
    print(
        f"bystanders held up: at rest {1e3 * idle:.0f} ms, by the stop of 10,000 dynamic children {1e3 * stop:.0f} ms,"
    )
    print(f"  by 1,000 crashes at once {1e3 * crashes:.0f} ms")
    print(f"crash to the next life's answer, median        {1e3 * bench.restart(200):.2f} ms")
    for dynamic in (False, True):
        few = bench.many(1_000, dynamic=dynamic)
        lots = bench.many(10_000, dynamic=dynamic)
        kind = "dynamic" if dynamic else "static"
        for what, small, large in (("start", few[0], lots[0]), ("stop", few[1], lots[1])):
            print(
                f"{what} {kind} children: 1,000 in {small:.3f} s, 10,000 in {large:.3f} s,"
                f" {large / small / 10:.2f} of linear"
            )
    bench.close()
    far.stop()


if __name__ == "__main__":
    main()
