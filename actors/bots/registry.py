"""The registry of bots: says who handles what, and brings bots up after a restart of the server."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aviary.actors.bots import runs
from aviary.actors.bots.access import KnownBots
from aviary.actors.bots.configs import BotConfigs
from aviary.actors.bots.deployment import Deployments
from aviary.actors.bots.lifecycle import BotLifecycle
from aviary.actors.bots.views import BotViews
from aviary.actors.core.actor import AsyncActor
from aviary.actors.keeping.until_done import UntilDone
from aviary.actors.messages.bots import (
    BringUp,
    DeleteRun,
    DeployBot,
    DeployControllers,
    DeployScript,
    FindBot,
    GetBotConfigs,
    GetBotHistory,
    GetLatestPerformance,
    GetMqttState,
    GetPerformanceHistory,
    GetRun,
    GetRunStatistics,
    ListBots,
    ListRuns,
    StartBot,
    StopAndArchiveBot,
    StopBot,
    UpdateBotConfig,
    UpdateStrategy,
)

if TYPE_CHECKING:
    from aviary.actors.bots.branch import BotBranch
    from aviary.actors.bots.folder import BotFolders
    from aviary.actors.strategies.files import StrategyFiles

BRING_UP_TIMEOUT = 60.0
"""Seconds for one try to bring a bot up."""

BRING_UP_PERIOD = 10.0
"""Seconds between two looks whether every bot has its actor: whoever restarts their supervisor ends them all."""


class BotRegistry(AsyncActor):
    """Knows every bot. What one bot is asked to do is done in order; different bots don't wait for each other."""

    keeps_nothing = True

    def __init__(self, branch: BotBranch, folders: BotFolders, strategies: StrategyFiles) -> None:
        super().__init__()
        self._branch = branch
        self._folders = folders
        self._strategies = strategies

    def prepare(self) -> None:
        """Only begin: bots come up beside everything else."""
        self._bots = bots = KnownBots(self)
        self._deployments = Deployments(bots, self._branch, self._folders, self._strategies)
        self._unfinished = UntilDone(self)
        self._stopping = BotLifecycle(bots, self._branch, self._folders, self._unfinished)
        self._views = BotViews(bots, self._folders, self._unfinished)
        self._configs = BotConfigs(bots, self._folders, self._strategies)
        self.every(BRING_UP_PERIOD, BringUp(), first=0.0)

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case DeployControllers():
                return self.defer(self._deployments.deploy_controllers(message))
            case DeployScript():
                return self.defer(self._deployments.deploy_script(message))
            case DeployBot():
                return self.defer(self._deployments.deploy_either(message))
            case StartBot():
                return self.defer(self._stopping.start(message))
            case StopBot():
                return self.defer(self._stopping.stop(message))
            case StopAndArchiveBot():
                return self.defer(self._stopping.stop_and_archive(message))
            case ListBots():
                return self.defer(self._views.all())
            case FindBot():
                return self.defer(self._views.find_leniently(message))
            case GetBotHistory():
                return self.defer(self._views.history(message))
            case GetMqttState():
                return self.defer(self._views.mqtt_state())
            case UpdateBotConfig():
                return self.defer(self._configs.update(message))
            case UpdateStrategy():
                return self.defer(self._configs.update_everywhere(message))
            case GetBotConfigs(bot_name=name):
                return self.defer(self._configs.of(name))
            case GetLatestPerformance():
                return self.defer(self._views.latest_performance(message.bot_name))
            case GetPerformanceHistory():
                return self.defer(self._bots.records.read(lambda r: runs.performance_history(r, message)))
            case ListRuns():
                return self.defer(self._bots.records.read(lambda r: runs.list_runs(r, message)))
            case GetRun(bot_run_id=number):
                return self.defer(self._bots.records.read(lambda r: runs.get_run(r, number)))
            case GetRunStatistics():
                return self.defer(self._bots.records.read(runs.statistics))
            case DeleteRun(bot_run_id=number):
                return self.defer(self._bots.records.write(lambda r: runs.delete_run(r, number)))
            case BringUp():
                return self._unfinished.begin("the list of bots", self._bring_up)
            case _:
                return super().receive(message)

    async def _bring_up(self) -> None:
        for bot in await self._bots.records.read(lambda r: r.bots.list()):
            if self.system.cell(f"bots/{bot.name}") is None:
                self._unfinished.begin(bot.name, partial(self._bring_up_one, bot.name))
            elif bot.spec.get("step") == "archive":
                self._stopping.begin_archive(bot)

    async def _bring_up_one(self, name: str) -> None:
        async with asyncio.timeout(BRING_UP_TIMEOUT), self._bots.lock(name):
            # It may have come and gone since the list was made.
            bot = await self._bots.records.read(lambda r: r.bots.get(name))
            if bot is None or self.system.cell(f"bots/{name}") is not None:
                return
            await asyncio.to_thread(self._folders.own_code, name)
            if bot.spec.get("step") == "make":
                await self._deployments.finish(bot, patient=True)
            else:
                await self._branch.start_bot(name)
