"""Neighbours of the accounts: one simulated exchange and one tree for all tests, an account for each."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from account_world import NUMBERS, Exchange, World
from aviary.actors.messages.accounts import DeleteAccount, ListAccounts
from aviary.actors.messages.engine import GetTemplate
from aviary.sandbox.testing import running_sandbox


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
    # Hosts that start cold, all at once, would spend the patience of the first tests.
    for _ in range(4):
        if world.ask("template", GetTemplate(patience=20.0)).template is not None:
            break
    yield world
    world.stop()


@pytest.fixture
def world(session_world: World, exchange: Exchange) -> Iterator[World]:
    yield session_world
    exchange.clear_faults()


@pytest.fixture
def account(session_world: World) -> Iterator[str]:
    """A name for an account; whatever was created under it is gone afterwards, with its host."""
    name = f"desk-{next(NUMBERS)}"
    yield name
    for created in session_world.ask("account-registry", ListAccounts()):
        if created == name or created.startswith(f"{name}-"):
            session_world.ask("account-registry", DeleteAccount(account_name=created))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
