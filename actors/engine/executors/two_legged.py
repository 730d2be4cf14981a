"""The executors that trade on two markets at once: what one leg traded and the other did not is owed.

XEMM hedges what its maker orders traded, all of them, cancelled ones included. Arbitrage that was cut off with one
leg is taken back on the market where it is, since what made it worth while has passed.
"""

# ruff: noqa: ARG002 - signatures are the same for all kinds

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import Ended, PastOrder, Resumable, tracked
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.strategy_v2.executors.arbitrage_executor.arbitrage_executor import ArbitrageExecutor
from hummingbot.strategy_v2.executors.arbitrage_executor.data_types import ArbitrageExecutorConfig
from hummingbot.strategy_v2.executors.xemm_executor.data_types import XEMMExecutorConfig
from hummingbot.strategy_v2.executors.xemm_executor.xemm_executor import XEMMExecutor
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder

BUY, SELL, BACK = "buy", "sell", "back"


def _traded(orders: Iterator[TrackedOrder] | Sequence[TrackedOrder]) -> Decimal:
    return sum((one.executed_amount_base for one in orders), Decimal(0))


def _net_quote(orders: Iterator[TrackedOrder]) -> Decimal:
    return sum(
        (
            one.executed_amount_quote if one.order.trade_type == TradeType.SELL else -one.executed_amount_quote
            for one in orders
            if one.order is not None
        ),
        Decimal(0),
    )


class LastingXEMMExecutor(Resumable, XEMMExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Hedges exactly what was traded, once."""

    config_class = XEMMExecutorConfig

    def __init__(self, **given: Any) -> None:
        self._makers: list[TrackedOrder] = []
        """Every maker order that may have traded, besides the one of the moment."""
        self._takers: list[TrackedOrder] = []
        super().__init__(**given)

    def followed(self) -> Iterator[TrackedOrder]:
        """All maker orders and all hedges."""
        yield from self._all_makers()
        yield from self._takers

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Maker and taker are told apart by their market and side."""
        for one in past:
            if one.amount > 0:
                market = one.order.connector_name, one.order.trading_pair, one.order.side
                maker = self.maker_connector, self.maker_trading_pair, self.maker_order_side
                (self._makers if market == maker else self._takers).append(tracked(one.filled()))
        if self._makers:
            self.maker_order, self.taker_order = self._makers[-1], self._takers[-1] if self._takers else None
            self._makers.remove(self.maker_order)
            self.close_type = CloseType.COMPLETED

    def is_over(self) -> bool:
        """Whether there was a trade, and it was hedged."""
        return self.maker_order is not None and not self._owes()

    def held_by_market(self) -> Iterator[tuple[str, str, InFlightOrder]]:
        """What it leaves to its controller: orders, each with where it traded."""
        for one in self.followed():
            if one.executed_amount_base > 0:
                hedge = any(one is each for each in self._takers)
                yield (
                    self.taker_connector if hedge else self.maker_connector,
                    self.taker_trading_pair if hedge else self.maker_trading_pair,
                    one.order,
                )

    def _all_makers(self) -> Iterator[TrackedOrder]:
        yield from self._makers
        if self.maker_order is not None:
            yield self.maker_order

    @property
    def _owed(self) -> Decimal:
        return _traded(self._all_makers()) - _traded(self._takers)

    def _owes(self) -> bool:
        price = self._price()
        return self.worth_trading(self.taker_connector, self.taker_trading_pair, self._owed, price)

    def _price(self) -> Decimal:
        price: Decimal = self.get_price(self.taker_connector, self.taker_trading_pair)
        return price

    async def control_maker_order(self) -> None:
        """Quote again only when no earlier quote may trade any more; hedge what one of them traded."""
        if self._owes():
            self._status = RunnableStatus.SHUTTING_DOWN
            self.cancel_pending()
            return
        if self.maker_order is None and (not self.may_open() or any(self.pending(one) for one in self._makers)):
            return
        maker = self.maker_order
        await super().control_maker_order()
        if maker is not None and self.maker_order is None:
            self._makers.append(maker)

    def tidy(self) -> None:
        """What a cancelled order traded counts."""
        if self.gone(self.maker_order):
            self._makers.append(self.maker_order)
            if self.maker_order.order.is_failure:
                self._current_retries += 1
            self.maker_order = None
        for orders in (self._makers, self._takers):
            for one in [one for one in orders if self.gone(one)]:
                if orders is self._takers and one.order.is_failure:
                    self._current_retries += 1
                if one.executed_amount_base > 0:
                    orders[orders.index(one)] = Ended(one.order)
                else:
                    orders.remove(one)
                    self.given_up.add(one.order_id)

    async def control_shutdown_process(self) -> None:
        """Wait for what was sent, then hedge what is owed."""
        if any(self.pending(one) for one in self.followed()):
            self.cancel_pending()
        elif self.close_type != CloseType.POSITION_HOLD and self._owes():
            self.place_taker_order()
        else:
            if self.close_type == CloseType.POSITION_HOLD:
                self._held_position_orders = self._collect_held_position_orders()
            self.close_type = self.close_type or CloseType.COMPLETED
            self.stop()

    def place_taker_order(self) -> None:
        """Hedge exactly what is owed, unless a hedge is on its way."""
        if any(self.pending(one) for one in self._takers) or not self._owes():
            return
        order_id = self.place_order(
            connector_name=self.taker_connector,
            trading_pair=self.taker_trading_pair,
            order_type=OrderType.MARKET,
            side=self.taker_order_side,
            amount=self._owed,
        )
        self.taker_order = TrackedOrder(order_id=order_id)
        self._takers.append(self.taker_order)

    def early_stop(self, keep_position: bool = False) -> None:  # noqa: FBT001, FBT002 - hummingbot's
        """Stop quoting; what traded is still hedged."""
        self.close_type = CloseType.POSITION_HOLD if keep_position else CloseType.EARLY_STOP
        self._status = RunnableStatus.SHUTTING_DOWN
        self.cancel_pending()

    def get_cum_fees_quote(self) -> Decimal:
        """Fees of all its orders."""
        return sum((one.cum_fees_quote for one in self.followed()), Decimal(0))

    def get_net_pnl_quote(self) -> Decimal:
        """What the sold brought in more than the bought cost, once all is hedged."""
        if not self.is_closed:
            return Decimal(0)
        return _net_quote(self.followed()) - self.get_cum_fees_quote()


class LastingArbitrageExecutor(Resumable, ArbitrageExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """Ends with both legs, or with neither."""

    config_class = ArbitrageExecutorConfig

    def __init__(self, **given: Any) -> None:
        self._legs: dict[str, list[TrackedOrder]] = {BUY: [], SELL: [], BACK: []}
        """Every order it sent, by what it was for."""
        self._taking_back = False
        super().__init__(**given)

    def followed(self) -> Iterator[TrackedOrder]:
        """All orders of both legs, and those that took one back."""
        for orders in self._legs.values():
            yield from orders

    def put_back(self, past: Sequence[PastOrder], notes: dict[str, Any]) -> None:
        """Legs whose counterpart is missing are taken back."""
        for one in past:
            if one.amount > 0:
                self._legs[one.order.role or one.order.side.name.lower()].append(tracked(one.filled()))
        if any(self._legs.values()):
            self._show_legs()
            self._taking_back = True
            self.close_type = CloseType.COMPLETED if self._excess() is None else CloseType.FAILED

    def is_over(self) -> bool:
        """Whether both legs had traded the same."""
        return self._taking_back and self._excess() is None

    def held_by_market(self) -> Iterator[tuple[str, str, InFlightOrder]]:
        """What it leaves to its controller: orders, each with where it traded."""
        for leg, orders in self._legs.items():
            for one in orders:
                if one.executed_amount_base > 0:
                    # What takes a leg back trades where that leg did, on the other side.
                    bought = leg == BUY or (leg == BACK and one.order.trade_type == TradeType.SELL)
                    market = self.buying_market if bought else self.selling_market
                    yield market.connector_name, market.trading_pair, one.order

    def _show_legs(self) -> None:
        if self._legs[BUY]:
            self._buy_order = self._legs[BUY][-1]
        if self._legs[SELL]:
            self._sell_order = self._legs[SELL][-1]

    def _excess(self) -> tuple[Any, TradeType, Decimal] | None:
        """Where, on which side and how much one leg traded more than the other; `None` if that can't be traded."""
        back = _signed(self._legs[BACK])
        more = _traded(self._legs[BUY]) - _traded(self._legs[SELL]) + back
        market = self.buying_market if more > 0 else self.selling_market
        side = TradeType.SELL if more > 0 else TradeType.BUY
        price = self.get_price(market.connector_name, market.trading_pair)
        if not self.worth_trading(market.connector_name, market.trading_pair, abs(more), price):
            return None
        return market, side, abs(more)

    async def execute_arbitrage(self) -> None:
        """Send both legs."""
        if self.may_open():
            await super().execute_arbitrage()

    def place_buy_arbitrage_order(self) -> None:
        """The leg that buys."""
        with self.placing(BUY):
            super().place_buy_arbitrage_order()
        self._buy_order = TrackedOrder(self._buy_order.order_id)
        self._legs[BUY].append(self._buy_order)

    def place_sell_arbitrage_order(self) -> None:
        """The leg that sells."""
        with self.placing(SELL):
            super().place_sell_arbitrage_order()
        self._sell_order = TrackedOrder(self._sell_order.order_id)
        self._legs[SELL].append(self._sell_order)

    def check_order_status(self) -> None:
        """End when both legs have traded the same; a leg that fell short is tried again, or the other taken back."""
        if any(self.pending(one) for one in self.followed()):
            return
        excess = self._excess()
        traded = any(one.executed_amount_base > 0 for one in self.followed())
        if not traded and not self._taking_back:
            self.close_type = CloseType.FAILED
            self.stop()
        elif excess is None:
            self.close_type = self.close_type or CloseType.COMPLETED
            self.stop()
        else:
            self._taking_back = True
            self.close_type = CloseType.FAILED
            self._take_back(*excess)

    def _take_back(self, market: Any, side: TradeType, amount: Decimal) -> None:
        self._cumulative_failures += 1
        with self.placing(BACK):
            order_id = self.place_order(
                connector_name=market.connector_name,
                trading_pair=market.trading_pair,
                order_type=OrderType.MARKET,
                side=side,
                amount=amount,
                position_action=PositionAction.CLOSE
                if self.is_perpetual_connector(market.connector_name)
                else PositionAction.NIL,
            )
        self._legs[BACK].append(TrackedOrder(order_id))

    def tidy(self) -> None:
        """What an order traded that ended early counts."""
        for orders in self._legs.values():
            for one in [one for one in orders if self.gone(one)]:
                if one.executed_amount_base > 0:
                    orders[orders.index(one)] = Ended(one.order)
                else:
                    orders.remove(one)
                    self.given_up.add(one.order_id)

    async def control_task(self) -> None:
        """One step; too many failures leave what is open to the controller."""
        if self._cumulative_failures > self._max_retries:
            self.bind()
            self.force_stop_with_position_hold()
        else:
            await super().control_task()

    def early_stop(self, keep_position: bool = False) -> None:  # noqa: FBT001, FBT002 - hummingbot's
        """Stop watching; legs that are out are brought to an end."""
        if self._status == RunnableStatus.SHUTTING_DOWN:
            return
        self.close_type = CloseType.POSITION_HOLD if keep_position else CloseType.EARLY_STOP
        self.stop()

    def get_cum_fees_quote(self) -> Decimal:
        """Fees of all its orders."""
        return sum((one.cum_fees_quote for one in self.followed()), Decimal(0))

    def get_net_pnl_quote(self) -> Decimal:
        """What the sold brought in more than the bought cost, once it is over."""
        return _net_quote(self.followed()) - self.get_cum_fees_quote() if self.is_closed else Decimal(0)


def _signed(orders: Sequence[TrackedOrder]) -> Decimal:
    return sum(
        (
            one.executed_amount_base if one.order.trade_type == TradeType.BUY else -one.executed_amount_base
            for one in orders
            if one.order is not None
        ),
        Decimal(0),
    )
