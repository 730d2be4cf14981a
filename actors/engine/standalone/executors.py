"""The executors of one account, in its engine host: begun, told of by push, stopped, and gone on with.

Events are `executor/<id>`, of which all must arrive, and `executor_report/<id>`, of which the newest counts. The
server writes what they say; an executor that the host no longer has goes on from what was written.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
from aviary.actors.core.ports.errors import PortRefusal
from aviary.actors.core.ports.server import PortServer
from aviary.actors.engine.accounts.holdings import Holdings
from aviary.actors.engine.accounts.orders import Orders
from aviary.actors.engine.exchanges.connections import Connections
from aviary.actors.engine.executors.closing import closing_executor, exposure, nets
from aviary.actors.engine.executors.kinds import LASTING, UNFIT
from aviary.actors.engine.executors.record import UnfinishedExecutor
from aviary.actors.engine.executors.resuming import NotResumable, PastOrder, Resumable
from aviary.actors.engine.standalone.account import AccountStrategy, Spawn
from aviary.actors.engine.standalone.books import LentBooks
from aviary.actors.engine.standalone.configs import (
    Problem,
    check,
    kinds,
    markets_of,
    markets_written,
    problem,
    schema_of,
)
from aviary.actors.engine.standalone.lines import ExecutorLines
from aviary.actors.engine.standalone.past import past_order, unfinished
from aviary.actors.engine.standalone.reports import plain, report_of
from aviary.actors.engine.standalone.sizes import unfit_markets, unfit_sizes
from aviary.config.clock import Clock
from hummingbot.core.data_type.common import PriceType
from hummingbot.strategy_v2.models.base import RunnableStatus
from hummingbot.strategy_v2.models.executors import CloseType

log = logging.getLogger(__name__)

LOOK_INTERVAL = 0.5
"""Seconds between two looks at every executor."""

UPDATE_INTERVAL = 1.0
"""Seconds between two steps of an executor, as in hummingbot's own bots and the released server."""

MAX_RETRIES = 10

KEEPERS = frozenset({"order_executor", "twap_executor"})
"""Kinds that leave what they traded where it is when they are stopped."""

SUMS_FAIL = (*UNFIT, OSError)
"""What an executor's own sums raise while there is no price."""

NOTHING_TRADED: dict[str, Any] = {
    "is_trading": False,
    "side": None,
    "net_pnl_quote": 0.0,
    "net_pnl_pct": 0.0,
    "cum_fees_quote": 0.0,
    "filled_amount_quote": 0.0,
    "custom_info": {},
}


@dataclass
class Running:
    """An executor that the host has, running or just ended."""

    executor_id: str
    controller_id: str
    markets: tuple[tuple[str, str], ...]
    strategy: AccountStrategy
    lines: ExecutorLines
    executor: Any = None
    life: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    ended: bool = False


class Executors:
    """The executor methods of an account host."""

    def __init__(
        self,
        server: PortServer,
        connections: Connections,
        orders: Orders,
        holdings: Holdings,
        books: LentBooks,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._server = server
        self._connections = connections
        self._orders = orders
        self._holdings = holdings
        self._books = books
        self._clock = clock
        self._spawn = spawn
        self._running: dict[str, Running] = {}
        self._starting: set[str] = set()
        connections.when_closed(self._lose_connector)

    # What may be asked without an account

    async def executor_kinds(self) -> list[dict[str, str]]:
        """Every kind of executor, in words."""
        return kinds()

    async def executor_schema(self, kind: str) -> dict[str, Any]:
        """The fields of a kind's configuration; refused as `not_found`."""
        if kind not in LASTING:
            raise PortRefusal("not_found", f"Executor type '{kind}' not found. Known are {', '.join(LASTING)}")
        return schema_of(kind)

    async def check_executor(self, config: dict[str, Any]) -> dict[str, Any]:
        """`{"problems"}`, or without any `{"config", "shown", "markets", "side"}`: by hummingbot's own classes."""
        checked, problems = check(config)
        if checked is None:
            return {"problems": problems}
        side = getattr(checked, "side", None) or getattr(checked, "maker_side", None)
        return {
            "problems": [],
            "config": checked.model_dump_json(),
            "shown": plain(checked),
            "markets": markets_of(checked),
            "side": plain(side),
        }

    # Of one account

    async def fits_executor(self, kind: str, config: str, leverage: int | None = None) -> list[Problem]:
        """What the account's exchanges would refuse of a checked configuration; nothing is placed.

        With `leverage` that is set where the configuration trades perpetual contracts.
        """
        checked = LASTING[kind].config_class.model_validate_json(config)
        connectors = self._connectors(markets_of(checked))
        for name in connectors:
            await self._holdings.trading_rules(name, [])
        problems = unfit_markets(checked, connectors)
        if problems:
            return problems
        markets = await self._follow(markets_of(checked), connectors)
        try:
            problems = unfit_sizes(checked, connectors)
        finally:
            await self._books.give_back(markets)
        if not problems and leverage is not None:
            problems = await self._set_leverage(markets, leverage)
        return problems

    async def _set_leverage(self, markets: Sequence[tuple[str, str]], leverage: int) -> list[Problem]:
        for name, pair in markets:
            if self._connections.get(name).perpetual:
                try:
                    await self._holdings.set_leverage(name, pair, leverage)
                except PortRefusal as no:
                    if no.kind != "rejected":
                        raise
                    return [problem(("leverage",), no.detail, leverage)]
        return []

    async def start_executor(
        self,
        executor_id: str,
        controller_id: str,
        life: dict[str, Any],
        orders: list[dict[str, Any]] | None = None,
        *,
        flatten: bool = False,
    ) -> dict[str, Any]:
        """Begin an executor, or with `orders` go on with what its last life left; as `executor_status`.

        `life` has `type`, `config`, `notes` and `state`. With `flatten` it is closed instead of gone on with.
        """
        if executor_id in self._running or executor_id in self._starting:
            raise PortRefusal("conflict", f"{executor_id} runs already")
        self._starting.add(executor_id)
        try:
            markets = markets_written(life["config"])
            past = [past_order(one) for one in orders or ()]
            running = await self._made_ready(executor_id, controller_id, markets)
        finally:
            self._starting.discard(executor_id)
        self._running[executor_id] = running
        dead = unfinished(executor_id, controller_id, life)
        if orders is None:
            self._begin(running, self._new(running, dead))
        else:
            self._begin(running, self._again(running, dead, past, flatten=flatten))
        return self._status(running)

    async def executor_status(self, executor_id: str) -> dict[str, Any]:
        """`{"life", "report", "ended"}`: all the server should have heard but for log lines; refused as `not_found`."""
        running = self._get(executor_id)
        self._look(running)
        return self._status(running)

    async def stop_executor(self, executor_id: str, *, keep_position: bool) -> None:
        """Tell an executor to end; it does so in its own time."""
        running = self._get(executor_id)
        executor = running.executor
        if running.ended or executor is None or executor.status == RunnableStatus.SHUTTING_DOWN:
            return
        closing = CloseType.POSITION_HOLD if keep_position else CloseType.EARLY_STOP
        running.life["state"] = {**executor.state(), "closing": closing.name}
        self._tell_life(running)
        executor.early_stop(keep_position)
        self._look(running)

    async def order_written(self, executor_id: str, client_order_id: str) -> bool:
        """An order is written down: it may be sent. Whether it still waits for that."""
        return self._get(executor_id).strategy.written(client_order_id)

    async def forget_executor(self, executor_id: str) -> None:
        """The end of an executor is written down."""
        running = self._running.get(executor_id)
        if running is not None and running.ended:
            del self._running[executor_id]

    async def run(self) -> None:
        """Look at every executor again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            for running in tuple(self._running.values()):
                self._look(running)

    # Making

    def _connectors(self, markets: Sequence[tuple[str, str]]) -> dict[str, Any]:
        return {name: self._connections.get(name).connector for name, _ in markets}

    async def _follow(
        self, markets: Sequence[tuple[str, str]], connectors: Mapping[str, Any]
    ) -> list[tuple[str, str]]:
        followed: list[tuple[str, str]] = []
        try:
            for name, pair in markets:
                await self._books.lend(name, connectors[name], pair)
                followed.append((name, pair))
        except BaseException:
            await self._books.give_back(followed)
            raise
        return followed

    async def _made_ready(
        self, executor_id: str, controller_id: str, markets: tuple[tuple[str, str], ...]
    ) -> Running:
        connectors = self._connectors(markets)
        perpetual = frozenset(name for name in connectors if self._connections.get(name).perpetual)
        for name in connectors:
            await self._holdings.trading_rules(name, [])
            # What was just cancelled, or traded, is in no balance that was asked for before.
            await self._holdings.balances(name)
        for name in perpetual:
            # Which side an order opens and which it closes depends on it.
            await self._holdings.position_mode(name)
        await self._follow(markets, connectors)
        tell = partial(self._push, executor_id)
        strategy = AccountStrategy(connectors, perpetual, self._orders, self._clock, tell, self._spawn)
        lines = ExecutorLines(logging.getLogger("aviary.executor"), executor_id, self._clock)
        return Running(executor_id, controller_id, markets, strategy, lines)

    def _given(self, running: Running) -> dict[str, Any]:
        return {"strategy": running.strategy, "update_interval": UPDATE_INTERVAL, "max_retries": MAX_RETRIES}

    def _made(self, running: Running, dead: UnfinishedExecutor) -> Any:
        kind = LASTING[dead.type]
        return kind(config=kind.config_class.model_validate_json(dead.config), **self._given(running))

    def _new(self, running: Running, wanted: UnfinishedExecutor) -> Any | None:
        try:
            executor = self._made(running, wanted)
        except UNFIT as error:
            running.lines.error("It could not be begun: %s", error, exc_info=error)
            self._end_without(running, CloseType.FAILED)
            return None
        return executor

    def _again(
        self, running: Running, dead: UnfinishedExecutor, past: Sequence[PastOrder], *, flatten: bool
    ) -> Any | None:
        """Go on with an executor, or close what it holds; `None` if nothing is left to be done."""
        held = exposure(past) or "nothing"
        if flatten and dead.type in KEEPERS:
            return self._closing(running, dead, past, "it is to be closed after a crash")
        try:
            executor = self._made(running, dead)
            if executor.is_closed:
                raise NotResumable("it does not fit the exchange's rules any more")
            if flatten:
                dead.state.setdefault("closing", CloseType.EARLY_STOP.name)
            executor.resume(dead, past)
        except (NotResumable, *UNFIT) as error:
            return self._closing(running, dead, past, f"it can't go on ({type(error).__name__}: {error})")
        what = "It is closed after a crash" if flatten else "It goes on after a crash"
        running.lines.warning("%s; its %d orders hold %s.", what, len(past), held)
        return executor

    def _closing(
        self, running: Running, dead: UnfinishedExecutor, past: Sequence[PastOrder], why: str
    ) -> Any | None:
        left = {market: net for market, net in nets(past).items() if net != 0}
        if not left:
            running.lines.warning("It ends: %s, and it holds nothing.", why)
            self._end_without(running, CloseType.EARLY_STOP)
            return None
        if len(left) > 1 or next(iter(left)) not in running.markets:
            running.lines.error("It ends: %s, and %s stay held.", why, exposure(past))
            self._end_without(running, CloseType.FAILED)
            return None
        (market, net), *_ = left.items()
        running.lines.warning("What it holds, %s, is closed: %s.", exposure(past), why)
        return closing_executor(dead, past, market, net, **self._given(running))

    def _begin(self, running: Running, executor: Any | None) -> None:
        if executor is None:
            return
        running.executor = executor
        executor.logger = lambda: running.lines
        executor.alarm = running.lines.error
        executor.write_down = partial(self._note, running)
        executor.place_order = partial(self._place, running)
        state = executor.state()
        if executor.close_type is not None and not executor.is_closed:
            state["closing"] = executor.close_type.name
        running.life = {
            "type": executor.config.type,
            "config": executor.config.model_dump_json(),
            "notes": executor.notes(),
            "state": state,
        }
        self._tell_life(running)
        if not executor.is_closed:
            if executor.resumed:
                executor.go_on()
            else:
                executor.start()
        self._look(running)

    # Living

    def _place(self, running: Running, *arguments: Any, **named: Any) -> str:
        self._note(running)
        return running.strategy.place(running.executor.role, *arguments, **named)

    def _note(self, running: Running) -> None:
        """Tell how an executor is if that has changed in a way that a later life needs to know."""
        executor: Resumable = running.executor
        state = executor.state()
        if not executor.is_closed and state != running.life["state"]:
            running.life["state"] = state
            self._tell_life(running)

    def _look(self, running: Running) -> None:
        if not running.ended and running.executor is not None:
            self._note(running)
            try:
                report = report_of(running.executor)
            except SUMS_FAIL as error:
                report = self._report_without_sums(running, error)
            if report != running.report:
                running.report = report
                self._server.push_newest(f"executor_report/{running.executor_id}", orjson.dumps(report))
            if running.executor.is_closed:
                self._end(running)
        lines = running.lines.take()
        if lines:
            self._push(running.executor_id, {"kind": "lines", "lines": lines})

    def _report_without_sums(self, running: Running, error: Exception) -> dict[str, Any]:
        executor = running.executor
        log.info("%s can't add up now: %s", running.executor_id, error)
        return {
            **NOTHING_TRADED,
            "config": plain(executor.config),
            **running.report,
            "status": executor.status.name,
            "close_type": plain(executor.close_type),
            "close_timestamp": executor.close_timestamp,
        }

    def _end_without(self, running: Running, close_type: CloseType) -> None:
        """End what never got to be an executor of this life."""
        running.report = {
            **NOTHING_TRADED,
            "status": RunnableStatus.TERMINATED.name,
            "close_type": close_type.name,
            "close_timestamp": self._clock.now(),
        }
        self._end(running)
        self._look(running)

    def _end(self, running: Running) -> None:
        running.ended = True
        running.report["dust"] = self._dust(running)
        running.strategy.let_go()
        self._spawn(self._books.give_back(running.markets), f"give back books of {running.executor_id}")
        self._push(running.executor_id, {"kind": "ended", "report": running.report})

    def _dust(self, running: Running) -> list[dict[str, Any]]:
        """What is too small to be traded, by market."""
        return [self._dust_of(running.strategy.connectors[name], name, pair) for name, pair in running.markets]

    @staticmethod
    def _dust_of(connector: Any, name: str, pair: str) -> dict[str, Any]:
        rule = connector.trading_rules.get(pair)
        if rule is None:
            return {"connector_name": name, "trading_pair": pair, "amount": "0"}
        try:
            price = connector.get_price_by_type(pair, PriceType.MidPrice)
        except SUMS_FAIL:
            price = Decimal("NaN")
        least = max(rule.min_order_size, rule.min_base_amount_increment)
        if price.is_finite() and price > 0:
            least = max(least, rule.min_notional_size / price)
        return {"connector_name": name, "trading_pair": pair, "amount": f"{least:f}"}

    def _lose_connector(self, connector_name: str) -> None:
        """A connector is closed: executors that trade with it are let go of, and go on from what was written."""
        for running in tuple(self._running.values()):
            if connector_name in running.strategy.connectors and not running.ended:
                running.strategy.let_go()
                executor = running.executor
                if executor is not None:
                    executor._status = RunnableStatus.TERMINATED  # noqa: SLF001 - its own stop would tell more
                    executor.terminated.set()
                    executor.unregister_events()
                del self._running[running.executor_id]
                self._spawn(self._books.give_back(running.markets), f"give back books of {running.executor_id}")
                self._push(running.executor_id, {"kind": "lost"})

    # Telling

    def _get(self, executor_id: str) -> Running:
        running = self._running.get(executor_id)
        if running is None:
            raise PortRefusal("not_found", f"{executor_id} does not run here")
        return running

    @staticmethod
    def _status(running: Running) -> dict[str, Any]:
        return {"life": running.life, "report": running.report, "ended": running.ended}

    def _tell_life(self, running: Running) -> None:
        self._push(running.executor_id, {"kind": "life", "life": running.life})

    def _push(self, executor_id: str, event: dict[str, Any]) -> None:
        self._server.push(f"executor/{executor_id}", orjson.dumps(event, default=str))
