"""Deploying bots, in steps that are written down before they are taken: a crash in the middle loses nothing."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.bots.folder import needed_credentials
from aviary.actors.bots.store import Bot, BotRun
from aviary.actors.core.refusal import Conflict, Invalid, NotFound, Refusal, Unavailable
from aviary.actors.messages.bots import DeployBot, DeployControllers, DeployScript
from aviary.actors.messages.strategies import CheckConfig, CheckedConfig, StrategyKind

if TYPE_CHECKING:
    from aviary.actors.bots.access import KnownBots
    from aviary.actors.bots.branch import BotBranch
    from aviary.actors.bots.folder import BotFolders
    from aviary.actors.strategies.files import StrategyFiles
    from aviary.persistence.repositories import Repositories

_CONFIG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

LOADER = "v2_with_controllers"

LIBRARY = "strategy-library"

CHECK_TIMEOUT = 35.0
"""Seconds a deployment waits for the checks of its configurations."""

CHECKS_AT_ONCE = 2
"""As many as there are inspections at once: what waits is not begun."""


class Deployments:
    """Turns configurations into bots that run."""

    def __init__(self, bots: KnownBots, branch: BotBranch, folders: BotFolders, strategies: StrategyFiles) -> None:
        self._bots = bots
        self._branch = branch
        self._folders = folders
        self._strategies = strategies
        self._named_at = 0

    async def deploy_controllers(self, message: DeployControllers) -> dict[str, Any]:
        """A bot that runs saved controllers under the shipped loader."""
        account = message.credentials_profile
        await asyncio.to_thread(self._folders.account, account)
        configs = await asyncio.to_thread(self._strategies.controllers_for_deployment, message.controllers_config)
        configs, connectors, warnings = await self._check(configs, account)
        name = self._name(message.instance_name, exact=message.exact_name)
        script = {
            "script_file_name": f"{LOADER}.py",
            "controllers_config": list(configs),
            "max_global_drawdown_quote": _number(message.max_global_drawdown_quote),
            "max_controller_drawdown_quote": _number(message.max_controller_drawdown_quote),
        }
        script = {k: v for k, v in script.items() if v is not None}
        spec = self._spec(message, f"{name}.yml", script, configs, connectors)
        await self._deploy(name, spec, "controller", LOADER, message)
        return {
            "success": True,
            "message": f"Instance {name} created successfully.",
            "script_config_generated": f"{name}.yml",
            "controllers_deployed": [config.removesuffix(".yml") for config in configs],
            "unique_instance_name": name,
            "warnings": warnings,
        }

    async def deploy_script(self, message: DeployScript) -> dict[str, Any]:
        """A bot that runs a script."""
        script: dict[str, Any] = {}
        if message.script_config is not None:
            script = await asyncio.to_thread(self._strategies.read_config, "script", message.script_config)
        file = message.script or script.get("script_file_name")
        if not isinstance(file, str):
            raise Invalid("name a script, or a configuration that names one", "script")
        account = message.credentials_profile
        await asyncio.to_thread(self._folders.account, account)
        file = file.removesuffix(".py")
        if file not in await asyncio.to_thread(self._strategies.list_sources, self._strategies.scripts):
            raise NotFound(f"Script '{file}' not found")
        configs = await asyncio.to_thread(self._strategies.controllers_for_deployment, _names(script))
        configs, connectors, warnings = await self._check(configs, account)
        script = {**script, "script_file_name": f"{file}.py"}
        if configs:
            script["controllers_config"] = list(configs)
        named = message.script_config or file
        checked = await self._check_one("script", named, script, account)
        name = self._name(message.instance_name, exact=message.exact_name)
        spec = self._spec(message, f"{name}.yml", checked.config, configs, connectors | checked.connectors)
        await self._deploy(name, spec, "script", file, message)
        return {
            "success": True,
            "message": f"Instance {name} created successfully.",
            "script_config_generated": f"{name}.yml",
            "unique_instance_name": name,
            "warnings": [*warnings, *(f"{named}: {warning}" for warning in checked.warnings)],
        }

    async def deploy_either(self, message: DeployBot) -> dict[str, Any]:
        """A bot that runs whichever of the two is named."""
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
            return await self.deploy_script(script)
        return await self.deploy_controllers(
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
        # Of two deployments within a second the later one counts as the next second's.
        self._named_at = max(int(self._bots.actor.clock.now()), self._named_at + 1)
        return f"{wanted}-{datetime.fromtimestamp(self._named_at, UTC):%Y%m%d-%H%M%S}"

    @staticmethod
    def _spec(
        message: DeployControllers | DeployScript,
        config: str,
        script: dict[str, Any],
        controllers: dict[str, Any],
        connectors: frozenset[str],
    ) -> dict[str, Any]:
        return {
            "account": message.credentials_profile,
            "script_config": config,
            "script": script,
            "controllers": controllers,
            "connectors": sorted(connectors),
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
        async with self._bots.lock(name):
            await asyncio.to_thread(self._check_account, spec)
            now = self._bots.actor.clock.now()
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
            if not await self._bots.records.write(lambda r: r.bots.add(bot) and bool(r.bots.add_run(run))):
                raise Conflict(f"Bot '{name}' exists")
            await self.finish(bot)

    def _check_account(self, spec: dict[str, Any]) -> None:
        needed_credentials(self._folders.account(spec["account"]), spec)

    async def finish(self, bot: Bot, *, patient: bool = False) -> None:
        """Make the folder and start the actor; whatever was done of it before is not done twice.

        A deployment that can't be made is undone; if it is `patient`, only for a reason that time does not heal.
        """
        try:
            await asyncio.to_thread(self._folders.make, bot.name, bot.spec)
        except (Refusal, OSError) as error:
            if not (patient and isinstance(error, Unavailable | OSError)):
                await self._give_up(bot.name, str(error))
            raise
        await self._bots.change(bot.name, spec={**bot.spec, "step": "made"})
        await self._branch.start_bot(bot.name)

    async def _give_up(self, name: str, why: str) -> None:
        await asyncio.to_thread(self._folders.remove, name)

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, deployment_status="FAILED", run_status="ERROR", error_message=why)
            r.bots.remove(name)

        await self._bots.records.write(work)

    async def _check(
        self, configs: dict[str, dict[str, Any]], account: str
    ) -> tuple[dict[str, dict[str, Any]], frozenset[str], list[str]]:
        """The configurations without what is left over, the connectors that they trade on, and warnings.

        `Invalid` for what could not run, while nothing has been made yet.
        """
        turn = asyncio.Semaphore(CHECKS_AT_ONCE)

        async def check(file: str, values: dict[str, Any]) -> CheckedConfig:
            async with turn:
                return await self._check_one("controller", file, values, account)

        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                checked = await asyncio.gather(*(check(file, values) for file, values in configs.items()))
        except TimeoutError:
            detail = f"{len(configs)} configurations could not be checked within {CHECK_TIMEOUT:g} s"
            raise Unavailable(detail, retry_after=10.0) from None
        warnings = [
            f"{file}: {warning}" for file, one in zip(configs, checked, strict=True) for warning in one.warnings
        ]
        connectors = frozenset(name for one in checked for name in one.connectors)
        return {file: one.config for file, one in zip(configs, checked, strict=True)}, connectors, warnings

    async def _check_one(
        self, kind: StrategyKind, file: str, values: dict[str, Any], account: str | None
    ) -> CheckedConfig:
        question = CheckConfig(kind=kind, config=values, account=account)
        try:
            return await self._bots.actor.ask(LIBRARY, question, timeout=CHECK_TIMEOUT)
        except Invalid as invalid:
            if invalid.field == "credentials_profile":
                raise
            field = "script_config" if kind == "script" else "controllers_config"
            raise Invalid(f"{file}: {invalid.detail}", field) from None


def _names(script: dict[str, Any]) -> list[str]:
    """The configurations of controllers that a script's names."""
    given = script.get("controllers_config") or []
    names = [one.strip() for one in given.split(",")] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) and _CONFIG.fullmatch(name) for name in names):
        raise Invalid("not names of configurations: controllers_config", "script_config")
    return names


def _number(value: Any) -> float | None:
    # YAML knows no decimals; these two are limits, not amounts of an order.
    return None if value is None else float(value)
