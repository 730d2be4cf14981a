"""Run hummingbot's own connectors against the exchange, and print what they saw as JSON.

A program of its own: hummingbot keeps process-wide state, and belongs to one event loop.
Arguments: the exchange's address, and the scene to play.
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self

os.environ["AVIARY_SANDBOX_URL"] = sys.argv[1]

import hummingbot  # noqa: F401
from aviary.sandbox.connectors import register

if sys.argv[2] == "late":
    from hummingbot.client.settings import AllConnectorSettings as Early

    Early.get_connector_settings()

register()
register()

from hummingbot.client.hummingbot_application import HummingbotApplication  # noqa: E402
from hummingbot.client.settings import AllConnectorSettings  # noqa: E402
from hummingbot.core.clock import Clock, ClockMode  # noqa: E402
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode  # noqa: E402
from hummingbot.core.event.event_forwarder import EventForwarder  # noqa: E402
from hummingbot.core.event.events import MarketEvent  # noqa: E402

KEY = "sandbox-hummingbot"


class Window:
    """Stands for the application that hummingbot would build when an order is rejected."""

    def add_application_warning(self, text: str) -> None:
        print(text, file=sys.stderr)

    def notify(self, text: str) -> None:
        print(text, file=sys.stderr)


HummingbotApplication._main_app = Window()


def connector(name: str, pairs: list[str]) -> Any:
    setting = AllConnectorSettings.get_connector_settings()[name]
    kind = getattr(importlib.import_module(setting.module_path()), setting.class_name())
    keys = {f"{name}_api_key": KEY, f"{name}_api_secret": "secret"}
    return kind(**setting.conn_init_parameters(pairs, trading_required=True, api_keys=keys))


class Stage:
    """A connector inside a clock, and the events it raised."""

    def __init__(self, subject: Any) -> None:
        self.subject = subject
        self.events: list[tuple[str, str]] = []
        self._forwarder = EventForwarder(self._heard)
        for event in MarketEvent:
            subject.add_listener(event, self._forwarder)

    def _heard(self, event: Any) -> None:
        self.events.append((type(event).__name__, getattr(event, "order_id", "")))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tick())
        await self.until(lambda: self.subject.ready, 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.subject.stop_network()

    async def _tick(self) -> None:
        with Clock(ClockMode.REALTIME, 0.2) as clock:
            clock.add_iterator(self.subject)
            await clock.run()

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    async def heard(self, name: str, order: str, seconds: float = 10) -> None:
        await self.until(lambda: (name, order) in self.events, seconds)


async def spot() -> dict[str, Any]:
    async with Stage(connector("sandbox", ["BTC-USDT", "ETH-USDT"])) as stage:
        exchange = stage.subject
        middle = exchange.get_mid_price("BTC-USDT")
        book = exchange.get_order_book("BTC-USDT")
        far = exchange.quantize_order_price("BTC-USDT", middle * Decimal("0.9"))
        resting = exchange.buy("BTC-USDT", Decimal("0.01"), OrderType.LIMIT, far)
        bought = exchange.buy("BTC-USDT", Decimal("0.02"), OrderType.MARKET, Decimal("NaN"))
        await stage.heard("BuyOrderCreatedEvent", resting)
        await stage.heard("OrderFilledEvent", bought)
        await stage.heard("BuyOrderCompletedEvent", bought)
        await stage.until(lambda: exchange.get_balance("BTC") > Decimal("1.019"))
        available = exchange.get_available_balance("USDT")
        exchange.cancel("BTC-USDT", resting)
        await stage.heard("OrderCancelledEvent", resting)
        await stage.until(lambda: exchange.get_available_balance("USDT") > available)
        maker = exchange.sell("BTC-USDT", Decimal("0.01"), OrderType.LIMIT_MAKER, far)
        await stage.heard("MarketOrderFailureEvent", maker)
        return {
            "name": exchange.name,
            "middle": str(middle),
            "bids": len(list(book.bid_entries())),
            "btc": str(exchange.get_balance("BTC")),
            "usdt": str(exchange.get_balance("USDT")),
            "available": str(exchange.get_available_balance("USDT")),
            "rule": str(exchange.trading_rules["ETH-USDT"].min_price_increment),
            "open": sorted(exchange.in_flight_orders),
        }


async def perpetual() -> dict[str, Any]:
    async with Stage(connector("sandbox_perpetual", ["BTC-USDT"])) as stage:
        exchange = stage.subject
        exchange.set_position_mode(PositionMode.HEDGE)
        await stage.until(lambda: exchange.position_mode is PositionMode.HEDGE)
        exchange.set_leverage("BTC-USDT", 5)
        await stage.until(lambda: exchange.get_leverage("BTC-USDT") == 5)
        opened = exchange.buy(
            "BTC-USDT", Decimal("0.02"), OrderType.MARKET, Decimal("NaN"), position_action=PositionAction.OPEN
        )
        await stage.heard("BuyOrderCompletedEvent", opened)
        await stage.until(lambda: exchange.account_positions)
        position = next(iter(exchange.account_positions.values()))
        far = exchange.quantize_order_price("BTC-USDT", exchange.get_mid_price("BTC-USDT") * Decimal("0.9"))
        resting = exchange.buy(
            "BTC-USDT", Decimal("0.01"), OrderType.LIMIT_MAKER, far, position_action=PositionAction.OPEN
        )
        await stage.heard("BuyOrderCreatedEvent", resting)
        exchange.cancel("BTC-USDT", resting)
        await stage.heard("OrderCancelledEvent", resting)
        closed = exchange.sell(
            "BTC-USDT", Decimal("0.02"), OrderType.MARKET, Decimal("NaN"), position_action=PositionAction.CLOSE
        )
        await stage.heard("SellOrderCompletedEvent", closed)
        await stage.until(lambda: not exchange.account_positions)
        funding = exchange.get_funding_info("BTC-USDT")
        return {
            "name": exchange.name,
            "side": position.position_side.name,
            "amount": str(position.amount),
            "leverage": str(position.leverage),
            "usdt": str(exchange.get_balance("USDT")),
            "rate": str(funding.rate),
            "mark": str(funding.mark_price),
        }


async def data() -> dict[str, Any]:
    from hummingbot.client.config.client_config_map import ClientConfigMap
    from hummingbot.core.rate_oracle.rate_oracle import RateOracle
    from hummingbot.data_feed.candles_feed.candles_factory import CandlesFactory
    from hummingbot.data_feed.candles_feed.data_types import CandlesConfig, HistoricalCandlesConfig

    answer: dict[str, Any] = {}
    for name in ("sandbox", "sandbox_perpetual"):
        feed = CandlesFactory.get_candle(
            CandlesConfig(connector=name, trading_pair="BTC-USDT", interval="1m", max_records=50)
        )
        feed.start()
        async with asyncio.timeout(15):
            while not feed.ready:
                await asyncio.sleep(0.05)
        history = await feed.get_historical_candles(
            HistoricalCandlesConfig(
                connector_name=name,
                trading_pair="BTC-USDT",
                interval="1m",
                start_time=1_699_999_200,
                end_time=1_700_359_200,
            )
        )
        feed.stop()
        steps = feed.candles_df["timestamp"].diff().dropna().unique().tolist()
        answer[name] = {"candles": len(feed.candles_df), "steps": steps, "history": len(history)}
    setting = AllConnectorSettings.get_connector_settings()["sandbox"]
    plain = setting.non_trading_connector_instance_with_default_configuration()
    answer["pairs"] = sorted(await plain.all_trading_pairs())
    config = ClientConfigMap(rate_oracle_source="sandbox")
    answer["source"] = config.rate_oracle_source.build_rate_source().name
    oracle = RateOracle(source=config.rate_oracle_source.build_rate_source(), quote_token="USDT")
    answer["rate"] = str(await oracle.get_rate("BTC"))
    answer["fees"] = str(setting.trade_fee_schema.maker_percent_fee_decimal)
    return answer


SCENES = {"spot": spot, "perpetual": perpetual, "data": data, "late": data}

print("RESULT " + json.dumps(asyncio.run(SCENES[sys.argv[2]]())), flush=True)
# Tasks of hummingbot that nobody stops would delay the end.
os._exit(0)
