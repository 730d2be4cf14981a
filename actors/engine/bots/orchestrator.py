"""Hummingbot's executor orchestrator, with a record that outlives the process and a memory of the dead.

Unfinished executors of a dead life go on where they stopped, whatever their kind. What can't go on is closed by one
order; where not even that is possible, it stays written down, and that is said.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from aviary.actors.engine.bots.books import BookKeeping
from aviary.actors.engine.bots.takeover import ExecutorFills
from aviary.actors.engine.executors.closing import closing_executor, exposure, nets
from aviary.actors.engine.executors.kinds import LASTING, UNFIT
from aviary.actors.engine.executors.record import ExecutorOrder, ExecutorRecord, UnfinishedExecutor, left_position
from aviary.actors.engine.executors.resuming import NotResumable, PastOrder, Resumable
from aviary.config.clock import Clock
from hummingbot.connector.markets_recorder import MarketsRecorder
from hummingbot.core.data_type.common import OrderType, PositionAction, PriceType, TradeType
from hummingbot.model.position import Position
from hummingbot.strategy import strategy_v2_base
from hummingbot.strategy_v2.executors.executor_base import ExecutorBase
from hummingbot.strategy_v2.executors.executor_orchestrator import ExecutorOrchestrator, PositionHold
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger("hummingbot.client.aviary")


class RecordingOrchestrator(BookKeeping):
    """Writes down every executor, order and held position before it counts on it."""

    _executor_mapping: ClassVar[dict[str, Any]] = {**ExecutorOrchestrator._executor_mapping, **LASTING}  # noqa: SLF001

    def __init__(
        self,
        clock: Clock,
        alarm: Callable[[str], None],
        initial_positions_by_controller: dict[str, Any],
        **given: Any,
    ) -> None:
        self.record = ExecutorRecord()
        self._unfinished: tuple[ExecutorFills, ...] = ()
        self._over: list[str] = []
        self._taken_over = False
        self._ended: set[str] = set()
        self._states: dict[str, dict[str, str]] = {}
        self.left: list[dict[str, str]] = []
        """After a stop: what the controllers still hold."""
        # Positions that a configuration gives to a controller are for a fresh start: one that died knows better.
        known = self.record.controllers()
        fresh = {name: held for name, held in initial_positions_by_controller.items() if name not in known}
        super().__init__(clock, alarm, initial_positions_by_controller=fresh, **given)

    def take_over(self, fetch_fills: tuple[ExecutorFills, ...]) -> None:
        """Go on with these, once the connectors are ready."""
        self._unfinished = fetch_fills

    # Hummingbot's own steps

    def initialize_initial_positions(self) -> None:
        """The connectors are ready, and no controller has been let act yet."""
        super().initialize_initial_positions()
        try:
            while self._unfinished:
                dead_executor, *rest = self._unfinished
                if not self._goes_on(dead_executor):
                    self._over.append(dead_executor.executor.id)
                self._unfinished = tuple(rest)
            self._write(self._over)
            self._listen()
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
        self._was_placed(executor, replace(order, client_order_id=name))
        return name

    # Taking over

    def _goes_on(self, dead_executor: ExecutorFills) -> bool:
        """Go on with an executor; whether anything of it is still to be written down."""
        dead, past = dead_executor.executor, dead_executor.past()
        if dead.controller_id not in self.strategy.controllers:
            # Its controller may come back with a later configuration.
            if dead_executor.fills:
                self._alarm(
                    f"Nobody takes over what controller {dead.controller_id} had opened: {exposure(past)}."
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
        except (NotResumable, *UNFIT) as error:
            return self._close(dead, past, error)
        self._begin(executor)
        executor.go_on()
        log.info("Went on with a %s of %s: %s.", dead.type, dead.controller_id, exposure(past) or "nothing traded")
        return True

    def _close(self, dead: UnfinishedExecutor, past: Sequence[PastOrder], why: Exception) -> bool:
        """Close what an executor holds that can't go on, by one order; whether it is still to be written down."""
        left = {market: net for market, net in nets(past).items() if net != 0}
        words = f"A {dead.type} of controller {dead.controller_id} can't go on ({type(why).__name__}: {why})"
        if not left:
            log.warning("%s; it holds nothing.", words)
            return False
        if len(left) > 1 or not all(pair in self.strategy.markets.get(name, ()) for name, pair in left):
            self._alarm(f"{words} nor be closed; it holds {exposure(past)}.")
            return True
        (market, net), *_ = left.items()
        executor = closing_executor(
            dead,
            past,
            market,
            net,
            strategy=self.strategy,
            update_interval=self.executors_update_interval,
            max_retries=self.executors_max_retries,
        )
        self._begin(executor)
        executor.go_on()
        self._alarm(f"{words}; closing what it holds: {exposure(past)}.")
        return True


def record_executors(clock: Clock, alarm: Callable[[str], None]) -> None:
    """From now on, strategies get an orchestrator that keeps a record."""
    strategy_v2_base.ExecutorOrchestrator = partial(RecordingOrchestrator, clock, alarm)
