"""Whether a bot that runs could trade: its ticks, its controllers, its data and its executors.

Hummingbot goes on with a controller that raises at every tick, waits for ever for data that never come, and makes
executor after executor that fails; it logs that, and calls it running.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aviary.config.clock import Clock
from hummingbot.connector.exchange_py_base import ExchangePyBase
from hummingbot.strategy_v2.models.executors import CloseType

FAILURES = 3
"""Ticks, or executors, that fail one after another until that is called trouble."""

DATA_PATIENCE = 30.0
"""Seconds that markets and candles may take: some hundred candles come in a few requests."""

MEMORY = 120.0
"""Seconds after which executors that failed say nothing about now."""

BAD_ENDS = frozenset({CloseType.FAILED, CloseType.INSUFFICIENT_BALANCE})


class _Watched:
    """Calls that should work, and how many in a row did not."""

    def __init__(self) -> None:
        self.failures = 0
        self.error = ""

    def worked(self) -> None:
        """The last call did."""
        self.failures = 0

    def failed(self, error: Exception) -> None:
        """The last call did not."""
        self.failures += 1
        self.error = f"{type(error).__name__}: {error}"


class Health:
    """Watches one strategy."""

    def __init__(self, strategy: Any, clock: Clock) -> None:
        self._strategy = strategy
        self._clock = clock
        self._calls: dict[str, _Watched] = {}
        self._unready_since: float | None = None
        self._unlisted: dict[str, list[str]] = {}
        """Pairs that an exchange does not list, by connector; one that has not told its pairs yet is not here."""

    async def look_up_pairs(self) -> None:
        """Find out which pairs the exchanges don't list, as soon as that is known."""
        for name, connector in self._strategy.connectors.items():
            if (
                name not in self._unlisted
                and isinstance(connector, ExchangePyBase)
                and connector.trading_pair_symbol_map_ready()
            ):
                listed = set((await connector.trading_pair_symbol_map()).values())
                self._unlisted[name] = sorted(set(connector.trading_pairs) - listed)

    def watch(self) -> None:
        """Put an ear to everything that is called regularly."""
        strategy = self._strategy
        strategy.tick = self._heard("the strategy", strategy.tick)
        for name, controller in strategy.controllers.items():
            controller.control_task = self._heard_later(f"controller {name}", controller.control_task)

    def ready(self) -> bool:
        """Whether it has what it needs to act."""
        provider = getattr(self._strategy, "market_data_provider", None)
        return bool(self._strategy.ready_to_trade) and (provider is None or bool(provider.ready))

    def waits_for(self) -> str:
        """What is not there yet, in words."""
        waits = [
            self._unready(name, connector)
            for name, connector in self._strategy.connectors.items()
            if not connector.ready
        ]
        provider = getattr(self._strategy, "market_data_provider", None)
        feeds = {} if provider is None else provider.candles_feeds
        waits += [
            f"candles of {feed.name} {getattr(feed, '_trading_pair', '')} {feed.interval}"
            for feed in feeds.values()
            if not feed.ready
        ]
        return ", ".join(waits)

    def trouble(self) -> str:
        """Why it could not trade now, in words; empty if it could."""
        return "; ".join([*self._failing_calls(), *self._missing_data(), *self._failing_executors()])

    def _failing_calls(self) -> Iterable[str]:
        for name, calls in self._calls.items():
            if calls.failures >= FAILURES:
                yield f"{name} fails at every tick: {calls.error}"

    def _missing_data(self) -> Iterable[str]:
        now = self._clock.monotonic()
        if self.ready():
            self._unready_since = None
            return
        if self._unready_since is None:
            self._unready_since = now
        # What is not listed will not come, however long one waits.
        if any(self._unlisted.values()) or now - self._unready_since >= DATA_PATIENCE:
            waits = self.waits_for()
            if waits:
                yield f"waiting for {waits}"

    def _unready(self, name: str, connector: Any) -> str:
        unlisted = self._unlisted.get(name)
        if unlisted:
            return f"{name}, which does not trade {', '.join(unlisted)}"
        missing = [part for part, done in connector.status_dict.items() if not done]
        return f"{name} ({', '.join(missing)})" if missing else name

    def _failing_executors(self) -> Iterable[str]:
        now = self._clock.now()
        for name, controller in self._strategy.controllers.items():
            closed = sorted(
                (one for one in controller.executors_info if one.close_type is not None),
                key=lambda one: one.close_timestamp or 0.0,
            )
            last = closed[-FAILURES:]
            if (
                len(last) == FAILURES
                and all(one.close_type in BAD_ENDS for one in last)
                and now - (last[-1].close_timestamp or 0.0) < MEMORY
            ):
                ends = " and ".join(sorted({one.close_type.name for one in last}))
                yield f"the executors of controller {name} fail: {ends}"

    def _heard(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        calls = self._calls[name] = _Watched()

        def heard(*arguments: Any) -> Any:
            try:
                result = call(*arguments)
            except Exception as error:
                calls.failed(error)
                raise
            calls.worked()
            return result

        return heard

    def _heard_later(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        calls = self._calls[name] = _Watched()

        async def heard(*arguments: Any) -> Any:
            try:
                result = await call(*arguments)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                calls.failed(error)
                raise
            calls.worked()
            return result

        return heard
