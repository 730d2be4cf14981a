"""A sandbox process that the tests of this folder share, each with a key of its own."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
from aviary.sandbox.testing import SandboxProcess, running_sandbox
from sandbox_client import Client

_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with asyncio.Runner() as runner:
        opened = running_sandbox(tmp_path_factory.mktemp("sandbox"), seed=7)
        yield runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
async def sandbox(shared_sandbox: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    yield shared_sandbox
    await shared_sandbox.clear_faults()


@pytest.fixture
async def client(sandbox: SandboxProcess) -> AsyncIterator[Client]:
    async with Client(sandbox.url, f"sandbox-test-{next(_numbers)}") as client:
        yield client
        await sandbox.clear_faults()
        await client.cancel_everything()
