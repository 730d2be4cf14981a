"""What stands behind an address: its mailbox, its present incarnation and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from aviary.actors.core.mailbox import Mailbox, MailboxStatistics
from aviary.actors.core.message import Message, Value

if TYPE_CHECKING:
    from aviary.actors.core.address import Address
    from aviary.actors.core.exits import Exit

type State = Literal["starting", "running", "degraded", "backing_off", "stopping", "stopped", "parked"]
"""One state an address, owned by its supervisor, never inferred from a cached flag."""


@dataclass(frozen=True, slots=True)
class CellSettings:
    """The limits of an address."""

    mailbox: int = 1_000
    """Work messages that may wait, also while the actor is between two incarnations."""
    handler_limit: float | None = 30.0
    """Seconds a handler may take before its incarnation counts as hung; `None` for no limit."""
    poison_after: int = 3
    """Incarnations that a kind of message must kill, each time it is handled, to be set aside."""
    poison_quarantine: float = 300.0
    """Seconds a poisonous kind is set aside before it is given one more try."""

    def __post_init__(self) -> None:
        if self.mailbox < 1 or self.poison_after < 1:
            raise ValueError("mailbox and poison_after are at least 1")
        if self.handler_limit is not None and not self.handler_limit > 0:
            raise ValueError("handler_limit is positive or None")
        if not self.poison_quarantine >= 0:
            raise ValueError("poison_quarantine is not negative")


class Incarnation(Protocol):
    """What others may know of the life at an address."""

    @property
    def number(self) -> int:
        """Which life of its address it is, from 1."""
        ...

    @property
    def alive(self) -> bool:
        """Whether it still counts."""
        ...

    def end(self, reason: Exit) -> bool:
        """Fence it off; whether this call was the one that did it."""
        ...


class CellView(Value):
    """A cell as the tree shows it. Times of day are Unix seconds, durations seconds."""

    address: str
    """Where the actor is."""
    parent: str | None
    """Its supervisor's address; null for the root."""
    kind: Literal["supervisor", "worker"]
    """Whether it supervises others."""
    state: State
    """How it is, as its supervisor says."""
    incarnation: int
    """Which life it is in, from 1; 0 before the first."""
    restarts: int
    """How often it was restarted."""
    mailbox: int
    """Messages that wait."""
    uptime: float
    """Seconds since the beginning of this life; 0 if it does not live."""
    last_failure: str | None
    """Why its last life ended; null if none did by a failure."""
    attempt: int
    """Starts in a row that have failed; 0 if it lives."""
    next_try_at: float | None
    """When it is started next, Unix seconds; null if it lives or is not tried."""
    degraded: str | None
    """In which way it works less well; null if it does not."""
    poison: tuple[str, ...]
    """Kinds of message that are set aside."""


@dataclass(slots=True)
class Cell:
    """The kernel's record of an address. Written by its supervisor and by its own incarnation."""

    address: Address
    parent: Address | None
    kind: Literal["supervisor", "worker"] = "worker"
    settings: CellSettings = field(default_factory=CellSettings)
    state: State = "stopped"
    life: Incarnation | None = None
    incarnation: int = 0
    restarts: int = 0
    started_at: float = 0.0
    last_failure: str | None = None
    attempt: int = 0
    next_try_at: float | None = None
    degraded: str | None = None
    kills: dict[type[Message[Any]], int] = field(default_factory=dict)
    """How many incarnations each kind of message has killed since it was last handled well."""
    poison: dict[type[Message[Any]], float] = field(default_factory=dict)
    """Kinds that are set aside, each with the monotonic time until which it is."""
    mailbox: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(self.settings.mailbox)

    def note_kill(self, kind: type[Message[Any]], now: float) -> bool:
        """Count a death in the handler of `kind`; whether the kind is set aside from now on.

        Control never is: without it an address could neither be stopped nor supervised.
        """
        if kind.control:
            return False
        self.kills[kind] = self.kills.get(kind, 0) + 1
        if self.kills[kind] < self.settings.poison_after:
            return False
        self.poison[kind] = now + self.settings.poison_quarantine
        return True

    def note_survival(self, kind: type[Message[Any]]) -> bool:
        """Note that `kind` was handled; whether it was on probation until now."""
        self.kills.pop(kind, None)
        return self.poison.pop(kind, None) is not None

    def is_poison(self, kind: type[Message[Any]], now: float) -> bool:
        """Whether `kind` is set aside at this moment."""
        until = self.poison.get(kind)
        return until is not None and now < until

    def resettle(self, settings: CellSettings, kind: Literal["supervisor", "worker"]) -> None:
        """Take over what a new spec of the same address says."""
        self.settings, self.kind = settings, kind
        self.mailbox.capacity = settings.mailbox

    def view(self, now: float, monotonic: float) -> CellView:
        """A frozen picture for the outside, given the time of day and the monotonic time."""
        state: State = self.state
        if state == "running" and self.life is not None and not self.life.alive:
            # It has ended and lets go; its supervisor may be busy with others for a while.
            state = "stopping"
        if state == "running" and self.degraded is not None:
            state = "degraded"
        uptime = monotonic - self.started_at if state in {"running", "degraded"} else 0.0
        return CellView(
            address=self.address,
            parent=self.parent,
            kind=self.kind,
            state=state,
            incarnation=self.incarnation,
            restarts=self.restarts,
            mailbox=len(self.mailbox),
            uptime=uptime,
            last_failure=self.last_failure,
            attempt=self.attempt,
            next_try_at=None if self.next_try_at is None else now + self.next_try_at - monotonic,
            degraded=self.degraded,
            poison=tuple(sorted(kind.__name__ for kind in self.poison)),
        )

    def statistics(self) -> MailboxStatistics:
        """Counts of the mailbox."""
        return self.mailbox.statistics()
