"""What the tree's actors are made of: their collaborators and folders, for these settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aviary.actors.accounts.connector import Connector
from aviary.actors.accounts.portfolio_history import PortfolioHistoryKeeper
from aviary.actors.accounts.registry import AccountRegistry
from aviary.actors.bots.bot import BotActor
from aviary.actors.bots.folder import BotFolders
from aviary.actors.bots.registry import BotRegistry
from aviary.actors.bots.store import BotStore
from aviary.actors.executors.executor import Executor
from aviary.actors.executors.registry import ExecutorRegistry
from aviary.actors.hosts.engine_host import EngineHost
from aviary.actors.hosts.sandbox_exchange import SandboxExchange
from aviary.actors.hosts.template import Launcher, TemplateKeeper
from aviary.actors.keeping.database import Database, DatabaseInspector, DatabaseReader
from aviary.actors.keeping.disk import Disk
from aviary.actors.keeping.resources import ResourceKeeper
from aviary.actors.keeping.supervision import SupervisionService
from aviary.actors.markets.feed_registry import FeedRegistry
from aviary.actors.markets.market_data import MarketData
from aviary.actors.markets.rate_oracle import RateOracle
from aviary.actors.messages.broker import BrokerInfo
from aviary.actors.messages.sandbox import GetSandbox
from aviary.actors.messaging.broker import Broker
from aviary.actors.runtimes.process import ProcessRuntime
from aviary.actors.runtimes.wards import Wards
from aviary.actors.strategies.files import StrategyFiles
from aviary.actors.strategies.library import StrategyLibrary
from aviary.supervisors.branches.accounts import SupervisedAccounts
from aviary.supervisors.branches.bots import SupervisedBots
from aviary.supervisors.branches.executors import SupervisedExecutors
from aviary.supervisors.branches.feeds import SupervisedFeeds
from aviary.supervisors.restarter import TreeRestarter

if TYPE_CHECKING:
    from aviary.actors.core.ports.process import ChildProcess
    from aviary.actors.core.system import System
    from aviary.actors.engine.processes.launch import Job, OnSpawn
    from aviary.config.layout import Layout
    from aviary.config.settings import Settings

SANDBOX_PATIENCE = 20.0
"""Seconds to wait for the simulated exchange to tell its address."""

MARKET_HOST = "market/host"
"""The engine host for public data."""

HOME_LOGS, BOT_LOGS = "logs/*.log", "instances/*/logs/*.log"
"""Where the server and what it starts, and where bots, write their logs."""


class ActorFactory:
    """Makes every actor of the tree. One method a kind; nothing is started here."""

    def __init__(self, settings: Settings, layout: Layout, system: System) -> None:
        self._settings = settings
        self._layout = layout
        self._system = system
        self._url = None if settings.database_url is None else settings.database_url.get_secret_value()
        self._template = "template" if settings.template else None
        self._sandbox = "sandbox" if settings.sandbox else None
        self._launcher = Launcher(system, self._template)
        self._credentials = settings.bots / "credentials"
        self._files = StrategyFiles(settings.bots)
        self._folders = BotFolders(settings.bots)
        self._store = BotStore()
        self._wards = Wards(layout.wards)
        self._runtime = ProcessRuntime(self._launch, settings.config_password, system.clock)

    def database(self) -> Database:
        """The writer."""
        return Database(self._url, self._layout.database)

    def reader(self) -> DatabaseReader:
        """One of the readers."""
        return DatabaseReader(self._url, self._layout.database)

    def inspector(self) -> DatabaseInspector:
        """Whoever looks after the file as a whole."""
        return DatabaseInspector(self._url, self._layout.database)

    def disk(self) -> Disk:
        """The watch over what is written: here, and by the bots."""
        return Disk({self._layout.home: HOME_LOGS, self._settings.bots: BOT_LOGS})

    def sandbox(self) -> SandboxExchange:
        """The simulated exchange's keeper."""
        log = self._layout.logs / "sandbox.log"
        return SandboxExchange(self._layout.sandbox, log, self._settings.sandbox_port, self._settings.sandbox_seed)

    def broker(self) -> Broker:
        """The broker's keeper: of ours, or of the one that the operator named."""
        settings = self._settings
        external = None
        if settings.broker_host is not None:
            external = BrokerInfo(
                kind="external",
                host=settings.broker_host,
                port=settings.broker_port,
                username=settings.broker_username,
                password=settings.broker_password,
            )
        return Broker(self._layout.broker, self._layout.logs / "broker.log", settings.broker, external)

    def template(self) -> TemplateKeeper:
        """The template's keeper."""
        return TemplateKeeper(self._layout.run / "template", self._layout.logs / "template.log", self._wards)

    def host(self, name: str) -> EngineHost:
        """The keeper of an engine host, with a folder and a log of its own."""
        return EngineHost(
            self._layout.run / "hosts" / name,
            self._layout.logs / f"host-{name}.log",
            template=self._template,
            sandbox=self._sandbox,
            wards=self._wards,
        )

    def feed_registry(self) -> FeedRegistry:
        """The registry of all feeds."""
        return FeedRegistry(SupervisedFeeds(self._system, MARKET_HOST), MARKET_HOST)

    def market_data(self) -> MarketData:
        """The desk that answers for markets; the documented routes mean the simulated exchange if it runs."""
        return MarketData(MARKET_HOST, self._sandbox)

    def rate_oracle(self) -> RateOracle:
        """Who knows what tokens are worth."""
        return RateOracle(MARKET_HOST, simulated=self._sandbox is not None)

    def portfolio_history(self) -> PortfolioHistoryKeeper:
        """Who keeps what the accounts were worth."""
        return PortfolioHistoryKeeper(period=self._settings.account_update_interval * 60)

    def account_registry(self) -> AccountRegistry:
        """The registry of all accounts."""
        branch = SupervisedAccounts(self._system, lambda account: self.host(f"account-{account}"), self.connector)
        return AccountRegistry(self._credentials, self._settings.config_password, branch)

    def connector(self, account: str, connector: str) -> Connector:
        """The actor of one credential."""
        return Connector(account, connector, self._credentials / account, self._settings.config_password)

    def executor_registry(self) -> ExecutorRegistry:
        """The registry of all executors."""
        return ExecutorRegistry(SupervisedExecutors(self._system, Executor), public_host=MARKET_HOST)

    def strategy_library(self) -> StrategyLibrary:
        """The keeper of controllers, scripts and their configurations."""
        return StrategyLibrary(self._settings.bots, self._launch_ward)

    def bot_registry(self) -> BotRegistry:
        """The registry of all bots."""
        return BotRegistry(SupervisedBots(self._system, self.bot), self._folders, self._files)

    def bot(self, name: str) -> BotActor:
        """The actor of one bot."""
        return BotActor(name, self._folders.of(name), self._store, self._runtime)

    def resources(self) -> ResourceKeeper:
        """Who knows how full the machine is."""
        bots = self._settings.bots
        return ResourceKeeper(self._layout.home, {name: bots / name for name in ("archived", "instances", "conf")})

    def supervision(self) -> SupervisionService:
        """The desk that answers for the tree."""
        return SupervisionService(TreeRestarter(self._system))

    async def _launch(self, job: Job, on_spawn: OnSpawn | None = None) -> ChildProcess:
        if self._sandbox is not None:
            info = await self._system.ask(self._sandbox, GetSandbox(), timeout=SANDBOX_PATIENCE)
            job = replace(job, environment={**job.environment, "AVIARY_SANDBOX_URL": info.url})
        return await self._launcher.process(job, on_spawn)

    async def _launch_ward(self, job: Job, on_spawn: OnSpawn | None = None) -> ChildProcess:
        """Launch what is not to outlive the server."""

        async def note(process: ChildProcess) -> None:
            await self._wards.note(process)
            if on_spawn is not None:
                await on_spawn(process)

        return await self._launch(job, note)
