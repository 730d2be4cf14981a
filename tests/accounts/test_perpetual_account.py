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


def test_a_mode_and_a_leverage_that_another_program_sets_are_noticed_by_the_next_request(
    world: World, exchange: Exchange, account: str
) -> None:
    """Positions, their sides and what closes them are the exchange's, whoever changed what there."""
    key = exchange.key()
    where = {"connector_name": "sandbox_perpetual", "trading_pair": "BTC-USDT"}
    world.connect(account, key, "sandbox_perpetual")
    other = f"{account}-other"
    world.connect(other, key, "sandbox_perpetual")
    market = {"price": None, "order_type": "MARKET", "connector_name": "sandbox_perpetual"}

    def mode(position_mode: str) -> None:
        change = SetPositionMode(
            account_name=other, connector_name="sandbox_perpetual", position_mode=position_mode
        )
        world.ask("trading", change)

    def held() -> dict[str, tuple[Decimal, Decimal]]:
        page = world.ask("trading", ListPositions(account_names=(account,)))
        assert not page.unavailable
        return {position.side: (position.amount, position.leverage) for position in page.data}

    def books() -> dict[str, Decimal]:
        return {row["side"]: Decimal(row["amount"]) for row in exchange.positions(key)}

    mode("HEDGE")
    world.place(account, side="SELL", amount="0.01", **market)
    world.place(other, side="BUY", amount="0.02", **market)
    world.ask("trading", SetLeverage(account_name=other, **where, leverage=7))

    assert books() == {"LONG": Decimal("0.02"), "SHORT": Decimal("-0.01")}
    assert held() == {"LONG": (Decimal("0.02"), Decimal(7)), "SHORT": (Decimal("0.01"), Decimal(7))}
    with pytest.raises(Invalid, match="name the side"):
        world.ask("trading", ClosePosition(account_name=account, **where))
    world.ask("trading", ClosePosition(account_name=account, **where, side="LONG", amount="0.005"))
    assert books() == {"LONG": Decimal("0.015"), "SHORT": Decimal("-0.01")}
    world.ask("trading", ClosePosition(account_name=account, **where, side="SHORT"))
    world.ask("trading", ClosePosition(account_name=account, **where))
    assert (books(), held()) == ({}, {})

    mode("ONEWAY")
    world.place(account, side="SELL", amount="0.01", **market)
    assert held() == {"SHORT": (Decimal("0.01"), Decimal(7))}
    world.ask("trading", ClosePosition(account_name=account, **where))
    assert (books(), held()) == ({}, {})
