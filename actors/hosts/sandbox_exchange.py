"""Runs the simulated exchange: a process that outlives the server, since bots trade on it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from aviary.actors.core.actor import AsyncActor
from aviary.actors.core.ports.patience import Missed
from aviary.actors.messages.sandbox import GetSandbox, SandboxInfo
from aviary.actors.runtimes.daemon import Daemon, find_daemon, start_daemon
from aviary.config.environment import environment_of_children

if TYPE_CHECKING:
    from pathlib import Path

READY_TIMEOUT = 20.0
"""Seconds the exchange has to listen."""

PROBE_PERIOD = 2.0
"""Seconds between two questions whether it still answers."""

PROBE_TIMEOUT = 3.0
"""Seconds an answer may take before it counts as missing."""

PROBES_MISSED = 3
"""Missing answers in a row after which it is hung; one for which it had half the time counts half.

A rehearsed outage answers on its own admin port."""


class SandboxExchange(AsyncActor):
    """Starts the exchange or finds the one that runs, and fails when it dies or hangs, to be started anew."""

    def __init__(self, folder: Path, log: Path, port: int, seed: int) -> None:
        super().__init__()
        self._folder = folder
        self._log = log
        self._port = port
        self._seed = seed
        self._info: SandboxInfo | None = None

    async def prepare(self) -> None:
        """Find or start the process and wait until it listens."""
        record = self._folder / "daemon.json"
        daemon = find_daemon(record)
        if daemon is None:
            daemon = start_daemon(
                [
                    *(sys.executable, "-m", "aviary.sandbox", "--host", "127.0.0.1"),
                    *("--port", str(self._wanted_port()), "--data", str(self._folder)),
                    *("--seed", str(self._seed)),
                ],
                folder=self._folder,
                log=self._log,
                environment=environment_of_children(os.environ),
                record=record,
            )
        self._info = await self._listening(daemon)
        self.spawn(self._watch(daemon), "watch")
        self.spawn(self._probe(daemon, self._info.url), "probe")

    def receive(self, message: Any) -> Any:
        """Handle one message."""
        match message:
            case GetSandbox():
                return self._info
            case _:
                return super().receive(message)

    def _wanted_port(self) -> int:
        # Connectors know the exchange by its port: one that was chosen once is kept.
        known = self._read_ready_file()
        return self._port or (0 if known is None else int(known["port"]))

    def _read_ready_file(self) -> dict[str, Any] | None:
        try:
            read: dict[str, Any] = orjson.loads((self._folder / "sandbox.json").read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None
        return read

    async def _listening(self, daemon: Daemon) -> SandboxInfo:
        async with asyncio.timeout(READY_TIMEOUT):
            while True:
                if not daemon.is_alive():
                    raise RuntimeError(f"the sandbox exchange ended at once, see {self._log.name}")
                ready = self._read_ready_file()
                if ready is not None and ready.get("pid") == daemon.pid:
                    return SandboxInfo(url=f"http://127.0.0.1:{ready['port']}", pid=daemon.pid)
                await asyncio.sleep(0.05)

    async def _watch(self, daemon: Daemon) -> None:
        await daemon.exited()
        raise RuntimeError("the sandbox exchange's process ended")

    async def _probe(self, daemon: Daemon, url: str) -> None:
        missed = Missed(daemon.pid, self.clock, PROBE_TIMEOUT)
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while missed.answers < PROBES_MISSED:
                await asyncio.sleep(PROBE_PERIOD)
                missed.begin()
                missed.note(answered=await _answers(session, url))
        daemon.send(signal.SIGKILL)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/_sandbox/health") as answer:
            await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return False
    return True
