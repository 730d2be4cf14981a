"""Executors in a tree of their own: real database, real engine hosts, real simulated exchange."""

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from account_world import PATIENCE, QUICK, Exchange, World
from aviary.actors.core.message import Message
from aviary.actors.core.simulation import Probe
from aviary.actors.executors.executor import Executor
from aviary.actors.executors.registry import ExecutorRegistry
from aviary.actors.messages.executors import (
    REGISTRY,
    CreatedExecutor,
    CreateExecutor,
    GetExecutor,
    StopExecutor,
    StoppedExecutor,
)
from aviary.actors.messages.market_data import Prices
from aviary.persistence.executors import KeptExecutor
from aviary.supervisors.branches.executors import SupervisedExecutors
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

PAIR = "BTC-USDT"

type Row = dict[str, Any]


class ExecutorWorld(World):
    """Accounts, and what executors need beside them."""

    def _spec(self) -> SupervisorSpec:
        spec = super()._spec()
        branch = SupervisedExecutors(self.system, Executor)
        more = (
            ChildSpec("market-data", lambda: Probe(_prices)),
            ChildSpec(
                "executors",
                lambda: Supervisor(SupervisorSpec(dynamic=True, intensity=None)),
                kind="supervisor",
                settings=SUPERVISOR_SETTINGS,
            ),
            ChildSpec(REGISTRY, lambda: ExecutorRegistry(branch), backoff=QUICK),
        )
        return replace(spec, children=(*spec.children, *more))

    def create(self, account: str, config: Row, **more: Any) -> CreatedExecutor:
        """Begin an executor."""
        wanted = CreateExecutor(executor_config=config, account_name=account, **more)
        return self.ask(REGISTRY, wanted, timeout=70.0)

    def end(self, executor_id: str, *, keep: bool = False) -> StoppedExecutor:
        return self.ask(REGISTRY, StopExecutor(executor_id=executor_id, keep_position=keep))

    def row(self, executor_id: str) -> Row:
        return self.ask(REGISTRY, GetExecutor(executor_id=executor_id))

    def kept(self, executor_id: str) -> KeptExecutor:
        kept = self.transact(lambda r: r.executors.get(executor_id))
        assert kept is not None
        return kept

    def orders_of(self, executor_id: str) -> list[str]:
        """Ids of the orders that were written down for an executor, oldest first."""
        orders = self.transact(lambda r: r.executors.orders(executor_id))
        return [one.order.client_order_id for one in orders]

    def until(self, executor_id: str, what: str, look: Callable[[Row], Any], timeout: float = PATIENCE) -> Row:
        """An executor's row as soon as `look` finds something in it."""
        return self._when(f"executors/{executor_id}/", what, lambda: self.row(executor_id), look, timeout)

    def until_settled(self, executor_id: str, timeout: float = 45.0) -> KeptExecutor:
        """What is kept of an executor once it has ended and all its orders are accounted for."""
        return self._when(
            f"executors/{executor_id}/",
            "settled",
            lambda: self.kept(executor_id),
            lambda kept: kept.settled,
            timeout,
        )

    def until_lives(self, executor_id: str, number: int) -> None:
        """Wait until an executor's actor lives for the given time."""
        address = f"executors/{executor_id}"

        def life() -> tuple[int, str]:
            cell = self.system.cell(address)
            assert cell is not None
            return cell.incarnation, cell.state

        self._when(f"{address}/", f"life {number}", life, lambda found: found == (number, "running"), PATIENCE)

    def until_logged(self, executor_id: str, words: str) -> None:
        """Wait until an executor has logged a line with these words."""

        def lines() -> Any:
            return self.transact(lambda r: r.executors.logs(executor_id, None, 100))[0]

        self._when(
            f"executors/{executor_id}/",
            f"{words!r} is logged",
            lines,
            lambda found: any(words in line.message for line in found),
            PATIENCE * 2,
        )

    def until_orders(self, account: str, connector: str, what: str, look: Callable[[], Any]) -> None:
        """Wait until `look` finds something, looking after each change of the connector's orders."""
        self._when(f"accounts/{account}/{connector}/", what, lambda: None, lambda _: look(), PATIENCE)

    def _when[T](
        self, topic: str, what: str, read: Callable[[], T], look: Callable[[T], Any], timeout: float
    ) -> T:
        heard = threading.Event()
        end = self.system.bus.subscribe(topic, lambda _topic, _event: heard.set())
        deadline = self.system.clock.monotonic() + timeout
        try:
            while True:
                heard.clear()
                found = read()
                if look(found):
                    return found
                left = deadline - self.system.clock.monotonic()
                assert left > 0, f"waited {timeout:g} s in vain until {what}: {found}"
                heard.wait(min(left, 0.5))
        finally:
            end()


def _prices(message: Message[Any]) -> Prices:
    pairs = getattr(message, "trading_pairs", ())
    return Prices(connector="sandbox", prices=dict.fromkeys(pairs, 70_000.0), timestamp=0.0)


class Books:
    """What one key has in one pair on one of the exchange's markets, by the exchange's own books."""

    def __init__(self, exchange: Exchange, key: str, pair: str = PAIR, market: str = "spot") -> None:
        self._exchange = exchange
        self._key = key
        self._base = pair.split("-", maxsplit=1)[0]
        self._symbol = pair.replace("-", "")
        self._market = market

    def fills(self) -> list[Row]:
        return [row for row in self._exchange.fills(self._key, self._market) if row["symbol"] == self._symbol]

    def held(self) -> Decimal:
        """Base units bought more than sold, fees in base taken off."""
        fees = sum((Decimal(row["fee"]) for row in self.fills() if row["fee_asset"] == self._base), Decimal(0))
        return self.traded("BUY") - self.traded("SELL") - fees

    def traded(self, side: str) -> Decimal:
        return sum((Decimal(row["amount"]) for row in self.fills() if row["side"] == side), Decimal(0))

    def open_orders(self) -> list[Row]:
        rows = self._exchange.orders(self._key, open_only=True)
        return [row for row in rows if (row["market"], row["symbol"]) == (self._market, self._symbol)]

    def fill(self, fraction: float) -> Row:
        """Let the oldest open order trade, behind the user stream's back."""
        order = self.open_orders()[0]
        name = order["client_order_id"]
        self._exchange.faults(
            "hidden_fill", key=self._key, market=self._market, client_order_id=name, fraction=fraction
        )
        return order

    def price(self) -> Decimal:
        return self._exchange.price(self._symbol)
