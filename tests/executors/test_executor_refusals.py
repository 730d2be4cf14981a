"""Configurations that make no sense are refused under their fields' names, and nothing is placed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from account_world import Exchange
from aviary.actors.core.refusal import Conflict, NotFound
from aviary.actors.messages.executors import REGISTRY, ConfigRefused, SearchExecutors
from executor_configs import grid, order, position
from executor_world import Books, ExecutorWorld

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

MARKET = {"connector_name": "sandbox", "trading_pair": "BTC-USDT"}
OTHER = {"connector_name": "sandbox", "trading_pair": "ETH-USDT"}
PRICE = Decimal(60_000)

POSITION = position(PRICE)
GRID = grid(PRICE, "BTC-USDT")
ORDER = order(PRICE, "BTC-USDT", amount="0.01")
DCA = {
    "type": "dca_executor",
    **MARKET,
    "side": 1,
    "amounts_quote": ["100", "100"],
    "prices": ["50000", "49000"],
    "take_profit": "0.02",
}
TWAP = {
    "type": "twap_executor",
    **MARKET,
    "side": 1,
    "total_amount_quote": "300",
    "total_duration": 20,
    "order_interval": 10,
}
XEMM = {
    "type": "xemm_executor",
    "buying_market": MARKET,
    "selling_market": {**MARKET, "connector_name": "sandbox_perpetual"},
    "maker_side": 1,
    "order_amount": "0.01",
    "min_profitability": "0.001",
    "target_profitability": "0.002",
    "max_profitability": "0.004",
}
ARBITRAGE = {
    "type": "arbitrage_executor",
    "buying_market": MARKET,
    "selling_market": {**MARKET, "connector_name": "sandbox_perpetual"},
    "order_amount": "0.01",
    "min_profitability": "0.01",
}
LP = {
    "type": "lp_executor",
    "connector_name": "solana-mainnet-beta",
    "lp_provider": "meteora/clmm",
    "trading_pair": "SOL-USDC",
    "pool_address": "pool",
    "lower_price": "80",
    "upper_price": "100",
    "quote_amount": "10",
    "side": 1,
}
EVERY = (POSITION, GRID, ORDER, DCA, TWAP, XEMM, ARBITRAGE, LP)

NO_NUMBERS = ("NaN", "Infinity", "", "many", None, True, [], {}, "1e99", "-1", "0")

BARRIERS = "triple_barrier_config"


def without(config: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


def wrong() -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields' paths, and a configuration that is wrong there."""
    yield "type", {}
    yield from (
        ("type", {**POSITION, "type": kind}) for kind in ("nosuch_executor", "", None, 1, ["position_executor"])
    )
    required = {
        "position_executor": ("connector_name", "trading_pair", "side", "amount"),
        "grid_executor": ("start_price", "end_price", "limit_price", "total_amount_quote", BARRIERS),
        "order_executor": ("side", "amount", "execution_strategy"),
        "dca_executor": ("amounts_quote", "prices"),
        "twap_executor": ("total_amount_quote", "total_duration", "order_interval"),
        "xemm_executor": ("buying_market", "maker_side", "order_amount", "max_profitability"),
        "arbitrage_executor": ("selling_market", "order_amount", "min_profitability"),
        "lp_executor": ("lp_provider", "pool_address", "lower_price", "side"),
    }
    for config in EVERY:
        yield from ((name, without(config, name)) for name in required[config["type"]])
    for config, name in ((POSITION, "amount"), (GRID, "total_amount_quote"), (TWAP, "total_amount_quote")):
        yield from ((name, {**config, name: value}) for value in NO_NUMBERS)
    yield from (("side", {**POSITION, "side": side}) for side in (3, 0, 7, "UP", "RANGE", None))
    yield from (("leverage", {**POSITION, "leverage": leverage}) for leverage in (0, -1, "x", 1.5))
    yield from (("trading_pair", {**POSITION, "trading_pair": pair}) for pair in ("", "BTC", "BTC-", "BTC-USDT-X"))
    yield "connector_name", {**POSITION, "connector_name": ""}
    yield "start_price", {**GRID, "start_price": "70000", "end_price": "60000"}
    yield "start_price", {**GRID, "start_price": "-1"}
    yield "limit_price", {**GRID, "limit_price": "65000"}
    yield "limit_price", {**GRID, "side": 2, "limit_price": "10"}
    yield "limit_price", {**GRID, "limit_price": "-1"}
    yield "max_open_orders", {**GRID, "max_open_orders": 0}
    yield "min_spread_between_orders", {**GRID, "min_spread_between_orders": "0"}
    yield (
        "min_spread_between_orders",
        {
            **GRID,
            "total_amount_quote": "1e12",
            "min_order_amount_quote": "5",
            "min_spread_between_orders": "1e-12",
        },
    )
    for name in ("stop_loss", "take_profit", "time_limit"):
        yield f"{BARRIERS}.{name}", {**POSITION, BARRIERS: {name: -1}}
    yield f"{BARRIERS}.stop_los", {**POSITION, BARRIERS: {"stop_los": "0.05"}}
    yield f"{BARRIERS}.stop_loss_order_type", {**POSITION, BARRIERS: {"stop_loss_order_type": "LIMIT"}}
    yield (
        f"{BARRIERS}.trailing_stop.activation_price",
        {
            **POSITION,
            BARRIERS: {"trailing_stop": {"activation_price": 0, "trailing_delta": "0.1"}},
        },
    )
    yield "price", without(ORDER, "price")
    yield "price", {**ORDER, "price": "0"}
    yield "chaser_config", {**ORDER, "execution_strategy": "LIMIT_CHASER"}
    yield "execution_strategy", {**ORDER, "execution_strategy": "SOMEHOW"}
    yield "amounts_quote", {**DCA, "amounts_quote": []}
    yield "amounts_quote", {**DCA, "amounts_quote": ["100"]}
    yield "prices.1", {**DCA, "prices": ["50000", "-1"]}
    yield "order_interval", {**TWAP, "order_interval": 0}
    yield "order_interval", {**TWAP, "total_duration": 10**8, "order_interval": 1}
    yield "buying_market", {**ARBITRAGE, "selling_market": MARKET}
    yield "buying_market", {**XEMM, "selling_market": MARKET}
    yield "buying_market.trading_pair", {**ARBITRAGE, "selling_market": OTHER}
    yield "maker_side", {**XEMM, "maker_side": 3}
    yield "min_profitability", {**XEMM, "min_profitability": "0.003"}
    yield "lower_price", {**LP, "lower_price": "200"}
    yield "lp_provider", {**LP, "lp_provider": "meteora"}
    yield "id", {**POSITION, "id": "a/b"}
    yield "id", {**POSITION, "id": "x" * 65}
    yield "id", {**POSITION, "id": "summary"}


def wrong_for_the_account() -> Iterator[tuple[str, dict[str, Any]]]:
    """What only the account or its exchange tells."""
    yield "trading_pair", {**POSITION, "trading_pair": "NOPE-USDT"}
    yield "connector_name", {**POSITION, "connector_name": "binance"}
    yield "connector_name", LP
    yield (
        "selling_market.connector_name",
        {
            **ARBITRAGE,
            "selling_market": {**MARKET, "connector_name": "sandbox_perpetual"},
        },
    )
    yield "amount", {**POSITION, "amount": "0.00000001"}
    yield "amount", {**ORDER, "amount": "0.00005"}
    yield "total_amount_quote", {**TWAP, "total_amount_quote": "6"}
    yield "total_amount_quote", {**GRID, "total_amount_quote": "2", "min_order_amount_quote": "1"}
    yield "amounts_quote.1", {**DCA, "amounts_quote": ["100", "1"]}


CASES = [*wrong(), *wrong_for_the_account()]


def test_a_hundred_wrong_configurations_are_refused_by_name_and_nothing_is_placed(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    missed = []

    for path, config in CASES:
        try:
            missed.append((path, "taken", world.create(account, config)))
        except ConfigRefused as refused:
            named = {".".join(map(str, one["loc"])) for one in refused.problems}
            if f"body.executor_config.{path}" not in named:
                missed.append((path, "named", named))

    assert len(CASES) >= 100
    assert missed == []
    assert exchange.orders(key) == []
    assert world.ask(REGISTRY, SearchExecutors(account_names=(account,))).data == ()


def test_unknown_accounts_ids_in_use_and_cursors_that_were_tampered_with(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    config = position(books.price(), id=f"mine-{account}")

    with pytest.raises(NotFound):
        world.create("nobody", config)
    first = world.create(account, config)
    with pytest.raises(Conflict):
        world.create(account, config)
    second = world.create(account, position(books.price()))

    page = world.ask(REGISTRY, SearchExecutors(account_names=(account,), limit=1))
    assert [one["executor_id"] for one in page.data] == [second.executor_id]
    assert page.pagination.total_count == 2
    cursor = page.pagination.next_cursor
    assert cursor is not None
    rest = world.ask(REGISTRY, SearchExecutors(account_names=(account,), limit=1, cursor=cursor))
    assert [one["executor_id"] for one in rest.data] == [first.executor_id]
    assert (rest.pagination.has_more, rest.pagination.next_cursor) == (False, None)
    for tampered in (cursor[:-1], cursor[::-1], f"{cursor}A", "0:", "1.0:5", "%"):
        with pytest.raises(Exception, match="cursor"):
            world.ask(REGISTRY, SearchExecutors(cursor=tampered))
    for one in (first, second):
        world.end(one.executor_id)
        world.until_settled(one.executor_id)
    assert world.end(first.executor_id).status == "TERMINATED"
    with pytest.raises(NotFound):
        world.end("nosuch")
