"""A whole system in one thread, on virtual time, from a seed. Part of the product: users write actors too.

Every handler, timer and time-out of every actor runs on one loop whose clock jumps to the next timer
when nothing is left to do. The order of what is ready at the same moment is drawn from the seed.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from types import TracebackType
from typing import Any, Self

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.calls import calls_here
from aviary.actors.core.dispatcher import BorrowedLoop, cancel_all
from aviary.actors.core.guarded_loop import GuardedLoop
from aviary.actors.core.message import Message
from aviary.actors.core.system import System
from aviary.config.chance import chance
from aviary.config.clock import FakeClock


class Deadlock(Exception):
    """Somebody waits, and nothing will ever happen."""


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a time-out, moves the clock there."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("every task waits, and no timer is set")
        if timeout > 0:
            self._clock.advance(timeout)
        return super().select(0)


class SimulatedLoop(GuardedLoop, asyncio.SelectorEventLoop):  # type: ignore[misc]
    """An event loop on virtual time, with a seeded order among what is ready."""

    _ready: deque[Any]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, clock: FakeClock, order: Random | None) -> None:
        self._virtual = clock
        self._order = order
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.monotonic()

    def is_busy(self) -> bool:
        """Whether anything else than the task that asks is ready to run, or due at this moment."""
        return bool(self._ready) or any(timer.when() <= self.time() for timer in self._scheduled[:1])

    def _run_once(self) -> None:
        if self._order is not None and len(self._ready) > 1:
            ready = list(self._ready)
            self._order.shuffle(ready)
            self._ready.clear()
            self._ready.extend(ready)
        super()._run_once()  # type: ignore[misc]


class Simulation:
    """A system on a simulated loop. Use as a context manager; the loop runs only inside `run` and `advance`.

    With `shuffle` the order among what is ready is drawn from the seed; without, it is first come,
    first served.
    """

    def __init__(self, seed: int = 0, *, shuffle: bool = False) -> None:
        self.clock = FakeClock()
        self.chance = chance(seed)
        self.loop = SimulatedLoop(self.clock, chance(seed + 1) if shuffle else None)
        calls_here(self.loop)
        self.system = System(
            BorrowedLoop("kernel", self.loop), clock=self.clock, chance=self.chance, single_threaded=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancel_all(self.loop)
        self.loop.close()

    def run[R](self, work: Coroutine[Any, Any, R]) -> R:
        """Run until `work` is done."""
        return self.loop.run_until_complete(work)

    def advance(self, seconds: float) -> None:
        """Run everything that is due within `seconds` of virtual time."""
        self.run(asyncio.sleep(seconds))

    def settle(self, turns: int = 10_000) -> None:
        """Run what is ready now, and what that makes ready, without letting time pass.

        Ends when nothing is ready any more, or after `turns` of the loop: some things go on for ever.
        """

        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
                if not self.loop.is_busy():
                    return

        self.run(turn())


class Probe(AsyncActor):
    """A neighbour for tests: keeps what it receives and answers with what it was told to."""

    def __init__(self, answer: Callable[[Message[Any]], object] = lambda _message: None) -> None:
        super().__init__()
        self._answer = answer
        self.received: list[Message[Any]] = []

    def receive(self, message: Message[Any]) -> object:
        """Keep the message and answer."""
        self.received.append(message)
        return self._answer(message)
