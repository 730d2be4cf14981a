"""The whole exchange without its network side: venues, reference prices, liquidity, keys and faults."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath

from aviary.config.chance import chance
from aviary.config.clock import Clock
from aviary.sandbox.candles import Candles
from aviary.sandbox.events import Event
from aviary.sandbox.faults import Faults
from aviary.sandbox.instruments import INSTRUMENTS, Market
from aviary.sandbox.keys import Keys
from aviary.sandbox.liquidity import Liquidity
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.perpetual import PerpetualVenue
from aviary.sandbox.reference import BasisPath, Path, RatioPath, WalkPath, level_at
from aviary.sandbox.spot import SpotVenue
from aviary.sandbox.store import Store
from aviary.sandbox.venue import Venue

IDLE_AFTER = 30.0
"""Seconds after the last request about a book until its synthetic quotes are put away."""


UNFILLED_KEPT = 3 * 86_400.0
"""Seconds for which orders that never traded are remembered; a fleet of quoting bots leaves millions a day."""

TIDY_PERIOD = 10.0
"""Seconds between forgetting some of them."""

ORDERS_FORGOTTEN_AT_ONCE = 1_000


@dataclass(frozen=True)
class Settings:
    """How an exchange is set up: the market's seed and liveliness, and seconds between funding payments."""

    seed: int = 1
    volatility: float = 1.0
    funding_interval: int = 8 * 3600


def reference_paths(seed: int, volatility: float) -> dict[Market, dict[str, Path]]:
    """The reference path of every instrument."""
    walks = {base: WalkPath(seed, base, volatility) for base in ("BTC", "ETH", "SOL", "BNB")}
    spot: dict[str, Path] = {base + "USDT": walk for base, walk in walks.items()}
    spot["ETHBTC"] = RatioPath(seed, "ETHBTC", walks["ETH"], walks["BTC"], volatility)
    perpetual: dict[str, Path] = {
        symbol: BasisPath(seed, symbol, spot[symbol]) for symbol in INSTRUMENTS[Market.PERPETUAL]
    }
    return {Market.SPOT: spot, Market.PERPETUAL: perpetual}


class Exchange:
    """Both markets. Synchronous: whoever calls it does so from one thread."""

    def __init__(self, directory: FilePath, clock: Clock, settings: Settings) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = Faults(clock)
        self._listeners: list[Callable[[Event], None]] = []
        self._store = Store(directory / "sandbox.sqlite")
        numbers = Numbers(self._store)
        self.paths = reference_paths(settings.seed, settings.volatility)
        self.spot = SpotVenue(self._store, clock, numbers, self._publish)
        self.perpetual = PerpetualVenue(
            self._store,
            clock,
            numbers,
            self._publish,
            mark=self._mark_price,
            wake=lambda symbol: self.wake(Market.PERPETUAL, symbol),
            seed=settings.seed,
            funding_interval=settings.funding_interval,
        )
        self.venues: dict[Market, Venue] = {Market.SPOT: self.spot, Market.PERPETUAL: self.perpetual}
        self.keys = Keys(self._store, self.venues)
        self.candles = {
            market: {
                symbol: Candles(instrument, self.paths[market][symbol])
                for symbol, instrument in instruments.items()
            }
            for market, instruments in INSTRUMENTS.items()
        }
        self._liquidity = {
            (market, symbol): Liquidity(
                self.venues[market],
                instrument,
                self.paths[market][symbol],
                chance(settings.seed * 1_000 + number),
            )
            for market, instruments in INSTRUMENTS.items()
            for number, (symbol, instrument) in enumerate(instruments.items(), len(market))
        }
        self._before_step: list[Callable[[], None]] = []
        self._tidied = 0.0
        self._asked: dict[tuple[Market, str], float] = {}

    @property
    def store(self) -> Store:
        """The exchange's file, for questions about closed orders and fills."""
        return self._store

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have every event from now on."""
        self._listeners.append(listener)

    def before_step(self, action: Callable[[], None]) -> None:
        """Have something done before each step of the market."""
        self._before_step.append(action)

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def reference(self, market: Market, symbol: str, at: float) -> float:
        """The undisturbed reference price."""
        return self.venues[market].instrument(symbol).anchor * math.exp(level_at(self.paths[market][symbol], at))

    def wake(self, market: Market, symbol: str) -> None:
        """Bring a book up to date because somebody asks about it, and keep it so for a while."""
        now = self.clock.now()
        self._asked[market, symbol] = now
        liquidity = self._liquidity[market, symbol]
        if not liquidity.fresh(now):
            liquidity.step(now, self.faults.shock(market, symbol))

    def step(self, watched: set[tuple[Market, str]]) -> None:
        """Let the market move in every book that somebody watches, asked about lately or has an order in.

        `RuntimeError` after a change that failed half way: the exchange must be started again from its file.
        """
        if self._store.broken:
            raise RuntimeError("a change failed half way; only the file knows what is true")
        for action in self._before_step:
            action()
        now = self.clock.now()
        for key, at in list(self._asked.items()):
            if now - at > IDLE_AFTER:
                del self._asked[key]
        needed = watched | self._asked.keys()
        for market, venue in self.venues.items():
            needed |= {(market, symbol) for symbol in venue.symbols_with_orders()}
        for (market, symbol), liquidity in self._liquidity.items():
            if (market, symbol) in needed:
                liquidity.step(now, self.faults.shock(market, symbol))
            elif liquidity.fresh(now):
                liquidity.pause()
        self.perpetual.keep_margins(now)
        if not 0 <= now - self._tidied < TIDY_PERIOD:
            self._tidied = now
            self._store.forget_unfilled(int((now - UNFILLED_KEPT) * 1000), ORDERS_FORGOTTEN_AT_ONCE)

    def _mark_price(self, symbol: str, at: float) -> float:
        shock = self.faults.shock(Market.PERPETUAL, symbol)
        return self.reference(Market.PERPETUAL, symbol, at) * shock

    def _publish(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
