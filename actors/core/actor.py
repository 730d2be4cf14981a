"""The two kinds of actor. Both are pykka actors; what they do is in `prepare`, `receive` and `release`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Never

import pykka
from aviary.actors.core.life import RELEASE_TIMEOUT, Deferred, Life
from aviary.actors.core.loop_life import LoopLife
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.reference import AddressInbox, AskFuture, Reference
from aviary.actors.core.thread_life import ThreadLife

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address
    from aviary.actors.core.context import ActorContext, Cancel
    from aviary.actors.core.message import Message
    from aviary.config.clock import Clock


class Actor(pykka.Actor):
    """The only owner of its state; handles one message at a time.

    A subclass's constructor only keeps its arguments: it runs in a thread of nobody's. State is built in
    `prepare`, from persistence and the outside world, never from an earlier incarnation. A `Refusal`
    raised by `receive` is the answer; anything else raised anywhere ends this incarnation.
    """

    actor_inbox: AddressInbox
    dispatcher: ClassVar[str | None] = None
    """The name of the loop it runs on; `None` for a thread of its own."""

    release_timeout: ClassVar[float | None] = RELEASE_TIMEOUT
    """Seconds that `release` may take, and the background tasks before it; `None` for no limit."""

    keeps_nothing: ClassVar[bool] = False
    """Whether a request leaves nothing behind in the actor. Then what fails, or takes too long, is that one request:
    its asker is told, the journal keeps it, and the others' requests go on. Else it ends the incarnation."""

    def __init__(self) -> None:
        super().__init__()
        self._actor_ref = Reference(self)
        self._life: Life | None = None
        self._context: ActorContext | None = None

    @classmethod
    def start(cls, *_args: Any, **_kwargs: Any) -> Never:
        """Refused: pykka's way to start knows no address and no supervisor."""
        raise TypeError(f"{cls.__name__} is started by a supervisor, from a child spec")

    @staticmethod
    def _create_actor_inbox() -> AddressInbox:
        return AddressInbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return AskFuture()

    def bind(self, life: Life, system: ActorContext) -> None:
        """Give the actor its address; done once, by the system, before it starts."""
        self._life = life
        self._context = system
        self.actor_inbox.bind(life, system)

    # What a subclass defines

    def prepare(self) -> Any:
        """Build the state. `Ignore` if there is nothing to do; any other exception is a failed start."""

    def receive(self, message: Any) -> Any:
        """Handle one message and return its answer, a coroutine of it, or a `Deferred`."""
        raise TypeError(f"{type(self).__name__} does not handle {type(message).__name__}")

    def release(self) -> Any:
        """Let go of what is held. Called once at every end but that of a hung thread or a stuck loop."""

    @property
    def has_address(self) -> bool:
        """Whether the system has started this actor: each is started once."""
        return self._life is not None

    # What a subclass uses

    @property
    def life(self) -> Life:
        """The incarnation itself. Raises `Fenced` once it no longer counts."""
        life = self._bound_life
        if not life.alive:
            raise Fenced
        return life

    @property
    def address(self) -> Address:
        """The actor's own address."""
        return self._bound_life.cell.address

    @property
    def incarnation(self) -> int:
        """The number of this life."""
        return self._bound_life.number

    @property
    def clock(self) -> Clock:
        """The system's clock."""
        return self._bound_life.overseer.clock

    @property
    def system(self) -> ActorContext:
        """The system this incarnation lives in. Raises `Fenced` once it no longer counts."""
        life, system = self._life, self._context
        if life is None or system is None:
            raise RuntimeError("the actor has no address yet")
        if not life.alive:
            raise Fenced
        return system

    @property
    def _bound_life(self) -> Life:
        if self._life is None:
            raise RuntimeError("the actor has no address yet")
        return self._life

    def tell(self, address: Address, message: Message[Any]) -> None:
        """Send without waiting; what can't be delivered becomes a dead letter."""
        self.system.tell(address, message)

    def schedule(self, delay: float, message: Message[Any]) -> Cancel:
        """Send a message to oneself in `delay` seconds, if this incarnation still lives then.

        One whose kind is set aside as poison is sent once it may pass again.
        """
        return self.system.schedule(self.life, delay, message)

    def every(self, period: float, message: Message[Any], *, first: float | None = None) -> Cancel:
        """Send a message to oneself each `period` seconds while this incarnation lives, the first one after `first`.

        For duties: called in `prepare`. The kernel keeps the time, whatever the handler does or does not come to do,
        and through a quarantine. A message that is due while the last one still waits or is handled is left out.
        """
        return self.system.schedule(self.life, period if first is None else first, message, period)

    def publish(self, topic: str, event: object) -> None:
        """Publish on the system's bus."""
        self.system.bus.publish(topic, event)

    def degrade(self, reason: str) -> None:
        """Say that the actor works less well than it should, and why."""
        self.life.cell.degraded = reason

    def recover(self) -> None:
        """Take `degrade` back."""
        self.life.cell.degraded = None

    def finish(self) -> None:
        """End this life as a normal end once the handler, or the task, at hand is done and nothing is owed.

        No more work is taken from then on; what waits is the next life's, if there is one.
        """
        self.life.finishing = True


class ThreadActor(Actor, pykka.ThreadingActor):
    """An actor with a thread of its own, for blocking libraries."""

    use_daemon_thread = True

    def _start_actor_loop(self) -> None:
        system = self.system
        if system.single_threaded:
            LoopLife(self.life, system.dispatcher("kernel").loop).start()
        else:
            ThreadLife(self.life).start()

    def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> R:
        """Ask and block this actor's thread; see `System.ask`."""
        return self.system.ask_blocking(address, message, timeout=timeout)


class AsyncActor(Actor):
    """An actor on a dispatcher's loop. Its handlers may await, and must never block."""

    dispatcher: ClassVar[str | None] = "work"
    _loop_life: LoopLife

    def _start_actor_loop(self) -> None:
        self._loop_life = LoopLife(self.life, self.system.dispatcher(self.dispatcher or "work").loop)
        self._loop_life.start()

    def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> Coroutine[Any, Any, R]:
        """Ask and await the answer; see `System.ask`."""
        return self.system.ask(address, message, timeout=timeout)

    def defer(self, work: Coroutine[Any, Any, object]) -> Deferred:
        """Answer the message at hand later, and go on with the next one meanwhile."""
        return Deferred(work)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a background task that lives and dies with this incarnation."""
        if not self._bound_life.alive:
            work.close()
            raise Fenced
        return self._loop_life.spawn(work, name)
