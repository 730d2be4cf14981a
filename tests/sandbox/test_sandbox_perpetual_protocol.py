"""The perpetual market over real HTTP and websockets, and its arithmetic."""

from decimal import Decimal

import pytest
from aviary.sandbox.testing import SandboxProcess
from sandbox_client import Client, next_message

ORDER = "/fapi/v1/order"


async def position(client: Client, symbol: str = "BTCUSDT", side: str = "BOTH") -> dict[str, str]:
    _, rows = await client.signed("GET", "/fapi/v2/positionRisk", symbol=symbol)
    found: dict[str, str] = next(each for each in rows if each["positionSide"] == side)
    return found


async def market(client: Client, side: str, quantity: str, **more: str) -> tuple[int, dict[str, str]]:
    return await client.order(ORDER, symbol="BTCUSDT", side=side, type="MARKET", quantity=quantity, **more)


async def test_a_position_is_opened_reduced_and_turned(client: Client) -> None:
    await market(client, "BUY", "0.03")
    assert (await position(client))["positionAmt"] == "0.030"
    entry = (await position(client))["entryPrice"]
    await market(client, "SELL", "0.01")
    assert ((await position(client))["positionAmt"], (await position(client))["entryPrice"]) == ("0.020", entry)
    _, order = await market(client, "SELL", "0.05")
    turned = await position(client)
    assert turned["positionAmt"] == "-0.030"
    assert abs(Decimal(turned["entryPrice"]) - Decimal(order["avgPrice"])) < Decimal("0.01")
    await market(client, "BUY", "0.03")
    assert Decimal((await position(client))["positionAmt"]) == 0


async def test_the_wallet_changes_by_realised_profit_and_fees_only(client: Client) -> None:
    await market(client, "BUY", "0.02")
    await market(client, "SELL", "0.02")

    _, fills = await client.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    _, account = await client.signed("GET", "/fapi/v2/account")
    change = sum(Decimal(each["realizedPnl"]) - Decimal(each["commission"]) for each in fills)
    assert Decimal(account["totalWalletBalance"]) == 100_000 + change
    bought = sum(Decimal(each["quoteQty"]) for each in fills if each["side"] == "BUY")
    sold = sum(Decimal(each["quoteQty"]) for each in fills if each["side"] == "SELL")
    assert sum(Decimal(each["realizedPnl"]) for each in fills) == sold - bought
    _, incomes = await client.signed("GET", "/fapi/v1/income", incomeType="COMMISSION")
    assert sum(Decimal(each["income"]) for each in incomes) == -sum(Decimal(each["commission"]) for each in fills)


async def test_an_order_locks_margin_by_leverage_and_too_large_ones_are_refused(client: Client) -> None:
    bid, _ = await client.best(path="/fapi/v1")
    price = f"{bid * Decimal('0.9'):.1f}"
    await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=10)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "price": price}

    status, _ = await client.order(ORDER, quantity="1", **order)

    assert status == 200
    _, account = await client.signed("GET", "/fapi/v2/account")
    assert Decimal(account["availableBalance"]) == 100_000 - Decimal(price) / 10
    status, refusal = await client.order(ORDER, quantity="100", **order)
    assert (status, refusal["code"]) == (400, -2019)


async def test_reduce_only_orders_only_reduce(client: Client) -> None:
    status, refusal = await market(client, "SELL", "0.01", reduceOnly="true")
    assert (status, refusal["code"]) == (400, -2022)
    await market(client, "BUY", "0.01")
    _, order = await market(client, "SELL", "0.05", reduceOnly="true")
    assert order["executedQty"] == "0.010"
    assert Decimal((await position(client))["positionAmt"]) == 0


async def test_a_resting_reduce_only_order_ends_with_its_position(client: Client) -> None:
    await market(client, "BUY", "0.01")
    _, ask = await client.best(path="/fapi/v1")
    price = f"{ask * Decimal('1.1'):.1f}"
    closing = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "quantity": "0.01", "price": price}
    _, resting = await client.order(ORDER, reduceOnly="true", **closing)
    await market(client, "SELL", "0.01")
    _, order = await client.signed("GET", ORDER, symbol="BTCUSDT", orderId=resting["orderId"])
    assert order["status"] == "EXPIRED"


async def test_hedge_mode_keeps_long_and_short_apart(client: Client) -> None:
    status, answer = await client.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    assert (status, answer["code"]) == (200, 200)
    assert (await market(client, "BUY", "0.01"))[1]["code"] == -4061
    await market(client, "BUY", "0.02", positionSide="LONG")
    await market(client, "SELL", "0.01", positionSide="SHORT")
    assert (await position(client, side="LONG"))["positionAmt"] == "0.020"
    assert (await position(client, side="SHORT"))["positionAmt"] == "-0.010"
    refusal = await client.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
    assert refusal[1]["code"] == -4068
    await market(client, "SELL", "0.02", positionSide="LONG")
    await market(client, "BUY", "0.01", positionSide="SHORT")
    assert (await market(client, "BUY", "0.01", positionSide="SHORT"))[1]["code"] == -2022


REFUSALS = [
    ({"symbol": "NOPE"}, -1121),
    ({"price": "100.05"}, -4014),
    ({"quantity": "0.0001"}, -1111),
    ({"quantity": "0"}, -4003),
    ({"quantity": "0.001", "price": "1000.0"}, -4164),
    ({"leverage": "126"}, -4028),
    ({"type": "LIMIT_MAKER"}, -1116),
    ({"positionSide": "LONG"}, -4061),
]


@pytest.mark.parametrize(("change", "code"), REFUSALS, ids=str)
async def test_a_bad_request_is_refused_with_its_code(client: Client, change: dict[str, str], code: int) -> None:
    if "leverage" in change:
        status, answer = await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", **change)
    else:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "50000.0"}
        status, answer = await client.order(ORDER, **(order | change))
    assert (status, answer["code"]) == (400, code)


async def test_a_post_only_order_that_would_take_is_refused(client: Client) -> None:
    _, ask = await client.best(path="/fapi/v1")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "timeInForce": "GTX"}
    status, answer = await client.order(ORDER, price=f"{ask * Decimal('1.01'):.1f}", **order)
    assert (status, answer["code"]) == (400, -5022)


async def test_the_user_stream_tells_of_orders_and_positions(client: Client) -> None:
    _, answer = await client.keyed("POST", "/fapi/v1/listenKey")
    async with client.socket(f"/private/ws?listenKey={answer['listenKey']}") as socket:
        await market(client, "BUY", "0.01", newClientOrderId="told")
        trade = await next_message(socket, lambda message: message.get("o", {}).get("x") == "TRADE")
        account = await next_message(socket, lambda message: message["e"] == "ACCOUNT_UPDATE")
    assert (trade["o"]["c"], trade["o"]["X"]) == ("told", "FILLED")
    assert [(each["s"], each["pa"]) for each in account["a"]["P"]] == [("BTCUSDT", "0.010")]


async def test_depth_and_mark_price_streams_are_wrapped_and_chained(client: Client) -> None:
    async with client.socket("/public/stream") as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": 1})
        first = await next_message(socket, lambda message: message.get("stream") == "btcusdt@depth")
        second = await next_message(socket, lambda message: message.get("stream") == "btcusdt@depth")
        assert second["data"]["pu"] == first["data"]["u"]
    async with client.socket("/market/stream") as socket:
        await socket.send_json(
            {"method": "SUBSCRIBE", "params": ["btcusdt@markPrice", "btcusdt@aggTrade"], "id": 1}
        )
        mark = await next_message(socket, lambda message: message.get("stream") == "btcusdt@markPrice")
        assert Decimal(mark["data"]["p"]) > 0


async def test_a_position_without_margin_is_liquidated(sandbox: SandboxProcess) -> None:
    key, secret = await sandbox.create_key(perpetual={"USDT": "1000"})
    async with Client(sandbox.url, key, secret) as client:
        await client.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=50)
        status, _ = await market(client, "BUY", "0.3")
        assert status == 200
        _, answer = await client.keyed("POST", "/fapi/v1/listenKey")
        async with client.socket(f"/private/ws?listenKey={answer['listenKey']}") as socket:
            await sandbox.faults("price_shock", 5, market="perpetual", symbol="BTCUSDT", percent=-20)
            closed = await next_message(socket, lambda message: message.get("o", {}).get("x") == "TRADE")
        assert closed["o"]["c"].startswith("autoclose-")
        assert await sandbox.positions(key) == []
        _, account = await client.signed("GET", "/fapi/v2/account")
        assert Decimal(account["totalWalletBalance"]) >= 0
        _, incomes = await client.signed("GET", "/fapi/v1/income")
        total = sum(Decimal(each["income"]) for each in incomes)
        assert Decimal(account["totalWalletBalance"]) == 1000 + total
