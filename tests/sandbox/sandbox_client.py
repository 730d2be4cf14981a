"""A small client of Binance's protocol, written from its documentation and not from the server."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from aviary.config.clock import SystemClock

Answer = tuple[int, Any]

NOW = SystemClock().now


class Client:
    """Signs requests of one key; `secret` may be wrong on purpose."""

    def __init__(self, url: str, key: str, secret: str = "secret") -> None:
        self.url = url
        self.key = key
        self.secret = secret
        self.introduce = False

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def public(self, path: str, **parameters: Any) -> Answer:
        return await self._send("GET", path, urlencode(parameters), {})

    async def signed(self, method: str, path: str, *, at: float | None = None, **parameters: Any) -> Answer:
        parameters["timestamp"] = int((NOW() if at is None else at) * 1000)
        query = urlencode(parameters)
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self.key}
        if self.introduce:
            headers["X-SANDBOX-SECRET"] = self.secret
        return await self._send(method, path, f"{query}&signature={signature}", headers)

    async def keyed(self, method: str, path: str, **parameters: Any) -> Answer:
        return await self._send(method, path, urlencode(parameters), {"X-MBX-APIKEY": self.key})

    async def _send(self, method: str, path: str, query: str, headers: dict[str, str]) -> Answer:
        address = f"{self.url}{path}"
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = self._session.request(method, address, data=query, headers=headers)
        else:
            request = self._session.request(method, f"{address}?{query}", headers=headers)
        async with request as response:
            return response.status, await response.json()

    async def buy(self, symbol: str = "BTCUSDT", **parameters: Any) -> Answer:
        return await self.order("/api/v3/order", symbol=symbol, side="BUY", **parameters)

    async def order(self, path: str, **parameters: Any) -> Answer:
        if parameters.get("type") == "LIMIT":
            parameters.setdefault("timeInForce", "GTC")
        return await self.signed("POST", path, **parameters)

    async def best(self, symbol: str = "BTCUSDT", path: str = "/api/v3") -> tuple[Decimal, Decimal]:
        _, book = await self.public(f"{path}/depth", symbol=symbol, limit=5)
        return Decimal(book["bids"][0][0]), Decimal(book["asks"][0][0])

    async def free(self, asset: str) -> Decimal:
        _, account = await self.signed("GET", "/api/v3/account")
        return next(Decimal(each["free"]) for each in account["balances"] if each["asset"] == asset)

    async def cancel_everything(self) -> None:
        _, orders = await self.signed("GET", "/api/v3/openOrders")
        for symbol in {each["symbol"] for each in orders}:
            await self.signed("DELETE", "/api/v3/openOrders", symbol=symbol)
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            await self.signed("DELETE", "/fapi/v1/allOpenOrders", symbol=symbol)

    def socket(self, path: str) -> Any:
        return self._session.ws_connect(self.url + path)

    def subscribe_parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {"apiKey": self.key, "timestamp": int(NOW() * 1000)}
        payload = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
        parameters["signature"] = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        return parameters

    async def user_stream(self) -> "aiohttp.ClientWebSocketResponse":
        socket: aiohttp.ClientWebSocketResponse = await self._session.ws_connect(self.url + "/ws-api/v3")
        request = {
            "id": "1",
            "method": "userDataStream.subscribe.signature",
            "params": self.subscribe_parameters(),
        }
        await socket.send_json(request)
        answer = await socket.receive_json(timeout=5)
        assert answer["status"] == 200, answer
        return socket


async def next_message(
    socket: aiohttp.ClientWebSocketResponse, wanted: Callable[[dict[str, Any]], bool], seconds: float = 10
) -> dict[str, Any]:
    """The next message that satisfies a condition."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectionError(f"the socket ended: {message}")
            value: dict[str, Any] = json.loads(message.data)
            if wanted(value):
                return value


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true answer of an asynchronous condition."""
    async with asyncio.timeout(seconds):
        while not (answer := await condition()):
            await asyncio.sleep(0.05)
        return answer
