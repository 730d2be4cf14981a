"""Whether the server lives, and whether everything behind it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.http.refusals import answer
from aviary.http.routing import Page

if TYPE_CHECKING:
    from aiohttp import web
    from aviary.actors.core.system import System

ROOT = "aviary"

VERSION = "0.1.0"
"""Of this server; the released one tells its own here."""

KERNEL_SILENCE = 5.0
"""Seconds without a sign of life of the kernel's loop after which the server does not count as alive."""


def health_pages(system: System) -> tuple[Page, ...]:
    """`/`, `/health/live` and `/health/ready`. They must answer when no actor does."""

    async def root(_request: web.Request) -> web.Response:
        return answer({"name": "Aviary", "version": VERSION, "status": "running"})

    async def live(_request: web.Request) -> web.Response:
        silence = system.kernel.silence()
        alive = silence < KERNEL_SILENCE
        return answer({"status": "alive" if alive else "stuck"}, 200 if alive else 503)

    async def ready(_request: web.Request) -> web.Response:
        state = readiness(system)
        return answer(state, 200 if state["status"] == "ready" else 503)

    why = "answers while the tree is still coming up"
    return (
        Page("GET", "/", root, why, open=True),
        Page("GET", "/health/live", live, why, open=True),
        Page("GET", "/health/ready", ready, why, open=True),
    )


def readiness(system: System) -> dict[str, Any]:
    """`ready`, `starting` or `degraded`, and every actor that is not simply running."""
    cells = system.tree()
    branches = [cell for cell in cells if cell.parent == ROOT]
    root = next((cell for cell in cells if cell.address == ROOT), None)
    troubled = [
        {
            "address": cell.address,
            "state": cell.state,
            "last_failure": cell.last_failure,
            "next_try_at": cell.next_try_at,
            "degraded": cell.degraded,
        }
        for cell in cells
        if cell.state != "running" and cell.address != ROOT
    ]
    if root is None or root.state == "starting":
        status = "starting"
    elif not troubled:
        status = "ready"
    else:
        status = "starting" if all(one["state"] == "starting" for one in troubled) else "degraded"
    return {
        "status": status,
        "branches": [{"address": cell.address, "state": cell.state} for cell in branches],
        "troubled": troubled,
    }
