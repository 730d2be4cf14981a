"""Both sides of a port, over a real socket pair."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aviary.actors.core.ports.frames import Frame, Kind, encode
from aviary.actors.core.ports.port import Port, PortClosed, PortFailure, PortOverloaded, PortRefusal, PortTimeout
from aviary.actors.core.ports.server import MAX_QUEUED, PortServer
from aviary.config.clock import FakeClock, SystemClock

DEADLINE = 5.0


class Child:
    """A child's methods, and the events it sends."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.server = PortServer(
            {"echo": self.echo, "refuse": self.refuse, "crash": self.crash, "wait": self.wait, "big": self.big}
        )

    async def echo(self, value: Any) -> Any:
        return value

    async def refuse(self) -> None:
        raise PortRefusal("invalid", "no such thing", field="colour")

    async def crash(self) -> None:
        raise ZeroDivisionError("of all things")

    async def wait(self) -> str:
        await self.gate.wait()
        return "done"

    async def big(self) -> str:
        return "x" * (17 * 1024 * 1024)


class Link:
    """A child and the port to it."""

    def __init__(self) -> None:
        self.child = Child()
        self.clock = FakeClock()
        self.events: list[tuple[str, bytes]] = []
        self.port: Port
        self.serving: asyncio.Task[str]

    async def open(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.serving = asyncio.create_task(self.child.server.serve(theirs))
        self.port = await Port.over(ours, self.clock, lambda topic, payload: self.events.append((topic, payload)))


@pytest_asyncio.fixture
async def link() -> AsyncIterator[Link]:
    link = Link()
    await link.open()
    yield link
    link.port.close()
    await asyncio.wait_for(link.serving, DEADLINE)


async def test_a_call_brings_back_what_the_method_returned(link: Link) -> None:
    value = {"a": [1, 2.5, None, "ä"], "b": True}

    assert await link.port.call("echo", DEADLINE, value=value) == value


async def test_an_expected_no_keeps_its_kind_its_words_and_its_field(link: Link) -> None:
    with pytest.raises(PortRefusal, match="no such thing") as caught:
        await link.port.call("refuse", DEADLINE)

    assert (caught.value.kind, caught.value.fields) == ("invalid", {"field": "colour"})


async def test_a_crash_inside_a_method_fails_that_call_only(link: Link) -> None:
    with pytest.raises(PortFailure, match="ZeroDivisionError: of all things"):
        await link.port.call("crash", DEADLINE)

    assert await link.port.call("echo", DEADLINE, value=1) == 1


async def test_an_unknown_method_is_refused(link: Link) -> None:
    with pytest.raises(PortRefusal, match="there is no method nonsense"):
        await link.port.call("nonsense", DEADLINE)


async def test_a_slow_call_holds_up_no_other(link: Link) -> None:
    slow = asyncio.create_task(link.port.call("wait", DEADLINE))

    assert await link.port.call("echo", DEADLINE, value="quick") == "quick"

    link.child.gate.set()
    assert await slow == "done"


async def test_a_call_without_an_answer_times_out_and_its_late_answer_is_ignored(link: Link) -> None:
    with pytest.raises(PortTimeout, match="wait was not answered"):
        await link.port.call("wait", 0.01)

    link.child.gate.set()
    assert await link.port.call("echo", DEADLINE, value=2) == 2
    assert link.port.outstanding == 0


async def test_all_calls_fail_at_once_when_the_child_dies(link: Link) -> None:
    calls = [asyncio.create_task(link.port.call("wait", 60)) for _ in range(5)]
    await link.port.call("echo", DEADLINE, value=0)

    link.serving.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), DEADLINE)

    assert all(isinstance(outcome, PortClosed) for outcome in outcomes)
    assert await asyncio.wait_for(link.port.closed(), DEADLINE) == "the peer hung up"
    with pytest.raises(PortClosed):
        await link.port.call("echo", DEADLINE, value=0)
    link.serving = asyncio.create_task(_nothing())


async def test_an_answer_that_is_too_big_fails_its_call_and_not_the_port(link: Link) -> None:
    with pytest.raises(PortFailure, match="exceeds the limit"):
        await link.port.call("big", DEADLINE)

    assert await link.port.call("echo", DEADLINE, value=3) == 3


async def test_no_more_calls_are_let_through_than_are_bounded(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aviary.actors.core.ports.port.MAX_OUTSTANDING", 2)
    calls = [asyncio.create_task(link.port.call("wait", DEADLINE)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(PortOverloaded):
        await link.port.call("echo", DEADLINE, value=4)

    link.child.gate.set()
    assert await asyncio.gather(*calls) == ["done", "done"]


async def test_event_payloads_arrive_as_the_very_bytes_that_were_sent(link: Link) -> None:
    payload = b'{"n": 1.50,  "kept": "as it is"}'

    link.child.server.push("fill/binance", payload)
    await link.port.call("echo", DEADLINE, value=0)

    assert link.events == [("fill/binance", payload)]


async def test_every_frame_moves_last_heard(link: Link) -> None:
    link.clock.advance(7)
    assert link.port.silence() == 7

    await link.port.call("echo", DEADLINE, value=0)

    assert link.port.silence() == 0


async def test_a_peer_that_speaks_nonsense_is_hung_up_on() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    port = await Port.over(ours, SystemClock())
    with theirs:
        theirs.send(b"GET / HTTP/1.1\r\n\r\n" * 10)

        assert "unreadable" in await asyncio.wait_for(port.closed(), DEADLINE)


async def _readable(sock: socket.socket) -> None:
    """Return once the peer has sent something: its first heartbeat."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, arrived.set)
    async with asyncio.timeout(DEADLINE):
        await arrived.wait()
    loop.remove_reader(sock)


async def test_a_slow_server_gets_the_newest_of_each_topic_and_every_event_that_must_arrive() -> None:
    server = PortServer({})
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    serving = asyncio.create_task(server.serve(theirs))
    await _readable(ours)
    filling = b"x" * 100_000
    for number in range(200):
        server.push_newest("book/A", b"%d" % number + filling)
        server.push_newest("book/B", b"%d" % number + filling)
    for number in range(50):
        server.push("fill", b"%d" % number)

    received: list[tuple[str, bytes]] = []
    port = await Port.over(ours, SystemClock(), lambda topic, payload: received.append((topic, payload)))
    async with asyncio.timeout(DEADLINE):
        while sum(topic == "fill" for topic, _ in received) < 50 or not _newest(received, "book/B"):
            await asyncio.sleep(0.01)

    assert [payload for topic, payload in received if topic == "fill"] == [b"%d" % n for n in range(50)]
    assert len(received) < 100
    assert _newest(received, "book/A").startswith(b"199")
    server.push("fill", b"after")
    server.push_newest("book/A", b"after")
    async with asyncio.timeout(DEADLINE):
        while received[-2:] != [("fill", b"after"), ("book/A", b"after")]:
            await asyncio.sleep(0.01)
    port.close()
    await serving


async def test_a_server_that_never_reads_loses_the_port_rather_than_an_event_that_must_arrive() -> None:
    server = PortServer({})
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours:
        serving = asyncio.create_task(server.serve(theirs))
        await asyncio.sleep(0)
        for _ in range(MAX_QUEUED + 3000):
            server.push("fill", b"x" * 1000)

        assert "does not read" in await asyncio.wait_for(serving, DEADLINE)


async def test_the_child_beats_without_being_asked() -> None:
    server = PortServer({})
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    with ours:
        serving = asyncio.create_task(server.serve(theirs))
        beat = encode(Frame(Kind.HEARTBEAT, 0, "", b""))

        received = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, len(beat)), DEADLINE)

        assert received == beat
    await serving


def _newest(received: list[tuple[str, bytes]], topic: str) -> bytes:
    newest = [payload for name, payload in received if name == topic]
    return newest[-1] if newest and newest[-1].startswith(b"199") else b""


async def _nothing() -> str:
    return ""
