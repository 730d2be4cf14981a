"""Poison: kinds of message that keep killing who handles them are set aside for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.actors.core.alarms import Alarms, poison_alarm
from aviary.actors.core.refusal import Unavailable

if TYPE_CHECKING:
    from aviary.actors.core.cell import Cell
    from aviary.actors.core.ledger import Ledger
    from aviary.actors.core.message import Message
    from aviary.config.clock import Clock


class Quarantine:
    """Decides what may pass, by what each cell knows of the kinds that killed its incarnations."""

    def __init__(self, clock: Clock, ledger: Ledger, alarms: Alarms) -> None:
        self._clock = clock
        self._ledger = ledger
        self._alarms = alarms

    def refusal(self, cell: Cell, message: Message[Any]) -> Unavailable | None:
        """The refusal for a message whose kind is set aside at this moment, `None` for any other."""
        kind = type(message)
        now = self._clock.monotonic()
        if not cell.is_poison(kind, now):
            return None
        return Unavailable(
            f"{cell.address}: {kind.__name__} is set aside, it killed {cell.kills.get(kind, 0)} incarnations",
            retry_after=max(cell.poison.get(kind, now) - now, 0.0),
        )

    def until(self, cell: Cell, kind: type[Message[Any]]) -> float | None:
        """The monotonic time until which a kind is set aside, `None` if it may pass."""
        until = cell.poison.get(kind)
        return None if until is None or until <= self._clock.monotonic() else until

    def note_kill(self, cell: Cell, kind: type[Message[Any]]) -> None:
        """Note that `kind` killed an incarnation; too many, and it is set aside, with an alarm."""
        if cell.note_kill(kind, self._clock.monotonic()):
            text = f"{kind.__name__} killed {cell.kills[kind]} incarnations of {cell.address}"
            self._ledger.record(
                "poison",
                cell.address,
                incarnation=cell.incarnation,
                mailbox=len(cell.mailbox),
                reason=text,
                message_kind=kind.__name__,
            )
            self._alarms.raise_(poison_alarm(cell.address, kind), text)

    def note_survival(self, cell: Cell, kind: type[Message[Any]]) -> None:
        """Note that `kind` was handled well: it is pardoned."""
        if cell.note_survival(kind):
            self._alarms.clear(poison_alarm(cell.address, kind))

    def release(self, cell: Cell, kind: str) -> bool:
        """Let the kind of this name through again; whether it was set aside."""
        for known in tuple(cell.poison):
            if known.__name__ == kind:
                cell.note_survival(known)
                self._alarms.clear(poison_alarm(cell.address, known))
                return True
        return False

    def forget(self, cell: Cell) -> None:
        """Clear the alarms of an address that is removed."""
        for kind in cell.poison:
            self._alarms.clear(poison_alarm(cell.address, kind))
