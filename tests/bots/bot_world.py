"""A small world for bots: a database, a broker, the simulated exchange and a warm template, all of them real."""

import asyncio
import binascii
import json
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import yaml
from aviary.actors.bot import BotActor, Patience
from aviary.actors.bot_store import Bot, BotStore
from aviary.actors.broker import Broker
from aviary.actors.core.refusal import Refusal
from aviary.actors.core.system import System
from aviary.actors.database import Database
from aviary.actors.engine.launch import Job, Template, launch
from aviary.actors.messages.bots import BotStatus, GetBotStatus
from aviary.actors.messages.database import Transact
from aviary.actors.mqtt_link import MqttLink
from aviary.actors.runtimes.process import ProcessRuntime
from aviary.sandbox.testing import SandboxProcess
from aviary.supervisors.backoff import Backoff
from aviary.supervisors.boot import Tree
from aviary.supervisors.messages import StartChild
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from eth_keyfile.keyfile import encrypt_aes_ctr, keccak
from pydantic import SecretStr

PASSWORD = "rehearsal"
KEY = "sandboxbots"
STRATEGIES = Path(__file__).parents[2] / "strategies"
ROUNDS = 1000
"""Rounds of key derivation; a thousandth of the real number, which only costs time."""

QUICK = Backoff(first=0.2, cap=2.0, reset=600.0)


def encrypted(value: str, rounds: int = ROUNDS) -> str:
    """A value as hummingbot keeps it: a version 3 key file, in hexadecimal."""
    import hashlib

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


class World:
    """Everything bots need, in threads of its own; its methods are called from tests."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bots = home / "bots"
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
        self.start_tree()

    def start_tree(self) -> None:
        """Start the actors; what an earlier tree left is found in the folder."""
        runtime = ProcessRuntime(
            lambda job, born: launch(self.template, job, on_born=born),
            SecretStr(PASSWORD),
            self.system.clock,
            environment={"AVIARY_SANDBOX_URL": self.sandbox.url},
            heartbeat=0.5,
        )
        self.runtime = runtime
        broker = SupervisorSpec(
            strategy="rest_for_one",
            intensity=None,
            children=(
                ChildSpec("server", lambda: Broker(self.home / "broker", self.home / "broker.log", self.broker), backoff=QUICK),
                ChildSpec("link", lambda: MqttLink("broker/server"), backoff=QUICK),
            ),
        )
        spec = SupervisorSpec(
            park=True,
            children=(
                ChildSpec("database", lambda: Database(None, self.home / "a.sqlite")),
                ChildSpec("broker", lambda: Supervisor(broker), kind="supervisor", settings=SUPERVISOR_SETTINGS),
                ChildSpec(
                    "bots",
                    lambda: Supervisor(SupervisorSpec(dynamic=True, intensity=None)),
                    kind="supervisor",
                    settings=SUPERVISOR_SETTINGS,
                ),
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

    def deploy(self, name: str, *controllers: dict[str, Any], key: str = KEY) -> None:
        """Make a bot's folder by hand and bring its actor up."""
        folder = self.folder(name)
        connectors = {c["connector_name"]: key for c in controllers}
        write_account(folder / "conf", connectors)
        for kind in ("controllers", "scripts"):
            shutil.copytree(STRATEGIES / kind, folder / kind)
            (folder / "conf" / kind).mkdir()
        for controller in controllers:
            (folder / "conf" / "controllers" / f"{controller['id']}.yml").write_text(yaml.safe_dump(controller))
        script = {"script_file_name": "v2_with_controllers.py", "controllers_config": [f"{c['id']}.yml" for c in controllers]}
        (folder / "conf" / "scripts" / f"{name}.yml").write_text(yaml.safe_dump(script))
        now = self.system.clock.now()
        bot = Bot(
            name=name,
            desired="running",
            spec={"script_config": f"{name}.yml", "account": "desk"},
            created_at=now,
            updated_at=now,
        )
        self.ask("database", Transact(work=lambda r: r.bots.add(bot)))
        self.start_bot(name)

    def start_bot(self, name: str) -> None:
        """Bring a bot's actor up."""
        self.ask(
            "bots",
            StartChild(
                spec=ChildSpec(
                    name,
                    lambda: BotActor(name, self.folder(name), BotStore(), self.runtime, self.patience),
                    backoff=QUICK,
                )
            ),
        )

    def status(self, name: str) -> BotStatus:
        """A bot's status."""
        status: BotStatus = self.ask(f"bots/{name}", GetBotStatus())
        return status

    def wait_until(self, name: str, condition: Callable[[BotStatus], bool], timeout: float = 30.0) -> BotStatus:
        """Wait until a bot's status meets a condition."""
        return self.run(self._until(name, condition, timeout), timeout + 5)

    async def _until(self, name: str, condition: Callable[[BotStatus], bool], timeout: float) -> BotStatus:
        status = None
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        status = await self.system.ask(f"bots/{name}", GetBotStatus(), timeout=5)
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

    async def _until_orders(self, count: int, key: str, timeout: float) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(timeout):
                while len(orders := await self.sandbox.orders(key, open_only=True)) != count:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"waited {timeout} s for {count} orders, there are {len(orders)}") from None
        return orders

    def stop(self) -> None:
        """End everything, bots and broker included."""
        self.stop_tree()
        import psutil

        for process in psutil.process_iter(["pid", "cwd"]):
            if str(process.info["cwd"] or "").startswith(str(self.home)) and process.pid != self.sandbox.pid:
                process.kill()
        if self.template is not None:
            self.loop.call_soon_threadsafe(self.template.close)
        self.run(self.sandbox.stop())
        self.system.shutdown()
