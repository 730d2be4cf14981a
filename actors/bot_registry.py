"""The registry of bots: deploys, starts, stops and archives them, and brings them up after a restart of the server.

Deploying and archiving are steps. Each is written down in the bot's record before it is taken, so that a server that
was killed in the middle goes on, or cleans up, at its next start.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from aviary.actors import bot_runs
from aviary.actors.bot_store import Bot, BotRun, BotStore, performance_view
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Refusal, Unavailable
from aviary.actors.messages.bots import (
    AskBot,
    BotStatus,
    BringUp,
    DeleteRun,
    DeployBot,
    DeployControllers,
    DeployScript,
    FindBot,
    GetBotConfigs,
    GetBotHistory,
    GetBotStatus,
    GetLatestPerformance,
    GetMqttState,
    GetPerformanceHistory,
    GetRun,
    GetRunStatistics,
    HaltBot,
    ListBots,
    ListRuns,
    RunBot,
    StartBot,
    StopAndArchiveBot,
    StopBot,
    UpdateBotConfig,
    UpdateStrategy,
)
from aviary.actors.messages.broker import GetLink
from aviary.actors.strategy_files import read_yaml, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.bot_folder import BotFolders
    from aviary.actors.strategy_files import StrategyFiles
    from aviary.persistence.repositories import Repositories

LINK = "broker/link"

STATUS_TIMEOUT = 3.0
"""Seconds for a bot's actor to say how it is."""

STOP_TIMEOUT = 150.0
"""Seconds for a stop: over MQTT, by SIGTERM, by SIGKILL, and settling what is left."""

BRING_UP_TIMEOUT = 60.0
"""Seconds for one bot at the server's start."""

LOADER = "v2_with_controllers"


class BotFamily(Protocol):
    """Starts and removes the actors of bots."""

    async def start_bot(self, name: str) -> None:
        """Start the actor `bots/<name>`, or a new incarnation of one that is backing off."""

    async def remove_bot(self, name: str) -> None:
        """Remove the actor."""


class BotRegistry(AsyncActor):
    """Knows every bot. What one bot is asked to do is done in order; different bots don't wait for each other."""

    def __init__(self, family: BotFamily, store: BotStore, folders: BotFolders, strategies: StrategyFiles) -> None:
        super().__init__()
        self._family = family
        self._store = store
        self._folders = folders
        self._strategies = strategies

    def prepare(self) -> None:
        """Only begin: bots come up beside everything else."""
        self._locks: dict[str, asyncio.Lock] = {}
        self.tell(self.address, BringUp())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case DeployControllers():
                return self.defer(self._deploy_controllers(message))
            case DeployScript():
                return self.defer(self._deploy_script(message))
            case DeployBot():
                return self.defer(self._deploy_either(message))
            case StartBot():
                return self.defer(self._start_bot(message))
            case StopBot():
                return self.defer(self._stop_bot(message))
            case StopAndArchiveBot():
                return self.defer(self._stop_and_archive(message))
            case ListBots():
                return self.defer(self._list())
            case FindBot():
                return self.defer(self._find_leniently(message))
            case GetBotHistory():
                return self.defer(self._history(message))
            case GetMqttState():
                return self.defer(self._mqtt_state())
            case UpdateBotConfig():
                return self.defer(self._update_config(message))
            case UpdateStrategy():
                return self.defer(self._update_strategy(message))
            case GetBotConfigs(bot_name=name):
                return self.defer(self._configs(name))
            case GetLatestPerformance():
                return self.defer(self._latest_performance(message.bot_name))
            case GetPerformanceHistory():
                return self.defer(self._store.fetch(self, lambda r: bot_runs.performance_history(r, message)))
            case ListRuns():
                return self.defer(self._store.fetch(self, lambda r: bot_runs.list_runs(r, message)))
            case GetRun(bot_run_id=number):
                return self.defer(self._store.fetch(self, lambda r: bot_runs.get_run(r, number)))
            case GetRunStatistics():
                return self.defer(self._store.fetch(self, bot_runs.statistics))
            case DeleteRun(bot_run_id=number):
                return self.defer(self._store.transact(self, lambda r: bot_runs.delete_run(r, number)))
            case BringUp():
                return self.defer(self._bring_up())
            case _:
                return super().receive(message)

    # Deploying

    async def _deploy_controllers(self, message: DeployControllers) -> dict[str, Any]:
        configs = await asyncio.to_thread(self._strategies.controllers_for_deployment, message.controllers_config)
        name = self._name(message.instance_name, exact=message.exact_name)
        script = {
            "script_file_name": f"{LOADER}.py",
            "controllers_config": list(configs),
            "max_global_drawdown_quote": _number(message.max_global_drawdown_quote),
            "max_controller_drawdown_quote": _number(message.max_controller_drawdown_quote),
        }
        spec = self._spec(message, f"{name}.yml", {k: v for k, v in script.items() if v is not None}, configs)
        await self._deploy(name, spec, "controller", LOADER, message)
        return {
            "success": True,
            "message": f"Instance {name} created successfully.",
            "script_config_generated": f"{name}.yml",
            "controllers_deployed": [config.removesuffix(".yml") for config in configs],
            "unique_instance_name": name,
        }

    async def _deploy_script(self, message: DeployScript) -> dict[str, Any]:
        script: dict[str, Any] = {}
        if message.script_config is not None:
            script = await asyncio.to_thread(self._strategies.read_config, "script", message.script_config)
        file = message.script or script.get("script_file_name")
        if not isinstance(file, str):
            raise Invalid("name a script, or a configuration that names one", "script")
        file = file.removesuffix(".py")
        if file not in await asyncio.to_thread(self._strategies.list_sources, self._strategies.scripts):
            raise NotFound(f"Script '{file}' not found")
        named = [str(each) for each in script.get("controllers_config") or ()]
        if any("/" in each or each.startswith(".") for each in named):
            raise Invalid("not names of configurations: controllers_config", "script_config")
        configs = await asyncio.to_thread(self._strategies.controllers_for_deployment, named)
        name = self._name(message.instance_name, exact=message.exact_name)
        spec = self._spec(message, f"{name}.yml", {**script, "script_file_name": f"{file}.py"}, configs)
        await self._deploy(name, spec, "script", file, message)
        return {
            "success": True,
            "message": f"Instance {name} created successfully.",
            "script_config_generated": f"{name}.yml",
            "unique_instance_name": name,
        }

    async def _deploy_either(self, message: DeployBot) -> dict[str, Any]:
        controllers = message.controllers_config or ((message.controller,) if message.controller else ())
        named = message.script or message.script_config
        if bool(controllers) == bool(named):
            raise Invalid("name either controllers or a script", "controllers_config")
        source = controllers[0] if controllers else str(named)
        stem = source.removesuffix(".yml").removesuffix(".py").replace(".", "-")
        shared = {
            "instance_name": message.instance_name or stem,
            "credentials_profile": message.credentials_profile,
            "image": message.image,
            "exact_name": message.instance_name is not None,
        }
        if named:
            script = DeployScript(script=message.script, script_config=message.script_config, **shared)
            return await self._deploy_script(script)
        return await self._deploy_controllers(
            DeployControllers(
                controllers_config=controllers,
                max_global_drawdown_quote=message.max_global_drawdown_quote,
                max_controller_drawdown_quote=message.max_controller_drawdown_quote,
                **shared,
            )
        )

    def _name(self, wanted: str, *, exact: bool) -> str:
        if exact:
            return wanted
        moment = datetime.fromtimestamp(self.clock.now(), UTC)
        return f"{wanted}-{moment:%Y%m%d-%H%M%S}"

    @staticmethod
    def _spec(
        message: DeployControllers | DeployScript, config: str, script: dict[str, Any], controllers: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "account": message.credentials_profile,
            "script_config": config,
            "script": script,
            "controllers": controllers,
            "step": "make",
        }

    async def _deploy(
        self,
        name: str,
        spec: dict[str, Any],
        kind: str,
        strategy: str,
        message: DeployControllers | DeployScript,
    ) -> None:
        async with self._lock(name):
            await asyncio.to_thread(self._check_account, spec)
            now = self.clock.now()
            bot = Bot(name=name, desired="running", spec=spec, created_at=now, updated_at=now)
            run = BotRun(
                bot_name=name,
                instance_name=name,
                deployed_at=now,
                strategy_type=kind,
                strategy_name=strategy,
                config_name=spec["script_config"],
                account_name=spec["account"],
                image_version=message.image,
                deployment_config=orjson.dumps(
                    {
                        **message.model_dump(mode="json", exclude={"exact_name"}),
                        "script_config": spec["script_config"],
                    }
                ).decode(),
            )
            if not await self._store.transact(self, lambda r: r.bots.add(bot) and bool(r.bots.add_run(run))):
                raise Conflict(f"Bot '{name}' exists")
            await self._finish_deployment(bot)

    def _check_account(self, spec: dict[str, Any]) -> None:
        from aviary.actors.bot_folder import needed_credentials

        needed_credentials(self._folders.account(spec["account"]), spec)

    async def _finish_deployment(self, bot: Bot) -> None:
        """Make the folder and start the actor; whatever was done of it before is not done twice."""
        try:
            await asyncio.to_thread(self._folders.make, bot.name, bot.spec)
        except (Refusal, OSError) as error:
            await self._give_up(bot.name, str(error))
            raise
        await self._change(bot.name, spec={**bot.spec, "step": "made"})
        await self._family.start_bot(bot.name)

    async def _give_up(self, name: str, why: str) -> None:
        await asyncio.to_thread(self._folders.remove, name)

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, deployment_status="FAILED", run_status="ERROR", error_message=why)
            r.bots.remove(name)

        await self._store.transact(self, work)

    # Starting and stopping

    async def _start_bot(self, message: StartBot) -> dict[str, Any]:
        name = message.bot_name
        if message.lenient and await self._is_unknown(name):
            return {"success": False, "message": f"Bot {name} not found"}
        async with self._lock(name):
            await self._must_exist(name)
            await self._change(name, desired="running")
            if not self._lives(name):
                await self._family.start_bot(name)
            await self.ask(f"bots/{name}", RunBot(), timeout=STATUS_TIMEOUT * 3)
        return {"success": True}

    async def _stop_bot(self, message: StopBot) -> dict[str, Any]:
        if message.lenient and await self._is_unknown(message.bot_name):
            return {"success": False, "message": f"Bot {message.bot_name} not found"}
        status = await self._halt(
            message.bot_name, skip=message.skip_order_cancellation, wait=not message.async_backend
        )
        return {"success": True, "state": status.state, "orders_left": status.orders_left}

    async def _halt(self, name: str, *, skip: bool, wait: bool) -> BotStatus:
        async with self._lock(name):
            await self._must_exist(name)
            # Written down first: a server that dies now must not start the bot again.
            await self._change(name, desired="stopped")
            if not self._lives(name):
                await self._family.start_bot(name)
        return await self.ask(
            f"bots/{name}", HaltBot(skip_order_cancellation=skip, wait=wait), timeout=STOP_TIMEOUT
        )

    async def _stop_and_archive(self, message: StopAndArchiveBot) -> dict[str, Any]:
        name = message.bot_name
        if message.s3_bucket is not None or not message.archive_locally:
            raise Invalid("archives are kept in the local folder", "archive_locally")
        if await self._is_unknown(name):
            # The released server's answer: 200, and the status says so.
            active = [bot.name for bot in await self._store.fetch(self, lambda r: r.bots.list())]
            return {
                "status": "error",
                "message": f"Bot '{name}' not found. Known bots: {active}",
                "details": {
                    "input_name": name,
                    "actual_bot_name": name,
                    "container_name": name,
                    "active_bots": active,
                    "reason": "There is no bot of this name",
                },
            }
        bot = await self._must_exist(name)
        spec = {**bot.spec, "step": "archive", "skip_order_cancellation": message.skip_order_cancellation}
        await self._change(name, desired="stopped", spec=spec)
        self.spawn(self._archive(name, skip=message.skip_order_cancellation), f"archive {name}")
        return {
            "status": "success",
            "message": f"Stop and archive process started for bot {name}",
            "details": {
                "input_name": name,
                "actual_bot_name": name,
                "container_name": name,
                "process": (
                    "The bot is stopped, its data are copied to the archive, and its folder is removed."
                    " This takes 10 to 30 seconds."
                ),
            },
        }

    async def _archive(self, name: str, *, skip: bool) -> None:
        try:
            await self._halt(name, skip=skip, wait=True)
            async with self._lock(name):
                await asyncio.to_thread(self._folders.archive, name)
        except (Refusal, OSError) as error:
            # Nothing is lost: the bot keeps its folder, and the next start of the server tries again.
            self.system.alarms.raise_(f"archive/{name}", f"bot {name} could not be archived: {error}")
            return
        await self._family.remove_bot(name)
        await asyncio.to_thread(self._folders.remove, name)

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, deployment_status="ARCHIVED", run_status="STOPPED")
            r.bots.remove(name)

        await self._store.transact(self, work)
        self.system.alarms.clear(f"archive/{name}")

    # After a start of the server

    async def _bring_up(self) -> None:
        bots = await self._store.fetch(self, lambda r: r.bots.list())
        await asyncio.gather(*(self._bring_up_one(bot) for bot in bots))

    async def _bring_up_one(self, bot: Bot) -> None:
        alarm = f"bot/{bot.name}"
        try:
            async with asyncio.timeout(BRING_UP_TIMEOUT), self._lock(bot.name):
                if bot.spec.get("step") == "make":
                    await self._finish_deployment(bot)
                else:
                    await self._family.start_bot(bot.name)
        except (Refusal, OSError) as error:
            self.system.alarms.raise_(alarm, f"bot {bot.name} did not come up: {error}")
            return
        self.system.alarms.clear(alarm)
        if bot.spec.get("step") == "archive":
            skip = bool(bot.spec.get("skip_order_cancellation"))
            self.spawn(self._archive(bot.name, skip=skip), f"archive {bot.name}")

    # Telling

    async def _list(self) -> dict[str, BotStatus]:
        bots = await self._store.fetch(self, lambda r: r.bots.list())
        statuses = await asyncio.gather(*(self._status_of(bot.name) for bot in bots))
        return {status.name: status for status in statuses}

    async def _find_leniently(self, message: FindBot) -> BotStatus | None:
        if message.lenient and await self._is_unknown(message.bot_name):
            return None
        return await self._find(message.bot_name)

    async def _find(self, name: str) -> BotStatus:
        await self._must_exist(name)
        return await self._status_of(name)

    async def _status_of(self, name: str) -> BotStatus:
        cell = self.system.cell(f"bots/{name}")
        if cell is not None and self._lives(name):
            try:
                return await self.ask(f"bots/{name}", GetBotStatus(), timeout=STATUS_TIMEOUT)
            except Refusal as refusal:
                return BotStatus(name=name, state="failed", reason=refusal.detail)
        if cell is None:
            return BotStatus(name=name, state="failed", reason="it was not brought up")
        state = "backing_off" if cell.state in {"backing_off", "starting"} else "failed"
        view = cell.view(self.clock.now(), self.clock.monotonic())
        wait = (
            ""
            if view.next_try_at is None
            else f"; next try in {max(0.0, view.next_try_at - self.clock.now()):.1f} s"
        )
        reason = f"{cell.last_failure or 'unknown'}{wait}"
        return BotStatus.model_validate(
            {
                "name": name,
                "state": state,
                "reason": reason,
                "restarts": cell.restarts,
                "incarnation": cell.incarnation,
            }
        )

    async def _history(self, message: GetBotHistory) -> dict[str, Any]:
        await self._must_exist(message.bot_name)
        if not self._lives(message.bot_name):
            raise Unavailable(f"bot {message.bot_name} is not running")
        data = {
            "days": message.days,
            "verbose": message.verbose,
            "precision": message.precision,
            "async_backend": False,
        }
        question = AskBot(command="history", data=data, timeout=message.timeout)
        return await self.ask(f"bots/{message.bot_name}", question, timeout=message.timeout + STATUS_TIMEOUT * 2)

    async def _mqtt_state(self) -> dict[str, Any]:
        link = await self.ask(LINK, GetLink(), timeout=STATUS_TIMEOUT)
        return {
            "mqtt_connected": link.connected,
            "discovered_bots": sorted(link.bots),
            "active_bots": sorted(name for name, silent in link.bots.items() if silent < bot_runs.ACTIVE),
            "broker_host": link.host,
            "broker_port": link.port,
            "broker_username": link.username,
            "client_state": "connected" if link.connected else "disconnected",
        }

    async def _latest_performance(self, name: str | None) -> list[dict[str, Any]]:
        statuses = [await self._find(name)] if name is not None else list((await self._list()).values())
        now = bot_runs.iso(self.clock.now())
        return [
            {"timestamp": now, "bot_name": status.name, "controller_id": controller_id, **report}
            for status in statuses
            for controller_id, report in performance_view(status).items()
        ]

    # A bot's own configurations

    async def _configs(self, name: str) -> list[dict[str, Any]]:
        await self._must_exist(name)

        def read() -> list[dict[str, Any]]:
            return [
                {**read_yaml(path, path.stem), "_config_name": path.stem}
                for path in sorted(self._controllers_of(name).glob("*.yml"))
            ]

        return await asyncio.to_thread(read)

    async def _update_config(self, message: UpdateBotConfig) -> dict[str, Any]:
        name = message.bot_name
        async with self._lock(name):
            await self._must_exist(name)
            stem = message.controller
            if stem is None:
                found = await asyncio.to_thread(lambda: sorted(self._controllers_of(name).glob("*.yml")))
                if len(found) != 1:
                    raise Invalid("name the controller: the bot has several, or none", "controller")
                stem = found[0].stem
            stem = stem.removesuffix(".yml")
            missing = f"Controller configuration '{stem}' not found for bot '{name}'"
            if "/" in stem or stem.startswith("."):
                raise NotFound(missing)
            path = self._controllers_of(name) / f"{stem}.yml"
            values = await asyncio.to_thread(read_yaml, path, missing)
            for fixed in ("id", "controller_name", "controller_type"):
                if fixed in message.changes and message.changes[fixed] != values.get(fixed):
                    raise Invalid(f"{fixed} can't be changed in a deployed bot", fixed)
            changes = {key: value for key, value in message.changes.items() if key != "_config_name"}
            await asyncio.to_thread(write_yaml, path, {**values, **changes})
        return {"message": f"Controller configuration for bot '{name}' updated successfully"}

    async def _update_strategy(self, message: UpdateStrategy) -> dict[str, Any]:
        stem = message.controller_id.removesuffix(".yml")
        missing = f"Configuration '{stem}' not found"
        if "/" in stem or stem.startswith("."):
            raise NotFound(missing)
        changed = []
        for bot in await self._store.fetch(self, lambda r: r.bots.list()):
            if await asyncio.to_thread((self._controllers_of(bot.name) / f"{stem}.yml").exists):
                change = UpdateBotConfig(bot_name=bot.name, controller=stem, changes=message.changes)
                await self._update_config(change)
                changed.append(bot.name)
        saved = self._strategies.config_path("controller", stem)
        if await asyncio.to_thread(saved.exists):
            values = await asyncio.to_thread(read_yaml, saved, missing)
            await asyncio.to_thread(write_yaml, saved, {**values, **message.changes})
        elif not changed:
            raise NotFound(missing)
        return {"message": f"Configuration '{stem}' updated successfully", "bots": changed}

    def _controllers_of(self, name: str) -> Path:
        return self._folders.of(name) / "conf" / "controllers"

    # Small things

    def _lives(self, name: str) -> bool:
        cell = self.system.cell(f"bots/{name}")
        return cell is not None and cell.state in {"running", "degraded"}

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _is_unknown(self, name: str) -> bool:
        return await self._store.fetch(self, lambda r: r.bots.get(name)) is None

    async def _must_exist(self, name: str) -> Bot:
        bot = await self._store.fetch(self, lambda r: r.bots.get(name))
        if bot is None or bot.desired == "archived":
            raise NotFound(f"Bot '{name}' not found")
        return bot

    async def _change(self, name: str, **changes: Any) -> None:
        at = self.clock.now()
        await self._store.transact(self, lambda r: r.bots.change(name, at=at, **changes))


def _number(value: Any) -> float | None:
    # YAML knows no decimals; these two are limits, not amounts of an order.
    return None if value is None else float(value)
