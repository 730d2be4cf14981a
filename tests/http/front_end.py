"""A front end on a real port, in front of a real system: what the tests of this folder share."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aviary.actors.core.system import System
from aviary.config.settings import Settings
from aviary.http.app import STREAMS, create_app
from aviary.http.runner import runner_of
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from pydantic import SecretStr
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aviary.http.routing import Row

USER, PASSWORD = "ann", "correct horse"

LOGIN = {"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}

DEADLINE = 10.0
"""Seconds after which something that a test waits for has not happened."""


class FrontEnd:
    """The server's address and system, and a client that knows the password."""

    def __init__(self, url: str, system: System, client: aiohttp.ClientSession, app: web.Application) -> None:
        self.url = url
        self.system = system
        self.client = client
        self.streams = app[STREAMS]
        self._router = app.router

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Status, decoded body and headers of an answer; the path is sent as it is written."""
        async with self.client.request(method, URL(self.url + path, encoded=True), **more) as response:
            body = await response.read()
            return response.status, await response.json() if body else None, response.headers

    async def route_of(self, method: str, path: str) -> str:
        """The path, with placeholders, of the route that a request is given to."""
        found = await self._router.resolve(make_mocked_request(method, path))
        assert found.route.resource is not None, f"{method} {path} leads nowhere"
        return found.route.resource.canonical

    async def bytes_of(self, text: bytes) -> bytes:
        """What the server says to exactly these bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(text)
        await writer.drain()
        async with asyncio.timeout(DEADLINE):
            answer = await reader.read(65536)
        writer.close()
        return answer

    async def cut_after(self, text: bytes) -> None:
        """Send exactly these bytes, and end the connection once the server has them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(text)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(DEADLINE):
            await reader.read()
        writer.close()

    @asynccontextmanager
    async def socket(self, path: str, **more: Any) -> AsyncIterator[Socket]:
        """A websocket; `more` goes to aiohttp."""
        async with self.client.ws_connect(self.url + path, **more) as socket:
            yield Socket(socket)


class Socket:
    """A websocket client that expects JSON in time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = socket

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self.raw.send_str(json.dumps(frame))

    async def hear(self, *kinds: str) -> dict[str, Any]:
        """The next frame, or the next one of these types."""
        async with asyncio.timeout(DEADLINE):
            while True:
                frame: dict[str, Any] = json.loads(await self.raw.receive_str())
                if not kinds or frame["type"] in kinds:
                    return frame

    async def ask(self, **frame: Any) -> dict[str, Any]:
        """Send a frame and answer with the next one."""
        await self.say(**frame)
        return await self.hear()

    async def end(self) -> int | None:
        """The code that the server closes with."""
        async with asyncio.timeout(DEADLINE):
            while (await self.raw.receive()).type not in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}:
                pass
        return self.raw.close_code


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def front_end(
    rows: tuple[Row, ...] = (),
    *children: ChildSpec | Callable[[System], ChildSpec],
    start: bool = True,
    **more: Any,
) -> AsyncIterator[FrontEnd]:
    """Serve `rows` in front of a tree of `children`; `more` are settings, `max_body` and `limits`."""
    app_options = {name: more.pop(name) for name in ("max_body", "limits") if name in more}
    settings = Settings(username=USER, password=SecretStr(PASSWORD), **more)
    system = System.live()
    specs = tuple(child if isinstance(child, ChildSpec) else child(system) for child in children)
    tree = Tree(system, SupervisorSpec(park=True, children=specs, intensity=100))
    if start:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tree.start(), system.kernel.loop))
    app = create_app(system, settings, rows, **app_options)
    runner = runner_of(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession(headers=LOGIN, timeout=aiohttp.ClientTimeout(DEADLINE)) as client:
            yield FrontEnd(url, system, client, app)
    finally:
        await runner.cleanup()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tree.stop(), system.kernel.loop))
        system.shutdown()
