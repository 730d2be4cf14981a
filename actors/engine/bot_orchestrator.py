"""Hummingbot's executor orchestrator, with a record that outlives the process and a memory of the dead.

What unfinished executors of a dead life hold goes on where it stopped: a position executor with its barriers,
anything else as a position that its controller holds, which is what hummingbot itself makes of executors that it
has to break off.
"""

import logging
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

from aviary.actors.engine.bot_record import ExecutorOrder, ExecutorRecord
from aviary.actors.engine.bot_takeover import Estate, filled_orders, open_entry
from aviary.config.clock import Clock
from hummingbot.core.data_type.common import OrderType, PositionAction, PriceType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder
from hummingbot.model.position import Position
from hummingbot.strategy import strategy_v2_base
from hummingbot.strategy_v2.executors.executor_base import ExecutorBase
from hummingbot.strategy_v2.executors.executor_orchestrator import ExecutorOrchestrator, PositionHold
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig
from hummingbot.strategy_v2.executors.position_executor.position_executor import PositionExecutor
from hummingbot.strategy_v2.models.executors import CloseType, TrackedOrder

log = logging.getLogger("hummingbot.client.aviary")


class ResumedPositionExecutor(PositionExecutor):  # type: ignore[misc]  # hummingbot is untyped
    """A position executor whose entry was made in an earlier life."""

    def __init__(self, entry: InFlightOrder, **given: Any) -> None:
        super().__init__(**given)
        self._open_order = TrackedOrder(entry.client_order_id)
        self._open_order.order = entry

    async def on_start(self) -> None:
        """Check nothing: the money is spent, and one whose time is up has to close what it holds."""


class RecordingOrchestrator(ExecutorOrchestrator):  # type: ignore[misc]  # hummingbot is untyped
    """Writes down every executor, order and held position before it counts on it."""

    def __init__(self, clock: Clock, initial_positions_by_controller: dict[str, Any], **given: Any) -> None:
        self._clock = clock
        self.record = ExecutorRecord()
        self._estates: tuple[Estate, ...] = ()
        self._over: list[str] = []
        self._taken_over = False
        self._ended: set[str] = set()
        # Positions that a configuration gives to a controller are for a fresh start: one that died knows better.
        known = self.record.controllers()
        fresh = {name: held for name, held in initial_positions_by_controller.items() if name not in known}
        super().__init__(initial_positions_by_controller=fresh, **given)

    def take_over(self, estates: tuple[Estate, ...]) -> None:
        """Go on with these, once the connectors are ready."""
        self._estates = estates

    # Hummingbot's own steps

    def initialize_initial_positions(self) -> None:
        """The connectors are ready, and no controller has been let act yet."""
        super().initialize_initial_positions()
        try:
            while self._estates:
                estate, *rest = self._estates
                if not self._goes_on(estate):
                    self._over.append(estate.executor.id)
                self._estates = tuple(rest)
            self._write(self._over)
            self._taken_over = True
        finally:
            if not self._taken_over:
                # The next tick tries again; nothing is traded before.
                self.strategy.ready_to_trade = False
        # Controllers may act before the strategy's next tick tells them.
        self.strategy.update_executors_info()

    def execute_action(self, action: Any) -> None:
        """Do what a controller proposes. Some propose before the strategy's first tick: they will again."""
        if self._taken_over:
            super().execute_action(action)

    def create_executor(self, action: Any) -> None:
        """Make what a controller asks for."""
        config = action.executor_config
        config.controller_id = action.controller_id
        self.record.begin(config.id, action.controller_id, config.type, config.model_dump_json())
        super().create_executor(action)
        self._follow(self.active_executors[action.controller_id][-1])

    def _update_positions_from_done_executors(self) -> None:
        super()._update_positions_from_done_executors()
        closed = {one.config.id for one in self._executors() if one.is_closed}
        news = closed - self._ended
        if news:
            # Tried again with the next tick if the disk does not take it.
            self._write(news)
        self._ended = closed

    def store_all_positions(self) -> None:
        """The strategy stops in order."""
        self._write(one.config.id for one in self._executors() if one.is_closed)
        self.record.close()
        self.positions_held.clear()

    # The record

    def _executors(self) -> Iterable[ExecutorBase]:
        return (executor for executors in self.active_executors.values() for executor in executors)

    def _write(self, ended: Iterable[str]) -> None:
        positions = [
            self._row(controller_id, hold)
            for controller_id, holds in self.positions_held.items()
            for hold in holds
            if hold.trading_pair in self.strategy.markets.get(hold.connector_name, ())
        ]
        self.record.settle(ended, self.strategy.controllers, positions)

    def _row(self, controller_id: str, hold: PositionHold) -> Position:
        price = self.strategy.market_data_provider.get_price_by_type(
            hold.connector_name, hold.trading_pair, PriceType.MidPrice
        )
        summary = hold.get_position_summary(price if price.is_finite() else Decimal(0))
        return Position(
            id=f"{controller_id}/{hold.connector_name}/{hold.trading_pair}/{hold.side}",
            controller_id=controller_id,
            connector_name=summary.connector_name,
            trading_pair=summary.trading_pair,
            side=summary.side.name,
            timestamp=int(self._clock.now() * 1000),
            volume_traded_quote=summary.volume_traded_quote,
            amount=summary.amount,
            breakeven_price=summary.breakeven_price,
            unrealized_pnl_quote=summary.unrealized_pnl_quote,
            realized_pnl_quote=summary.realized_pnl_quote,
            cum_fees_quote=summary.cum_fees_quote,
        )

    def _follow(self, executor: ExecutorBase) -> None:
        executor.place_order = partial(self._place, executor.config.id, executor.place_order)

    def _place(
        self,
        executor_id: str,
        place: Any,
        connector_name: str,
        trading_pair: str,
        order_type: OrderType,
        side: TradeType,
        amount: Decimal,
        position_action: PositionAction = PositionAction.NIL,
        price: Decimal = Decimal("NaN"),
    ) -> str:
        sent = self.strategy.connectors[connector_name].quantize_order_amount(trading_pair, amount)
        order = ExecutorOrder(
            connector_name, trading_pair, side, order_type, sent, price, position_action, self._clock.now()
        )
        number = self.record.intend(executor_id, order)
        name: str = place(connector_name, trading_pair, order_type, side, amount, position_action, price)
        named = False
        try:
            self.record.name(number, name)
            named = True
        finally:
            if not named:
                # The executor never learns of this order and will send another one.
                self.strategy.cancel(connector_name, trading_pair, name)
        return name

    # Taking over

    def _goes_on(self, estate: Estate) -> bool:
        """Go on with an executor; whether it is still one, and not over."""
        controller_id = estate.executor.controller_id
        if controller_id not in self.strategy.controllers:
            # Its controller may come back with a later configuration.
            if estate.fills:
                log.warning("Nobody takes over what controller %s had opened.", controller_id)
            return True
        if estate.executor.type != "position_executor":
            self._hold(estate)
            return False
        config = PositionExecutorConfig.model_validate_json(estate.executor.config)
        market = config.connector_name, config.trading_pair
        if market[1] not in self.strategy.markets.get(market[0], ()):
            return False
        entry = open_entry(config, estate, self.strategy.connectors[market[0]], self._clock.now())
        if entry is None:
            return False
        executor = ResumedPositionExecutor(
            entry,
            strategy=self.strategy,
            config=config,
            update_interval=self.executors_update_interval,
            max_retries=self.executors_max_retries,
        )
        self._follow(executor)
        executor.start()
        self.active_executors[controller_id].append(executor)
        log.info(
            "Took over %s %s of %s that an earlier run had opened.",
            config.side.name,
            entry.executed_amount_base,
            config.trading_pair,
        )
        return True

    def _hold(self, estate: Estate) -> None:
        for order, filled in filled_orders(estate):
            held = {"held_position_orders": [filled.to_json()]}
            hold = self._hold_of(estate.executor.controller_id, order)
            hold.add_orders_from_executor(
                SimpleNamespace(
                    id=estate.executor.id,
                    config=SimpleNamespace(side=order.side),
                    close_type=CloseType.POSITION_HOLD,
                    custom_info=held,
                )
            )

    def _hold_of(self, controller_id: str, order: ExecutorOrder) -> PositionHold:
        holds: list[PositionHold] = self.positions_held[controller_id]
        for hold in holds:
            if (hold.connector_name, hold.trading_pair) == (order.connector_name, order.trading_pair):
                return hold
        hold = PositionHold(order.connector_name, order.trading_pair)
        holds.append(hold)
        return hold


def record_executors(clock: Clock) -> None:
    """From now on, strategies get an orchestrator that keeps a record."""
    strategy_v2_base.ExecutorOrchestrator = partial(RecordingOrchestrator, clock)
