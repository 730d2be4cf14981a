"""Deploying bots, in steps that are written down before they are taken: a crash in the middle loses nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from aviary.actors.bot_folder import needed_credentials
from aviary.actors.bot_store import Bot, BotRun
from aviary.actors.core.refusal import ActorCrashed, Conflict, Invalid, NotFound, Refusal
from aviary.actors.messages.bots import DeployBot, DeployControllers, DeployScript
from aviary.actors.messages.strategies import ValidateControllerConfig

if TYPE_CHECKING:
    from aviary.actors.bot_access import KnownBots
    from aviary.actors.bot_family import BotFamily
    from aviary.actors.bot_folder import BotFolders
    from aviary.actors.strategy_files import StrategyFiles
    from aviary.persistence.repositories import Repositories

LOADER = "v2_with_controllers"

LIBRARY = "strategy-library"

INSPECTION_TIMEOUT = 10.0
"""Seconds a deployment waits for the inspection of its configurations."""


class Deployments:
    """Turns configurations into bots that run."""

    def __init__(self, bots: KnownBots, family: BotFamily, folders: BotFolders, strategies: StrategyFiles) -> None:
        self._bots = bots
        self._family = family
        self._folders = folders
        self._strategies = strategies

    async def deploy_controllers(self, message: DeployControllers) -> dict[str, Any]:
        """A bot that runs saved controllers under the shipped loader."""
        configs = await asyncio.to_thread(self._strategies.controllers_for_deployment, message.controllers_config)
        await self._inspect(configs)
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

    async def deploy_script(self, message: DeployScript) -> dict[str, Any]:
        """A bot that runs a script."""
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
        await self._inspect(configs)
        name = self._name(message.instance_name, exact=message.exact_name)
        spec = self._spec(message, f"{name}.yml", {**script, "script_file_name": f"{file}.py"}, configs)
        await self._deploy(name, spec, "script", file, message)
        return {
            "success": True,
            "message": f"Instance {name} created successfully.",
            "script_config_generated": f"{name}.yml",
            "unique_instance_name": name,
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
        moment = datetime.fromtimestamp(self._bots.actor.clock.now(), UTC)
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
            if not await self._bots.transact(lambda r: r.bots.add(bot) and bool(r.bots.add_run(run))):
                raise Conflict(f"Bot '{name}' exists")
            await self.finish(bot)

    def _check_account(self, spec: dict[str, Any]) -> None:
        needed_credentials(self._folders.account(spec["account"]), spec)

    async def finish(self, bot: Bot) -> None:
        """Make the folder and start the actor; whatever was done of it before is not done twice."""
        try:
            await asyncio.to_thread(self._folders.make, bot.name, bot.spec)
        except (Refusal, OSError) as error:
            await self._give_up(bot.name, str(error))
            raise
        await self._bots.change(bot.name, spec={**bot.spec, "step": "made"})
        await self._family.start_bot(bot.name)

    async def _give_up(self, name: str, why: str) -> None:
        await asyncio.to_thread(self._folders.remove, name)

        def work(r: Repositories) -> None:
            run = r.bots.last_run(name)
            if run is not None:
                r.bots.change_run(run.id, deployment_status="FAILED", run_status="ERROR", error_message=why)
            r.bots.remove(name)

        await self._bots.transact(work)

    async def _inspect(self, configs: dict[str, dict[str, Any]]) -> None:
        """Refuse with `Invalid` what a controller would not take; nothing has been made yet.

        An inspection that can't be had refuses nothing: the bot itself will say why it fails.
        """
        await asyncio.gather(*(self._inspect_one(file, values) for file, values in configs.items()))

    async def _inspect_one(self, file: str, values: dict[str, Any]) -> None:
        question = ValidateControllerConfig(
            controller_type=values["controller_type"], controller_name=values["controller_name"], config=values
        )
        try:
            await self._bots.actor.ask(LIBRARY, question, timeout=INSPECTION_TIMEOUT)
        except Invalid as invalid:
            raise Invalid(f"{file}: {invalid.detail}", "controllers_config") from None
        except (Refusal, ActorCrashed):
            return


def _number(value: Any) -> float | None:
    # YAML knows no decimals; these two are limits, not amounts of an order.
    return None if value is None else float(value)
