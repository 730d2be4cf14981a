"""One executor: written down, kept running in its account's engine host, and gone on with after whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.life import Ignore
from aviary.actors.core.refusal import ActorCrashed, NotFound, Refusal, Unavailable
from aviary.actors.executors.held import fee_in_quote
from aviary.actors.executors.orders import ExecutorOrders, net_of, told_to_host
from aviary.actors.executors.views import ENDED, HOLD, line_of, row_of
from aviary.actors.hosts.calls import call_host
from aviary.actors.keeping.records import Records
from aviary.actors.messages.connectors import WaitUntilReady
from aviary.actors.messages.executors import (
    Begun,
    ExecutorSpoke,
    LookAfterExecutor,
    StopExecutor,
    StoppedExecutor,
    WaitUntilBegun,
)
from aviary.persistence.executors import LogLine
from aviary.persistence.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from aviary.persistence.executors import ExecutorOrder, KeptExecutor

LOOK_AFTER = 5.0
"""Seconds between two looks whether the host has what it should have."""

READY_PATIENCE = 20.0
"""Seconds that one wait for a connector lasts."""

START_LIMIT = 60.0
"""Seconds for the start in the host: the order book has half of them."""

FIRST_RETRY, LAST_RETRY = 0.2, 10.0
"""Seconds until the next try to bring it up, doubling from the first to the last."""

ALARM_AFTER = 30.0
"""Seconds without running that raise an alarm."""

WRITE_REPORT = 30.0
"""Seconds between two writings of its results while nothing else changes."""

RESULTS = ("net_pnl_quote", "net_pnl_pct", "cum_fees_quote", "filled_amount_quote")


class Executor(AsyncActor):
    """Owns what is written of one executor; the executor itself lives in the engine host of its account.

    An order is written down here before the host sends it. What the host no longer has is started there again, from
    what was written, once all its orders are accounted for. It ends when the executor has ended and is settled.
    """

    def __init__(self, executor_id: str) -> None:
        super().__init__()
        self._id = executor_id
        self._subscriptions: list[Callable[[], None]] = []

    async def prepare(self) -> None:
        """Read what is wanted; everything that takes time goes on in the background."""
        self._system = self.system
        self._records = Records(self)
        kept = await self._records.read(lambda r: r.executors.get(self._id))
        if kept is None or kept.settled:
            raise Ignore
        self._kept: KeptExecutor = kept
        self._report = kept.report
        self._host = f"accounts/{kept.account}/host"
        self._alarm = f"executor/{self._id}"
        self._orders = ExecutorOrders(self, self._id, kept.account)
        self._over = kept.status == ENDED
        self._up = False
        self._interrupted: str | None = None
        self._down_since = self._report_written_at = self.clock.monotonic()
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._listen()
        self.every(LOOK_AFTER, LookAfterExecutor())
        self.spawn(self._live(), "life")

    async def release(self) -> None:
        """Stop listening; the host goes on."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._system.alarms.clear(self._alarm)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ExecutorSpoke(kind="report", payload=payload):
                return self._hear_report(orjson.loads(payload))
            case ExecutorSpoke(payload=payload):
                return self._hear(orjson.loads(payload))
            case LookAfterExecutor():
                return self._look_after()
            case StopExecutor(keep_position=keep):
                return self._have_end(keep=keep)
            case WaitUntilBegun(patience=patience):
                return self.defer(self._until_begun(patience))
            case _:
                return super().receive(message)

    def _listen(self) -> None:
        subscribe = self._system.bus.subscribe

        def overhear(kind: Any) -> Callable[[str, object], None]:
            def tell(_topic: str, payload: object) -> None:
                if isinstance(payload, bytes):
                    self._system.tell(self.address, ExecutorSpoke(kind=kind, payload=payload))

            return tell

        self._subscriptions += [
            subscribe(f"{self._host}/executor/{self._id}", overhear("event")),
            subscribe(f"{self._host}/executor_report/{self._id}", overhear("report")),
            *(
                subscribe(f"{self._connector(name)}/phase", lambda _topic, _phase: self._look_soon())
                for name in self._connectors()
            ),
        ]

    def _look_soon(self) -> None:
        self._system.tell(self.address, LookAfterExecutor())

    def _connectors(self) -> tuple[str, ...]:
        config = self._kept.config
        if "buying_market" in config:
            return tuple({config[side]["connector_name"]: None for side in ("buying_market", "selling_market")})
        return (self._kept.connector_name,)

    def _connector(self, name: str) -> str:
        return f"accounts/{self._kept.account}/{name}"

    # Life

    async def _live(self) -> None:
        delay = FIRST_RETRY
        while not self._over:
            self._news.clear()
            try:
                await self._bring_up()
            except (Refusal, ActorCrashed) as trouble:
                self._is_down(str(trouble))
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)
                continue
            delay = FIRST_RETRY
            if self._up and not self._over:
                await self._news.wait()
        await self._settle()
        self.finish()

    async def _bring_up(self) -> None:
        """Find the executor in the host, or start it there."""
        for name in self._connectors():
            await self.ask(
                self._connector(name), WaitUntilReady(patience=READY_PATIENCE), timeout=READY_PATIENCE + 1.0
            )
        try:
            status = await self._call("executor_status")
        except NotFound:
            status = await self._start()
        if status is not None:
            await self._take(status)
        self._is_up()

    async def _start(self) -> dict[str, Any] | None:
        kept, orders = self._kept, None
        life = dict(kept.life)
        fresh = kept.status == "NOT_STARTED" and not await self._records.read(
            lambda r: r.executors.has_orders(self._id)
        )
        if fresh and kept.stop is not None:
            await self._end({"close_type": "EARLY_STOP", "close_timestamp": self.clock.now()})
            return None
        if not fresh:
            orders = [told_to_host(one) for one in await self._orders.settled()]
        if kept.stop is not None:
            closing = HOLD if kept.stop == "keep" else "EARLY_STOP"
            life["state"] = {"closing": closing, **life["state"]}
        answer: dict[str, Any] = await self._call(
            "start_executor",
            limit=START_LIMIT,
            controller_id=kept.controller_id,
            life=life,
            orders=orders,
            flatten=kept.after_crash == "flatten" and not fresh,
        )
        return answer

    def _is_up(self) -> None:
        self._up = True
        self._interrupted = None
        self._begun.set()
        self.recover()
        self._system.alarms.clear(self._alarm)
        self._tell()

    def _is_down(self, why: str) -> None:
        if self._up:
            self._up = False
            self._down_since = self.clock.monotonic()
        self._interrupted = why
        self.degrade(why)
        if self.clock.monotonic() - self._down_since > ALARM_AFTER:
            self._system.alarms.raise_(self._alarm, f"executor {self._id} does not run: {why}")
        self._tell()

    async def _look_after(self) -> None:
        """Hear what may have been missed; an executor that is gone is brought up again."""
        if not self._up or self._over:
            return
        try:
            status = await self._call("executor_status")
            if self._kept.stop is not None and "closing" not in status["life"]["state"] and not status["ended"]:
                await self._call("stop_executor", keep_position=self._kept.stop == "keep")
            await self._take(status)
        except NotFound:
            self._is_down("its engine host was started anew")
            self._news.set()
        except (Refusal, ActorCrashed) as trouble:
            self._is_down(str(trouble))
            self._news.set()

    # What the host says

    async def _hear(self, event: dict[str, Any]) -> None:
        try:
            match event["kind"]:
                case "order":
                    await self._intend(event)
                case "life":
                    await self._take_life(event["life"])
                case "lines":
                    await self._take_lines(event["lines"])
                case "ended":
                    await self._end(event["report"])
                case _:
                    self._is_down("its connector was opened anew")
                    self._news.set()
        except (Unavailable, ActorCrashed) as trouble:
            # An order that is not written down is not sent; the rest is heard again by the next look.
            self.degrade(f"what its host said could not be written down: {trouble}")

    async def _intend(self, event: dict[str, Any]) -> None:
        if self._over:
            return
        price = event["price"]
        order = Order(
            client_order_id=event["client_order_id"],
            account=self._kept.account,
            connector=event["connector_name"],
            trading_pair=event["trading_pair"],
            side=event["side"],
            order_type=event["order_type"],
            amount=Decimal(event["amount"]),
            price=None if price is None else Decimal(price),
            position_action=event["position_action"],
            created_at=event["created_at"],
            updated_at=self.clock.now(),
        )
        await self._records.write(lambda r: r.executors.intend(self._id, order, event["role"]))
        self.spawn(self._let_send(order.client_order_id), f"let {order.client_order_id} be sent")

    async def _let_send(self, client_order_id: str) -> None:
        with contextlib.suppress(Refusal):
            await self._call("order_written", client_order_id=client_order_id)

    async def _take(self, status: dict[str, Any]) -> None:
        """Take what a host says when it is asked."""
        if status["life"]:
            await self._take_life(status["life"])
        if status["ended"]:
            await self._end(status["report"])
        elif status["report"]:
            await self._hear_report(status["report"])

    async def _take_life(self, life: dict[str, Any]) -> None:
        if life == self._kept.life and self._kept.status != "NOT_STARTED":
            return
        status = "SHUTTING_DOWN" if "closing" in life["state"] else "RUNNING"
        await self._change(life=life, status=status)

    async def _hear_report(self, report: dict[str, Any]) -> None:
        if self._over:
            return
        self._report = report
        now = self.clock.monotonic()
        status = report["status"]
        if status != ENDED and (status != self._kept.status or now - self._report_written_at > WRITE_REPORT):
            self._report_written_at = now
            await self._change(status=status, **self._results(report))
        self._tell()

    def _results(self, report: dict[str, Any]) -> dict[str, Any]:
        results = {name: report[name] for name in RESULTS if report.get(name) is not None}
        shown = {**self._kept.config, **(report.get("config") or {})}
        mine = self._kept.life["type"] == self._kept.type
        kept = {name: value for name, value in report.items() if name not in {*RESULTS, "config"}}
        return {"report": kept, "config": shown if mine else self._kept.config, **results}

    async def _take_lines(self, lines: list[dict[str, Any]]) -> None:
        await self._log([LogLine(**line) for line in lines])

    async def _say(self, level: str, message: str) -> None:
        await self._log([LogLine(at=self.clock.now(), level=level, message=message)])

    async def _log(self, lines: list[LogLine]) -> None:
        errors = [line.message for line in lines if line.level in {"ERROR", "CRITICAL"}]
        await self._records.write(lambda r: r.executors.log(self._id, lines))
        if errors:
            await self._change(error_count=self._kept.error_count + len(errors), last_error=errors[-1])
        self.publish(f"{self.address}/lines", [line_of(line) for line in lines])

    # Stopping

    async def _have_end(self, *, keep: bool) -> StoppedExecutor:
        """Write down that it is to end, then have it end; a life that is cut short here ends it later."""
        kept = self._kept
        if self._over:
            return StoppedExecutor(
                executor_id=self._id, status=ENDED, keep_position=kept.stop == "keep", close_type=kept.close_type
            )
        if kept.stop is None:
            await self._change(stop="keep" if keep else "close")
            self._look_soon()
        return StoppedExecutor(executor_id=self._id, status="stopping", keep_position=self._kept.stop == "keep")

    # The end

    async def _end(self, report: dict[str, Any]) -> None:
        """It has ended: what it holds is found out afterwards."""
        if self._over:
            return
        self._report = report
        await self._change(
            status=ENDED,
            close_type=report["close_type"],
            closed_at=report.get("close_timestamp") or self.clock.now(),
            held=report["close_type"] == HOLD,
            **self._results(report),
        )
        self._over = True
        self._begun.set()
        self._news.set()

    async def _settle(self) -> None:
        """Account for all its orders, and for what they hold."""
        delay = FIRST_RETRY
        while True:
            try:
                orders = await self._orders.reviewed()
                await self._settle_holding(orders)
                break
            except (Refusal, ActorCrashed) as trouble:
                self.degrade(f"its orders can't be accounted for yet: {trouble}")
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)
        with contextlib.suppress(Refusal, ActorCrashed):
            await self._call("forget_executor")

    async def _settle_holding(self, orders: tuple[ExecutorOrder, ...]) -> None:
        net = net_of(orders)
        kept = self._kept
        dust = [Decimal(one["amount"]) for one in kept.report.get("dust", ())]
        held = kept.close_type == HOLD and any(one.fills for one in orders)
        if kept.close_type != HOLD and abs(net) >= max(dust, default=Decimal(0)) and net != 0:
            held = True
            words = f"It ended as {kept.close_type} and holds {net.normalize():f} {kept.trading_pair}"
            await self._say("ERROR", f"{words}: that is a position held now.")
            self._system.alarms.raise_(f"executor/{self._id}/left", f"executor {self._id}: {words}")
        await self._change(settled=True, held=held, **_traded(orders))

    # Telling

    async def _until_begun(self, patience: float) -> Begun:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._begun.wait()
        return Begun(status=self._kept.status, close_type=self._kept.close_type)

    async def _change(self, **changes: Any) -> None:
        await self._records.write(lambda r: r.executors.change(self._id, **changes))
        self._kept = self._kept.model_copy(update=changes)
        self._tell()

    def _tell(self) -> None:
        self.publish(f"{self.address}/row", row_of(self._kept, self._report, self._interrupted))

    async def _call(self, method: str, *, limit: float = 12.0, **arguments: Any) -> Any:
        return await call_host(self, self._host, method, limit=limit, executor_id=self._id, **arguments)


def _traded(orders: tuple[ExecutorOrder, ...]) -> dict[str, float]:
    """Volume and fees by what is written of the orders: hummingbot's own sums forget them at some ends."""
    fills = [fill for one in orders for fill in one.fills]
    if not fills:
        return {}
    found = {"filled_amount_quote": float(sum(fill.amount * fill.price for fill in fills))}
    fees = [fee_in_quote(fill) for fill in fills]
    known = [fee for fee in fees if fee is not None]
    return found if len(known) < len(fees) else {**found, "cum_fees_quote": float(sum(known))}
