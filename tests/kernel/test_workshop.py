"""Factories run beside the kernel: one that blocks, fails or exits is felt by nobody else."""

import asyncio
import threading
from typing import Any

import pytest
from aviary.actors.core import workshop
from aviary.actors.core.message import Message
from aviary.actors.core.refusal import Unavailable
from aviary.supervisors.messages import StartChild, WhichChildren
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from kernel_live import DEADLINE, Blocking, Live, Note
from kernel_stage import Die, Stage


class Slow(Blocking):
    """Blocks in its constructor until the test lets go."""

    made_in: list[threading.Thread]

    def __init__(self, gate: Any, made_in: list[threading.Thread]) -> None:
        super().__init__(gate)
        made_in.append(threading.current_thread())
        gate.block()


def start(live: Live, message: Message[Any]) -> tuple[threading.Thread, list[object]]:
    """Ask the root in another thread; the outcome."""
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(live.ask("aviary", message))
        except Unavailable as refusal:
            outcome.append(refusal)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, outcome


def test_a_constructor_that_blocks_does_not_block_the_kernel(live: Live) -> None:
    made_in: list[threading.Thread] = []
    live.start("other", Blocking)
    asking, outcome = start(live, StartChild(spec=ChildSpec("slow", lambda: Slow(live.gate, made_in))))
    assert live.gate.entered.wait(DEADLINE)

    async def turn() -> str:
        return "the kernel's loop runs"

    assert live.on_kernel(turn()) == "the kernel's loop runs"
    assert live.ask("other", Note()) == 1
    live.gate.go.set()
    asking.join(DEADLINE)

    assert [getattr(info, "state", info) for info in outcome] == ["running"]
    assert made_in[0].name == "workshop"
    assert live.ask("slow", Note()) == 1


def test_a_constructor_that_hangs_is_a_failed_start(live: Live) -> None:
    spec = ChildSpec("slow", lambda: Slow(live.gate, []), start_timeout=0.1)

    with pytest.raises(Unavailable, match=r"did not start within 0\.1 s"):
        live.ask("aviary", StartChild(spec=spec))

    assert live.ask("aviary", WhichChildren()) == ()
    live.start("other", Blocking)
    assert live.ask("other", Note()) == 1


def test_the_thread_of_a_call_that_was_given_up_is_counted_until_it_ends_and_takes_no_more(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "IDLE", 1_000.0)
    made_in: list[threading.Thread] = []

    async def give_up() -> None:
        making = asyncio.ensure_future(live.system.workshop.make(lambda: Slow(live.gate, made_in)))
        await asyncio.to_thread(live.gate.entered.wait, DEADLINE)
        making.cancel()
        await asyncio.wait([making])
        assert making.cancelled()

    live.on_kernel(give_up())

    assert live.system.statistics().abandoned_threads == 1
    live.gate.go.set()
    made_in[0].join(DEADLINE)
    assert not made_in[0].is_alive()
    assert live.system.statistics().abandoned_threads == 0


def test_a_thread_of_the_workshop_is_used_again(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    made_in: set[threading.Thread] = set()
    monkeypatch.setattr(workshop, "IDLE", 1_000.0)

    def factory() -> Blocking:
        made_in.add(threading.current_thread())
        return Blocking(live.gate)

    for n in range(10):
        # The one that has made the last child may not be idle yet.
        while live.system.workshop._idle < 1:
            threading.Event().wait(0.001)
        live.ask("aviary", StartChild(spec=ChildSpec(f"c{n}", factory)))

    assert len(made_in) == 1


def test_a_thread_of_the_workshop_without_work_ends(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "IDLE", 0.01)
    made_in: list[threading.Thread] = []
    shop = workshop.Workshop(lambda _thread: None, inline=False)

    def factory() -> str:
        made_in.append(threading.current_thread())
        return "made"

    for n in range(3):
        assert live.on_kernel(shop.make(factory)) == "made"
        made_in[n].join(DEADLINE)
        assert not made_in[n].is_alive()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_constructor_that_fails_or_exits_is_a_failed_start(live: Live, error: BaseException) -> None:
    def factory() -> Blocking:
        raise error

    live.start("other", Blocking)
    with pytest.raises(Unavailable, match="did not start"):
        live.ask("aviary", StartChild(spec=ChildSpec("a", factory)))

    assert live.ask("other", Note()) == 1
    (crash,) = [event for event in live.system.events() if event.kind == "crash"]
    assert type(error).__name__ in crash.reason


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_so_it_is_in_a_simulation(stage: Stage, error: BaseException) -> None:
    def factory() -> Any:
        raise error

    stage.up(SupervisorSpec(children=stage.children("b")))
    with pytest.raises(Unavailable, match="did not start"):
        stage.ask("sup", StartChild(spec=ChildSpec("a", factory)))

    stage.do("sup/b", Die())
    assert stage.lives("b") == [2]
    assert f"{type(error).__name__} in a constructor" in stage.events("crash")[0].reason
