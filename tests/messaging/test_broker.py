"""The broker and the link to it, with each of the two brokers as a real process."""

import asyncio
import json
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from aviary.actors.core.refusal import ActorCrashed, DeadlineExceeded, Refusal, Unavailable
from aviary.actors.core.system import System
from aviary.actors.messages.broker import BrokerInfo, CallBot, GetBroker, GetLink
from aviary.actors.messaging import broker as broker_module
from aviary.actors.messaging import link
from aviary.actors.messaging.broker import Broker
from aviary.actors.messaging.link import ALARM, MqttLink
from aviary.actors.runtimes.brokers import find_mosquitto
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from paho.mqtt.enums import CallbackAPIVersion
from poison import KILLS, assert_nothing_is_set_aside
from processes import processes_in
from pydantic import SecretStr

QUICK = Backoff(first=0.1, cap=1.0)


class Desk:
    """A broker, a link, and a bot that answers every command with what it was sent."""

    def __init__(self, home: Path, kind: Any, external: BrokerInfo | None = None) -> None:
        self.home = home
        self.kind = kind
        self.external = external
        self.system = System.live()
        self.bot: mqtt.Client | None = None
        self.over = threading.Event()

    def start(self) -> BrokerInfo:
        branch = SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(
                ChildSpec("server", self.broker, backoff=QUICK),
                ChildSpec("link", lambda: MqttLink("broker/server"), backoff=QUICK),
            ),
        )
        child = ChildSpec("broker", lambda: Supervisor(branch), kind="supervisor", settings=SUPERVISOR_SETTINGS)
        self.tree = Tree(self.system, SupervisorSpec(park=True, children=(child,)))
        asyncio.run_coroutine_threadsafe(self.tree.start(), self.system.kernel.loop).result(30)
        return self.info()

    def broker(self) -> Broker:
        return Broker(self.home, self.home / "log", self.kind, self.external)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.tree.stop(), self.system.kernel.loop).result(30)

    def info(self) -> BrokerInfo:
        return self.system.ask_blocking("broker/server", GetBroker(), timeout=20)

    def add_bot(self, info: BrokerInfo) -> None:
        bot = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="hbot.echo")
        bot.username_pw_set(info.username, info.password.get_secret_value())

        def answer(_client: Any, _data: Any, message: Any) -> None:
            request = json.loads(message.payload)
            reply = {"data": {"status": 200, "echo": request["data"]}}
            bot.publish(request["header"]["reply_to"], json.dumps(reply), qos=1)

        def greet(*_: Any) -> None:
            bot.subscribe("hbot/echo/status", 1)

        bot.on_connect = greet
        bot.on_message = answer
        bot.reconnect_delay_set(1, 1)
        bot.connect(info.host, info.port)
        bot.loop_start()
        self.bot = bot

        def beat() -> None:
            while not self.over.wait(0.2):
                bot.publish("hbot/echo/hb", '{"ts": NaN}')

        threading.Thread(target=beat, daemon=True).start()

    def call(self, number: int) -> dict[str, Any]:
        call = CallBot(bot="echo", command="status", data={"number": number}, timeout=15)
        return self.system.ask_blocking("broker/link", call, timeout=20)

    async def until(self, condition: Any) -> Any:
        async with asyncio.timeout(40):
            while True:
                try:
                    if answer := await condition():
                        return answer
                except (Refusal, ActorCrashed):
                    pass
                await asyncio.sleep(0.05)


@pytest.fixture(params=["mosquitto", "iotcore"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: run .ci/services")
    desk = Desk(tmp_path / "broker", request.param)
    yield desk
    desk.over.set()
    if desk.bot is not None:
        desk.bot.disconnect()
        desk.bot.loop_stop()
    desk.stop()
    for process in processes_in(tmp_path):
        process.kill()
    desk.system.shutdown()


async def test_a_broker_is_kept_private_adopted_and_replaced_when_killed(desk: Desk) -> None:
    info = await asyncio.to_thread(desk.start)
    for path in desk.home.iterdir():
        if path.suffix in {".conf", ".toml"} or path.name in {"passwords", "broker.json"}:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await asyncio.to_thread(desk.add_bot, info)
    assert (await asyncio.to_thread(desk.call, 1))["echo"] == {"number": 1}

    # The next server finds the same process.
    await asyncio.to_thread(desk.stop)
    again = await asyncio.to_thread(desk.start)
    assert (again.pid, again.port) == (info.pid, info.port)

    assert info.pid is not None
    os.kill(info.pid, signal.SIGKILL)

    async def replaced() -> bool:
        found = await desk.system.ask("broker/server", GetBroker(), timeout=20)
        return found.pid != info.pid

    await desk.until(replaced)
    assert (await asyncio.to_thread(desk.info)).port == info.port

    async def called() -> Any:
        call = CallBot(bot="echo", command="status", data={"number": 2}, timeout=10)
        return await desk.system.ask("broker/link", call, timeout=12)

    assert (await desk.until(called))["echo"] == {"number": 2}
    answers = await asyncio.gather(*(asyncio.to_thread(desk.call, number) for number in range(20)))
    assert [answer["echo"]["number"] for answer in answers] == list(range(20))


async def test_however_often_a_broker_is_killed_it_and_the_link_are_back_and_no_message_is_blamed(
    desk: Desk,
) -> None:
    info = await asyncio.to_thread(desk.start)
    await asyncio.to_thread(desk.add_bot, info)
    pid = info.pid

    async def replaced() -> int | None:
        found = await desk.system.ask("broker/server", GetBroker(), timeout=20)
        return None if found.pid == pid else found.pid

    async def called() -> Any:
        call = CallBot(bot="echo", command="status", data={"number": pid}, timeout=10)
        return await desk.system.ask("broker/link", call, timeout=12)

    for _ in range(KILLS):
        await asyncio.to_thread(desk.call, 1)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        pid = await desk.until(replaced)
        assert (await desk.until(called))["echo"] == {"number": pid}

    assert (await asyncio.to_thread(desk.info)).port == info.port
    assert_nothing_is_set_aside(desk.system)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_link_whose_library_fails_is_made_anew_and_no_message_is_blamed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await asyncio.to_thread(desk.start)
    await asyncio.to_thread(desk.add_bot, info)
    parse, left = link.parse, [KILLS]

    def failing(payload: bytes) -> dict[str, Any] | None:
        if left[0] > 0:
            left[0] -= 1
            raise MemoryError
        return parse(payload)

    monkeypatch.setattr(link, "parse", failing)

    async def called() -> Any:
        call = CallBot(bot="echo", command="status", data={"number": 1}, timeout=5)
        return left[0] == 0 and await desk.system.ask("broker/link", call, timeout=7)

    assert (await desk.until(called))["echo"] == {"number": 1}
    cell = desk.system.cell("broker/link")
    assert cell is not None
    assert cell.restarts >= KILLS
    assert_nothing_is_set_aside(desk.system)


async def test_a_broker_that_hangs_is_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "PROBE_PERIOD", 0.2)
    monkeypatch.setattr(broker_module, "PROBE_TIMEOUT", 0.5)
    info = await asyncio.to_thread(desk.start)
    assert info.pid is not None

    os.kill(info.pid, signal.SIGSTOP)

    async def replaced() -> bool:
        return (await desk.system.ask("broker/server", GetBroker(), timeout=5)).pid != info.pid

    await desk.until(replaced)


async def test_a_bot_that_does_not_answer_and_one_that_was_never_heard_of(desk: Desk) -> None:
    info = await asyncio.to_thread(desk.start)
    await asyncio.to_thread(desk.add_bot, info)
    await asyncio.to_thread(desk.call, 0)

    silent = CallBot(bot="echo", command="config", timeout=0.3)
    with pytest.raises(DeadlineExceeded, match="did not answer 'config'"):
        await desk.system.ask("broker/link", silent, timeout=5)
    unknown = CallBot(bot="nobody", command="status", timeout=0.3)
    with pytest.raises(Unavailable, match="not been heard of"):
        await desk.system.ask("broker/link", unknown, timeout=5)
    assert "echo" in (await desk.system.ask("broker/link", GetLink(), timeout=5)).bots


def somebody_else_s(info: BrokerInfo, password: str) -> BrokerInfo:
    return info.model_copy(update={"kind": "external", "pid": None, "password": SecretStr(password)})


def alarms(system: System) -> list[str]:
    return [alarm.message for alarm in system.alarms.standing() if alarm.name == ALARM]


async def test_a_broker_that_is_away_is_an_alarm_until_it_is_there(desk: Desk) -> None:
    info = await asyncio.to_thread(desk.start)
    await asyncio.to_thread(desk.stop)
    assert info.pid is not None
    os.kill(info.pid, signal.SIGKILL)
    user = Desk(desk.home / "user", "auto", somebody_else_s(info, info.password.get_secret_value()))
    await asyncio.to_thread(user.start)

    async def away() -> bool:
        return [f"no connection to the MQTT broker at 127.0.0.1:{info.port}"] == alarms(user.system)

    async def back() -> bool:
        return not alarms(user.system) and (await user.system.ask("broker/link", GetLink(), timeout=5)).connected

    try:
        await user.until(away)
        await asyncio.to_thread(desk.start)
        await user.until(back)
    finally:
        await asyncio.to_thread(user.stop)
        user.system.shutdown()


async def test_a_broker_that_refuses_the_password_is_an_alarm(desk: Desk) -> None:
    info = await asyncio.to_thread(desk.start)
    user = Desk(desk.home / "user", "auto", somebody_else_s(info, "wrong"))
    await asyncio.to_thread(user.start)

    async def refused() -> list[str]:
        return alarms(user.system)

    try:
        (told,) = await user.until(refused)
    finally:
        await asyncio.to_thread(user.stop)
        user.system.shutdown()
    assert "MQTT broker at 127.0.0.1" in told
    assert "wrong" not in told
