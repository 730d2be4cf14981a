"""The perpetual market's accounts under any stream of orders, on a fake clock: no money appears or goes missing."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from aviary.config.clock import FakeClock
from aviary.sandbox.numbers import Numbers
from aviary.sandbox.orders import OrderType, PositionSide, Side, TimeInForce
from aviary.sandbox.perpetual import PerpetualVenue
from aviary.sandbox.refusals import Refused
from aviary.sandbox.store import Store
from aviary.sandbox.venue import NewOrder
from hypothesis import given, settings
from hypothesis import strategies as st

SYMBOL = "BTCUSDT"

KEYS = ("alice", "bob", "hedger")

WALLET = Decimal(3_000)

HOURS = 3_600.0

STEPS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(list(Side)),
        st.sampled_from(["GTC", "IOC", "FOK", "GTX", "MARKET", "REDUCE", "CLOSE", "CANCEL"]),
        st.integers(-8, 8),
        st.integers(1, 300),
        st.sampled_from([-100, -10, 0, 10, 100]),
        st.sampled_from([1.0, 3 * HOURS]),
    ),
    max_size=40,
)


class Rehearsal:
    """A venue whose only traders are the keys, so that every lot one of them buys is sold by another."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.mark = 10_000
        self.venue = self.open()
        for key in KEYS:
            self.venue.wallets.open(key, {"USDT": WALLET})
        self.venue.set_hedged("hedger", hedged=True)

    def open(self) -> PerpetualVenue:
        return PerpetualVenue(
            self.store,
            self.clock,
            Numbers(self.store),
            lambda _event: None,
            mark=lambda _symbol, _at: float(self.mark),
            wake=lambda _symbol: None,
            seed=1,
            funding_interval=28_800,
        )

    def step(self, number: int, key: str, side: Side, kind: str, off: int, amount: int) -> None:
        if kind == "CANCEL":
            self.venue.withdraw(self.venue.open_orders(key)[:1])
            return
        position_side = PositionSide.BOTH
        if key == "hedger":
            opens = PositionSide.LONG if side is Side.BUY else PositionSide.SHORT
            closes = PositionSide.SHORT if side is Side.BUY else PositionSide.LONG
            position_side = closes if kind == "CLOSE" else opens
        request = NewOrder(
            SYMBOL,
            side,
            OrderType.MARKET if kind == "MARKET" else OrderType.LIMIT,
            TimeInForce(kind) if kind in ("IOC", "FOK", "GTX") else TimeInForce.GTC,
            Decimal(amount) / 1_000,
            Decimal(self.mark + off),
            f"n{number}",
            reduce_only=kind == "REDUCE" and key != "hedger",
            position_side=position_side,
        )
        try:
            self.venue.place(key, request)
        except Refused:
            return

    def incomes(self, key: str) -> Decimal:
        rows = self.store.incomes(key, None, None, 0, 2**62, 10_000)
        return sum((row[3] for row in rows), Decimal(0))

    def check(self) -> None:
        venue = self.venue
        assert sum(held.amount for key in KEYS for held in venue.positions(key).values()) == 0
        for key in KEYS:
            assert venue.wallet(key) == WALLET + self.incomes(key)
            for (_, side), held in venue.positions(key).items():
                assert (held.cost > 0) == (held.amount != 0)
                assert side is not PositionSide.LONG or held.amount >= 0
                assert side is not PositionSide.SHORT or held.amount <= 0
            for order in venue.open_orders(key):
                held = venue.position(key, SYMBOL, order.position_side)
                assert order.remaining > 0
                assert order.reserved >= 0
                assert not order.reduce_only or order.remaining <= -held.amount * order.side.sign


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_wallets_are_the_sum_of_their_incomes_and_every_long_lot_has_a_short_one(
    steps: list[tuple[str, Side, str, int, int, int, float]],
) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "test.sqlite")
        rehearsal = Rehearsal(store)
        for number, (key, side, kind, off, amount, move, later) in enumerate(steps):
            rehearsal.mark = max(5_000, rehearsal.mark + move)
            rehearsal.clock.advance(later)
            rehearsal.step(number, key, side, kind, off, amount)
            rehearsal.venue.keep_margins(rehearsal.clock.now())
            rehearsal.check()

        before, after = rehearsal.venue, rehearsal.open()

        for key in KEYS:
            assert after.wallet(key) == before.wallet(key)
            assert {name: held for name, held in after.positions(key).items() if held.amount} == {
                name: held for name, held in before.positions(key).items() if held.amount
            }
            assert [(each.id, each.remaining, each.reserved) for each in after.open_orders(key)] == [
                (each.id, each.remaining, each.reserved) for each in before.open_orders(key)
            ]
        store.close()
