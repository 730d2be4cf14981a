"""The DCA executor: each order is written down with its level, and a level is done when its amount is traded."""

# ruff: noqa: ARG002 - signatures are the same for all kinds

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import Ended, PastOrder, Resumable, tracked
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.strategy_v2.executors.dca_executor.data_types import DCAExecutorConfig
from hummingbot.strategy_v2.executors.dca_executor.dca_executor import DCAExecutor
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder


class LastingDCAExecutor(Resumable, DCAExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Places each level once, whatever became of the levels before it."""

    config_class = DCAExecutorConfig

    def __init__(self, **given: Any) -> None:
        self._levels: dict[str, int] = {}
        """By order id."""
        super().__init__(**given)

    def followed(self) -> Iterator[TrackedOrder]:
        """The orders of all levels, and those that close them."""
        yield from self._open_orders
        yield from self._close_orders

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Orders of levels open, all others close."""
        for one in past:
            opens = one.order.side == self.config.side
            if not opens:
                # It was closing; how it came to that is in its state.
                self.close_type = CloseType.EARLY_STOP
            if one.amount <= 0:
                continue
            kept = tracked(one.filled())
            if opens:
                self._open_orders.append(kept)
                self._levels[kept.order_id] = int(one.order.role or len(self._levels))
            else:
                self._close_orders.append(kept)
        self._total_executed_amount_backup = self.open_filled_amount

    def is_over(self) -> bool:
        """Whether all that was bought has been sold, or the other way round."""
        return bool(self._close_orders) and not self._worth(self._left())

    def end_of_the_past(self) -> CloseType:
        """It only ever closes as a whole."""
        return CloseType.TIME_LIMIT if self.is_expired else CloseType.EARLY_STOP

    # Levels

    @property
    def all_open_orders_executed(self) -> bool:
        """Whether every level was placed and is done."""
        return all(one.is_done for one in self._open_orders) and self._next_level() is None

    def control_open_order_process(self) -> None:
        """Place the first level that lacks something."""
        level = self._next_level()
        if level is None or self.is_expired or not self.may_open():
            return
        market = self.get_price(connector_name=self.config.connector_name, trading_pair=self.config.trading_pair)
        if self._is_within_activation_bounds(self.config.prices[level], market):
            self.create_dca_order(level)

    def create_dca_order(self, level: int) -> None:
        """Place what a level lacks."""
        with self.placing(str(level)):
            order_id = self.place_order(
                connector_name=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                order_type=self.open_order_type,
                side=self.config.side,
                amount=self._lacks(level),
                price=self.config.prices[level],
                position_action=PositionAction.OPEN,
            )
        self._open_orders.append(TrackedOrder(order_id=order_id))
        self._levels[order_id] = level

    def _next_level(self) -> int | None:
        waiting = {self._levels[one.order_id] for one in self._open_orders if self.pending(one)}
        for level, price in enumerate(self.config.prices):
            if level not in waiting and self.worth_trading(*self._market, self._lacks(level), price):
                return level
        return None

    def _lacks(self, level: int) -> Decimal:
        orders = (one for one in self._open_orders if self._levels[one.order_id] == level)
        wanted: Decimal = self.config.amounts_quote[level] / self.config.prices[level]
        return wanted - sum((one.executed_amount_base for one in orders), Decimal(0))

    @property
    def _market(self) -> tuple[str, str]:
        return self.config.connector_name, self.config.trading_pair

    def tidy(self) -> None:
        """Let go of orders that ended without having traded; what others traded counts."""
        for orders in (self._open_orders, self._close_orders):
            for one in [one for one in orders if self.gone(one)]:
                if one.order.is_failure:
                    self._current_retries += 1
                if one.executed_amount_base > 0:
                    orders[orders.index(one)] = Ended(one.order)
                else:
                    orders.remove(one)
                    self._failed_orders.append(one)
                    self.given_up.add(one.order_id)

    # Closing

    def early_stop(self, keep_position: bool = False) -> None:  # noqa: FBT001, FBT002 - hummingbot's
        """Stop; what is kept is held as soon as no order may trade any more."""
        if keep_position:
            self.close_type = CloseType.POSITION_HOLD
            self._status = RunnableStatus.SHUTTING_DOWN
            self.cancel_open_orders()
        else:
            super().early_stop()

    def cancel_open_orders(self) -> None:
        """Cancel what may still trade."""
        self.cancel_pending()

    def place_close_order_and_cancel_open_orders(self, price: Decimal = Decimal("NaN")) -> None:
        """Close, as soon as no other order of it may trade any more."""
        self._status = RunnableStatus.SHUTTING_DOWN
        self.close_timestamp = self._strategy.current_timestamp
        self.cancel_open_orders()
        if not any(self.pending(one) for one in self.followed()):
            self.place_close_order(price)

    def place_close_order(self, price: Decimal) -> None:
        """One order for all that is held."""
        if self._worth(left := self._left()):
            order_id = self.place_order(
                connector_name=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                order_type=OrderType.MARKET,
                amount=left,
                price=price,
                side=TradeType.SELL if self.config.side == TradeType.BUY else TradeType.BUY,
                position_action=PositionAction.CLOSE,
            )
            self._close_orders.append(TrackedOrder(order_id=order_id))

    async def control_shutdown_process(self) -> None:
        """Wait for what was sent, then close what is left."""
        self.close_timestamp = self._strategy.current_timestamp
        if any(self.pending(one) for one in self.followed()):
            self.cancel_open_orders()
        elif self.close_type == CloseType.POSITION_HOLD:
            self._held_position_orders = self._collect_held_position_orders()
            if not self._held_position_orders:
                self.close_type = CloseType.EARLY_STOP
            self.stop()
        elif self._worth(self._left()):
            self._current_retries += 1
            self.place_close_order(Decimal("NaN"))
        else:
            self.close_execution_by(self.close_type)

    def _left(self) -> Decimal:
        base = self.config.trading_pair.split("-")[0]
        fees = (one.cum_fees_base for one in self._open_orders if one.fee_asset == base)
        left: Decimal = self.open_filled_amount - self.close_filled_amount - sum(fees, Decimal(0))
        return left

    def _worth(self, amount: Decimal) -> bool:
        return self.worth_trading(*self._market, amount, self.current_position_average_price)
