"""What all accounts hold, valued in one quote."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.distribution import account_distribution, token_distribution
from aviary.actors.accounts.last_prices import LastPrices
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.accounts import Connection, ListConnections
from aviary.actors.messages.connectors import GetBalances
from aviary.actors.messages.portfolio import (
    GetAccountDistribution,
    GetKnownHoldings,
    GetPortfolioState,
    GetTokenDistribution,
    Holding,
    PortfolioState,
)
from aviary.actors.messages.rates import ValueTokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from aviary.actors.core.address import Address
    from aviary.actors.messages.connectors import Balance

ASK_TIMEOUT = 15.0
"""Seconds a connector has to say what it holds."""

PRICE_TIMEOUT = 25.0
"""Seconds the rate oracle has to say what that is worth."""


class Portfolio(AsyncActor):
    """Asks every connector for its balances, and the rate oracle for what they are worth.

    The last prices are kept: a token whose exchange is out of reach is not without value.
    """

    keeps_nothing = True

    def __init__(self, registry: Address = "account-registry", oracle: Address = "rate-oracle") -> None:
        super().__init__()
        self._registry = registry
        self._oracle = oracle

    async def prepare(self) -> None:
        """Nothing is asked before a client asks."""
        self._last_prices = LastPrices(self)
        self._quote: str | None = None
        """What the oracle gave prices in, last."""

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetPortfolioState():
                return self.defer(
                    self._state(message.account_names, message.connector_names, refresh=message.refresh)
                )
            case GetKnownHoldings():
                return self.defer(self._known())
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
        state: PortfolioState = {}
        for connection, held in await self._of_each(wanted, refresh=refresh):
            state.setdefault(connection.account_name, {})[connection.connector_name] = held or ()
        return state

    async def _known(self) -> PortfolioState:
        state: PortfolioState = {}
        for connection, held in await self._of_each(ListConnections(), refresh=False):
            if held is not None:
                state.setdefault(connection.account_name, {})[connection.connector_name] = held
        return state

    async def _of_each(
        self, wanted: ListConnections, *, refresh: bool
    ) -> list[tuple[Connection, tuple[Holding, ...] | None]]:
        connections = await self.ask(self._registry, wanted, timeout=ASK_TIMEOUT)
        holdings = await asyncio.gather(*(self._holdings(one, refresh=refresh) for one in connections))
        return list(zip(connections, holdings, strict=True))

    async def _holdings(self, connection: Connection, *, refresh: bool) -> tuple[Holding, ...] | None:
        """What is held on a connector, `None` if it has not told yet."""
        # A connector that is out of reach must not hide what lies on the others.
        try:
            balances = await self.ask(connection.address, GetBalances(refresh=refresh), timeout=ASK_TIMEOUT)
        except (Refusal, ActorCrashed):
            # Its last news, then, if there was any.
            return await self._holdings(connection, refresh=False) if refresh else None
        prices, complete = await self._prices(connection.connector_name, tuple(balances))
        return tuple(
            _holding(token, balance, prices.get(token), complete=complete) for token, balance in balances.items()
        )

    async def _prices(self, connector: str, tokens: tuple[str, ...]) -> tuple[Mapping[str, _Price], bool]:
        """Prices by token, and whether all that might have one were asked for it."""
        if not tokens:
            return {}, True
        try:
            question = ValueTokens(connector=connector, tokens=tokens)
            found = await self.ask(self._oracle, question, timeout=PRICE_TIMEOUT)
        except (Refusal, ActorCrashed):
            return await self._last_of(connector, tokens), False
        self._quote = found.quote
        prices = {token: _Price(one.price, one.age, stale=one.stale) for token, one in found.prices.items()}
        if found.complete:
            # They have one age: what is told of some tokens only would make the others look younger than they are.
            if not any(one.stale for one in prices.values()):
                told = {token: one.price for token, one in prices.items()}
                self._last_prices.hear(f"{connector}/{found.quote}", told)
            return prices, True
        return {**await self._last_of(connector, tokens), **prices}, False

    async def _last_of(self, connector: str, tokens: tuple[str, ...]) -> dict[str, _Price]:
        if self._quote is None:
            return {}
        last, age = await self._last_prices.of(f"{connector}/{self._quote}")
        return {token: _Price(last[token], age, stale=True) for token in tokens if token in last}

    async def _tokens(self, wanted: GetTokenDistribution) -> dict[str, Any]:
        state = await self._state(wanted.account_names, wanted.connector_names, refresh=False)
        return token_distribution(state, wanted.account_names)

    async def _accounts(self) -> dict[str, Any]:
        return account_distribution(await self._state(None, None, refresh=False))


@dataclass(frozen=True, slots=True)
class _Price:
    price: Decimal
    age: float
    stale: bool


def _holding(token: str, balance: Balance, price: _Price | None, *, complete: bool) -> Holding:
    return Holding(
        token=token,
        units=balance.total,
        price=None if price is None else price.price,
        value=None if price is None else balance.total * price.price,
        available_units=balance.available,
        # Without a price it may only be that nobody could be asked for one.
        stale=balance.stale or (not complete if price is None else price.stale),
        age=max(balance.age, price.age if price is not None and price.stale else 0.0),
    )
