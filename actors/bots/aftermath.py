"""What a bot that does not run has left on its exchanges: told by alarms, and looked after until no order is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aviary.actors.bots.alarms import BotAlarms
    from aviary.actors.core.actor import AsyncActor

FIRST_LOOK, LAST_LOOK = 10.0, 600.0
"""Seconds until orders that are left are cancelled again, doubling from the first to the last."""


class Aftermath:
    """Of one incarnation of a bot's actor.

    `settle` cancels what is left and answers the report of the process that did it, `keep` writes down what is known.
    """

    def __init__(
        self,
        actor: AsyncActor,
        alarms: BotAlarms,
        settle: Callable[[], Awaitable[dict[str, Any]]],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        self._actor = actor
        self._alarms = alarms
        self._settle = settle
        self._keep = keep
        self._looking: asyncio.Task[None] | None = None
        self.orders_left: int | None = None
        """Open orders; `None` if they can't be counted, or were to stay."""
        self.positions_left: tuple[dict[str, str], ...] | None = None

    def take(self, report: dict[str, Any], *, orders_stay: bool) -> str:
        """What a stop has left; the words for the bot's status. Orders that were not to stay are looked after."""
        left = report.get("left")
        self.orders_left = None if left is None or orders_stay else len(left)
        positions = report.get("positions")
        self.positions_left = None if positions is None else tuple(positions)
        return self._take_care(orders_stay=orders_stay)

    def remember(self, stop: dict[str, Any], *, orders_stay: bool) -> None:
        """What the last stop had left, as it was written down then: the exchanges have not forgotten it."""
        self.orders_left = stop.get("orders_left", 0)
        positions = stop.get("positions_left")
        self.positions_left = None if positions is None else tuple(positions)
        self._take_care(orders_stay=orders_stay)

    async def end(self) -> None:
        """The bot is started, or wound down: leave its orders to that."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.wait({looking})

    def forget(self) -> None:
        """The bot is started: it takes over what was left."""
        self.orders_left = self.positions_left = None
        self._alarms.clear("exposure", "positions-left")

    def _take_care(self, *, orders_stay: bool) -> str:
        self._tell_orders(orders_stay=orders_stay)
        if self.orders_left != 0 and not orders_stay and self._looking is None:
            self._looking = self._actor.spawn(self._until_none_is_left(), "aftermath")
        return self._tell_positions()

    async def _until_none_is_left(self) -> None:
        delay = FIRST_LOOK
        while self.orders_left != 0:
            await asyncio.sleep(delay)
            delay = min(LAST_LOOK, 2.0 * delay)
            try:
                report = await self._settle()
                if report.get("left") is None:
                    continue
                self.orders_left = len(report["left"])
                await self._keep()
            except (Refusal, ActorCrashed, OSError):
                # The exchange, the broker or the database is still away; the alarm stands.
                continue
            self._tell_orders(orders_stay=False)

    def _tell_orders(self, *, orders_stay: bool) -> None:
        if self.orders_left == 0 or orders_stay:
            self._alarms.clear("orders-left")
            return
        count = "an unknown number of" if self.orders_left is None else str(self.orders_left)
        self._alarms.raise_("orders-left", f" has stopped with {count} orders open on its exchanges")

    def _tell_positions(self) -> str:
        if self.positions_left is not None:
            # Whatever was held is counted here.
            self._alarms.clear("exposure")
        if not self.positions_left:
            self._alarms.clear("positions-left")
            return ""
        left = ", ".join(
            f"{one['amount']} {one['trading_pair']} {one['side'].lower()} on {one['connector_name']}"
            f" ({one['controller_id']})"
            for one in self.positions_left
        )
        words = f"positions are left without an exit: {left}"
        self._alarms.raise_("positions-left", f" has stopped and {words}")
        return words
