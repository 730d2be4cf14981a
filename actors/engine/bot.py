"""A whole hummingbot as a process of its own: headless, in its own folder, spoken to over MQTT.

Started by `launch` (see `launch.py`), forked from the warm template or cold. The process ends with 0 after a stop
that was asked for by SIGTERM or SIGINT, and otherwise with a code of `EXIT_…` below, the reason being in
`data/launch.json`.
"""

# ruff: noqa: SLF001 - what a launcher needs of hummingbot is private there

import asyncio
import logging
import os
import signal
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from aviary.actors.engine.bot_report import REPORT_FILE, LaunchReport
from aviary.config.clock import SystemClock

EXIT_STOPPED = 0
EXIT_NOT_STARTED = 3
"""The strategy could not be started."""
EXIT_WRONG_PASSWORD = 4

STOP_TIMEOUT = 25.0
"""Seconds a wind-down may take: it needs 7 to 13 with a handful of orders."""

LEFTOVER_TIMEOUT = 8.0
"""Seconds within which orders that are left after the wind-down are cancelled."""

SETTLE_TIMEOUT = 30.0
"""Seconds for cancelling what is left when a start fails; the next start tries again."""

READY_POLL = 0.1
"""Seconds between two looks whether the connectors are ready."""


@dataclass(frozen=True, slots=True)
class BotSpec:
    """What a bot process is told. `script_config` is a file name under `conf/scripts`."""

    instance: str
    script_config: str
    password: str
    mqtt_host: str
    mqtt_port: int
    mqtt_username: str = ""
    mqtt_password: str = ""
    heartbeat: float = 5.0
    """Seconds between two heartbeats."""
    sweep_period: float = 10.0
    """Seconds between two comparisons of open orders with the exchange's list."""
    settle_only: bool = False
    """Cancel what an earlier life left on the exchanges, and end."""


def main(spec: dict[str, Any]) -> int:
    """Run the bot until it is asked to stop; the exit code. What every engine process is told besides is passed over."""
    known = {field.name for field in fields(BotSpec)}
    given = {name: value for name, value in spec.items() if name in known}
    return asyncio.run(BotProcess(BotSpec(**given)).run())


def _rehearses() -> bool:
    """Whether all keys in the folder are for the simulated exchange."""
    connectors = [path.stem for path in Path("conf/connectors").glob("*.yml")]
    return bool(connectors) and all(name.startswith("sandbox") for name in connectors)


HOLLOW = frozenset({"Failed to start strategy", "Failed to load strategy. Exiting."})
"""Errors that follow on the one that says why."""


class _LastError(logging.Handler):
    """Remembers the last error, since hummingbot's helpers log why they fail and only return false."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in HOLLOW:
            self.text = text


class BotProcess:
    """One life of a bot."""

    def __init__(self, spec: BotSpec) -> None:
        self._spec = spec
        self._clock = SystemClock()
        self._report = LaunchReport(REPORT_FILE, os.getpid(), self._clock)
        self._stop_asked = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._left: list[str] | None = []
        self._last_error = _LastError()

    async def run(self) -> int:
        """Boot, settle what an earlier life left, trade, wind down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        self._report.write("booting")
        if not await self._boot():
            return EXIT_WRONG_PASSWORD
        if self._spec.settle_only:
            from aviary.actors.engine.bot_record import left_by_the_dead

            self._report.write("settling")
            await self._settle_without_strategy()
            self._report.write("stopped", left=[], positions=left_by_the_dead(self._database))
            return EXIT_STOPPED
        starting = loop.create_task(self._start())
        stop_asked = loop.create_task(self._stop_asked.wait())
        await asyncio.wait({starting, stop_asked}, return_when=asyncio.FIRST_COMPLETED)
        if not self._stop_asked.is_set():
            failure = starting.result()
            if failure is not None:
                left = await self._leave_nothing()
                self._report.write("failed", failure, left=left)
                self._bridge.tell("failed", failure)
                await self._bridge.flushed(1.0)
                return EXIT_NOT_STARTED
            watch = loop.create_task(self._watch_readiness())
            sweep = loop.create_task(self._sweep())
            await stop_asked
            watch.cancel()
            sweep.cancel()
        starting.cancel()
        await self._wind_down()
        return EXIT_STOPPED

    async def _boot(self) -> bool:
        from aviary.actors.engine.bot_bridge import Bridge, repair_commands
        from aviary.actors.engine.bot_keys import WrongPassword, open_keys
        from aviary.actors.engine.bot_orchestrator import record_executors
        from aviary.actors.engine.bot_orders import Marks, Settlement
        from aviary.actors.engine.bot_sending import Sending
        from aviary.sandbox.connectors import register
        from hummingbot.client.config.client_config_map import AnonymizedMetricsDisabledMode
        from hummingbot.client.config.config_helpers import load_client_config_map_from_file
        from hummingbot.client.runner import bootstrap_application

        register()
        spec = self._spec
        config = load_client_config_map_from_file()
        config.instance_id = spec.instance
        config.anonymized_metrics_mode = AnonymizedMetricsDisabledMode()
        if _rehearses():
            # Rates of the rehearsal's own market, and no question to exchanges that it does not trade on.
            config.rate_oracle_source = "sandbox"
        try:
            keys = await asyncio.to_thread(open_keys, spec.password, Path("conf/connectors"))
        except WrongPassword:
            self._report.write("failed", "the configuration password is wrong")
            return False
        application = await bootstrap_application(
            config,
            keys,
            strategy_file_name=Path(spec.script_config).stem,
            headless=True,
            silence_console=True,
        )
        logging.getLogger().addHandler(self._last_error)
        for name in ("hummingbot.client", "hummingbot.strategy", "hummingbot.connector"):
            logging.getLogger(name).addHandler(self._last_error)
        if application is None:
            self._report.write("failed", "the configuration password is wrong")
            return False
        bridge_config = config.mqtt_bridge
        bridge_config.mqtt_host, bridge_config.mqtt_port = spec.mqtt_host, spec.mqtt_port
        bridge_config.mqtt_username, bridge_config.mqtt_password = spec.mqtt_username, spec.mqtt_password
        # The application never starts a bridge itself: this one is made once and lasts.
        self._bridge = Bridge(application, spec.heartbeat)
        application._mqtt = self._bridge
        application.aviary_script_config = spec.script_config
        repair_commands(application)
        if not spec.settle_only:
            self._bridge.start()
        self._application = application
        self._core = application.trading_core
        self._marks = Marks(spec.instance, self._clock)
        self._marks.put_on()
        self._settlement = Settlement(self._marks, self._say_settling)
        self._sending = Sending(self._clock)
        record_executors(self._clock, self._alarm)
        self._guard_start_and_stop()
        return True

    def _guard_start_and_stop(self) -> None:
        """Put our steps between hummingbot's own: they then hold for its MQTT commands as well."""
        core, application = self._core, self._application
        execute, cancel, stop_loop = (
            core._start_strategy_execution,
            core.cancel_outstanding_orders,
            application.stop_loop,
        )

        async def settle_then_execute() -> None:
            self._report.write("settling")
            cancelled = await self._settlement.settle(list(core.connectors.values()), self._saved_orders)
            if cancelled:
                self._say(f"Cancelled {cancelled} orders that an earlier run had left.")
            for connector in core.connectors.values():
                self._sending.guard(connector)
            await self._take_over()
            self._report.write("starting", settled=cancelled)
            await execute()

        async def cancel_and_check() -> bool:
            done: bool = await cancel()
            self._left = await self._settlement.leftovers(list(core.connectors.values()), LEFTOVER_TIMEOUT)
            return done

        async def stop_once(skip_order_cancellation: bool = False) -> None:  # noqa: FBT001, FBT002 - hummingbot's
            async with self._stopping:
                if core.strategy is None and not core.connectors:
                    return
                self._report.write("stopping")
                if skip_order_cancellation:
                    self._left = None
                orchestrator = self._orchestrator
                await stop_loop(skip_order_cancellation)
                positions = None if orchestrator is None else orchestrator.left
                self._report.write("stopped", left=self._left, positions=positions)
                left = "unknown" if self._left is None else str(len(self._left))
                self._bridge.tell("stopped", left)

        core._start_strategy_execution = settle_then_execute
        core.cancel_outstanding_orders = cancel_and_check
        application.stop_loop = stop_once

    async def _take_over(self) -> None:
        """Find out what an earlier life holds: nothing trades on those orders any more."""
        from aviary.actors.engine.bot_takeover import estates

        orchestrator = self._orchestrator
        if orchestrator is None:
            return
        unfinished = orchestrator.record.unfinished()
        orchestrator.take_over(
            await estates(unfinished, self._core.connectors, self._say_settling, self._clock.now)
        )

    @property
    def _orchestrator(self) -> Any:
        """What keeps the books; `None` for a script that brought its own."""
        from aviary.actors.engine.bot_orchestrator import RecordingOrchestrator

        orchestrator = getattr(self._core.strategy, "executor_orchestrator", None)
        return orchestrator if isinstance(orchestrator, RecordingOrchestrator) else None

    async def _start(self) -> str | None:
        """Start the strategy; why not, if it does not start."""
        from hummingbot.client.runner import load_and_start_strategy

        conf = self._spec.script_config
        if not await load_and_start_strategy(self._application, v2_conf=conf, headless=True):
            return self._last_error.text or "the strategy did not start"
        strategy = self._core.strategy
        wanted = getattr(getattr(strategy, "config", None), "controllers_config", None) or ()
        if len(strategy.controllers) < len(wanted):
            return self._last_error.text or "a controller did not start"
        self._bridge.patch_loggers()
        self._bridge.start_market_events_fw()
        if not any("-" in name or "/" in name for name in self._core.connectors):
            # No connector goes through Gateway: asking every two seconds whether it is there costs for nothing.
            self._core.gateway_monitor.stop_monitor()
        return None

    async def _watch_readiness(self) -> None:
        """Say once that everything quotes, and meanwhile what is waited for."""
        waited_for = ""
        while True:
            strategy = self._core.strategy
            if strategy is not None and strategy.ready_to_trade and self._report.stage == "starting":
                self._report.write("quoting")
                self._bridge.tell("ready", "quoting")
            elif self._report.stage == "starting":
                waits = [name for name, each in self._core.connectors.items() if not each.ready]
                if ", ".join(waits) != waited_for:
                    waited_for = ", ".join(waits)
                    self._report.write("starting", f"waiting for {waited_for}" if waits else "")
            await asyncio.sleep(READY_POLL)

    async def _sweep(self) -> None:
        from aviary.actors.engine.bot_audit import Audit

        audit = Audit(self._settlement, self._sending, lambda: self._orchestrator, self._clock)
        await audit.run(lambda: list(self._core.connectors.values()), self._spec.sweep_period)

    async def _wind_down(self) -> None:
        self._say("Asked to stop.")
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._application.stop_loop()
        except TimeoutError:
            self._report.write("stopped", "the wind-down took too long", left=None)
        self._bridge.broadcast_status_update("offline", msg_type="availability")
        await self._bridge.flushed(2.0)
        await self._core.shutdown()
        self._bridge.stop()

    async def _settle_without_strategy(self) -> int:
        """Cancel what an earlier life left even if the strategy's code does not load."""
        from aviary.actors.engine.bot_orders import traded_markets

        manager = self._core.connector_manager
        for name, pairs in traded_markets(self._database, Path("conf/controllers")).items():
            if name not in manager.connectors:
                manager.create_connector(name, sorted(pairs))
        return await self._settlement.settle(list(manager.connectors.values()), self._saved_orders)

    async def _leave_nothing(self) -> list[str] | None:
        """A start that fails must not leave the orders of better days to themselves."""
        from aviary.actors.engine.bot_orders import CONNECTOR_ERRORS

        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await self._settle_without_strategy()
        except CONNECTOR_ERRORS:
            return None
        return []

    @property
    def _database(self) -> Path:
        return Path("data") / f"{self._spec.script_config.split('.')[0]}.sqlite"

    def _saved_orders(self, connector: Any) -> list[Any]:
        from aviary.actors.engine.bot_orders import saved_orders

        return saved_orders(self._database, connector)

    def _say(self, text: str) -> None:
        logging.getLogger("hummingbot.client.aviary").info(text)

    def _alarm(self, text: str) -> None:
        """Something that somebody has to look at."""
        logging.getLogger("hummingbot.client.aviary").error(text)
        self._bridge.tell("alarm", text)

    def _say_settling(self, text: str) -> None:
        self._say(text)
        self._report.write("settling", text)
        self._bridge.tell("settling", text)


if __name__ == "__main__":
    import sys

    import orjson
    from aviary.actors.engine.roots import settle_in

    given = orjson.loads(Path(sys.argv[1]).read_bytes())
    settle_in(Path(given.pop("folder")).absolute())
    sys.exit(main(given))
