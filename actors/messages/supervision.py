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
    statistics: Statistics


class GetTree(Message[TreeView]):
    """The live supervision tree."""


class ListJournal(Message[dict[str, Any]]):
    """A page of the journal, newest first; `address` means that actor and all below it."""

    kind: str | None = Field(default=None, max_length=20)
    address: str | None = Field(default=None, max_length=400)
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=40)


class DeadLetters(Value):
    """The last dead letters, newest first, and how many there ever were."""

    data: tuple[DeadLetter, ...]
    total: int


class ListDeadLetters(Message[DeadLetters]):
    """Messages that were not delivered or were dropped. Their content is not kept: it may hold secrets."""

    limit: int = Field(default=100, ge=1, le=1000)


class AlarmsView(Value):
    """The alarms that stand, and the last ones that were cleared, newest first."""

    standing: tuple[Alarm, ...]
    history: tuple[Alarm, ...]


class ListAlarms(Message[AlarmsView]):
    """Conditions that somebody should know about."""


class RestartActor(Message[dict[str, Any]]):
    """Start an actor that is stopped or parked, or restart one that runs, by its address."""

    address: str = Field(min_length=1, max_length=400)


class ReleasePoison(Message[dict[str, Any]]):
    """Let a kind of message through again that was set aside because it killed its handlers."""

    address: str = Field(min_length=1, max_length=400)
    message_kind: str = Field(min_length=1, max_length=100)
