"""Who has traded what: every trade is counted by an executor, or held by a controller and told.

Whatever the reason that an executor does not count on a trade, its controller then holds it as a position.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from aviary.actors.engine.bots.exposure import Exposure
from aviary.actors.engine.executors.record import ExecutorOrder
from aviary.actors.engine.executors.resuming import PastOrder, Resumable, part_of
from aviary.config.clock import Clock
from hummingbot.core.data_type.common import MarketDict, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, TradeUpdate
from hummingbot.core.event.event_forwarder import SourceInfoEventForwarder
from hummingbot.core.event.events import MarketEvent
from hummingbot.strategy_v2.executors.executor_base import ExecutorBase
from hummingbot.strategy_v2.executors.executor_orchestrator import ExecutorOrchestrator, PositionHold
from hummingbot.strategy_v2.models.executors import CloseType

REMEMBERED = 20_000
"""Orders of which it is remembered whose they are."""


class BookKeeping(ExecutorOrchestrator):  # type: ignore[misc]  # hummingbot is untyped
    """Hummingbot's orchestrator, and what it does not count. `alarm` is told what somebody has to look at."""

    def __init__(self, clock: Clock, alarm: Callable[[str], None], **given: Any) -> None:
        self._clock = clock
        self._alarm = alarm
        self._placed: dict[str, tuple[ExecutorBase, ExecutorOrder]] = {}
        self._counted: dict[str, Decimal] = {}
        """Base units told of each order in this life."""
        self._fills = SourceInfoEventForwarder(self._did_fill)
        super().__init__(**given)
        self.exposure = Exposure(self.strategy, alarm)

    def _write(self, ended: Iterable[str]) -> None:
        """Write down what is held."""

    def _listen(self) -> None:
        for connector in self.strategy.connectors.values():
            connector.add_listener(MarketEvent.OrderFilled, self._fills)

    def _was_placed(self, executor: ExecutorBase, order: ExecutorOrder) -> None:
        self._placed[order.client_order_id] = executor, order
        while len(self._placed) > REMEMBERED:
            del self._placed[next(iter(self._placed))]
        self.exposure.sent(executor.config.controller_id, order.connector_name, order.trading_pair, order.amount)

    def _may_open(self, controller_id: str) -> bool:
        return self.exposure.may_open(
            controller_id, self.active_executors[controller_id], self.positions_held[controller_id]
        )

    def _did_fill(self, event_tag: int, market: Any, event: Any) -> None:
        """A trade of an order that its executor has given up is held by the controller."""
        del event_tag, market
        self._count(event.order_id, event.amount)
        executor, order = self._placed.get(event.order_id, (None, None))
        if order is None or not isinstance(executor, Resumable):
            return
        if event.order_id in executor.given_up:
            trade = TradeUpdate(
                trade_id=event.exchange_trade_id,
                client_order_id=event.order_id,
                exchange_order_id=event.exchange_order_id,
                trading_pair=event.trading_pair,
                fill_timestamp=event.timestamp,
                fill_price=event.price,
                fill_base_amount=event.amount,
                fill_quote_amount=event.price * event.amount,
                fee=event.trade_fee,
            )
            self._hold_unexplained(executor.config.controller_id, PastOrder(order, (trade,)))

    def counted(self, client_order_id: str) -> Decimal:
        """Base units that were told of an order in this life."""
        return self._counted.get(client_order_id, Decimal(0))

    def order_of(self, client_order_id: str) -> InFlightOrder | None:
        """The order as its executor has it, if one counts on it."""
        executor, _ = self._placed.get(client_order_id, (None, None))
        if not isinstance(executor, Resumable) or executor.is_closed:
            return None
        orders = (one.order for one in executor.followed() if one.order_id == client_order_id)
        return next(orders, None)

    def _count(self, client_order_id: str, amount: Decimal) -> None:
        self._counted[client_order_id] = self.counted(client_order_id) + amount
        while len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]

    def count_stray(self, connector_name: str, stray: InFlightOrder) -> None:
        """An order that nobody follows has traded more than was told of it: what is missing is held."""
        missing = stray.executed_amount_base - self.counted(stray.client_order_id)
        if missing <= 0:
            return
        self._count(stray.client_order_id, missing)
        share = missing / stray.executed_amount_base
        trades = tuple(part_of(one, share, stray.trading_pair) for one in stray.order_fills.values())
        executor, order = self._placed.get(stray.client_order_id, (None, None))
        if order is not None and executor is not None:
            self._hold_unexplained(executor.config.controller_id, PastOrder(order, trades))
            return
        sign = 1 if stray.trade_type == TradeType.BUY else -1
        owners = [name for name in self.strategy.controllers if self._trades(name, connector_name, stray)]
        if len(owners) == 1:
            order = ExecutorOrder(
                connector_name,
                stray.trading_pair,
                stray.trade_type,
                stray.order_type,
                stray.amount,
                stray.price,
                PositionAction.NIL,
                self._clock.now(),
                client_order_id=stray.client_order_id,
            )
            self._hold_unexplained(owners[0], PastOrder(order, trades))
        else:
            self._alarm(
                f"{(sign * missing).normalize():+f} {stray.trading_pair} on {connector_name} were"
                " traded by an order of an earlier life that nobody counted on; whose it is can't be told."
            )

    def _trades(self, controller_id: str, connector_name: str, stray: InFlightOrder) -> bool:
        config = self.strategy.controllers[controller_id].config
        return stray.trading_pair in config.update_markets(MarketDict({})).get(connector_name, ())

    def _hold_unexplained(self, controller_id: str, past: PastOrder) -> None:
        order = past.order
        filled = past.filled()
        filled.client_order_id = f"late-{order.client_order_id}-{past.trades[0].trade_id}"
        self.hold(controller_id, order.connector_name, order.trading_pair, filled)
        self._write(())
        signed = past.amount if order.side == TradeType.BUY else -past.amount
        self.exposure.unexplained((controller_id, order.connector_name, order.trading_pair), signed)

    def _hold_two_legged(self, executor: ExecutorBase) -> None:
        """Hold what an executor of two markets left; hummingbot's own way knows only of one."""
        if hasattr(executor.config, "connector_name") or executor.config.id in self.executors_ids_position_held:
            return
        self.executors_ids_position_held.append(executor.config.id)
        for connector_name, trading_pair, order in executor.held_by_market():
            self.hold(executor.config.controller_id, connector_name, trading_pair, order)

    def hold(self, controller_id: str, connector_name: str, trading_pair: str, order: InFlightOrder) -> None:
        """Give what an order traded to a controller, to be held."""
        side = order.trade_type
        info = SimpleNamespace(
            id=order.client_order_id,
            connector_name=connector_name,
            trading_pair=trading_pair,
            config=SimpleNamespace(side=side, position_action=order.position),
            close_type=CloseType.POSITION_HOLD,
            custom_info={"held_position_orders": [order.to_json()]},
        )
        bucket = self._determine_position_side(info)
        holds: list[PositionHold] = self.positions_held[controller_id]
        found = self._find_existing_position(holds, info, bucket)
        if found is None:
            found = PositionHold(connector_name, trading_pair, bucket)
            holds.append(found)
        found.add_orders_from_executor(info)
