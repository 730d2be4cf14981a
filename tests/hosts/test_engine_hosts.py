"""Engine hosts and the template behind their actors: warm, cold, dead, silent, too big."""

import asyncio
import os
import signal
import threading

import pytest
from account_world import QUICK, Exchange, World
from aviary.actors.core.refusal import ActorCrashed, Invalid, NotFound, Refusal
from aviary.actors.core.system import System
from aviary.actors.hosts import engine_host
from aviary.actors.hosts.engine_host import EngineHost
from aviary.actors.hosts.template import Launcher
from aviary.actors.messages.engine import CallHost, GetHost, GetTemplate, OutcomeUnknown
from aviary.supervisors.messages import DeleteChild, StartChild, TerminateChild
from aviary.supervisors.spec import ChildSpec
from poison import KILLS, assert_nothing_is_set_aside

pytestmark = pytest.mark.whole


def start(world: World, name: str, **options: object) -> str:
    """An engine host of its own beside the accounts; its address."""
    folder = world.home / "hosts" / name
    spec = ChildSpec(name, lambda: EngineHost(folder, folder / "log", **options), backoff=QUICK)  # type: ignore[arg-type]
    world.ask("aviary", StartChild(spec=spec))
    return name


def stop(world: World, name: str) -> None:
    world.ask("aviary", TerminateChild(name=name))
    world.ask("aviary", DeleteChild(name=name))


def restarted(system: System, address: str) -> threading.Event:
    """Set once the actor has been restarted."""
    event = threading.Event()
    system.bus.subscribe(
        "kernel",
        lambda _t, e: getattr(e, "kind", "") == "restart" and e.address == address and event.set(),  # type: ignore[attr-defined]
    )
    return event


def test_without_a_template_a_host_starts_cold_and_works(world: World, account: str) -> None:
    name = start(world, account, template=None)

    answer = world.ask(
        name, CallHost(method="order_types", arguments={"connector_name": "sandbox"}, timeout=60), 60
    )

    assert "LIMIT" in answer
    stop(world, name)


def test_a_dead_template_is_replaced_and_what_was_forked_from_it_goes_on(
    world: World, exchange: Exchange, account: str
) -> None:
    world.connect(account, exchange.key())
    host = world.host_pid(account)
    template = world.ask("template", GetTemplate(patience=20)).template
    assert template is not None
    back = restarted(world.system, "template")

    os.kill(template.process.pid, signal.SIGKILL)
    assert back.wait(20)

    assert world.host_pid(account) == host
    assert world.place(account).state == "open"
    new = world.ask("template", GetTemplate(patience=25), 30).template
    assert new is not None
    assert new.process.pid != template.process.pid


def test_however_often_a_template_is_killed_it_is_warm_again_and_no_message_is_blamed(world: World) -> None:
    for _ in range(KILLS):
        template = world.ask("template", GetTemplate(patience=30), 35).template
        assert template is not None
        back = restarted(world.system, "template")
        os.kill(template.process.pid, signal.SIGKILL)
        assert back.wait(20)

    assert world.ask("template", GetTemplate(patience=30), 35).template is not None
    assert_nothing_is_set_aside(world.system)


def test_however_often_a_host_is_killed_it_is_back_in_the_middle_of_calls_and_no_message_is_blamed(
    world: World, account: str
) -> None:
    name = start(world, account)
    list_open = CallHost(method="open_connectors", timeout=20)

    for _ in range(KILLS):
        world.ask(name, list_open)
        pid = world.ask(name, GetHost()).pid
        assert pid is not None
        back = restarted(world.system, name)
        # Stopped first, so that there are calls without an answer when it dies.
        os.kill(pid, signal.SIGSTOP)
        calls = [asyncio.run_coroutine_threadsafe(ask(world, name, list_open), world.loop) for _ in range(3)]
        os.kill(pid, signal.SIGKILL)
        for call in calls:
            call.result(25)
        assert back.wait(20)

    world.ask(name, list_open)
    assert_nothing_is_set_aside(world.system)
    stop(world, name)


def test_however_often_an_account_s_host_is_killed_its_connector_trades_again(
    world: World, exchange: Exchange, account: str
) -> None:
    address = world.connect(account, exchange.key())

    for _ in range(KILLS):
        back = restarted(world.system, address)
        world.signal_host(account)
        assert back.wait(20)
        world.wait_until_ready(address)

    assert world.place(account).state == "open"
    assert_nothing_is_set_aside(world.system)


async def ask(world: World, address: str, call: CallHost) -> object:
    """Ask, be it answered or not."""
    try:
        return await world.system.ask(address, call, timeout=22)
    except (Refusal, ActorCrashed) as trouble:
        return trouble


def test_a_host_that_says_nothing_is_killed_and_replaced(
    world: World, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_host, "_is_stopped", lambda _pid: False)
    name = start(world, account)
    world.ask(name, CallHost(method="open_connectors"))
    old = world.ask(name, GetHost()).pid
    assert old is not None
    back = restarted(world.system, name)

    os.kill(old, signal.SIGSTOP)
    assert back.wait(20)
    world.ask(name, CallHost(method="open_connectors"))

    cell = world.system.cell(name)
    assert cell is not None
    assert "was silent for" in (cell.last_failure or "")
    assert world.ask(name, GetHost()).pid != old
    stop(world, name)


def test_a_host_that_grows_too_big_is_replaced(
    world: World, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_host, "MEMORY_LOOKS", 1)
    name = start(world, account, memory_limit=1 << 20)
    assert restarted(world.system, name).wait(20)

    cell = world.system.cell(name)
    assert cell is not None
    assert "more than 1" in (cell.last_failure or "")
    stop(world, name)


def test_refusals_and_lost_answers_of_a_host_keep_their_meaning(world: World, account: str) -> None:
    name = start(world, account)
    world.ask(name, CallHost(method="open_connectors"))

    with pytest.raises(NotFound):
        world.ask(name, CallHost(method="config_map", arguments={"connector": "nosuch"}))
    with pytest.raises(Invalid) as caught:
        world.ask(name, CallHost(method="encrypt_credential", arguments=bad_credential(world)))
    assert caught.value.field == "sandbox_api_secret"
    with pytest.raises(OutcomeUnknown):
        world.ask(name, CallHost(method="order_types", arguments={"connector": "wrong argument"}))
    pid = world.ask(name, GetHost()).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(OutcomeUnknown):
        world.ask(name, CallHost(method="open_connectors", timeout=0.01))
    stop(world, name)


def bad_credential(world: World) -> dict[str, object]:
    folder = str(world.home / "nowhere")
    values = {"sandbox_api_key": "sandbox"}
    return {"password": "p", "account_dir": folder, "connector_name": "sandbox", "values": values}


def test_a_launcher_goes_on_without_a_template(world: World) -> None:
    async def answer() -> object:
        async with asyncio.timeout(5):
            return await Launcher(world.system, "no-such-template")._template()

    assert world.run(answer()) is None
