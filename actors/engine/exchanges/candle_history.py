"""Past candles as an exchange has them, whatever their interval.

Hummingbot takes every candle to begin at a multiple of its length since 1970, and months to have 30 days. Weeks begin
on Mondays and months on their first day, so that it leaves out the current one, starts a feed of months over again
and again, and asks without a pause for candles from before a pair was listed. Here the exchange says where candles begin.
"""

# ruff: noqa: SLF001 - hummingbot's feeds have no public way to be filled

from typing import Any

import pandas as pd  # type: ignore[import-untyped]
from aviary.actors.engine.exchanges.outcomes import REQUEST_ERRORS
from hummingbot.data_feed.candles_feed.candles_base import CandlesBase
from hummingbot.data_feed.candles_feed.data_types import HistoricalCandlesConfig

FIRST_RETRY, LAST_RETRY = 1.0, 15.0
"""Seconds until past candles that could not be had are asked for again, doubling from the first to the last."""

MANY = 10**6
"""Candles; more than any exchange gives at once."""


def take_candles_as_the_exchange_has_them() -> None:
    """From now on all of hummingbot's candle feeds in this process work as described here."""
    CandlesBase.fill_historical_candles = _fill
    CandlesBase.get_historical_candles = _between
    CandlesBase.ready = property(_is_ready)


async def _between(feed: Any, config: HistoricalCandlesConfig) -> pd.DataFrame:
    """The candles that begin between two times, the current one included."""
    await feed.initialize_exchange_data()
    start, end = int(config.start_time), int(min(config.end_time, feed._time()))
    rows: dict[float, list[float]] = {}
    oldest = end + 1
    while oldest > start:
        last = min(end, oldest)
        limit = _limit(feed, (last - start) // feed.interval_in_seconds, last)
        page = await _older(feed, oldest, last, limit)
        rows |= {row[0]: list(row) for row in page if row[0] >= start}
        # Where nobody trades, some exchanges have no candles: older ones may follow.
        oldest = int(page[0][0]) if len(page) else last - limit * feed.interval_in_seconds
    return pd.DataFrame([rows[at] for at in sorted(rows)], columns=feed.columns)


async def _fill(feed: Any) -> None:
    """Put what came before the stream's first candle in front of it, as many as wanted or as there are."""
    delay = FIRST_RETRY
    while not feed.ready:
        await feed._ws_candle_available.wait()
        first = int(feed._candles[0][0])
        missing = feed._candles.maxlen - len(feed._candles)
        try:
            page = await _older(feed, first, first, _limit(feed, missing, first))
            if not len(page):
                page = await _older(feed, first, first, _limit(feed, MANY, first))
        except REQUEST_ERRORS as error:
            feed.logger().warning(f"Past candles could not be had, asking again in {delay:g} s: {error}")
            await feed._sleep(delay)
            delay = min(delay * 2, LAST_RETRY)
            continue
        delay = FIRST_RETRY
        if not len(page):
            feed._history_begins = first
        feed._candles.extendleft(page[-missing:][::-1])


def _limit(feed: Any, wanted: int, last: int) -> int:
    # Two more: months and what is left out at the ends make a stretch of time hold fewer than its length says. None
    # from before 1970.
    most = min(wanted + 2, feed.candles_max_result_per_rest_request, last // feed.interval_in_seconds)
    return int(max(1, most))


async def _older(feed: Any, than: int, last: int, limit: int) -> Any:
    """Candles that began before a time, oldest first: what the exchange has of so many up to `last`."""
    page = await feed.fetch_candles(end_time=last, limit=limit)
    return page[page[:, 0] < than] if len(page) else page


def _is_ready(feed: Any) -> bool:
    candles = feed._candles
    if len(candles) == candles.maxlen:
        return True
    return bool(candles) and int(candles[0][0]) == getattr(feed, "_history_begins", None)
