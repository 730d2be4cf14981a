"""A pair's stream: what counts as heard of its book, and what is started over when hummingbot has given up."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from aviary.actors.engine.markets.pair_stream import FIRST_RETRY, SPEAKING, PairStream
from aviary.config.clock import FakeClock
from hummingbot.core.network_iterator import NetworkStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAIR = "BTC-USDT"


class Tracker:
    """What hummingbot's tracker of order books shows of itself."""

    def __init__(self) -> None:
        self.data_source = Source()
        self.order_books: dict[str, Any] = {}
        self.ready = False
        self.reads = 0
        self._tracking_tasks: dict[str, asyncio.Task[Any]] = {}
        self._init_order_books_task: asyncio.Future[None] | None = None
        self._order_book_snapshot_stream: asyncio.Queue[Any] = asyncio.Queue()

    def follow(self) -> None:
        """The first book was read, and somebody keeps it."""
        self.order_books[PAIR] = SimpleNamespace(last_diff_uid=1, snapshot_uid=1)
        self._tracking_tasks[PAIR] = asyncio.ensure_future(asyncio.sleep(60))
        self.give_up()
        self.ready = True

    def give_up(self) -> None:
        self._init_order_books_task = asyncio.get_running_loop().create_future()
        self._init_order_books_task.set_result(None)

    async def _init_order_books(self) -> None:
        """The exchange does not send the book."""
        self.reads += 1

    def stop(self) -> None:
        for task in self._tracking_tasks.values():
            task.cancel()
        self._tracking_tasks.clear()
        self.ready = False


class Source:
    """Its source, with the sockets."""

    def __init__(self) -> None:
        self._ws_assistant: Any = None
        self._market_ws_assistant: Any = None
        self.answers = True

    async def _order_book_snapshot(self, pair: str) -> str:
        if not self.answers:
            raise OSError("HTTP status is 503")
        return f"the book of {pair}"


class Connector:
    """A connector without keys."""

    def __init__(self) -> None:
        self.order_book_tracker = Tracker()
        self.starts = 0

    async def check_network(self) -> NetworkStatus:
        return NetworkStatus.NOT_CONNECTED

    async def start_network(self) -> None:
        self.starts += 1

    async def stop_network(self) -> None:
        self.order_book_tracker.stop()


class Scene:
    """A stream of a pair whose book was read and is followed."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.connector = Connector()
        self.tracker = self.connector.order_book_tracker
        self.stream = PairStream(self.connector, PAIR, self.clock, ticker=None)  # type: ignore[arg-type]

    def connect(self) -> None:
        self.tracker.data_source._ws_assistant = SimpleNamespace(last_recv_time=self.clock.now())

    async def look(self) -> None:
        await self.stream.look()

    async def say(self) -> None:
        """The socket says something; time of day is what hummingbot notes."""
        self.tracker.data_source._ws_assistant.last_recv_time = self.clock.now() + 0.001
        await self.look()


@pytest_asyncio.fixture(loop_scope="session")
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    scene.tracker.follow()
    scene.connect()
    await scene.look()
    yield scene
    scene.tracker.stop()


async def test_a_socket_that_speaks_makes_a_book_young_that_somebody_keeps(scene: Scene) -> None:
    await scene.look()
    scene.clock.advance(7.0)
    assert scene.stream.book_hearing.age == pytest.approx(7.0)

    await scene.say()

    assert scene.stream.book_hearing.age == 0.0
    assert scene.stream.book_hearing.heard_at == scene.clock.now()


async def test_a_book_that_nobody_keeps_is_not_heard_of_although_the_socket_speaks(scene: Scene) -> None:
    await scene.look()
    scene.tracker._tracking_tasks.pop(PAIR).cancel()
    scene.clock.advance(20.0)

    await scene.say()

    assert scene.stream.book_hearing.age == pytest.approx(20.0)
    assert scene.stream.market_hearing.age == pytest.approx(20.0)
    assert not scene.stream.book_is_whole


async def test_after_a_new_connection_a_book_counts_once_it_was_read_anew(scene: Scene) -> None:
    await scene.look()
    scene.clock.advance(3.0)
    scene.tracker.data_source.answers = False
    scene.connect()

    await scene.say()
    assert scene.stream.book_hearing.age == pytest.approx(3.0)
    assert not scene.stream.book_is_whole

    scene.tracker.data_source.answers = True
    scene.clock.advance(FIRST_RETRY)
    await scene.look()
    assert scene.tracker._order_book_snapshot_stream.get_nowait() == f"the book of {PAIR}"
    await scene.say()
    assert scene.stream.book_hearing.age == 0.0


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
async def test_the_age_of_a_book_is_right_although_the_machine_s_clock_was_set(scene: Scene, step: float) -> None:
    await scene.look()
    scene.clock.advance(4.0)

    scene.clock.step(step)
    assert scene.stream.book_hearing.age == pytest.approx(4.0)
    await scene.say()
    scene.clock.advance(12.0)

    assert scene.stream.book_hearing.age == pytest.approx(12.0)
    assert scene.stream.book_hearing.heard_at == pytest.approx(scene.clock.now() - 12.0)


async def test_trades_and_funding_have_the_age_of_their_own_socket(scene: Scene) -> None:
    source = scene.tracker.data_source
    source._market_ws_assistant = SimpleNamespace(last_recv_time=1.0)
    await scene.look()
    scene.clock.advance(5.0)

    await scene.say()
    assert (scene.stream.book_hearing.age, scene.stream.market_hearing.age) == (0.0, 5.0)

    source._market_ws_assistant.last_recv_time = 2.0
    assert scene.stream.market_hearing.age == 0.0


async def test_a_first_book_that_could_not_be_read_is_read_again_more_and_more_patiently(scene: Scene) -> None:
    scene.tracker.ready = False
    scene.tracker.give_up()
    reads = []

    for _ in range(40):
        await scene.look()
        await asyncio.sleep(0)
        reads.append(scene.tracker.reads)
        scene.clock.advance(0.5)

    assert reads[:4] == [1, 1, 2, 2]
    assert reads[-1] == 7, "after 0, 1, 3, 7, 11, 15 and 19 seconds"
    assert scene.connector.starts == 1, "the silence of the stream itself is another matter"


async def test_a_stream_that_speaks_is_not_taken_down_because_requests_are_refused(scene: Scene) -> None:
    await scene.say()
    assert await scene.connector.check_network() is NetworkStatus.CONNECTED

    scene.clock.advance(SPEAKING + 0.1)

    assert await scene.connector.check_network() is NetworkStatus.NOT_CONNECTED
