"""Orders through a real engine host on the simulated exchange: no answer is ever taken for a no."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from aviary.actors.core.port import PortRefusal
from aviary.sandbox.testing import SandboxProcess
from engine_neighbours import PATIENCE, Host, connect

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAIR = "BTC-USDT"
FAR_BELOW = "20000"


async def place(host: Host, connector: str = "sandbox", **changes: Any) -> dict[str, Any]:
    terms = {"trading_pair": PAIR, "side": "BUY", "order_type": "LIMIT", "amount": "0.01", "price": FAR_BELOW}
    terms |= changes
    order_id = await host.call("new_order_id", connector_name=connector, trading_pair=PAIR, side=terms["side"])
    answer: dict[str, Any] = await host.call(
        "place_order", connector_name=connector, client_order_id=order_id, **terms
    )
    return {**answer, "id": order_id}


async def query(host: Host, order_id: str, connector: str = "sandbox") -> dict[str, Any]:
    answer: dict[str, Any] = await host.call(
        "query_order", connector_name=connector, client_order_id=order_id, trading_pair=PAIR
    )
    return answer


async def cancel(host: Host, order_id: str, connector: str = "sandbox") -> dict[str, Any]:
    answer: dict[str, Any] = await host.call(
        "cancel_order", connector_name=connector, client_order_id=order_id, trading_pair=PAIR
    )
    return answer


async def on_exchange(exchange: SandboxProcess, keys: dict[str, str]) -> list[dict[str, Any]]:
    return await exchange.orders(keys["key"], open_only=True)


async def test_an_order_is_placed_seen_and_cancelled(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot)

    assert placed["outcome"] == "open"
    assert placed["order"]["exchange_order_id"]
    created = await spot.event("order/sandbox", lambda order: order["event"] == "created")
    assert created["client_order_id"] == placed["id"]
    listed = await spot.call("open_orders", connector_name="sandbox")
    assert [order["client_order_id"] for order in listed] == [placed["id"]]
    assert len(await on_exchange(exchange, keys)) == 1

    assert (await cancel(spot, placed["id"]))["outcome"] == "cancelled"

    await spot.event("order/sandbox", lambda order: order["event"] == "cancelled")
    assert await on_exchange(exchange, keys) == []
    assert (await cancel(spot, placed["id"]))["outcome"] == "not_found"


async def test_a_market_order_is_filled_and_its_fill_and_the_new_balance_are_told(spot: Host) -> None:
    placed = await place(spot, order_type="MARKET", price=None)

    fill = await spot.event("fill/sandbox")
    done = await spot.event("order/sandbox", lambda order: order["event"] == "completed")
    balance = await spot.event(
        "balance/sandbox", lambda event: Decimal(event["balances"].get("BTC", {}).get("total", 1)) > 1
    )

    assert (fill["client_order_id"], fill["side"]) == (placed["id"], "BUY")
    assert Decimal(fill["amount"]) == Decimal("0.01")
    assert done["state"] == "FILLED"
    assert set(fill["fees"]) <= {"BTC", "USDT", "BNB"}
    assert Decimal(balance["balances"]["BTC"]["total"]) > 1
    found = await query(spot, placed["id"])
    assert [trade["trade_id"] for trade in found["fills"]] == [fill["trade_id"]]


async def test_an_order_whose_answer_was_lost_is_unresolved_until_it_is_looked_up(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    await exchange.faults("place_answer_lost", seconds=30, key=keys["key"], count=1)

    placed = await place(spot)

    assert placed["outcome"] == "unresolved"
    assert len(await on_exchange(exchange, keys)) == 1
    found = await query(spot, placed["id"])
    assert (found["outcome"], found["order"]["state"]) == ("found", "OPEN")
    created = await spot.event("order/sandbox", lambda order: order["client_order_id"] == placed["id"])
    assert created["event"] == "created"
    assert (await cancel(spot, placed["id"]))["outcome"] == "cancelled"


@pytest.mark.parametrize(("fault", "details"), [("http_5xx", {"status": 503}), ("http_429", {})])
async def test_a_server_error_or_a_rate_limit_is_no_rejection(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str], fault: str, details: dict[str, Any]
) -> None:
    await exchange.faults(fault, seconds=30, key=keys["key"], **details)

    placed = await place(spot)

    assert placed["outcome"] == "unresolved"
    assert (await query(spot, placed["id"]))["outcome"] == "unresolved"
    await exchange.clear_faults()
    assert (await query(spot, placed["id"]))["outcome"] == "not_found"


async def test_a_rejection_of_the_exchange_is_told_in_its_own_words(spot: Host) -> None:
    placed = await place(spot, amount="1000", price="40000")

    assert placed["outcome"] == "rejected"
    assert "insufficient balance" in placed["text"]
    failed = await spot.event("order/sandbox", lambda order: order["event"] == "failed")
    assert failed["client_order_id"] == placed["id"]


async def test_an_order_below_the_minimum_is_rejected_without_asking(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot, amount="0.00002", price="20000")

    assert placed["outcome"] == "rejected"
    assert "below the minimum" in placed["text"]
    assert await exchange.orders(keys["key"]) == []


SENSELESS = [
    ("amount", {"amount": "-1"}),
    ("amount", {"amount": "NaN"}),
    ("amount", {"amount": "1e400"}),
    ("amount", {"amount": "many"}),
    ("price", {"price": None}),
    ("price", {"price": "0"}),
    ("order_type", {"order_type": "STOP"}),
    ("trading_pair", {"trading_pair": "NO-SUCH"}),
    ("position_action", {"position_action": "OPEN"}),
]


async def test_a_senseless_order_is_refused_by_the_field(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    for field, changes in SENSELESS:
        with pytest.raises(PortRefusal) as caught:
            await place(spot, **changes)

        assert (caught.value.kind, caught.value.fields["field"]) == ("invalid", field)
    assert await exchange.orders(keys["key"]) == []


async def test_a_cancel_whose_answer_was_lost_is_unresolved_and_the_query_settles_it(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot)
    # A DELETE on a connection that was used before is sent twice by the HTTP client: the second time there is
    # nothing to cancel any more, which is no more of an answer than silence.
    await exchange.faults("cancel_answer_lost", seconds=30, key=keys["key"], count=1)

    assert (await cancel(spot, placed["id"]))["outcome"] in {"unresolved", "not_found"}

    found = await query(spot, placed["id"])
    assert (found["outcome"], found["order"]["state"]) == ("found", "CANCELED")


async def test_a_fill_behind_the_clients_back_is_found_by_a_query_and_told_as_an_event(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot)
    await exchange.faults("hidden_fill", client_order_id=placed["id"], fraction=1, key=keys["key"])

    found = await query(spot, placed["id"])

    assert found["order"]["state"] == "FILLED"
    assert [Decimal(fill["amount"]) for fill in found["fills"]] == [Decimal("0.01")]
    fill = await spot.event("fill/sandbox")
    assert fill["trade_id"] == found["fills"][0]["trade_id"]
    await spot.event("order/sandbox", lambda order: order["event"] == "completed")


async def test_what_the_user_stream_missed_is_caught_up_with_when_it_is_back(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot)
    await exchange.faults("hidden_fill", client_order_id=placed["id"], fraction=1, key=keys["key"])

    await exchange.faults("drop_websockets", seconds=0.1, key=keys["key"])

    fill = await spot.event("fill/sandbox")
    assert fill["client_order_id"] == placed["id"]
    await spot.event("order/sandbox", lambda order: order["event"] == "completed")


async def test_an_outage_during_polls_is_never_taken_for_the_orders_end(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    placed = await place(spot)
    await exchange.faults("http_5xx", seconds=60, key=keys["key"], status=502)

    # Left to itself, hummingbot gives an order up at the fourth failure.
    for _ in range(6):
        orders = await spot.call("refresh_orders", connector_name="sandbox")

    assert [(order["client_order_id"], order["state"]) for order in orders] == [(placed["id"], "OPEN")]
    await exchange.clear_faults()
    assert (await query(spot, placed["id"]))["order"]["state"] == "OPEN"


async def test_a_host_that_replaces_a_killed_one_takes_over_its_orders(
    spot: Host, start_host: Any, keys: dict[str, str]
) -> None:
    placed = await place(spot)
    spot.process.kill()
    await asyncio.wait_for(spot.port.closed(), PATIENCE)
    successor = await start_host()
    await connect(successor, "sandbox", keys)

    assert await successor.call("restore_orders", connector_name="sandbox", orders=[placed["order"]]) == 1
    assert await successor.call("restore_orders", connector_name="sandbox", orders=[placed["order"]]) == 0

    listed = await successor.call("open_orders", connector_name="sandbox", trading_pair=PAIR)
    assert [order["client_order_id"] for order in listed] == [placed["id"]]
    assert (await cancel(successor, placed["id"]))["outcome"] == "cancelled"
    cancelled = await successor.event("order/sandbox", lambda order: order["event"] == "cancelled")
    assert cancelled["client_order_id"] == placed["id"]


async def test_an_order_that_this_host_does_not_track_can_be_looked_up_and_cancelled(
    spot: Host, start_host: Any, keys: dict[str, str]
) -> None:
    placed = await place(spot, side="SELL", price="90000")
    other = await start_host()
    await connect(other, "sandbox", keys)

    found = await query(other, placed["id"])

    assert (found["order"]["side"], found["order"]["state"]) == ("SELL", "OPEN")
    assert (await cancel(other, placed["id"]))["outcome"] == "cancelled"


async def test_a_stopped_host_falls_silent_while_its_connection_stands(spot: Host) -> None:
    spot.process.signal(19)

    async with asyncio.timeout(PATIENCE):
        while spot.port.silence() < 2.5:
            await asyncio.sleep(0.1)

    assert spot.port.alive
    spot.process.kill()
    assert await asyncio.wait_for(spot.port.closed(), PATIENCE)


async def test_an_outage_of_the_exchange_is_told_and_healed(
    spot: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    spot.forget()
    await exchange.faults("down", seconds=60)

    await spot.event("connector/sandbox", lambda status: status["network"] == "disconnected")
    assert (await place(spot))["outcome"] == "unresolved"
    await exchange.clear_faults()
    spot.forget()

    await spot.event("connector/sandbox", lambda status: bool(status["ready"]))
    assert (await place(spot))["outcome"] == "open"
    assert len(await on_exchange(exchange, keys)) == 1


async def test_a_perpetual_position_is_opened_told_and_closed(perpetual: Host) -> None:
    connector = "sandbox_perpetual"
    assert await perpetual.call("set_leverage", connector_name=connector, trading_pair=PAIR, leverage=5) == 5
    mode = {"connector_name": connector, "mode": "ONEWAY", "trading_pair": PAIR}
    assert await perpetual.call("set_position_mode", **mode) == "ONEWAY"

    opened = await place(perpetual, connector, order_type="MARKET", price=None, position_action="OPEN")

    assert opened["outcome"] == "open"
    told = await perpetual.event(f"position/{connector}", lambda event: bool(event["positions"]))
    assert Decimal(told["positions"][0]["amount"]) == Decimal("0.01")
    assert (await perpetual.call("connector_status", connector_name=connector))["ready"]
    closed = await place(
        perpetual, connector, side="SELL", order_type="MARKET", price=None, position_action="CLOSE"
    )
    assert closed["outcome"] == "open"
    found = await query(perpetual, closed["id"], connector)
    assert (found["order"]["state"], len(found["fills"])) == ("FILLED", 1)
    assert await perpetual.call("positions", connector_name=connector) == []


async def test_what_became_of_a_setting_is_looked_up_or_told_to_be_unknown(
    perpetual: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    """It may have been set, so nobody is told that nothing was done."""
    wanted = {"connector_name": "sandbox_perpetual", "trading_pair": PAIR}
    await exchange.faults("answer_lost", seconds=30, key=keys["key"], count=1)
    assert await perpetual.call("set_leverage", **wanted, leverage=7) == 7

    await exchange.faults("http_5xx", seconds=30, key=keys["key"])
    for method, change in (("set_leverage", {"leverage": 9}), ("set_position_mode", {"mode": "HEDGE"})):
        with pytest.raises(PortRefusal, match="it may have been") as refused:
            await perpetual.call(method, **wanted, **change)
        assert refused.value.kind == "unknown"
    await exchange.clear_faults()


async def test_a_lost_answer_on_the_perpetual_market_is_unresolved_too(
    perpetual: Host, exchange: SandboxProcess, keys: dict[str, str]
) -> None:
    await exchange.faults("place_answer_lost", seconds=30, key=keys["key"], count=1)

    placed = await place(perpetual, "sandbox_perpetual", position_action="OPEN")

    assert placed["outcome"] == "unresolved"
    assert (await query(perpetual, placed["id"], "sandbox_perpetual"))["order"]["state"] == "OPEN"
