"""Neighbours of the engine: a warm template, the simulated exchange, and hosts between them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aviary.actors.engine.processes.launch import HOST_ENTRY, Job, Template, launch_with_port
from aviary.config.clock import SystemClock
from aviary.sandbox.testing import SandboxProcess, running_sandbox
from engine_neighbours import Host, connect


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
