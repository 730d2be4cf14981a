"""One credential of an account: its orders, balances and positions, and whether its exchange can be reached."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import orjson
from aviary.actors.accounts.connector_holdings import ConnectorHoldings
from aviary.actors.accounts.connector_orders import ConnectorOrders
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Refusal, Unavailable
from aviary.actors.hosts.calls import before_the_exchange, call_host
from aviary.actors.messages.connectors import (
    ConnectorSpoke,
    ConnectorStatus,
    GetBalances,
    GetConnectorStatus,
    ReopenConnector,
    WaitUntilReady,
)
from aviary.actors.messages.engine import CALL_TIMEOUT
from aviary.actors.messages.trading import (
    CancelOrder,
    GetLastFundingPayments,
    GetPositionMode,
    GetPositions,
    NewOrderId,
    PlaceOrder,
    PlaceOrderAs,
    SetLeverage,
    SetPositionMode,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aviary.actors.messages.connectors import Balance
    from aviary.actors.messages.trading import CancelledOrder, PlacedOrder, PositionView
    from pydantic import SecretStr

type Phase = Literal["opening", "connecting", "reconciling", "ready", "interrupted"]

COMPARE_INTERVAL = 5.0
"""Seconds between two comparisons of our orders with the exchange's: the longest that a fill or a cancel
behind the user stream's back stays unnoticed. Without a live order of ours the exchange is not asked."""

IDLE_COMPARISONS = 6
"""Every how many comparisons the exchange is asked although no order of ours is live."""

SHORTEST_INTERVAL = 0.3
"""Seconds between two comparisons when there is something to find out."""

WORD_LIMIT = 20.0
"""Seconds without a word of the host about this connector, which comes every five, after which it counts as
lost in there."""

CONNECT_LIMIT = 60.0
"""Seconds an exchange may be out of reach before the connector is built anew, in case the fault is its own."""

ALARM_AFTER = 10.0
"""Seconds without service that raise an alarm."""

DEAF_AFTER = 3
"""Changes in a row that a comparison found and the user stream had not told: the stream is deaf."""

OPEN_TIMEOUT = 30.0
"""Seconds for opening a connector: its keys are decrypted, 0.4 s of a processor each."""

FIRST_RETRY, LAST_RETRY = 0.5, 60.0
"""Seconds until the next try to open the connector, doubling from the first to the last."""

TOPICS = ("order", "fill", "balance", "position", "connector")


class ConnectorLost(Exception):
    """The connector in the host gives no sign of life, or tells only half: it is built anew."""


class Connector(AsyncActor):
    """Owns the orders of one credential, and talks to its half in the account's engine host.

    It takes orders only while the exchange can be reached and every order of an earlier life is
    accounted for. `folder` is the account's, with its encrypted keys.
    """

    def __init__(
        self,
        account: str,
        connector: str,
        folder: Path,
        password: SecretStr,
        *,
        compare_interval: float = COMPARE_INTERVAL,
    ) -> None:
        super().__init__()
        self._account = account
        self._connector = connector
        self._folder = folder
        self._password = password
        self._compare_interval = compare_interval
        self._phase: Phase = "opening"
        self._reason = "it is being opened"
        self._since = 0.0
        self._host_ready = False
        self._heard_at: float | None = None
        self._reopen = False
        self._compare_asked = False
        self._missed = 0
        self._foreign: tuple[str, ...] = ()
        self._subscriptions: list[Callable[[], None]] = []

    # Life

    async def prepare(self) -> None:
        """Listen to the host; everything that takes time goes on in the background."""
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._system = self.system
        self._alarm = f"connector:{self.address}"
        self._host = f"{self.address.rsplit('/', 1)[0]}/host"
        self._holdings = ConnectorHoldings(self, self._account, self._connector, self._folder)
        self._orders = ConnectorOrders(self, self._account, self._connector, self._compare_soon)
        for topic in TOPICS:
            self._subscriptions.append(
                self._system.bus.subscribe(f"{self._host}/{topic}/{self._connector}", self._overhear)
            )
        self.spawn(self._live(), "life")
        self.spawn(self._holdings.last.keep(), "what is known")

    async def release(self) -> None:
        """Stop listening. The next host knows nothing of this connector, and this one's orders stay."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._system.alarms.clear(self._alarm)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case ConnectorSpoke():
                return self._hear(message)
            case NewOrderId(trading_pair=trading_pair, trade_type=side):
                return self.defer(self._new_order_id(trading_pair, side))
            case PlaceOrderAs(order=order, client_order_id=client_order_id):
                return self.defer(self._place(order, client_order_id))
            case PlaceOrder():
                return self.defer(self._place(message))
            case CancelOrder(client_order_id=client_order_id):
                return self.defer(self._cancel(client_order_id))
            case GetBalances(refresh=refresh):
                return self.defer(self._balances(refresh=refresh))
            case GetPositions(last_known=True):
                return self.defer(self._last_positions())
            case GetPositions():
                return self.defer(self._holding(self._holdings.positions))
            case GetLastFundingPayments():
                return self.defer(self._holding(self._holdings.funding_payments))
            case SetLeverage():
                return self.defer(self._holding(lambda: self._holdings.set_leverage(message)))
            case GetPositionMode():
                return self.defer(self._holding(self._holdings.position_mode))
            case SetPositionMode():
                return self.defer(self._holding(lambda: self._holdings.set_position_mode(message)))
            case GetConnectorStatus():
                return self.defer(self._status())
            case WaitUntilReady(patience=patience):
                return self.defer(self._until_ready(patience))
            case ReopenConnector():
                return self._reopen_soon()
            case _:
                return super().receive(message)

    async def _live(self) -> None:
        self._enter("opening", "it is being opened")
        while True:
            await self._open()
            try:
                await self._serve()
            except ConnectorLost as lost:
                # Its half in the host is built anew; what else lives in this account goes on.
                self._missed = 0
                self._enter("interrupted", str(lost))
            self._reopen = False

    async def _serve(self) -> None:
        """Until the connector is to be built anew."""
        while not self._reopen and await self._connected():
            await self._account_for_orders()
            if self._host_ready and not self._reopen:
                self._enter("ready", "")
                await self._watch()
            if not self._reopen:
                self._enter("interrupted", f"{self._connector} can't be reached")

    async def _open(self) -> None:
        tries = 0
        self._host_ready = False
        while True:
            await self._holdings.last.take_keys()
            try:
                await self._call(
                    "open_connector",
                    limit=OPEN_TIMEOUT,
                    trading_pairs=[],
                    password=self._password,
                    account_dir=str(self._folder),
                )
            except Refusal as refusal:
                self._enter(self._phase if self._phase == "interrupted" else "opening", refusal.detail)
                await asyncio.sleep(min(LAST_RETRY, FIRST_RETRY * 2.0 ** min(tries, 10)))
                tries += 1
                self._sound_alarm()
            else:
                self._heard_at = self.clock.monotonic()
                return

    async def _connected(self) -> bool:
        """Wait until the host's half is ready; whether it got so in time."""
        if not self._host_ready and self._phase == "opening":
            self._enter("connecting", f"it is connecting to {self._connector}")
        begun = self.clock.monotonic()
        while not self._host_ready and not self._reopen:
            await self._pause(1.0)
            self._sound_alarm()
            if self.clock.monotonic() - begun > CONNECT_LIMIT:
                return False
        return not self._reopen

    async def _account_for_orders(self) -> None:
        """Find out what became of every order that an earlier life, or an outage, left in doubt."""
        self._enter("reconciling", "its orders are being compared with the exchange's")
        while self._host_ready and not self._reopen:
            try:
                await self._orders.restore()
                result = await self._orders.compare()
                self._foreign = self._foreign if result.foreign is None else result.foreign
                if not result.unanswered:
                    return
                self._reason = f"the exchange said nothing about {result.unanswered} orders"
            except (Refusal, ActorCrashed) as trouble:
                self._reason = str(trouble)
            self._sound_alarm()
            await asyncio.sleep(max(SHORTEST_INTERVAL, self._orders.next_question() or FIRST_RETRY))

    async def _watch(self) -> None:
        """Compare with the exchange now and then, and sooner when there is something to find out."""
        rounds = 0
        due = self.clock.monotonic() + self._compare_interval
        while self._host_ready and not self._reopen:
            question = self._orders.next_question()
            now = self.clock.monotonic()
            if not self._compare_asked and now < due and (question is None or question > 0):
                await self._pause(min(due - now, due - now if question is None else question))
                continue
            self._compare_asked = False
            rounds += 1
            await self._compare(always=rounds % IDLE_COMPARISONS == 0)
            await asyncio.sleep(SHORTEST_INTERVAL)
            due = self.clock.monotonic() + self._compare_interval

    async def _compare(self, *, always: bool) -> None:
        try:
            result = await self._orders.compare(always=always, told=True)
        except (Refusal, ActorCrashed):
            # An exchange or a database that is out of reach says so by itself; the next turn asks again.
            return
        if result.foreign is not None:
            self._foreign = result.foreign
        self._missed += result.untold
        if self._missed >= DEAF_AFTER:
            raise ConnectorLost(f"{self._missed} changes were found that the user stream had not told")

    async def _pause(self, seconds: float) -> None:
        """Wait, or until there is news. `ConnectorLost` if the host has not mentioned the connector for long."""
        heard = self._heard_at
        if heard is not None and self.clock.monotonic() - heard > WORD_LIMIT:
            raise ConnectorLost(f"the host has not mentioned {self._connector} for {WORD_LIMIT:g} s")
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _compare_soon(self) -> None:
        self._compare_asked = True
        self._news.set()

    def _reopen_soon(self) -> None:
        self._reopen = True
        self._holdings.forget()
        self._enter("opening", "it is being opened with other keys")
        self._news.set()

    def _enter(self, phase: Phase, reason: str) -> None:
        if phase != self._phase or self._since == 0.0:
            if phase in {"ready", "interrupted"} or self._phase == "ready":
                self._since = self.clock.now()
            self._since = self._since or self.clock.now()
        self._phase, self._reason = phase, reason
        if phase == "ready":
            self.recover()
            self._system.alarms.clear(self._alarm)
            self._ready.set()
        else:
            self.degrade(f"{phase}: {reason}" if reason else phase)
            self._ready.clear()
        self.publish(f"{self.address}/phase", phase)

    def _sound_alarm(self) -> None:
        if self.clock.now() - self._since > ALARM_AFTER:
            self._system.alarms.raise_(self._alarm, f"{self._phase}: {self._reason}")

    # What the host says

    def _overhear(self, topic: str, event: object) -> None:
        if isinstance(event, bytes):
            self._system.tell(self.address, ConnectorSpoke(topic=topic[len(self._host) + 1 :], payload=event))

    async def _hear(self, spoken: ConnectorSpoke) -> None:
        try:
            await self._take(spoken)
        except (Unavailable, ActorCrashed):
            # What can't be written down now is found out again by the next comparison.
            self._compare_soon()

    async def _take(self, spoken: ConnectorSpoke) -> None:
        event = orjson.loads(spoken.payload)
        match spoken.topic.split("/", 1)[0]:
            case "order":
                if await self._orders.hear_order(event):
                    self._missed = 0
            case "fill":
                if await self._orders.hear_fill(event):
                    self._missed = 0
            case "balance":
                self._holdings.hear_balances(event["balances"])
            case "position":
                self._holdings.hear_positions(event["positions"])
                self.publish(f"{self.address}/positions", spoken.payload)
            case _:
                self._heard_at = self.clock.monotonic()
                if event["ready"]:
                    self._holdings.last.touch()
                if self._host_ready != event["ready"]:
                    self._host_ready = event["ready"]
                    self._news.set()

    # What is asked

    async def _new_order_id(self, trading_pair: str, side: str) -> str:
        self._require_ready()
        return await self._orders.new_id(trading_pair, side)

    async def _place(self, wanted: PlaceOrder, client_order_id: str | None = None) -> PlacedOrder:
        self._require_ready()
        with before_the_exchange():
            checked = await self._holdings.check(wanted)
            name = client_order_id or await self._orders.new_id(wanted.trading_pair, wanted.trade_type)
        return await self._orders.place(wanted, checked, name)

    async def _cancel(self, client_order_id: str) -> CancelledOrder:
        self._require_ready()
        return await self._orders.cancel(client_order_id)

    def _require_ready(self) -> None:
        if self._phase != "ready":
            raise Unavailable(f"{self._account}/{self._connector} takes no orders now: {self._reason}")

    async def _until_ready(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._ready.wait()
        except TimeoutError:
            self._require_ready()

    async def _status(self) -> ConnectorStatus:
        heard = self._heard_at
        return ConnectorStatus(
            account_name=self._account,
            connector_name=self._connector,
            phase=self._phase,
            reason=self._reason,
            since=self._since,
            heard_at=None if heard is None else self.clock.now() - (self.clock.monotonic() - heard),
            unresolved=await self._orders.unresolved(),
            foreign=self._foreign,
        )

    async def _holding[R](self, question: Callable[[], Awaitable[R]]) -> R:
        if self._phase == "opening":
            raise self._out_of_reach()
        return await question()

    async def _balances(self, *, refresh: bool) -> dict[str, Balance]:
        heard = self._holdings.last.balances
        in_touch = self._phase in {"reconciling", "ready"}
        if refresh or (in_touch and heard is None):
            return await self._holding(self._holdings.balances)
        if in_touch and heard is not None:
            return heard
        return self._known(await self._holdings.last.stale_balances())

    async def _last_positions(self) -> tuple[PositionView, ...]:
        return self._known(await self._holdings.last.stale_positions()) if self._holdings.perpetual else ()

    def _known[R](self, what: R | None) -> R:
        if what is None:
            raise self._out_of_reach()
        return what

    def _out_of_reach(self) -> Unavailable:
        return Unavailable(f"{self._account}/{self._connector}: {self._reason}")

    async def _call(self, method: str, *, limit: float = CALL_TIMEOUT, **arguments: Any) -> Any:
        return await call_host(self, self._host, method, limit=limit, connector_name=self._connector, **arguments)
