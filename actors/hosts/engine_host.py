"""Keeps one engine host: the process in which hummingbot runs for an account, or for public data."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psutil
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.port import Port, PortClosed, PortFailure, PortOverloaded, PortRefusal, PortTimeout
from aviary.actors.core.refusal import (
    ActorCrashed,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Rejected,
)
from aviary.actors.engine.processes.launch import HOST_ENTRY, Job
from aviary.actors.hosts.template import Launcher
from aviary.actors.messages.engine import (
    CallHost,
    GetHost,
    HostInfo,
    NothingDone,
    OutcomeUnknown,
    Unsupported,
)
from aviary.actors.messages.sandbox import GetSandbox
from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

    from aviary.actors.core.address import Address
    from aviary.actors.core.port_process import ChildProcess

LOOK_INTERVAL = 0.25
"""Seconds between two looks at the process: whether it is stopped, silent or too big."""

SILENCE_LIMIT = 2.2
"""Seconds without a word after which a host hangs; its heart beats once a second."""

FIRST_WORD_LIMIT = 60.0
"""Seconds a new host has until its first word: a cold one imports hummingbot before it speaks."""

MEMORY_LIMIT = 700 * 2**20
"""Bytes of its own memory at which a host is replaced; it needs some thirty, and a few per connector."""

MEMORY_LOOKS = 40
"""Every how many looks the memory is measured, which costs the machine some milliseconds."""

SANDBOX_PATIENCE = 20.0
"""Seconds to wait for the simulated exchange to tell its address."""

DEATH_TIMEOUT = 2.0
"""Seconds a killed process has to be gone."""


class HostEnded(Exception):
    """The host's process is gone, or was ended because it hung or grew."""


class EngineHost(AsyncActor):
    """Starts the process, passes calls in and events out, and fails when the process does.

    Events of the host are published as they come, undecoded, under `<own address>/<the host's topic>`.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        *,
        template: Address | None = "template",
        sandbox: Address | None = "sandbox",
        silence_limit: float = SILENCE_LIMIT,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._log = log
        self._template = template
        self._sandbox = sandbox
        self._silence_limit = silence_limit
        self._memory_limit = memory_limit
        self._process: ChildProcess | None = None
        self._port: Port | None = None
        self._up: asyncio.Event

    async def prepare(self) -> None:
        """Start the process in the background: calls wait until it is there."""
        self._up = asyncio.Event()
        self._bus = self.system.bus
        self._prefix = f"{self.address}/"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self.spawn(self._live(), "process")

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case CallHost():
                return self.defer(self._call(message))
            case GetHost():
                return self._info()
            case _:
                return super().receive(message)

    async def release(self) -> None:
        """End the process: all it knows is known elsewhere too."""
        if self._port is not None:
            self._port.close()
        if self._process is not None:
            self._process.kill()
            async with asyncio.timeout(DEATH_TIMEOUT):
                await self._process.exited()

    async def _live(self) -> None:
        job = Job(HOST_ENTRY, self._folder, self._log, environment=await self._environment())
        launcher = Launcher(self.system, self._template)
        self._port, self._process = port, process = await launcher.host(job, self._hear)
        self._up.set()
        born_at = port.last_heard
        looks = 0
        while port.alive:
            await asyncio.sleep(LOOK_INTERVAL)
            looks += 1
            why = await self._fault(port, process, looks, spoken=port.last_heard != born_at)
            if why is not None:
                process.kill()
                raise HostEnded(f"the engine host {why}; it was killed")
        reason = await port.closed()
        raise HostEnded(f"the engine host is gone ({reason}), see {self._log.name}")

    async def _fault(self, port: Port, process: ChildProcess, looks: int, *, spoken: bool) -> str | None:
        if _is_stopped(process.pid):
            return "was stopped by a signal"
        limit = self._silence_limit if spoken else FIRST_WORD_LIMIT
        if port.silence() > limit:
            # What it said may wait unread if it was this loop that stood still.
            await asyncio.sleep(0.05)
            if port.silence() > limit:
                return f"was silent for {port.silence():.1f} s"
        if looks % MEMORY_LOOKS == 0:
            used = process.memory()
            if used > self._memory_limit:
                return f"uses {used >> 20} MiB, more than {self._memory_limit >> 20}"
        return None

    async def _environment(self) -> dict[str, str]:
        if self._sandbox is None:
            return {}
        try:
            info = await self.ask(self._sandbox, GetSandbox(), timeout=SANDBOX_PATIENCE)
        except (Refusal, ActorCrashed):
            return {}
        return {"AVIARY_SANDBOX_URL": info.url}

    def _hear(self, topic: str, payload: bytes) -> None:
        self._bus.publish(self._prefix + topic, payload)

    async def _call(self, call: CallHost) -> Any:
        arguments = {name: _open(value) for name, value in call.arguments.items()}
        deadline = self.clock.monotonic() + call.timeout
        try:
            async with asyncio.timeout(call.timeout):
                await self._up.wait()
        except TimeoutError:
            raise NothingDone("the engine host is still starting") from None
        port = self._port
        if port is None:
            raise NothingDone("the engine host is still starting")
        try:
            return await port.call(call.method, max(0.0, deadline - self.clock.monotonic()), **arguments)
        except PortRefusal as refusal:
            raise _refusal(refusal) from None
        except PortOverloaded as error:
            raise NothingDone(str(error)) from None
        except (PortTimeout, PortClosed) as error:
            raise OutcomeUnknown(str(error)) from None
        except PortFailure as error:
            raise OutcomeUnknown(f"{call.method} failed in the engine host: {error}") from None

    def _info(self) -> HostInfo:
        port, process = self._port, self._process
        return HostInfo(
            pid=None if process is None else process.pid,
            resident_bytes=0 if process is None else process.rss(),
            silence=0.0 if port is None else port.silence(),
            calls_under_way=0 if port is None else port.outstanding,
            events=0 if port is None else port.events,
        )


def _is_stopped(pid: int) -> bool:
    # A stopped process says nothing and can be told apart at once from one that is only slow.
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def _open(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _open(one) for name, one in value.items()}
    return value


def _refusal(refusal: PortRefusal) -> Refusal:
    field = refusal.fields.get("field")
    match refusal.kind:
        case "not_found":
            return NotFound(refusal.detail)
        case "conflict":
            return Conflict(refusal.detail)
        case "forbidden":
            return Forbidden(refusal.detail)
        case "rejected":
            return Rejected(refusal.detail)
        case "unavailable":
            return NothingDone(refusal.detail, float(refusal.fields.get("retry_after", 1.0)))
        case "unknown":
            return OutcomeUnknown(refusal.detail)
        case "unsupported":
            return Unsupported(refusal.detail, field)
        case _:
            return Invalid(refusal.detail, field)
