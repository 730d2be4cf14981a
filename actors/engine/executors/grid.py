"""The grid executor: its levels are written down when they are made, and every order with the level it is for."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import (
    NotResumable,
    PastOrder,
    Resumable,
    settled_order,
    split,
    tracked,
)
from hummingbot.core.data_type.common import OrderType, PositionAction
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.strategy_v2.executors.grid_executor.data_types import (
    GridExecutorConfig,
    GridLevel,
    GridLevelStates,
)
from hummingbot.strategy_v2.executors.grid_executor.grid_executor import GridExecutor
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder

OPEN, CLOSE = "open", "close"

WAITING = (GridLevelStates.OPEN_ORDER_PLACED, GridLevelStates.CLOSE_ORDER_PLACED, GridLevelStates.COMPLETE)
"""States of levels of which more may be told."""


class LastingGridExecutor(Resumable, GridExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """A level's order that was cut short leaves the level with what it traded."""

    config_class = GridExecutorConfig
    max_open_creation_timestamp: float
    _close_order: TrackedOrder | None

    def notes(self) -> dict[str, Any]:
        """The levels: they were made from the market of that moment."""
        return {
            "levels": [
                [level.id, str(level.price), str(level.amount_quote), str(level.take_profit)]
                for level in self.grid_levels
            ]
        }

    def followed(self) -> Iterator[TrackedOrder]:
        """The orders of all levels, and the one that closes them."""
        for level in self.grid_levels:
            if level.active_open_order is not None:
                yield level.active_open_order
            if level.active_close_order is not None:
                yield level.active_close_order
        if self._close_order is not None:
            yield self._close_order

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Replay the orders as they were sent."""
        barriers = self.config.triple_barrier_config
        try:
            self.grid_levels = [
                GridLevel(
                    id=name,
                    price=Decimal(price),
                    amount_quote=Decimal(amount),
                    take_profit=Decimal(profit),
                    side=self.config.side,
                    open_order_type=barriers.open_order_type,
                    take_profit_order_type=barriers.take_profit_order_type,
                )
                for name, price, amount, profit in notes["levels"]
            ]
        except KeyError:
            raise NotResumable("the levels of the grid were not written down") from None
        levels = {level.id: level for level in self.grid_levels}
        for one in past:
            step, _, name = one.order.role.partition(":")
            if step == OPEN:
                self.max_open_creation_timestamp = max(self.max_open_creation_timestamp, one.order.created_at)
            elif not step:
                # It was closing; how it came to that is in its state.
                self.close_type = CloseType.EARLY_STOP
            if one.amount <= 0:
                continue
            order = one.filled()
            if step == OPEN:
                self._fill(levels[name], order)
            elif step == CLOSE and levels[name].active_open_order is not None:
                self._exit(levels[name], order)
            else:
                self._consume(order)
        self._refresh()

    def _refresh(self) -> None:
        self.update_grid_levels()
        self.update_metrics()

    # Levels

    def get_open_orders_to_create(self) -> list[GridLevel]:
        """Levels to enter now."""
        return super().get_open_orders_to_create() if self.may_open() else []

    def adjust_and_place_open_order(self, level: GridLevel) -> None:
        """Enter a level."""
        with self.placing(f"{OPEN}:{level.id}"):
            super().adjust_and_place_open_order(level)

    def adjust_and_place_close_order(self, level: GridLevel) -> None:
        """Offer what a level holds at its profit."""
        with self.placing(f"{CLOSE}:{level.id}"):
            super().adjust_and_place_close_order(level)

    def _fill(self, level: GridLevel, order: InFlightOrder) -> None:
        """A level holds what an order bought for it, unless that is too little to be exited."""
        entry = tracked(order)
        if self.config.deduct_base_fees and entry.fee_asset == self._base:
            self._open_fee_in_base = True
        level.active_open_order = entry if self._worth(self._held(entry)) else None
        level.active_close_order = None

    def _exit(self, level: GridLevel, order: InFlightOrder) -> None:
        """Something was exited of what a level holds: that part is done with."""
        entry = level.active_open_order.order
        left = self._held(level.active_open_order) - order.executed_amount_base
        level.active_close_order = None
        if self._worth(left):
            entry, rest = split(entry, order.executed_amount_base)
            level.active_open_order = tracked(rest)
        else:
            level.reset_level()
        self._filled_orders += [entry.to_json(), order.to_json()]

    def _consume(self, order: InFlightOrder) -> None:
        """An order that closes the whole grid closed some of the levels."""
        for level in self.grid_levels:
            entry = level.active_open_order
            if entry is None or not entry.is_filled:
                continue
            held = self._held(entry)
            if held >= order.executed_amount_base or not self._worth(order.executed_amount_base - held):
                self._exit(level, order)
                return
            part, order = split(order, held)
            self._exit(level, part)

    def _held(self, entry: TrackedOrder) -> Decimal:
        amount: Decimal = entry.executed_amount_base
        return amount - entry.cum_fees_base if entry.fee_asset == self._base else amount

    @property
    def _base(self) -> str:
        return str(self.config.trading_pair.split("-")[0])

    def _worth(self, amount: Decimal) -> bool:
        return self.worth_trading(
            self.config.connector_name, self.config.trading_pair, amount, self.config.start_price
        )

    def update_grid_levels(self) -> None:
        """Put the levels in their places; a pair is done with when all trades of its exit are told."""
        for level in self.grid_levels:
            close = level.active_close_order
            if close is not None and close.is_filled and close.executed_amount_base >= close.order.amount:
                self._exit(level, close.order)
        super().update_grid_levels()

    def tidy(self) -> None:
        """Keep what cancelled orders traded, and free their levels for new ones."""
        for level in self.grid_levels:
            if self.gone(level.active_close_order):
                order = self._ended(level.active_close_order)
                level.active_close_order = None
                if order is not None:
                    self._exit(level, order)
            if level.active_close_order is None and self.gone(level.active_open_order):
                order = self._ended(level.active_open_order)
                level.reset_level()
                self.max_open_creation_timestamp = 0
                if order is not None:
                    self._fill(level, order)
        close = self._close_order
        if close is not None and (close.is_filled or self.gone(close)):
            self._close_order = None
            if close.executed_amount_base > 0:
                self._consume(settled_order(close.order))

    def _ended(self, one: TrackedOrder) -> InFlightOrder | None:
        """What an order that ended early had traded."""
        self.given_up.add(one.order_id)
        if one.order.is_failure:
            self._failed_orders.append(one.order_id)
        else:
            self._canceled_orders.append(one.order_id)
        return settled_order(one.order) if one.executed_amount_base > 0 else None

    # Closing

    def cancel_open_orders(self) -> None:
        """Cancel what may still trade."""
        self.cancel_pending()

    async def control_shutdown_process(self) -> None:
        """Wait for what was sent, then close what is left by one order."""
        self.close_timestamp = self._strategy.current_timestamp
        if any(self.levels_by_state[state] for state in WAITING):
            self.cancel_open_orders()
        elif self._close_order is not None:
            self.logger().info("Waiting for the close order to be filled")
        elif self.close_type == CloseType.POSITION_HOLD:
            self._held_position_orders = self._collect_held_position_orders()
            if not self._held_position_orders:
                self.close_type = CloseType.EARLY_STOP
            self.stop()
        elif self._worth(left := self._left()):
            self._current_retries += 1
            order_id = self.place_order(
                connector_name=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                order_type=OrderType.MARKET,
                amount=left,
                side=self.close_order_side,
                position_action=PositionAction.CLOSE,
            )
            self._close_order = TrackedOrder(order_id=order_id)
        else:
            self._refresh()
            self.stop()
        await self._sleep(5.0)

    def _left(self) -> Decimal:
        entries = (level.active_open_order for level in self.grid_levels)
        return sum((self._held(one) for one in entries if one is not None and one.is_filled), Decimal(0))

    def _collect_held_position_orders(self) -> list[dict[str, Any]]:
        # An exit that is partly filled stands beside its entry: together they are what is held.
        return [one.order.to_json() for one in self.followed() if one.executed_amount_base > 0]

    def early_stop(self, keep_position: bool = False) -> None:  # noqa: FBT001, FBT002 - hummingbot's
        """Stop; what was already closing goes on closing."""
        if self._status != RunnableStatus.TERMINATED:
            super().early_stop(keep_position)
