"""Long histories are cut into pages that leave nothing out, and put together again."""

from itertools import pairwise

import pytest
from aviary.actors.core.refusal import Invalid
from aviary.actors.markets.candles import MAX_CANDLES, PAGE, candle_of, joined, length_of, pages
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 10**6), st.integers(0, MAX_CANDLES), st.sampled_from([1, 60, 3600]))
def test_every_candle_is_on_exactly_one_page(start: int, count: int, length: int) -> None:
    end = start + count * length
    found = list(pages(start, end, length))

    assert found[0][0] == start
    assert found[-1][1] == end
    assert all(later[0] == earlier[1] + length for earlier, later in pairwise(found))
    assert all((last - first) / length < PAGE for first, last in found)


def test_a_history_that_is_too_long_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(Invalid) as caught:
        next(pages(0, 60 * (MAX_CANDLES + 1), 60))

    assert caught.value.field == "start_time"


def test_a_history_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        next(pages(100, 99, 60))

    assert caught.value.field == "end_time"


@pytest.mark.parametrize(("interval", "seconds"), [("1s", 1), ("5m", 300), ("4h", 14_400), ("1d", 86_400)])
def test_an_interval_has_its_length(interval: str, seconds: int) -> None:
    assert length_of(interval) == seconds


def test_candles_are_joined_in_order_and_the_newest_word_on_each_counts() -> None:
    rows = [[120.0, *[2.0] * 9], [60.0, *[1.0] * 9], [120.0, *[3.0] * 9]]

    candles = joined(candle_of(row) for row in rows)

    assert [(candle["timestamp"], candle["open"]) for candle in candles] == [(60.0, 1.0), (120.0, 3.0)]
