"""Positions and the position mode of one connector, always as the exchange has them.

Hummingbot reads the mode once, when it connects, and files positions by it. A bot or another program may change it
later: then the two rows of a pair share a place, and orders name a side that the account does not have.
"""

# ruff: noqa: SLF001 - hummingbot's connectors have no public way to what they keep of positions

import asyncio
import re
from decimal import Decimal
from typing import Any

from aviary.actors.engine.exchanges import binance_orders
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS
from hummingbot.connector.derivative.binance_perpetual import binance_perpetual_constants as futures
from hummingbot.connector.derivative.position import Position
from hummingbot.core.data_type.common import PositionMode, PositionSide

MODE_LIFE = 30.0
"""Seconds for which a mode that was read is taken for the exchange's when an order is sent: as long as positions
are polled, which tells it too."""

REASSURANCE_TIMEOUT = 4.0
"""Seconds for the question what became of a change whose answer was lost."""

OTHER_MODE = re.compile(r'"code":\s*-4061\b')
"""Binance's no to an order whose side does not go with the account's mode (its "Error codes" page)."""


class PositionBook:
    """Takes the place of a perpetual connector's own ways to read positions and to send orders."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self._kept = connector._perpetual_trading
        self._read_at: float | None = None
        self._place = connector._place_order
        self._update = connector._update_positions
        self.known = False
        """Whether positions were ever read."""
        connector._place_order = self._send
        connector._update_positions = self.read
        self._by_rows = binance_orders.applies(connector)
        if self._by_rows:
            self._kept.position_key = _own_place

    async def read(self) -> None:
        """Read the mode and all positions. Raises what the connector's requests raise."""
        if self._by_rows:
            await self._read_rows()
        else:
            await self.read_mode()
            await self._update()
        self.known = True

    async def read_mode(self) -> PositionMode:
        """Ask the exchange for the mode, where it can be asked."""
        self.take_mode(await self._connector._fetch_account_position_mode())
        mode: PositionMode = self._connector.position_mode
        return mode

    async def need_mode(self) -> None:
        """Ask for the mode unless the exchange told it lately."""
        if self._read_at is None or asyncio.get_running_loop().time() - self._read_at > MODE_LIFE:
            await self.read_mode()

    async def has_leverage(self, pair: str, leverage: int) -> bool:
        """Whether the exchange says that a pair's leverage is this; false where it can't be asked or is silent."""
        if not self._by_rows:
            return False
        try:
            async with asyncio.timeout(REASSURANCE_TIMEOUT):
                await self.read()
        except REQUEST_ERRORS:
            return False
        return bool(self._kept.get_leverage(pair) == leverage)

    async def has_mode(self, mode: PositionMode) -> bool:
        """Whether the exchange says that this is the account's mode; false where it is silent."""
        try:
            async with asyncio.timeout(REASSURANCE_TIMEOUT):
                found = await self._connector._fetch_account_position_mode()
        except REQUEST_ERRORS:
            return False
        self.take_mode(found)
        return found is mode

    def take_mode(self, mode: PositionMode | None) -> None:
        """The exchange said that this is the mode; `None` if it does not tell."""
        self._read_at = asyncio.get_running_loop().time()
        if mode is None or mode is self._connector.position_mode:
            return
        # The mode changes only while nothing is held, so what was kept under the other one is gone.
        self._kept.set_position_mode(mode)
        self._kept.account_positions.clear()

    async def _read_rows(self) -> None:
        """One answer has every position, the mode and the leverages, as of one moment."""
        connector = self._connector
        rows = await connector._api_get(path_url=futures.POSITION_INFORMATION_URL, is_auth_required=True)
        held: dict[str, Position] = {}
        sides: set[PositionSide] = set()
        for row in rows:
            side = PositionSide[row["positionSide"]]
            sides.add(side)
            try:
                pair = await connector.trading_pair_associated_to_exchange_symbol(row["symbol"])
            except KeyError:
                # Not traded any more.
                continue
            leverage, amount = Decimal(row["leverage"]), Decimal(row["positionAmt"])
            self._kept.set_leverage(pair, int(leverage))
            if amount != 0:
                profit, entry = Decimal(row["unRealizedProfit"]), Decimal(row["entryPrice"])
                held[_own_place(pair, side)] = Position(pair, side, profit, entry, amount, leverage)
        if sides:
            hedged = bool(sides & {PositionSide.LONG, PositionSide.SHORT})
            self.take_mode(PositionMode.HEDGE if hedged else PositionMode.ONEWAY)
        self._kept.account_positions.clear()
        self._kept.account_positions.update(held)

    async def _send(self, *arguments: Any, **named: Any) -> tuple[str, float]:
        believed = self._connector.position_mode
        try:
            sent: tuple[str, float] = await self._place(*arguments, **named)
        except OSError as no:
            if OTHER_MODE.search(str(no)) is None or not await self._has_other_mode(believed):
                raise
            # The exchange took nothing on, so the same order may be sent in the account's mode.
            sent = await self._place(*arguments, **named)
        return sent

    async def _has_other_mode(self, believed: PositionMode) -> bool:
        """Whether the account turns out to have another mode than was believed."""
        try:
            return await self.read_mode() is not believed
        except REQUEST_ERRORS:
            # The exchange's no to the order stands.
            return False


def _own_place(pair: str, side: PositionSide | None = None, mode: PositionMode | None = None) -> str:
    # The rows of a pair say by themselves which is which, whatever the mode is taken to be.
    del mode
    return pair if side in {None, PositionSide.BOTH} else f"{pair}{side.name}"
