"""What all accounts are asked for together: filters that fit nobody, and requests that make no sense."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aviary.actors.accounts.registry import AccountRegistry
from aviary.actors.accounts.trading import TradingService
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Invalid, NotFound
from aviary.actors.core.simulation import Probe, Simulation
from aviary.actors.messages.accounts import Connection, ListAccounts, ListConnections
from aviary.actors.messages.trading import GetLastFundingPayments, ListFundingPayments, SetPositionMode
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from pydantic import SecretStr


class NoBranch:
    """Starts nobody."""

    async def start_account(self, account: str) -> None:
        """Nothing."""

    async def stop_account(self, account: str) -> None:
        """Nothing."""

    async def start_connector(self, account: str, connector: str) -> None:
        """Nothing."""

    async def stop_connector(self, account: str, connector: str) -> None:
        """Nothing."""


class World:
    """The real desk, with a connector that was paid funding at three moments."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.known = True
        desk = Connection(account_name="desk", connector_name="x_perpetual", address="connector")
        self._tree = Tree(
            sim.system,
            SupervisorSpec(
                children=(
                    ChildSpec("account-registry", lambda: Probe(lambda asked: self.registered(asked, desk))),
                    ChildSpec("connector", lambda: Probe(self.payments)),
                    ChildSpec("trading", TradingService),
                )
            ),
        )
        sim.run(self._tree.start())

    def registered(self, message: Any, desk: Connection) -> tuple[Any, ...]:
        if isinstance(message, ListAccounts):
            return ("desk",)
        return (desk,) if self.known else ()

    def payments(self, message: Any) -> Any:
        assert isinstance(message, GetLastFundingPayments)
        return tuple({"trading_pair": "BTC-USDT", "timestamp": moment} for moment in (1000.0, 2000.0, 3000.0))

    def ask(self, message: Message[Any]) -> Any:
        return self.sim.run(self.sim.system.ask("trading", message, timeout=60))

    def stop(self) -> None:
        self.sim.run(self._tree.stop())


@pytest.fixture
def world() -> Iterator[World]:
    with Simulation() as sim:
        world = World(sim)
        yield world
        world.stop()


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({}, 3),
        ({"start_time": 2000}, 2),
        ({"end_time": 2000}, 2),
        ({"start_time": 1500, "end_time": 2500}, 1),
        ({"start_time": 3001}, 0),
        ({"trading_pair": "ETH-USDT"}, 0),
    ],
)
def test_funding_payments_are_chosen_by_time(world: World, question: dict[str, Any], found: int) -> None:
    page = world.ask(ListFundingPayments(**question))

    assert (len(page.data), page.pagination.total_count) == (found, found)


@pytest.mark.parametrize("known", [True, False])
def test_a_position_mode_that_there_is_not_is_refused_before_anybody_is_looked_for(
    world: World, known: bool
) -> None:
    world.known = known

    with pytest.raises(Invalid, match="Invalid position mode 'DIAGONAL'"):
        world.ask(SetPositionMode(account_name="desk", connector_name="x_perpetual", position_mode="DIAGONAL"))


def test_a_request_for_nobody_is_not_found(world: World) -> None:
    world.known = False

    with pytest.raises(NotFound, match="Account 'desk' has no connector"):
        world.ask(SetPositionMode(account_name="desk", connector_name="x_perpetual", position_mode="hedge"))


@pytest.mark.parametrize(
    ("accounts", "connectors", "found"),
    [
        (None, None, ["desk/sandbox", "desk/x_perpetual", "spare/sandbox"]),
        (("nosuch",), None, []),
        (("nosuch", "spare"), None, ["spare/sandbox"]),
        (("../desk",), None, []),
        (("spare", "spare"), None, ["spare/sandbox"]),
        (("desk",), ("sandbox", "nosuch"), ["desk/sandbox"]),
        (None, ("nosuch",), []),
    ],
)
def test_credentials_are_chosen_and_unknown_ones_are_none(
    tmp_path: Path, accounts: Any, connectors: Any, found: list[str]
) -> None:
    for credential in ("desk/sandbox", "desk/x_perpetual", "spare/sandbox"):
        account, connector = credential.split("/")
        (tmp_path / account / "connectors").mkdir(parents=True, exist_ok=True)
        (tmp_path / account / "connectors" / f"{connector}.yml").touch()
    with Simulation() as sim:
        spec = ChildSpec("registry", lambda: AccountRegistry(tmp_path, SecretStr("x"), NoBranch()))
        tree = Tree(sim.system, SupervisorSpec(children=(spec,)))
        sim.run(tree.start())

        wanted = ListConnections(account_names=accounts, connector_names=connectors)
        connections = sim.run(sim.system.ask("registry", wanted, timeout=5))
        sim.run(tree.stop())

    assert [f"{one.account_name}/{one.connector_name}" for one in connections] == found
