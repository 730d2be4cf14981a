"""A real engine host, as tests speak to it."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from aviary.actors.core.ports.port import Port
from aviary.actors.core.ports.process import ChildProcess

PATIENCE = 20.0
"""Seconds; real processes on a machine that is busy with other tests."""


class Host:
    """A real engine host and what it has said."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.port: Port
        self.process: ChildProcess
        self._news = asyncio.Event()

    def hear(self, topic: str, payload: bytes) -> None:
        self.events.append((topic, orjson.loads(payload)))
        self._news.set()

    async def call(self, method: str, **arguments: Any) -> Any:
        return await self.port.call(method, PATIENCE, **arguments)

    async def event(
        self, topic: str, matches: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """The first event of a topic that matches, past or still to come."""
        seen = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                for name, payload in self.events[seen:]:
                    if name == topic and matches(payload):
                        return payload
                seen = len(self.events)
                self._news.clear()
                await self._news.wait()

    def forget(self) -> None:
        self.events.clear()


async def connect(host: Host, connector: str, keys: dict[str, str]) -> None:
    fields = {f"{connector}_api_key": keys["key"], f"{connector}_api_secret": keys["secret"]}
    await host.call("open_connector", connector_name=connector, trading_pairs=[], keys=fields)
    await host.event(f"connector/{connector}", lambda status: bool(status["ready"]))
