"""A whole hummingbot as a process of its own: headless, in its own folder, spoken to over MQTT.

Started by `launch` (see `launch.py`), forked from the warm template or cold. The process ends with 0 after a stop
that was asked for by SIGTERM or SIGINT, and otherwise with a code of `EXIT_…` below, the reason being in
`data/launch.json`.
"""

# ruff: noqa: SLF001 - what a launcher needs of hummingbot is private there

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aviary.actors.engine.bots.errors import Errors, time_heals
from aviary.actors.engine.bots.report import REPORT_FILE, LaunchReport
from aviary.config.clock import SystemClock

if TYPE_CHECKING:
    from aviary.actors.engine.bots.health import Health

EXIT_STOPPED = 0
EXIT_NOT_STARTED = 3
"""The strategy could not be started."""
EXIT_WRONG_PASSWORD = 4

WRONG_PASSWORD = "the configuration password is wrong"  # noqa: S105 - the opposite of one
"""Not the bot's fault: it heals when the server is started with the right one."""

STOP_TIMEOUT = 25.0
"""Seconds a wind-down may take: it needs 7 to 13 with a handful of orders."""

LEFTOVER_TIMEOUT = 8.0
"""Seconds within which orders that are left after the wind-down are cancelled."""

SETTLE_TIMEOUT = 30.0
"""Seconds for cancelling what is left when a start fails; the next start tries again."""

READY_POLL = 0.1
"""Seconds between two looks whether there is all that it needs."""

HEALTH_POLL = 1.0
"""Seconds between two looks whether it could trade."""

REMINDER = 10.0
"""Seconds after which trouble that stays is told again: a message may be lost."""


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
    process = BotProcess(BotSpec(**given))
    try:
        return asyncio.run(process.run())
    except Exception as error:
        process.tell_the_end(error)
        raise


def _rehearses() -> bool:
    """Whether all keys in the folder are for the simulated exchange."""
    connectors = [path.stem for path in Path("conf/connectors").glob("*.yml")]
    return bool(connectors) and all(name.startswith("sandbox") for name in connectors)


class BotProcess:
    """One life of a bot."""

    def __init__(self, spec: BotSpec) -> None:
        self._spec = spec
        self._clock = SystemClock()
        self._report = LaunchReport(REPORT_FILE, os.getpid(), self._clock)
        self._stop_asked = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._health: Health | None = None
        self._waits, self._trouble, self._told_at = "", "", 0.0
        self._left: list[str] | None = []
        self._errors = Errors()

    def tell_the_end(self, error: Exception) -> None:
        """Report what nobody had expected."""
        self._report.fail(
            f"{type(error).__name__}: {error}", lasting=not time_heals(error), errors=self._errors.entries()
        )

    async def run(self) -> int:
        """Boot, settle what an earlier life left, trade, wind down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        self._report.write("booting")
        if not await self._boot():
            return EXIT_WRONG_PASSWORD
        if self._spec.settle_only:
            from aviary.actors.engine.executors.record import left_by_the_dead

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
                lasting = not time_heals(self._errors.error)
                left = await self._leave_nothing()
                self._report.fail(failure, lasting=lasting, left=left, errors=self._errors.entries())
                self._bridge.tell("failed", failure)
                await self._bridge.flushed(1.0)
                return EXIT_NOT_STARTED
            watch = loop.create_task(self._watch_health())
            sweep = loop.create_task(self._sweep())
            await stop_asked
            watch.cancel()
            sweep.cancel()
        starting.cancel()
        await self._wind_down()
        return EXIT_STOPPED

    async def _boot(self) -> bool:
        from aviary.actors.engine.bots.bridge import Bridge, repair_commands
        from aviary.actors.engine.bots.keys import WrongPassword, open_keys
        from aviary.actors.engine.bots.orchestrator import record_executors
        from aviary.actors.engine.bots.orders import Marks, Settlement
        from aviary.actors.engine.bots.sending import Sending
        from aviary.actors.engine.exchanges.budget import hold_requests_to_budgets
        from aviary.actors.engine.exchanges.candle_history import take_candles_as_the_exchange_has_them
        from aviary.sandbox.connectors import register
        from hummingbot.client.config.client_config_map import AnonymizedMetricsDisabledMode
        from hummingbot.client.config.config_helpers import load_client_config_map_from_file
        from hummingbot.client.runner import bootstrap_application

        register()
        hold_requests_to_budgets()
        take_candles_as_the_exchange_has_them()
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
            self._report.fail(WRONG_PASSWORD, lasting=False)
            return False
        application = await bootstrap_application(
            config,
            keys,
            strategy_file_name=Path(spec.script_config).stem,
            headless=True,
            silence_console=True,
        )
        logging.getLogger().addHandler(self._errors)
        for name in ("hummingbot.client", "hummingbot.strategy", "hummingbot.connector"):
            logging.getLogger(name).addHandler(self._errors)
        if application is None:
            self._report.fail(WRONG_PASSWORD, lasting=False)
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
            self._listen_in()
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
        from aviary.actors.engine.bots.takeover import fetch_fills

        orchestrator = self._orchestrator
        if orchestrator is None:
            return
        unfinished = orchestrator.record.unfinished()
        orchestrator.take_over(
            await fetch_fills(unfinished, self._core.connectors, self._say_settling, self._clock.now)
        )

    @property
    def _orchestrator(self) -> Any:
        """What keeps the books; `None` for a script that brought its own."""
        from aviary.actors.engine.bots.orchestrator import RecordingOrchestrator

        orchestrator = getattr(self._core.strategy, "executor_orchestrator", None)
        return orchestrator if isinstance(orchestrator, RecordingOrchestrator) else None

    async def _start(self) -> str | None:
        """Start the strategy; why not, if it does not start."""
        from hummingbot.client.runner import load_and_start_strategy

        conf = self._spec.script_config
        if not await load_and_start_strategy(self._application, v2_conf=conf, headless=True):
            return self._errors.text or "the strategy did not start"
        strategy = self._core.strategy
        wanted = getattr(getattr(strategy, "config", None), "controllers_config", None) or ()
        if len(strategy.controllers) < len(wanted):
            return self._errors.text or "a controller did not start"
        self._bridge.patch_loggers()
        self._bridge.start_market_events_fw()
        if not any("-" in name or "/" in name for name in self._core.connectors):
            # No connector goes through Gateway: asking every two seconds whether it is there costs for nothing.
            self._core.gateway_monitor.stop_monitor()
        return None

    def _listen_in(self) -> None:
        """Before its first tick: have it take over changed configurations, and notice what fails."""
        from aviary.actors.engine.bots.configs import LiveConfigs
        from aviary.actors.engine.bots.health import Health
        from hummingbot.strategy.strategy_v2_base import StrategyV2Base

        strategy = self._core.strategy
        self._health = None
        if isinstance(strategy, StrategyV2Base):
            LiveConfigs(strategy).take_charge()
            self._health = Health(strategy, self._clock)
            self._health.watch()

    async def _watch_health(self) -> None:
        """Say when it could trade, what is waited for until then, and later why it could not."""
        while True:
            pause = READY_POLL if self._report.stage == "starting" else HEALTH_POLL
            try:
                if self._health is not None:
                    await self._look_at(self._health)
            except Exception:
                # Somebody's strategy, or a full disk. Nothing of that may keep the next look from coming.
                logging.getLogger("hummingbot.client.aviary").exception("How it is can't be told.")
                pause = REMINDER
            await asyncio.sleep(pause)

    async def _look_at(self, health: Health) -> None:
        await health.look_up_pairs()
        stage, before, now = self._report.stage, self._trouble, self._clock.monotonic()
        if stage == "starting" and health.ready():
            self._report.write("quoting")
            self._bridge.tell("ready", "quoting")
            self._waits = self._trouble = ""
        elif stage in {"starting", "quoting"}:
            found, waits = health.trouble(), health.waits_for() if stage == "starting" else ""
            if (waits, found) != (self._waits, before):
                self._report.write(stage, f"waiting for {waits}" if waits else "", trouble=found)
            self._waits, self._trouble = waits, found
            if found and (found != before or now - self._told_at >= REMINDER):
                self._told_at = now
                self._bridge.tell("degraded", found)
            elif before and not found and stage == "quoting":
                self._bridge.tell("ready", "quoting")

    async def _sweep(self) -> None:
        from aviary.actors.engine.bots.audit import Audit

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
        from aviary.actors.engine.bots.orders import CONNECTOR_ERRORS, traded_markets
        from hummingbot.client.settings import AllConnectorSettings

        manager, known = self._core.connector_manager, AllConnectorSettings.get_connector_settings()
        failure: Exception | None = None
        for name, pairs in traded_markets(self._database, Path("conf/controllers")).items():
            # Nothing can have been traded on a connector that there is not.
            if name not in manager.connectors and name in known:
                try:
                    manager.create_connector(name, sorted(pairs))
                except CONNECTOR_ERRORS as error:
                    failure = error
        cancelled = await self._settlement.settle(list(manager.connectors.values()), self._saved_orders)
        if failure is not None:
            raise failure
        return cancelled

    async def _leave_nothing(self) -> list[str] | None:
        """A start that fails must not leave the orders of better days to themselves."""
        from aviary.actors.engine.bots.orders import CONNECTOR_ERRORS

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
        from aviary.actors.engine.bots.orders import saved_orders

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
    from aviary.actors.engine.processes.hummingbot_home import use_home

    given = orjson.loads(Path(sys.argv[1]).read_bytes())
    use_home(Path(given.pop("folder")).absolute())
    sys.exit(main(given))
