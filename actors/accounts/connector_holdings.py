"""What one credential gives access to besides orders: balances, rules, positions and how they are set up."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.accounts.last_holdings import LastHoldings
from aviary.actors.accounts.orders import check_order
from aviary.actors.core.refusal import Invalid
from aviary.actors.hosts.calls import before_the_exchange, call_host
from aviary.actors.messages.connectors import Balance, TradingRule
from aviary.actors.messages.engine import Unsupported
from aviary.actors.messages.trading import Confirmed, PositionMode, PositionView, SetLeverage, SetPositionMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aviary.actors.accounts.orders import CheckedOrder
    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.messages.trading import PlaceOrder

RULES_LIFE = 1800.0
"""Seconds for which trading rules are remembered."""


class ConnectorHoldings:
    """What a connector actor knows of balances, rules and positions. Lives and dies with one incarnation."""

    def __init__(self, actor: AsyncActor, account: str, connector: str, folder: Path) -> None:
        self._actor = actor
        self._account = account
        self._connector = connector
        self._host = f"{actor.address.rsplit('/', 1)[0]}/host"
        self.last = LastHoldings(actor, account, connector, folder / "connectors" / f"{connector}.yml")
        self._rules: dict[str, TradingRule] = {}
        self._rules_until = 0.0
        self._order_types: frozenset[str] = frozenset()

    @property
    def perpetual(self) -> bool:
        """Whether the connector trades perpetual contracts: hummingbot says so in the name."""
        return "_perpetual" in self._connector

    def forget(self) -> None:
        """Other keys may mean another account: nothing that was known counts any more."""
        self._rules_until = 0.0

    def hear_balances(self, rows: Mapping[str, Mapping[str, str | None]]) -> None:
        """Take the host's news of balances."""
        self.last.hear(balances=_balances(rows))

    def hear_positions(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take the host's news of positions."""
        self.last.hear(positions=self._views(rows))

    async def check(self, wanted: PlaceOrder) -> CheckedOrder:
        """The order as it will be sent; see `check_order`."""
        rules = await self._trading_rules()
        return check_order(wanted, rules, self._order_types, perpetual=self.perpetual)

    async def balances(self) -> dict[str, Balance]:
        """Balances by token, asked of the exchange now."""
        balances = _balances(await self._call("balances", refresh=True))
        self.last.hear(balances=balances)
        return balances

    async def _trading_rules(self) -> Mapping[str, TradingRule]:
        if not self._rules or self._actor.clock.monotonic() > self._rules_until:
            types, rows = await asyncio.gather(self._call("order_types"), self._call("trading_rules"))
            self._order_types = frozenset(types)
            self._rules = {pair: TradingRule.from_host(row) for pair, row in rows.items()}
            self._rules_until = self._actor.clock.monotonic() + RULES_LIFE
        return self._rules

    async def positions(self) -> tuple[PositionView, ...]:
        """Open positions, asked of the exchange; none on a spot connector."""
        if not self.perpetual:
            return ()
        positions = self._views(await self._call("positions", refresh=True))
        self.last.hear(positions=positions)
        return positions

    def _views(self, rows: Sequence[Mapping[str, Any]]) -> tuple[PositionView, ...]:
        return tuple(
            PositionView(
                account_name=self._account,
                connector_name=self._connector,
                trading_pair=row["trading_pair"],
                side=_side_of(row),
                amount=abs(_decimal(row["amount"])),
                entry_price=_decimal(row["entry_price"]),
                unrealized_pnl=_decimal(row["unrealized_pnl"]),
                leverage=_decimal(row["leverage"]),
            )
            for row in rows
        )

    async def funding_payments(self) -> tuple[dict[str, Any], ...]:
        """The last funding payment of each pair with a position."""
        found = []
        for position in await self.positions():
            row = await self._call("last_funding_payment", trading_pair=position.trading_pair)
            if row is not None:
                found.append(
                    {
                        "account_name": self._account,
                        "connector_name": self._connector,
                        "trading_pair": position.trading_pair,
                        "timestamp": row["timestamp"],
                        "funding_rate": _decimal(row["funding_rate"]),
                        "funding_payment": _decimal(row["amount"]),
                    }
                )
        return tuple(found)

    async def set_leverage(self, wanted: SetLeverage) -> Confirmed:
        """Set the leverage of a pair."""
        self._require_perpetual()
        await self._require_traded(wanted.trading_pair)
        await self._call("set_leverage", trading_pair=wanted.trading_pair, leverage=wanted.leverage)
        return Confirmed(
            message=f"Leverage for {wanted.trading_pair} set to {wanted.leverage} on {self._connector}"
        )

    async def position_mode(self) -> PositionMode:
        """The position mode, asked of the exchange."""
        self._require_perpetual()
        mode = await self._call("position_mode")
        return PositionMode(position_mode=mode, connector=self._connector, account=self._account)

    async def set_position_mode(self, wanted: SetPositionMode) -> Confirmed:
        """Set the position mode, in any spelling."""
        self._require_perpetual()
        mode = wanted.position_mode.upper().replace("-", "").replace("_", "")
        if mode not in {"HEDGE", "ONEWAY"}:
            raise Invalid(
                f"Invalid position mode '{wanted.position_mode}'. Must be 'HEDGE' or 'ONEWAY'", "position_mode"
            )
        pair = await self._require_traded(wanted.trading_pair)
        await self._call("set_position_mode", mode=mode, trading_pair=pair)
        return Confirmed(message=f"Position mode set to {mode} on {self._connector}")

    async def _require_traded(self, trading_pair: str | None) -> str:
        """The pair, or any that is traded if none is named. `Invalid` for one that is not."""
        with before_the_exchange():
            rules = await self._trading_rules()
        if trading_pair is not None and trading_pair not in rules:
            raise Invalid(f"Trading pair '{trading_pair}' not supported on {self._connector}", "trading_pair")
        return trading_pair or min(rules)

    def _require_perpetual(self) -> None:
        if not self.perpetual:
            raise Unsupported(f"Connector '{self._connector}' is not a perpetual connector", "connector_name")

    async def _call(self, method: str, **arguments: Any) -> Any:
        return await call_host(self._actor, self._host, method, connector_name=self._connector, **arguments)


def _decimal(text: str | None) -> Decimal:
    return Decimal(text or 0)


def _side_of(position: Mapping[str, Any]) -> str:
    # An account with one position a pair calls its side BOTH: the sign tells it.
    side: str = position["side"]
    if side in {"LONG", "SHORT"}:
        return side
    return "SHORT" if _decimal(position["amount"]) < 0 else "LONG"


def _balances(rows: Mapping[str, Mapping[str, str | None]]) -> dict[str, Balance]:
    return {
        token: Balance(total=_decimal(row["total"]), available=_decimal(row["available"]))
        for token, row in rows.items()
    }
