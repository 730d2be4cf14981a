"""One executor's actor, with a probe in place of its engine host."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import NotFound
from aviary.actors.core.simulation import Probe
from aviary.actors.core.system import System
from aviary.actors.executors.executor import Executor
from aviary.actors.keeping.database import WRITER
from aviary.actors.messages.database import Transact
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.executors import StopExecutor
from aviary.persistence.executors import KeptExecutor
from aviary.persistence.fills import Fill
from aviary.persistence.orders import Order
from aviary.persistence.repositories import Repositories
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.executors import SupervisedExecutors
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from databases import database_children

PATIENCE = 30.0

LIFE = {"type": "order_executor", "config": "{}", "notes": {}, "state": {}}

RUNNING = {"status": "RUNNING", "close_type": None, "net_pnl_quote": 0.0, "custom_info": {}}


class Stage:
    """A database, an account whose host answers as the test says, and the executor `one`."""

    def __init__(self, home: Path) -> None:
        self.system = System.live()
        self.answers: dict[str, Any] = {"executor_status": NotFound("it does not run here")}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._called = threading.Condition()
        host = ChildSpec("host", lambda: Probe(self._answer))
        account = supervisor("desk", host, ChildSpec("sandbox", Probe))
        spec = SupervisorSpec(
            park=True,
            children=(
                *database_children(home / "a.sqlite"),
                supervisor("accounts", account),
                supervisor("executors"),
            ),
        )
        self._tree = Tree(self.system, spec)
        self._on_kernel(self._tree.start())

    def close(self) -> None:
        self._on_kernel(self._tree.stop())
        self.system.shutdown()

    def begin(self, *orders: tuple[Order, Fill], **changes: Any) -> None:
        """Start the actor of an executor that is kept so, with orders that traded."""
        values = {
            "executor_id": "one",
            "account": "desk",
            "controller_id": "main",
            "type": "order_executor",
            "connector_name": "sandbox",
            "trading_pair": "BTC-USDT",
            "side": "BUY",
            "config": {},
            "life": LIFE,
            "created_at": 1.0,
            **changes,
        }

        def keep(records: Repositories) -> None:
            records.executors.add(KeptExecutor.model_validate(values))
            for order, fill in orders:
                records.executors.intend("one", order, "open")
                records.fills.record(fill, at=2.0)

        self.write(keep)
        self._on_kernel(SupervisedExecutors(self.system, Executor).start_executor("one"))

    def write[R](self, work: Callable[[Repositories], R]) -> R:
        return self.system.ask_blocking(WRITER, Transact(work=work), timeout=PATIENCE)

    def kept(self) -> KeptExecutor:
        found = self.write(lambda r: r.executors.get("one"))
        assert found is not None
        return found

    def say(self, **event: Any) -> None:
        """The host says something of the executor."""
        self.system.bus.publish("accounts/desk/host/executor/one", orjson.dumps(event))

    def called(self, method: str) -> dict[str, Any]:
        """The arguments of the host's method, once it was called."""

        def found() -> dict[str, Any] | None:
            return next((arguments for name, arguments in self.calls if name == method), None)

        with self._called:
            assert self._called.wait_for(lambda: found() is not None, PATIENCE), (method, self.calls)
        arguments = found()
        assert arguments is not None
        return arguments

    def _answer(self, message: Message[Any]) -> Any:
        if not isinstance(message, CallHost):
            return None
        with self._called:
            self.calls.append((message.method, message.arguments))
            self._called.notify_all()
        answer = self.answers.get(message.method)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _on_kernel(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.system.kernel.loop).result(PATIENCE)


def supervisor(name: str, *children: ChildSpec) -> ChildSpec:
    spec = SupervisorSpec(intensity=None, dynamic=not children, children=children)
    return ChildSpec(name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def traded(name: str, side: str, amount: str) -> tuple[Order, Fill]:
    """A filled order."""
    order = Order.model_validate(
        {
            "client_order_id": name,
            "account": "desk",
            "connector": "sandbox",
            "trading_pair": "BTC-USDT",
            "side": side,
            "order_type": "LIMIT",
            "amount": Decimal(amount),
            "price": Decimal(10),
            "created_at": 1.0,
            "updated_at": 1.0,
        }
    )
    fill = Fill.model_validate(
        {
            "trade_id": name,
            "client_order_id": name,
            "account": "desk",
            "connector": "sandbox",
            "trading_pair": "BTC-USDT",
            "side": side,
            "amount": Decimal(amount),
            "price": Decimal(10),
            "timestamp": 2.0,
        }
    )
    return order, fill


def status(**changes: Any) -> dict[str, Any]:
    return {"life": LIFE, "report": RUNNING, "ended": False, **changes}


def test_an_order_may_be_sent_once_it_is_written_down(stage: Stage) -> None:
    stage.answers["start_executor"] = status()
    stage.begin()
    assert stage.called("start_executor")["orders"] is None

    stage.say(
        kind="order",
        role="open",
        created_at=3.0,
        connector_name="sandbox",
        client_order_id="first",
        trading_pair="BTC-USDT",
        side="BUY",
        order_type="MARKET",
        amount="1",
        price=None,
        position_action="NIL",
    )

    assert stage.called("order_written") == {"executor_id": "one", "client_order_id": "first"}
    (written,) = stage.write(lambda r: r.executors.orders("one"))
    assert (written.role, written.order.state, written.order.amount) == ("open", "intent", Decimal(1))


@pytest.mark.parametrize("after_crash", ["resume", "flatten"])
def test_a_host_that_does_not_have_it_is_given_what_it_traded(stage: Stage, after_crash: str) -> None:
    stage.answers["start_executor"] = status()
    life = {**LIFE, "notes": {"levels": [1]}}

    stage.begin(traded("first", "BUY", "2"), status="RUNNING", life=life, stop="keep", after_crash=after_crash)
    given = stage.called("start_executor")

    assert (given["life"]["notes"], given["flatten"]) == ({"levels": [1]}, after_crash == "flatten")
    assert given["life"]["state"] == {"closing": "POSITION_HOLD"}
    (past,) = given["orders"]
    assert (past["client_order_id"], past["role"], past["filled_amount"]) == ("first", "open", "2")
    assert [one["amount"] for one in past["trades"]] == ["2"]


def test_one_that_the_host_has_is_not_started_again_and_what_was_missed_is_taken(stage: Stage) -> None:
    life = {**LIFE, "state": {"trailing": "0.1"}}
    stage.answers["executor_status"] = status(life=life)
    stage.begin(status="RUNNING", stop="close")

    assert stage.called("stop_executor")["keep_position"] is False
    assert stage.kept().life == life
    assert "start_executor" not in [method for method, _ in stage.calls]
    answer = stage.system.ask_blocking("executors/one", StopExecutor(executor_id="one"), timeout=PATIENCE)
    assert (answer.status, answer.keep_position) == ("stopping", False)


@pytest.mark.parametrize(
    ("close_type", "sold", "held"),
    [("POSITION_HOLD", "0.5", True), ("EARLY_STOP", "2", False), ("EARLY_STOP", "1.5", True)],
)
def test_at_the_end_what_is_left_by_its_fills_is_held(
    stage: Stage, close_type: str, sold: str, held: bool
) -> None:
    dust = [{"connector_name": "sandbox", "trading_pair": "BTC-USDT", "amount": "0.1"}]
    report = {**RUNNING, "status": "TERMINATED", "close_type": close_type, "close_timestamp": 5.0, "dust": dust}
    stage.answers["executor_status"] = status(ended=True, report=report)
    stage.begin(traded("in", "BUY", "2"), traded("out", "SELL", sold), status="RUNNING")

    stage.called("forget_executor")

    kept = stage.kept()
    assert (kept.status, kept.close_type, kept.settled, kept.held) == ("TERMINATED", close_type, True, held)
    assert kept.filled_amount_quote == float((2 + Decimal(sold)) * 10)
    standing = "executor/one/left" in [alarm.name for alarm in stage.system.alarms.standing()]
    assert standing is (held and close_type != "POSITION_HOLD")
