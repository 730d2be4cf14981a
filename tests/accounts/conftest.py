"""Neighbours of the accounts: one simulated exchange and one tree for all tests, an account for each."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account_world import World
from aviary.sandbox.testing import SandboxProcess, running_sandbox

_numbers = itertools.count(1)


class Exchange:
    """The simulated exchange, for tests that are not coroutines."""

    def __init__(self, process: SandboxProcess, runner: asyncio.Runner) -> None:
        self.process = process
        self.url = process.url
        self._runner = runner

    def key(self) -> str:
        """A key nobody has used."""
        return f"sandbox-{next(_numbers)}-key"

    def orders(self, key: str, *, open_only: bool = False) -> list[dict[str, Any]]:
        return self._runner.run(self.process.orders(key, open_only=open_only))

    def faults(self, kind: str, seconds: float = 0, **parameters: Any) -> None:
        self._runner.run(self.process.faults(kind, seconds, **parameters))

    def clear_faults(self) -> None:
        self._runner.run(self.process.clear_faults())

    def kill(self) -> None:
        self._runner.run(self.process.kill())

    def start_again(self) -> None:
        self._runner.run(self.process.restart_same_port())

    def order_ids(self, key: str, *, open_only: bool = True) -> set[str]:
        return {order["client_order_id"] for order in self.orders(key, open_only=open_only)}


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with asyncio.Runner() as runner:
        running = running_sandbox(tmp_path_factory.mktemp("exchange"))
        process = runner.run(running.__aenter__())
        yield Exchange(process, runner)
        runner.run(running.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def session_world(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"), exchange.url)
    world.start()
    yield world
    world.stop()


@pytest.fixture
def world(session_world: World, exchange: Exchange) -> Iterator[World]:
    yield session_world
    exchange.clear_faults()


@pytest.fixture
def account() -> str:
    return f"desk-{next(_numbers)}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
