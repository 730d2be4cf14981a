"""Accounts in a tree of their own: real database, real engine hosts, real simulated exchange."""

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aviary.actors.accounts.connector import Connector
from aviary.actors.accounts.portfolio import Portfolio
from aviary.actors.accounts.registry import AccountRegistry
from aviary.actors.accounts.trading import TradingService
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Probe
from aviary.actors.core.system import System
from aviary.actors.hosts.engine_host import EngineHost
from aviary.actors.hosts.template import TemplateKeeper
from aviary.actors.markets.catalogue import Catalogue
from aviary.actors.messages.accounts import AddCredential, CreateAccount
from aviary.actors.messages.connectors import ConnectorStatus, GetConnectorStatus
from aviary.actors.messages.database import Transact
from aviary.actors.messages.engine import GetHost
from aviary.actors.messages.sandbox import SandboxInfo
from aviary.actors.messages.trading import CancelledOrder, CancelOrder, PlacedOrder, PlaceOrder
from aviary.persistence.orders import Order
from aviary.persistence.repositories import Repositories
from aviary.sandbox.testing import SandboxProcess
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.accounts import SupervisedAccounts
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from aviary.supervisors.tree import ROOT_INTENSITY, ROOT_PERIOD
from databases import database_children
from pydantic import SecretStr

PASSWORD = SecretStr("config password")
PATIENCE = 25.0
QUICK = Backoff(first=0.05, cap=1.0)
NUMBERS = itertools.count(1)


class Exchange:
    """The simulated exchange, for tests that are not coroutines."""

    def __init__(self, process: SandboxProcess, runner: asyncio.Runner) -> None:
        self.process = process
        self.url = process.url
        self._runner = runner

    def key(self) -> str:
        """A key nobody has used."""
        return f"sandbox-{next(NUMBERS)}-key"

    def orders(self, key: str, *, open_only: bool = False) -> list[dict[str, Any]]:
        return self._runner.run(self.process.orders(key, open_only=open_only))

    def positions(self, key: str) -> list[dict[str, Any]]:
        return self._runner.run(self.process.positions(key))

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


class World:
    """The accounts' part of a tree in threads of its own; its methods are called from tests."""

    def __init__(self, home: Path, sandbox_url: str, compare_interval: float = 2.0) -> None:
        self.home = home
        self.credentials = home / "bots" / "credentials"
        self.sandbox_url = sandbox_url
        self.compare_interval = compare_interval
        self.system = System.live()
        self.loop = self.system.dispatcher("work").loop
        self._tree = Tree(self.system, self._spec())

    def run[R](self, work: Coroutine[Any, Any, R], timeout: float = 60.0) -> R:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._tree.start(), self.system.kernel.loop).result(60)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._tree.stop(), self.system.kernel.loop).result(60)
        self.system.shutdown()

    def ask[R](self, address: str, message: Message[R], timeout: float = PATIENCE) -> R:
        return self.system.ask_blocking(address, message, timeout=timeout)

    def _spec(self) -> SupervisorSpec:
        branch = SupervisedAccounts(self.system, self._host, self._connector)
        market = SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(
                ChildSpec("host", lambda: self._host("market"), backoff=QUICK),
                ChildSpec("catalogue", Catalogue, backoff=QUICK),
            ),
        )
        return SupervisorSpec(
            park=True,
            intensity=ROOT_INTENSITY,
            period=ROOT_PERIOD,
            children=(
                *database_children(self.home / "aviary.sqlite"),
                ChildSpec("template", lambda: TemplateKeeper(self.home / "t", self.home / "template.log")),
                ChildSpec("sandbox", lambda: Probe(lambda _: SandboxInfo(url=self.sandbox_url, pid=0))),
                ChildSpec(
                    "accounts",
                    lambda: Supervisor(SupervisorSpec(dynamic=True, intensity=None)),
                    kind="supervisor",
                    settings=SUPERVISOR_SETTINGS,
                ),
                ChildSpec("account-registry", lambda: AccountRegistry(self.credentials, PASSWORD, branch)),
                ChildSpec("market", lambda: Supervisor(market), kind="supervisor", settings=SUPERVISOR_SETTINGS),
                ChildSpec("trading", TradingService),
                ChildSpec("portfolio", Portfolio),
            ),
        )

    def _host(self, name: str) -> EngineHost:
        return EngineHost(self.home / "hosts" / name, self.home / f"host-{name}.log")

    def _connector(self, account: str, connector: str) -> Connector:
        return Connector(
            account, connector, self.credentials / account, PASSWORD, compare_interval=self.compare_interval
        )

    # What tests do

    def connect(self, account: str, key: str, connector: str = "sandbox") -> str:
        """An account with a credential, ready to trade; the connector's address."""
        if not (self.credentials / account).exists():
            self.ask("account-registry", CreateAccount(account_name=account))
        values = {f"{connector}_api_key": SecretStr(key), f"{connector}_api_secret": SecretStr("secret")}
        add = AddCredential(account_name=account, connector_name=connector, values=values)
        self.ask("account-registry", add, timeout=60)
        self.wait_until_ready(f"accounts/{account}/{connector}")
        return f"accounts/{account}/{connector}"

    def wait_until_ready(self, address: str, timeout: float = PATIENCE) -> None:
        """Wait until a connector takes orders, be it this incarnation or a later one."""
        ready = threading.Event()
        end = self.system.bus.subscribe(f"{address}/phase", lambda _t, phase: phase == "ready" and ready.set())
        try:
            if self.system.cell(address) is not None and self.status(address).phase == "ready":
                return
            assert ready.wait(timeout), f"{address} was not ready within {timeout} s"
        finally:
            end()

    def place(self, account: str, price: str | None = "20000", side: str = "BUY", **changes: Any) -> PlacedOrder:
        fields: dict[str, Any] = {
            "account_name": account,
            "connector_name": "sandbox",
            "trading_pair": "BTC-USDT",
            "trade_type": side,
            "amount": "0.01",
            "price": price,
            **changes,
        }
        return self.ask("trading", PlaceOrder.model_validate(fields), timeout=30)

    def cancel(self, account: str, order_id: str, connector: str = "sandbox") -> CancelledOrder:
        message = CancelOrder(account_name=account, connector_name=connector, client_order_id=order_id)
        return self.ask("trading", message, timeout=30)

    def transact[R](self, work: Callable[[Repositories], R]) -> R:
        return self.ask("database", Transact(work=work))

    def order(self, account: str, order_id: str, connector: str = "sandbox") -> Order:
        found = self.transact(lambda r: r.orders.get(account, connector, order_id))
        assert found is not None
        return found

    def status(self, address: str) -> ConnectorStatus:
        _, account, connector = address.split("/")
        return self.ask(address, GetConnectorStatus(account_name=account, connector_name=connector))

    def host_pid(self, account: str) -> int:
        pid = self.ask(f"accounts/{account}/host", GetHost()).pid
        assert pid is not None
        return pid

    def signal_host(self, account: str, number: int = signal.SIGKILL) -> int:
        pid = self.host_pid(account)
        os.kill(pid, number)
        return pid

    def until(self, holds: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Look again and again until something holds."""
        deadline = self.system.clock.monotonic() + timeout
        while not holds():
            assert self.system.clock.monotonic() < deadline, f"it did not come about within {timeout} s"
            threading.Event().wait(0.2)

    def until_order(self, account: str, order_id: str, *states: str, timeout: float = PATIENCE) -> Order:
        """The order once it is in one of the states."""
        heard = threading.Event()
        end = self.system.bus.subscribe(f"accounts/{account}/sandbox/orders", lambda _t, _e: heard.set())
        deadline = self.system.clock.monotonic() + timeout
        try:
            while True:
                heard.clear()
                order = self.order(account, order_id)
                if order.state in states:
                    return order
                left = deadline - self.system.clock.monotonic()
                if left <= 0:
                    raise AssertionError(f"{order_id} is {order.state}, not {states}, after {timeout} s")
                heard.wait(min(left, 0.5))
        finally:
            end()
