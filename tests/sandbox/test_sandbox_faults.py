"""Every fault on demand, as a client meets it."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aviary.sandbox.testing import SandboxProcess
from sandbox_client import Client, eventually, next_message

ORDER = "/api/v3/order"


async def quote(client: Client, name: str, distance: str = "0.9") -> dict[str, Any]:
    bid, _ = await client.best()
    price = f"{bid * Decimal(distance):.2f}"
    _, order = await client.buy(type="LIMIT", quantity="0.01", price=price, newClientOrderId=name)
    return dict(order)


async def test_server_errors_happen_before_anything_is_written(client: Client, sandbox: SandboxProcess) -> None:
    await sandbox.faults("http_5xx", 30, market="spot", key=client.key, status=503)
    assert (await client.buy(type="MARKET", quantity="0.01"))[0] == 503
    await sandbox.clear_faults()
    assert await sandbox.orders(client.key) == []
    assert (await client.buy(type="MARKET", quantity="0.01"))[0] == 200


async def test_a_fault_concerns_only_its_key_and_market(client: Client, sandbox: SandboxProcess) -> None:
    await sandbox.faults("http_429", 30, market="spot", key=client.key)
    assert (await client.signed("GET", "/api/v3/account"))[0] == 429
    assert (await client.signed("GET", "/fapi/v2/account"))[0] == 200
    async with Client(sandbox.url, client.key + "-else") as other:
        assert (await other.signed("GET", "/api/v3/account"))[0] == 200


async def test_a_fault_ends_by_itself(client: Client, sandbox: SandboxProcess) -> None:
    await sandbox.faults("http_5xx", 30, count=2, key=client.key)
    statuses = [(await client.signed("GET", "/api/v3/account"))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]
    await sandbox.faults("http_5xx", 0.3, key=client.key)

    async def well() -> bool:
        return (await client.signed("GET", "/api/v3/account"))[0] == 200

    assert await eventually(well, 5)
    assert await sandbox.request("GET", "/_sandbox/faults") == []


async def test_latency_delays_answers(client: Client, sandbox: SandboxProcess) -> None:
    await sandbox.faults("latency", 30, key=client.key, ms=400)
    started = asyncio.get_running_loop().time()
    await client.signed("GET", "/api/v3/account")
    assert asyncio.get_running_loop().time() - started >= 0.4


async def test_while_down_connections_are_cut_and_afterwards_all_is_well(
    client: Client, sandbox: SandboxProcess
) -> None:
    socket = await client.user_stream()
    await sandbox.faults("down", 30, market="spot")
    with pytest.raises(aiohttp.ClientError):
        await client.public("/api/v3/ping")
    assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
    with pytest.raises(aiohttp.ClientError):
        await client.user_stream()
    assert (await client.public("/fapi/v1/ping"))[0] == 200
    await sandbox.clear_faults()
    assert (await client.public("/api/v3/ping"))[0] == 200


@pytest.mark.parametrize("kind", ["answer_lost", "place_answer_lost"])
async def test_an_order_whose_answer_is_lost_exists(client: Client, sandbox: SandboxProcess, kind: str) -> None:
    await sandbox.faults(kind, 30, market="spot", key=client.key, count=1)
    with pytest.raises(aiohttp.ClientError):
        await quote(client, "lost")
    orders = await sandbox.orders(client.key, open_only=True)
    assert [each["client_order_id"] for each in orders] == ["lost"]


async def test_a_cancel_whose_answer_is_lost_has_happened(client: Client, sandbox: SandboxProcess) -> None:
    await sandbox.faults("cancel_answer_lost", 30, market="spot", key=client.key)
    await quote(client, "lost")
    with pytest.raises(aiohttp.ClientError):
        await client.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="lost")
    assert await sandbox.orders(client.key, open_only=True) == []


async def test_dropped_websockets_are_cut_and_can_be_opened_again_afterwards(
    client: Client, sandbox: SandboxProcess
) -> None:
    socket = await client.user_stream()
    answer = await sandbox.faults("drop_websockets", 0, market="spot", key=client.key)
    assert answer["connections"] == 1
    assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
    again = await client.user_stream()
    await again.close()


async def test_websockets_stay_closed_for_as_long_as_they_are_dropped(
    client: Client, sandbox: SandboxProcess
) -> None:
    await sandbox.faults("drop_websockets", 30, market="spot")
    with pytest.raises(aiohttp.ClientError):
        await client.user_stream()


async def test_a_stalled_websocket_is_silent_and_then_goes_on(client: Client, sandbox: SandboxProcess) -> None:
    socket = await client.user_stream()
    await sandbox.faults("stall_websockets", 30, market="spot", key=client.key)
    await quote(client, "quiet")
    with pytest.raises(TimeoutError):
        await next_message(socket, lambda message: "event" in message, 0.7)
    await sandbox.clear_faults()
    report = await next_message(socket, lambda message: message.get("event", {}).get("e") == "executionReport")
    assert report["event"]["c"] == "quiet"
    await socket.close()


async def test_a_hidden_fill_moves_balances_and_tells_nobody(client: Client, sandbox: SandboxProcess) -> None:
    order = await quote(client, "hidden")
    socket = await client.user_stream()

    answer = await sandbox.faults("hidden_fill", key=client.key, client_order_id="hidden")

    assert [each["status"] for each in answer["orders"]] == ["FILLED"]
    with pytest.raises(TimeoutError):
        await next_message(socket, lambda message: "event" in message, 0.7)
    _, found = await client.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
    assert found["status"] == "FILLED"
    assert await client.free("BTC") == Decimal(1) + Decimal("0.01") * Decimal("0.999")
    fills = await sandbox.fills(client.key)
    assert [each["client_order_id"] for each in fills] == ["hidden"]
    await socket.close()


async def test_a_hidden_fill_can_be_partial(client: Client, sandbox: SandboxProcess) -> None:
    await quote(client, "half")
    await sandbox.faults("hidden_fill", key=client.key, fraction=0.5)
    orders = await sandbox.orders(client.key, open_only=True)
    assert [(each["status"], each["filled"]) for each in orders] == [("PARTIALLY_FILLED", "0.00500")]


async def test_while_a_hidden_cancel_lasts_new_orders_vanish_too(client: Client, sandbox: SandboxProcess) -> None:
    await quote(client, "first")
    answer = await sandbox.faults("hidden_cancel", 30, key=client.key)
    assert [each["client_order_id"] for each in answer["orders"]] == ["first"]
    await quote(client, "second")

    async def gone() -> bool:
        return not await sandbox.orders(client.key, open_only=True)

    assert await eventually(gone, 5)
    assert await client.free("USDT") == 100_000


async def test_a_price_shock_moves_the_market_and_fills_what_it_passes(
    client: Client, sandbox: SandboxProcess
) -> None:
    before, _ = await client.best()
    await quote(client, "deep", "0.95")
    await sandbox.faults("price_shock", 30, market="spot", symbol="BTCUSDT", percent=-10)

    async def filled() -> bool:
        orders = await sandbox.orders(client.key, client_order_id="deep")
        return bool(orders[0]["status"] == "FILLED")

    assert await eventually(filled, 10)
    after, _ = await client.best()
    assert after < before * Decimal("0.93")


BAD_FAULTS = [
    {},
    {"kind": "earthquake", "seconds": 1},
    {"kind": "latency"},
    {"kind": "latency", "seconds": -1},
    {"kind": "latency", "seconds": "5"},
    {"kind": "latency", "seconds": True},
    {"kind": "latency", "seconds": 1e9},
    {"kind": "latency", "seconds": 1, "ms": -1},
    {"kind": "latency", "seconds": 1, "percent": 1},
    {"kind": "http_5xx", "seconds": 1, "status": 200},
    {"kind": "http_5xx", "seconds": 1, "market": "moon"},
    {"kind": "price_shock", "seconds": 1, "percent": -100},
    {"kind": "price_shock", "seconds": 1, "symbol": "NOPE"},
    {"kind": "down", "seconds": 1, "count": 0},
    {"kind": "down", "seconds": 1, "key": 5},
]


@pytest.mark.parametrize("body", BAD_FAULTS, ids=str)
async def test_a_bad_fault_is_refused_and_nothing_happens(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match=r"422 \{'detail':"):
        await sandbox.request("POST", "/_sandbox/faults", body)
    assert await sandbox.request("GET", "/_sandbox/faults") == []


@pytest.mark.parametrize(
    "body",
    [
        {"spot": {"USDT": -1}},
        {"spot": {"USDT": "NaN"}},
        {"spot": {"USDT": "1e400"}},
        {"spot": {"XYZ": 1}},
        {"spot": 5},
        {"colour": "red"},
        {"key": "../x"},
        {"key": "k" * 300},
        [1],
    ],
    ids=str,
)
async def test_a_bad_key_is_refused(sandbox: SandboxProcess, body: Any) -> None:
    with pytest.raises(RuntimeError, match=r"422 \{'detail':"):
        await sandbox.request("POST", "/_sandbox/keys", body)
