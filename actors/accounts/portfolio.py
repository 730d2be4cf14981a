"""What all accounts hold, valued in one quote."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.last_prices import LastPrices
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.accounts import Connection, ListConnections
from aviary.actors.messages.connectors import Balance, GetBalances, GetPrices
from aviary.actors.messages.portfolio import (
    GetAccountDistribution,
    GetPortfolioState,
    GetTokenDistribution,
    Holding,
    PortfolioState,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aviary.actors.core.address import Address

QUOTE = "USDT"
"""What values are given in."""

WORTH_ONE = frozenset({"USDT", "USDC", "USD", "FDUSD", "TUSD", "DAI", "BUSD"})
"""Tokens that count as the quote."""

ASK_TIMEOUT = 15.0
"""Seconds a connector has to say what it holds."""


class Portfolio(AsyncActor):
    """Asks every connector for its balances, and the market for prices.

    The last prices are kept: a token whose exchange is out of reach is not without value.
    """

    keeps_nothing = True

    def __init__(self, registry: Address = "account-registry", catalogue: Address = "market/catalogue") -> None:
        super().__init__()
        self._registry = registry
        self._catalogue = catalogue

    async def prepare(self) -> None:
        """Nothing is asked before a client asks."""
        self._last_prices = LastPrices(self)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetPortfolioState():
                return self.defer(
                    self._state(message.account_names, message.connector_names, refresh=message.refresh)
                )
            case GetTokenDistribution():
                return self.defer(self._tokens(message))
            case GetAccountDistribution():
                return self.defer(self._accounts())
            case _:
                return super().receive(message)

    async def _state(
        self, accounts: Sequence[str] | None, connectors: Sequence[str] | None, *, refresh: bool
    ) -> PortfolioState:
        wanted = ListConnections(
            account_names=None if not accounts else tuple(accounts),
            connector_names=None if not connectors else tuple(connectors),
        )
        connections = await self.ask(self._registry, wanted, timeout=ASK_TIMEOUT)
        holdings = await asyncio.gather(*(self._holdings(one, refresh=refresh) for one in connections))
        state: PortfolioState = {}
        for connection, held in zip(connections, holdings, strict=True):
            state.setdefault(connection.account_name, {})[connection.connector_name] = held
        return state

    async def _holdings(self, connection: Connection, *, refresh: bool) -> tuple[Holding, ...]:
        # A connector that is out of reach must not hide what lies on the others.
        try:
            balances = await self.ask(connection.address, GetBalances(refresh=refresh), timeout=ASK_TIMEOUT)
        except (Refusal, ActorCrashed):
            # Its last news, then, if there was any.
            return await self._holdings(connection, refresh=False) if refresh else ()
        prices, price_age = await self._prices(connection.connector_name, balances)
        old = {token: price_age for token in balances if token not in WORTH_ONE and price_age > 0}
        return tuple(
            Holding(
                token=token,
                units=balance.total,
                price=prices.get(token, Decimal(0)),
                value=balance.total * prices.get(token, Decimal(0)),
                available_units=balance.available,
                stale=balance.stale or token in old,
                age=max(balance.age, old.get(token, 0.0)),
            )
            for token, balance in balances.items()
        )

    async def _prices(self, connector: str, balances: Mapping[str, Balance]) -> tuple[dict[str, Decimal], float]:
        """Prices by token, and for how many seconds they have not been told; 0 for prices of now."""
        prices = {token: Decimal(1) for token in balances if token in WORTH_ONE}
        pairs = tuple(f"{token}-{QUOTE}" for token in balances if token not in prices)
        if pairs:
            try:
                found = await self.ask(
                    self._catalogue, GetPrices(connector_name=connector, trading_pairs=pairs), timeout=ASK_TIMEOUT
                )
            except (Refusal, ActorCrashed):
                last, age = await self._last_prices.of(connector)
                return {**{token: last[token] for token in balances if token in last}, **prices}, age
            now = {pair.rsplit("-", 1)[0]: price for pair, price in found.items()}
            self._last_prices.hear(connector, now)
            prices |= now
        return prices, 0.0

    async def _tokens(self, wanted: GetTokenDistribution) -> dict[str, Any]:
        state = await self._state(wanted.account_names, wanted.connector_names, refresh=False)
        total = sum((holding.value for *_, holding in _flat(state)), Decimal(0))
        tokens: dict[str, dict[str, Any]] = {}
        for account, connector, holding in _flat(state):
            token = tokens.setdefault(holding.token, _share({"token": holding.token, "total_units": Decimal(0)}))
            _add(token, holding, total)
            token["total_units"] += holding.units
            part = token.setdefault("accounts", {}).setdefault(account, {"value": Decimal(0), "units": Decimal(0)})
            part["value"] += holding.value
            part["units"] += holding.units
            part["percentage"] = _percent(part["value"], total)
            part.setdefault("connectors", {})[connector] = {"value": holding.value, "units": holding.units}
        rows = sorted(tokens.values(), key=lambda row: row["total_value"], reverse=True)
        return {
            "total_portfolio_value": total,
            "token_count": len(rows),
            "distribution": rows,
            "account_filter": ",".join(wanted.account_names) if wanted.account_names else "all_accounts",
        }

    async def _accounts(self) -> dict[str, Any]:
        state = await self._state(None, None, refresh=False)
        total = sum((holding.value for *_, holding in _flat(state)), Decimal(0))
        accounts: dict[str, dict[str, Any]] = {}
        for account, connector, holding in _flat(state):
            row = accounts.setdefault(account, _share({"account": account, "connectors": {}}))
            _add(row, holding, total)
            part = row["connectors"].setdefault(connector, {"value": Decimal(0), "percentage": 0.0})
            part["value"] += holding.value
            part["percentage"] = _percent(part["value"], total)
        rows = sorted(accounts.values(), key=lambda row: row["total_value"], reverse=True)
        return {"total_portfolio_value": total, "account_count": len(rows), "distribution": rows}


def _flat(state: PortfolioState) -> Iterator[tuple[str, str, Holding]]:
    for account, connectors in state.items():
        for connector, holdings in connectors.items():
            for holding in holdings:
                yield account, connector, holding


def _share(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "total_value": Decimal(0), "percentage": 0.0}


def _add(row: dict[str, Any], holding: Holding, total: Decimal) -> None:
    row["total_value"] += holding.value
    row["percentage"] = _percent(row["total_value"], total)


def _percent(part: Decimal, total: Decimal) -> float:
    return round(float(part / total * 100), 4) if total else 0.0
