"""Reference prices and candles."""

import itertools
import json
import subprocess
import sys

import pytest
from aviary.config.clock import FakeClock
from aviary.sandbox.candles import INTERVALS, Candles, candle_end, candle_start
from aviary.sandbox.exchange import reference_paths
from aviary.sandbox.instruments import INSTRUMENTS, Instrument, Market
from aviary.sandbox.reference import excursion, level_at
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = FakeClock.EPOCH

SYMBOLS = [(market, instrument) for market in Market for instrument in INSTRUMENTS[market].values()]


def candles_of(market: Market, instrument: Instrument, seed: int = 1) -> Candles:
    return Candles(instrument, reference_paths(seed, 1.0)[market][instrument.symbol])


@pytest.mark.parametrize(("market", "instrument"), SYMBOLS, ids=str)
def test_candles_of_all_intervals_are_made_of_the_same_path(market: Market, instrument: Instrument) -> None:
    candles = candles_of(market, instrument)
    hour = candle_start("1h", NOW - 7200)

    whole = candles.at("1h", hour, NOW)
    parts = [candles.at("5m", hour + 300 * i, NOW) for i in range(12)]
    minutes = [candles.at("1m", hour + 60 * i, NOW) for i in range(60)]
    seconds = [candles.at("1s", hour + i, NOW) for i in range(3600)]

    for series in (parts, minutes, seconds):
        assert (series[0].open, series[-1].close) == (whole.open, whole.close)
        assert max(each.high for each in series) == whole.high
        assert min(each.low for each in series) == whole.low
        assert sum(each.trades for each in series) == whole.trades
        assert all(a.close == b.open for a, b in itertools.pairwise(series))


def test_another_process_sees_the_same_candles() -> None:
    program = (
        "import json\n"
        "from aviary.sandbox.exchange import reference_paths\n"
        "from aviary.sandbox.candles import Candles\n"
        "from aviary.sandbox.instruments import INSTRUMENTS, Market\n"
        "rows = []\n"
        "for market in Market:\n"
        "    for symbol, instrument in INSTRUMENTS[market].items():\n"
        "        candles = Candles(instrument, reference_paths(5, 1.0)[market][symbol])\n"
        f"        rows += [[c.open, c.high, c.low, c.close, c.volume] for c in candles.latest('1m', {NOW}, {NOW}, 20)]\n"
        "print(json.dumps(rows))\n"
    )
    elsewhere = json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)

    here = [
        [c.open, c.high, c.low, c.close, c.volume]
        for market, instrument in SYMBOLS
        for c in candles_of(market, instrument, seed=5).latest("1m", NOW, NOW, 20)
    ]

    assert here == elsewhere


def test_another_seed_is_another_market() -> None:
    btc = INSTRUMENTS[Market.SPOT]["BTCUSDT"]
    first = candles_of(Market.SPOT, btc, seed=1).latest("1d", NOW, NOW, 5)
    second = candles_of(Market.SPOT, btc, seed=2).latest("1d", NOW, NOW, 5)
    assert first != second


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_follow_each_other_without_gaps_and_are_sound(interval: str) -> None:
    candles = candles_of(Market.SPOT, INSTRUMENTS[Market.SPOT]["ETHUSDT"])
    found = candles.latest(interval, NOW, NOW, 12)
    assert len(found) == 12
    for candle in found:
        assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
        assert candle.end == candle_end(interval, candle.start)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_a_candle_that_grows_ends_as_the_one_that_is_asked_for_later() -> None:
    candles = candles_of(Market.SPOT, INSTRUMENTS[Market.SPOT]["BTCUSDT"])
    start = candle_start("1m", NOW)
    growing = [candles.at("1m", start, start + 0.25 * i) for i in range(240)]
    final = candles.at("1m", start, start + 60)
    assert {each.open for each in growing} == {final.open}
    assert all(a.high <= b.high and a.low >= b.low for a, b in itertools.pairwise(growing))
    assert growing[-1].high <= final.high
    assert growing[-1].low >= final.low


@settings(max_examples=50)
@given(st.floats(min_value=0, max_value=10_000_000), st.floats(min_value=0.01, max_value=120))
def test_an_excursion_covers_every_level_in_its_time(offset: float, length: float) -> None:
    path = reference_paths(3, 1.0)[Market.SPOT]["BTCUSDT"]
    start = NOW - offset
    moved = excursion(path, start, start + length)
    for i in range(11):
        assert moved.low <= level_at(path, start + length * i / 10) <= moved.high


def test_the_cross_pair_follows_its_legs() -> None:
    paths = reference_paths(1, 1.0)[Market.SPOT]
    for hours in range(0, 2_400, 13):
        at = NOW - hours * 3600 - NOW % 1
        distance = level_at(paths["ETHUSDT"], at) - level_at(paths["BTCUSDT"], at) - level_at(paths["ETHBTC"], at)
        assert abs(distance) < 0.01
