"""The position executor: one entry, exits that together never exceed it, and a next life that knows both."""

# ruff: noqa: ARG002 - signatures are the same for all kinds

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import Ended, PastOrder, Resumable, filled_order, tracked
from hummingbot.core.data_type.common import OrderType
from hummingbot.core.data_type.in_flight_order import OrderState
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
from hummingbot.strategy_v2.executors.position_executor.position_executor import PositionExecutor
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder


class LastingPositionExecutor(Resumable, PositionExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Closes once: no exit is sent while another one may still trade."""

    config_class = PositionExecutorConfig

    def __init__(self, **given: Any) -> None:
        self._exits: list[TrackedOrder] = []
        super().__init__(**given)

    def followed(self) -> Iterator[TrackedOrder]:
        """The entry and everything that was sent against it."""
        if self._open_order is not None:
            yield self._open_order
        yield from self._closing_orders()

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Entries and exits are told apart by their side: in ONEWAY mode exits are opening orders too."""
        entries = [one for one in past if one.amount > 0 and one.order.side == self.config.side]
        exits = [one for one in past if one.amount > 0 and one.order.side != self.config.side]
        if entries:
            self._open_order = tracked(filled_order(entries))
        self._exits = [tracked(one.filled()) for one in exits]

    def is_over(self) -> bool:
        """Whether all that was entered has been exited, but for what is too small to be traded."""
        return self._open_order is not None and not self._worth_closing()

    def end_of_the_past(self) -> CloseType:
        """By the last exit's kind."""
        if not self._exits:
            return CloseType.EARLY_STOP
        if self._exits[-1].order.order_type != OrderType.MARKET:
            return CloseType.TAKE_PROFIT
        return CloseType.TIME_LIMIT if self.is_expired else CloseType.EARLY_STOP

    # Amounts and prices: all exits count, not only the last

    @property
    def close_filled_amount(self) -> Decimal:
        """Base units that were exited."""
        return sum((one.executed_amount_base for one in self._closing_orders()), Decimal(0))

    @property
    def close_price(self) -> Decimal:
        """What was exited at its prices, and what is left at the market's."""
        exited: Decimal = self.close_filled_amount
        left = max(self.amount_to_close, Decimal(0))
        if exited <= 0:
            return Decimal(self.current_market_price)
        got: Decimal = sum((one.executed_amount_quote for one in self._closing_orders()), Decimal(0))
        if left > 0:
            got += left * self.current_market_price
        return Decimal(got / (exited + left))

    def get_cum_fees_quote(self) -> Decimal:
        """Fees of all its orders."""
        return sum((one.cum_fees_quote for one in self.followed()), Decimal(0))

    def _closing_orders(self) -> Iterator[TrackedOrder]:
        seen: set[int] = set()
        for one in (*self._exits, self._close_order, self._take_profit_limit_order):
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                yield one

    def _worth_closing(self) -> bool:
        config = self.config
        price = self.entry_price if self._open_order is not None else config.entry_price
        return self.worth_trading(config.connector_name, config.trading_pair, self.amount_to_close, price)

    # Opening and closing

    def control_open_order(self) -> None:
        """Open nothing that would have to be closed at once."""
        if self._open_order is not None or (not self.is_expired and self.may_open()):
            super().control_open_order()

    def control_barriers(self) -> None:
        """One whose time is up is closed for that reason alone, and not first offered at its profit."""
        if self.is_expired:
            self.control_time_limit()
        else:
            super().control_barriers()

    def cancel_open_orders(self) -> None:
        """Cancel what may still trade."""
        self.cancel_pending()

    def place_close_order_and_cancel_open_orders(
        self, close_type: CloseType, price: Decimal = Decimal("NaN")
    ) -> None:
        """Close, as soon as no other order of it may trade any more."""
        self.close_type = close_type
        self.close_timestamp = self._strategy.current_timestamp
        self._status = RunnableStatus.SHUTTING_DOWN
        self.cancel_open_orders()
        if close_type == CloseType.POSITION_HOLD or self._anything_pending() or not self._worth_closing():
            return
        self._put_exit_aside()
        order_id = self.place_order(
            connector_name=self.config.connector_name,
            trading_pair=self.config.trading_pair,
            order_type=OrderType.MARKET,
            amount=self.amount_to_close,
            price=price,
            side=self.close_order_side,
            position_action=self.close_position_action,
        )
        self._close_order = TrackedOrder(order_id=order_id)

    async def control_shutdown_process(self) -> None:
        """Wait for what was sent, then close what is left."""
        self.close_timestamp = self._strategy.current_timestamp
        if self._anything_pending():
            self.cancel_open_orders()
        elif self.close_type == CloseType.POSITION_HOLD:
            self._held_position_orders = self._collect_held_position_orders()
            if not self._held_position_orders:
                self.close_type = CloseType.EARLY_STOP
            self.stop()
        elif not self._worth_closing():
            self.stop()
        else:
            self._current_retries += 1
            self.place_close_order_and_cancel_open_orders(self.close_type)
        await self._sleep(5.0)

    def _anything_pending(self) -> bool:
        orders = (self._open_order, self._close_order, self._take_profit_limit_order)
        return any(self.pending(one) for one in orders)

    def _put_exit_aside(self) -> None:
        self._exits = list(self._closing_orders())
        self._close_order = self._take_profit_limit_order = None

    # What is told of orders

    def tidy(self) -> None:
        """Keep what cancelled orders traded, and clear the way for new ones."""
        if self.gone(self._open_order):
            if self._open_order.executed_amount_base > 0:
                self._open_order = Ended(self._open_order.order)
            else:
                self._drop(self._open_order)
                self._open_order = None
        if self.gone(self._take_profit_limit_order):
            self._drop(self._take_profit_limit_order)
            self._take_profit_limit_order = None
        if self.gone(self._close_order):
            self._drop(self._close_order)
            self._close_order = None

    def _drop(self, one: TrackedOrder) -> None:
        if one.order.trade_type != self.config.side:
            # Whatever is still told of an exit counts.
            self._exits.append(one)
        else:
            self._failed_orders.append(one)
            self.given_up.add(one.order_id)
        if one.order.current_state == OrderState.FAILED:
            self._current_retries += 1

    def update_tracked_orders_with_order_id(self, order_id: str) -> None:
        """Hummingbot forgets orders half a minute after their end; what it said of them before stays."""
        if self.get_in_flight_order(self.config.connector_name, order_id) is not None:
            super().update_tracked_orders_with_order_id(order_id)

    def process_order_completed_event(self, event_tag: int, market: Any, event: Any) -> None:
        """A profit that is taken while something else closes is an exit like any other."""
        if self._status == RunnableStatus.SHUTTING_DOWN:
            self.update_tracked_orders_with_order_id(event.order_id)
        else:
            super().process_order_completed_event(event_tag, market, event)
