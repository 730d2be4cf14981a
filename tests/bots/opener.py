"""A controller as a user might write it: keeps some executors of one kind alive. A bot runs this very file."""

from decimal import Decimal
from typing import Any

from hummingbot.core.data_type.common import MarketDict, OrderType, PositionMode, PriceType, TradeType
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.arbitrage_executor.data_types import ArbitrageExecutorConfig
from hummingbot.strategy_v2.executors.data_types import ConnectorPair
from hummingbot.strategy_v2.executors.dca_executor.data_types import DCAExecutorConfig, DCAMode
from hummingbot.strategy_v2.executors.grid_executor.data_types import GridExecutorConfig
from hummingbot.strategy_v2.executors.order_executor.data_types import ExecutionStrategy, OrderExecutorConfig
from hummingbot.strategy_v2.executors.position_executor.data_types import (
    PositionExecutorConfig,
    TripleBarrierConfig,
)
from hummingbot.strategy_v2.executors.twap_executor.data_types import TWAPExecutorConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction


class OpenerConfig(ControllerConfigBase):
    controller_name: str = "opener"
    controller_type: str = "generic"
    connector_name: str
    trading_pair: str
    other_pair: str = "ETH-BTC"
    kind: str
    side: str = "BUY"
    at_once: int = 1
    leverage: int = 5
    position_mode: PositionMode = PositionMode.ONEWAY
    take_profit: Decimal = Decimal("0.02")
    stop_loss: Decimal | None = None
    time_limit: int | None = None
    seconds: int = 30

    def update_markets(self, markets: MarketDict) -> MarketDict:
        markets = markets.add_or_update(self.connector_name, self.trading_pair)
        if self.kind == "arbitrage":
            markets = markets.add_or_update(self.connector_name, self.other_pair)
        return markets


class Opener(ControllerBase):
    def __init__(self, config: OpenerConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        self.config = config

    async def update_processed_data(self) -> None:
        pass

    def determine_executor_actions(self) -> list[CreateExecutorAction]:
        active = [one for one in self.executors_info if not one.is_done]
        if len(active) >= self.config.at_once:
            return []
        if self.config.kind in {"order", "twap"} and (active or self.executors_info or self.positions_held):
            # What it bought stays: once is enough.
            return []
        return [CreateExecutorAction(controller_id=self.config.id, executor_config=self._executor())]

    def _executor(self) -> Any:
        config = self.config
        price = self.market_data_provider.get_price_by_type(
            config.connector_name, config.trading_pair, PriceType.MidPrice
        )
        quote = config.total_amount_quote / config.at_once
        side = TradeType[config.side]
        sign = 1 if side == TradeType.BUY else -1
        barriers = TripleBarrierConfig(
            take_profit=config.take_profit,
            stop_loss=config.stop_loss,
            time_limit=config.time_limit,
            open_order_type=OrderType.LIMIT,
            take_profit_order_type=OrderType.LIMIT,
        )
        given: dict[str, Any] = {"timestamp": self.market_data_provider.time()}
        here = {"connector_name": config.connector_name, "trading_pair": config.trading_pair}
        markets = [ConnectorPair(**here), ConnectorPair(**{**here, "trading_pair": config.other_pair})]
        match config.kind:
            case "position":
                barriers.open_order_type = OrderType.MARKET
                return PositionExecutorConfig(
                    **given,
                    **here,
                    side=side,
                    amount=quote / price,
                    triple_barrier_config=barriers,
                    leverage=config.leverage,
                )
            case "grid":
                edges = (Decimal("0.995"), Decimal("1.02"), Decimal("0.9"))
                if sign < 0:
                    edges = (Decimal("0.98"), Decimal("1.005"), Decimal("1.1"))
                start, end, limit = (price * edge for edge in edges)
                return GridExecutorConfig(
                    **given,
                    **here,
                    side=side,
                    start_price=start,
                    end_price=end,
                    limit_price=limit,
                    total_amount_quote=quote,
                    min_spread_between_orders=Decimal("0.001"),
                    min_order_amount_quote=Decimal(150),
                    max_open_orders=12,
                    max_orders_per_batch=12,
                    order_frequency=0,
                    triple_barrier_config=barriers,
                    leverage=config.leverage,
                )
            case "dca":
                distances = (Decimal("-0.0005"), Decimal("0.0005"), Decimal("0.002"), Decimal("0.02"))
                return DCAExecutorConfig(
                    **given,
                    **here,
                    side=side,
                    leverage=config.leverage,
                    mode=DCAMode.MAKER,
                    prices=[price * (1 - sign * distance) for distance in distances],
                    amounts_quote=[quote * share for share in map(Decimal, ("0.2", "0.2", "0.3", "0.3"))],
                    take_profit=config.take_profit,
                    stop_loss=config.stop_loss,
                    time_limit=config.time_limit,
                )
            case "twap":
                return TWAPExecutorConfig(
                    **given,
                    **here,
                    side=side,
                    total_amount_quote=quote,
                    total_duration=config.seconds,
                    order_interval=2,
                    leverage=config.leverage,
                )
            case "order":
                return OrderExecutorConfig(
                    **given,
                    **here,
                    side=side,
                    amount=quote / price,
                    price=price * (1 - sign * Decimal("0.0005")),
                    execution_strategy=ExecutionStrategy.LIMIT,
                    leverage=config.leverage,
                )
            case "arbitrage":
                return ArbitrageExecutorConfig(
                    **given,
                    buying_market=markets[0],
                    selling_market=markets[1],
                    order_amount=quote / price,
                    min_profitability=Decimal("-0.05"),
                )
        raise ValueError(config.kind)
