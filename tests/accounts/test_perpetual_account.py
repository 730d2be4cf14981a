"""Perpetual accounts: positions, leverage, position mode, closing; and what all accounts hold."""

from decimal import Decimal

import pytest
from account_world import Exchange, World
from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.messages.connectors import (
    GetConfigMap,
    GetConnectorDetails,
    GetOrderTypes,
    GetTradingRules,
    ListConnectors,
    ListMarkets,
)
from aviary.actors.messages.portfolio import GetAccountDistribution, GetPortfolioState, GetTokenDistribution
from aviary.actors.messages.trading import (
    ClosePosition,
    GetPositionMode,
    ListFundingPayments,
    ListPositions,
    SetLeverage,
    SetPositionMode,
)

pytestmark = pytest.mark.whole

CATALOGUE = "market/catalogue"


def test_a_position_is_opened_listed_and_closed(world: World, exchange: Exchange, account: str) -> None:
    connector = "sandbox_perpetual"
    world.connect(account, exchange.key(), connector)
    where = {"account_name": account, "connector_name": connector, "trading_pair": "BTC-USDT"}

    world.ask("trading", SetLeverage(**where, leverage=10))
    mode = world.ask("trading", GetPositionMode(account_name=account, connector_name=connector))
    world.place(account, price=None, order_type="MARKET", connector_name=connector, amount="0.02")
    page = world.ask("trading", ListPositions(account_names=(account,)))

    assert mode.position_mode == "ONEWAY"
    assert [(p.side, p.amount, p.leverage) for p in page.data] == [("LONG", Decimal("0.02"), Decimal(10))]
    closed = world.ask("trading", ClosePosition(**where))
    assert (closed.trade_type, closed.amount) == ("SELL", "0.02")
    assert world.ask("trading", ListPositions(account_names=(account,))).data == ()
    with pytest.raises(NotFound):
        world.ask("trading", ClosePosition(**where))
    assert world.ask("trading", ListFundingPayments(account_names=(account,))).data == ()


def test_what_only_perpetuals_have_is_refused_on_spot(world: World, exchange: Exchange, account: str) -> None:
    world.connect(account, exchange.key())
    where = {"account_name": account, "connector_name": "sandbox"}

    with pytest.raises(Invalid, match="not a perpetual connector"):
        world.ask("trading", SetLeverage(**where, trading_pair="BTC-USDT", leverage=10))
    with pytest.raises(Invalid, match="not a perpetual connector"):
        world.ask("trading", SetPositionMode(**where, position_mode="HEDGE"))


def test_the_position_mode_is_taken_in_any_spelling_and_a_wrong_one_refused(
    world: World, exchange: Exchange, account: str
) -> None:
    world.connect(account, exchange.key(), "sandbox_perpetual")
    where = {"account_name": account, "connector_name": "sandbox_perpetual"}

    world.ask("trading", SetPositionMode(**where, position_mode="HEDGE"))
    assert world.ask("trading", GetPositionMode(**where)).position_mode == "HEDGE"
    world.ask("trading", SetPositionMode(**where, position_mode="ONE-WAY"))
    assert world.ask("trading", GetPositionMode(**where)).position_mode == "ONEWAY"
    with pytest.raises(Invalid, match="Must be 'HEDGE' or 'ONEWAY'"):
        world.ask("trading", SetPositionMode(**where, position_mode="DIAGONAL"))


def test_the_portfolio_is_valued_at_the_market(world: World, exchange: Exchange, account: str) -> None:
    world.connect(account, exchange.key())

    state = world.ask("portfolio", GetPortfolioState(account_names=(account,), refresh=True))
    tokens = world.ask("portfolio", GetTokenDistribution(account_names=(account,)))
    accounts = world.ask("portfolio", GetAccountDistribution())

    held = {holding.token: holding for holding in state[account]["sandbox"]}
    assert held["USDT"].value == held["USDT"].units == Decimal(100000)
    assert held["BTC"].price > 1000
    assert held["BTC"].value == held["BTC"].units * held["BTC"].price
    assert tokens["token_count"] == len(held)
    assert sum(row["percentage"] for row in tokens["distribution"]) == pytest.approx(100, abs=0.01)
    assert account in {row["account"] for row in accounts["distribution"]}
    with pytest.raises(NotFound):
        world.ask("portfolio", GetPortfolioState(account_names=("nosuch",)))


def test_the_catalogue_knows_connectors_their_fields_rules_and_pairs(world: World) -> None:
    names = world.ask(CATALOGUE, ListConnectors())
    fields = world.ask(CATALOGUE, GetConfigMap(connector_name="sandbox"))
    rules = world.ask(CATALOGUE, GetTradingRules(connector_name="sandbox", trading_pairs=("BTC-USDT",)))

    assert {"sandbox", "sandbox_perpetual", "binance"} <= set(names)
    assert fields["sandbox_api_key"] == {"type": "SecretStr", "required": True}
    assert rules["BTC-USDT"].min_order_size > 0
    assert "LIMIT" in world.ask(CATALOGUE, GetOrderTypes(connector_name="sandbox")).supported_order_types
    assert "BTC-USDT" in world.ask(CATALOGUE, ListMarkets(connector_name="sandbox")).trading_pairs
    assert world.ask(CATALOGUE, GetConnectorDetails(connector_name="sandbox")).config_map == fields
    for question in (GetConfigMap, GetOrderTypes, GetTradingRules, ListMarkets):
        with pytest.raises(NotFound, match="'nosuch' not found"):
            world.ask(CATALOGUE, question(connector_name="nosuch"))
    with pytest.raises(NotFound, match="NO-SUCH"):
        world.ask(CATALOGUE, GetTradingRules(connector_name="sandbox", trading_pairs=("NO-SUCH",)))
