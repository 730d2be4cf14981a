"""What clients that lost their connection were subscribed to, so that they can go on where they were."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aviary.config.clock import Clock

KEPT_FOR = 120.0
"""Seconds in which a client may resume."""

CONNECTIONS = 500
"""Lost connections that are remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Left:
    """A subscription that ended with its connection: its request, last number and last event's time."""

    name: str
    request: dict[str, Any]
    sequence: int
    last_at: float | None


class Parted:
    """Remembers lost connections by their ids."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, tuple[Left, ...]]] = OrderedDict()

    def keep(self, connection_id: str, subscriptions: tuple[Left, ...]) -> None:
        """Remember what a connection was subscribed to."""
        self._kept[connection_id] = (self._clock.monotonic() + KEPT_FOR, subscriptions)
        while len(self._kept) > CONNECTIONS:
            self._kept.popitem(last=False)

    def take(self, connection_id: str) -> tuple[Left, ...] | None:
        """What a connection was subscribed to, once; `None` if it is not known, or not any more."""
        until, subscriptions = self._kept.pop(connection_id, (0.0, ()))
        return subscriptions if self._clock.monotonic() < until else None
