"""What may be asked about the server itself: the tree, the journal, dead letters, alarms."""

from typing import Any

from aviary.actors.core.alarms import Alarm
from aviary.actors.core.cell import CellView
from aviary.actors.core.ledger import DeadLetter, Statistics
from aviary.actors.core.message import Message, Value
from pydantic import Field


class TreeView(Value):
    """Every actor, parents before children, and counts of the whole."""

    actors: tuple[CellView, ...]
    """Every address, parents before children."""
    statistics: Statistics
    """Counts of the whole."""


class GetTree(Message[TreeView]):
    """The live supervision tree."""


class ListJournal(Message[dict[str, Any]]):
    """A page of the journal, newest first; `address` means that actor and all below it."""

    kind: str | None = Field(default=None, max_length=20)
    """Only entries of this kind, such as `crash`, `restart` or `operator`; all by default."""
    address: str | None = Field(default=None, max_length=400)
    """Only of this actor and all below it; of all by default."""
    limit: int = Field(default=100, ge=1, le=1000)
    """How many a page may hold, 1 to 1000; 100 by default."""
    cursor: str | None = Field(default=None, max_length=40)
    """The `next_cursor` of the page before; the first page by default."""


class DeadLetters(Value):
    """The last dead letters, newest first, and how many there ever were."""

    data: tuple[DeadLetter, ...]
    """The last ones, newest first."""
    total: int
    """How many there were since the start."""


class ListDeadLetters(Message[DeadLetters]):
    """Messages that were not delivered or were dropped. Their content is not kept: it may hold secrets."""

    limit: int = Field(default=100, ge=1, le=1000)
    """How many to show, 1 to 1000; 100 by default."""


class AlarmsView(Value):
    """The alarms that stand, and the last ones that were cleared, newest first."""

    standing: tuple[Alarm, ...]
    """Those that stand, oldest first."""
    history: tuple[Alarm, ...]
    """The last ones that were cleared, newest first."""


class ListAlarms(Message[AlarmsView]):
    """Conditions that somebody should know about."""


class RestartActor(Message[dict[str, Any]]):
    """Start an actor that is stopped or parked, or restart one that runs, by its address."""

    address: str = Field(min_length=1, max_length=400, examples=["market/catalogue"])
    """Where the actor is, as `/supervision/tree` shows it."""


class ReleasePoison(Message[dict[str, Any]]):
    """Let a kind of message through again that was set aside because it killed its handlers."""

    address: str = Field(min_length=1, max_length=400, examples=["market/catalogue"])
    """Where the message was set aside."""
    message_kind: str = Field(min_length=1, max_length=100, examples=["GetOrderTypes"])
    """The kind of message, as the alarm names it."""
