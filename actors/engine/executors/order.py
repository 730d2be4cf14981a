"""The executors that buy or sell an amount and are done: by one order, or by slices in time."""

# ruff: noqa: ARG002 - signatures are the same for all kinds

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import Ended, NotResumable, PastOrder, Resumable, tracked
from hummingbot.core.data_type.common import PositionAction, PriceType
from hummingbot.strategy_v2.executors.order_executor.data_types import OrderExecutorConfig
from hummingbot.strategy_v2.executors.order_executor.order_executor import OrderExecutor
from hummingbot.strategy_v2.executors.twap_executor.data_types import TWAPExecutorConfig
from hummingbot.strategy_v2.executors.twap_executor.twap_executor import TWAPExecutor
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder


class LastingOrderExecutor(Resumable, OrderExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Places only what its earlier orders left."""

    config_class = OrderExecutorConfig
    _order: TrackedOrder | None

    def followed(self) -> Iterator[TrackedOrder]:
        """The order of the moment and those before it."""
        if self._order is not None:
            yield self._order
        yield from self._partial_filled_orders

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """What traded counts; the rest is placed again."""
        self._partial_filled_orders = [tracked(one.filled()) for one in past if one.amount > 0]

    def control_order(self) -> None:
        """Place the order, or see to it."""
        if self._order is not None or self.may_open():
            super().control_order()

    def place_open_order(self) -> None:
        """Place what is left, unless it is too small: then what traded is all there will be."""
        config = self.config
        remaining = config.amount - self.executed_amount_base
        price = self.get_price_for_balance_validation()
        if self._partial_filled_orders and not self.worth_trading(
            config.connector_name, config.trading_pair, remaining, price
        ):
            self._hold_all()
            return
        super().place_open_order()

    def tidy(self) -> None:
        """End when the order is filled and all of it told; let go of one that ended early, what it traded counts."""
        one = self._order
        if one is not None and not self.pending(one):
            self._partial_filled_orders.append(one)
            self._order = None
            self._hold_all()
            return
        if one is not None and self.gone(one):
            self._order = None
            if one.order.is_failure:
                self._current_retries += 1
            if one.executed_amount_base > 0:
                self._partial_filled_orders.append(Ended(one.order))
                return
            self.given_up.add(one.order_id)
            if one.order.is_failure:
                self._failed_orders.append(one)
                self._widen_slippage_if_that_was_it(one.order_id)
            else:
                self._canceled_orders.append(one)

    async def control_shutdown_process(self) -> None:
        """Wait for the order's end; what traded is held."""
        if self._order is not None:
            self.cancel_order()
        else:
            self._hold_all()
        await self._sleep(5.0)

    def _hold_all(self) -> None:
        self._held_position_orders = self._collect_held_position_orders()
        self.close_type = CloseType.POSITION_HOLD if self._held_position_orders else CloseType.EARLY_STOP
        self.stop()

    def process_order_completed_event(self, event_tag: int, market: Any, event: Any) -> None:
        """The next step deals with it: some trades may be told after the end."""
        self.bind()

    def cancel_order(self) -> None:
        """Cancel the order."""
        self.cancel_pending()

    def update_tracked_order_with_order_id(self, order_id: str) -> None:
        """Hummingbot forgets orders half a minute after their end; what it said of them before stays."""
        if self.get_in_flight_order(self.config.connector_name, order_id) is not None:
            super().update_tracked_order_with_order_id(order_id)


class LastingTWAPExecutor(Resumable, TWAPExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Keeps to the plan that it began with, and places one overdue slice after another."""

    config_class = TWAPExecutorConfig

    def notes(self) -> dict[str, Any]:
        """When the plan began."""
        return {"start": self._start_timestamp}

    def followed(self) -> Iterator[TrackedOrder]:
        """The orders of all slices, also those that were placed anew."""
        yield from (one for one in self._order_plan.values() if one is not None)
        yield from self._refreshed_orders

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """The old plan, with what its slices traded."""
        if "start" not in notes:
            raise NotResumable("the plan's start was not written down")
        self._start_timestamp = notes["start"]
        self._order_plan = self.create_order_plan()
        for one in past:
            if one.amount <= 0:
                continue
            order = tracked(one.filled())
            moment = float(one.order.role)
            if moment in self._order_plan and one.amount >= one.order.amount:
                self._order_plan[moment] = order
            else:
                self._refreshed_orders.append(order)
        if self.config.is_maker and past:
            # What its orders in the book waited for is gone: what was bought is held, and that is its end.
            self.close_type = CloseType.POSITION_HOLD

    def evaluate_create_order(self) -> None:
        """Place the next overdue slice, once what was placed before is known."""
        if not self.may_open():
            return
        if not self.config.is_maker and any(self.pending(one) for one in self.followed()):
            return
        for moment, one in self._order_plan.items():
            if one is None and self._strategy.current_timestamp >= moment:
                self.create_order(moment)
                return

    def create_order(self, timestamp: float) -> None:
        """Place a slice: an equal share of what is left to trade."""
        config = self.config
        price = self.get_price(config.connector_name, config.trading_pair, PriceType.MidPrice)
        resting = (one.order for one in self.followed() if one.order is not None and self.pending(one))
        placed = sum(((one.amount - one.executed_amount_base) * _price(one, price) for one in resting), Decimal(0))
        left = config.total_amount_quote - self.get_total_executed_amount_quote() - placed
        slices = sum(1 for one in self._order_plan.values() if one is None) or 1
        buffer = 0
        if config.is_maker:
            buffer = config.limit_order_buffer if config.side.name == "SELL" else -config.limit_order_buffer
        amount = left / slices / price
        if not self.worth_trading(config.connector_name, config.trading_pair, amount, price):
            self.logger().info("What is left of the plan is too small to be traded.")
            self.close_type = self.close_type or CloseType.COMPLETED
            self.cancel_open_orders()
            self._status = RunnableStatus.SHUTTING_DOWN
            return
        with self.placing(str(timestamp)):
            order_id = self.place_order(
                connector_name=config.connector_name,
                trading_pair=config.trading_pair,
                order_type=config.order_type,
                side=config.side,
                amount=amount,
                price=price * (1 + buffer),
                position_action=PositionAction.OPEN,
            )
        self._order_plan[timestamp] = TrackedOrder(order_id=order_id)

    def tidy(self) -> None:
        """A slice that ended early is placed again, by what is left then."""
        for moment, one in list(self._order_plan.items()):
            if self.gone(one):
                if one.order.is_failure:
                    self._current_retries += 1
                self._order_plan[moment] = None
                if one.executed_amount_base > 0:
                    self._refreshed_orders.append(Ended(one.order))
                else:
                    self._failed_orders.append(one)
                    self.given_up.add(one.order_id)

    def evaluate_refresh_orders(self) -> None:
        """Cancel what has rested too long; its slice is placed again when it is gone."""
        for one in self._order_plan.values():
            if self.config.is_maker and self.pending(one) and self.refresh_order_condition(one):
                self._strategy.cancel(self.config.connector_name, self.config.trading_pair, one.order_id)

    def evaluate_all_orders_completed(self) -> None:
        """Done when every slice has traded."""
        if all(one is not None and one.is_filled for one in self._order_plan.values()):
            self._status = RunnableStatus.SHUTTING_DOWN

    def cancel_open_orders(self) -> None:
        """Cancel what may still trade."""
        self.cancel_pending()

    async def evaluate_all_orders_closed(self) -> None:
        """End when no order may trade any more."""
        if any(self.pending(one) for one in self.followed()):
            self.cancel_open_orders()
            return
        # What it traded is its controller's from now on, as with a single order.
        self._held_position_orders = self._collect_held_position_orders()
        nothing = CloseType.COMPLETED if self.close_type is None else CloseType.EARLY_STOP
        self.close_execution_by(CloseType.POSITION_HOLD if self._held_position_orders else nothing)

    def get_total_executed_amount(self) -> Decimal:
        """Base units that all its orders traded."""
        return sum((one.executed_amount_base for one in self.followed()), Decimal(0))

    def get_average_executed_price(self) -> Decimal:
        """What they traded at."""
        amount = self.get_total_executed_amount()
        quote = sum((one.executed_amount_quote for one in self.followed()), Decimal(0))
        return quote / amount if amount > 0 else Decimal(0)

    def get_cum_fees_quote(self) -> Decimal:
        """Fees of all its orders."""
        return sum((one.cum_fees_quote for one in self.followed()), Decimal(0))

    def update_tracked_orders_with_order_id(self, order_id: str) -> None:
        """Find the order that something is told of."""
        self.bind()

    def process_order_completed_event(self, event_tag: int, market: Any, event: Any) -> None:
        """The next step deals with it."""
        self.bind()


def _price(order: Any, market: Decimal) -> Decimal:
    return order.price if order.price is not None and order.price.is_finite() else market
