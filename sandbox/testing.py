"""For tests: the exchange as a real process, with its admin API at hand."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

START_TIMEOUT = 15.0
"""Seconds that the process has to announce itself; a cold start on a busy machine takes a few."""

STOP_TIMEOUT = 10.0

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=10)


class SandboxProcess:
    """A running exchange."""

    def __init__(self, directory: Path, seed: int, options: Sequence[str]) -> None:
        self.directory = directory
        self.port = 0
        self.pid = 0
        self._seed = seed
        self._options = list(options)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Its address, as the connectors want it in AVIARY_SANDBOX_URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Start the process and wait until it listens."""
        announcement = self.directory / "sandbox.json"
        self.directory.mkdir(parents=True, exist_ok=True)
        announcement.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "aviary.sandbox", "--port", str(port)),
            *("--data", str(self.directory), "--seed", str(self._seed), *self._options),
        ]
        self._process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, start_new_session=True)
        async with asyncio.timeout(START_TIMEOUT):
            while not announcement.exists():
                if self._process.returncode is not None:
                    raise RuntimeError(f"the sandbox exchange ended with code {self._process.returncode}")
                await asyncio.sleep(0.02)
        ready = json.loads(announcement.read_text())
        self.port, self.pid = ready["port"], ready["pid"]

    async def stop(self) -> int:
        """Stop it with SIGTERM; gives its exit code."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        await self._end(signal.SIGKILL)

    async def restart_same_port(self) -> None:
        """Start it again after `stop` or `kill`, where it was and with what it had."""
        await self.start(self.port)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            os.kill(process.pid, number)
        code = await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        self._process = None
        return code

    async def faults(self, kind: str, seconds: float = 0, **parameters: Any) -> dict[str, Any]:
        """Turn a fault on."""
        body = {"kind": kind, "seconds": seconds, **parameters}
        answer: dict[str, Any] = await self.request("POST", "/_sandbox/faults", body)
        return answer

    async def clear_faults(self) -> None:
        """Turn all faults off."""
        await self.request("DELETE", "/_sandbox/faults")

    async def orders(
        self, key: str | None = None, *, open_only: bool = False, **filters: str
    ) -> list[dict[str, Any]]:
        """The exchange's own list of orders, oldest first."""
        if open_only:
            filters["open"] = "true"
        return await self._list("/_sandbox/orders", key, filters)

    async def fills(self, key: str | None = None, **filters: str) -> list[dict[str, Any]]:
        """The exchange's own list of fills, oldest first."""
        return await self._list("/_sandbox/fills", key, filters)

    async def positions(self, key: str) -> list[dict[str, Any]]:
        """Open positions of a key."""
        return await self._list("/_sandbox/positions", key, {})

    async def balances(self, key: str) -> dict[str, dict[str, dict[str, str]]]:
        """Balances of a key by market and asset."""
        answer: dict[str, dict[str, dict[str, str]]] = await self.request("GET", f"/_sandbox/balances?key={key}")
        return answer

    async def create_key(self, **parameters: Any) -> tuple[str, str]:
        """Create a key; gives it and its secret."""
        answer = await self.request("POST", "/_sandbox/keys", parameters)
        return answer["key"], answer["secret"]

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """Any request of the admin API; `RuntimeError` unless it succeeds."""
        async with (
            aiohttp.ClientSession(timeout=ANSWER_TIMEOUT) as session,
            session.request(method, self.url + path, json=body) as response,
        ):
            answer = await response.json()
            if response.status >= 400:  # noqa: PLR2004
                raise RuntimeError(f"{method} {path}: {response.status} {answer}")
            return answer

    async def _list(self, path: str, key: str | None, filters: dict[str, str]) -> list[dict[str, Any]]:
        query = {**filters, **({"key": key} if key else {})}
        answer: list[dict[str, Any]] = await self.request(
            "GET", path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
        )
        return answer


@asynccontextmanager
async def running_sandbox(
    directory: Path, seed: int = 1, options: Sequence[str] = ()
) -> AsyncIterator[SandboxProcess]:
    """An exchange on a free port with its file in `directory`; it is stopped at the end."""
    sandbox = SandboxProcess(directory, seed, options)
    try:
        await sandbox.start()
        yield sandbox
    finally:
        await sandbox.kill()
