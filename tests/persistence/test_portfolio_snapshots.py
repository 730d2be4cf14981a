"""What is kept of portfolios, on both databases."""

from decimal import Decimal
from typing import Any

from aviary.persistence.fills import Fill
from aviary.persistence.portfolio import DAY, FINE_KEPT, HOUR, HOURLY_KEPT, Chosen, Held, Snapshot
from aviary.persistence.repositories import Repositories

EVERY = Chosen()
BEGIN = 1_700_006_400
"""A midnight."""


def a_snapshot(at: int, account: str = "desk", connector: str = "sandbox", **changes: Any) -> Snapshot:
    plain: dict[str, Any] = {
        "at": at,
        "account": account,
        "connector": connector,
        "state": "known",
        "quote": "USDT",
        "value": Decimal("100.5"),
        "profit": Decimal("0.5"),
        "flow": Decimal(100),
        "untold": Decimal(0),
    }
    return Snapshot(**{**plain, **changes})


def moments(records: Repositories, chosen: Chosen = EVERY, **changes: Any) -> tuple[int, ...]:
    plain: dict[str, Any] = {"since": None, "until": None, "before": None, "step": None, "limit": 1_000}
    return records.portfolio.moments(chosen, **{**plain, **changes})


def test_a_snapshot_comes_back_digit_for_digit(records: Repositories) -> None:
    held = (
        Held(token="BTC", units=Decimal("1.000000000000000001"), available=Decimal(1), price=Decimal("50000.01")),
        Held(token="NOSUCH", units=Decimal("1E-30"), available=Decimal(0), price=None, stale=True),
    )
    kept = a_snapshot(BEGIN, holdings=held, state="stale")

    records.portfolio.add((kept,))

    (sheet,) = records.portfolio.at(EVERY, (BEGIN,))
    assert (sheet.at, sheet.account, sheet.connector, sheet.quote) == (BEGIN, "desk", "sandbox", "USDT")
    assert tuple(Held.model_validate(row) for row in sheet.holdings) == held
    assert records.portfolio.latest() == (kept,)


def test_the_latest_of_each_credential_up_to_a_moment(records: Repositories) -> None:
    records.portfolio.add(tuple(a_snapshot(BEGIN + n, connector=name) for n in range(3) for name in ("a", "b")))
    records.portfolio.add((a_snapshot(BEGIN + 9, connector="b", state="gone"),))

    def found(*question: Any) -> list[tuple[str, int]]:
        return [(one.connector, one.at - BEGIN) for one in records.portfolio.latest(*question)]

    assert found() == [("a", 2), ("b", 9)]
    assert found(EVERY, BEGIN + 1) == [("a", 1), ("b", 1)]
    assert found(Chosen(connectors=("b",))) == [("b", 9)]
    assert found(Chosen(accounts=("nosuch",))) == []


def test_moments_are_walked_page_by_page_and_each_stretch_is_met_once(records: Repositories) -> None:
    times = [BEGIN + 300 * n for n in range(40)]
    records.portfolio.add(tuple(a_snapshot(at) for at in times))

    for step in (None, 900, 3_600):
        seen: list[int] = []
        before = None
        while page := moments(records, before=before, step=step, limit=4):
            seen += page
            before = page[-1]
        last_of = {at if step is None else at // step: at for at in times}
        assert seen == sorted(last_of.values(), reverse=True)


def test_moments_are_chosen_by_time_and_credential_and_what_is_gone_is_none(records: Repositories) -> None:
    records.portfolio.add((a_snapshot(BEGIN), a_snapshot(BEGIN + 10, "other"), a_snapshot(BEGIN + 20, state="gone")))

    assert moments(records) == (BEGIN + 10, BEGIN)
    assert moments(records, Chosen(accounts=("other",))) == (BEGIN + 10,)
    assert moments(records, Chosen(connectors=("nosuch",))) == ()
    assert moments(records, since=BEGIN + 1) == (BEGIN + 10,)
    assert moments(records, until=BEGIN + 9) == (BEGIN,)
    assert records.portfolio.at(EVERY, (BEGIN + 20,)) == ()


def test_points_are_the_last_of_each_stretch_and_the_one_before_all(records: Repositories) -> None:
    records.portfolio.add(tuple(a_snapshot(BEGIN + 300 * n) for n in range(12)))
    records.portfolio.add((a_snapshot(BEGIN + 350, "other"), a_snapshot(BEGIN + 900, quote="EUR")))

    points = records.portfolio.points(EVERY, quote="USDT", since=BEGIN + 700, until=BEGIN + 2_000, step=900)

    found = [(point.account, (point.at - BEGIN) // 10) for point in points]
    assert found == [("other", 35), ("desk", 60), ("desk", 150), ("desk", 180)]
    assert records.portfolio.span(EVERY, "USDT") == (BEGIN, BEGIN + 3_300)
    assert records.portfolio.span(EVERY, "CHF") is None


def test_snapshots_are_thinned_out_to_one_an_hour_then_one_a_day_and_the_young_stay(records: Repositories) -> None:
    now = BEGIN + HOURLY_KEPT + 30 * DAY
    times = range(BEGIN, now, 6_000)
    for some in (times[n : n + 200] for n in range(0, len(times), 200)):
        records.portfolio.add(tuple(a_snapshot(at, connector=name) for at in some for name in ("a", "b")))

    records.portfolio.thin(now)
    assert records.portfolio.thin(now) == 0

    left = sorted(moments(records, limit=100_000))
    young = [at for at in times if at >= (now - FINE_KEPT) // HOUR * HOUR]
    hourly = {at // HOUR: at for at in times if (now - HOURLY_KEPT) // DAY * DAY <= at < young[0]}
    daily = {at // DAY: at for at in times if at < (now - HOURLY_KEPT) // DAY * DAY}
    assert left == sorted([*daily.values(), *hourly.values(), *young])
    assert len(records.portfolio.at(EVERY, (left[0],))) == 2


def test_thinning_again_and_again_leaves_what_thinning_once_does(records: Repositories) -> None:
    for day in range(12):
        records.portfolio.add(tuple(a_snapshot(BEGIN + day * DAY + 700 * n) for n in range(123)))
        records.portfolio.thin(BEGIN + (day + 1) * DAY)
    step_by_step = moments(records, limit=100_000)

    times = [BEGIN + day * DAY + 700 * n for day in range(12) for n in range(123)]
    edge = BEGIN + 12 * DAY - FINE_KEPT
    hourly = {at // HOUR: at for at in times if at < edge}
    assert sorted(step_by_step) == sorted([*hourly.values(), *(at for at in times if at >= edge)])


def test_fills_of_a_stretch_and_their_fees(records: Repositories) -> None:
    for number, (account, moment, token) in enumerate(
        [("desk", 5.0, "USDT"), ("desk", 6.0, "USDT"), ("desk", 6.5, "BNB"), ("other", 6.0, None), ("desk", 9.0, "BNB")]
    ):
        fill = Fill(
            trade_id=str(number),
            client_order_id="x",
            account=account,
            connector="sandbox",
            trading_pair="BTC-USDT",
            side="BUY",
            amount=Decimal(1),
            price=Decimal(2),
            fee_paid=Decimal("0.25"),
            fee_currency=token,
            timestamp=moment,
        )
        records.fills.record(fill, at=moment)

    assert [fill.trade_id for fill in records.portfolio.fills("desk", "sandbox", 5.0, 8.0)] == ["1", "2"]
    assert records.portfolio.fees(EVERY, 4.0, 8.0) == {("desk", "sandbox"): {"USDT": 0.5, "BNB": 0.25}}
    assert records.portfolio.fees(Chosen(accounts=("other",)), 4.0, 8.0) == {}


def test_settings_are_kept_and_replaced(records: Repositories) -> None:
    assert records.settings.get("a") is None
    records.settings.put("a", {"b": [1]}, at=1.0)
    records.settings.put("a", {"b": "€"}, at=2.0)
    records.settings.put("c", None, at=2.0)

    assert records.settings.get("a") == {"b": "€"}
