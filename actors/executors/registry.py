"""Answers for all executors, and brings up what has not ended after a restart of the server."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal
from aviary.actors.executors import held as holdings
from aviary.actors.executors import views
from aviary.actors.executors.creation import Creation
from aviary.actors.hosts.calls import call_host
from aviary.actors.keeping.records import Records
from aviary.actors.keeping.until_done import UntilDone
from aviary.actors.messages.executors import (
    EXECUTORS,
    BringUpExecutors,
    ClearPositionHeld,
    CreateExecutor,
    ExecutorLogs,
    ExecutorPage,
    GetExecutor,
    GetExecutorLogs,
    GetExecutorSchema,
    GetExecutorsPerformance,
    GetExecutorsSummary,
    GetPositionHeld,
    ListActiveExecutors,
    ListExecutorTypes,
    ListPositionsHeld,
    LoggedLine,
    SearchExecutors,
    StopExecutor,
    StoppedExecutor,
)
from aviary.actors.messages.market_data import GetPrices
from aviary.actors.messages.trading import Pagination
from aviary.persistence.executors import ExecutorFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aviary.actors.core.address import Address
    from aviary.actors.executors.branch import ExecutorBranch
    from aviary.actors.messages.executors import Held

BRING_UP_PERIOD = 10.0
"""Seconds between two looks whether every executor has its actor: whoever restarts their supervisor ends them all."""

AT_ONCE = 20
"""Executors that are brought up at the same time."""

STOP_TIMEOUT = 30.0
"""Seconds to write down that an executor is to end."""

PRICE_TIMEOUT = 5.0
"""Seconds for the prices that held positions are valued at."""

NEWEST = 100
"""Executors that have ended, of those that a stream of the list shows."""


class ExecutorRegistry(AsyncActor):
    """Knows every executor: those that run by what their actors publish, the others from the database."""

    keeps_nothing = True

    def __init__(
        self,
        branch: ExecutorBranch,
        *,
        public_host: Address = "market/host",
        accounts: Address = "account-registry",
        markets: Address = "market-data",
    ) -> None:
        super().__init__()
        self._branch = branch
        self._public_host = public_host
        self._accounts = accounts
        self._markets = markets
        self._live: dict[str, views.Row] = {}
        self._unsubscribe: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        """Only begin: executors come up beside everything else."""
        self._records = Records(self)
        self._creation = Creation(self, self._records, self._branch, self._public_host, self._accounts)
        self._unsubscribe = self.system.bus.subscribe(f"{EXECUTORS}/", self._overhear)
        self._unfinished = UntilDone(self)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.every(BRING_UP_PERIOD, BringUpExecutors(), first=0.0)

    def release(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        if isinstance(message, BringUpExecutors):
            return self._unfinished.begin("the list of executors", self._bring_up)
        answer = self._answer(message)
        return super().receive(message) if answer is None else self.defer(answer)

    def _answer(self, message: Any) -> Any:
        match message:
            case CreateExecutor():
                return self._creation.create(message)
            case SearchExecutors():
                return self._search(message)
            case GetExecutor(executor_id=executor_id):
                return self._get(executor_id)
            case StopExecutor():
                return self._have_end(message)
            case GetExecutorLogs():
                return self._logs(message)
            case GetExecutorsSummary():
                return self._summary()
            case GetExecutorsPerformance(controller_id=controller_id):
                return self._performance(controller_id)
            case ListActiveExecutors():
                return self._stream(message)
            case _:
                return self._answer_on_positions(message)

    def _answer_on_positions(self, message: Any) -> Any:
        match message:
            case ListPositionsHeld(controller_id=controller_id):
                return self._positions(controller_id)
            case GetPositionHeld():
                return self._position(message)
            case ClearPositionHeld():
                return self._clear(message)
            case ListExecutorTypes():
                return self._kinds()
            case GetExecutorSchema(executor_type=kind):
                return call_host(self, self._public_host, "executor_schema", kind=kind)
            case _:
                return None

    def _overhear(self, topic: str, event: object) -> None:
        # On the publisher's thread: one assignment.
        if topic.endswith("/row") and isinstance(event, dict):
            executor_id = event["executor_id"]
            if event["status"] == views.ENDED:
                self._live.pop(executor_id, None)
            else:
                self._live[executor_id] = event

    # Bringing up

    async def _bring_up(self) -> None:
        for one in await self._records.read(lambda r: r.executors.unsettled()):
            if self.system.cell(f"{EXECUTORS}/{one.executor_id}") is None:
                self._unfinished.begin(one.executor_id, partial(self._start, one.executor_id))

    async def _start(self, executor_id: str) -> None:
        async with self._gate:
            await self._branch.start_executor(executor_id)

    # Lists

    async def _search(self, wanted: SearchExecutors) -> ExecutorPage:
        kinds = wanted.executor_types or ()
        if kinds:
            known = {one["type"] for one in (await self._kinds())["executor_types"]}
            if not set(kinds) <= known:
                raise Invalid(f"executor_types: known are {', '.join(sorted(known))}", "executor_types")
        place = views.opened(wanted.cursor)
        chosen = ExecutorFilter(
            accounts=wanted.account_names or (),
            connectors=wanted.connector_names or (),
            trading_pairs=wanted.trading_pairs or (),
            types=kinds,
            statuses=(wanted.status.upper(),) if wanted.status else (),
            controllers=wanted.controller_ids or (),
        )
        page = await self._records.read(lambda r: r.executors.search(chosen, limit=wanted.limit, cursor=place))
        return ExecutorPage(
            data=tuple(self._row(kept) for kept in page.data),
            pagination=Pagination(
                limit=page.limit,
                has_more=page.has_more,
                next_cursor=views.sealed(page.next_cursor),
                total_count=page.total_count,
            ),
        )

    async def _stream(self, wanted: ListActiveExecutors) -> dict[str, Any]:
        chosen = ExecutorFilter(
            accounts=_one(wanted.account_name),
            connectors=_one(wanted.connector_name),
            trading_pairs=_one(wanted.trading_pair),
            types=_one(wanted.executor_type),
            statuses=_one(wanted.status and wanted.status.upper()),
            controllers=_one(wanted.controller_id),
        )
        page = await self._records.read(lambda r: r.executors.search(chosen, limit=NEWEST))
        shown = {kept.executor_id: self._row(kept) for kept in page.data}
        active = await self._active()
        older = [row for row in active if row["executor_id"] not in shown and _fits(row, chosen)]
        return {"data": [*shown.values(), *older], "total_count": page.total_count}

    async def _active(self) -> list[views.Row]:
        active = await self._records.read(lambda r: r.executors.active())
        return [self._row(kept) for kept in active]

    def _row(self, kept: Any) -> views.Row:
        live = None if kept.status == views.ENDED else self._live.get(kept.executor_id)
        return views.row_of(kept) if live is None else live

    # One of them

    async def _get(self, executor_id: str) -> views.Row:
        kept = await self._records.read(lambda r: r.executors.get(executor_id))
        if kept is None:
            raise NotFound(f"Executor {executor_id} not found")
        return self._row(kept)

    async def _have_end(self, message: StopExecutor) -> StoppedExecutor:
        row = await self._get(message.executor_id)
        if row["status"] != views.ENDED:
            address = f"{EXECUTORS}/{message.executor_id}"
            try:
                return await self.ask(address, message, timeout=STOP_TIMEOUT)
            except NotFound:
                # It has ended and was settled meanwhile.
                row = await self._get(message.executor_id)
        return StoppedExecutor(
            executor_id=message.executor_id,
            status=row["status"],
            keep_position=row["close_type"] == views.HOLD,
            close_type=row["close_type"],
        )

    async def _logs(self, wanted: GetExecutorLogs) -> ExecutorLogs:
        await self._get(wanted.executor_id)
        lines, total = await self._records.read(
            lambda r: r.executors.logs(wanted.executor_id, wanted.level, wanted.limit)
        )
        return ExecutorLogs(
            executor_id=wanted.executor_id,
            logs=tuple(LoggedLine(**views.line_of(line)) for line in lines),
            total_count=total,
        )

    # Sums

    async def _summary(self) -> dict[str, Any]:
        return views.summary_of(await self._active())

    async def _performance(self, controller_id: str | None) -> dict[str, Any]:
        ended = await self._records.read(lambda r: r.executors.results(controller_id))
        active = [row for row in await self._active() if controller_id in {None, row["controller_id"]}]
        positions = (await self._positions(controller_id))["positions"]
        return views.performance_of(controller_id, ended, active, positions)

    # Positions held

    async def _positions(self, controller_id: str | None) -> dict[str, Any]:
        held = await self._held(controller_id)
        return holdings.summary_of(held, await self._prices(held))

    async def _position(self, wanted: GetPositionHeld) -> dict[str, Any]:
        one = await self._find(wanted)
        prices = await self._prices([one])
        return holdings.view_of(one, prices.get((one.connector_name, one.trading_pair)))

    async def _clear(self, wanted: ClearPositionHeld) -> dict[str, str]:
        one = await self._find(wanted)
        await self._records.write(lambda r: r.executors.clear(one.executor_ids))
        for executor_id in one.executor_ids:
            self.system.alarms.clear(f"executor/{executor_id}/left")
        self.publish(f"{EXECUTORS}/held", one)
        return {
            "message": f"Position hold for {wanted.connector_name}/{wanted.trading_pair} cleared",
            "connector_name": wanted.connector_name,
            "trading_pair": wanted.trading_pair,
        }

    async def _held(self, controller_id: str | None) -> tuple[Held, ...]:
        return holdings.held_by(await self._records.read(lambda r: r.executors.held(controller_id)))

    async def _find(self, wanted: GetPositionHeld | ClearPositionHeld) -> Held:
        key = wanted.account_name, wanted.connector_name, wanted.trading_pair
        for one in await self._held(wanted.controller_id):
            if (one.account_name, one.connector_name, one.trading_pair) == key:
                return one
        raise NotFound(f"No position hold found for {wanted.connector_name}/{wanted.trading_pair}")

    async def _prices(self, held: Sequence[Held]) -> dict[holdings.Market, Decimal]:
        """Current prices of what is held; a market that can't be asked is left out."""
        pairs: dict[str, list[str]] = {}
        for one in held:
            if one.trading_pair not in pairs.setdefault(one.connector_name, []):
                pairs[one.connector_name].append(one.trading_pair)

        async def ask(connector: str) -> dict[holdings.Market, Decimal]:
            question = GetPrices(connector_name=connector, trading_pairs=tuple(pairs[connector]))
            try:
                answer = await self.ask(self._markets, question, timeout=PRICE_TIMEOUT)
            except (Refusal, ActorCrashed):
                return {}
            return {
                (connector, pair): Decimal(str(price))
                for pair, price in answer.prices.items()
                if price is not None
            }

        found: dict[holdings.Market, Decimal] = {}
        for prices in await asyncio.gather(*(ask(connector) for connector in pairs)):
            found.update(prices)
        return found

    async def _kinds(self) -> dict[str, Any]:
        return {"executor_types": await call_host(self, self._public_host, "executor_kinds")}


def _one(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


def _fits(row: views.Row, chosen: ExecutorFilter) -> bool:
    wanted = {
        "account_name": chosen.accounts,
        "connector_name": chosen.connectors,
        "trading_pair": chosen.trading_pairs,
        "type": chosen.types,
        "status": chosen.statuses,
        "controller_id": chosen.controllers,
    }
    return all(not values or row[name] in values for name, values in wanted.items())
