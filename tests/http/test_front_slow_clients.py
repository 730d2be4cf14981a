"""A client that does not read is conflated, then disconnected with the reason, and slows nobody else."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from typing import TYPE_CHECKING

from aviary.http.streams.connection import Limits
from front_end import DEADLINE, LOGIN, FrontEnd, eventually, front_end
from test_front_streams import BOOK, RELEASED, SUBSCRIBE, TICKER, World, book, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = "x" * 1_000_000

SHORT = Limits(high_water=64 * 1024, patience=0.2, retry=0.02, close_timeout=5.0)


class SleepyClient:
    """A websocket with a tiny receive buffer that reads only when told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, front: FrontEnd) -> SleepyClient:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", int(front.url.rpartition(":")[2])))
        reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {RELEASED} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: {LOGIN['Authorization']}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    def say(self, text: str) -> None:
        payload = text.encode()
        length = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self._writer.write(b"\x81" + length + b"\0\0\0\0" + payload)

    async def read_to_the_end(self) -> bytes:
        async with asyncio.timeout(DEADLINE):
            return await self._reader.read(-1)

    def close(self) -> None:
        self._writer.transport.abort()


def frames_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each frame."""
    at = 0
    while at < len(data):
        opcode, length = data[at] & 0x0F, data[at + 1]
        at += 2
        if length == 126:
            length, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif length == 127:
            length, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        yield opcode, data[at : at + length]
        at += length


async def test_a_slow_client_is_disconnected_with_the_reason_while_another_gets_every_update() -> None:
    world = World()
    async with front_end((), *world.children, limits=SHORT) as front, front.socket(RELEASED) as quick:
        await quick.hear()
        await quick.ask(**SUBSCRIBE, type="order_book")
        await quick.hear()
        slow = await SleepyClient.connect(front)
        slow.say(
            '{"action": "subscribe", "type": "ticker", "connector": "sandbox", "trading_pair": "BTC-USDT", '
            '"update_interval": 0.25}'
        )
        await eventually(
            lambda: any(one["subscriptions"] for one in front.streams.statistics()["connections"][1:])
        )

        price = 100.0
        heard: list[float] = []
        largest = 0
        while not (state := front.streams.statistics()["connections"][1])["closing"]:
            largest = max(largest, state["buffered"])
            price += 1
            publish(front, TICKER, {"last": price, "blob": MEGABYTE})
            publish(front, BOOK, book(price))
            heard.append((await quick.hear("order_book"))["data"]["bids"][0][0])

        everything = list(frames_in(await slow.read_to_the_end()))
        slow.close()

        assert everything[-1][0] == 8
        assert int.from_bytes(everything[-1][1][:2], "big") == 1013
        assert heard == [101.0 + number for number in range(len(heard))]
        assert largest < 2.5 * len(MEGABYTE)


async def test_a_client_that_asks_and_does_not_read_is_not_read_either() -> None:
    limits = Limits(high_water=16 * 1024, patience=0.2, retry=0.02, close_timeout=0.1)
    async with front_end((), *World().children, limits=limits) as front:
        slow = await SleepyClient.connect(front)
        largest = 0
        async with asyncio.timeout(DEADLINE):
            while connections := front.streams.statistics()["connections"]:
                largest = max(largest, connections[0]["buffered"])
                for _ in range(200):
                    slow.say('{"action": "ping"}')
                await asyncio.sleep(0)
        slow.close()

        assert largest < 64 * 1024
