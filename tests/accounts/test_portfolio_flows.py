"""What came in and went out is told from what was made and lost, and where it can't be it is said."""

from decimal import Decimal

import pytest
from aviary.actors.accounts.portfolio_flows import Look, first_snapshot, gone_snapshot, next_snapshot
from aviary.persistence.fills import Fill
from aviary.persistence.portfolio import Held, Snapshot

PRICES = {"USDT": "1", "BTC": "50000", "BNB": "500"}


def look(at: int, *, connector: str = "sandbox", quote: str = "USDT", prices: object = None, **units: str) -> Look:
    known = PRICES | (prices if isinstance(prices, dict) else {})
    held = tuple(
        Held(
            token=token,
            units=Decimal(amount),
            available=Decimal(amount),
            price=None if known.get(token) is None else Decimal(str(known[token])),
        )
        for token, amount in units.items()
    )
    return Look(at=at, account="desk", connector=connector, quote=quote, holdings=held)


def bought(amount: str, price: str = "50000", fee: str = "0", token: str = "USDT", side: str = "BUY") -> Fill:
    return Fill.model_validate(
        {
            "trade_id": "1",
            "client_order_id": "x",
            "account": "desk",
            "connector": "sandbox",
            "trading_pair": "BTC-USDT",
            "side": side,
            "amount": amount,
            "price": price,
            "fee_paid": fee,
            "fee_currency": token,
            "timestamp": 5.0,
        }
    )


def told(snapshot: Snapshot) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    return snapshot.value, snapshot.profit, snapshot.flow, snapshot.untold


BEFORE = first_snapshot(look(0, USDT="10000", BTC="1"))


def test_at_first_all_that_is_there_came_in() -> None:
    assert told(BEFORE) == (60_000, 0, 60_000, 0)


@pytest.mark.parametrize(
    ("held", "prices", "fills", "profit", "flow", "untold"),
    [
        # Nothing happened; the price rose; it fell.
        ({"USDT": "10000", "BTC": "1"}, {}, (), 0, 0, 0),
        ({"USDT": "10000", "BTC": "1"}, {"BTC": "51000"}, (), 1000, 0, 0),
        ({"USDT": "10000", "BTC": "1"}, {"BTC": "40000"}, (), -10_000, 0, 0),
        # A deposit, a withdrawal, one that empties the account, and one with a rising price.
        ({"USDT": "15000", "BTC": "1"}, {}, (), 0, 5_000, 0),
        ({"USDT": "10000", "BTC": "0.5"}, {}, (), 0, -25_000, 0),
        ({}, {}, (), 0, -60_000, 0),
        ({"USDT": "10000", "BTC": "2"}, {"BTC": "51000"}, (), 1_000, 51_000, 0),
        # A token that was not there before.
        ({"USDT": "10000", "BTC": "1", "BNB": "2"}, {}, (), 0, 1_000, 0),
        # Our own trade, its fee, and a fee that nobody told of.
        ({"USDT": "4995", "BTC": "1.1"}, {}, (bought("0.1", fee="5"),), -5, 0, 0),
        ({"USDT": "4995", "BTC": "1.1"}, {}, (bought("0.1"),), -5, 0, 0),
        ({"USDT": "15000", "BTC": "0.9"}, {}, (bought("0.1", side="SELL"),), 0, 0, 0),
        # Our own trade and a deposit; our own trade and a withdrawal.
        ({"USDT": "6000", "BTC": "1.1"}, {}, (bought("0.1"),), 0, 1_000, 0),
        ({"USDT": "4000", "BTC": "1.1"}, {}, (bought("0.1"),), 0, -1_000, 0),
        # Somebody else's trade with the same keys, at about the market's price.
        ({"USDT": "4995", "BTC": "1.1"}, {}, (), -5, 0, 0),
        ({"USDT": "15040", "BTC": "0.9"}, {}, (), 40, 0, 0),
        # Somebody else's trade and a deposit, or a trade with a great profit: who can tell?
        ({"USDT": "5500", "BTC": "1.1"}, {}, (), 0, 500, 500),
        ({"USDT": "4000", "BTC": "1.1"}, {}, (), 0, -1_000, 1_000),
    ],
)
def test_what_the_trades_do_not_explain_came_in_or_went_out(
    held: dict[str, str],
    prices: dict[str, str],
    fills: tuple[Fill, ...],
    profit: int,
    flow: int,
    untold: int,
) -> None:
    after = next_snapshot(BEFORE, look(300, prices=prices, **held), fills)

    assert (after.profit, after.flow - BEFORE.flow, after.untold) == (profit, flow, untold)
    assert after.value == after.flow + after.profit


def test_what_is_held_and_gets_a_price_or_loses_it_is_no_profit() -> None:
    without = first_snapshot(look(0, USDT="100", NOSUCH="7"))
    priced = next_snapshot(without, look(1, prices={"NOSUCH": "3"}, USDT="100", NOSUCH="7"), ())
    risen = next_snapshot(priced, look(2, prices={"NOSUCH": "4"}, USDT="100", NOSUCH="7"), ())
    lost = next_snapshot(risen, look(3, USDT="100", NOSUCH="7"), ())

    assert [told(one) for one in (without, priced, risen, lost)] == [
        (100, 0, 100, 0),
        (121, 0, 121, 0),
        (128, 7, 121, 0),
        (100, 7, 93, 0),
    ]


def test_what_is_traded_before_the_balance_tells_of_it_is_neither_deposit_nor_withdrawal() -> None:
    early = next_snapshot(BEFORE, look(300, USDT="10000", BTC="1"), (bought("0.1", fee="5"),))
    late = next_snapshot(early, look(600, USDT="4995", BTC="1.1"), ())

    assert told(early) == (60_000, 0, 60_000, 0)
    assert told(late) == (59_995, -5, 60_000, 0)


def test_on_a_perpetual_connector_all_change_counts_as_profit() -> None:
    before = first_snapshot(look(0, connector="x_perpetual", USDT="1000"))
    after = next_snapshot(before, look(1, connector="x_perpetual", USDT="1300"), ())

    assert told(after) == (1_300, 300, 1_000, 0)


def test_a_credential_that_is_removed_and_comes_back_makes_no_profit_of_it() -> None:
    gone = gone_snapshot(BEFORE, 300)
    back = next_snapshot(gone, look(600, USDT="10000", BTC="1"), ())

    assert (gone.state, *told(gone)) == ("gone", 0, 0, 0, 0)
    assert (back.state, *told(back)) == ("known", 60_000, 0, 60_000, 0)


def test_another_quote_begins_anew() -> None:
    euros = next_snapshot(BEFORE, look(300, quote="EUR", prices={"BTC": "45000"}, BTC="1"), ())

    assert (euros.quote, *told(euros)) == ("EUR", 45_000, 0, 45_000, 0)


def test_a_snapshot_of_old_news_says_so() -> None:
    old = Held(token="BTC", units=Decimal(1), available=Decimal(1), price=Decimal(50_000), stale=True)
    after = next_snapshot(BEFORE, Look(at=1, account="desk", connector="sandbox", quote="USDT", holdings=(old,)), ())

    assert after.state == "stale"
