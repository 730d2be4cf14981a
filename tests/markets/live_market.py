"""The tree's part for market data for real: the simulated exchange, the engine host, feeds and a front end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aviary.actors.core.simulation import Probe
from aviary.actors.core.system import System
from aviary.actors.hosts.engine_host import EngineHost
from aviary.actors.hosts.template import TemplateKeeper
from aviary.actors.markets.feed import PATIENCE, Patience
from aviary.actors.markets.feed_registry import FeedRegistry
from aviary.actors.markets.market_data import MarketData
from aviary.actors.messages.feeds import FeedKind
from aviary.actors.messages.sandbox import SandboxInfo
from aviary.config.settings import Settings
from aviary.http.app import create_app
from aviary.http.routes.market_data import ROWS
from aviary.sandbox.testing import SandboxProcess, running_sandbox
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.feeds import SupervisedFeeds
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

HOST = "market/host"
LOGIN = {"Authorization": aiohttp.encode_basic_auth("ann", "secret")}

DEADLINE = 30.0
"""Seconds; real processes on a machine that is busy with other tests."""

HASTY: Mapping[FeedKind, Patience] = {**PATIENCE, "order_book": Patience(2.0, 30.0)}
"""A book is called stale after two seconds: the simulated exchange changes it several times a second."""


class Socket:
    """A websocket client that keeps every frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.frames: list[dict[str, Any]] = []

    async def hear(
        self, *kinds: str, such: Callable[[dict[str, Any]], bool] = lambda _frame: True
    ) -> dict[str, Any]:
        """The next frame of one of these types that is such."""
        async with asyncio.timeout(DEADLINE):
            while True:
                frame: dict[str, Any] = json.loads(await self._socket.receive_str())
                self.frames.append(frame)
                if (not kinds or frame["type"] in kinds) and such(frame):
                    return frame

    async def since(
        self, mark: int, kind: str, such: Callable[[dict[str, Any]], bool] = lambda _frame: True
    ) -> dict[str, Any]:
        """The first frame like this after the first `mark` ones, past or still to come."""
        past = (frame for frame in self.frames[mark:] if frame["type"] == kind and such(frame))
        return next(past, None) or await self.hear(kind, such=such)

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self._socket.send_str(json.dumps(frame))

    async def ask(self, **frame: Any) -> dict[str, Any]:
        """Send a frame; the next one is its answer."""
        await self.say(**frame)
        return await self.hear()


class Market:
    """A running system with its address."""

    def __init__(self, url: str, system: System, exchange: SandboxProcess, client: aiohttp.ClientSession) -> None:
        self.url = url
        self.system = system
        self.exchange = exchange
        self._client = client

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded body of an answer."""
        async with self._client.request(method, self.url + path, json=body) as response:
            return response.status, await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        """The body of an answer that has to be a good one."""
        status, answer = await self.call("POST", path, body)
        assert status == 200, answer
        return answer

    async def get(self, path: str) -> Any:
        """The body of an answer that has to be a good one."""
        status, answer = await self.call("GET", path)
        assert status == 200, answer
        return answer

    @asynccontextmanager
    async def socket(self, path: str = "/ws/market-data") -> AsyncIterator[Socket]:
        """A websocket that has been greeted."""
        async with self._client.ws_connect(self.url + path) as raw:
            socket = Socket(raw)
            assert (await socket.hear())["type"] == "connected"
            yield socket

    def alarms(self) -> list[str]:
        return [alarm.name for alarm in self.system.alarms.standing()]


@asynccontextmanager
async def live_market(folder: Path) -> AsyncIterator[Market]:
    """Start everything in `folder`, and stop it at the end."""
    system = System.live()
    async with running_sandbox(folder / "sandbox") as exchange:
        tree = Tree(system, SupervisorSpec(park=True, children=tuple(_children(system, exchange, folder))))
        await _in_kernel(system, tree.start())
        app = create_app(system, Settings(username="ann", password=SecretStr("secret")), ROWS)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(headers=LOGIN, timeout=aiohttp.ClientTimeout(60)) as client:
                yield Market(url, system, exchange, client)
        finally:
            await runner.cleanup()
            await _in_kernel(system, tree.stop())
            system.shutdown()


def _children(system: System, exchange: SandboxProcess, folder: Path) -> list[ChildSpec]:
    info = SandboxInfo(url=exchange.url, pid=exchange.pid)

    def host() -> EngineHost:
        return EngineHost(folder / "host", folder / "host.log")

    return [
        ChildSpec("template", lambda: TemplateKeeper(folder / "template", folder / "template.log")),
        ChildSpec("sandbox", lambda: Probe(lambda _message: info)),
        _supervisor("market", SupervisorSpec(intensity=None, children=(ChildSpec("host", host),))),
        _supervisor("feeds", SupervisorSpec(dynamic=True, intensity=None)),
        ChildSpec("feed-registry", lambda: FeedRegistry(SupervisedFeeds(system, HOST, HASTY), HOST)),
        ChildSpec("market-data", lambda: MarketData(HOST)),
    ]


def _supervisor(name: str, spec: SupervisorSpec) -> ChildSpec:
    return ChildSpec(name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS)


async def _in_kernel(system: System, work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, system.kernel.loop))
