"""The arithmetic of order books, against one unit of amount taken after another."""

from decimal import Decimal

import orjson
import pytest
from aviary.actors.markets.book_queries import answer_to
from aviary.actors.markets.order_book import Levels, levels_of, take_quote, take_to_price, take_volume
from aviary.actors.messages.market_data import (
    BookQuestion,
    GetPriceForQuoteVolume,
    GetPriceForVolume,
    GetQuoteVolumeForPrice,
    GetVolumeForPrice,
    GetVwapForVolume,
)
from hypothesis import assume, given
from hypothesis import strategies as st

UNIT = Decimal("0.001")
PAIR = {"connector_name": "binance", "trading_pair": "BTC-USDT"}

units = st.integers(min_value=1, max_value=12)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Levels, bool]:
    """One side of a book, its amounts whole units, and whether it is bought from."""
    is_buy = draw(st.booleans())
    prices = draw(st.lists(st.integers(1, 60), unique=True, max_size=7))
    amounts = draw(st.lists(units, min_size=len(prices), max_size=len(prices)))
    ordered = sorted(prices, reverse=not is_buy)
    levels = tuple((Decimal(price), count * UNIT) for price, count in zip(ordered, amounts, strict=True))
    return levels, is_buy


def one_by_one(levels: Levels) -> list[Decimal]:
    """The price of every unit in the book, best first."""
    return [price for price, amount in levels for _ in range(int(amount / UNIT))]


@given(sides(), st.integers(1, 60))
def test_taking_a_volume_is_taking_its_units_one_by_one(side: tuple[Levels, bool], wanted: int) -> None:
    levels, _ = side
    prices = one_by_one(levels)[:wanted]

    take = take_volume(levels, wanted * UNIT)

    assert take.volume == len(prices) * UNIT
    assert take.quote == sum(prices) * UNIT
    assert take.worst == (prices[-1] if prices else None)
    assert take.enough == (len(prices) == wanted)
    if prices:
        assert take.average == pytest.approx(sum(prices) / len(prices))


@given(sides(), st.integers(1, 60))
def test_taking_to_a_price_is_taking_every_unit_that_is_as_good(side: tuple[Levels, bool], limit: int) -> None:
    levels, is_buy = side
    prices = [price for price in one_by_one(levels) if (price <= limit if is_buy else price >= limit)]

    take = take_to_price(levels, Decimal(limit), is_buy=is_buy)

    assert take.volume == len(prices) * UNIT
    assert take.quote == sum(prices) * UNIT
    assert take.worst == (prices[-1] if prices else None)


@given(sides(), st.integers(1, 80))
def test_what_a_volume_costs_buys_that_volume(side: tuple[Levels, bool], wanted: int) -> None:
    levels, _ = side
    by_volume = take_volume(levels, wanted * UNIT)
    assume(by_volume.volume)

    by_quote = take_quote(levels, by_volume.quote)

    assert by_quote.enough
    assert float(by_quote.volume) == pytest.approx(float(by_volume.volume))
    assert by_quote.quote == by_volume.quote
    assert by_quote.worst == by_volume.worst


@given(sides(), st.decimals("0.01", "10", places=2))
def test_an_amount_of_quote_is_never_exceeded_and_met_if_the_book_has_it(
    side: tuple[Levels, bool], quote: Decimal
) -> None:
    levels, _ = side
    everything = sum((price * amount for price, amount in levels), Decimal(0))

    take = take_quote(levels, quote)

    assert take.quote == min(quote, everything)
    assert take.enough == (everything >= quote)


@given(sides(), units)
def test_more_is_never_cheaper(side: tuple[Levels, bool], count: int) -> None:
    levels, is_buy = side
    less, more = take_volume(levels, count * UNIT), take_volume(levels, (count + 3) * UNIT)
    assume(levels)

    assert less.average is not None
    assert more.average is not None
    assert more.average >= less.average if is_buy else more.average <= less.average


def test_levels_keep_the_digits_they_were_sent_with() -> None:
    rows = orjson.loads(b"[[51196.1,0.1],[51196.2,0.2]]")

    take = take_volume(levels_of(rows), Decimal("0.3"))

    assert take.enough
    assert take.quote == Decimal("15358.85")


BOOK = {"asks": [[101.0, 1.0], [102.0, 2.0]], "bids": [[100.0, 3.0], [99.0, 4.0]]}


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (GetPriceForVolume(**PAIR, is_buy=True, volume=2), (102.0, 2.0, 203.0, 101.5)),
        (GetPriceForVolume(**PAIR, is_buy=False, volume=4), (99.0, 4.0, 399.0, 99.75)),
        (GetVwapForVolume(**PAIR, is_buy=True, volume=3), (102.0, 3.0, 305.0, 305 / 3)),
        (GetPriceForQuoteVolume(**PAIR, is_buy=True, quote_volume=203), (102.0, 2.0, 203.0, 101.5)),
        (GetVolumeForPrice(**PAIR, is_buy=True, price=101.5), (101.0, 1.0, 101.0, 101.0)),
        (GetQuoteVolumeForPrice(**PAIR, is_buy=False, price=99.5), (100.0, 3.0, 300.0, 100.0)),
        (GetPriceForVolume(**PAIR, is_buy=True, volume=50), (None, 3.0, 305.0, None)),
        (GetVolumeForPrice(**PAIR, is_buy=True, price=5), (None, 0.0, 0.0, None)),
    ],
)
def test_every_question_is_answered(question: BookQuestion, expected: tuple[float | None, ...]) -> None:
    answer = answer_to(question, BOOK, whole=True)

    assert answer is not None
    names = ("result_price", "result_volume", "result_quote_volume", "average_price")
    assert tuple(answer[name] for name in names) == pytest.approx(expected)


@pytest.mark.parametrize(
    "question",
    [
        GetPriceForVolume(**PAIR, is_buy=True, volume=50),
        GetPriceForQuoteVolume(**PAIR, is_buy=True, quote_volume=1e6),
        GetVolumeForPrice(**PAIR, is_buy=True, price=102),
        GetQuoteVolumeForPrice(**PAIR, is_buy=False, price=50),
    ],
)
def test_a_question_that_may_need_deeper_levels_is_not_answered_from_the_near_ones(question: BookQuestion) -> None:
    assert answer_to(question, BOOK, whole=False) is None
