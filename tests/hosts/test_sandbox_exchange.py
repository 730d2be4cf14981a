import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aviary.actors.core.refusal import ActorCrashed
from aviary.actors.core.system import System
from aviary.actors.hosts.sandbox_exchange import SandboxExchange
from aviary.actors.messages.sandbox import GetSandbox, SandboxInfo
from aviary.actors.runtimes.daemon import find_daemon
from aviary.supervisors.backoff import FEED
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.tree import ROOT_INTENSITY, ROOT_PERIOD
from poison import KILLS, assert_nothing_is_set_aside


class Stage:
    """A system with nothing but the exchange's keeper."""

    def __init__(self, folder: Path) -> None:
        self.system = System.live()
        keeper = ChildSpec("sandbox", lambda: SandboxExchange(folder, folder / "log", 0, 1), backoff=FEED)
        spec = SupervisorSpec(park=True, intensity=ROOT_INTENSITY, period=ROOT_PERIOD, children=(keeper,))
        self._tree = Tree(self.system, spec)

    async def start(self) -> None:
        await self._on_kernel(self._tree.start())

    async def stop(self) -> None:
        await self._on_kernel(self._tree.stop())
        self.system.shutdown()

    async def where(self) -> SandboxInfo:
        return await self.system.ask("sandbox", GetSandbox(), timeout=15)

    async def _on_kernel(self, work: object) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.system.kernel.loop))  # type: ignore[arg-type]


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path
    daemon = find_daemon(tmp_path / "daemon.json")
    if daemon is not None:
        await daemon.terminate()


async def test_an_exchange_that_dies_is_back_at_the_same_place(folder: Path) -> None:
    stage = Stage(folder)
    await stage.start()
    before = await stage.where()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    stage.system.bus.subscribe("kernel", lambda _topic, _event: loop.call_soon_threadsafe(ended.set))

    os.kill(before.pid, signal.SIGKILL)

    async with asyncio.timeout(15):
        await ended.wait()
        after = await stage.where()
        while after.pid == before.pid:
            after = await stage.where()
    assert after.url == before.url
    await stage.stop()


async def test_it_is_back_however_often_it_is_killed_and_nothing_is_set_aside(folder: Path) -> None:
    stage = Stage(folder)
    await stage.start()
    now = await stage.where()

    for _ in range(KILLS):
        before = now
        os.kill(before.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            while now.pid == before.pid:
                with contextlib.suppress(ActorCrashed):
                    now = await stage.where()
                await asyncio.sleep(0.05)
        assert now.url == before.url

    assert_nothing_is_set_aside(stage.system)
    await stage.stop()


async def test_the_next_server_finds_the_exchange_of_the_last_one(folder: Path) -> None:
    first = Stage(folder)
    await first.start()
    before = await first.where()
    await first.stop()

    second = Stage(folder)
    await second.start()
    after = await second.where()
    await second.stop()

    assert after == before
