"""A small world for feeds: an exchange, an engine host that reads it, and the real tree above them."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Invalid, NotFound, Refusal
from aviary.actors.core.simulation import Simulation
from aviary.actors.markets.feed_registry import FeedRegistry
from aviary.actors.markets.market_data import MarketData
from aviary.actors.messages.engine import CallHost
from aviary.actors.messages.feeds import REGISTRY, FeedEvent, FeedKey, OpenFeed
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.feeds import SupervisedFeeds
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor

HOST = "market/host"
DESK = "market-data"
SECOND = Backoff(first=1.0, factor=2.0, cap=8.0, jitter=0.0)
COLUMNS = 10

BOOK = FeedKey(kind="order_book", connector="binance", trading_pair="BTC-USDT")
TRADES = FeedKey(kind="trades", connector="binance", trading_pair="BTC-USDT")
TICKER = FeedKey(kind="ticker", connector="binance", trading_pair="BTC-USDT")
CANDLES = FeedKey(kind="candles", connector="binance", trading_pair="BTC-USDT", interval="1m")


class Break(Message[None]):
    """Makes the host die."""


class Exchange:
    """The outside world: what the host finds there, and what it did."""

    def __init__(self) -> None:
        self.pairs = {"binance": ["BTC-USDT", "ETH-USDT"], "binance_perpetual": ["BTC-USDT"]}
        self.refusal: Refusal | None = None
        """What opening a feed is refused with."""
        self.open: Counter[str] = Counter()
        """Feeds that are open in the host that lives now."""
        self.opened: Counter[str] = Counter()
        """How often each was opened, ever."""
        self.memory: dict[str, dict[str, Any] | None] = {}
        """What the host remembers of each feed."""
        self.calls: list[CallHost] = []

    def answer(self, call: CallHost) -> Any:
        self.calls.append(call)
        arguments = call.arguments
        match call.method:
            case "all_trading_pairs":
                return self.pairs_of(arguments["connector_name"])
            case "open_feed":
                return self.open_feed(arguments)
            case "close_feed":
                return bool(self.open.pop(arguments["topic"], 0))
            case "feed_snapshot":
                return self.snapshot(**arguments)
            case "list_candle_connectors":
                return sorted(self.pairs)
            case "historical_candles":
                return self.candles(**arguments)
            case "prices":
                return dict.fromkeys(arguments["trading_pairs"], "100.5")
            case "funding_info":
                return {"trading_pair": "BTC-USDT", "funding_rate": "0.0001", "next_funding_time": 1_700_000_000}
            case _:
                raise TypeError(call.method)

    def pairs_of(self, connector: str) -> list[str]:
        if connector not in self.pairs:
            raise NotFound(f"there is no connector {connector}")
        return self.pairs[connector]

    def open_feed(self, arguments: dict[str, Any]) -> str:
        if self.refusal is not None:
            raise self.refusal
        if arguments["interval"] == "1s":
            raise Invalid("the interval 1s is not one of 1m, 5m", "interval")
        topic = f"feed/{FeedKey.model_validate(_key_fields(arguments)).path}"
        self.open[topic] += 1
        self.opened[topic] += 1
        return topic

    def snapshot(self, topic: str, depth: int | None = None) -> dict[str, Any] | None:
        if not self.open[topic]:
            raise NotFound(f"{topic} is not open")
        known = self.memory.get(topic)
        if known is not None and depth is not None:
            return {**known, "bids": known["bids"][:depth], "asks": known["asks"][:depth]}
        return known

    def candles(self, start: int, end: int, **_: Any) -> list[list[float]]:
        return [
            [float(at)] + [1.0] * (COLUMNS - 1) for at in range(start - start % 60, end + 1, 60) if at >= start
        ]


def _key_fields(arguments: dict[str, Any]) -> dict[str, Any]:
    names = {"kind": "kind", "connector_name": "connector", "trading_pair": "trading_pair", "interval": "interval"}
    return {name: arguments[sent] for sent, name in names.items()}


class Host(AsyncActor):
    """An engine host in one process with the rest: its feeds end when it does."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange

    async def prepare(self) -> None:
        self.exchange.open.clear()

    def receive(self, message: Any) -> Any:
        match message:
            case CallHost():
                return self.exchange.answer(message)
            case Break():
                raise RuntimeError("the host was broken")
            case _:
                return super().receive(message)


class World:
    """The tree's part for market data, simulated."""

    def __init__(self, sim: Simulation, *, max_feeds: int = 500, default: str | None = "binance") -> None:
        self.sim = sim
        self.system = sim.system
        self.exchange = Exchange()
        self.events: list[FeedEvent] = []
        self.system.bus.subscribe("feeds/", self._hear)
        spec = SupervisorSpec(
            park=True,
            children=(
                _supervisor(
                    "market",
                    SupervisorSpec(
                        intensity=None, children=(ChildSpec("host", lambda: Host(self.exchange), backoff=SECOND),)
                    ),
                ),
                _supervisor("feeds", SupervisorSpec(dynamic=True, intensity=None)),
                ChildSpec(
                    "feed-registry",
                    lambda: FeedRegistry(SupervisedFeeds(self.system, HOST), HOST, max_feeds=max_feeds),
                    backoff=SECOND,
                ),
                ChildSpec("market-data", lambda: MarketData(HOST, default), backoff=SECOND),
            ),
        )
        self._tree = Tree(self.system, spec)
        sim.run(self._tree.start())

    def stop(self) -> None:
        self.sim.run(self._tree.stop())

    def _hear(self, _topic: str, event: Any) -> None:
        self.events.append(event)

    def ask(self, address: str, message: Message[Any], timeout: float = 30.0) -> Any:
        return self.sim.run(self.system.ask(address, message, timeout=timeout))

    def together(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        async def all_of_it() -> list[Any]:
            return await asyncio.gather(*work, return_exceptions=True)

        return self.sim.run(all_of_it())

    def asking(self, address: str, message: Message[Any], timeout: float = 30.0) -> Coroutine[Any, Any, Any]:
        return self.system.ask(address, message, timeout=timeout)

    def open(self, key: FeedKey, *, hold: bool = False) -> str:
        address: str = self.ask(REGISTRY, OpenFeed(key=key, hold=hold))
        return address

    def say(self, key: FeedKey, *, ago: float = 0.0, **data: Any) -> bytes:
        """The host publishes something of a feed; answers the bytes."""
        payload = {"trading_pair": key.trading_pair, **data, "timestamp": self.sim.clock.now() - ago}
        sent: bytes = orjson.dumps(payload)
        self.system.bus.publish(f"{HOST}/feed/{key.path}", sent)
        self.sim.settle()
        return sent

    def say_book(self, key: FeedKey = BOOK, bids: Iterable[Any] = ((99.0, 1.0),)) -> bytes:
        return self.say(key, bids=list(bids), asks=[[101.0, 2.0]])

    def say_status(self, key: FeedKey, state: str, age: float | None = None) -> None:
        now = self.sim.clock.now()
        heard_at = None if age is None else now - age
        status = {"state": state, "detail": "ValueError", "heard_at": heard_at, "age": age, "sent_at": now}
        self.system.bus.publish(f"{HOST}/feed_status/{key.path}", orjson.dumps(status))
        self.sim.settle()

    def keep(self, key: FeedKey, seconds: float, *, talking: bool = False) -> None:
        """Let time pass while somebody needs the feed."""
        for _ in range(int(seconds)):
            self.system.tell(REGISTRY, OpenFeed(key=key))
            if talking:
                self.say_book(key)
            self.sim.advance(1.0)

    def break_host(self) -> None:
        self.system.tell(HOST, Break())
        self.sim.settle()

    def heard(self, key: FeedKey) -> list[str]:
        return [event.what for event in self.events if event.key == key]

    def state(self, address: str) -> str | None:
        cell = self.system.cell(address)
        return None if cell is None else cell.view(0, 0).state

    def alarms(self) -> list[str]:
        return [alarm.name for alarm in self.system.alarms.standing()]


def _supervisor(name: str, spec: SupervisorSpec) -> ChildSpec:
    return ChildSpec(
        name, lambda: Supervisor(spec), kind="supervisor", settings=SUPERVISOR_SETTINGS, backoff=SECOND
    )
