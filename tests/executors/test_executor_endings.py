"""How executors end: closed, held, flattened after a crash, and by the crash of their own actor survived."""

import asyncio
import signal
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from account_world import Exchange
from aviary.actors.core.refusal import NotFound, Unavailable
from aviary.actors.executors.executor import Executor
from aviary.actors.messages.connectors import ReopenConnector
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.executors import (
    REGISTRY,
    ClearPositionHeld,
    GetExecutorsPerformance,
    GetExecutorsSummary,
    GetPositionHeld,
    LookAfterExecutor,
)
from aviary.persistence.executors import Executors
from executor_configs import Config, entered, order, position
from executor_world import Books, ExecutorWorld

pytestmark = [pytest.mark.whole, pytest.mark.timeout(240)]

DUST = Decimal("0.0005")


def test_what_is_kept_is_held_valued_and_cleared(world: ExecutorWorld, exchange: Exchange, account: str) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    created = world.create(account, entered(books.price()), controller_id="holder")
    world.until(created.executor_id, "it holds", lambda row: row["filled_amount_quote"] > 0)
    assert world.ask(REGISTRY, GetExecutorsSummary())["by_type"]["position_executor"] >= 1

    world.end(created.executor_id, keep=True)
    kept = world.until_settled(created.executor_id)

    assert (kept.close_type, kept.held) == ("POSITION_HOLD", True)
    assert books.traded("SELL") == 0
    where = {"connector_name": "sandbox", "trading_pair": "BTC-USDT", "account_name": account}
    held = world.ask(REGISTRY, GetPositionHeld(**where, controller_id="holder"))
    spent = sum(Decimal(row["amount"]) * Decimal(row["price"]) for row in books.fills())
    assert (held["net_amount_base"], held["position_side"]) == (0.01, "LONG")
    assert held["buy_amount_quote"] == pytest.approx(float(spent))
    assert held["unrealized_pnl_quote"] == pytest.approx(700.0 - float(spent))
    performance = world.ask(REGISTRY, GetExecutorsPerformance(controller_id="holder"))
    assert (performance["active_positions"], performance["by_status"]) == (1, {"TERMINATED": 1})
    assert performance["volume_total_quote"] == pytest.approx(float(spent))
    world.ask(REGISTRY, ClearPositionHeld(**where, controller_id="holder"))
    with pytest.raises(NotFound):
        world.ask(REGISTRY, GetPositionHeld(**where, controller_id="holder"))


@pytest.mark.parametrize("make", [entered, order], ids=["position", "order"])
def test_one_that_is_to_be_flattened_is_closed_by_the_next_host(
    world: ExecutorWorld, exchange: Exchange, account: str, make: Callable[..., Config]
) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    created = world.create(account, make(books.price(), "BTC-USDT", amount="0.01"), after_crash="flatten")
    if make is order:
        world.until_orders(account, "sandbox", "it rests", books.open_orders)
        books.fill(0.5)
    else:
        world.until(created.executor_id, "it holds", lambda row: row["filled_amount_quote"] > 0)
    bought = books.traded("BUY")
    assert bought > 0

    world.signal_host(account)
    kept = world.until_settled(created.executor_id)

    assert (kept.status, kept.close_type, kept.held) == ("TERMINATED", "EARLY_STOP", False)
    assert books.open_orders() == []
    assert books.traded("BUY") == bought
    assert books.held() < DUST


def test_a_crash_of_its_actor_and_a_connector_that_is_opened_anew_change_nothing(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    address = world.connect(account, key)
    books = Books(exchange, key)
    executor_id = world.create(account, position(books.price())).executor_id
    world.until_orders(account, "sandbox", "its order rests", books.open_orders)
    name = books.open_orders()[0]["client_order_id"]

    # Something that no host says: its handler fails.
    world.system.bus.publish(f"accounts/{account}/host/executor/{executor_id}", b"not json")
    world.until_lives(executor_id, 2)
    world.system.tell(f"executors/{executor_id}", LookAfterExecutor())
    assert [one["client_order_id"] for one in books.open_orders()] == [name]

    world.system.tell(address, ReopenConnector())
    world.until_logged(executor_id, "It goes on after a crash")
    world.until_orders(account, "sandbox", "an order rests again", books.open_orders)
    assert len(books.open_orders()) == 1

    world.end(executor_id)
    world.until_settled(executor_id)
    assert (books.open_orders(), books.fills()) == ([], [])


def test_a_host_that_hangs_is_replaced_and_what_was_told_to_stop_stops(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key, "sandbox_perpetual")
    books = Books(exchange, key, market="perpetual")
    config = entered(books.price(), connector_name="sandbox_perpetual", leverage=5)
    executor_id = world.create(account, config).executor_id
    world.until(executor_id, "it holds", lambda row: row["filled_amount_quote"] > 0)

    world.signal_host(account, signal.SIGSTOP)
    assert world.end(executor_id).status == "stopping"
    kept = world.until_settled(executor_id)

    assert (kept.close_type, kept.held) == ("EARLY_STOP", False)
    assert (books.traded("BUY"), books.traded("SELL")) == (Decimal("0.01"), Decimal("0.01"))
    assert books.open_orders() == []


def test_an_order_that_could_not_be_written_down_is_not_sent(
    world: ExecutorWorld, exchange: Exchange, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    refused: list[str] = []
    intend = Executors.intend

    def full(records: Executors, executor_id: str, *rest: object) -> None:
        if len(refused) < 1:
            refused.append(executor_id)
            raise Unavailable("the disk is full")
        intend(records, executor_id, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Executors, "intend", full)
    executor_id = world.create(account, position(books.price())).executor_id

    world.until_orders(account, "sandbox", "the second try rests", books.open_orders)

    assert refused == [executor_id]
    assert len(exchange.orders(key)) == 1
    world.end(executor_id)
    world.until_settled(executor_id)


def test_an_order_that_waits_to_be_sent_is_not_taken_for_lost(
    world: ExecutorWorld, exchange: Exchange, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    let_send, gate = Executor._let_send, threading.Event()

    async def later(actor: Executor, client_order_id: str) -> None:
        await asyncio.to_thread(gate.wait, 30.0)
        await let_send(actor, client_order_id)

    monkeypatch.setattr(Executor, "_let_send", later)
    executor_id = world.create(account, position(books.price())).executor_id
    world.until_orders(account, "sandbox", "it is written", lambda: world.orders_of(executor_id))
    (name,) = world.orders_of(executor_id)
    question = {"connector_name": "sandbox", "client_order_id": name, "trading_pair": "BTC-USDT"}

    answer = world.ask(f"accounts/{account}/host", CallHost(method="query_order", arguments=question))
    gate.set()
    world.until_orders(account, "sandbox", "it rests", books.open_orders)

    assert answer["outcome"] == "unresolved"
    assert [one["client_order_id"] for one in books.open_orders()] == [name]
    assert world.until_order(account, name, "open").state == "open"
    world.end(executor_id)
    world.until_settled(executor_id)


def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(
    world: ExecutorWorld, exchange: Exchange, account: str
) -> None:
    key = exchange.key()
    world.connect(account, key)
    books = Books(exchange, key)
    exchange.faults("place_answer_lost", 60, market="spot", key=key, count=1)

    executor_id = world.create(account, entered(books.price())).executor_id
    world.until(executor_id, "it holds", lambda row: row["filled_amount_quote"] > 0)

    assert len(exchange.orders(key)) == 1
    world.end(executor_id)
    assert world.until_settled(executor_id).close_type == "EARLY_STOP"
    assert (books.traded("BUY"), len(exchange.orders(key))) == (Decimal("0.01"), 2)
    assert books.held() < DUST
