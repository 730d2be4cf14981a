"""What stands behind the server's door: the front end, and the tree of everything that lives."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web
from aviary.actors.core.system import System
from aviary.actors.keeping.service_manager import MAX_ABANDONED
from aviary.http.app import create_app
from aviary.http.routes.all import ROWS
from aviary.http.runner import runner_of
from aviary.supervisors.boot import Tree
from aviary.supervisors.tree import tree_spec

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from concurrent.futures import Future

    from aviary.config.layout import Layout
    from aviary.config.settings import Settings

log = logging.getLogger("aviary.server")

ENDED_FOR_A_RESTART = 75
"""Exit code (`EX_TEMPFAIL` of sysexits.h) after which a service manager should start the server again."""

REQUESTS_TIMEOUT = 2.0
"""Seconds that requests have to end when the server stops."""

TREE_STOP_TIMEOUT = 45.0
"""Seconds the tree has to stop before the process ends all the same."""


class Server:
    """Made in any thread, opened and closed on one loop."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._system = System.live()
        self._tree = Tree(self._system, tree_spec(settings, layout, self._system))
        self._runner: web.AppRunner | None = None
        self._starting: Future[None] | None = None

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on listening sockets, and start the tree without waiting for it."""
        app = create_app(self._system, self._settings, ROWS)
        self._runner = runner_of(app, shutdown_timeout=REQUESTS_TIMEOUT)
        await self._runner.setup()
        for listening in sockets:
            await web.SockSite(self._runner, listening).start()
        self._starting = asyncio.run_coroutine_threadsafe(self._tree.start(), self._system.kernel.loop)
        self._starting.add_done_callback(_tell_start)

    async def close(self) -> int:
        """Stop serving, then the tree, then its loops; the process's exit code."""
        worn_out = self._system.statistics().abandoned_threads > MAX_ABANDONED
        if self._starting is not None:
            self._starting.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        stopping = asyncio.run_coroutine_threadsafe(self._tree.stop(), self._system.kernel.loop)
        try:
            async with asyncio.timeout(TREE_STOP_TIMEOUT):
                await asyncio.wrap_future(stopping)
        except TimeoutError:
            log.exception("the tree did not stop within %g s", TREE_STOP_TIMEOUT)
        self._system.shutdown()
        return ENDED_FOR_A_RESTART if worn_out else 0


def _tell_start(starting: Future[None]) -> None:
    if starting.cancelled():
        return
    error = starting.exception()
    if error is None:
        log.info("every branch has been started")
    else:
        log.error("the tree did not start: %s", error)
