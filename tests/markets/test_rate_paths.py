"""Finding a rate among the prices of a market."""

from decimal import Decimal

import pytest
from aviary.actors.markets.rates import Path, PriceGraph

ONE = Decimal(1)

PRICES = {
    "BTC-USDT": Decimal(50_000),
    "ETH-USDT": Decimal(2_500),
    "ETH-BTC": Decimal("0.05"),
    "SOL-USDC": Decimal(100),
    "USDC-USDT": Decimal("0.5"),
    "XYZ-SOL": Decimal(2),
    "FAR-XYZ": Decimal(3),
    "OTHER-WORLD": Decimal(7),
}


@pytest.mark.parametrize(
    ("base", "quote", "found"),
    [
        ("BTC", "BTC", Path(ONE, "same")),
        ("BTC", "USDT", Path(Decimal(50_000), "direct", ("BTC-USDT",))),
        ("USDT", "BTC", Path(Decimal("0.00002"), "inverse", ("BTC-USDT",))),
        ("ETH", "BTC", Path(Decimal("0.05"), "direct", ("ETH-BTC",))),
        ("SOL", "USDT", Path(Decimal(50), "crossed", ("SOL-USDC", "USDC-USDT"), ("USDC",))),
        ("BTC", "USDC", Path(Decimal(100_000), "crossed", ("BTC-USDT", "USDC-USDT"), ("USDT",))),
        ("XYZ", "USDT", Path(Decimal(100), "crossed", ("XYZ-SOL", "SOL-USDC", "USDC-USDT"), ("SOL", "USDC"))),
        # Four pairs away, in no pair at all, and in pairs that lead nowhere.
        ("FAR", "USDT", None),
        ("NO", "USDT", None),
        ("BTC", "SUCH", None),
        ("OTHER", "USDT", None),
    ],
)
def test_the_shortest_way_is_taken_and_told(base: str, quote: str, found: Path | None) -> None:
    assert PriceGraph(PRICES).find(base, quote, ONE) == found


def test_of_two_equally_short_ways_the_more_traded_token_is_taken_whatever_the_order() -> None:
    prices = {"A-OBSCURE": ONE, "OBSCURE-B": Decimal(9), "A-BTC": ONE, "BTC-B": Decimal(2), "A-USDT": ONE}
    reverse = dict(reversed(prices.items()))

    for some in (prices, reverse):
        path = PriceGraph(some).find("A", "B", ONE)
        assert path is not None
        assert (path.rate, path.through) == (Decimal(2), ("BTC",))


def test_a_pair_quoted_the_right_way_round_counts_before_its_reverse() -> None:
    path = PriceGraph({"A-B": Decimal(3), "B-A": Decimal("0.5")}).find("B", "A", ONE)

    assert path == Path(Decimal("0.5"), "direct", ("B-A",))
