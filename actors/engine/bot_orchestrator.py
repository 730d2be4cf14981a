"""Hummingbot's executor orchestrator, with a record that outlives the process and a memory of the dead.

Unfinished executors of a dead life go on where they stopped, whatever their kind. What can't go on is closed by one
order; where not even that is possible, it stays written down, and that is said.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

from aviary.actors.engine.bot_dca_executor import LastingDCAExecutor
from aviary.actors.engine.bot_exposure import Exposure
from aviary.actors.engine.bot_grid_executor import LastingGridExecutor
from aviary.actors.engine.bot_lp_executor import LastingLPExecutor
from aviary.actors.engine.bot_order_executors import LastingOrderExecutor, LastingTWAPExecutor
from aviary.actors.engine.bot_position_executor import LastingPositionExecutor
from aviary.actors.engine.bot_record import ExecutorOrder, ExecutorRecord, UnfinishedExecutor, left_position
from aviary.actors.engine.bot_resuming import NotResumable, PastOrder, Resumable, part_of
from aviary.actors.engine.bot_takeover import Estate
from aviary.actors.engine.bot_two_legged_executors import LastingArbitrageExecutor, LastingXEMMExecutor
from aviary.config.clock import Clock
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import MarketDict, OrderType, PositionAction, PriceType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, TradeUpdate
from hummingbot.core.event.event_forwarder import SourceInfoEventForwarder
from hummingbot.core.event.events import MarketEvent
from hummingbot.model.position import Position
from hummingbot.strategy import strategy_v2_base
from hummingbot.strategy_v2.executors.executor_base import ExecutorBase
from hummingbot.strategy_v2.executors.executor_orchestrator import ExecutorOrchestrator, PositionHold
from hummingbot.strategy_v2.executors.position_executor.data_types import (
    PositionExecutorConfig,
    TripleBarrierConfig,
)
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger("hummingbot.client.aviary")

REMEMBERED = 20_000
"""Orders of which it is remembered whose they are."""

LASTING: dict[str, type[Resumable]] = {
    "position_executor": LastingPositionExecutor,
    "grid_executor": LastingGridExecutor,
    "dca_executor": LastingDCAExecutor,
    "twap_executor": LastingTWAPExecutor,
    "order_executor": LastingOrderExecutor,
    "xemm_executor": LastingXEMMExecutor,
    "arbitrage_executor": LastingArbitrageExecutor,
    "lp_executor": LastingLPExecutor,
}
"""Kinds that a later life can go on with."""


class RecordingOrchestrator(ExecutorOrchestrator):  # type: ignore[misc]  # hummingbot is untyped
    """Writes down every executor, order and held position before it counts on it.

    `alarm` is told what somebody has to look at.
    """

    _executor_mapping: ClassVar[dict[str, Any]] = {**ExecutorOrchestrator._executor_mapping, **LASTING}  # noqa: SLF001

    def __init__(
        self,
        clock: Clock,
        alarm: Callable[[str], None],
        initial_positions_by_controller: dict[str, Any],
        **given: Any,
    ) -> None:
        self._clock = clock
        self._alarm = alarm
        self.record = ExecutorRecord()
        self._estates: tuple[Estate, ...] = ()
        self._over: list[str] = []
        self._taken_over = False
        self._ended: set[str] = set()
        self._states: dict[str, dict[str, str]] = {}
        self.left: list[dict[str, str]] = []
        """After a stop: what the controllers still hold."""
        self._placed: dict[str, tuple[ExecutorBase, ExecutorOrder]] = {}
        self._counted: dict[str, Decimal] = {}
        """Base units told of each order in this life."""
        self._fills = SourceInfoEventForwarder(self._did_fill)
        # Positions that a configuration gives to a controller are for a fresh start: one that died knows better.
        known = self.record.controllers()
        fresh = {name: held for name, held in initial_positions_by_controller.items() if name not in known}
        super().__init__(initial_positions_by_controller=fresh, **given)
        self.exposure = Exposure(self.strategy, alarm)

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
            for connector in self.strategy.connectors.values():
                connector.add_listener(MarketEvent.OrderFilled, self._fills)
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
        if not self._may_open(action.controller_id):
            return
        executor = self._made(config)
        self._begin(executor)
        executor.start()

    def stop_executor(self, action: Any) -> None:
        """Write down that an executor is to end, then end it."""
        for executor in self.active_executors[action.controller_id]:
            if executor.config.id == action.executor_id and not executor.is_closed:
                self._note_stop(executor, keep=action.keep_position)
        super().stop_executor(action)

    async def stop(self, max_executors_close_attempts: int = 3) -> None:
        """The strategy stops: a life after one that is cut short here closes what this one could not."""
        for executor in self._executors():
            if executor.status in {RunnableStatus.NOT_STARTED, RunnableStatus.RUNNING}:
                self._note_stop(executor, keep=executor.config.type in {"order_executor", "lp_executor"})
        await super().stop(max_executors_close_attempts)

    def _update_positions_from_done_executors(self) -> None:
        for executor in self._executors():
            if executor.is_closed and executor.close_type == CloseType.POSITION_HOLD:
                self._hold_two_legged(executor)
        super()._update_positions_from_done_executors()
        closed = {one.config.id for one in self._executors() if one.is_closed}
        news = closed - self._ended
        if news:
            self._store_results(news)
            # Tried again with the next tick if the disk does not take it.
            self._write(news)
        self._ended = closed
        self._note_states()

    def store_all_positions(self) -> None:
        """The strategy stops in order."""
        self.left = [
            left_position(controller_id, hold.connector_name, hold.trading_pair, hold.net_amount_base)
            for controller_id, holds in self.positions_held.items()
            for hold in holds
            if hold.net_amount_base != 0
        ]
        self._write(one.config.id for one in self._executors() if one.is_closed)
        self.record.close()
        self.positions_held.clear()

    # The record

    def _store_results(self, ended: set[str]) -> None:
        """Hummingbot keeps the results of finished executors for an orderly stop."""
        for executor in self._executors():
            if executor.config.id in ended:
                try:
                    MarketsRecorder.get_instance().store_or_update_executor(executor)
                except (SQLAlchemyError, ValueError, TypeError):
                    # Results are for show: what is held does not depend on them.
                    log.exception("The result of executor %s could not be kept.", executor.config.id)

    def _executors(self) -> Iterable[ExecutorBase]:
        return (executor for executors in self.active_executors.values() for executor in executors)

    def _made(self, config: Any) -> ExecutorBase:
        executor = self._executor_mapping[config.type](
            strategy=self.strategy,
            config=config,
            update_interval=self.executors_update_interval,
            max_retries=self.executors_max_retries,
        )
        executor.alarm = self._alarm
        return executor

    def _begin(self, executor: ExecutorBase) -> None:
        """Write an executor down, as its making has left it, and take it among the active ones."""
        config = executor.config
        lasting = isinstance(executor, Resumable)
        state = executor.state() if lasting else {}
        if lasting and executor.close_type is not None and not executor.is_closed:
            state["closing"] = executor.close_type.name
        notes = executor.notes() if lasting else {}
        written = UnfinishedExecutor(
            config.id, config.controller_id, config.type, config.model_dump_json(), (), notes, state
        )
        self.record.begin(written)
        self._states[config.id] = state
        executor.place_order = partial(self._place, executor, executor.place_order)
        if lasting:
            executor.write_down = lambda: self._note(config.id, executor.state())
        executor.may_open = partial(self._may_open, config.controller_id)
        self.active_executors[config.controller_id].append(executor)

    def _note_states(self) -> None:
        for executor in self._executors():
            if isinstance(executor, Resumable) and not executor.is_closed:
                self._note(executor.config.id, executor.state())
        live = {executor.config.id for executor in self._executors()}
        self._states = {name: state for name, state in self._states.items() if name in live}

    def _note(self, executor_id: str, state: dict[str, str]) -> None:
        if self._states.get(executor_id) != state:
            self.record.note(executor_id, state)
            self._states[executor_id] = state

    def _note_stop(self, executor: ExecutorBase, *, keep: bool) -> None:
        if isinstance(executor, Resumable) and executor.status != RunnableStatus.SHUTTING_DOWN:
            closing = CloseType.POSITION_HOLD if keep else CloseType.EARLY_STOP
            self._note(executor.config.id, {**executor.state(), "closing": closing.name})

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

    def _place(
        self,
        executor: ExecutorBase,
        place: Any,
        connector_name: str,
        trading_pair: str,
        order_type: OrderType,
        side: TradeType,
        amount: Decimal,
        position_action: PositionAction = PositionAction.NIL,
        price: Decimal = Decimal("NaN"),
    ) -> str:
        if isinstance(executor, Resumable):
            self._note(executor.config.id, executor.state())
        order = ExecutorOrder(
            connector_name,
            trading_pair,
            side,
            order_type,
            self.strategy.connectors[connector_name].quantize_order_amount(trading_pair, amount),
            price,
            position_action,
            self._clock.now(),
            getattr(executor, "role", ""),
        )
        number = self.record.intend(executor.config.id, order)
        name: str = place(connector_name, trading_pair, order_type, side, amount, position_action, price)
        named = False
        try:
            self.record.name(number, name)
            named = True
        finally:
            if not named:
                # The executor never learns of this order and will send another one.
                self.strategy.cancel(connector_name, trading_pair, name)
        self._placed[name] = executor, replace(order, client_order_id=name)
        while len(self._placed) > REMEMBERED:
            del self._placed[next(iter(self._placed))]
        self.exposure.sent(executor.config.controller_id, connector_name, trading_pair, order.amount)
        return name

    # Taking over

    def _goes_on(self, estate: Estate) -> bool:
        """Go on with an executor; whether anything of it is still to be written down."""
        dead, past = estate.executor, estate.past()
        if dead.controller_id not in self.strategy.controllers:
            # Its controller may come back with a later configuration.
            if estate.fills:
                self._alarm(
                    f"Nobody takes over what controller {dead.controller_id} had opened: {_exposure(past)}."
                )
            return True
        kind = LASTING.get(dead.type)
        if kind is None:
            self._alarm(
                f"A {dead.type} of controller {dead.controller_id} was cut off; what it left is not known."
            )
            return False
        try:
            executor = self._made(kind.config_class.model_validate_json(dead.config))
            if executor.is_closed:
                raise NotResumable("it does not fit the exchange's rules any more")
            executor.resume(dead, past)
        except (NotResumable, ValidationError, KeyError) as error:
            return self._close(dead, past, error)
        self._begin(executor)
        executor.go_on()
        log.info(
            "Went on with a %s of %s: %s.", dead.type, dead.controller_id, _exposure(past) or "nothing traded"
        )
        return True

    def _close(self, dead: UnfinishedExecutor, past: Sequence[PastOrder], why: Exception) -> bool:
        """Close what an executor holds that can't go on, by one order; whether it is still to be written down."""
        left = {market: net for market, net in _nets(past).items() if net != 0}
        words = f"A {dead.type} of controller {dead.controller_id} can't go on ({type(why).__name__}: {why})"
        if not left:
            log.warning("%s; it holds nothing.", words)
            return False
        if len(left) > 1 or not all(pair in self.strategy.markets.get(name, ()) for name, pair in left):
            self._alarm(f"{words} nor be closed; it holds {_exposure(past)}.")
            return True
        ((connector_name, trading_pair), net), *_ = left.items()
        side = TradeType.BUY if net > 0 else TradeType.SELL
        mine = [
            one
            for one in past
            if (one.order.connector_name, one.order.trading_pair) == (connector_name, trading_pair)
        ]
        config = PositionExecutorConfig(
            id=dead.id,
            timestamp=mine[0].order.created_at,
            controller_id=dead.controller_id,
            connector_name=connector_name,
            trading_pair=trading_pair,
            side=side,
            amount=abs(net),
            entry_price=mine[0].filled().price,
            triple_barrier_config=TripleBarrierConfig(),
        )
        executor = LastingPositionExecutor(
            strategy=self.strategy,
            config=config,
            update_interval=self.executors_update_interval,
            max_retries=self.executors_max_retries,
        )
        closing = UnfinishedExecutor(
            dead.id, dead.controller_id, config.type, "", (), {}, {"closing": "EARLY_STOP"}
        )
        executor.resume(closing, past)
        self._begin(executor)
        executor.go_on()
        self._alarm(f"{words}; closing what it holds: {_exposure(past)}.")
        return True

    # Positions and what nobody counts on

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


def _nets(past: Sequence[PastOrder]) -> dict[tuple[str, str], Decimal]:
    nets: dict[tuple[str, str], Decimal] = {}
    for one in past:
        market = one.order.connector_name, one.order.trading_pair
        signed = one.amount if one.order.side == TradeType.BUY else -one.amount
        nets[market] = nets.get(market, Decimal(0)) + signed
    return nets


def _exposure(past: Sequence[PastOrder]) -> str:
    """What some orders hold together, in words."""
    return ", ".join(
        f"{net.normalize():f} {pair} on {name}" for (name, pair), net in _nets(past).items() if net != 0
    )


def record_executors(clock: Clock, alarm: Callable[[str], None]) -> None:
    """From now on, strategies get an orchestrator that keeps a record."""
    strategy_v2_base.ExecutorOrchestrator = partial(RecordingOrchestrator, clock, alarm)
