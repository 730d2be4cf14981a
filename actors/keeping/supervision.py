"""Answers what is running, what happened, and does what an operator asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.keeping.records import Records
from aviary.actors.messages.supervision import (
    AlarmsView,
    DeadLetters,
    GetTree,
    ListAlarms,
    ListDeadLetters,
    ListJournal,
    ReleasePoison,
    RestartActor,
    TreeView,
)
from aviary.persistence.values import UnknownCursor, number_of

if TYPE_CHECKING:
    from aviary.persistence.journal import Entry
    from aviary.persistence.values import Page


class Restarter(Protocol):
    """Restarts an actor through its supervisor."""

    async def restart(self, address: str, asker: str) -> None:
        """Start it, or stop and start it. Raises `NotFound`, `Conflict`, `Unavailable`."""
        ...


class SupervisionService(AsyncActor):
    """Reads the kernel's records; changes nothing but by asking supervisors."""

    keeps_nothing = True

    def __init__(self, restarter: Restarter) -> None:
        super().__init__()
        self._restarter = restarter

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetTree():
                return TreeView(actors=self.system.tree(), statistics=self.system.statistics())
            case ListJournal():
                return self.defer(self._journal(message))
            case ListDeadLetters():
                return self._dead_letters(message.limit)
            case ListAlarms():
                alarms = self.system.alarms
                return AlarmsView(standing=alarms.standing(), history=alarms.history()[::-1])
            case RestartActor():
                return self.defer(self._restart(message.address))
            case ReleasePoison():
                return self._release(message)
            case _:
                return super().receive(message)

    async def _journal(self, wanted: ListJournal) -> dict[str, Any]:
        try:
            number_of(wanted.cursor)
        except UnknownCursor:
            raise Invalid("cursor: it must be the next_cursor of a page of the journal", "cursor") from None
        page: Page[Entry] = await Records(self).read(
            lambda r: r.journal.search(
                kind=wanted.kind, address=wanted.address, limit=wanted.limit, cursor=wanted.cursor
            )
        )
        pagination = page.model_dump(exclude={"data"})
        return {"data": page.data, "pagination": pagination}

    def _dead_letters(self, limit: int) -> DeadLetters:
        letters = self.system.dead_letters()
        return DeadLetters(data=letters[::-1][:limit], total=self.system.statistics().dead_letters)

    async def _restart(self, address: str) -> dict[str, Any]:
        self.system.record("operator", address, reason="restart asked for")
        await self._restarter.restart(address, self.address)
        return {"address": address, "restarted": True}

    def _release(self, message: ReleasePoison) -> dict[str, Any]:
        if not self.system.release_poison(message.address, message.message_kind):
            raise NotFound(f"{message.message_kind} is not set aside at {message.address}")
        self.system.record("operator", message.address, reason=f"{message.message_kind} released")
        return {"address": message.address, "released": message.message_kind}
