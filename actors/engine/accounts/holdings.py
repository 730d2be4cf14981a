"""What an account holds and how it is set up: balances, rules, positions, leverage, position mode."""

import asyncio
from typing import Any

from aviary.actors.core.port_errors import PortRefusal
from aviary.actors.engine.accounts.orders import follow
from aviary.actors.engine.exchanges.connections import (
    REQUEST_TIMEOUT,
    Connections,
    exchange_changes,
    exchange_errors,
)
from aviary.actors.engine.exchanges.notation import balances_of, clean, positions_of, rule_of
from aviary.actors.engine.exchanges.outcomes import (
    REQUEST_ERRORS,
    OutcomeUnknown,
    definite_no,
    plain_words,
    undecided,
)
from aviary.actors.engine.exchanges.positions import PositionBook

CHANGE_TIMEOUT = 6.0
"""Seconds an exchange may take to set something; what is left of a call's time is for asking whether it did."""


class Holdings:
    """The account methods of an account host."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def balances(self, connector_name: str, *, refresh: bool = True) -> dict[str, dict[str, str | None]]:
        """`{token: {"total", "available"}}`, asked of the exchange unless `refresh` is false.

        The balances known before stay if the question fails, and the question is refused.
        """
        connector = self._connections.get(connector_name).connector
        if refresh:
            with exchange_errors(connector_name):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await connector._update_balances()  # noqa: SLF001 - the question itself
        return balances_of(connector)

    async def trading_rules(
        self, connector_name: str, trading_pairs: list[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Trading rules by pair; refused as `unavailable` while they are not known."""
        connector = self._connections.get(connector_name).connector
        if not connector.trading_rules:
            with exchange_errors(connector_name):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await connector._update_trading_rules()  # noqa: SLF001
        return {
            pair: rule_of(rule)
            for pair, rule in connector.trading_rules.items()
            if trading_pairs is None or pair in trading_pairs
        }

    async def order_types(self, connector_name: str) -> list[str]:
        """Order types the connector supports."""
        connector = self._connections.get(connector_name).connector
        return [kind.name for kind in connector.supported_order_types()]

    async def positions(self, connector_name: str, *, refresh: bool = True) -> list[dict[str, Any]]:
        """Open positions; `unsupported` on a spot connector."""
        connector, book = self._perpetual(connector_name)
        if refresh:
            with exchange_errors(connector_name):
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    await book.read()
        return positions_of(connector)

    async def set_leverage(self, connector_name: str, trading_pair: str, leverage: int) -> int:
        """Set the leverage of a pair.

        Refused as `rejected` with the exchange's text, or as `unknown` if it does not say what became of it.
        """
        connector, book = self._perpetual(connector_name)
        with exchange_changes(connector_name, "the leverage"):
            try:
                async with asyncio.timeout(CHANGE_TIMEOUT):
                    done, text = await connector._set_trading_pair_leverage(trading_pair, leverage)  # noqa: SLF001
            except REQUEST_ERRORS as error:
                if definite_no(error) is not None or not await book.has_leverage(trading_pair, leverage):
                    raise
                done, text = True, ""
        if not done:
            raise PortRefusal("rejected", text or f"the leverage was not set to {leverage}")
        connector._perpetual_trading.set_leverage(trading_pair, leverage)  # noqa: SLF001
        return leverage

    async def position_mode(self, connector_name: str) -> str:
        """`ONEWAY` or `HEDGE`, asked of the exchange where it can be asked."""
        _, book = self._perpetual(connector_name)
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                return str((await book.read_mode()).name)

    async def set_position_mode(self, connector_name: str, mode: str, trading_pair: str) -> str:
        """Set the account's position mode and say so only when it is known to be set.

        Some exchanges want a pair named; any that is traded does. Refusals are those of `set_leverage`.
        """
        connector, book = self._perpetual(connector_name)
        wanted = {known.name: known for known in connector.supported_position_modes()}.get(mode)
        if wanted is None:
            raise PortRefusal("invalid", f"{connector_name} has no position mode {mode}", field="position_mode")
        follow(connector, trading_pair)
        if await book.has_mode(wanted):
            return str(wanted.name)
        with exchange_changes(connector_name, "the position mode"):
            try:
                async with asyncio.timeout(CHANGE_TIMEOUT):
                    done, text = await connector._trading_pair_position_mode_set(wanted, trading_pair)  # noqa: SLF001
                if not done and undecided(text):
                    raise OutcomeUnknown(plain_words(text))
            except REQUEST_ERRORS as error:
                if definite_no(error) is not None or not await book.has_mode(wanted):
                    raise
                done, text = True, ""
        if not done:
            raise PortRefusal("rejected", plain_words(text) or f"the position mode was not set to {mode}")
        book.take_mode(wanted)
        return str(wanted.name)

    async def last_funding_payment(self, connector_name: str, trading_pair: str) -> dict[str, Any] | None:
        """The last funding payment of a pair, if there was one."""
        connector, _ = self._perpetual(connector_name)
        with exchange_errors(connector_name):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                timestamp, rate, payment = await connector._fetch_last_fee_payment(trading_pair)  # noqa: SLF001
        if not timestamp:
            return None
        return {"timestamp": timestamp, "funding_rate": clean(rate), "amount": clean(payment)}

    def _perpetual(self, connector_name: str) -> tuple[Any, PositionBook]:
        connection = self._connections.get(connector_name)
        if connection.positions is None:
            raise PortRefusal(
                "unsupported", f"{connector_name} does not trade perpetual contracts", field="connector_name"
            )
        return connection.connector, connection.positions
