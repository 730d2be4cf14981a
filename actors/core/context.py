"""What an actor may use of the system that it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from aviary.actors.core.address import Address
    from aviary.actors.core.alarms import Alarms
    from aviary.actors.core.bus import Bus
    from aviary.actors.core.cell import Cell, CellView
    from aviary.actors.core.dispatcher import Dispatcher
    from aviary.actors.core.envelope import Envelope
    from aviary.actors.core.events import EventKind, KernelEvent
    from aviary.actors.core.ledger import DeadLetter, Statistics
    from aviary.actors.core.life import Life
    from aviary.actors.core.message import Message
    from aviary.config.clock import Clock

    type Cancel = Callable[[], None]


class ActorContext(Protocol):
    """The system as its actors see it; the meaning of each part is written at `System`."""

    alarms: Alarms
    bus: Bus
    chance: Random
    clock: Clock
    single_threaded: bool

    def tell(self, address: Address, message: Message[Any]) -> None:
        """Send without waiting."""

    def deliver(self, address: Address, envelope: Envelope, *, beyond: bool = False) -> None:
        """Queue an envelope; what can't be delivered is refused, or a dead letter."""

    def ask[R](self, address: Address, message: Message[R], *, timeout: float) -> Coroutine[Any, Any, R]:
        """Send and await the answer."""
        ...

    def ask_blocking[R](self, address: Address, message: Message[R], *, timeout: float) -> R:
        """Send and block this thread for the answer."""
        ...

    def schedule(self, life: Life, delay: float, message: Message[Any], period: float | None = None) -> Cancel:
        """Send to a life later, once or again and again."""
        ...

    def dispatcher(self, name: str) -> Dispatcher:
        """The dispatcher of that name."""
        ...

    def cell(self, address: Address) -> Cell | None:
        """The record of an address."""

    def tree(self) -> tuple[CellView, ...]:
        """A picture of every address."""
        ...

    def record(
        self, kind: EventKind, address: Address, *, incarnation: int = 0, reason: str = "", **more: Any
    ) -> None:
        """Add an entry to the stream that the journal keeps."""

    def events(self) -> tuple[KernelEvent, ...]:
        """The last entries."""
        ...

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """The last dead letters."""
        ...

    def statistics(self) -> Statistics:
        """Counts of the whole system."""
        ...

    def release_poison(self, address: Address, kind: str) -> bool:
        """Let a set-aside kind of message through again."""
        ...
