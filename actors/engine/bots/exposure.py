"""How much a bot's controllers hold, against what their configurations allow; beyond that nothing is opened.

What an executor has given up, or never knew of, may trade all the same: an order that arrives after it was said not
to exist, a trade that is told after its order's end was. Such trades are held by the controller and counted here as
unexplained. Controllers of hummingbot's two families promise besides never to hold more than their total.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from aviary.actors.engine.executors.resuming import Resumable
from hummingbot.core.data_type.common import PriceType, TradeType
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import DirectionalTradingControllerBase
from hummingbot.strategy_v2.controllers.market_making_controller_base import MarketMakingControllerBase

FAMILIES = (MarketMakingControllerBase, DirectionalTradingControllerBase)

type Market = tuple[str, str, str]
"""Controller, connector and pair."""


class Exposure:
    """Counts for all controllers of a strategy. `alarm` is told once of each that may open no more."""

    def __init__(self, strategy: Any, alarm: Callable[[str], None]) -> None:
        self._strategy = strategy
        self._alarm = alarm
        self._unexplained: dict[Market, Decimal] = {}
        self._largest: dict[str, Decimal] = {}
        """Quote units of each controller's largest order so far."""
        self._blocked: set[str] = set()

    def sent(self, controller_id: str, connector_name: str, trading_pair: str, amount: Decimal) -> None:
        """An order is sent."""
        quote = amount * self._price(connector_name, trading_pair)
        self._largest[controller_id] = max(quote, self._largest.get(controller_id, Decimal(0)))

    def unexplained(self, market: Market, signed: Decimal) -> None:
        """Base units were traded that no executor counts; negative for sold ones."""
        total = self._unexplained.get(market, Decimal(0)) + signed
        self._unexplained[market] = total
        controller_id, connector_name, trading_pair = market
        self._alarm(
            f"{signed.normalize():+f} {trading_pair} on {connector_name} were traded by an order that controller"
            f" {controller_id} did not count on; {total.normalize():+f} of what it holds there is unexplained."
        )

    def may_open(self, controller_id: str, executors: Iterable[Any], holds: Iterable[Any]) -> bool:
        """Whether a controller may open anything: not if it holds more than it should by more than one order."""
        tolerance = self._largest.get(controller_id, Decimal(0))
        stray = sum(
            (
                abs(amount) * self._price(name, pair)
                for (owner, name, pair), amount in self._unexplained.items()
                if owner == controller_id
            ),
            Decimal(0),
        )
        reason = None
        if stray > tolerance:
            reason = f"{stray:.2f} of it is unexplained"
        elif (over := self._over_total(controller_id, executors, holds)) > tolerance > 0:
            reason = f"it is {over:.2f} above its total"
        if reason is None:
            self._blocked.discard(controller_id)
            return True
        if controller_id not in self._blocked:
            self._blocked.add(controller_id)
            self._alarm(
                f"Controller {controller_id} opens nothing more: of what it holds, {reason} in quote units, and its"
                f" largest order has {tolerance:.2f}."
            )
        return False

    def _over_total(self, controller_id: str, executors: Iterable[Any], holds: Iterable[Any]) -> Decimal:
        """Quote units, at cost, that one of hummingbot's families holds above its total."""
        controller = self._strategy.controllers[controller_id]
        if not isinstance(controller, FAMILIES):
            return Decimal(0)
        nets: dict[tuple[str, str], Decimal] = {}
        for executor in executors:
            if _counts(executor):
                market = executor.config.connector_name, executor.config.trading_pair
                for one in executor.followed():
                    if one.order is not None:
                        sign = 1 if one.order.trade_type == TradeType.BUY else -1
                        nets[market] = nets.get(market, Decimal(0)) + sign * one.executed_amount_quote
        for hold in holds:
            market = hold.connector_name, hold.trading_pair
            nets[market] = nets.get(market, Decimal(0)) + hold.net_amount_base * hold.avg_entry_price
        given = getattr(controller.config, "initial_positions", None) or ()
        allowed: Decimal = Decimal(controller.config.total_amount_quote) + sum(
            (one.amount * self._price(one.connector_name, one.trading_pair) for one in given), Decimal(0)
        )
        return max((abs(net) for net in nets.values()), default=Decimal(0)) - allowed

    def _price(self, connector_name: str, trading_pair: str) -> Decimal:
        price: Decimal = self._strategy.market_data_provider.get_price_by_type(
            connector_name, trading_pair, PriceType.MidPrice
        )
        return price if price.is_finite() else Decimal(0)


def _counts(executor: Any) -> bool:
    return (
        isinstance(executor, Resumable) and not executor.is_closed and hasattr(executor.config, "connector_name")
    )
