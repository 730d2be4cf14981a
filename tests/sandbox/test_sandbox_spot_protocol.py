"""The spot market over real HTTP and websockets."""

import asyncio
from decimal import Decimal

import pytest
from aviary.sandbox.testing import SandboxProcess
from sandbox_client import NOW, Client, eventually, next_message

ORDER = "/api/v3/order"


async def far_bid(client: Client) -> str:
    bid, _ = await client.best()
    return f"{bid * Decimal('0.9'):.2f}"


async def test_a_limit_order_locks_what_it_would_cost_and_a_cancel_gives_it_back(client: Client) -> None:
    price = await far_bid(client)
    status, order = await client.buy(type="LIMIT", quantity="0.01", price=price, newClientOrderId="mine")
    assert (status, order["status"], order["executedQty"]) == (200, "NEW", "0.00000000")
    assert await client.free("USDT") == Decimal(100_000) - Decimal(price) * Decimal("0.01")

    status, answer = await client.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine")

    assert (status, answer["status"], answer["origClientOrderId"]) == (200, "CANCELED", "mine")
    assert await client.free("USDT") == 100_000
    _, found = await client.signed("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"])
    assert found["status"] == "CANCELED"


async def test_a_market_order_fills_at_the_book_and_pays_the_fee_in_what_it_receives(client: Client) -> None:
    status, order = await client.buy(type="MARKET", quantity="0.01")

    assert (status, order["status"]) == (200, "FILLED")
    paid = sum(Decimal(each["price"]) * Decimal(each["qty"]) for each in order["fills"])
    fees = sum(Decimal(each["commission"]) for each in order["fills"])
    assert fees == Decimal("0.01") * Decimal("0.001")
    assert await client.free("USDT") == Decimal(100_000) - paid
    assert await client.free("BTC") == Decimal(1) + Decimal("0.01") - fees
    _, trades = await client.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=order["orderId"])
    assert sum(Decimal(each["qty"]) for each in trades) == Decimal("0.01")
    assert all(each["isBuyer"] and not each["isMaker"] for each in trades)


async def test_an_immediate_order_trades_what_it_can_and_a_fill_or_kill_order_all_or_nothing(
    client: Client,
) -> None:
    price = await far_bid(client)
    _, immediate = await client.buy(type="LIMIT", timeInForce="IOC", quantity="0.01", price=price)
    _, killed = await client.buy(type="LIMIT", timeInForce="FOK", quantity="0.01", price=price)
    assert (immediate["status"], killed["status"]) == ("EXPIRED", "EXPIRED")
    assert await client.free("USDT") == 100_000

    _, ask = await client.best()
    _, filled = await client.buy(
        type="LIMIT", timeInForce="FOK", quantity="0.001", price=f"{ask * Decimal('1.01'):.2f}"
    )

    assert filled["status"] == "FILLED"


async def test_two_keys_trade_with_each_other(client: Client, sandbox: SandboxProcess) -> None:
    bid, ask = await client.best("ETHUSDT")
    inside = f"{bid + (ask - bid) / 2:.2f}"
    _, resting = await client.buy("ETHUSDT", type="LIMIT_MAKER", quantity="0.01", price=inside)
    async with Client(sandbox.url, client.key + "-other") as other:
        _, order = await other.order(
            ORDER, symbol="ETHUSDT", side="SELL", type="LIMIT", timeInForce="IOC", quantity="0.01", price=inside
        )

    assert Decimal(order["executedQty"]) > 0
    fills = await sandbox.fills(client.key, symbol="ETHUSDT")
    theirs = await sandbox.fills(client.key + "-other", symbol="ETHUSDT")
    assert {each["trade_id"] for each in theirs} <= {each["trade_id"] for each in fills}
    assert (fills[0]["order_id"], fills[0]["is_maker"]) == (resting["orderId"], True)


async def test_the_market_fills_quotes_near_the_price(client: Client) -> None:
    bid, ask = await client.best()
    await client.buy(type="LIMIT", quantity="0.001", price=f"{bid * Decimal('0.9998'):.2f}")
    quote = {"symbol": "BTCUSDT", "type": "LIMIT", "quantity": "0.001", "price": f"{ask * Decimal('1.0002'):.2f}"}
    await client.order(ORDER, side="SELL", **quote)

    async def filled() -> bool:
        _, trades = await client.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT")
        return any(each["isMaker"] for each in trades)

    assert await eventually(filled, 50)


REFUSALS = [
    ({"symbol": "NOPE"}, 400, -1121),
    ({"price": "100.001"}, 400, -1013),
    ({"price": "0"}, 400, -1013),
    ({"price": "1e400"}, 400, -1100),
    ({"price": "-5"}, 400, -1100),
    ({"price": "nan"}, 400, -1100),
    ({"price": ""}, 400, -1102),
    ({"quantity": "0.000001"}, 400, -1013),
    ({"quantity": "0"}, 400, -1013),
    ({"quantity": "99999999999999999999"}, 400, -1013),
    ({"quantity": "0.00001"}, 400, -1013),
    ({"quantity": "1000"}, 400, -2010),
    ({"side": "HOLD"}, 400, -1117),
    ({"type": "STOP"}, 400, -1116),
    ({"timeInForce": "GTX"}, 400, -1115),
    ({"newClientOrderId": "a b"}, 400, -1100),
    ({"newClientOrderId": "x" * 37}, 400, -1100),
]


@pytest.mark.parametrize(("change", "status", "code"), REFUSALS, ids=str)
async def test_a_bad_order_is_refused_with_its_code(
    client: Client, change: dict[str, str], status: int, code: int
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "50000.00"} | change

    answer = await client.order(ORDER, **order)

    assert (answer[0], answer[1]["code"]) == (status, code)
    assert await client.free("USDT") == 100_000


async def test_a_post_only_order_that_would_take_is_refused(client: Client) -> None:
    _, ask = await client.best()
    answer = await client.buy(type="LIMIT_MAKER", quantity="0.01", price=f"{ask * Decimal('1.01'):.2f}")
    assert answer == (400, {"code": -2010, "msg": "Order would immediately match and take."})


async def test_an_open_orders_client_id_cannot_be_used_again(client: Client) -> None:
    price = await far_bid(client)
    order = {"type": "LIMIT", "quantity": "0.01", "price": price, "newClientOrderId": "twice"}
    await client.buy(**order)

    assert await client.buy(**order) == (400, {"code": -2010, "msg": "Duplicate order sent."})

    await client.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="twice")
    status, _ = await client.buy(**order)
    assert status == 200


async def test_unknown_orders_have_the_codes_that_clients_look_for(client: Client) -> None:
    query = {"symbol": "BTCUSDT", "origClientOrderId": "nothing"}
    assert await client.signed("GET", ORDER, **query) == (400, {"code": -2013, "msg": "Order does not exist."})
    assert await client.signed("DELETE", ORDER, **query) == (400, {"code": -2011, "msg": "Unknown order sent."})


async def test_keys_signatures_and_timestamps_are_checked(client: Client, sandbox: SandboxProcess) -> None:
    async with Client(sandbox.url, "stranger") as stranger:
        status, answer = await stranger.signed("GET", "/api/v3/account")
        assert (status, answer["code"]) == (401, -2015)
    key, secret = await sandbox.create_key(spot={"USDT": "12.5"})
    async with Client(sandbox.url, key, secret) as owner:
        status, answer = await owner.signed("GET", "/api/v3/account")
        assert (status, [each["free"] for each in answer["balances"]]) == (200, ["12.50000000"])
        assert (await owner.signed("GET", "/api/v3/account", at=NOW() - 10))[1]["code"] == -1021
        assert (await owner.signed("GET", "/api/v3/account", at=NOW() + 10))[1]["code"] == -1021
        owner.secret = "wrong"
        assert (await owner.signed("GET", "/api/v3/account"))[1]["code"] == -1022


async def test_the_first_secret_that_a_key_introduces_is_kept(sandbox: SandboxProcess) -> None:
    async with Client(sandbox.url, "sandbox-introduced", "first") as owner:
        owner.introduce = True
        assert (await owner.signed("GET", "/api/v3/account"))[0] == 200
        owner.secret = "second"
        status, answer = await owner.signed("GET", "/api/v3/account")
        assert (status, answer["code"]) == (400, -1022)


async def test_depth_differences_continue_the_snapshot(client: Client) -> None:
    async with client.socket("/ws") as socket:
        await socket.send_json(
            {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms", "btcusdt@trade"], "id": 1}
        )
        await next_message(socket, lambda message: message.get("id") == 1)
        first = await next_message(socket, lambda message: message.get("e") == "depthUpdate")
        _, snapshot = await client.public("/api/v3/depth", symbol="BTCUSDT", limit=1000)
        levels = {side: dict(map(tuple, snapshot[side])) for side in ("bids", "asks")}
        last, expected = snapshot["lastUpdateId"], first["u"] + 1
        for _ in range(10):
            update = await next_message(socket, lambda message: message.get("e") == "depthUpdate")
            assert update["U"] == expected
            expected = update["u"] + 1
            if update["u"] <= last:
                continue
            for side, changes in (("bids", update["b"]), ("asks", update["a"])):
                for price, amount in changes:
                    levels[side][price] = amount
        bids = [Decimal(price) for price, amount in levels["bids"].items() if Decimal(amount)]
        asks = [Decimal(price) for price, amount in levels["asks"].items() if Decimal(amount)]
        assert max(bids) < min(asks)


async def test_candle_streams_push_the_candle_that_rest_gives_once_it_has_closed(client: Client) -> None:
    async with client.socket("/stream?streams=btcusdt@kline_1s") as socket:
        closed = await next_message(socket, lambda message: message["data"]["k"]["x"])
    kline = closed["data"]["k"]
    assert closed["stream"] == "btcusdt@kline_1s"
    _, rows = await client.public(
        "/api/v3/klines", symbol="BTCUSDT", interval="1s", startTime=kline["t"], endTime=kline["t"]
    )
    assert [row[:6] for row in rows] == [[kline[name] for name in "tohlcv"]]


async def test_the_user_stream_tells_of_orders_fills_and_balances(client: Client) -> None:
    socket = await client.user_stream()
    await client.buy(type="MARKET", quantity="0.01", newClientOrderId="told")

    new = await next_message(socket, lambda message: message["event"]["e"] == "executionReport")
    trade = await next_message(socket, lambda message: message["event"].get("x") == "TRADE")
    balances = await next_message(socket, lambda message: message["event"]["e"] == "outboundAccountPosition")

    assert (new["event"]["x"], new["event"]["c"]) == ("NEW", "told")
    assert (trade["event"]["c"], trade["event"]["N"]) == ("told", "BTC")
    assert {each["a"] for each in balances["event"]["B"]} == {"USDT", "BTC"}
    await socket.close()


async def test_a_deposit_is_told_and_may_not_take_more_than_there_is(
    client: Client, sandbox: SandboxProcess
) -> None:
    socket = await client.user_stream()
    deposit = {"key": client.key, "market": "spot", "asset": "USDT"}
    await sandbox.request("POST", "/_sandbox/deposits", {**deposit, "change": -50})
    told = await next_message(socket, lambda message: message["event"]["e"] == "balanceUpdate")
    assert (told["event"]["a"], told["event"]["d"]) == ("USDT", "-50.00000000")
    assert await client.free("USDT") == 99_950
    with pytest.raises(RuntimeError, match="422"):
        await sandbox.request("POST", "/_sandbox/deposits", {**deposit, "change": -1_000_000})
    await socket.close()


async def test_a_cancelled_order_is_named_by_its_first_client_id(client: Client) -> None:
    socket = await client.user_stream()
    price = await far_bid(client)
    await client.buy(type="LIMIT", quantity="0.01", price=price, newClientOrderId="gone")
    await client.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="gone")

    report = await next_message(socket, lambda message: message["event"].get("x") == "CANCELED")

    assert report["event"]["C"] == "gone"
    await socket.close()


async def test_a_wrong_signature_is_refused_by_the_websocket_api(client: Client, sandbox: SandboxProcess) -> None:
    key, _ = await sandbox.create_key()
    async with Client(sandbox.url, key, "wrong") as impostor, impostor.socket("/ws-api/v3") as socket:
        request = {
            "id": 9,
            "method": "userDataStream.subscribe.signature",
            "params": impostor.subscribe_parameters(),
        }
        await socket.send_json(request)
        answer = await socket.receive_json(timeout=5)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (9, 400, -1022)


async def test_many_requests_at_once_are_all_answered(client: Client) -> None:
    price = await far_bid(client)
    answers = await asyncio.gather(
        *(client.buy(type="LIMIT", quantity="0.001", price=price, newClientOrderId=f"n{i}") for i in range(60))
    )
    assert {status for status, _ in answers} == {200}
    assert len({order["orderId"] for _, order in answers}) == 60
