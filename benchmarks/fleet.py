"""Starts a fleet of bots at once on the simulated exchange and measures it.

Usage: `python benchmarks/fleet.py [--bots 20] [--rounds 1000000] [--cold]`. Reported are the seconds until all quote
(seen in the exchange's own books), the memory (PSS) of each bot, and the share of one core that each uses. `--rounds`
is the number of key-derivation rounds: a million is hummingbot's own, two secrets a bot.
"""

from __future__ import annotations

import argparse
import asyncio
import binascii
import hashlib
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml
from aviary.actors.bots.bot import BotActor
from aviary.actors.bots.folder import BotFolders
from aviary.actors.bots.registry import BotRegistry
from aviary.actors.bots.store import BotStore
from aviary.actors.core.system import System
from aviary.actors.engine.processes.launch import Job, Template, launch
from aviary.actors.keeping.database import READERS, WRITER, Database, DatabaseReader
from aviary.actors.messages.bots import DeployControllers, ListBots, StopBot
from aviary.actors.messages.strategies import SaveConfig
from aviary.actors.messaging.broker import Broker
from aviary.actors.messaging.link import MqttLink
from aviary.actors.runtimes.process import ProcessRuntime
from aviary.actors.strategies.files import StrategyFiles
from aviary.actors.strategies.library import StrategyLibrary
from aviary.sandbox.testing import SandboxProcess
from aviary.supervisors.boot import Tree
from aviary.supervisors.branches.bots import SupervisedBots
from aviary.supervisors.spec import ChildSpec, SupervisorSpec
from aviary.supervisors.supervisor import SUPERVISOR_SETTINGS, Supervisor
from eth_keyfile.keyfile import encrypt_aes_ctr, keccak  # type: ignore[attr-defined]
from pydantic import SecretStr

if TYPE_CHECKING:
    from aviary.actors.core.ports.process import ChildProcess
    from aviary.actors.engine.processes.launch import OnSpawn

PASSWORD = "rehearsal"
SAMPLE = 30.0
"""Seconds over which the processor share is measured: one whole refresh of every bot's orders."""

LIMIT = 180.0
"""Seconds for all bots to quote."""

ORDERS_EACH = 4

CONTROLLER = {
    "id": "quotes",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "connector_name": "sandbox",
    "trading_pair": "BTC-USDT",
    "total_amount_quote": 1000,
    "buy_spreads": [0.02, 0.03],
    "sell_spreads": [0.02, 0.03],
    "executor_refresh_time": int(SAMPLE),
    "skip_rebalance": True,
}


def encrypted(value: str, rounds: int) -> str:
    """A value as hummingbot keeps it."""
    salt, start = bytes(16), 1
    key = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds, 32)
    cipher = encrypt_aes_ctr(value.encode(), key[:16], start)
    derivation = {"c": rounds, "dklen": 32, "prf": "hmac-sha256", "salt": salt.hex()}
    crypto = {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": start.to_bytes(16, "big").hex()},
        "ciphertext": cipher.hex(),
        "kdf": "pbkdf2",
        "kdfparams": derivation,
        "mac": keccak(key[16:32] + cipher).hex(),
    }
    return binascii.hexlify(json.dumps({"crypto": crypto, "version": 3}).encode()).decode()


class Fleet:
    """The parts that bots need, and the bots."""

    def __init__(self, home: Path, *, cold: bool) -> None:
        self.home = home
        self.system = System.live()
        self.folders = BotFolders(home / "bots")
        self.sandbox = SandboxProcess(home / "sandbox", seed=1, options=())
        self.template: Template | None = None
        self._cold = cold

    async def start(self) -> None:
        """Exchange, template and actors; on the loop where the actors live."""
        for name in ("sandbox", "template"):
            (self.home / name).mkdir(parents=True)
        await self.sandbox.start()
        if not self._cold:
            self.template = Template.start(self.home / "template", self.home / "template.log")
            print(f"template warm after {await self.template.ready(60):.1f} s")
        environment = {"AVIARY_SANDBOX_URL": self.sandbox.url}
        runtime = ProcessRuntime(self.launch, SecretStr(PASSWORD), self.system.clock, environment)
        store, bots = BotStore(), self.home / "bots"
        branch = SupervisedBots(self.system, lambda name: BotActor(name, self.folders.of(name), store, runtime))
        broker = SupervisorSpec(
            strategy="rest_for_one",
            children=(
                ChildSpec("server", lambda: Broker(self.home / "broker", self.home / "broker.log", "auto")),
                ChildSpec("link", lambda: MqttLink("broker/server")),
            ),
        )
        path = self.home / "fleet.sqlite"
        dynamic = SupervisorSpec(dynamic=True, intensity=None)
        registry = ChildSpec("bot-registry", lambda: BotRegistry(branch, self.folders, StrategyFiles(bots)))
        spec = SupervisorSpec(
            children=(
                ChildSpec(WRITER, lambda: Database(None, path)),
                *(ChildSpec(reader, lambda: DatabaseReader(None, path)) for reader in READERS),
                ChildSpec("broker", lambda: Supervisor(broker), kind="supervisor", settings=SUPERVISOR_SETTINGS),
                ChildSpec("strategy-library", lambda: StrategyLibrary(bots, self.launch)),
                ChildSpec("bots", lambda: Supervisor(dynamic), kind="supervisor", settings=SUPERVISOR_SETTINGS),
                registry,
            )
        )
        tree = Tree(self.system, spec)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tree.start(), self.system.kernel.loop))

    async def launch(self, job: Job, born: OnSpawn | None) -> ChildProcess:
        """Start an engine process."""
        return await launch(self.template, job, on_spawn=born)

    async def measure(self, count: int) -> None:
        """Deploy all at once, wait until all quote, then watch them for a while."""
        ask, clock = self.system.ask, self.system.clock
        config = SaveConfig(kind="controller", config_name="quotes", config=CONTROLLER)
        await ask("strategy-library", config, timeout=10)
        began = clock.monotonic()
        await asyncio.gather(
            *(
                ask(
                    "bot-registry",
                    DeployControllers(
                        instance_name=f"bot{number}",
                        credentials_profile=f"desk{number}",
                        controllers_config=("quotes",),
                        exact_name=True,
                    ),
                    timeout=60,
                )
                for number in range(count)
            )
        )
        first: float | None = None
        async with asyncio.timeout(LIMIT):
            while (quoting := await self.quoting()) < count:
                if quoting and first is None:
                    first = clock.monotonic() - began
                await asyncio.sleep(0.2)
        whole = clock.monotonic() - began
        print(f"{count} bots: the first quotes after {first or whole:.1f} s, all after {whole:.1f} s")
        await self.report_use()

    async def quoting(self) -> int:
        """Bots that have their full set of orders on the exchange."""
        orders = await self.sandbox.orders(open_only=True)
        counts: dict[str, int] = {}
        for order in orders:
            counts[order["key"]] = counts.get(order["key"], 0) + 1
        return sum(each >= ORDERS_EACH for each in counts.values())

    async def report_use(self) -> None:
        """Memory and processor share of each bot."""
        statuses = await self.system.ask("bot-registry", ListBots(), timeout=30)
        processes = [psutil.Process(status.pid) for status in statuses.values() if status.pid is not None]
        before = [processor_time(process) for process in processes]
        began = self.system.clock.monotonic()
        await asyncio.sleep(SAMPLE)
        passed = self.system.clock.monotonic() - began
        shares = [
            100 * (processor_time(process) - then) / passed
            for process, then in zip(processes, before, strict=True)
        ]
        memory = [process.memory_full_info().pss / 2**20 for process in processes]
        print(f"memory (PSS): {statistics.mean(memory):.0f} MB each, {sum(memory):.0f} MB together")
        if self.template is not None:
            print(f"template (PSS): {self.template.process.memory() / 2**20:.0f} MB")
        print(
            f"processor over {passed:.0f} s, children included: {statistics.mean(shares):.2f} % of a core each,"
            f" at most {max(shares):.2f} %, {sum(shares):.0f} % together"
        )

    async def stop(self) -> None:
        """Stop the bots cleanly, then everything else."""
        statuses = await self.system.ask("bot-registry", ListBots(), timeout=30)
        began = self.system.clock.monotonic()
        stops = [
            self.system.ask("bot-registry", StopBot(bot_name=name, async_backend=False), timeout=160)
            for name in statuses
        ]
        await asyncio.gather(*stops)
        left = len([order for order in await self.sandbox.orders(open_only=True) if order["key"]])
        print(f"stopped after {self.system.clock.monotonic() - began:.1f} s, orders left on the exchange: {left}")
        if self.template is not None:
            self.template.close()
        await self.sandbox.stop()


def processor_time(process: psutil.Process) -> float:
    """Seconds of processor that a bot has used, its living and its ended children included."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:4]) for each in family)


def write_account(folder: Path, key: str, rounds: int) -> None:
    """One account with a key of its own."""
    (folder / "connectors").mkdir(parents=True)
    (folder / ".password_verification").write_text(encrypted("HummingBot", rounds))
    values: dict[str, Any] = {
        "connector": "sandbox",
        "sandbox_api_key": encrypted(key, rounds),
        "sandbox_api_secret": encrypted("secret", rounds),
    }
    (folder / "connectors" / "sandbox.yml").write_text(yaml.safe_dump(values))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Starts a fleet of bots at once and measures it.")
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--cold", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aviary-fleet-") as place:
        fleet = Fleet(Path(place), cold=chosen.cold)
        for number in range(chosen.bots):
            # Here and not on the loop of the actors: encrypting is as slow as decrypting.
            account = fleet.home / "bots" / "credentials" / f"desk{number}"
            write_account(account, f"sandboxfleet{number}", chosen.rounds)
        loop = fleet.system.dispatcher("work").loop

        async def work() -> None:
            await fleet.start()
            try:
                await fleet.measure(chosen.bots)
            finally:
                await fleet.stop()

        try:
            asyncio.run_coroutine_threadsafe(work(), loop).result()
        finally:
            for process in psutil.process_iter(["cwd"]):
                if str(process.info["cwd"] or "").startswith(place):
                    process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
