"""One bot: keeps its process doing what is wanted of it, whatever happens to either of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aviary.actors.bots.aftermath import Aftermath
from aviary.actors.bots.alarms import BotAlarms
from aviary.actors.bots.folder import take_next_configs
from aviary.actors.bots.logs import BotLogs
from aviary.actors.bots.traces import BotTraces
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.life import Ignore
from aviary.actors.core.ports.patience import OwnTime
from aviary.actors.core.refusal import ActorCrashed, Refusal, Unavailable
from aviary.actors.messages.bots import (
    AskBot,
    BotSpoke,
    BotState,
    BotStatus,
    CheckPulse,
    GetBotStatus,
    HaltBot,
    RunBot,
)
from aviary.actors.messages.broker import CallBot, GetBroker, GetLink
from aviary.actors.runtimes import ProcessMark

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.bots.store import BotStore, StoredBot
    from aviary.actors.messages.broker import BrokerInfo
    from aviary.actors.runtimes import Running, Runtime
    from aviary.persistence.bots import Desired

BROKER, LINK = "broker/server", "broker/link"

BROKER_TIMEOUT = 15.0
"""Seconds to learn where the broker is."""

COMMAND_TIMEOUT = 3.0
"""Seconds a living bot has to confirm a command."""

WIND_DOWN_TIMEOUT = 30.0
"""Seconds from a confirmed stop to the last order's end: it takes 7 to 13 with a handful of orders."""

TERMINATE_TIMEOUT = 35.0
"""Seconds from SIGTERM to the process's end, its own wind-down included."""

SETTLE_TIMEOUT = 60.0
"""Seconds to cancel what a bot that was killed left on its exchanges."""

KEPT_LOGS = 100
"""Log entries kept of each kind, as the released server does."""

MANY_DEATHS = 3
"""Deaths in a row that make a crash loop."""

RECENT = 30.0
"""Seconds after its last word that a bot counts as recently active."""


class BotDied(Exception):
    """The bot's process ended and nobody had asked it to, or there is nothing to start it from."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a bot may be silent; in seconds that it had for itself (see `OwnTime`)."""

    silence: float = 30.0
    """Without a heartbeat; six are missed then."""
    boot: float = 120.0
    """Without a first word: twenty cold starts at once on two cores stay below."""
    pulse: float = 1.0
    """Between two looks."""
    busy: float = 4.0
    """How many times as long by the clock, if it gets little of a processor."""
    recovery: float = 60.0
    """Of running without trouble, after which what was is forgotten."""


class BotActor(AsyncActor):
    """Starts or adopts the process, watches it, and ends it when that is asked for.

    A process that ends unasked is this actor's crash: its supervisor's backoff decides when the next one starts.
    The process outlives the server, and so is left alone by `release`.
    """

    def __init__(
        self, name: str, folder: Path, store: BotStore, runtime: Runtime, patience: Patience | None = None
    ) -> None:
        super().__init__()
        self._name = name
        self._folder = folder
        self._traces = BotTraces(folder)
        self._store = store
        self._runtime = runtime
        self._patience = patience or Patience()

    async def prepare(self) -> None:
        """Read what is wanted and find the process, if one runs; starting one comes after."""
        stored = await self._store.load(self, self._name)
        if stored is None:
            raise Ignore
        self._stored: StoredBot = stored
        self._wanted: Desired = stored.desired
        self._state: BotState = "stopped"
        self._reason = ""
        self._process: Running | None = None
        self._mark: ProcessMark | None = None
        self._starting: asyncio.Task[None] | None = None
        self._winding_down: asyncio.Task[None] | None = None
        self._wound_down = asyncio.Event()
        self._killed_because = ""
        self._alarms = BotAlarms(self.system.alarms, self._name)
        self._aftermath = Aftermath(self, self._alarms, self._settle, self._keep_what_is_left)
        self._performance: dict[str, Any] = {}
        self._performance_kept_at = 0.0
        self._logs = BotLogs(KEPT_LOGS)
        self._logs.restore(self._traces.failure().get("errors", ()))
        self._heard = False
        self._heard_at = self._running_since = self.clock.monotonic()
        self._remember(self._traces.report())
        adopted = stored.process is not None and self._adopt(stored.process)
        if self._wanted != "running":
            if stored.process is not None:
                # Stopped while it was dead, or while the server was: something may be left on its exchanges.
                self._begin_wind_down(skip_cancellation=stored.skip_cancellation)
            else:
                self._reason = stored.last_stop.get("reason", "")
                self._aftermath.remember(stored.last_stop, orders_stay=stored.skip_cancellation)
        elif adopted:
            # Whether it really lives is shown by its next heartbeat.
            self._take_up(self._traces.report())
        elif self._traces.has_given_up():
            self._fail(self._traces.failure()["detail"])
        else:
            self._begin_start()
        self.every(self._patience.pulse, CheckPulse())

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case BotSpoke():
                return self._hear(message)
            case CheckPulse():
                return self._check_pulse()
            case GetBotStatus():
                return self._status()
            case RunBot():
                return self._run()
            case HaltBot():
                return self._halt(message)
            case AskBot():
                return self.defer(self._pass_on(message))
            case _:
                return super().receive(message)

    def _adopt(self, mark: ProcessMark) -> bool:
        process = self._runtime.adopt(mark)
        if process is None:
            return False
        self._watch(process, mark)
        return True

    def _remember(self, report: dict[str, Any]) -> None:
        """Tell again what is true of the bot although a server, or a life of its own, has ended since."""
        if report.get("exposure"):
            self._alarms.raise_("exposure", f": {report['exposure']}")
        cell = self.system.cell(self.address)
        if cell is not None and cell.attempt >= MANY_DEATHS:
            self._alarms.raise_("bot", f" has died {cell.attempt} times in a row: {cell.last_failure}")

    def _take_up(self, report: dict[str, Any]) -> None:
        if report.get("trouble"):
            self._degraded(report["trouble"])
        elif report.get("stage") == "quoting":
            self._runs()
        else:
            self._state = "starting"

    # Starting

    def _begin_start(self) -> None:
        self._state, self._reason = "starting", ""
        self._starting = self.spawn(self._start(), "start")

    async def _start(self) -> None:
        if not await asyncio.to_thread(self._folder.is_dir):
            # A disk that is not mounted yet: a process would begin a bot of its own there, and fail for good.
            raise BotDied(f"its folder is not there: {self._folder}")
        broker: BrokerInfo = await self.ask(BROKER, GetBroker(), timeout=BROKER_TIMEOUT)
        self._heard = False
        self._heard_at = self.clock.monotonic()
        stored = self._stored

        async def born(mark: ProcessMark) -> None:
            await self._store.save_process(self, self._name, mark)
            self._mark = mark

        process = await self._runtime.start(self._name, self._folder, stored.script_config, broker, born)
        if self._mark is not None:
            self._watch(process, self._mark)

    def _watch(self, process: Running, mark: ProcessMark) -> None:
        self._process, self._mark = process, mark
        self._own_time = OwnTime(process.pid, self.clock, look=self._patience.pulse)
        self.spawn(self._until_it_ends(process), "watch")

    async def _until_it_ends(self, process: Running) -> None:
        code = await process.exited()
        if self._winding_down is not None or self._process is not process:
            return
        why = self._killed_because or self._traces.exit_reason(code)
        if self._traces.has_given_up() and self._traces.report().get("pid") == process.pid:
            self._process = self._mark = None
            await self._store.save_process(self, self._name, None)
            await self._store.note_failure(self, self._name, why)
            self._fail(why)
            return
        cell = self.system.cell(self.address)
        deaths = 1 if cell is None else cell.attempt + 1
        if deaths >= MANY_DEATHS:
            self._alarms.raise_("bot", f" has died {deaths} times in a row: {why}")
        raise BotDied(why)

    def _fail(self, why: str) -> None:
        """Give up: it can't start, and nothing that time does will help. Somebody has to."""
        self._state, self._reason = "failed", why
        self._logs.restore(self._traces.failure().get("errors", ()))
        self.degrade(why)
        self._alarms.raise_("bot", f" can't start, and is not tried any more: {why}")
        self._aftermath.remember({"orders_left": _count(self._traces.failure().get("left"))}, orders_stay=False)

    # Listening

    def _hear(self, spoken: BotSpoke) -> Any:
        self._heard = True
        self._heard_at = self.clock.monotonic()
        payload = spoken.payload
        match spoken.kind:
            case "performance":
                # Scripts publish what they like.
                payload = {name: report for name, report in payload.items() if isinstance(report, dict)}
                # A stopping strategy sends one last message without figures; the last figures stay.
                if any(payload.values()):
                    self._performance = payload
                    if self._state in {"starting", "settling"}:
                        # Word of its readiness may have been lost.
                        self._take_up(self._traces.report())
                    return self._keep_performance(payload)
            case "log":
                self._logs.keep(payload)
            case "status_updates":
                return self._hear_status(payload)
            case _:
                pass
        return None

    def _hear_status(self, payload: dict[str, Any]) -> Any:
        kind, text = payload.get("type"), str(payload.get("msg", ""))
        if kind == "ready" and self._state in {"starting", "settling", "degraded"}:
            self._runs()
        elif kind == "degraded" and self._state in {"starting", "settling", "running", "degraded"}:
            self._degraded(text)
        elif kind == "settling" and self._state in {"starting", "settling"}:
            self._state, self._reason = "settling", text
            self.degrade(text)
        elif kind == "alarm":
            self._alarms.raise_("exposure", f": {text}")
        elif kind == "stopped":
            self._wound_down.set()
            if self._winding_down is None:
                return self._stopped_by_itself()
        return None

    def _runs(self) -> None:
        if self._state == "degraded":
            self._alarms.clear("bot")
        # What an earlier life left was settled before.
        self._alarms.clear("orders-left", "positions-left")
        self._state, self._reason = "running", ""
        self._running_since = self.clock.monotonic()
        self.recover()

    def _degraded(self, why: str) -> None:
        self._state, self._reason = "degraded", why
        self.degrade(why)
        self._alarms.raise_("bot", f" runs and does not trade: {why}")

    def _keep_performance(self, payload: dict[str, Any]) -> Any:
        now = self.clock.now()
        if now - self._performance_kept_at < self._store.performance_period:
            return None
        self._performance_kept_at = now
        return self.defer(self._store_performance(now, payload))

    async def _store_performance(self, at: float, payload: dict[str, Any]) -> None:
        try:
            await self._store.keep_performance(self, self._name, at, payload)
        except (Refusal, ActorCrashed):
            # The database says by itself what ails it. A bot must not be taken for silent because of that.
            self._performance_kept_at = 0.0

    async def _stopped_by_itself(self) -> None:
        """A drawdown limit, or somebody else's command over MQTT: not to be healed."""
        await self._want("stopped")
        why = "the strategy was stopped by itself or over MQTT"
        self._begin_wind_down(skip_cancellation=False, why=why)

    async def _check_pulse(self) -> None:
        process = self._process
        if process is None or self._winding_down is not None:
            return
        now = self.clock.monotonic()
        if self._state == "running" and now - self._running_since >= self._patience.recovery:
            self._alarms.clear("bot")
        limit = (
            self._patience.silence
            if self._heard or self._state in {"running", "degraded"}
            else self._patience.boot
        )
        silent = now - self._heard_at
        if self._own_time.began < self._heard_at:
            self._own_time.begin()
        own = self._own_time.add()
        if own <= limit and silent <= limit * self._patience.busy:
            return
        try:
            link = await self.ask(LINK, GetLink(), timeout=COMMAND_TIMEOUT)
        except (Refusal, ActorCrashed):
            return
        # Silence proves nothing while the broker is away, and a while after.
        if link.connected and link.since > limit and self.clock.monotonic() - self._heard_at > limit:
            self._killed_because = f"hung: not a word for {silent:.0f} s; killed"
            process.kill()

    # What is asked

    async def _run(self) -> BotStatus:
        await self._want("running")
        if self._state in {"stopped", "failed"}:
            await self._aftermath.end()
            self._aftermath.forget()
            await asyncio.to_thread(take_next_configs, self._folder)
            await asyncio.to_thread(self._traces.forget)
            self._begin_start()
        return self._status()

    async def _halt(self, message: HaltBot) -> Any:
        await self._want("stopped")
        if self._state != "stopped" and self._winding_down is None:
            self._begin_wind_down(skip_cancellation=message.skip_order_cancellation)
        if message.wait and self._winding_down is not None:
            return self.defer(self._halted(self._winding_down))
        return self._status()

    async def _halted(self, winding_down: asyncio.Task[None]) -> BotStatus:
        await asyncio.wait({winding_down})
        return self._status()

    async def _pass_on(self, message: AskBot) -> dict[str, Any]:
        if self._process is None:
            raise Unavailable(f"bot {self._name} is {self._state}")
        call = CallBot(bot=self._name, command=message.command, data=message.data, timeout=message.timeout)
        return await self.ask(LINK, call, timeout=message.timeout + COMMAND_TIMEOUT)

    async def _want(self, desired: Desired) -> None:
        if self._wanted != desired:
            await self._store.save_desired(self, self._name, desired)
            self._wanted = desired

    # Stopping

    def _begin_wind_down(self, *, skip_cancellation: bool, why: str = "") -> None:
        self._state, self._reason = "stopping", why
        self._winding_down = self.spawn(self._wind_down(skip_cancellation=skip_cancellation), "wind-down")

    async def _wind_down(self, *, skip_cancellation: bool) -> None:
        """Ask over MQTT, then by SIGTERM, then kill; then settle what a killed bot left."""
        await self._aftermath.end()
        if self._starting is not None and not self._starting.done():
            # A process in the middle of its birth has done nothing yet, and ends.
            self._starting.cancel()
            await asyncio.wait({self._starting})
        process = self._process
        clean = False
        if process is not None and process.alive:
            clean = await self._stop_over_mqtt(skip_cancellation=skip_cancellation)
            process.terminate()
            try:
                async with asyncio.timeout(TERMINATE_TIMEOUT):
                    await process.exited()
            except TimeoutError:
                clean = False
                process.kill()
                await process.exited()
        report = self._traces.report()
        ended_well = report.get("stage") == "stopped" and (clean or report.get("left") is not None)
        if not ended_well and not skip_cancellation:
            report = await self._settle()
        words = self._aftermath.take(report, orders_stay=skip_cancellation)
        self._reason = "; ".join(filter(None, (self._reason, words)))
        self._process = self._mark = None
        await self._store.save_process(self, self._name, None)
        await self._store.note_stop(self, self._name, self._status())
        self._alarms.clear("bot")
        self.recover()
        self._state, self._winding_down = "stopped", None
        self._wound_down.clear()
        if self._wanted == "running":
            self._begin_start()

    async def _keep_what_is_left(self) -> None:
        await self._store.note_left(self, self._name, self._status())

    async def _stop_over_mqtt(self, *, skip_cancellation: bool) -> bool:
        data = {"skip_order_cancellation": skip_cancellation, "async_backend": True}
        call = CallBot(bot=self._name, command="stop", data=data, timeout=COMMAND_TIMEOUT)
        try:
            await self.ask(LINK, call, timeout=COMMAND_TIMEOUT * 2)
            async with asyncio.timeout(WIND_DOWN_TIMEOUT):
                await self._wound_down.wait()
        except (Refusal, ActorCrashed, TimeoutError):
            return False
        return True

    async def _settle(self) -> dict[str, Any]:
        if not await asyncio.to_thread(self._folder.is_dir):
            return {}
        try:
            broker = await self.ask(BROKER, GetBroker(), timeout=BROKER_TIMEOUT)
        except (Refusal, ActorCrashed):
            return {}
        process = await self._runtime.settle(self._name, self._folder, self._stored.script_config, broker)
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await process.exited()
        except TimeoutError:
            pass
        finally:
            process.kill()
        report = self._traces.report()
        return report if report.get("pid") == process.pid else {}

    # Telling

    def _status(self) -> BotStatus:
        cell = self.system.cell(self.address)
        report = self._traces.report() if self._state != "stopped" else {}
        return BotStatus(
            name=self._name,
            state=self._state,
            reason=self._reason,
            performance=self._performance,
            error_logs=self._logs.errors(),
            general_logs=self._logs.others(),
            recently_active=self._heard and self.clock.monotonic() - self._heard_at < RECENT,
            pid=None if self._process is None else self._process.pid,
            incarnation=self.incarnation,
            restarts=0 if cell is None else cell.restarts,
            started_at=None if self._mark is None else self._mark.started_at,
            quoting_after=report.get("reached", {}).get("quoting"),
            orders_left=self._aftermath.orders_left,
            positions_left=self._aftermath.positions_left,
        )


def _count(left: list[str] | None) -> int | None:
    return None if left is None else len(left)
