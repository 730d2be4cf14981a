"""The two kinds of actor. Both are pykka actors; what they do is in `prepare`, `receive` and `release`."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Any, ClassVar

import pykka
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.life import RELEASE_TIMEOUT, Deferred, Life, Stop
from aviary.actors.core.loop_life import LoopLife
from aviary.actors.core.mailbox import Fenced
from aviary.actors.core.message import Message
from aviary.actors.core.thread_life import ThreadLife
from pykka import messages as pykka_messages

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from aviary.actors.core.address import Address
    from aviary.actors.core.system import Cancel, System
    from aviary.config.clock import Clock
    from pykka._envelope import Envelope as PykkaEnvelope


class AddressInbox:
    """pykka's view of a mailbox that belongs to an address.

    What arrives over a pykka reference joins the same queue as everything else.
    """

    def __init__(self) -> None:
        self.life: Life | None = None

    def put(self, envelope: PykkaEnvelope[Any], /) -> None:
        """Queue what a `pykka.ActorRef` sends: a message of ours, or its stop."""
        life = self._bound()
        reply = None if envelope.reply_to is None else _PykkaReply(envelope.reply_to)
        if isinstance(envelope.message, pykka_messages._ActorStop):  # noqa: SLF001 - pykka's own protocol
            life.system.deliver(life.cell.address, Envelope(Stop(), reply))
        elif isinstance(envelope.message, Message):
            life.system.deliver(life.cell.address, Envelope(envelope.message, reply))
        else:
            raise TypeError(f"not a message: {type(envelope.message).__name__}")

    def get(self) -> PykkaEnvelope[Any]:
        """Never called: an incarnation takes from the mailbox of its address."""
        raise TypeError("the mailbox of an address is read by its incarnation")

    def empty(self) -> bool:
        """Whether nothing waits."""
        return len(self._bound().cell.mailbox) == 0

    def _bound(self) -> Life:
        if self.life is None:
            raise RuntimeError("the actor has no address yet")
        return self.life


class _PykkaReply:
    """Answers whoever holds a pykka future, which takes one answer and is full then."""

    def __init__(self, future: pykka.Future[Any]) -> None:
        self._future = future

    def set(self, value: object) -> None:
        with contextlib.suppress(queue.Full):
            self._future.set(value)

    def fail(self, error: BaseException) -> None:
        with contextlib.suppress(queue.Full):
            self._future.set_exception((type(error), error, None))

    def abandoned(self) -> bool:
        return False


class Actor(pykka.Actor):
    """The only owner of its state; handles one message at a time.

    A subclass's constructor only keeps its arguments: it runs in the supervisor. State is built in
    `prepare`, from persistence and the outside world, never from an earlier incarnation. A `Refusal`
    raised by `receive` is the answer; anything else raised anywhere ends this incarnation.
    """

    actor_inbox: AddressInbox
    dispatcher: ClassVar[str | None] = None
    """The name of the loop it runs on; `None` for a thread of its own."""

    release_timeout: ClassVar[float | None] = RELEASE_TIMEOUT
    """Seconds that `release` may take; `None` for no limit."""

    keeps_nothing: ClassVar[bool] = False
    """Whether a request leaves nothing behind in the actor. Then what fails, or takes too long, is that one request:
    its asker is told, the journal keeps it, and the others' requests go on. Else it ends the incarnation."""

    def __init__(self) -> None:
        super().__init__()
        self._life: Life | None = None

    @staticmethod
    def _create_actor_inbox() -> AddressInbox:
        return AddressInbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka.ThreadingFuture()

    def bind(self, life: Life) -> None:
        """Give the actor its address; done once, by the system, before it starts."""
        self._life = life
        self.actor_inbox.life = life

    # What a subclass defines

    def prepare(self) -> Any:
        """Build the state. `Ignore` if there is nothing to do; any other exception is a failed start."""

    def receive(self, message: Any) -> Any:
        """Handle one message and return its answer, a coroutine of it, or a `Deferred`."""
        raise TypeError(f"{type(self).__name__} does not handle {type(message).__name__}")

    def release(self) -> Any:
        """Let go of what is held. Called once at every end but that of a hung thread."""

    @property
    def has_address(self) -> bool:
        """Whether the system has started this actor: each is started once."""
        return self._life is not None

    # What a subclass uses

    @property
    def life(self) -> Life:
        """The incarnation itself. Raises `Fenced` once it no longer counts."""
        life = self._life
        if life is None:
            raise RuntimeError("the actor has no address yet")
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
        return self._bound_life.system.clock

    @property
    def system(self) -> System:
        """The system this incarnation lives in. Raises `Fenced` once it no longer counts."""
        return self.life.system

    @property
    def _bound_life(self) -> Life:
        if self._life is None:
            raise RuntimeError("the actor has no address yet")
        return self._life

    def tell(self, address: Address, message: Message[Any]) -> None:
        """Send without waiting; what can't be delivered becomes a dead letter."""
        self.life.system.tell(address, message)

    def schedule(self, delay: float, message: Message[Any]) -> Cancel:
        """Send a message to oneself in `delay` seconds, if this incarnation still lives then."""
        return self.life.system.schedule(self.life, delay, message)

    def publish(self, topic: str, event: object) -> None:
        """Publish on the system's bus."""
        self.life.system.bus.publish(topic, event)

    def degrade(self, reason: str) -> None:
        """Say that the actor works less well than it should, and why."""
        self.life.cell.degraded = reason

    def recover(self) -> None:
        """Take `degrade` back."""
        self.life.cell.degraded = None

    def finish(self) -> None:
        """End this life as a normal end once the handler, or the task, at hand is done."""
        self.life.finishing = True


class ThreadActor(Actor, pykka.ThreadingActor):
    """An actor with a thread of its own, for blocking libraries."""

    use_daemon_thread = True

    def _start_actor_loop(self) -> None:
        life = self.life
        if life.system.single_threaded:
            LoopLife(life, life.system.kernel.loop).start()
        else:
            ThreadLife(life).start()

    def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> R:
        """Ask and block this actor's thread; see `System.ask`."""
        return self.life.system.ask_blocking(address, message, timeout=timeout)


class AsyncActor(Actor):
    """An actor on a dispatcher's loop. Its handlers may await, and must never block."""

    dispatcher: ClassVar[str | None] = "work"
    _loop_life: LoopLife

    def _start_actor_loop(self) -> None:
        life = self.life
        self._loop_life = LoopLife(life, life.system.dispatchers.get(self.dispatcher or "work").loop)
        self._loop_life.start()

    def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> Coroutine[Any, Any, R]:
        """Ask and await the answer; see `System.ask`."""
        return self.life.system.ask(address, message, timeout=timeout)

    def defer(self, work: Coroutine[Any, Any, object]) -> Deferred:
        """Answer the message at hand later, and go on with the next one meanwhile."""
        return Deferred(work)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a background task that lives and dies with this incarnation."""
        if not self._bound_life.alive:
            raise Fenced
        return self._loop_life.spawn(work, name)
