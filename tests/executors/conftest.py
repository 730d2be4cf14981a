"""One simulated exchange and one tree for all tests of executors, an account for each."""

from collections.abc import Iterator

import pytest
from account_fixtures import account, exchange, home
from account_world import Exchange
from aviary.actors.messages.engine import CallHost, GetTemplate
from executor_world import ExecutorWorld

TRIES = 10
"""Quarters of a minute that the template has to be there."""


@pytest.fixture(scope="session")
def session_world(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExecutorWorld]:
    world = ExecutorWorld(tmp_path_factory.mktemp("executors"), exchange.url)
    world.start()
    # A host that does not wait for it would start cold, which takes long on a busy machine.
    for _ in range(TRIES):
        if world.ask("template", GetTemplate(patience=15.0), timeout=20.0).template is not None:
            break
    world.ask("market/host", CallHost(method="executor_kinds", timeout=60.0), timeout=65.0)
    yield world
    world.stop()


@pytest.fixture
def world(session_world: ExecutorWorld, exchange: Exchange) -> Iterator[ExecutorWorld]:
    yield session_world
    exchange.clear_faults()


__all__ = ["account", "exchange", "home", "session_world", "world"]
