"""A real browser, driven over its debugging socket: what it shows, what it asks for, what it complains of."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")

DEADLINE = 20.0
"""Seconds that a busy machine may need to show a page."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-port=0",
)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.asked: list[str] = []
        """Addresses of every request."""
        self.complaints: list[str] = []
        """Uncaught errors, and what the console was told of errors and broken policies."""
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: str | None = None

    async def open(self) -> None:
        """Make the tab."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **parameters: Any) -> Any:
        """Ask the browser; what it tells meanwhile is kept."""
        number = next(self._numbers)
        request: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            request["sessionId"] = self._session
        await self._socket.send_json(request)
        while True:
            told = await self._socket.receive_json()
            if told.get("id") == number:
                return told["result"]
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        parameters = told.get("params", {})
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"])[:500])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.complaints.append(parameters["entry"]["text"])
            case _:
                pass

    async def show(self, url: str, condition: str) -> None:
        """Go to a page and wait until a JavaScript expression is true there."""
        await self.call("Page.navigate", url=url)
        try:
            async with asyncio.timeout(DEADLINE):
                while not await self.value_of(condition):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            text = await self.value_of("document.body ? document.body.innerText.slice(0, 500) : ''")
            pytest.fail(f"{condition} never held at {url}; it shows {text!r}, complains {self.complaints}")

    async def value_of(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")


@asynccontextmanager
async def browser_page(folder: Path) -> AsyncIterator[Page]:
    """A tab of a fresh browser. Skips the test where no browser is installed, which fails in CI."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={folder}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    drain: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(DEADLINE):
            while b"DevTools listening on " not in (line := await process.stderr.readline()):
                assert line, "the browser ended before it listened"
        drain = asyncio.ensure_future(process.stderr.read())
        address = line.decode().split("listening on ")[1].strip()
        async with aiohttp.ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            await page.open()
            yield page
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if drain is not None:
            await drain
