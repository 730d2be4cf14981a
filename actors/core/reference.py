"""pykka's references to our actors, which keep pykka's promises over mailboxes that belong to addresses."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Any, Never

import pykka
from aviary.actors.core.envelope import Envelope
from aviary.actors.core.life import StopInTurn
from aviary.actors.core.message import Message
from pykka import messages as pykka_messages

if TYPE_CHECKING:
    from aviary.actors.core.context import ActorContext
    from aviary.actors.core.life import Life
    from pykka._envelope import Envelope as PykkaEnvelope


class AddressInbox:
    """pykka's view of a mailbox that belongs to an address.

    What arrives over a pykka reference joins the same queue as everything else.
    """

    def __init__(self) -> None:
        self._home: tuple[Life, ActorContext] | None = None

    def bind(self, life: Life, system: ActorContext) -> None:
        """Say whose mailbox it is."""
        self._home = (life, system)

    def put(self, envelope: PykkaEnvelope[Any], /) -> None:
        """Queue what a `pykka.ActorRef` sends: a message of ours, or its stop, which comes in its turn."""
        life, system = self._bound()
        message, reply = envelope.message, _reply_of(envelope.reply_to)
        if isinstance(message, pykka_messages._ActorStop):  # noqa: SLF001 - pykka's own protocol
            # Meant for this incarnation, and taken by a full mailbox too: pykka's have no bound.
            stop = Envelope(StopInTurn(), reply, serial=life.serial)
            system.deliver(life.cell.address, stop, beyond=True)
        elif isinstance(message, Message):
            system.deliver(life.cell.address, Envelope(message, reply))
        else:
            raise TypeError(f"not a message: {type(message).__name__}")

    def get(self) -> PykkaEnvelope[Any]:
        """Never called: an incarnation takes from the mailbox of its address."""
        raise TypeError("the mailbox of an address is read by its incarnation")

    def empty(self) -> bool:
        """Whether nothing waits."""
        return len(self._bound()[0].cell.mailbox) == 0

    def _bound(self) -> tuple[Life, ActorContext]:
        if self._home is None:
            raise RuntimeError("the actor has no address yet")
        return self._home


class AskFuture(pykka.ThreadingFuture[Any]):
    """The answer to an ask over a reference; whoever waits no longer says so with `give_up`."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up = False

    def give_up(self) -> None:
        """Nobody waits any more: what was asked need not be begun."""
        self.given_up = True


class Reference[A: pykka.Actor](pykka.ActorRef[A]):
    """A reference to one incarnation. An ask that has run out of time is not begun afterwards."""

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """See `pykka.ActorRef.ask`."""
        future = super().ask(message, block=False)
        if not block:
            return future
        try:
            return future.get(timeout=timeout)
        except pykka.Timeout:
            if isinstance(future, AskFuture):
                future.give_up()
            raise

    def proxy(self) -> Never:
        """Refused: what an actor holds is its own, and it is spoken to by messages."""
        raise TypeError(f"{self.actor_class.__name__} is spoken to by messages, it has no proxy")


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
        return isinstance(self._future, AskFuture) and self._future.given_up


def _reply_of(future: pykka.Future[Any] | None) -> _PykkaReply | None:
    return None if future is None else _PykkaReply(future)
