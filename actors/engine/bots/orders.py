"""The orders of a bot's dead predecessors: found and cancelled before anything new is quoted.

Hummingbot reads a dead run's orders back, but neither cancels nor counts them, so its controllers would quote a
second time. Orders are found in two places: what the dead run wrote down, and, where the exchange can list
them, every open order that carries this bot's mark. The second finds what was sent and never written down. Orders
without the mark belong to somebody else on the same account and are left alone.
"""

# ruff: noqa: SLF001 - connectors have no public way to ask for open orders

import asyncio
import contextlib
import hashlib
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import hummingbot.connector.utils as client_ids
import yaml
from aviary.actors.engine.exchanges import binance_orders
from aviary.config.clock import Clock
from hummingbot.connector.derivative.binance_perpetual.binance_perpetual_derivative import (
    BinancePerpetualDerivative,
)
from hummingbot.connector.exchange.binance.binance_exchange import BinanceExchange
from hummingbot.core.data_type.common import OrderType, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState

MARK_LENGTH = 8
"""Hexadecimal digits that tell bots on one account apart: two of a hundred bots share one with a chance of 1e-6."""

NONCE_DIGITS = 9
"""Hexadecimal digits of the moment in milliseconds; they repeat after a year. With them and the mark, the ids
of exchanges that allow 32 characters stay within their limit."""

FIRST_DELAY, LAST_DELAY = 0.2, 10.0
"""Seconds between two tries to settle; doubled each time."""

REQUEST_TIMEOUT = 10.0
"""Seconds for one question to the exchange."""

CONNECTOR_ERRORS = (OSError, TimeoutError, aiohttp.ClientError, ValueError, KeyError)
"""What connectors raise when an exchange refuses, does not answer or answers nonsense."""


TRADES = {"Order": "market, symbol", "AviaryExecutorOrder": "connector_name, trading_pair"}
"""Where a bot writes down what it trades: hummingbot some time after an order was sent, its executors before."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that rests on an exchange."""

    client_id: str
    exchange_id: str
    trading_pair: str
    executed: Decimal = field(default=Decimal(0), compare=False)
    """Base units traded so far."""


class Marks:
    """Makes the client ids of all orders of this process carry the bot's mark, and recognises them."""

    def __init__(self, instance: str, clock: Clock) -> None:
        self.mark = hashlib.sha256(instance.encode()).hexdigest()[:MARK_LENGTH]
        self._clock = clock
        self._last = 0
        self._began = 0

    def put_on(self) -> None:
        """From now on, hummingbot's ids end in moment and mark instead of moment and process."""
        self._began = self._nonce()
        client_ids.get_tracking_nonce = self._nonce
        client_ids._bot_instance_id = lambda: self.mark

    def is_ours(self, client_id: str, prefix: str) -> bool:
        """Whether an order id was made by this bot, in this or an earlier life."""
        shape = rf"{re.escape(prefix)}[BS].{{2,4}}[0-9a-f]{{{NONCE_DIGITS}}}{self.mark}"
        return re.fullmatch(shape, client_id) is not None

    def is_of_this_life(self, client_id: str, prefix: str) -> bool:
        """Whether an order id was made by this bot since `put_on`."""
        digits = client_id[: -len(self.mark)][-NONCE_DIGITS:]
        return self.is_ours(client_id, prefix) and int(digits, 16) >= self._began

    def _nonce(self) -> int:
        top = 16**NONCE_DIGITS
        # The leading digit is 8 or more, so that every moment has the same number of digits.
        moment = int(self._clock.now() * 1000) % (top // 2) + top // 2
        self._last = max(moment, self._last + 1)
        return self._last


async def list_open_orders(connector: Any) -> list[OpenOrder] | None:
    """All open orders of the connector's key on its pairs, whoever placed them; `None` if it can't list them."""
    if isinstance(connector, BinanceExchange):
        path = binance_orders.SPOT_OPEN_ORDERS
    elif isinstance(connector, BinancePerpetualDerivative):
        path = binance_orders.FUTURES_OPEN_ORDERS
    else:
        return None
    limit = binance_orders.limit_of(connector, path)
    found: list[OpenOrder] = []
    # A pair that the exchange does not list has no orders, and must not hide those of the others.
    listed = set((await connector.trading_pair_symbol_map()).values())
    for pair in listed.intersection(connector.trading_pairs):
        symbol = await connector.exchange_symbol_associated_to_pair(trading_pair=pair)
        async with asyncio.timeout(REQUEST_TIMEOUT):
            answer = await connector._api_get(
                path_url=path, params={"symbol": symbol}, is_auth_required=True, limit_id=limit
            )
        found += [
            OpenOrder(order["clientOrderId"], str(order["orderId"]), pair, Decimal(order["executedQty"]))
            for order in answer
        ]
    return found


async def list_recent_orders(connector: Any, since: float) -> list[OpenOrder]:
    """Orders of the connector's key on its pairs, ended or not, made since a moment in Unix seconds.

    Empty where that can't be asked.
    """
    if isinstance(connector, BinanceExchange):
        path = binance_orders.SPOT_ALL_ORDERS
    elif isinstance(connector, BinancePerpetualDerivative):
        path = binance_orders.FUTURES_ALL_ORDERS
    else:
        return []
    limit = binance_orders.limit_of(connector, path)
    found: list[OpenOrder] = []
    for pair in connector.trading_pairs:
        symbol = await connector.exchange_symbol_associated_to_pair(trading_pair=pair)
        params = {"symbol": symbol, "startTime": int(since * 1000), "limit": 1000}
        async with asyncio.timeout(REQUEST_TIMEOUT):
            answer = await connector._api_get(path_url=path, params=params, is_auth_required=True, limit_id=limit)
        found += [
            OpenOrder(order["clientOrderId"], str(order["orderId"]), pair, Decimal(order["executedQty"]))
            for order in answer
        ]
    return found


def traded_markets(database: Path, controllers: Path) -> dict[str, set[str]]:
    """Connectors and pairs that a bot has traded on or is configured to, without a look at its code."""
    markets: dict[str, set[str]] = {}
    if database.exists():
        # For writing too: what was being written when the bot was killed has to be undone before it can be read.
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as reader:
            tables = {name for (name,) in reader.execute("SELECT name FROM sqlite_master")}
            for table, columns in TRADES.items():
                rows = reader.execute(f'SELECT DISTINCT {columns} FROM "{table}"') if table in tables else ()  # noqa: S608
                for market, pair in rows:
                    markets.setdefault(market, set()).add(pair)
    for path in controllers.glob("*.yml"):
        try:
            values = yaml.safe_load(path.read_text())
        except (yaml.YAMLError, UnicodeDecodeError):
            # What was traded by it is in the database.
            continue
        if isinstance(values, dict) and values.get("connector_name") and values.get("trading_pair"):
            markets.setdefault(str(values["connector_name"]), set()).add(str(values["trading_pair"]))
    return markets


def saved_orders(database: Path, connector: Any) -> list[InFlightOrder]:
    """The orders that the last run had open, as it wrote them down."""
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as reader:
        rows = reader.execute("SELECT saved_state FROM MarketState WHERE market = ?", (connector.display_name,))
        states = [json.loads(row[0]) for row in rows]
    orders = [
        connector._order_tracker._restore_order_from_json(order) for state in states for order in state.values()
    ]
    return [order for order in orders if order.is_open or order.is_failure]


class Settlement:
    """Cancels what this bot has on the exchange and should not have, and makes sure that it is gone."""

    def __init__(self, marks: Marks, say: Callable[[str], None]) -> None:
        self._marks = marks
        self._say = say

    async def settle(self, connectors: Iterable[Any], saved: Callable[[Any], list[InFlightOrder]]) -> int:
        """Cancel every order of an earlier life; answers how many there were.

        Tries until it is certain, so nothing may be quoted before it returns. `saved` gives the orders that
        the dead run wrote down.
        """
        counts = await asyncio.gather(*(self._settle_one(each, saved(each)) for each in connectors))
        return sum(counts)

    async def leftovers(
        self,
        connectors: Iterable[Any],
        timeout: float,  # noqa: ASYNC109
    ) -> list[str] | None:
        """After a stop: cancel what is left, for at most `timeout` seconds.

        Answers the ids still open, `None` if an exchange could not be asked.
        """
        try:
            async with asyncio.timeout(timeout):
                for connector in connectors:
                    await self._settle_one(connector, [o for o in _tracked(connector).values() if not o.is_done])
        except TimeoutError:
            left: list[str] = []
            for connector in connectors:
                try:
                    listed = await list_open_orders(connector)
                except CONNECTOR_ERRORS:
                    return None
                left += [order.client_id for order in listed or () if self._is_ours(connector, order.client_id)]
            return left
        return []

    def strays(self, connector: Any, listed: Iterable[OpenOrder]) -> set[OpenOrder]:
        """Open orders with the bot's mark that hummingbot does not know of."""
        known = _tracked(connector)
        return {
            order for order in listed if self._is_ours(connector, order.client_id) and order.client_id not in known
        }

    def of_this_life(self, connector: Any, listed: Iterable[OpenOrder]) -> list[OpenOrder]:
        """Those that this process made."""
        prefix = connector.client_order_id_prefix
        return [order for order in listed if self._marks.is_of_this_life(order.client_id, prefix)]

    async def cancel(self, connector: Any, order: OpenOrder) -> None:
        """Cancel one order, past hummingbot's own tracking. Raises what the connector raises."""
        shadow = InFlightOrder(
            client_order_id=order.client_id,
            exchange_order_id=order.exchange_id,
            trading_pair=order.trading_pair,
            order_type=OrderType.LIMIT,
            trade_type=TradeType.BUY,
            amount=0,
            creation_timestamp=0.0,
        )
        async with asyncio.timeout(REQUEST_TIMEOUT):
            await connector._place_cancel(order.client_id, shadow)

    def _is_ours(self, connector: Any, client_id: str) -> bool:
        return self._marks.is_ours(client_id, connector.client_order_id_prefix)

    async def _settle_one(self, connector: Any, saved: list[InFlightOrder]) -> int:
        cancelled: set[str] = set()
        delay = FIRST_DELAY
        while True:
            try:
                left = await self._round(connector, saved)
            except CONNECTOR_ERRORS as error:
                self._say(f"{connector.name}: open orders can't be checked yet: {type(error).__name__}: {error}")
            else:
                if not left:
                    return len(cancelled)
                cancelled |= left
                self._say(f"{connector.name}: cancelling {len(left)} orders of an earlier life")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)

    async def _round(self, connector: Any, saved: list[InFlightOrder]) -> set[str]:
        """Cancel what is open; the ids that were. Empty means: looked, and nothing is left."""
        listed = await list_open_orders(connector)
        if listed is None:
            return await self._round_by_query(connector, saved)
        known = {order.client_order_id for order in saved}
        ours = [o for o in listed if o.client_id in known or self._is_ours(connector, o.client_id)]
        await _all(self._cancel_unless_gone(connector, order) for order in ours)
        return {order.client_id for order in ours}

    async def _cancel_unless_gone(self, connector: Any, order: OpenOrder) -> None:
        try:
            await self.cancel(connector, order)
        except OSError as error:
            # Filled or cancelled meanwhile; the next round's list is the judge.
            if not connector._is_order_not_found_during_cancelation_error(error):
                raise

    async def _round_by_query(self, connector: Any, saved: list[InFlightOrder]) -> set[str]:
        open_ids: set[str] = set()
        for order in saved:
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    update = await connector._request_order_status(order)
            except OSError as error:
                if connector._is_order_not_found_during_status_update_error(error):
                    continue
                raise
            if _is_open(update.new_state):
                open_ids.add(order.client_order_id)
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await connector._place_cancel(order.client_order_id, order)
        return open_ids


def _tracked(connector: Any) -> dict[str, Any]:
    return {**connector._order_tracker.all_updatable_orders, **connector._order_tracker.lost_orders}


async def _all(work: Iterable[Awaitable[None]]) -> None:
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _is_open(state: OrderState) -> bool:
    return state not in {OrderState.CANCELED, OrderState.FILLED, OrderState.FAILED, OrderState.COMPLETED}
