"""Whether the server lives, and whether everything behind it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aviary.http.auth import BasicAuth, from_header
from aviary.http.refusals import answer
from aviary.http.routing import Page
from aviary.http.startup_responder import ABOUT
from aviary.http.views.supervision import About, Liveness, Readiness

if TYPE_CHECKING:
    from aiohttp import web
    from aviary.actors.core.cell import CellView
    from aviary.actors.core.system import System

ROOT = "aviary"

KERNEL_SILENCE = 5.0
"""Seconds without a sign of life of the kernel's loop after which the server does not count as alive."""


def health_pages(system: System, basic_auth: BasicAuth) -> tuple[Page, ...]:
    """`/`, `/health/live` and `/health/ready`. They must answer when no actor does."""

    async def root(_request: web.Request) -> web.Response:
        return answer(ABOUT)

    async def live(_request: web.Request) -> web.Response:
        silence = system.kernel.silence()
        alive = silence < KERNEL_SILENCE
        return answer({"status": "alive" if alive else "stuck"}, 200 if alive else 503)

    async def ready(request: web.Request) -> web.Response:
        # Reasons may quote what an exchange or a library said: they are for who knows the password.
        header = request.headers.get("Authorization")
        known = header is not None and basic_auth.lets_in(request.remote or "", from_header(header))
        serving, state = readiness(system.tree(), reasons=known)
        return answer(state, 200 if serving else 503, None if serving else {"Retry-After": "1"})

    why = "answers while the tree is still coming up"
    return (
        Page("GET", "/", root, why, open=True, summary="Name, version and status", answers={200: About}),
        Page(
            "GET",
            "/health/live",
            live,
            why,
            open=True,
            summary="Whether the process lives",
            answers={200: Liveness, 503: Liveness},
        ),
        Page(
            "GET",
            "/health/ready",
            ready,
            why,
            open=True,
            summary="Which branches of the tree run, are coming up or are degraded; 503 until all of them run",
            answers={200: Readiness, 503: Readiness},
        ),
    )


def is_starting(system: System) -> bool:
    """Whether the root has not started all of its branches yet."""
    root = system.cell(ROOT)
    return root is None or root.state == "starting"


def readiness(cells: tuple[CellView, ...], *, reasons: bool) -> tuple[bool, dict[str, Any]]:
    """Whether every branch runs, and the state of each with whatever below it is in trouble.

    A branch is a child of the root. One that says that it works less well, or trouble deeper down, such as a bot
    that backs off, makes the status `degraded` and is listed, but the server goes on serving.
    """
    branches = [cell for cell in cells if cell.parent == ROOT]
    root = next((cell for cell in cells if cell.address == ROOT), None)
    troubled = [cell for cell in cells if cell.state != "running" and cell.address != ROOT]
    up = root is not None and root.state in {"running", "degraded"}
    serving = up and all(cell.state in {"running", "degraded"} for cell in branches)
    if not troubled and up:
        status = "ready"
    elif not up or all(cell.state == "starting" for cell in troubled):
        status = "starting"
    else:
        status = "degraded"
    return serving, {
        "status": status,
        "branches": [_told(cell, reasons=reasons) for cell in branches],
        "troubled": [_told(cell, reasons=reasons) for cell in troubled],
    }


def _told(cell: CellView, *, reasons: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"address": cell.address, "state": cell.state, "next_try_at": cell.next_try_at}
    if reasons:
        told |= {"last_failure": cell.last_failure, "degraded": cell.degraded}
    return told
