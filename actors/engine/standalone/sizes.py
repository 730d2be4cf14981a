"""Whether an exchange would take the orders that a configuration leads to."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from aviary.actors.engine.standalone.configs import Problem, markets_of, place_of, problem
from hummingbot.core.data_type.common import PriceType


def unfit_markets(config: Any, connectors: Mapping[str, Any]) -> list[Problem]:
    """Pairs that are not traded where the configuration says."""
    return [
        problem(place_of(config, (name, pair), "trading_pair"), f"{pair} is not traded on {name}", pair)
        for name, pair in markets_of(config)
        if pair not in connectors[name].trading_rules
    ]


def unfit_sizes(config: Any, connectors: Mapping[str, Any]) -> list[Problem]:
    """Amounts below what an exchange takes, each under its field's name. The books have to be there."""
    return [
        problem(where, text)
        for where, amount, price in _orders(config, connectors)
        for market in markets_of(config)
        if (text := _too_small(connectors[market[0]], market[1], amount, price)) is not None
    ]


def _orders(
    config: Any, connectors: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], Decimal, Decimal]]:
    """Base amounts that are going to be ordered, each with its field and price."""
    name, pair = markets_of(config)[0]
    market: Decimal = connectors[name].get_price_by_type(pair, PriceType.MidPrice)
    match config.type:
        case "position_executor":
            yield ("amount",), config.amount, config.entry_price or market
        case "order_executor":
            yield ("amount",), config.amount, config.price or market
        case "dca_executor":
            for index, (amount, price) in enumerate(zip(config.amounts_quote, config.prices, strict=False)):
                yield ("amounts_quote", index), amount / price, price
        case "twap_executor":
            slices = config.total_duration // config.order_interval + 1
            yield ("total_amount_quote",), config.total_amount_quote / slices / market, market
        case "grid_executor":
            least = max(config.min_order_amount_quote, _least_value(connectors[name], pair, config.start_price))
            if config.total_amount_quote < least:
                yield ("total_amount_quote",), config.total_amount_quote / config.start_price, config.start_price
        case "xemm_executor" | "arbitrage_executor":
            yield ("order_amount",), config.order_amount, market
        case _:
            return


def _least_value(connector: Any, pair: str, price: Decimal) -> Decimal:
    rule = connector.trading_rules[pair]
    return Decimal(max(rule.min_notional_size, rule.min_order_size * price))


def _too_small(connector: Any, pair: str, amount: Decimal, price: Decimal) -> str | None:
    rule = connector.trading_rules[pair]
    sent = connector.quantize_order_amount(pair, amount)
    if sent <= 0 or sent < rule.min_order_size:
        return f"an order of {amount:.8g} {pair} is below the minimum of {rule.min_order_size.normalize():f}"
    if sent * price < rule.min_notional_size:
        return (
            f"an order of {amount:.8g} {pair} is worth {sent * price:.8g}, below the minimum of"
            f" {rule.min_notional_size.normalize():f}"
        )
    return None
