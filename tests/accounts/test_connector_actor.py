"""A connector actor between a scripted host and a database in memory, on virtual time."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import orjson
import peewee
import pytest
from aviary.actors.accounts.connector import Connector
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import NotFound, Rejected, Unavailable
from aviary.actors.core.simulation import Simulation
from aviary.actors.messages.connectors import GetConnectorStatus, WaitUntilReady
from aviary.actors.messages.database import Fetch, Transact
from aviary.actors.messages.engine import CallHost, NothingDone, OutcomeUnknown
from aviary.actors.messages.trading import CancelOrder, PlacedOrder, PlaceOrder
from aviary.config.clock import FakeClock
from aviary.persistence.migrations import migrate
from aviary.persistence.orders import Order
from aviary.persistence.repositories import Repositories
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

RULE = {
    "min_order_size": "0.001",
    "min_price_increment": "0.01",
    "min_base_amount_increment": "0.001",
    "min_notional_size": "5",
    "supports_limit_orders": True,
    "supports_market_orders": True,
}
ADDRESS = "accounts/desk/sandbox"


class Venue:
    """The exchange as it really is, and what may go wrong on the way to it."""

    def __init__(self) -> None:
        self.orders: dict[str, str] = {}
        """State by client order id."""
        self.placements: list[str] = []
        self.trouble: list[str] = []
        """What becomes of the next writes: fine, late, lost_before, lost_after, host_lost, rejected, nothing."""
        self.answering = True
        self.answering_questions = True
        """Whether it says what became of a single order."""
        self.number = 0

    def next_trouble(self) -> str:
        return self.trouble.pop(0) if self.trouble else "fine"

    def facts(self, name: str) -> dict[str, Any]:
        return {
            "client_order_id": name,
            "exchange_order_id": f"e-{name}",
            "state": self.orders[name],
            "executed_base": "1" if self.orders[name] == "FILLED" else "0",
        }

    def fills(self, name: str) -> list[dict[str, Any]]:
        if self.orders[name] != "FILLED":
            return []
        fill = {"trade_id": f"t-{name}", "client_order_id": name, "trading_pair": "BTC-USDT", "side": "BUY"}
        return [{**fill, "amount": "1", "price": "100", "timestamp": 1.0, "fees": {"USDT": "0.1"}}]


class Host(AsyncActor):
    """An engine host whose exchange is a `Venue`."""

    def __init__(self, venue: Venue) -> None:
        super().__init__()
        self._venue = venue
        self.silent = False
        self.opened = 0
        self.told_after: float | None = None
        """If given, an order is filled while the list of open orders is asked for, and the user stream tells it
        so many seconds after the exchange made that list."""

    async def prepare(self) -> None:
        self._open = False
        self.spawn(self._mention(), "mention")

    async def _mention(self) -> None:
        while True:
            await asyncio.sleep(5)
            if self._open and not self.silent:
                self.say("connector", {"ready": True})

    def receive(self, message: Any) -> Any:
        match message:
            case CallHost(method=method, arguments=arguments):
                return getattr(self, f"_{method}")(**arguments)
            case _:
                return super().receive(message)

    def _open_connector(self, **_: Any) -> dict[str, Any]:
        self._open = True
        self.opened += 1
        self.say("connector", {"ready": True})
        return {}

    def say(self, kind: str, event: dict[str, Any]) -> None:
        self.publish(f"{self.address}/{kind}/sandbox", orjson.dumps(event))

    def _order_types(self, **_: Any) -> list[str]:
        return ["LIMIT", "MARKET"]

    def _trading_rules(self, **_: Any) -> dict[str, Any]:
        return {"BTC-USDT": RULE}

    def _new_order_id(self, **_: Any) -> str:
        self._venue.number += 1
        return f"x{self._venue.number}"

    def _restore_orders(self, **_: Any) -> int:
        return 0

    def _forget_order(self, **_: Any) -> None:
        return None

    def _place_order(self, client_order_id: str, **_: Any) -> dict[str, Any]:
        venue = self._venue
        trouble = venue.next_trouble()
        if trouble == "nothing":
            raise NothingDone("the rules are not known yet")
        if trouble == "rejected":
            return {"outcome": "rejected", "text": "no money", "order": None}
        if trouble == "late":
            asyncio.get_running_loop().call_later(1.0, self._arrive, client_order_id)
        elif trouble != "lost_before":
            self._arrive(client_order_id)
        if trouble == "host_lost":
            raise OutcomeUnknown("the host is gone")
        if trouble in {"late", "lost_before", "lost_after"}:
            return {"outcome": "unresolved", "text": "time-out", "order": None}
        return {"outcome": "open", "text": None, "order": venue.facts(client_order_id)}

    def _arrive(self, client_order_id: str) -> None:
        self._venue.orders[client_order_id] = "OPEN"
        self._venue.placements.append(client_order_id)

    def _cancel_order(self, client_order_id: str, **_: Any) -> dict[str, Any]:
        venue = self._venue
        trouble = venue.next_trouble()
        if trouble in {"lost_before", "nothing"} or not venue.answering:
            return {"outcome": "unresolved", "text": "time-out"}
        if venue.orders.get(client_order_id) != "OPEN":
            return {"outcome": "not_found", "text": "unknown order"}
        if trouble == "rejected":
            return {"outcome": "rejected", "text": "too late"}
        venue.orders[client_order_id] = "CANCELED"
        return {"outcome": "cancelled" if trouble == "fine" else "unresolved", "text": None}

    def _query_order(self, client_order_id: str, **_: Any) -> dict[str, Any]:
        venue = self._venue
        if not (venue.answering and venue.answering_questions):
            return {"outcome": "unresolved", "text": "HTTP 503", "order": None, "fills": []}
        if client_order_id not in venue.orders:
            return {"outcome": "not_found", "text": "unknown order", "order": None, "fills": []}
        facts, fills = venue.facts(client_order_id), venue.fills(client_order_id)
        return {"outcome": "found", "text": None, "order": facts, "fills": fills}

    def _open_orders(self, **_: Any) -> Any:
        if not self._venue.answering:
            raise NothingDone("the exchange did not answer")
        return self._resting() if self.told_after is None else self.defer(self._slow_list(self.told_after))

    def _resting(self) -> list[dict[str, Any]]:
        return [self._venue.facts(name) for name, state in self._venue.orders.items() if state == "OPEN"]

    async def _slow_list(self, told_after: float) -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.5)
        for row in self._resting()[:1]:
            name = row["client_order_id"]
            self._venue.orders[name] = "FILLED"
            loop.call_later(0.5 + told_after, self._tell, name)
        await asyncio.sleep(0.5)
        listed = self._resting()
        await asyncio.sleep(0.5)
        return listed

    def _tell(self, name: str) -> None:
        for fill in self._venue.fills(name):
            self.say("fill", fill)
        self.say("order", {**self._venue.facts(name), "event": "completed"})


class Memory(AsyncActor):
    """The database, in memory and on the simulation's thread."""

    def __init__(self, database: peewee.Database) -> None:
        super().__init__()
        self._database = database

    def receive(self, message: Any) -> Any:
        match message:
            case Transact(work=work) | Fetch(work=work):
                with self._database.atomic():
                    return work(Repositories(self._database))
            case _:
                return super().receive(message)


class Stage:
    """A tree with a database, a host and a connector."""

    def __init__(self, seed: int = 0) -> None:
        self.sim = Simulation(seed, shuffle=True)
        self.venue = Venue()
        self.database = peewee.SqliteDatabase(":memory:")
        migrate(self.database, FakeClock())
        self.repositories = Repositories(self.database)
        self.host: Host | None = None

    def __enter__(self) -> Self:
        self.sim.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.sim.__exit__(None, None, None)
        self.database.close()

    def start(self) -> None:
        def host() -> Host:
            self.host = Host(self.venue)
            return self.host

        desk = SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(
                ChildSpec("host", host),
                ChildSpec("sandbox", lambda: Connector("desk", "sandbox", Path("x"), SecretStr(""))),
            ),
        )
        accounts = SupervisorSpec(children=(supervisor("desk", desk),))
        spec = SupervisorSpec(
            children=(ChildSpec("database", lambda: Memory(self.database)), supervisor("accounts", accounts))
        )
        self.sim.run(Tree(self.sim.system, spec).start())

    def ask(self, message: Any, timeout: float = 30) -> Any:
        return self.sim.run(self.sim.system.ask(ADDRESS, message, timeout=timeout))

    def place(self) -> PlacedOrder:
        message = PlaceOrder(
            account_name="desk",
            connector_name="sandbox",
            trading_pair="BTC-USDT",
            trade_type="BUY",
            amount=Decimal(1),
            price=Decimal(100),
        )
        answer: PlacedOrder = self.ask(message)
        return answer

    def cancel(self, name: str) -> Any:
        return self.ask(CancelOrder(account_name="desk", connector_name="sandbox", client_order_id=name))

    def state(self, name: str) -> str:
        order = self.repositories.orders.get("desk", "sandbox", name)
        return "unknown" if order is None else order.state


def supervisor(name: str, spec: SupervisorSpec) -> ChildSpec:
    return ChildSpec(name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def ready(stage: Stage) -> Stage:
    stage.start()
    stage.ask(WaitUntilReady())
    return stage


@pytest.mark.parametrize(
    ("trouble", "at_first", "at_last"),
    [
        ("fine", "open", "open"),
        ("lost_after", "unresolved", "open"),
        ("late", "unresolved", "open"),
        ("lost_before", "unresolved", "failed"),
        ("host_lost", "unresolved", "open"),
    ],
)
def test_what_became_of_an_order_is_found_out(ready: Stage, trouble: str, at_first: str, at_last: str) -> None:
    ready.venue.trouble = [trouble]

    placed = ready.place()
    ready.sim.advance(15)

    assert placed.state == at_first
    assert ready.state(placed.order_id) == at_last
    assert len(ready.venue.placements) <= 1


def test_a_definite_no_is_told_and_kept(ready: Stage) -> None:
    ready.venue.trouble = ["rejected", "nothing"]

    with pytest.raises(Rejected, match="no money"):
        ready.place()
    with pytest.raises(Unavailable, match="not known yet"):
        ready.place()

    assert [ready.state(name) for name in ("x1", "x2")] == ["rejected", "failed"]


def test_the_intent_is_on_disk_before_the_exchange_is_asked(ready: Stage) -> None:
    seen: list[str] = []
    place = Host._place_order

    def look_first(host: Host, client_order_id: str, **more: Any) -> dict[str, Any]:
        seen.append(ready.state(client_order_id))
        return place(host, client_order_id, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Host, "_place_order", look_first)
        ready.place()

    assert seen == ["intent"]


@pytest.mark.parametrize(
    ("trouble", "at_first", "at_last"),
    [
        ("fine", "cancelled", "cancelled"),
        ("lost_after", "pending_cancel", "cancelled"),
        ("lost_before", "pending_cancel", "cancelled"),
    ],
)
def test_what_became_of_a_cancel_is_found_out(ready: Stage, trouble: str, at_first: str, at_last: str) -> None:
    placed = ready.place()
    ready.venue.trouble = [trouble]

    answer = ready.cancel(placed.order_id)
    ready.sim.advance(15)

    assert answer.state == at_first
    assert ready.state(placed.order_id) == at_last
    assert ready.venue.orders[placed.order_id] == "CANCELED"


def test_a_cancel_that_the_exchange_refuses_leaves_the_order_open(ready: Stage) -> None:
    placed = ready.place()
    ready.venue.trouble = ["rejected"]

    with pytest.raises(Rejected, match="too late"):
        ready.cancel(placed.order_id)
    ready.sim.advance(15)

    assert ready.state(placed.order_id) == "open"


def test_a_cancel_of_a_filled_order_says_so(ready: Stage) -> None:
    placed = ready.place()
    ready.venue.orders[placed.order_id] = "FILLED"

    with pytest.raises(NotFound, match="it is filled"):
        ready.cancel(placed.order_id)

    order = ready.repositories.orders.get("desk", "sandbox", placed.order_id)
    assert order is not None
    assert (order.filled_amount, order.fee_paid) == (Decimal(1), Decimal("0.1"))


def left_over(stage: Stage) -> None:
    """Write down an intent of an earlier life."""
    now = stage.sim.clock.now()
    left = Order(
        client_order_id="left",
        account="desk",
        connector="sandbox",
        trading_pair="BTC-USDT",
        side="BUY",
        order_type="LIMIT",
        amount=Decimal(1),
        price=Decimal(100),
        created_at=now,
        updated_at=now,
    )
    stage.repositories.orders.record_intent(left)


def test_no_order_is_taken_before_those_of_an_earlier_life_are_accounted_for(stage: Stage) -> None:
    left_over(stage)
    stage.venue.orders["left"] = "OPEN"
    stage.venue.answering = False
    stage.start()
    stage.sim.advance(20)

    with pytest.raises(Unavailable, match="takes no orders now: the exchange did not answer"):
        stage.place()
    assert stage.sim.system.alarms.standing()[0].name == f"connector:{ADDRESS}"
    stage.venue.answering = True
    stage.sim.advance(10)

    assert stage.state("left") == "open"
    assert stage.place().state == "open"
    assert stage.sim.system.alarms.standing() == ()


def test_no_order_is_taken_while_the_fate_of_one_that_does_not_rest_there_is_unknown(stage: Stage) -> None:
    left_over(stage)
    stage.venue.orders["left"] = "FILLED"
    stage.venue.answering_questions = False
    stage.start()
    stage.sim.advance(5)

    with pytest.raises(Unavailable, match="said nothing about 1 orders"):
        stage.place()
    stage.venue.answering_questions = True
    stage.sim.advance(10)

    assert stage.state("left") == "filled"
    assert stage.place().state == "open"


def test_a_fill_that_is_told_twice_counts_once(ready: Stage) -> None:
    placed = ready.place()
    ready.venue.orders[placed.order_id] = "FILLED"
    host = ready.host
    assert host is not None

    for fill in ready.venue.fills(placed.order_id) * 2:
        host.say("fill", fill)
    ready.sim.advance(20)

    order = ready.repositories.orders.get("desk", "sandbox", placed.order_id)
    assert order is not None
    assert (order.state, order.filled_amount) == ("filled", Decimal(1))


def test_a_deaf_user_stream_is_noticed_and_the_connector_built_anew(ready: Stage) -> None:
    names = [ready.place().order_id for _ in range(3)]
    for name in names:
        ready.venue.orders[name] = "FILLED"

    ready.sim.advance(20)

    assert [ready.state(name) for name in names] == ["filled"] * 3
    assert (opened(ready), restarts(ready)) == (2, 0)


@pytest.mark.parametrize("lag", [-0.4, 0.2, 1.0])
def test_what_the_user_stream_tells_within_a_second_is_not_called_untold(ready: Stage, lag: float) -> None:
    """Orders are filled while the exchange is asked what rests there."""
    host = ready.host
    assert host is not None
    names = [ready.place().order_id for _ in range(5)]

    host.told_after = lag
    ready.sim.advance(60)

    assert [ready.state(name) for name in names] == ["filled"] * 5
    assert (opened(ready), restarts(ready)) == (1, 0)


def opened(stage: Stage) -> int:
    """How often the connector was built in its host."""
    assert stage.host is not None
    return stage.host.opened


def restarts(stage: Stage) -> int:
    cell = stage.sim.system.cell(ADDRESS)
    assert cell is not None
    return cell.restarts


def test_a_host_that_no_longer_mentions_the_connector_has_it_built_anew(ready: Stage) -> None:
    assert ready.host is not None

    ready.host.silent = True
    ready.sim.advance(30)

    assert opened(ready) > 1
    assert restarts(ready) == 0


def test_an_outage_is_said_and_over_by_itself(ready: Stage) -> None:
    host = ready.host
    assert host is not None

    host.say("connector", {"ready": False})
    ready.sim.advance(1)
    down = ready.ask(GetConnectorStatus(account_name="desk", connector_name="sandbox"))
    host.say("connector", {"ready": True})
    ready.sim.advance(1)
    up = ready.ask(GetConnectorStatus(account_name="desk", connector_name="sandbox"))

    assert (down.phase, up.phase) == ("interrupted", "ready")


TROUBLE = st.sampled_from(["fine", "late", "lost_before", "lost_after", "host_lost", "rejected", "nothing"])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.sampled_from(["place", "cancel", "fill", "outage", "crash"]), TROUBLE), max_size=12),
)
def test_whatever_goes_wrong_each_intent_has_at_most_one_order_and_nothing_is_lost(
    seed: int, steps: list[tuple[str, str]]
) -> None:
    with Stage(seed) as stage:
        stage.start()
        for what, trouble in steps:
            act(stage, what, trouble)
        stage.venue.answering, stage.venue.trouble = True, []
        stage.sim.advance(120)

        assert len(stage.venue.placements) == len(set(stage.venue.placements))
        words = {"OPEN": "open", "FILLED": "filled", "CANCELED": "cancelled"}
        for name, state in stage.venue.orders.items():
            assert stage.state(name) == words[state]
        for order in stage.repositories.orders.live("desk"):
            assert stage.venue.orders[order.client_order_id] == "OPEN"


def act(stage: Stage, what: str, trouble: str) -> None:
    venue = stage.venue
    venue.trouble = [trouble]
    resting = [name for name, state in venue.orders.items() if state == "OPEN"]
    try:
        match what:
            case "place":
                stage.place()
            case "cancel" if resting:
                stage.cancel(resting[0])
            case "fill" if resting:
                venue.orders[resting[-1]] = "FILLED"
            case "outage":
                venue.answering = not venue.answering
            case "crash":
                # No host handles this one.
                stage.sim.system.tell("accounts/desk/host", WaitUntilReady())
                stage.sim.advance(0.2)
    except (Unavailable, Rejected, NotFound):
        return
