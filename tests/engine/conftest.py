"""Neighbours of the engine: a warm template, the simulated exchange, and hosts between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aviary.actors.core.port import Port
from aviary.actors.core.port_process import ChildProcess
from aviary.actors.engine.launch import HOST_ENTRY, Job, Template, launch_with_port
from aviary.config.clock import SystemClock
from aviary.sandbox.testing import SandboxProcess, running_sandbox

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


@pytest.fixture(scope="session", autouse=True)
def _entries_of_tests_can_be_imported() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        yield


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Template]:
    folder = tmp_path_factory.mktemp("template")
    template = Template.start(folder, folder / "template.log")
    await template.ready(60)
    yield template
    template.close()
    await template.ended()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path_factory.mktemp("exchange")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def start_host(
    template: Template, exchange: SandboxProcess, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[Host]]]:
    hosts: list[Host] = []

    async def start() -> Host:
        host = Host()
        environment = {"AVIARY_SANDBOX_URL": exchange.url}
        folder = tmp_path / f"host-{len(hosts)}"
        job = Job(HOST_ENTRY, folder, folder / "host.log", environment=environment)
        host.port, host.process = await launch_with_port(template, job, SystemClock(), host.hear)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.port.close()
        host.process.kill()
        await host.process.exited()
    await exchange.clear_faults()


@pytest_asyncio.fixture(loop_scope="session")
async def host(start_host: Callable[[], Awaitable[Host]]) -> Host:
    return await start_host()


@pytest_asyncio.fixture(loop_scope="session")
async def keys(exchange: SandboxProcess) -> dict[str, str]:
    """Keys of a fresh account on the exchange."""
    key, secret = await exchange.create_key()
    return {"key": key, "secret": secret}


@pytest_asyncio.fixture(loop_scope="session")
async def spot(host: Host, keys: dict[str, str]) -> Host:
    """A host whose spot connector is ready to trade."""
    await connect(host, "sandbox", keys)
    return host


@pytest_asyncio.fixture(loop_scope="session")
async def perpetual(host: Host, keys: dict[str, str]) -> Host:
    """A host whose perpetual connector is ready to trade."""
    await connect(host, "sandbox_perpetual", keys)
    return host


async def connect(host: Host, connector: str, keys: dict[str, str]) -> None:
    fields = {f"{connector}_api_key": keys["key"], f"{connector}_api_secret": keys["secret"]}
    await host.call("open_connector", connector_name=connector, trading_pairs=[], keys=fields)
    await host.event(f"connector/{connector}", lambda status: bool(status["ready"]))
