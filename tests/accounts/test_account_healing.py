"""What goes wrong around orders: lost answers, dead and hung hosts, fills behind the back, dead servers."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from account_world import Exchange, World
from aviary.actors.core.refusal import NoAnswer, Unavailable
from aviary.actors.messages.accounts import GetAccountBalances
from aviary.actors.messages.portfolio import GetPortfolioState
from aviary.actors.messages.trading import ClosePosition, ListPositions

pytestmark = pytest.mark.whole

HEALED_WITHIN = 15.0
"""Seconds from the death of a host to a connector that takes orders again, every order accounted for.

Where cores are free it is about one; the rest is for machines where none is.
"""


def test_an_order_whose_answer_was_lost_is_unresolved_until_a_question_settles_it(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    exchange.faults("place_answer_lost", 60, market="spot", key=key, count=1)

    placed = world.place(account)

    assert placed.state == "unresolved"
    order = world.until_order(account, placed.order_id, "open")
    assert order.exchange_order_id is not None
    assert exchange.order_ids(key) == {placed.order_id}


def test_an_order_that_never_arrived_is_found_out_and_not_sent_again(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    exchange.faults("http_5xx", 60, market="spot", key=key, count=1)

    placed = world.place(account)

    assert placed.state == "unresolved"
    assert world.until_order(account, placed.order_id, "failed").error == "it never reached the exchange"
    assert exchange.orders(key) == []


def test_a_cancel_whose_answer_was_lost_is_pending_until_the_exchange_says_so(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    placed = world.place(account)
    exchange.faults("cancel_answer_lost", 60, market="spot", key=key, count=1)

    cancelled = world.cancel(account, placed.order_id)

    assert cancelled.state in {"pending_cancel", "cancelled"}
    world.until_order(account, placed.order_id, "cancelled")
    assert exchange.order_ids(key) == set()


def test_fills_and_cancels_behind_the_user_stream_s_back_are_noticed(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    filled, gone = world.place(account), world.place(account)

    exchange.faults("hidden_fill", key=key, market="spot", client_order_id=filled.order_id, fraction=1)
    exchange.faults("hidden_cancel", key=key, market="spot", client_order_id=gone.order_id)

    order = world.until_order(account, filled.order_id, "filled")
    assert order.filled_amount == Decimal("0.01")
    world.until_order(account, gone.order_id, "cancelled")


def test_a_fill_behind_the_user_stream_s_back_is_counted_although_the_rest_is_cancelled(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    placed = world.place(account)

    exchange.faults("hidden_fill", key=key, market="spot", client_order_id=placed.order_id, fraction=0.5)
    world.cancel(account, placed.order_id)

    order = world.until_order(account, placed.order_id, "cancelled")
    assert order.filled_amount == Decimal("0.005")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hung_host_is_healed_with_every_order_accounted_for(
    world: World, exchange: Exchange, account: str, number: signal.Signals
) -> None:
    key, other_key = exchange.key(), exchange.key()
    address = world.connect(account, key)
    world.connect(f"{account}-other", other_key)
    other_host = world.host_pid(f"{account}-other")
    kept, filled, gone = world.place(account), world.place(account), world.place(account)
    phases = Phases(world, address)

    at = world.system.clock.monotonic()
    old = world.signal_host(account, number)
    exchange.faults("hidden_fill", key=key, market="spot", client_order_id=filled.order_id, fraction=1)
    exchange.faults("hidden_cancel", key=key, market="spot", client_order_id=gone.order_id)
    other = world.place(f"{account}-other")
    phases.wait_for("ready")
    seconds = world.system.clock.monotonic() - at

    assert world.host_pid(account) != old
    assert {
        name: world.order(account, name).state for name in (kept.order_id, filled.order_id, gone.order_id)
    } == {
        kept.order_id: "open",
        filled.order_id: "filled",
        gone.order_id: "cancelled",
    }
    assert other.state == "open"
    assert world.host_pid(f"{account}-other") == other_host
    assert world.cancel(account, kept.order_id).state == "cancelled"
    assert seconds < HEALED_WITHIN


def test_orders_under_way_when_the_host_is_killed_are_each_on_the_exchange_at_most_once_and_known(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    address = world.connect(account, key)
    exchange.faults("latency", 60, market="spot", key=key, ms=300)
    under_way = threading.Event()
    end = world.system.bus.subscribe(f"{address}/orders", lambda _t, _e: under_way.set())

    def place(number: int) -> Any:
        try:
            return world.place(account, price=str(20000 + number))
        except Unavailable as refusal:
            return refusal

    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(place, number) for number in range(12)]
        under_way.wait(10)
        phases = Phases(world, address)
        world.signal_host(account)
        placed = [answer.result() for answer in answers]
    end()
    phases.wait_for("ready")
    exchange.clear_faults()

    ours = world.transact(lambda r: r.orders.live(account, "sandbox"))
    for order in ours:
        world.until_order(account, order.client_order_id, "open", "failed")
    resting = [order["client_order_id"] for order in exchange.orders(key, open_only=True)]
    known = {order.client_order_id for order in world.transact(lambda r: r.orders.live(account, "sandbox"))}
    assert sorted(resting) == sorted(known)
    answered = {answer.order_id for answer in placed if not isinstance(answer, Unavailable)}
    assert all(world.order(account, name).state in {"open", "failed"} for name in answered)
    in_doubt = [answer.known for answer in placed if isinstance(answer, NoAnswer)]
    assert all(known["order_id"] and known["state"] == "unresolved" for known in in_doubt)


def test_an_exchange_that_is_down_is_said_to_be_and_comes_back_by_itself(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    address = world.connect(account, key)
    placed = world.place(account)
    phases = Phases(world, address)
    exchange.faults("down", 60, market="spot")

    phases.wait_for("interrupted")
    with pytest.raises(Unavailable, match="takes no orders now"):
        world.place(account)
    exchange.faults("hidden_cancel", key=key, market="spot", client_order_id=placed.order_id)
    exchange.clear_faults()
    phases.wait_for("ready", after="interrupted")

    assert world.order(account, placed.order_id).state == "cancelled"
    assert world.place(account).state == "open"


def test_what_lies_on_an_exchange_that_is_down_keeps_its_value_and_is_called_stale(
    world: World, exchange: Exchange, account: str
) -> None:
    address = world.connect(account, exchange.key())
    phases = Phases(world, address)
    wanted = GetPortfolioState(account_names=(account,), refresh=True)
    before = {holding.token: holding for holding in world.ask("portfolio", wanted)[account]["sandbox"]}
    exchange.faults("down", 60, market="spot")
    phases.wait_for("interrupted")

    meanwhile = {holding.token: holding for holding in world.ask("portfolio", wanted)[account]["sandbox"]}
    balances = world.ask("account-registry", GetAccountBalances(account_name=account))
    exchange.clear_faults()
    phases.wait_for("ready", after="interrupted")
    after = world.ask("portfolio", wanted)[account]["sandbox"]

    assert not any(holding.stale for holding in before.values())
    assert all(holding.stale for holding in meanwhile.values())
    assert {token: holding.units for token, holding in meanwhile.items()} == {
        token: holding.units for token, holding in before.items()
    }
    assert all(holding.value > 0 for holding in meanwhile.values())
    assert all(balance.stale for balance in balances["sandbox"].values())
    assert not any(holding.stale for holding in after)


def test_what_was_known_last_is_told_for_the_whole_of_an_outage_by_whoever_lives_then(
    world: World, exchange: Exchange, account: str
) -> None:
    """Host and connector die while the exchange is down: what they had heard outlasts them."""
    key = exchange.key()
    address = world.connect(account, key, "sandbox_perpetual")
    order = {"price": None, "order_type": "MARKET", "connector_name": "sandbox_perpetual"}
    world.place(account, amount="0.02", **order)
    wanted = ListPositions(account_names=(account,))
    held = world.ask("trading", wanted).data
    units = world.ask("portfolio", GetPortfolioState(account_names=(account,), refresh=True))
    world.until(lambda: kept(world, account) == Decimal("0.02"))
    phases = Phases(world, address)
    exchange.faults("down", 60)
    world.signal_host(account)
    phases.wait_for("opening")

    state = world.ask("portfolio", GetPortfolioState(account_names=(account,), refresh=False))
    page = world.ask("trading", wanted)
    with pytest.raises(Unavailable):
        world.ask(
            "trading",
            ClosePosition(account_name=account, connector_name="sandbox_perpetual", trading_pair="BTC-USDT"),
        )
    exchange.clear_faults()

    (before,), (after,) = units[account]["sandbox_perpetual"], state[account]["sandbox_perpetual"]
    assert (before.stale, after.stale, after.units) == (False, True, before.units)
    assert after.age > 0
    assert [(one.side, one.amount, one.stale) for one in page.data] == [("LONG", Decimal("0.02"), True)]
    assert page.data[0].age > 0
    assert not held[0].stale
    assert f"{account}/sandbox_perpetual" in page.unavailable


def kept(world: World, account: str) -> Decimal | None:
    """The amount of the position that was written down last."""
    known = world.transact(lambda r: r.last_known.of(f"holdings/{account}/sandbox_perpetual"))
    return next((Decimal(row["amount"]) for row in known.facts["positions"] or ()), None) if known else None


def test_an_exchange_that_is_killed_and_started_again_finds_its_accounts_back(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    address = world.connect(account, key)
    placed = world.place(account)
    phases = Phases(world, address)

    exchange.kill()
    phases.wait_for("interrupted")
    exchange.start_again()
    phases.wait_for("ready", after="interrupted")

    assert world.order(account, placed.order_id).state == "open"
    assert world.cancel(account, placed.order_id).state == "cancelled"


def test_fills_while_the_user_stream_is_silent_are_noticed(world: World, exchange: Exchange, account: str) -> None:
    key = exchange.key()
    world.connect(account, key)
    exchange.faults("stall_websockets", 20, market="spot")

    placed = world.place(account, price=None, order_type="MARKET")

    assert world.until_order(account, placed.order_id, "filled").filled_amount == Decimal("0.01")


def test_an_order_of_somebody_else_under_the_same_keys_is_seen_and_left_alone(
    world: World, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(f"{account}-other", key)
    strange = world.place(f"{account}-other").order_id

    address = world.connect(account, key)

    assert world.status(address).foreign == (strange,)
    assert exchange.order_ids(key) == {strange}


def test_after_a_kill_of_the_server_no_order_is_unknown_and_none_is_doubled(
    exchange: Exchange, home: Path
) -> None:
    key = exchange.key()
    command = [sys.executable, str(Path(__file__).with_name("doomed_server.py")), str(home), exchange.url, key]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as doomed:
        assert doomed.stdout is not None
        placed = doomed.stdout.readline().split()
        os.kill(doomed.pid, signal.SIGKILL)
    assert len(placed) == 4
    before = exchange.order_ids(key)
    exchange.faults("hidden_fill", key=key, market="spot", client_order_id=placed[0], fraction=1)

    again = World(home, exchange.url)
    again.start()
    try:
        again.wait_until_ready("accounts/desk/sandbox")
        states = {name: again.until_order("desk", name, "filled", "open", "failed").state for name in placed}
        after = exchange.order_ids(key)
    finally:
        again.stop()

    assert states == {placed[0]: "filled", placed[1]: "open", placed[2]: "open", placed[3]: "failed"}
    assert after == before - {placed[0]}
    assert len(exchange.orders(key)) == 3


class Phases:
    """Listens to what a connector says about itself from now on."""

    def __init__(self, world: World, address: str) -> None:
        self._heard: list[str] = []
        self._news = threading.Condition()
        self._end = world.system.bus.subscribe(f"{address}/phase", self._hear)

    def _hear(self, _topic: str, phase: object) -> None:
        with self._news:
            self._heard.append(str(phase))
            self._news.notify_all()

    def wait_for(self, phase: str, after: str | None = None) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self._has(phase, after), 30), self._heard

    def _has(self, phase: str, after: str | None) -> bool:
        heard = (
            self._heard
            if after is None
            else self._heard[self._heard.index(after) :]
            if after in self._heard
            else []
        )
        return phase in heard
