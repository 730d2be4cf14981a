"""The websocket endpoints: public streams, listen-key streams, and the spot websocket API."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any

from aiohttp import web
from aviary.sandbox.exchange import Exchange
from aviary.sandbox.faults import FaultKind
from aviary.sandbox.instruments import Market
from aviary.sandbox.refusals import Refused, illegal
from aviary.sandbox.web.connections import Connection
from aviary.sandbox.web.context import check_timestamp
from aviary.sandbox.web.listen_keys import ListenKeys
from aviary.sandbox.web.parameters import Parameters
from aviary.sandbox.web.streams import Streams
from aviary.sandbox.web.user_streams import UserStreams

PING_PERIOD = 20.0
"""Seconds between the exchange's own pings."""

type Endpoint = Callable[[web.Request], Awaitable[web.WebSocketResponse]]


class Sockets:
    """All websocket connections."""

    def __init__(self, exchange: Exchange, listen_keys: ListenKeys) -> None:
        self._exchange = exchange
        self._listen_keys = listen_keys
        self._connections: set[Connection] = set()
        self._subscriptions = count()
        self.streams = {market: Streams(market, exchange) for market in Market}
        self.user_streams = UserStreams(exchange)

    def watched(self) -> set[tuple[Market, str]]:
        """Symbols to which somebody listens."""
        return set().union(*(each.watched() for each in self.streams.values()))

    def step(self) -> None:
        """Push what is due, and cut connections that a fault cuts."""
        now = self._exchange.clock.now()
        for streams in self.streams.values():
            streams.step(now)
        for connection in list(self._connections):
            if connection.concerned(FaultKind.DROP_WEBSOCKETS) or connection.concerned(FaultKind.DOWN):
                connection.abort()

    def abort(self, chosen: Callable[[Connection], bool]) -> int:
        """Cut chosen connections; gives their number."""
        found = [each for each in self._connections if chosen(each)]
        for connection in found:
            connection.abort()
        return len(found)

    def public(self, market: Market, *, combined: bool) -> Endpoint:
        """An endpoint for public streams, and for user streams by listen key."""

        async def endpoint(request: web.Request) -> web.WebSocketResponse:
            names = request.match_info.get("names") or ""
            if combined:
                names = request.query.get("streams", "")
            wanted = [each for each in names.split("/") if each]
            listen_key = request.query.get("listenKey")
            return await self._serve(
                request, market, wanted + ([listen_key] if listen_key else []), combined=combined
            )

        return endpoint

    async def _serve(
        self, request: web.Request, market: Market, wanted: list[str], *, combined: bool
    ) -> web.WebSocketResponse:
        streams = self.streams[market]
        socket, connection = await self._accepted(request, market)
        try:
            async with _Writer(connection):
                for name in wanted:
                    self._begin(connection, name, combined=combined)
                while (message := await connection.read()) is not None:
                    self._stream_request(connection, streams, message, combined=combined)
        finally:
            self._ended(connection)
        return socket

    def _begin(self, connection: Connection, name: str, *, combined: bool) -> bool:
        key = self._listen_keys.owner(connection.market, name)
        if key is not None:
            self.user_streams.add(connection, key)
            return True
        return self.streams[connection.market].subscribe(connection, name, combined=combined)

    def _stream_request(
        self, connection: Connection, streams: Streams, message: dict[str, Any], *, combined: bool
    ) -> None:
        number = message.get("id")
        asked = message.get("params") or []
        if not isinstance(asked, list):
            error = {"code": 2, "msg": "Invalid request: params must be an array"}
            connection.send_json({"error": error, "id": number})
            return
        names = [str(each) for each in asked]
        result: list[str] | None = None
        match message.get("method"):
            case "SUBSCRIBE":
                for name in names:
                    self._begin(connection, name, combined=combined)
            case "UNSUBSCRIBE":
                for name in names:
                    streams.unsubscribe(connection, name)
            case "LIST_SUBSCRIPTIONS":
                result = streams.subscriptions(connection)
            case _:
                error = {"code": 2, "msg": "Invalid request: unknown variant"}
                connection.send_json({"error": error, "id": number})
                return
        connection.send_json({"result": result, "id": number})

    # The spot websocket API

    async def api(self, request: web.Request) -> web.WebSocketResponse:
        """The endpoint of the spot websocket API."""
        socket, connection = await self._accepted(request, Market.SPOT)
        try:
            async with _Writer(connection):
                while (message := await connection.read()) is not None:
                    connection.send_json(self._api_answer(connection, message))
        finally:
            self._ended(connection)
        return socket

    def _api_answer(self, connection: Connection, message: dict[str, Any]) -> dict[str, Any]:
        number = message.get("id")
        parameters = message.get("params") or {}
        try:
            if not isinstance(parameters, dict):
                raise illegal("params", "an object")
            result = self._api_result(connection, str(message.get("method")), parameters)
        except Refused as refused:
            error = {"code": refused.code, "msg": refused.message}
            return {"id": number, "status": refused.status, "error": error}
        return {"id": number, "status": 200, "result": result}

    def _api_result(self, connection: Connection, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": int(self._exchange.clock.now() * 1000)}
            case "userDataStream.subscribe.signature":
                key = self._signed_key(parameters)
                subscription = next(self._subscriptions)
                self.user_streams.add(connection, key, subscription)
                return {"subscriptionId": subscription}
            case "userDataStream.unsubscribe":
                number = parameters.get("subscriptionId")
                if isinstance(number, int):
                    self.user_streams.remove(connection, number)
                return {}
            case _:
                raise Refused(-1102, "Unknown method.")

    def _signed_key(self, parameters: dict[str, Any]) -> str:
        values = {str(name): str(value) for name, value in parameters.items()}
        key = self._exchange.keys.known(values.get("apiKey"))
        signature = values.pop("signature", "")
        check_timestamp(Parameters(values), self._exchange.clock.now())
        payload = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
        self._exchange.keys.verify(key, [payload], signature)
        return key

    # Connections

    async def _accepted(self, request: web.Request, market: Market) -> tuple[web.WebSocketResponse, Connection]:
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1 << 20)
        await socket.prepare(request)
        connection = Connection(request, socket, market, self._exchange.faults)
        self._connections.add(connection)
        return socket, connection

    def _ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self.user_streams.forget(connection)
        self.streams[connection.market].forget(connection)


class _Writer:
    """Runs a connection's writing for as long as its reading goes on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._write())

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _write(self) -> None:
        # A client that has gone away ends the reading side, which ends this task.
        with suppress(ConnectionError):
            await self._connection.write()
