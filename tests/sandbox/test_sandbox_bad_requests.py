"""Requests that no sound client sends, over real HTTP and websockets: a refusal in Binance's form, never a crash."""

from typing import Any

import aiohttp
import pytest
from sandbox_client import Client

TOO_LARGE = str(2**63)

NUMBERS = [
    ("/api/v3/order", "orderId"),
    ("/api/v3/allOrders", "startTime"),
    ("/api/v3/myTrades", "fromId"),
    ("/fapi/v1/order", "orderId"),
    ("/fapi/v1/userTrades", "endTime"),
    ("/fapi/v1/income", "startTime"),
]


@pytest.mark.parametrize(("path", "name"), NUMBERS)
async def test_a_whole_number_of_more_than_64_bits_is_refused(client: Client, path: str, name: str) -> None:
    status, answer = await client.signed("GET", path, symbol="BTCUSDT", **{name: TOO_LARGE})

    assert (status, answer["code"]) == (400, -1100)
    assert name in answer["msg"]


async def test_a_huge_body_and_a_wrong_method_are_refused_in_the_protocols_form(client: Client) -> None:
    huge = await client.signed("POST", "/api/v3/order", symbol="x" * 100_000)
    wrong = await client.signed("PATCH", "/api/v3/order", symbol="BTCUSDT")

    assert (huge[0], huge[1]["code"]) == (413, -1101)
    assert (wrong[0], wrong[1]["code"]) == (405, -5000)


@pytest.mark.parametrize("parameters", ["text", 5, ["a"]])
async def test_the_websocket_api_refuses_parameters_that_are_no_object_and_goes_on(
    client: Client, parameters: Any
) -> None:
    async with client.socket("/ws-api/v3") as socket:
        method = "userDataStream.subscribe.signature"
        await socket.send_json({"id": 1, "method": method, "params": parameters})
        refused = await socket.receive_json(timeout=5)
        await socket.send_json({"id": 2, "method": "ping"})
        answered = await socket.receive_json(timeout=5)

    assert (refused["id"], refused["status"], refused["error"]["code"]) == (1, 400, -1100)
    assert (answered["id"], answered["status"]) == (2, 200)


@pytest.mark.parametrize("parameters", ["text", 5, {"a": 1}])
async def test_a_subscription_to_what_is_no_list_is_refused_and_the_socket_lives(
    client: Client, parameters: Any
) -> None:
    socket: aiohttp.ClientWebSocketResponse
    async with client.socket("/ws") as socket:
        await socket.send_json({"id": 1, "method": "SUBSCRIBE", "params": parameters})
        refused = await socket.receive_json(timeout=5)
        await socket.send_json({"id": 2, "method": "LIST_SUBSCRIPTIONS"})
        answered = await socket.receive_json(timeout=5)

    assert (refused["id"], refused["error"]["code"]) == (1, 2)
    assert answered == {"result": [], "id": 2}
