"""Bots as processes of this machine, running the installed hummingbot."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aviary.actors.core.ports.process import ChildProcess
from aviary.actors.engine.processes.launch import Job
from aviary.actors.engine.processes.launch import OnSpawn as OnProcessSpawn
from aviary.actors.messages.broker import BrokerInfo
from aviary.actors.runtimes import OnSpawn, ProcessMark, Running
from aviary.config.clock import Clock
from pydantic import SecretStr

ENTRY = "aviary.actors.engine.bots.bot:main"

HEARTBEAT = 5.0
"""Seconds between two heartbeats of a bot."""

SWEEP_PERIOD = 10.0
"""Seconds between a bot's looks for orders of its own that it does not know of."""

type Launch = Callable[[Job, OnProcessSpawn | None], Awaitable[ChildProcess]]
"""Starts an engine process, forked from the template or cold."""


class ProcessRuntime:
    """Starts each bot in a session and a folder of its own."""

    def __init__(
        self,
        launch: Launch,
        password: SecretStr,
        clock: Clock,
        environment: Mapping[str, str] | None = None,
        heartbeat: float = HEARTBEAT,
        sweep_period: float = SWEEP_PERIOD,
    ) -> None:
        self._launch = launch
        self._password = password
        self._clock = clock
        self._environment = dict(environment or {})
        self._heartbeat = heartbeat
        self._sweep_period = sweep_period

    async def start(
        self, bot: str, folder: Path, script_config: str, broker: BrokerInfo, on_spawn: OnSpawn
    ) -> Running:
        """Start the bot; see `Runtime`."""

        async def born(process: ChildProcess) -> None:
            birth = process.birth
            if birth is None:
                raise ProcessLookupError(f"the process of {bot} ended at once")
            await on_spawn(ProcessMark(pid=process.pid, birth=birth, started_at=self._clock.now()))

        return await self._launch(self._job(bot, folder, script_config, broker), born)

    def adopt(self, mark: ProcessMark) -> Running | None:
        """Find a running bot again."""
        return ChildProcess.adopt(mark.pid, mark.birth)

    async def settle(self, bot: str, folder: Path, script_config: str, broker: BrokerInfo) -> Running:
        """Cancel what a dead bot left; see `Runtime`."""
        return await self._launch(self._job(bot, folder, script_config, broker, settle_only=True), None)

    def _job(
        self,
        bot: str,
        folder: Path,
        script_config: str,
        broker: BrokerInfo,
        **more: Any,
    ) -> Job:
        return Job(
            entry=ENTRY,
            folder=folder,
            log=folder / "logs" / "process.log",
            environment=self._environment,
            spec={
                "instance": bot,
                "script_config": script_config,
                "password": self._password.get_secret_value(),
                "mqtt_host": broker.host,
                "mqtt_port": broker.port,
                "mqtt_username": broker.username,
                "mqtt_password": broker.password.get_secret_value(),
                "heartbeat": self._heartbeat,
                "sweep_period": self._sweep_period,
                **more,
            },
        )
