"""Holds a configuration against the world: connectors, keys, pairs, candles, and the size of orders."""

from __future__ import annotations

import asyncio
import difflib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aviary.actors.core.refusal import ActorCrashed, Refusal
from aviary.actors.messages.connectors import (
    GetCandleIntervals,
    GetPrices,
    GetTradingRules,
    ListConnectors,
    ListMarkets,
)
from aviary.actors.messages.strategies import WrongConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable

    from aviary.actors.core.actor import AsyncActor
    from aviary.actors.core.address import Address
    from aviary.actors.core.message import Message

WORLD_TIMEOUT = 12.0
"""Seconds that an exchange may take to say what it trades, a host's start included; what it does not say is warned of."""

SHOWN = 12
"""Names that are listed beside the nearest ones."""

MAX_LEVERAGE = 125
"""As the trading routes take it."""

TOO_MUCH = Decimal(10) ** 18
"""As for the amounts of orders."""

PAPER = "_paper_trade"


class Unserved(WrongConfig):
    """The world has not what a configuration names."""

    def __init__(self, detail: str, *fields: str) -> None:
        super().__init__(detail, fields)


class WorldCheck:
    """Asks the catalogue on behalf of one actor."""

    def __init__(self, actor: AsyncActor, catalogue: Address = "market/catalogue") -> None:
        self._actor = actor
        self._catalogue = catalogue

    async def check(
        self, values: dict[str, Any], examined: dict[str, Any], keys: tuple[str, Collection[str]] | None
    ) -> list[str]:
        """Refuse with `WrongConfig`, naming the field, what the world does not serve; what could not be checked.

        `keys` are an account's name and the connectors that it has credentials for, `None` where no account is
        concerned yet.
        """
        _check_numbers(examined["numbers"])
        markets: dict[str, list[str]] = {
            name: pairs for name, pairs in examined["markets"].items() if not _is_elsewhere(name)
        }
        known = await asyncio.gather(
            *(
                self._as_far_as_it_answers(name, self._known_connector(values, name.removesuffix(PAPER)))
                for name in markets
            )
        )
        if keys is not None:
            _check_keys(values, markets, *keys)
        checks = [
            *(self._market(values, name.removesuffix(PAPER), pairs, examined) for name, pairs in markets.items()),
            *(self._candles(values, **row) for row in examined["candles"] if not _is_elsewhere(row["connector"])),
        ]
        warnings = await asyncio.gather(*checks)
        return list(dict.fromkeys(warning for warning in (*known, *warnings) if warning is not None))

    async def _market(
        self, values: dict[str, Any], connector: str, pairs: Iterable[str], examined: dict[str, Any]
    ) -> str | None:
        async def look() -> None:
            await self._known_pairs(values, connector, pairs)
            await self._large_enough(connector, tuple(pairs), examined["orders"])

        return await self._as_far_as_it_answers(connector, look())

    async def _candles(
        self, values: dict[str, Any], connector: str, trading_pair: str, interval: str
    ) -> str | None:
        async def look() -> None:
            await self._known_connector(values, connector)
            served = await self._ask(GetCandleIntervals(connector_name=connector))
            if not served:
                field = _field_of(values, connector, "candles")
                raise Unserved(f"{field}: {connector} has no candles", field)
            if interval not in served:
                field = _field_of(values, interval, "interval")
                told = ", ".join(served)
                raise Unserved(f"{field}: {connector} has no candles of {interval}; it has {told}", field)
            await self._known_pairs(values, connector, [trading_pair], "candles")

        return await self._as_far_as_it_answers(connector, look())

    async def _as_far_as_it_answers(self, connector: str, look: Awaitable[None]) -> str | None:
        """What could not be found out, since an exchange is out of reach: no reason to refuse anything."""
        try:
            async with asyncio.timeout(WORLD_TIMEOUT):
                await look
        except Unserved:
            raise
        except TimeoutError:
            return f"{connector} could not be asked: no answer within {WORLD_TIMEOUT:g} s"
        except (Refusal, ActorCrashed) as trouble:
            return f"{connector} could not be asked: {trouble}"
        return None

    async def _known_connector(self, values: dict[str, Any], connector: str) -> None:
        known = await self._ask(ListConnectors())
        if connector not in known:
            field = _field_of(values, connector, "connector")
            raise Unserved(f"{field}: there is no connector {connector}{_nearest(connector, known)}", field)

    async def _known_pairs(
        self, values: dict[str, Any], connector: str, pairs: Iterable[str], prefer: str = ""
    ) -> None:
        listed = (await self._ask(ListMarkets(connector_name=connector))).trading_pairs
        for pair in pairs:
            if pair not in listed:
                field = _field_of(values, pair, prefer or "trading_pair")
                raise Unserved(f"{field}: {pair} is not traded on {connector}{_nearest(pair, listed)}", field)

    async def _large_enough(self, connector: str, pairs: tuple[str, ...], orders: dict[str, str]) -> None:
        if not orders or not pairs:
            return
        rules = await self._ask(GetTradingRules(connector_name=connector, trading_pairs=pairs))
        prices = await self._ask(GetPrices(connector_name=connector, trading_pairs=pairs))
        for field, text in orders.items():
            for pair, rule in rules.items():
                smallest = max(rule.min_notional_size, rule.min_order_size * prices.get(pair, Decimal(0)))
                if Decimal(text) < smallest:
                    raise Unserved(
                        f"{field}: the smallest order would be {_plain(Decimal(text))}, and {connector} takes none"
                        f" below {_plain(smallest)} in {pair}",
                        field,
                    )

    async def _ask[R](self, message: Message[R]) -> R:
        return await self._actor.ask(self._catalogue, message, timeout=WORLD_TIMEOUT)


def _check_numbers(numbers: dict[str, str]) -> None:
    for field, text in numbers.items():
        number = Decimal(text)
        if field == "leverage" and not 1 <= number <= MAX_LEVERAGE:
            raise Unserved(f"{field}: {text} is not between 1 and {MAX_LEVERAGE}", field)
        # Of other amounts, zero may well mean that there is no limit.
        least = Decimal("1e-18") if field == "total_amount_quote" else Decimal(0)
        if field != "leverage" and not (number.is_finite() and least <= number < TOO_MUCH):
            raise Unserved(f"{field}: {text} is no amount that anybody trades", field)


def _check_keys(values: dict[str, Any], markets: Iterable[str], account: str, held: Collection[str]) -> None:
    missing = sorted(name for name in markets if name not in held and not name.endswith(PAPER))
    if missing:
        detail = f"Account '{account}' has no credentials for {', '.join(missing)}"
        raise Unserved(detail, "credentials_profile", *(_field_of(values, name, "connector") for name in missing))


def _is_elsewhere(connector: str) -> bool:
    """Whether it is reached through Gateway, which nothing is known of here."""
    return "/" in connector or "-" in connector


def _field_of(values: dict[str, Any], text: str, prefer: str) -> str:
    """The field that holds a text, of several the one whose name has more of `prefer`; `prefer` if none does."""
    holders = [name for name, value in values.items() if _holds(value, text)]
    if not holders:
        return prefer
    return next((name for name in holders if prefer in name), holders[0])


def _holds(value: Any, text: str) -> bool:
    match value:
        case str():
            return value == text or text in value.replace(":", ".").replace(",", ".").split(".")
        case dict():
            return any(key == text or _holds(item, text) for key, item in value.items())
        case list() | tuple():
            return any(_holds(item, text) for item in value)
        case _:
            return False


def _nearest(text: str, known: Iterable[str]) -> str:
    """What was probably meant, in words."""
    names = list(known)
    bare = _bare(text)
    same = [name for name in names if _bare(name) == bare]
    close = same or difflib.get_close_matches(text, names, 3, 0.6)
    told = f"; did you mean {' or '.join(close)}?" if close else ""
    more = ", ..." if len(names) > SHOWN else ""
    return (
        f"{told} There are {', '.join(names[:SHOWN])}{more}"
        if told
        else f"; there are {', '.join(names[:SHOWN])}{more}"
    )


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
