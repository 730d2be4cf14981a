"""A small world for bots: a database, a broker, the simulated exchange and a warm template, all of them real."""

import asyncio
import binascii
import hashlib
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import yaml
from aviary.actors.bots.bot import BotActor, Patience
from aviary.actors.bots.folder import BotFolders
from aviary.actors.bots.registry import BotRegistry
from aviary.actors.bots.store import BotStore
from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.core.refusal import ActorCrashed, NotFound, Refusal
from aviary.actors.core.system import System
from aviary.actors.engine.processes.launch import Job, Template, launch
from aviary.actors.engine.processes.launch import OnSpawn as OnProcessSpawn
from aviary.actors.messages.bots import AskBot, BotStatus, DeployControllers, FindBot, ListBots, StartBot
from aviary.actors.messages.broker import GetBroker, GetLink
from aviary.actors.messages.strategies import SaveConfig
from aviary.actors.messaging.broker import Broker
from aviary.actors.messaging.link import MqttLink
from aviary.actors.runtimes.process import ProcessRuntime
from aviary.actors.strategies.files import StrategyFiles
from aviary.actors.strategies.library import StrategyLibrary
from aviary.sandbox.testing import SandboxProcess
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.bots import SupervisedBots
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from databases import database_children
from eth_keyfile.keyfile import encrypt_aes_ctr, keccak
from processes import processes_in
from pydantic import SecretStr

PASSWORD = "rehearsal"
KEY = "sandboxbots"
ROUNDS = 1000
"""Rounds of key derivation; a thousandth of the real number, which only costs time."""

BROKEN = """
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase


class BrokenConfig(ControllerConfigBase):
    controller_name: str = "broken"

    def update_markets(self, markets):
        return markets.add_or_update("sandbox", "BTC-USDT")


class Broken(ControllerBase):
    def __init__(self, *args, **kwargs):
        raise RuntimeError("the roof is missing")
"""
"""A controller that raises when it is made, which an inspection can't hold against it."""

QUICK = Backoff(first=0.2, cap=2.0, reset=600.0)


def encrypted(value: str, rounds: int = ROUNDS) -> str:
    """A value as hummingbot keeps it: a version 3 key file, in hexadecimal."""
    salt, iv = bytes(16), bytes(15) + b"\1"
    key = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds, 32)
    cipher = encrypt_aes_ctr(value.encode(), key[:16], int.from_bytes(iv, "big"))
    key_file = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": cipher.hex(),
            "kdf": "pbkdf2",
            "kdfparams": {"c": rounds, "dklen": 32, "prf": "hmac-sha256", "salt": salt.hex()},
            "mac": keccak(key[16:32] + cipher).hex(),
        },
        "version": 3,
    }
    return binascii.hexlify(json.dumps(key_file).encode()).decode()


def write_account(folder: Path, connectors: dict[str, str], rounds: int = ROUNDS) -> None:
    """An account's credentials folder; `connectors` maps names to exchange keys."""
    (folder / "connectors").mkdir(parents=True)
    (folder / ".password_verification").write_text(encrypted("HummingBot", rounds))
    for name, key in connectors.items():
        values = {
            "connector": name,
            f"{name}_api_key": encrypted(key, rounds),
            f"{name}_api_secret": encrypted("secret", rounds),
        }
        (folder / "connectors" / f"{name}.yml").write_text(yaml.safe_dump(values))


def quotes(connector: str = "sandbox", **changes: Any) -> dict[str, Any]:
    """A controller that quotes two orders a side, too far from the market to trade."""
    return {
        "id": "quotes",
        "controller_name": "pmm_simple",
        "controller_type": "market_making",
        "connector_name": connector,
        "trading_pair": "BTC-USDT",
        "total_amount_quote": 1000,
        "buy_spreads": [0.05, 0.06],
        "sell_spreads": [0.05, 0.06],
        "executor_refresh_time": 3600,
        "leverage": 1,
        "position_mode": "ONEWAY",
        "skip_rebalance": True,
        "take_profit": 0.02,
        "stop_loss": 0.2,
        "time_limit": 36000,
        **changes,
    }


def key_of(bot: str) -> str:
    """The exchange key of a bot that has an account of its own."""
    return f"sandbox{bot}"


class World:
    """Everything bots need, in threads of its own; its methods are called from tests."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bots = home / "bots"
        self.folders = BotFolders(self.bots)
        self.system = System.live()
        self.loop = self.system.dispatcher("work").loop
        self.sandbox = SandboxProcess(home / "sandbox", seed=1, options=())
        self.patience = Patience(silence=4.0, boot=60.0, pulse=0.25)
        self.template: Template | None = None
        self.broker: Literal["auto", "mosquitto", "iotcore"] = "auto"
        self._tree: Tree | None = None

    def run[R](self, work: Coroutine[Any, Any, R], timeout: float = 60.0) -> R:
        """Run something on the loop where the actors live."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def start(self) -> None:
        """Start the exchange and the template, then the tree."""
        for folder in ("sandbox", "template"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.run(self.sandbox.start())

        async def warm() -> Template:
            template = Template.start(self.home / "template", self.home / "template.log")
            await template.ready(60)
            return template

        self.template = self.run(warm())
        self.add_account()
        self.start_tree()

    def start_tree(self) -> None:
        """Start the actors; what an earlier tree left is found in the folder."""
        runtime = ProcessRuntime(
            self.launch,
            SecretStr(PASSWORD),
            self.system.clock,
            environment={"AVIARY_SANDBOX_URL": self.sandbox.url},
            heartbeat=0.5,
            sweep_period=1.0,
        )
        store, folders = BotStore(performance_period=1.0), self.folders
        branch = SupervisedBots(
            self.system, lambda name: BotActor(name, folders.of(name), store, runtime, self.patience), QUICK
        )
        broker = SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(
                ChildSpec(
                    "server",
                    lambda: Broker(self.home / "broker", self.home / "broker.log", self.broker),
                    backoff=QUICK,
                ),
                ChildSpec("link", lambda: MqttLink("broker/server"), backoff=QUICK),
            ),
        )
        spec = SupervisorSpec(
            park=True,
            children=(
                *database_children(self.home / "a.sqlite"),
                ChildSpec("broker", lambda: Supervisor(broker), kind="supervisor", settings=SUPERVISOR_SETTINGS),
                ChildSpec("strategy-library", lambda: StrategyLibrary(self.bots, self.launch)),
                ChildSpec(
                    "bots",
                    lambda: Supervisor(SupervisorSpec(dynamic=True, intensity=None)),
                    kind="supervisor",
                    settings=SUPERVISOR_SETTINGS,
                ),
                ChildSpec("bot-registry", lambda: BotRegistry(branch, folders, StrategyFiles(self.bots))),
            ),
        )
        self._tree = Tree(self.system, spec)
        asyncio.run_coroutine_threadsafe(self._tree.start(), self.system.kernel.loop).result(60)

    def stop_tree(self) -> None:
        """Stop the actors, not what runs beside them."""
        if self._tree is not None:
            asyncio.run_coroutine_threadsafe(self._tree.stop(), self.system.kernel.loop).result(60)
            self._tree = None

    def ask(self, address: str, message: Any, timeout: float = 30.0) -> Any:
        """Ask an actor."""
        return self.system.ask_blocking(address, message, timeout=timeout)

    def folder(self, bot: str) -> Path:
        """A bot's folder."""
        return self.bots / "instances" / bot

    async def launch(self, job: Job, born: OnProcessSpawn | None) -> ChildProcess:
        """Start an engine process, warm if there is a template."""
        return await launch(self.template, job, on_spawn=born)

    def add_account(self, name: str = "desk", key: str = KEY) -> None:
        """Write an account with keys for both markets of the simulated exchange."""
        if not (self.bots / "credentials" / name).exists():
            write_account(self.bots / "credentials" / name, {"sandbox": key, "sandbox_perpetual": key})

    def deploy(self, name: str, *controllers: dict[str, Any], account: str = "desk") -> None:
        """Save the controllers' configurations and deploy a bot that runs them."""
        names = tuple(f"{name}-{controller['id']}" for controller in controllers)
        for config, values in zip(names, controllers, strict=True):
            self.ask("strategy-library", SaveConfig(kind="controller", config_name=config, config=values))
        message = DeployControllers(
            instance_name=name, credentials_profile=account, controllers_config=names, exact_name=True
        )
        self.ask("bot-registry", message)

    def put_config(self, name: str, values: dict[str, Any], kind: str = "controller") -> None:
        """A configuration as somebody's editor leaves it: nobody has looked at it."""
        path = self.bots / "conf" / f"{kind}s" / f"{name}.yml"
        path.write_text(yaml.safe_dump(values))

    def put_controller(self, name: str, source: str, kind: str = "generic") -> None:
        """A controller in the library."""
        (self.bots / "controllers" / kind / f"{name}.py").write_text(source)

    def alarm(self, name: str) -> str:
        """The text of a standing alarm; empty if it does not stand."""
        return next((alarm.message for alarm in self.system.alarms.standing() if alarm.name == name), "")

    def have(self, name: str, *controllers: dict[str, Any]) -> int:
        """Make sure that a bot runs, on an account and a key of its own, with two orders a side; its process."""
        known = self.ask("bot-registry", ListBots())
        if name not in known:
            self.add_account(name, key_of(name))
            self.deploy(name, *controllers, account=name)
        elif known[name].state == "stopped":
            self.ask("bot-registry", StartBot(bot_name=name))
        pid = self.wait_until(name, lambda status: status.state == "running").pid
        self.wait_for_orders(4 * len(controllers), key_of(name))
        assert pid is not None
        return pid

    def status(self, name: str) -> BotStatus:
        """A bot's status."""
        status: BotStatus = self.ask("bot-registry", FindBot(bot_name=name))
        return status

    def wait_until(self, name: str, condition: Callable[[BotStatus], bool], timeout: float = 30.0) -> BotStatus:
        """Wait until a bot's status meets a condition."""
        return self.run(self._until(name, condition, timeout), timeout + 5)

    def wait_until_gone(self, name: str) -> None:
        """Wait until no bot of this name is known."""

        async def wait() -> None:
            async with asyncio.timeout(60):
                while True:
                    try:
                        await self.system.ask("bot-registry", FindBot(bot_name=name), timeout=5)
                    except NotFound:
                        return
                    except Refusal:
                        pass
                    await asyncio.sleep(0.05)

        self.run(wait(), 65)

    async def _until(self, name: str, condition: Callable[[BotStatus], bool], timeout: float) -> BotStatus:  # noqa: ASYNC109
        status = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        status = await self.system.ask("bot-registry", FindBot(bot_name=name), timeout=5)
                        if condition(status):
                            return status
                    except Refusal:
                        pass
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"waited {timeout} s in vain; last seen: {status}") from None

    def open_orders(self, key: str = KEY) -> list[dict[str, Any]]:
        """The exchange's own view of a key's open orders."""
        return self.run(self.sandbox.orders(key, open_only=True))

    def wait_for_orders(self, count: int, key: str = KEY, timeout: float = 30.0) -> list[dict[str, Any]]:
        """Wait until exactly so many orders of a key are open on the exchange."""
        return self.run(self._until_orders(count, key, timeout), timeout + 5)

    async def _until_orders(self, count: int, key: str, timeout: float) -> list[dict[str, Any]]:  # noqa: ASYNC109
        orders: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(timeout):
                while len(orders := await self.sandbox.orders(key, open_only=True)) != count:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"waited {timeout} s for {count} orders, there are {len(orders)}") from None
        return orders

    def kill_tree(self) -> None:
        """End the actors as a killed server does: nobody is asked, nothing is let go of."""
        system = self.system

        async def kill() -> None:
            for cell in reversed(system.cells()):
                await system.lives.kill(cell)
                system.directory.remove(cell.address)

        asyncio.run_coroutine_threadsafe(kill(), system.kernel.loop).result(60)
        self._tree = None

    def pause(self, seconds: float) -> None:
        """Let a moment pass: for being killed at different ones."""
        self.run(asyncio.sleep(seconds))

    def is_of(self, bot: str, order: dict[str, Any]) -> bool:
        """Whether an order carries a bot's mark."""
        mark = hashlib.sha256(bot.encode()).hexdigest()[:8]
        return str(order["client_order_id"]).endswith(mark)

    def failure_of(self, bot: str) -> str:
        """Why the last incarnation of a bot's actor ended."""
        cell = self.system.cell(f"bots/{bot}")
        return "" if cell is None else cell.last_failure or ""

    def command(self, bot: str, command: str, data: dict[str, Any]) -> dict[str, Any]:
        """Send a command of hummingbot's to a bot."""
        message = AskBot.model_validate({"command": command, "data": data, "timeout": 20.0})
        answer: dict[str, Any] = self.ask(f"bots/{bot}", message)
        return answer

    def wait_for_broker(self, other_than: int) -> None:
        """Wait until another broker process runs and the link is up."""

        async def wait() -> None:
            async with asyncio.timeout(20):
                while True:
                    try:
                        info = await self.system.ask("broker/server", GetBroker(), timeout=5)
                        link = await self.system.ask("broker/link", GetLink(), timeout=5)
                        if info.pid != other_than and link.connected:
                            return
                    except (Refusal, ActorCrashed):
                        pass
                    await asyncio.sleep(0.05)

        self.run(wait())

    def stop(self) -> None:
        """End everything, bots and broker included."""
        self.stop_tree()
        for process in processes_in(self.home):
            if process.pid != self.sandbox.pid:
                process.kill()
        if self.template is not None:
            self.loop.call_soon_threadsafe(self.template.close)
        self.run(self.sandbox.stop())
        self.system.shutdown()


def until(world: World, look: Callable[[], object], patience: float = 60.0) -> None:
    """Look until there is something to see."""
    deadline = world.system.clock.monotonic() + patience
    while not look():
        assert world.system.clock.monotonic() < deadline, "waited in vain"
        world.pause(0.05)
